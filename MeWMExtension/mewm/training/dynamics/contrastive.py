"""Combo Contrastive Learning, equation (3) of arXiv 2506.02327.

A future x̂ is pulled towards the future x̂⁺ of another case under the same drugs and embolics and pushed away from the
future x̂⁻ of the same case under other ones. Futures are the denoiser's own estimates at the time that is being
trained, because a whole sampling a step would cost as much as the rest of the training.
"""

from __future__ import annotations

import torch
from torch.nn import functional

from mewm.dynamics.diffusion.lesion_statistics import lesion_statistics

VIEWS = ("lesion", "volume")


def combo_loss(
    anchor: torch.Tensor,
    positive: torch.Tensor,
    negative: torch.Tensor,
    has_positive: torch.Tensor,
    temperature: float,
    *,
    decoupled: bool = False,
) -> torch.Tensor:
    """Return the mean contrastive loss, a scalar; 0 where no anchor has a positive.

    Args:
        anchor, positive, negative: (N, F) features of the futures (:func:`future_features`).
        has_positive: (N,) bool, whether another case with the same agents was found.
        temperature: δ.
        decoupled: only the negatives in the denominator, as equation (3) reads; else the positive too (InfoNCE), which
            stays bounded.
    """
    attract = functional.cosine_similarity(anchor, positive, dim=1) / temperature
    repel = functional.cosine_similarity(anchor, negative, dim=1) / temperature
    losses = repel - attract if decoupled else functional.softplus(repel - attract)
    weight = has_positive.float()
    return (losses * weight).sum() / weight.sum().clamp_min(1.0)


def future_features(change: torch.Tensor, lesion: torch.Tensor, view: str = "lesion") -> torch.Tensor:
    """Return what a future looks like, comparable between lesions of any shape, (N, F).

    Args:
        change: (N, C, d, h, w) post minus pre latents.
        lesion: (N, 1, d, h, w) share of each latent voxel that is lesion.
        view: ``"lesion"``: mean and spread of each channel over core and rim of the lesion, F = 4 C; ``"volume"``: all
            numbers as they lie, which compares anatomy too (the paper's published code).
    """
    if view == "volume":
        return change.flatten(1)
    return lesion_statistics(change, lesion)
