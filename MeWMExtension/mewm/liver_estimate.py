"""Estimate the liver around a lesion from the CT alone, for cases without a liver mask."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

SHELL_MM = 12.0
"""Liver is looked for up to this distance from the lesion."""
PLAUSIBLE_HU = (0.0, 220.0)
"""Liver from fatty without contrast to bright in the portal phase."""
SMOOTHING_MM = 1.5
HALF_WIDTH_HU = (20.0, 40.0)
"""Narrowest and widest band around the reference density that counts as liver."""
BRIDGE_MM = 3.0
"""Bridges to the abdominal wall, stomach or heart thinner than twice this are cut."""


def estimate_liver(ct: np.ndarray, lesion: np.ndarray, inside: np.ndarray, spacing: float) -> np.ndarray:
    """Return the connected tissue of liver density around a lesion, including the lesion.

    The reference density is the median of the plausible voxels in a shell around the lesion, taken again
    among those near it, so that fat, bowel and bone beside a lesion at the rim of the liver do not count.

    Args:
        ct: Hounsfield units, ``(z, y, x)``.
        lesion: target lesion, bool.
        inside: voxels within the scan, bool.
        spacing: voxel edge in mm.

    Returns:
        Liver, bool; the lesion alone where nothing around it has liver density.
    """
    smooth = ndimage.gaussian_filter(ct, SMOOTHING_MM / spacing)
    distance = ndimage.distance_transform_edt(~lesion, sampling=spacing)
    shell = (distance > 2 * SMOOTHING_MM) & (distance <= SHELL_MM) & inside
    values = smooth[shell]
    values = values[(values > PLAUSIBLE_HU[0]) & (values < PLAUSIBLE_HU[1])]
    if values.size == 0:
        return lesion.copy()
    centre, width = float(np.median(values)), HALF_WIDTH_HU[1]
    for _ in range(3):
        near = values[np.abs(values - centre) <= width]
        if near.size == 0:
            break
        centre = float(np.median(near))
        width = float(np.clip(3 * 1.4826 * np.median(np.abs(near - centre)), *HALF_WIDTH_HU))
    tissue = ((np.abs(smooth - centre) <= width) & inside) | lesion
    steps = max(1, round(BRIDGE_MM / spacing))
    core = ndimage.binary_erosion(tissue, iterations=steps, border_value=1)
    labels, _ = ndimage.label(core)
    touching = np.unique(labels[(distance <= SHELL_MM) & core])
    kept = np.isin(labels, touching[touching > 0])
    if not kept.any():
        return lesion.copy()
    liver = ndimage.binary_dilation(kept, iterations=steps, mask=tissue) | lesion
    dilated = ndimage.binary_dilation(liver, iterations=steps)
    liver |= ndimage.binary_erosion(dilated, iterations=steps, border_value=1)
    return ndimage.binary_fill_holes(liver) & (inside | lesion)
