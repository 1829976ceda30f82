"""On what a network runs and how precisely, decided when it runs."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from mewm.errors import InputError

if TYPE_CHECKING:
    import torch


def choose_device(name: str | None = None) -> torch.device:
    """Return the device by name (``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``); without a name the fastest there is.

    Raises:
        InputError: there is no such device.
    """
    import torch

    if name is None:
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise InputError(f"The device {name!r} cannot be used here ({str(error).splitlines()[0]}); use cpu.") from error
    return device


def half_type(device: torch.device) -> torch.dtype | None:
    """Return the 16-bit type that is faster than float32 on a device, or ``None`` where none is.

    On CPU bfloat16 pays only with instructions for it (AMX or AVX512-BF16); without them it is many times slower.
    """
    import torch

    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    if device.type == "mps":
        return torch.float16
    # torch.cpu has no public question for these two.
    if device.type == "cpu" and (torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()):
        return torch.bfloat16
    return None


def mixed_precision(device: torch.device, *, training: bool = False) -> AbstractContextManager[Any]:
    """Return the context in which a forward pass runs: autocast where 16 bits are faster, else nothing.

    Args:
        device: where the network lies.
        training: gradients follow. float16, whose small gradients vanish, is then left alone.
    """
    import torch

    dtype = half_type(device)
    if dtype is None or (training and dtype == torch.float16):
        return nullcontext()
    return torch.autocast(device.type, dtype)
