"""Correlated random fields on a grid: tissue texture, surface ripple and the noise of a CT scanner."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy import fft, ndimage, sparse


def smooth_field(rng: np.random.Generator, shape: tuple[int, int, int], correlation: float) -> np.ndarray:
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


def scanner_noise(
    rng: np.random.Generator, shape: tuple[int, int, int], spacing: float, sd: float, slice_mm: float
) -> np.ndarray:
    """Return CT noise with the spectrum of filtered back projection, float32 HU.

    In the axial plane the power rises with frequency like the reconstruction's ramp and falls with the
    soft-tissue kernel; along z the slice thickness correlates neighbours. The spectrum's shape follows
    Riederer et al., Phys Med Biol 1978 23:446, doi 10.1088/0031-9155/23/3/008.

    Args:
        rng: source of randomness.
        shape: voxels, (z, y, x).
        spacing: edge of a voxel in mm.
        sd: standard deviation on a 1 mm grid in HU; coarser voxels average some of it away.
        slice_mm: slice thickness in mm.
    """
    nz, ny, nx = shape
    fz = fft.fftfreq(nz, spacing).astype(np.float32)[:, None, None]
    fy = fft.fftfreq(ny, spacing).astype(np.float32)[None, :, None]
    fx = fft.rfftfreq(nx, spacing).astype(np.float32)[None, None, :]
    f2 = fx**2 + fy**2
    plane = np.sqrt((0.1 + np.sqrt(f2)) * np.exp(-f2 / 0.4**2))
    along = np.exp(-2 * (np.pi * blur_sigma(slice_mm) * fz) ** 2)
    white = fft.rfftn(rng.standard_normal(shape, dtype=np.float32))
    noise = fft.irfftn(white * (plane * along), s=shape)
    return noise * np.float32(sd * spacing**-0.6 / noise.std())


def blur_sigma(slice_mm: float) -> float:
    """Standard deviation in mm of a box of width ``slice_mm``, the scanner's sensitivity along z."""
    return slice_mm / np.sqrt(12)


def scanner_blur(ct: np.ndarray, spacing: float, slice_mm: float, plane_mm: float = 0.6) -> np.ndarray:
    """Blur a CT ``(z, y, x)`` by the scanner's point spread, Gaussian of ``plane_mm`` in the axial plane."""
    sigma = (blur_sigma(slice_mm) / spacing, plane_mm / spacing, plane_mm / spacing)
    return ndimage.gaussian_filter(ct, sigma, mode="nearest", truncate=3.0)
