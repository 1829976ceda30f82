"""What the network sees of a case: a cube around the lesion, the same in every CT of it, at a few voxels a side.

Channels: attenuation of soft tissue, attenuation up to dense oil, the lesion as drawn before treatment, viable tumour,
necrosis, lipiodol. The last three are the assistant's labels of the CT after treatment and 0 before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from mewm.roi import GRID, Roi
from mewm.roles import Tissue
from mewm.voxels import tight_box

LABELS = (Tissue.VIABLE, Tissue.NECROSIS, Tissue.LIPIODOL)
"""Labels of the last channels, in their order."""
_SHARE = 255
# Middle and half width of the two windows, HU.
_SOFT_TISSUE, _OIL = (75.0, 150.0), (400.0, 400.0)


@dataclass(frozen=True)
class RegionSettings:
    """Size of a region.

    Attributes:
        shape: voxels along (z, y, x).
        margin_mm: of the cube around the lesion.
    """

    shape: tuple[int, int, int] = (24, 40, 40)
    margin_mm: float = 10.0


@dataclass(frozen=True, eq=False)
class CaseRegion:
    """The region of a case.

    Attributes:
        box: the cube on the model grid.
        ct: before treatment, HU, int16, of the settings' shape.
        lesion: share of the drawn lesion in each voxel, uint8 (255 is all of it).
    """

    box: tuple[slice, ...]
    ct: np.ndarray
    lesion: np.ndarray


def case_region(roi: Roi, settings: RegionSettings) -> CaseRegion:
    """Return the cube around the lesion of a case, moved inwards where it would leave the model grid."""
    lesion = tight_box(roi.lesion, pad=0)
    extent = max(part.stop - part.start for part in lesion)
    edge = min(GRID, extent + 2 * int(np.ceil(settings.margin_mm / roi.spacing)))
    starts = [int(np.clip((part.start + part.stop - edge) // 2, 0, GRID - edge)) for part in lesion]
    box = tuple(slice(start, start + edge) for start in starts)
    return CaseRegion(box, _sampled(roi.ct[box], settings.shape), _share(roi.lesion[box], settings.shape))


def future_region(
    region: CaseRegion, ct: np.ndarray, tissue: np.ndarray, settings: RegionSettings
) -> tuple[np.ndarray, np.ndarray]:
    """Return a CT after treatment in the region of its case, int16 HU, and the shares of :data:`LABELS`, uint8.

    Args:
        region: of the case.
        ct: HU, (96, 96, 96).
        tissue: its labels, uint8, same shape.
        settings: those of ``region``.
    """
    labels = tissue[region.box]
    shares = np.stack([_share(labels == label, settings.shape) for label in LABELS])
    return _sampled(ct[region.box], settings.shape), shares


def network_input(ct: Sequence[np.ndarray], lesion: np.ndarray, labels: np.ndarray) -> torch.Tensor:
    """Return the regions before and after treatment as the network reads them, (2, 6, d, h, w) float32.

    Args:
        ct: before and after treatment, HU, (d, h, w) each.
        lesion: share of the drawn lesion, uint8, (d, h, w).
        labels: shares of :data:`LABELS` after treatment, uint8, (3, d, h, w).
    """
    values = torch.from_numpy(np.stack(ct).astype(np.float32))
    soft, oil = (((values - middle) / half).clamp(-1.5, 1.5) for middle, half in (_SOFT_TISSUE, _OIL))
    drawn = torch.from_numpy(np.ascontiguousarray(lesion)).float() / _SHARE
    after = torch.from_numpy(np.ascontiguousarray(labels)).float() / _SHARE
    seen = torch.stack([torch.zeros_like(after), after])
    return torch.cat([soft[:, None], oil[:, None], drawn.expand(2, 1, *drawn.shape), seen], dim=1)


def _sampled(ct: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    return np.rint(_mean(ct, shape)).astype(np.int16)


def _share(mask: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    return np.rint(_mean(mask, shape) * _SHARE).astype(np.uint8)


def _mean(values: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """Return means over the parts of a grid of that shape; a part narrower than a voxel takes that voxel's value."""
    whole = torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))[None, None]
    return functional.adaptive_avg_pool3d(whole, tuple(shape))[0, 0].numpy()
