"""Devices and precision are chosen when a network runs."""

import pytest

torch = pytest.importorskip("torch", reason="the 'learned' extra is not installed")

from mewm.compute import choose_device, half_type, mixed_precision  # noqa: E402
from mewm.errors import InputError  # noqa: E402

CPU = torch.device("cpu")


@pytest.mark.parametrize("name", ["gpu", "cuda:99", "quantum"])
def test_a_device_that_is_not_there_is_one_sentence(name):
    with pytest.raises(InputError, match=name) as caught:
        choose_device(name)
    assert "\n" not in str(caught.value) and "use cpu" in str(caught.value)


@pytest.mark.parametrize(("amx", "avx512", "expected"), [(0, 0, None), (1, 0, torch.bfloat16), (0, 1, torch.bfloat16)])
def test_a_cpu_computes_in_16_bits_only_with_instructions_for_it(monkeypatch, amx, avx512, expected):
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: bool(amx))
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: bool(avx512))
    assert half_type(CPU) is expected
    with mixed_precision(CPU):
        made = torch.nn.Linear(4, 4)(torch.ones(1, 4))
    assert made.dtype == (expected or torch.float32)


def test_float16_is_left_alone_in_training(monkeypatch):
    monkeypatch.setattr("mewm.compute.half_type", lambda device: torch.float16)
    with mixed_precision(CPU, training=True):
        assert not torch.is_autocast_enabled("cpu")
    with mixed_precision(CPU):
        assert torch.is_autocast_enabled("cpu")
