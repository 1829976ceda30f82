"""Gaussian random fields on a grid: tissue texture, surface ripple, feeding territories, clusters of oil."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy import sparse


def smooth_field(rng: np.random.Generator, shape: tuple[int, ...], correlation: float) -> np.ndarray:
    """Return a Gaussian random field of zero mean and unit variance, float32.

    White noise on a coarse lattice is spread by a Gaussian kernel, one axis at a time.

    Args:
        rng: source of randomness.
        shape: voxels, (z, y, x).
        correlation: standard deviation of the kernel in voxels.
    """
    sigma = max(float(correlation), 0.5)
    step = max(sigma / 0.8, 1.0)
    field = rng.standard_normal([int(n / step) + 7 for n in shape], dtype=np.float32)
    for n in shape:
        # Each pass spreads the first axis and moves it to the end, so three passes restore the order.
        spread = _spreading(n, field.shape[0], step, sigma)
        flat = spread @ field.reshape(field.shape[0], -1)
        field = np.moveaxis(flat.reshape(n, *field.shape[1:]), 0, -1)
    return np.ascontiguousarray((field - field.mean()) / (field.std() + np.float32(1e-6)))


@lru_cache(maxsize=64)
def _spreading(voxels: int, nodes: int, step: float, sigma: float) -> sparse.csr_array:
    """Matrix from lattice nodes ``step`` voxels apart to voxels, a Gaussian cut at three ``sigma``.

    Sparse, because dense products would start a thread a core in every process that simulates cases.
    """
    away = (np.arange(voxels)[:, None] - (np.arange(nodes) - 3) * step) / sigma
    return sparse.csr_array(np.where(np.abs(away) < 3, np.exp(-0.5 * away**2), 0).astype(np.float32))
