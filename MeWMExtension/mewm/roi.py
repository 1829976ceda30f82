"""The model grid: 96³ isotropic voxels around the target lesion, cut out of a case and pasted back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from mewm.clinical import ClinicalFacts
from mewm.errors import InputError
from mewm.liver_estimate import estimate_liver
from mewm.masks import bounding_box, voxel_volume_mm3
from mewm.resampling import (
    IDENTITY,
    box_corners,
    index_box,
    inside_scan,
    mean_sample,
    paste_patch,
    sample,
    sample_smoothly,
)
from mewm.voxels import tight_box

if TYPE_CHECKING:
    from mewm.case import Case

GRID = 96
"""Voxels along every edge of the model grid."""
FINEST_MM = 1.0
COARSEST_MM = 2.0
"""Finest and coarsest voxel edge of the model grid."""
FEATHER_FULL_MM = 6.0
"""Up to this distance from the lesion a change counts fully: room for swelling and oil beside it."""
FEATHER_END_MM = 12.0
"""From this distance on the scan stays as it is."""
MARGIN_MM = 14.0
"""Room on each side of the lesion: the feather and a voxel of the coarsest grid."""
AIR_HU = -1000.0
LOWEST_HU = -1024.0
"""Scanners pad with values far below air; on the model grid they are air."""


@dataclass(frozen=True, eq=False)
class Roi:
    """The target lesion and its surroundings on the model grid.

    Arrays are ``(96, 96, 96)`` in ``(z, y, x)`` order; x runs to the patient's left, y to posterior, z to
    superior (LPS), whatever the orientation of the scan.

    Attributes:
        ct: Hounsfield units, float32.
        lesion: target lesion, bool.
        liver: liver including the lesion, bool; estimated around the lesion when the case has no liver mask.
        inside: voxels that lie inside the scan, bool; outside it ``ct`` is air.
        feather: blending weight for pasting back, float32 in [0, 1]; 1 on the lesion, 0 at the rim.
        spacing: edge of a voxel in mm, between 1 and 2.
        origin: LPS coordinates in mm of the centre of voxel ``[0, 0, 0]``, in (x, y, z) order.
        facts: clinical facts of the case.
    """

    ct: np.ndarray
    lesion: np.ndarray
    liver: np.ndarray
    inside: np.ndarray
    feather: np.ndarray
    spacing: float
    origin: tuple[float, float, float]
    facts: ClinicalFacts


def cut_roi(case: Case) -> Roi:
    """Cut the model grid around the target lesion out of a case.

    The grid's axes are LPS whatever the orientation of the scan. Its voxels measure 1 mm where the lesion
    with 14 mm on each side fits into 96 of them, and just as much more as it needs where it does not, up to 2
    mm.

    Raises:
        InputError: the lesion is too large for the coarsest grid.
    """
    low, high = lesion_extent(case.lesion)
    extent = float((high - low).max())
    limit = GRID * COARSEST_MM - 2 * MARGIN_MM
    if extent > limit:
        raise InputError(
            f"The target lesion measures {' × '.join(f'{e:.0f}' for e in high - low)} mm, more than the "
            f"{limit:.0f} mm that fit the model grid; choose a smaller part as the target or check the mask."
        )
    spacing = float(np.clip((extent + 2 * MARGIN_MM) / GRID, FINEST_MM, COARSEST_MM))
    origin = (low + high) / 2 - spacing * (GRID - 1) / 2
    grid = _grid(spacing, origin)

    inside = inside_scan(case.ct, grid)
    ct = np.maximum(sample_smoothly(case.ct, grid, outside=AIR_HU), LOWEST_HU).astype(np.float32)
    ct[~inside] = AIR_HU
    lesion = _lesion_on_grid(case.lesion, grid)
    if case.liver is None:
        liver = estimate_liver(ct, lesion, inside, spacing)
    else:
        liver = (sample_smoothly(case.liver, grid, outside=0.0) >= 0.5) | lesion
    return Roi(
        ct=ct,
        lesion=lesion,
        liver=liver,
        inside=inside,
        feather=feather(lesion, spacing),
        spacing=spacing,
        origin=(float(origin[0]), float(origin[1]), float(origin[2])),
        facts=case.facts,
    )


def lesion_extent(lesion: sitk.Image) -> tuple[np.ndarray, np.ndarray]:
    """Return the smallest and largest LPS coordinates of a mask's voxels in mm, faces included."""
    mask = sitk.GetArrayViewFromImage(lesion)
    box = bounding_box(mask)
    index = (np.argwhere(mask[box]) + [s.start for s in box])[:, ::-1]
    matrix = np.array(lesion.GetDirection()).reshape(3, 3) * np.array(lesion.GetSpacing())
    centres = index @ matrix.T + np.array(lesion.GetOrigin())
    half = np.abs(matrix).sum(axis=1) / 2
    return centres.min(axis=0) - half, centres.max(axis=0) + half


