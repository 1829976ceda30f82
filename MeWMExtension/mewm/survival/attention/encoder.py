"""MC3-18 at any width: the mixed-convolution video network (Tran et al., CVPR 2018, arXiv 1711.11248) on CT regions.

Slices stand where a video has frames. Layers and names are those of torchvision's ``mc3_18``, so its weights fit at a
width of 64; nothing is ever downloaded.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn
from torchvision.models.video.resnet import BasicBlock, Conv3DNoTemporal, Conv3DSimple

from mewm.errors import InputError

WIDTH = 64
"""Channels of the first layer of ``mc3_18``."""
_STEM = "stem.0.weight"
# What reading a file that is cut short, or a pickle that holds more than tensors, ends in.
_DAMAGED = (
    pickle.UnpicklingError,
    OSError,
    RuntimeError,
    EOFError,
    ValueError,
    LookupError,
    AttributeError,
    TypeError,
)


class Mc3Encoder(nn.Module):
    """Features of a region.

    Args:
        channels: of the input.
        width: channels of the first layer; each of the three later ones doubles them.
    """

    def __init__(self, channels: int, width: int = WIDTH) -> None:
        super().__init__()
        self.features = 8 * width
        self.stem = nn.Sequential(
            nn.Conv3d(channels, width, kernel_size=(3, 7, 7), stride=(1, 2, 2), padding=(1, 3, 3), bias=False),
            nn.BatchNorm3d(width),
            nn.ReLU(inplace=True),
        )
        self.layer1 = _layer(width, width, Conv3DSimple, 1)
        self.layer2 = _layer(width, 2 * width, Conv3DNoTemporal, 2)
        self.layer3 = _layer(2 * width, 4 * width, Conv3DNoTemporal, 2)
        self.layer4 = _layer(4 * width, 8 * width, Conv3DNoTemporal, 2)
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, region: torch.Tensor) -> torch.Tensor:
        """Return features (N, 8 × width, d, h / 16, w / 16) of regions (N, channels, d, h, w)."""
        return self.layer4(self.layer3(self.layer2(self.layer1(self.stem(region)))))

    def begin_with(self, path: Path) -> None:
        """Take over weights of torchvision's ``mc3_18`` from a file; its colours' filters are shared by the channels.

        Raises:
            InputError: the file cannot be read or holds more than tensors, or the width is not that of ``mc3_18``.
        """
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise InputError(
                f"The weights {path} cannot be read ({error.strerror or error}); check the path."
            ) from error
        try:
            state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        except _DAMAGED as error:
            raise InputError(
                f"The weights {path} are damaged, or no file that torch.save wrote of tensors alone; download "
                "torchvision's weights of mc3_18 again."
            ) from error
        own = self.state_dict()
        given = state if isinstance(state, Mapping) else {}
        found = {name: value for name, value in given.items() if name in own and isinstance(value, torch.Tensor)}
        if _STEM in found:
            mean = found[_STEM].mean(dim=1, keepdim=True)
            # As many channels as there are add up to what three colours did.
            found[_STEM] = mean.expand(-1, own[_STEM].shape[1], -1, -1, -1) * 3 / own[_STEM].shape[1]
        if set(found) != set(own) or any(found[name].shape != own[name].shape for name in own):
            raise InputError(
                f"The weights {path} are not those of mc3_18 at the width of this network; set its width to {WIDTH}."
            )
        self.load_state_dict(found)


def _layer(before: int, after: int, convolution: type[nn.Conv3d], stride: int) -> nn.Sequential:
    """Return two residual blocks, the first of which changes size and channels."""
    shortcut = None
    if stride != 1 or before != after:
        shortcut = nn.Sequential(
            nn.Conv3d(before, after, kernel_size=1, stride=convolution.get_downsample_stride(stride), bias=False),
            nn.BatchNorm3d(after),
        )
    return nn.Sequential(
        BasicBlock(before, after, convolution, stride, shortcut), BasicBlock(after, after, convolution)
    )
