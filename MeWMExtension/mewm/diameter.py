"""Longest diameter of a mask in an axial slice, the way a radiologist lays the calipers."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist

from mewm.voxels import tight_box

_IN_PLANE = np.zeros((3, 3, 3), bool)
_IN_PLANE[1] = True


def longest_axial_diameter(mask: np.ndarray, spacing: float) -> float:
    """Return the longest straight line between two points of one connected part of ``mask`` in one axial slice.

    Voxels count with their whole extent: a single voxel measures its face diagonal. Parts of a slice that do
    not touch (8-neighbourhood) are measured one by one, because a viable diameter must not span intervening
    necrosis (Lencioni & Llovet, Semin Liver Dis 2010 30:52).
    A rim that closes around necrosis is one part and is measured from side to side, which is more than the longest line
    within the rim.

    Args:
        mask: bool ``(z, y, x)``, axial slices along the first axis.
        spacing: edge of a voxel in mm.

    Returns:
        Millimetres; 0 for an empty mask.
    """
    if not mask.any():
        return 0.0
    parts, _ = ndimage.label(mask[tight_box(mask)], _IN_PLANE)
    boxes = ndimage.find_objects(parts)
    # The diagonal of its bounding box bounds a part's diameter: most parts need no closer look.
    bounds = np.array([np.hypot(b[1].stop - b[1].start, b[2].stop - b[2].start) for b in boxes])
    longest = 0.0
    for i in np.argsort(-bounds, kind="stable"):
        if bounds[i] <= longest:
            break
        longest = max(longest, _planar_diameter(parts[boxes[i]][0] == i + 1))
    return float(longest * spacing)


def _planar_diameter(mask: np.ndarray) -> float:
    """Diameter of the corners of a 2D mask's pixels, in pixels."""
    # Only the outermost pixels of each row can be vertices of the convex hull.
    rows = np.flatnonzero(mask.any(1))
    first = mask[rows].argmax(1)
    last = mask.shape[1] - mask[rows, ::-1].argmax(1)
    corners = np.concatenate([np.stack([rows + dy, edge], 1) for dy in (0, 1) for edge in (first, last)])
    hull = corners[ConvexHull(corners).vertices]
    return float(pdist(hull.astype(float)).max())