def feather(lesion: np.ndarray, spacing: float) -> np.ndarray:
    """Return the blending weight around a lesion: 1 up to 6 mm from it, smoothly to 0 at 12 mm, float32."""
    # Further out the weight is 0; the box keeps the distance transform small.
    box = tight_box(lesion, pad=int(FEATHER_END_MM / spacing) + 1)
    distance = ndimage.distance_transform_edt(~lesion[box], sampling=spacing)
    x = np.clip((FEATHER_END_MM - distance) / (FEATHER_END_MM - FEATHER_FULL_MM), 0.0, 1.0)
    weight = np.zeros(lesion.shape, np.float32)
    weight[box] = x * x * (3.0 - 2.0 * x)
    # Beyond the grid nothing is known about the change, so it has to fade out before.
    for axis in range(3):
        np.moveaxis(weight, axis, 0)[[0, -1]] = 0.0
    return weight


def grid_image(roi: Roi, array: np.ndarray) -> sitk.Image:
    """Return an array on the model grid as an image with its place in LPS; bool becomes uint8."""
    image = sitk.GetImageFromArray(array.astype(np.uint8) if array.dtype == bool else array)
    image.SetSpacing([roi.spacing] * 3)
    image.SetOrigin(roi.origin)
    return image


def paste_ct(case: Case, roi: Roi, post_ct: np.ndarray) -> sitk.Image:
    """Bring a simulated CT back onto the scan's own grid.

    The change ``post_ct - roi.ct``, weighted by the feather, is added to the scan, so that its noise and
    resolution stay. A voxel larger than the model grid's takes the mean of the change over its volume.

    Args:
        case: where ``roi`` was cut from.
        roi: the model grid.
        post_ct: ``(96, 96, 96)`` Hounsfield units.

    Returns:
        An image with the header and pixel type of ``case.ct``; where the feather is 0 every voxel is
        bit-identical. Integer types are rounded and clipped to their range.
    """
    found = ct_patch(case, roi, post_ct)
    if found is None:
        return sitk.Image(case.ct)
    patch, start = found
    return paste_patch(case.ct, sitk.GetArrayFromImage(patch), start)


def ct_patch(case: Case, roi: Roi, post_ct: np.ndarray) -> tuple[sitk.Image, list[int]] | None:
    """Return the part of the scan that a simulated CT can change, as it is after the change.

    Args:
        case: where ``roi`` was cut from.
        roi: the model grid.
        post_ct: ``(96, 96, 96)`` Hounsfield units.

    Returns:
        The part, in its place and with the pixel type of ``case.ct``, and the index ``[i, j, k]`` at which it
        begins in the scan; ``None`` where the feather reaches no voxel of it.
    """
    region = _region(case.ct, roi)
    if region is None:
        return None
    start, size = region
    change = ((post_ct.astype(np.float32) - roi.ct) * roi.feather).astype(np.float32)
    patch = sitk.RegionOfInterest(case.ct, size, start)
    weight = sample(grid_image(roi, roi.feather), patch)
    added = np.where(weight > 0, mean_sample(grid_image(roi, change), patch, roi.spacing), 0.0)
    before = sitk.GetArrayFromImage(patch)
    after = before + added
    if before.dtype.kind in "iu":
        kind = np.iinfo(before.dtype)
        after = np.clip(np.rint(after), kind.min, kind.max)
    after = np.where(added != 0, after, before).astype(before.dtype)
    return paste_patch(patch, after, [0, 0, 0]), start


