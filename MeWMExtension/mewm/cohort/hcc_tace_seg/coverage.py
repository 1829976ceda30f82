"""Which part of a grid another scan shows."""

from __future__ import annotations

import SimpleITK as sitk


def covered(scan: sitk.Image, grid: sitk.Image, transform: sitk.Transform) -> sitk.Image:
    """Return where a scan reaches, uint8 on the grid: 1 within the scan, 0 beyond it.

    Args:
        scan: any grid.
        grid: where to tell.
        transform: point of ``grid`` → point of ``scan``, LPS mm.
    """
    ones = sitk.Image(scan.GetSize(), sitk.sitkUInt8) + 1
    ones.CopyInformation(scan)
    return sitk.Resample(ones, grid, transform, sitk.sitkNearestNeighbor, 0)
