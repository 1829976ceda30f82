"""Inception and LPIPS, for users who have torch and the weights' files; nothing is downloaded.

Both are the usual networks of the field, so that figures can be set beside published ones. torch is imported where
it is used and may be missing. Weights are read with ``weights_only``: no pickled code runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mewm.errors import InputError, ResourceError

_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_SD = (0.229, 0.224, 0.225)
_INCEPTION_SIZE = 299
_BATCH = 16


class TorchFeatures:
    """Any torch module that maps ``(n, 3, h, w)`` to features, as a :class:`FeatureNetwork`.

    Args:
        module: the network; a last feature map with places is averaged over them.
        name: how tables call it.
        size: edge to which slices are scaled; ``None`` keeps theirs.
        normalise: whether it expects ImageNet's mean and standard deviation.
    """

    def __init__(self, module: Any, name: str, size: int | None = None, normalise: bool = True):
        self.module, self.name, self.size, self.normalise = module.eval(), name, size, normalise

    def features(self, slices: np.ndarray) -> np.ndarray:
        """Return one feature vector a slice, ``(n, d)`` float64."""
        torch = _torch()
        rows = []
        with torch.inference_mode():
            for start in range(0, len(slices), _BATCH):
                out = self.module(_colour(slices[start : start + _BATCH], self.size, self.normalise))
                rows.append(out.flatten(2).mean(-1) if out.ndim > 2 else out)
        return torch.cat(rows).double().cpu().numpy()


class TorchPerceptual:
    """A torch module that maps two stacks in [-1, 1] to distances, as a :class:`PerceptualNetwork`.

    Args:
        module: the distance, called like ``lpips.LPIPS``.
        name: how tables call it.
    """

    def __init__(self, module: Any, name: str):
        self.module, self.name = module.eval(), name

    def distance(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Return the distance of each pair of slices ``(n,)``."""
        torch = _torch()
        rows = []
        with torch.inference_mode():
            for start in range(0, len(first), _BATCH):
                a, b = (_colour(s[start : start + _BATCH], None, False) * 2 - 1 for s in (first, second))
                rows.append(self.module(a, b).flatten())
        return torch.cat(rows).double().cpu().numpy()


def load_inception(weights: Path) -> TorchFeatures:
    """Load torchvision's Inception v3 from its state-dict file; features are the 2048 of its last pooling.

    Torchvision's ImageNet weights, not the TensorFlow ones of the original FID: the name says so.

    Raises:
        ResourceError: torch, torchvision or the file is missing, or the file is of another network.
    """
    torch = _torch()
    models = _module("torchvision.models", "torchvision")
    network = models.inception_v3(weights=None, init_weights=False, aux_logits=True, transform_input=False)
    _fill(network, weights, "Inception v3")
    network.fc = torch.nn.Identity()
    return TorchFeatures(network, "Inception v3 (torchvision ImageNet)", _INCEPTION_SIZE)


def load_lpips(backbone: Path, heads: Path, net: str = "alex") -> TorchPerceptual:
    """Load LPIPS v0.1 of the ``lpips`` package from two files.

    Args:
        backbone: state dict of torchvision's AlexNet, VGG16 or SqueezeNet 1.1.
        heads: the linear weights of the lpips package (``weights/v0.1/alex.pth`` inside it).
        net: ``"alex"``, ``"vgg"`` or ``"squeeze"``.

    Raises:
        InputError: an unknown net.
        ResourceError: torch, torchvision, lpips or a file is missing, or a file is of another network.
    """
    builders = {"alex": "alexnet", "vgg": "vgg16", "squeeze": "squeezenet1_1"}
    if net not in builders:
        raise InputError(f"LPIPS knows no network {net!r}; choose one of {', '.join(builders)}.")
    package = _module("lpips", "lpips")
    models = _module("torchvision.models", "torchvision")
    plain = getattr(models, builders[net])(weights=None)
    _fill(plain, backbone, builders[net])
    network = package.LPIPS(net=net, pnet_rand=True, pretrained=False, verbose=False)
    # The package cuts the backbone's layers into numbered parts; their parameters come in the same order.
    target = dict(network.net.named_parameters())
    source = list(plain.features.parameters())
    if [p.shape for p in target.values()] != [p.shape for p in source]:
        raise ResourceError(f"The installed lpips package does not fit torchvision's {builders[net]}; update both.")
    for parameter, value in zip(target.values(), source, strict=True):
        parameter.data.copy_(value.data)
    state = _read(heads)
    found = network.load_state_dict(state, strict=False)
    if found.unexpected_keys or not any(key.startswith("lin") for key in state):
        raise ResourceError(f"The file {heads} holds no linear weights of LPIPS v0.1 ({net}); give the right file.")
    return TorchPerceptual(network, f"LPIPS v0.1 ({net})")


def _fill(network: Any, weights: Path, what: str) -> None:
    try:
        network.load_state_dict(_read(weights))
    except RuntimeError as error:
        raise ResourceError(f"The file {weights} holds no weights of {what}; give torchvision's file.") from error


def _read(path: Path) -> Any:
    torch = _torch()
    if not Path(path).is_file():
        raise ResourceError(f"The weights' file {path} does not exist; give a file on this machine.")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ResourceError(
            f"The weights' file {path} cannot be read ({type(error).__name__}); fetch it anew."
        ) from error


def _colour(slices: np.ndarray, size: int | None, normalise: bool) -> Any:
    """Return grey slices in [0, 1] as three equal channels, scaled and normalised."""
    torch = _torch()
    images = torch.from_numpy(np.ascontiguousarray(slices, np.float32))[:, None].repeat(1, 3, 1, 1)
    if size is not None:
        images = torch.nn.functional.interpolate(
            images, size=(size, size), mode="bilinear", align_corners=False, antialias=True
        )
    if normalise:
        mean, sd = (torch.tensor(v)[None, :, None, None] for v in (_IMAGENET_MEAN, _IMAGENET_SD))
        images = (images - mean) / sd
    return images


def _torch() -> Any:
    return _module("torch", "torch")


def _module(name: str, package: str) -> Any:
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ResourceError(
            f"This feature network needs {package}, which is not installed; install it (pip install {package}) or use "
            "the bundled filter bank."
        ) from error
