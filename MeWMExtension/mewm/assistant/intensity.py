"""The plain assistant: reads liver, viable tumour, necrosis and lipiodol from a CT by attenuation and shape.

It knows the pre-treatment CT and the lesion drawn on it, as a radiologist does, and nothing of the treatment.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from mewm.dynamics.phenotype import Phenotype, smooth_within
from mewm.dynamics.space import LesionSpace, lesion_space
from mewm.roi import Roi
from mewm.roles import Tissue
from mewm.voxels import close_gaps, connected_to, drop_islands, grow, opened

# Oil is far denser than enhancing tissue (tumour-to-liver contrast 283 ± 152 HU, JVIR 2013), and was not
# there before, unlike bone and vessels; HU.
OIL_HU = 180.0
OIL_RISE_HU = 80.0
# Share of the oil's typical rise at which its border is drawn.
EDGE_SHARE = 0.45
# Brighter than any tissue by this much beside oil is partial volume of oil: HU, and multiples of the noise.
BLOOM_HU = 20.0
BLOOM_NOISE = 2.5
# How far from the drawn lesion's border it may have moved, outwards and inwards, mm.
GROWTH_MM = 9.0
SHRINKAGE_MM = 7.0
# A border is read only where lesion and liver differ by this much: HU, and multiples of the noise.
READABLE_HU = 15.0
READABLE_NOISE = 1.2
# Smallest viable rest worth a label: a radiologist would not measure one below about 5 mm.
SMALLEST_ML = 0.06
SMALLEST_SHARE = 0.004
# A viable layer thinner than this is no more than partial volume between liver and necrosis, mm.
THINNEST_MM = 3.0
_FINE_MM = 1.2


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
    oil, bloom = _oil(space, ct)
    lesion = _extent(space, ct, oil, bloom)
    oil &= lesion
    readable = lesion & ~bloom
    smooth = smooth_within(ct, readable, space.spacing)
    # What hides between dense oil is taken for dead: viable tissue must show somewhere near.
    seen = grow(readable) if bloom.any() else lesion
    viable = lesion & ~oil & seen & (smooth > space.phenotype.viable_threshold_hu)
    viable &= opened(viable, round(THINNEST_MM / 2 / space.spacing))
    smallest = max(SMALLEST_ML, SMALLEST_SHARE * space.phenotype.volume_ml) * 1000 / space.spacing**3
    viable = drop_islands(viable, smallest)
    labels = space.liver.astype(np.uint8)
    labels[lesion] = Tissue.NECROSIS
    labels[viable] = Tissue.VIABLE
    labels[oil] = Tissue.LIPIODOL
    return labels


def _oil(space: LesionSpace, ct: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Oil, and the surroundings of oil in which partial volume hides what is there."""
    phenotype = space.phenotype
    tissue = max(phenotype.liver_hu, phenotype.enhancing_hu)
    near = space.distance < GROWTH_MM
    rise = ct - space.ct
    dense = near & (ct > max(OIL_HU, tissue + 60)) & (rise > OIL_RISE_HU)
    if not dense.any():
        return dense, dense
    # The border of oil lies about half way between the oil's own density and the tissue beside it.
    half = EDGE_SHARE * float(np.median(rise[dense]))
    filled = close_gaps(dense & (rise > half))
    beside = grow(dense)
    bright = ct > tissue + max(BLOOM_NOISE * phenotype.noise_hu, BLOOM_HU)
    bloom = beside | (grow(beside) & bright)
    return filled & near & (rise > 0.5 * OIL_RISE_HU), bloom


def _extent(space: LesionSpace, ct: np.ndarray, oil: np.ndarray, bloom: np.ndarray) -> np.ndarray:
    """The lesion after treatment: the drawn one, its border moved where tissue changed sides.

    Voxels next to the drawn border leave the lesion if they looked like lesion before and like liver now, and
    join it the other way round; where nothing changed, the drawn border stands.
    """
    border = (space.distance < GROWTH_MM) & (space.distance > -SHRINKAGE_MM)
    before = _looks_like_lesion(_fine(space.ct, None, space), space.phenotype)
    after = _looks_like_lesion(_fine(ct, bloom, space), space.phenotype)
    left = space.lesion & border & before & ~after & ~oil
    joined = ~space.lesion & border & ((space.liver & ~before & after & ~bloom) | oil)
    moved = left | joined
    if not moved.any():
        return space.lesion
    # Noise flips single voxels and flecks of oil lie loose: a flip counts where its neighbours agree.
    lesion = (space.lesion & ~left) | joined
    agreed = ndimage.uniform_filter(lesion.astype(np.float32), 3) > 0.5
    lesion = np.where(moved, agreed, space.lesion)
    return connected_to(lesion, space.lesion)


def _fine(ct: np.ndarray, hidden: np.ndarray | None, space: LesionSpace) -> np.ndarray:
    """CT smoothed just enough to tell liver from lesion; hidden voxels take part in nothing."""
    if hidden is None:
        cached = space.cache.get("fine")
        if cached is None:
            cached = smooth_within(ct, np.ones_like(space.lesion), space.spacing, _FINE_MM)
            space.cache["fine"] = cached
        return cached
    return smooth_within(ct, ~hidden, space.spacing, _FINE_MM)


def _looks_like_lesion(smooth: np.ndarray, phenotype: Phenotype) -> np.ndarray:
    """Attenuation nearer to necrosis or to enhancing tumour than to liver."""
    like = np.zeros(smooth.shape, bool)
    for level in (phenotype.necrosis_hu, phenotype.enhancing_hu):
        contrast = level - phenotype.liver_hu
        if abs(contrast) >= max(READABLE_HU, READABLE_NOISE * phenotype.noise_hu):
            like |= (smooth - phenotype.liver_hu) * np.sign(contrast) > 0.5 * abs(contrast)
    return like
