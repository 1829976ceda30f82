"""The autoencoder's network: 96³ CT in window units ⇄ 24³ × 8 latents.

It is plain torch and not MONAI's VQVAE or AutoencoderKL for three reasons, all measured on two CPU cores. Their blocks
convolve at 96³, where one layer of 16 channels costs more than this whole decoder. They normalise over the whole
volume, so that a change in the lesion changes the far side of the liver; here nothing is normalised and every output
voxel depends on its surroundings only. And importing MONAI takes seconds that a radiologist waits for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn import functional

from mewm.dynamics.autoencoder.bottleneck import make_bottleneck

REDUCTION = 4
"""Voxels of the CT along the edge of a latent voxel."""
LOG_VARIANCE = -6.0
"""Of the noise in untrained continuous latents: a standard deviation of 0.05, about 7 HU in the decoded CT."""
WINDOW_HU = (-175.0, 600.0)
"""Attenuation that becomes -1 and 1 (the paper's window); what lies outside is cut off."""


def to_window(ct_hu: torch.Tensor) -> torch.Tensor:
    """Return HU as window units in [-1, 1], same shape."""
    low, high = WINDOW_HU
    return ((ct_hu - low) * (2.0 / (high - low)) - 1.0).clamp(-1.0, 1.0)


def from_window(values: torch.Tensor) -> torch.Tensor:
    """Return window units as HU, same shape; values outside [-1, 1] are cut off."""
    low, high = WINDOW_HU
    return (values.clamp(-1.0, 1.0) + 1.0) * ((high - low) / 2.0) + low


class Coding(NamedTuple):
    """Result of a training pass.

    Attributes:
        reconstruction: (N, 1, D, H, W), window units, not cut off.
        latent: what the decoder got, (N, C, D/4, H/4, W/4).
        penalty: of the bottleneck, a scalar.
    """

    reconstruction: torch.Tensor
    latent: torch.Tensor
    penalty: torch.Tensor


class ResidualBlock(nn.Module):
    """Two 3³ convolutions beside a skip; it begins as the identity, so that depth needs no normalisation."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv3d(channels, channels, 3, padding=1)
        self.second = nn.Conv3d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.second.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return a volume of the same shape."""
        return x + self.second(functional.silu(self.first(functional.silu(x))))


def fold(x: torch.Tensor) -> torch.Tensor:
    """Move every 2³ block of voxels into channels: (N, C, D, H, W) → (N, 8C, D/2, H/2, W/2)."""
    n, c, d, h, w = x.shape
    x = x.view(n, c, d // 2, 2, h // 2, 2, w // 2, 2).permute(0, 1, 3, 5, 7, 2, 4, 6)
    return x.reshape(n, 8 * c, d // 2, h // 2, w // 2)


def unfold(x: torch.Tensor) -> torch.Tensor:
    """Undo :func:`fold`, the sub-pixel shuffle of Shi et al. (arXiv 1609.05158) in 3D."""
    n, c, d, h, w = x.shape
    x = x.reshape(n, c // 8, 2, 2, 2, d, h, w).permute(0, 1, 5, 2, 6, 3, 7, 4)
    return x.reshape(n, c // 8, 2 * d, 2 * h, 2 * w)


class Autoencoder(nn.Module):
    """Encoder, bottleneck and decoder, beside a plain downsampling that they need not learn.

    8 numbers a 4³ block can hold the CT at half its resolution: the means of 2³ voxels in Haar's orthonormal basis. The
    untrained network does just that and interpolates linearly on the way back; what it learns is added to it. So a
    training begins with a usable codec and spends itself on edges. With fewer latent channels the finest are left out.

    Args:
        latent_channels: numbers a latent voxel.
        widths: channels at half and at a quarter of the CT's resolution.
        encoder_blocks, decoder_blocks: residual blocks at these two resolutions.
        bottleneck: ``"gaussian"``, ``"finite"`` or ``"vector"`` (:mod:`mewm.dynamics.autoencoder.bottleneck`).
        bottleneck_options: its further arguments.

    Attributes:
        reach: latent voxels around one that still have a part in its decoded CT.
    """

    latent_mean: torch.Tensor
    latent_std: torch.Tensor

    def __init__(
        self,
        latent_channels: int = 8,
        widths: Sequence[int] = (24, 48),
        encoder_blocks: Sequence[int] = (1, 2),
        decoder_blocks: Sequence[int] = (1, 2),
        bottleneck: str = "gaussian",
        bottleneck_options: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        fine, coarse = widths
        self.latent_channels = latent_channels
        # Each convolution sees one voxel further, those of the finer half at half a latent voxel.
        self.reach = 1 + 2 * decoder_blocks[1] + math.ceil((2 * decoder_blocks[0] + 1) / 2)
        self.bottleneck = make_bottleneck(bottleneck, latent_channels, **(bottleneck_options or {}))
        self.plain_in = nn.Conv3d(8, latent_channels, 1)
        self.plain_out = nn.Conv3d(latent_channels, 8, 1)
        self.encoder = nn.Sequential(
            nn.Conv3d(8, fine, 3, padding=1),
            *(ResidualBlock(fine) for _ in range(encoder_blocks[0])),
            nn.Conv3d(fine, coarse, 2, stride=2),
            *(ResidualBlock(coarse) for _ in range(encoder_blocks[1])),
            nn.SiLU(),
            nn.Conv3d(coarse, self.bottleneck.inputs, 3, padding=1),
        )
        self.decoder_coarse = nn.Sequential(
            nn.Conv3d(latent_channels, coarse, 3, padding=1),
            *(ResidualBlock(coarse) for _ in range(decoder_blocks[1])),
            nn.SiLU(),
            nn.Conv3d(coarse, 8 * fine, 1),
        )
        self.decoder_fine = nn.Sequential(
            *(ResidualBlock(fine) for _ in range(decoder_blocks[0])),
            nn.SiLU(),
            nn.Conv3d(fine, 8, 3, padding=1),
        )
        self.register_buffer("latent_mean", torch.zeros(latent_channels))
        self.register_buffer("latent_std", torch.ones(latent_channels))
        self._begin_plainly()

    def forward(self, x: torch.Tensor, generator: torch.Generator | None = None) -> Coding:
        """Reconstruct volumes (N, 1, D, H, W) in window units, edges multiples of 4, through the bottleneck's noise."""
        latent, penalty = self.bottleneck(self._encode(x), generator)
        return Coding(self._decode(latent), latent, penalty)

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """Return latents of window units, standardised by channel: (N, 1, D, H, W) → (N, C, D/4, H/4, W/4)."""
        latent = self.bottleneck.mode(self._encode(x)).float()
        return (latent - self._channelwise(self.latent_mean)) / self._channelwise(self.latent_std)

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        """Return window units for standardised latents: (N, C, d, h, w) → (N, 1, 4d, 4h, 4w)."""
        raw = latent * self._channelwise(self.latent_std) + self._channelwise(self.latent_mean)
        return self._decode(self.bottleneck.snap(raw)).float()

    @torch.no_grad()
    def standardise(self, mean: torch.Tensor, std: torch.Tensor) -> None:
        """Set mean and spread of each raw latent channel, both (C,), so that :meth:`encode` returns unit variance."""
        self.latent_mean.copy_(mean)
        self.latent_std.copy_(std.clamp_min(1e-6))

    def _encode(self, x: torch.Tensor) -> torch.Tensor:
        blocks = fold(x)
        plain = self.plain_in(fold(blocks.mean(dim=1, keepdim=True)))
        learned = self.encoder(blocks)
        # Further inputs of the bottleneck, such as the spread of its noise, have no plain counterpart.
        return torch.cat([learned[:, : self.latent_channels] + plain, learned[:, self.latent_channels :]], dim=1)

    def _decode(self, latent: torch.Tensor) -> torch.Tensor:
        plain = functional.interpolate(unfold(self.plain_out(latent)), scale_factor=2, mode="trilinear")
        return unfold(self.decoder_fine(unfold(self.decoder_coarse(latent)))) + plain

    @torch.no_grad()
    def _begin_plainly(self) -> None:
        """Set the weights so that only the plain path speaks, with little noise in the latents."""
        pair = torch.tensor([[1.0, 1.0], [1.0, -1.0]]) / 2**0.5
        # Rows by the number of differences they hold, the mean first.
        haar = torch.einsum("ai,bj,ck->abcijk", pair, pair, pair).reshape(8, 8)[[0, 1, 2, 4, 3, 5, 6, 7]]
        # Differences are smaller than means; so scaled, all are of one size in a CT.
        gain = torch.tensor([1.0, 4.0, 4.0, 4.0, 8.0, 8.0, 8.0, 8.0])
        for layer, basis in ((self.plain_in, haar * gain[:, None]), (self.plain_out, haar.T / gain)):
            kept = basis[: layer.out_channels, : layer.in_channels]
            layer.weight.zero_()
            layer.weight[: kept.shape[0], : kept.shape[1], 0, 0, 0] = kept
            nn.init.zeros_(layer.bias)
        for head in (self.encoder[-1], self.decoder_fine[-1]):
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)
        self.encoder[-1].bias[self.latent_channels :] = LOG_VARIANCE

    @staticmethod
    def _channelwise(values: torch.Tensor) -> torch.Tensor:
        return values.view(1, -1, 1, 1, 1)
