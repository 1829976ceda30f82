"""The lesion shrinks or grows and drags its surroundings along, without folding and without a seam."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from mewm.dynamics.space import LesionSpace

# Deformations are computed for sizes in these steps and kept, because a search meets the same ones again and again.
SCALE_STEP = 0.02
# Outside the liver (ribs, wall, lung) tissue follows less.
FOLLOW_OUTSIDE_LIVER = 0.4
# Distance from the lesion at which tissue no longer moves, mm; inside the ROI's feather.
FADE_MM = 10.0
# Largest displacement as a share of that distance. Shrinkage would fold the tissue outside beyond 2/3;
# growth cannot fold it, only squeeze it.
LARGEST_SHRINKAGE = 0.5
LARGEST_GROWTH = 0.9


@dataclass(frozen=True, eq=False)
class Deformation:
    """A deformed box.

    Attributes:
        ct: pre-treatment HU after the deformation, float32.
        source: flat index of the pre-treatment voxel that each voxel of the box now shows.
    """

    ct: np.ndarray
    source: np.ndarray

    def take(self, values: np.ndarray) -> np.ndarray:
        """Return ``values`` (pre-treatment position) in post-treatment position, nearest voxel."""
        return values.ravel()[self.source]


def deformation(space: LesionSpace, scale: float) -> Deformation:
    """Return the deformation to a linear size of ``scale``, rounded to steps of 2 % (cached)."""
    step = round((scale - 1) / SCALE_STEP)
    cache: dict[int, Deformation] = space.cache.setdefault("deformations", {})
    if step not in cache:
        cache[step] = _deform(space, 1 + step * SCALE_STEP)
    return cache[step]


def _deform(space: LesionSpace, scale: float) -> Deformation:
    shape = space.lesion.shape
    if scale == 1:
        return Deformation(space.ct, np.arange(space.lesion.size).reshape(shape))
    centre = np.argwhere(space.lesion).mean(0)
    grid = np.indices(shape, dtype=np.float32)
    offset = grid - centre.astype(np.float32)[:, None, None, None]
    # Pull-back: a voxel of the shrunken lesion shows what lay further out. Beyond the new surface it fades.
    pull = 1 / scale - 1
    radius = np.sqrt((offset**2).sum(0)) * space.spacing
    largest = abs(pull) * float(radius[space.lesion].max())
    limit = FADE_MM * (LARGEST_SHRINKAGE if scale < 1 else LARGEST_GROWTH)
    pull *= min(1.0, limit / max(largest, 1e-6))
    outside = np.clip(space.distance / FADE_MM, 0, 1)
    weight = 1 - outside**2 * (3 - 2 * outside)
    liver = ndimage.gaussian_filter((space.liver | space.lesion).astype(np.float32), 3.0 / space.spacing)
    weight *= FOLLOW_OUTSIDE_LIVER + (1 - FOLLOW_OUTSIDE_LIVER) * liver
    weight *= space.gate
    where = grid + offset * (pull * weight)
    moved = (np.abs(offset * (pull * weight)).max(0) > 0.01) & space.inside
    ct = space.ct.copy()
    ct[moved] = ndimage.map_coordinates(
        _continued(space), where[:, moved], order=space.spline, mode="nearest", output=np.float32
    )
    nearest = [np.clip(np.rint(w), 0, n - 1).astype(np.int32) for w, n in zip(where, shape, strict=True)]
    return Deformation(ct, np.ravel_multi_index(tuple(nearest), shape).astype(np.int32))


def _continued(space: LesionSpace) -> np.ndarray:
    """The CT continued beyond the scan with its nearest voxels, so that no air is drawn into the patient."""
    if space.inside.all():
        return space.ct
    nearest = ndimage.distance_transform_edt(~space.inside, return_distances=False, return_indices=True)
    return space.ct[tuple(nearest)]
