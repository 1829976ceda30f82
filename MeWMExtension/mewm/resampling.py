"""Resampling between a scan's grid, of any orientation, and the model grid along LPS."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

IDENTITY = sitk.Transform(3, sitk.sitkIdentity)
_FACE = 1e-6
"""Share of a voxel by which a point on the very face of the scan is outside, on every side alike."""


def sample_smoothly(image: sitk.Image, grid: sitk.Image, outside: float) -> np.ndarray:
    """Sample an image on an isotropic grid along LPS, float32, smoothed first where its voxels are finer.

    Args:
        image: any orientation; read linearly.
        grid: gives size, spacing and origin.
        outside: value beyond the image.
    """
    spacing = grid.GetSpacing()[0]
    region = index_box(image, box_corners(grid), margin=4.0 * spacing)
    if region is None:
        return np.full(grid.GetSize()[::-1], outside, np.float32)
    start, size = region
    part = sitk.Cast(sitk.RegionOfInterest(image, size, start), sitk.sitkFloat32)
    # A Gaussian whose full width at half maximum turns the scan's voxel into the grid's (Cardoso et al.
    # 2015).
    fwhm = np.sqrt(np.maximum(spacing**2 - np.array(part.GetSpacing()) ** 2, 0.0))
    sigma = fwhm / (2.0 * np.sqrt(2.0 * np.log(2.0))) / np.array(part.GetSpacing())
    if sigma.max() > 0.1:
        smooth = sitk.GetImageFromArray(
            ndimage.gaussian_filter(sitk.GetArrayViewFromImage(part), sigma[::-1], mode="nearest")
        )
        smooth.CopyInformation(part)
        part = smooth
    return sitk.GetArrayFromImage(sitk.Resample(part, grid, IDENTITY, sitk.sitkLinear, outside))


def inside_scan(image: sitk.Image, grid: sitk.Image) -> np.ndarray:
    """Return which voxels of a grid along LPS have their centre within the voxels of an image, bool."""
    matrix = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    inverse = np.linalg.inv(matrix)
    ticks = [o + s * np.arange(n) for o, s, n in zip(grid.GetOrigin(), grid.GetSpacing(), grid.GetSize(), strict=True)]
    z, y, x = np.meshgrid(*ticks[::-1], indexing="ij", sparse=True)
    origin, size = image.GetOrigin(), image.GetSize()
    inside = np.ones(grid.GetSize()[::-1], bool)
    for row, n in zip(inverse, size, strict=True):
        index = row[0] * (x - origin[0]) + row[1] * (y - origin[1]) + row[2] * (z - origin[2])
        inside &= (index > -0.5 + _FACE) & (index < n - 0.5 - _FACE)
    return inside


def box_corners(grid: sitk.Image) -> np.ndarray:
    """Return the LPS positions in mm of the centres of the corner voxels of a grid along LPS, ``(8, 3)``."""
    low = np.array(grid.GetOrigin())
    high = low + (np.array(grid.GetSize()) - 1) * np.array(grid.GetSpacing())
    return np.array([[c[i] for i, c in zip(k, zip(low, high, strict=True), strict=True)] for k in np.ndindex(2, 2, 2)])


def index_box(image: sitk.Image, points: np.ndarray, margin: float) -> tuple[list[int], list[int]] | None:
    """Return start and size of the image's box that encloses points with ``margin`` mm, ``None`` if empty.

    Args:
        image: any orientation.
        points: LPS positions in mm, ``(n, 3)``.
        margin: mm.
    """
    spacing = np.array(image.GetSpacing())
    matrix = np.array(image.GetDirection()).reshape(3, 3) * spacing
    index = (points - np.array(image.GetOrigin())) @ np.linalg.inv(matrix).T
    start = np.maximum(np.floor(index.min(axis=0) - margin / spacing).astype(int) - 1, 0)
    stop = np.minimum(np.ceil(index.max(axis=0) + margin / spacing).astype(int) + 2, image.GetSize())
    if (stop <= start).any():
        return None
    return start.tolist(), (stop - start).tolist()


def sample(image: sitk.Image, reference: sitk.Image) -> np.ndarray:
    """Sample an image linearly at the voxels of a reference; 0 beyond the image."""
    return sitk.GetArrayFromImage(sitk.Resample(image, reference, IDENTITY, sitk.sitkLinear, 0.0))


def mean_sample(image: sitk.Image, reference: sitk.Image, spacing: float) -> np.ndarray:
    """Sample linearly and average over each reference voxel where it is larger than ``spacing``."""
    parts = [max(1, round(s / spacing)) for s in reference.GetSpacing()]
    fine_spacing = [s / k for s, k in zip(reference.GetSpacing(), parts, strict=True)]
    fine = sitk.Image([n * k for n, k in zip(reference.GetSize(), parts, strict=True)], sitk.sitkUInt8)
    first = [(1.0 - k) / (2.0 * k) for k in parts]
    fine.SetSpacing(fine_spacing)
    fine.SetDirection(reference.GetDirection())
    fine.SetOrigin(reference.TransformContinuousIndexToPhysicalPoint(first))
    (i, j, k), (x, y, z) = parts, reference.GetSize()
    return sample(image, fine).reshape(z, k, y, j, x, i).mean(axis=(1, 3, 5), dtype=np.float32)


def paste_patch(image: sitk.Image, patch: np.ndarray, start: list[int]) -> sitk.Image:
    """Return a copy of an image with a patch of the same pixel type set at an index."""
    source = sitk.GetImageFromArray(patch)
    out = sitk.Paste(image, source, source.GetSize(), [0, 0, 0], start)
    out.CopyInformation(image)
    for key in image.GetMetaDataKeys():
        out.SetMetaData(key, image.GetMetaData(key))
    return out
