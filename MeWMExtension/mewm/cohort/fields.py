"""The scanner: its noise and its point spread."""

from __future__ import annotations

import numpy as np
from scipy import fft, ndimage

PLANE_MM = 0.6
"""Point spread of the scanner in the axial plane, standard deviation of a Gaussian in mm: assumption."""


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


def scanner_blur(ct: np.ndarray, spacing: float, slice_mm: float, plane_mm: float = PLANE_MM) -> np.ndarray:
    """Blur a CT ``(z, y, x)`` by the scanner's point spread, Gaussian of ``plane_mm`` in the axial plane."""
    sigma = (blur_sigma(slice_mm) / spacing, plane_mm / spacing, plane_mm / spacing)
    return ndimage.gaussian_filter(ct, sigma, mode="nearest", truncate=3.0)
