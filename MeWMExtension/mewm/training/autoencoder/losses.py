"""What makes a reconstruction good: close in HU, alike in structure, and not to be told from a CT."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from scipy import ndimage
from torch import nn
from torch.nn import functional

from mewm.dynamics.autoencoder.network import Autoencoder, to_window
from mewm.training.autoencoder.config import LossWeights
from mewm.training.learner import Step, frozen

# As in mewm.evaluation.feature_networks, where the reason stands.
_CONTRAST = 0.02


class FilterBankDistance(nn.Module):
    """The evaluation's LPIPS-like distance (:class:`mewm.evaluation.feature_networks.FilterBank`) with gradients.

    The predecessors' perceptual networks are pretrained on photographs and downloaded at first use; these filters need
    neither and are the same everywhere.

    Args:
        scales: standard deviations in voxels.
        slices: slices of each volume compared at a time.
    """

    def __init__(self, scales: tuple[float, ...] = (1.0, 2.0), slices: int = 8) -> None:
        super().__init__()
        self.slices = slices
        for number, sigma in enumerate(scales):
            self.register_buffer(f"bank_{number}", torch.from_numpy(_bank(sigma)), persistent=False)

    def forward(
        self, first: torch.Tensor, second: torch.Tensor, generator: torch.Generator | None = None
    ) -> torch.Tensor:
        """Return the mean distance of slices along a random axis; both (N, 1, D, H, W) in window units."""
        pick = torch.randint(3, (1,), generator=generator, device=first.device)
        axis = 2 + int(pick)
        at = torch.randperm(first.shape[axis], generator=generator, device=first.device)[: self.slices]
        return self.distance(*(_slices(x, axis, at) for x in (first, second)))

    def distance(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """Return the mean distance of pairs of slices, both (n, 1, height, width) in [0, 1]."""
        total = first.new_zeros(())
        for bank in self.buffers():
            total = total + (_unit(_maps(first, bank)) - _unit(_maps(second, bank))).square().sum(dim=1).mean()
        return total


def generator_loss(network: Autoencoder, weights: LossWeights, discriminator: nn.Module | None, start: int) -> Any:
    """Return the autoencoder's loss: differences, perceptual distance, bottleneck, and the discriminator's verdict."""
    perceptual = FilterBankDistance().to(next(network.parameters()).device)

    def loss(batch: Mapping[str, Any], step: Step) -> dict[str, torch.Tensor]:
        true = to_window(batch["ct"])
        coding = network(true, step.generator)
        made = coding.reconstruction.float()
        difference = made - true
        terms = {
            "absolute": difference.abs().mean(),
            "squared": difference.square().mean(),
            "perceptual": perceptual(made, true, step.generator) if weights.perceptual else made.new_zeros(()),
            "bottleneck": coding.penalty,
        }
        step.shared.update(true=true, made=made.detach())
        if discriminator is not None and step.number >= start:
            with frozen(discriminator):
                terms["adversarial"] = (discriminator(made)[-1] - 1.0).square().mean()
        total = sum((getattr(weights, name) * value for name, value in terms.items()), made.new_zeros(()))
        # What a denoiser will meet: the spread of a latent channel over the batch, which collapses silently.
        spread = coding.latent.detach().float().std(dim=(0, 2, 3, 4))
        return {"loss": total, **terms, "spread_lowest": spread.min(), "spread": spread.mean()}

    return loss


def discriminator_loss(discriminator: nn.Module) -> Any:
    """Return the least-squares loss of the discriminator on what the autoencoder has just made (arXiv 1611.04076)."""

    def loss(batch: Mapping[str, Any], step: Step) -> dict[str, torch.Tensor]:
        real, made = discriminator(step.shared["true"])[-1], discriminator(step.shared["made"])[-1]
        return {
            "loss": 0.5 * ((real - 1.0).square().mean() + made.square().mean()),
            "real": real.mean(),
            "made": made.mean(),
        }

    return loss


def make_discriminator(**options: Any) -> nn.Module:
    """Return MONAI's 3D patch discriminator; instance and not batch normalisation, so that processes agree."""
    from monai.networks.nets import PatchDiscriminator

    return PatchDiscriminator(spatial_dims=3, in_channels=1, out_channels=1, norm="INSTANCE", **options)


def _slices(x: torch.Tensor, axis: int, at: torch.Tensor) -> torch.Tensor:
    chosen = x.index_select(axis, at).movedim(axis, 1).flatten(0, 1)
    return (chosen + 1.0) / 2.0


def _maps(x: torch.Tensor, bank: torch.Tensor) -> torch.Tensor:
    """Return the eight channels of the evaluation's filter bank, (n, 8, height, width)."""
    reach = bank.shape[-1] // 2
    found = functional.conv2d(functional.pad(x, [reach] * 4, mode="replicate"), bank)
    return torch.cat([found[:, :1], found[:, 1:5].abs(), found[:, 5:]], dim=1)


def _unit(maps: torch.Tensor) -> torch.Tensor:
    # A root of zero has no gradient.
    return maps / ((maps.square().sum(dim=1, keepdim=True) + 1e-12).sqrt() + _CONTRAST)


def _bank(sigma: float) -> np.ndarray:
    """Return smoothing, four first and three second directional derivatives as kernels, (8, 1, k, k) float32."""
    reach = int(4.0 * sigma + 0.5)
    impulse = np.zeros((2 * reach + 1,) * 2)
    impulse[reach, reach] = 1.0

    def derive(dy: int, dx: int) -> np.ndarray:
        # Correlation with the mirrored impulse response is what filtering does.
        kernel = ndimage.gaussian_filter(impulse, sigma, order=(dy, dx), mode="constant")
        return kernel[::-1, ::-1] * sigma ** (dy + dx)

    y, x, yy, xy, xx = derive(1, 0), derive(0, 1), derive(2, 0), derive(1, 1), derive(0, 2)
    first = [np.cos(a) * x + np.sin(a) * y for a in np.pi * np.arange(4) / 4]
    second = [
        np.cos(a) ** 2 * xx + 2 * np.cos(a) * np.sin(a) * xy + np.sin(a) ** 2 * yy for a in np.pi * np.arange(3) / 3
    ]
    return np.stack([derive(0, 0), *first, *second])[:, None].astype(np.float32)
