"""The hook for the user's own Inception and LPIPS: real with torch, a plain sentence without."""

import importlib.util

import numpy as np
import pytest

from mewm.errors import InputError, ResourceError
from mewm.evaluation import torch_networks

HAS_TORCH = importlib.util.find_spec("torch") is not None
needs_torch = pytest.mark.skipif(not HAS_TORCH, reason="torch is not installed; the hook for it cannot be run")
needs_torchvision = pytest.mark.skipif(
    importlib.util.find_spec("torchvision") is None, reason="torchvision is not installed"
)
needs_lpips = pytest.mark.skipif(importlib.util.find_spec("lpips") is None, reason="lpips is not installed")


def test_missing_package_is_told_with_the_way_out(tmp_path, monkeypatch):
    def nothing(name):
        raise ImportError(name)

    monkeypatch.setattr("importlib.import_module", nothing)
    with pytest.raises(ResourceError, match=r"torch, which is not installed.*filter bank"):
        torch_networks.load_inception(tmp_path / "inception.pth")


def test_unknown_net_is_told(tmp_path):
    with pytest.raises(InputError, match="alex, vgg, squeeze"):
        torch_networks.load_lpips(tmp_path / "a", tmp_path / "b", net="resnet")


@needs_torch
def test_any_module_becomes_a_feature_network():
    import torch

    network = torch_networks.TorchFeatures(torch.nn.AvgPool2d(8), "tiny", normalise=False)
    slices = np.random.default_rng(0).random((20, 16, 16), dtype=np.float32)
    # Averages over 8 × 8 and then over the rest: three equal channels of the slice's mean.
    assert network.features(slices) == pytest.approx(np.repeat(slices.mean(axis=(1, 2))[:, None], 3, axis=1), rel=1e-5)


@needs_torch
def test_any_module_of_two_inputs_becomes_a_perceptual_network():
    import torch

    class Difference(torch.nn.Module):
        def forward(self, a, b):
            return (a - b).abs().mean(dim=(1, 2, 3), keepdim=True)

    first, second = np.random.default_rng(0).random((2, 20, 8, 8), dtype=np.float32)
    found = torch_networks.TorchPerceptual(Difference(), "tiny").distance(first, second)
    assert found == pytest.approx(2 * np.abs(first - second).mean(axis=(1, 2)), rel=1e-5)


@needs_torch
@needs_torchvision
def test_inception_from_a_file_and_from_a_wrong_one(tmp_path):
    import torch
    from torchvision.models import inception_v3

    torch.save(inception_v3(weights=None, init_weights=False).state_dict(), tmp_path / "inception.pth")
    found = torch_networks.load_inception(tmp_path / "inception.pth").features(np.zeros((2, 32, 32), np.float32))
    assert found.shape == (2, 2048)
    torch.save({"weight": torch.zeros(1)}, tmp_path / "wrong.pth")
    with pytest.raises(ResourceError, match="no weights of Inception"):
        torch_networks.load_inception(tmp_path / "wrong.pth")
    with pytest.raises(ResourceError, match="does not exist"):
        torch_networks.load_inception(tmp_path / "none.pth")


@needs_torch
@needs_torchvision
@needs_lpips
def test_lpips_from_files(tmp_path):
    import lpips
    import torch
    from torchvision.models import alexnet

    torch.save(alexnet(weights=None).state_dict(), tmp_path / "alexnet.pth")
    whole = lpips.LPIPS(net="alex", pnet_rand=True, pretrained=False, verbose=False).state_dict()
    torch.save({k: v for k, v in whole.items() if k.startswith("lin")}, tmp_path / "heads.pth")
    network = torch_networks.load_lpips(tmp_path / "alexnet.pth", tmp_path / "heads.pth")
    slices = np.random.default_rng(0).random((2, 64, 64), dtype=np.float32)
    assert network.distance(slices, slices) == pytest.approx([0, 0], abs=1e-6)
    assert network.name == "LPIPS v0.1 (alex)"
