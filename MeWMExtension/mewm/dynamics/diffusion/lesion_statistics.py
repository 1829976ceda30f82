"""A volume of latents seen through a lesion: a few numbers that lesions of any shape have in common."""

from __future__ import annotations

import torch
from torch.nn import functional

PER_CHANNEL = 4
"""Numbers a channel: mean and spread over the core, then over the rim."""


def lesion_statistics(volume: torch.Tensor, lesion: torch.Tensor) -> torch.Tensor:
    """Return mean and spread of each channel over core and rim of the lesion, (N, 4 C).

    Args:
        volume: (N, C, d, h, w) latents, or a change of them.
        lesion: (N, 1, d, h, w) share of each latent voxel that is lesion.
    """
    parts = []
    inner = functional.avg_pool3d(lesion, 3, stride=1, padding=1)
    for weight in (lesion * inner, lesion * (1 - inner)):
        total = weight.sum(dim=(2, 3, 4)).clamp_min(1e-3)
        mean = (volume * weight).sum(dim=(2, 3, 4)) / total
        square = (volume.square() * weight).sum(dim=(2, 3, 4)) / total
        parts += [mean, (square - mean.square()).clamp_min(1e-6).sqrt()]
    return torch.cat(parts, dim=1)
