"""The plain assistant: reads liver, viable tumour, necrosis and lipiodol from a CT by attenuation and shape.

It knows the pre-treatment CT and the lesion drawn on it, as a radiologist does, and nothing of the treatment.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from mewm.dynamics.phenotype import smooth_within
from mewm.dynamics.space import LesionSpace, lesion_space
from mewm.roi import Roi
from mewm.roles import Tissue

# Oil is far denser than any enhancing tissue (tumour-to-liver contrast 283 ± 152 HU, JVIR 2013); thresholds in HU.
OIL_HU = 180.0
OIL_RISE_HU = 80.0
# How far from the drawn lesion its rest is looked for, mm.
SEARCH_MM = 8.0
# Smallest island worth a label: a radiologist would not measure a viable rest below about 5 mm.
SMALLEST_ML = 0.06
SMALLEST_SHARE = 0.004


class IntensityAssistant:
    """Segment a post-treatment CT by intensity and morphology rules (:class:`mewm.roles.AssistantModel`)."""

    name = "intensity"

    def segment(self, roi: Roi, ct: np.ndarray) -> np.ndarray:
        """Label ``ct`` ``(96, 96, 96)`` HU with :class:`mewm.roles.Tissue`, uint8.

        An untreated CT gives viable tumour where the lesion enhances and necrosis where it does not.
        """
        space = lesion_space(roi)
        labels = roi.liver.astype(np.uint8)
        labels[space.box] = _segment(space, np.ascontiguousarray(ct[space.box]))
        return labels


def _segment(space: LesionSpace, ct: np.ndarray) -> np.ndarray:
    phenotype = space.phenotype
    near = space.distance < SEARCH_MM
    rise = ct - space.ct
    oil_hu = max(OIL_HU, phenotype.liver_hu + 60, phenotype.enhancing_hu + 60)
    dense = near & (ct > oil_hu) & (rise > OIL_RISE_HU)
    oil = ndimage.binary_closing(dense, iterations=1) & near & (rise > 0.4 * OIL_RISE_HU)
    in_lesion = space.lesion | (oil & (space.distance < 2 * space.spacing))
    # Next to dense oil, partial volume hides what is there: it takes no part in the smoothing.
    bloom = ndimage.binary_dilation(dense)
    readable = in_lesion & ~bloom
    smooth = smooth_within(ct, readable, space.spacing)
    viable = in_lesion & ~oil & (smooth > phenotype.viable_threshold_hu)
    viable = _drop_islands(
        viable, max(SMALLEST_ML, SMALLEST_SHARE * phenotype.volume_ml) * 1000 / space.spacing**3
    )
    labels = space.liver.astype(np.uint8)
    labels[in_lesion] = Tissue.NECROSIS
    labels[viable] = Tissue.VIABLE
    labels[oil & in_lesion] = Tissue.LIPIODOL
    return labels


def _drop_islands(mask: np.ndarray, smallest: float) -> np.ndarray:
    """Remove connected parts of fewer than ``smallest`` voxels."""
    parts, count = ndimage.label(mask)
    if not count:
        return mask
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    return (sizes >= smallest)[parts]
