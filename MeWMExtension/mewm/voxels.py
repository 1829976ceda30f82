"""Small tools on 3D boolean arrays that the models call thousands of times in a search."""

from __future__ import annotations

import numpy as np
from scipy import ndimage


def tight_box(mask: np.ndarray, pad: int = 0) -> tuple[slice, slice, slice]:
    """Return the smallest box that holds ``mask``, widened by ``pad`` voxels within the array.

    An empty mask gives an empty box.
    """
    box = []
    for axis in range(3):
        used = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis)))
        if not used.size:
            return slice(0, 0), slice(0, 0), slice(0, 0)
        box.append(slice(max(int(used[0]) - pad, 0), min(int(used[-1]) + 1 + pad, mask.shape[axis])))
    return box[0], box[1], box[2]


def grow(mask: np.ndarray) -> np.ndarray:
    """Return ``mask`` with its six-neighbourhood; slices instead of scipy's dilation, ten times as fast."""
    grown = mask.copy()
    for axis in range(3):
        to, source = np.moveaxis(grown, axis, 0), np.moveaxis(mask, axis, 0)
        to[1:] |= source[:-1]
        to[:-1] |= source[1:]
    return grown


def close_gaps(mask: np.ndarray) -> np.ndarray:
    """Return the morphological closing of ``mask`` by the six-neighbourhood; the array's rim stays open."""
    return mask | ~grow(~grow(mask))


def opened(mask: np.ndarray, steps: int) -> np.ndarray:
    """Return the morphological opening of ``mask`` by at least one step, ``steps`` times the six-neighbourhood."""
    steps = max(steps, 1)
    for _ in range(steps):
        mask = ~grow(~mask)
    for _ in range(steps):
        mask = grow(mask)
    return mask


def drop_islands(mask: np.ndarray, smallest: float) -> np.ndarray:
    """Return ``mask`` without six-connected parts of fewer than ``smallest`` voxels."""
    box = tight_box(mask)
    parts, count = ndimage.label(mask[box])
    if not count:
        return mask
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    kept = np.zeros_like(mask)
    kept[box] = (sizes >= smallest)[parts]
    return kept


def connected_to(mask: np.ndarray, seed: np.ndarray) -> np.ndarray:
    """Return the six-connected parts of ``mask`` that touch ``seed``."""
    box = tight_box(mask)
    parts, count = ndimage.label(mask[box])
    if count < 2:
        return mask
    touched = np.bincount(parts[seed[box] & mask[box]], minlength=count + 1) > 0
    touched[0] = False
    kept = np.zeros_like(mask)
    kept[box] = touched[parts]
    return kept