def paste_tissue(case: Case, roi: Roi, tissue: np.ndarray) -> sitk.Image:
    """Bring tissue labels back onto the scan's own grid by nearest neighbour.

    Args:
        case: where ``roi`` was cut from.
        roi: the model grid.
        tissue: ``(96, 96, 96)`` values of :class:`mewm.roles.Tissue`.

    Returns:
        uint8 labels with the scan's geometry: the liver where the user gave a liver mask, and viable tumour,
        necrosis and lipiodol where the feather is above 0.
    """
    if case.liver is None:
        base = sitk.Image(case.ct.GetSize(), sitk.sitkUInt8)
        base.CopyInformation(case.ct)
    else:
        base = sitk.Image(case.liver)
    found = tissue_patch(case, roi, tissue)
    if found is None:
        return base
    patch, start = found
    return paste_patch(base, sitk.GetArrayFromImage(patch), start)


def tissue_patch(case: Case, roi: Roi, tissue: np.ndarray) -> tuple[sitk.Image, list[int]] | None:
    """Return the labels of :func:`paste_tissue` for the part of the scan that :func:`ct_patch` returns."""
    region = _region(case.ct, roi)
    if region is None:
        return None
    start, size = region
    part = sitk.RegionOfInterest(case.ct, size, start)
    labels = grid_image(roi, tissue.astype(np.uint8))
    found = sitk.GetArrayFromImage(sitk.Resample(labels, part, IDENTITY, sitk.sitkNearestNeighbor, 0))
    weight = sample(grid_image(roi, roi.feather), part)
    before = 0 if case.liver is None else sitk.GetArrayFromImage(sitk.RegionOfInterest(case.liver, size, start))
    patch = sitk.GetImageFromArray(np.where((found > 1) & (weight > 0), found, before).astype(np.uint8))
    patch.CopyInformation(part)
    return patch, start


def _grid(spacing: float, origin: np.ndarray) -> sitk.Image:
    grid = sitk.Image([GRID] * 3, sitk.sitkUInt8)
    grid.SetSpacing([spacing] * 3)
    grid.SetOrigin(origin.tolist())
    return grid


def _lesion_on_grid(lesion: sitk.Image, grid: sitk.Image) -> np.ndarray:
    """Return the lesion on the grid with its own volume, so that one thinner than a voxel does not vanish."""
    share = sample_smoothly(lesion, grid, outside=0.0)
    count = int(np.count_nonzero(sitk.GetArrayViewFromImage(lesion)))
    wanted = max(1, round(count * voxel_volume_mm3(lesion) / voxel_volume_mm3(grid)))
    wanted = min(wanted, int(np.count_nonzero(share > 1e-3)))
    least = np.partition(share.ravel(), -wanted)[-wanted]
    inside = share > least
    # Where the grid falls between slices whole faces share one value: those nearest the middle fill the volume.
    tied = np.argwhere(share == least)
    middle = np.argwhere(share >= least).mean(axis=0)
    nearest = np.argsort(((tied - middle) ** 2).sum(axis=1), kind="stable")[: wanted - int(np.count_nonzero(inside))]
    inside[tuple(tied[nearest].T)] = True
    return inside


def _region(ct: sitk.Image, roi: Roi) -> tuple[list[int], list[int]] | None:
    """Return start and size of the part of the scan that the feather reaches."""
    box = bounding_box(roi.feather > 0)
    low, high = [np.array([getattr(s, k) for s in box[::-1]]) for k in ("start", "stop")]
    corner = np.array(roi.origin) + roi.spacing * (low - 1)
    part = sitk.Image((high - low + 2).tolist(), sitk.sitkUInt8)
    part.SetSpacing([roi.spacing] * 3)
    part.SetOrigin(corner.tolist())
    return index_box(ct, box_corners(part), margin=0.0)
