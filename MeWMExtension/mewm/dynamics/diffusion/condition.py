"""A case as the denoiser sees it: latents with and without the lesion, mask and size, on the latent grid."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
import torch
from torch.nn import functional

from mewm.dynamics.autoencoder.network import REDUCTION, WINDOW_HU
from mewm.dynamics.diffusion.model import CaseConditions
from mewm.roi import Roi

FILL_HU = 0.5 * sum(WINDOW_HU)
"""What stands where the lesion was taken out: 0 in window units, as a mask times the windowed CT gives."""


class Codec(Protocol):
    """What the dynamics needs of an autoencoder (:class:`mewm.dynamics.autoencoder.codec.CtAutoencoder`)."""

    device: torch.device
    channels: int
    sha256: str

    def encode(self, ct_hu: torch.Tensor) -> torch.Tensor:
        """(N, 1, D, H, W) HU → (N, C, D/4, H/4, W/4) latents."""
        ...

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """(N, C, d, h, w) latents → (N, 1, 4d, 4h, 4w) HU."""
        ...


def without_lesion(ct_hu: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return m′ ⊙ x: the CT with the masked part taken out.

    Args:
        ct_hu: (N, 1, D, H, W) HU.
        mask: same shape, 0 to 1; soft where it was attenuated.
    """
    low, high = WINDOW_HU
    return torch.lerp(ct_hu.clamp(low, high), torch.full_like(ct_hu, FILL_HU), mask)


def case_numbers(roi: Roi) -> tuple[float, float]:
    """Return what scale the latents hide: log of the voxel's edge and of the lesion's volume, of about unit size."""
    volume = np.count_nonzero(roi.lesion) * roi.spacing**3 / 1000
    return 3.0 * math.log(roi.spacing), 0.5 * (math.log(max(volume, 0.01)) - 3.0)


def lesion_and_gate(roi: Roi) -> tuple[torch.Tensor, torch.Tensor]:
    """Return lesion and gate of :class:`CaseConditions`, each (1, 1, 24, 24, 24)."""
    lesion = torch.from_numpy(roi.lesion.astype(np.float32))[None, None]
    # The mean says whether any voxel of the patch can change.
    gate = functional.avg_pool3d(torch.from_numpy(np.ascontiguousarray(roi.feather, np.float32))[None, None], REDUCTION)
    return functional.avg_pool3d(lesion, REDUCTION), (gate > 0).float()


def case_conditions(roi: Roi, codec: Codec) -> CaseConditions:
    """Return the conditions of one case, on the autoencoder's device."""
    ct = torch.from_numpy(np.ascontiguousarray(roi.ct, np.float32))[None, None]
    mask = torch.from_numpy(roi.lesion.astype(np.float32))[None, None]
    latents = codec.encode(torch.cat([ct, without_lesion(ct, mask)]))
    lesion, gate = (part.to(latents.device) for part in lesion_and_gate(roi))
    numbers = torch.tensor([case_numbers(roi)], device=latents.device)
    return CaseConditions(latents[:1], latents[1:], lesion, gate, numbers)
