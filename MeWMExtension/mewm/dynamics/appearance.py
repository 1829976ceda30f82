"""Response and pre-treatment CT → the CT 4–6 weeks later, in HU.

Edits are added to the scan, so its own noise and texture stay; the oil is seen through the scanner's point spread.
Constants without a source are assumptions made by eye against published figures of lipiodol CT.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from mewm.dynamics.deform import Deformation, deformation
from mewm.dynamics.fields import RandomFields
from mewm.dynamics.response import ResponseField
from mewm.dynamics.space import LesionSpace
from mewm.roles import Tissue
from mewm.voxels import grow, tight_box

# Coagulated and liquefied necrosis measures 20–45 HU; spread between lesions, and unevenness within one.
NECROSIS_SPREAD_HU = 4.0
NECROSIS_MOSAIC_HU = 4.0
# Dead tissue passes into living tissue over about this distance, mm.
NECROSIS_EDGE_MM = 1.1
# Share of a filled voxel from which oil shows and from which it shows fully: what washed out leaves no haze.
OIL_SHOWS = (0.1, 0.9)
# Oil: contrast of grains and of clusters around the lesion's mean density, and how much denser its middle is.
GRAIN_CONTRAST = 0.55
CLUSTER_CONTRAST = 0.25
CENTRE_CONTRAST = 0.25
CENTRE_MM = 5.0
# Smears of oil beside the lesion, in branches and sinusoids that fill here and there: where, how rare (in standard
# deviations of the clusters), how dense a standard deviation above that and at most.
FLECK_RANGE_MM = 6.0
FLECK_RARITY = 3.0
FLECK_HU = 420.0
FLECK_MOST_HU = 380.0
# Oil in sinusoids that touch the lesion: how far, how rare (standard deviations), how full.
OVERFLOW_MM = 2.5
OVERFLOW_RARITY = 0.8
OVERFLOW_FILL = 0.6
GAS_HU = -550.0
SCANNER_MAX_HU = 3071.0


def render(space: LesionSpace, response: ResponseField, fields: RandomFields) -> np.ndarray:
    """Draw the post-treatment CT on the lesion's box.

    Returns:
        float32 HU, same shape as ``space.ct``; equal to it where ``space.gate`` is 0, everywhere if untreated.
    """
    if not response.treated:
        return space.ct
    moved = deformation(space, response.scale)
    change = _necrosis(space, response, fields, moved)
    change += _oil(space, response, fields, moved)
    if response.gas:
        change += _gas(space, response, fields, moved)
    post = moved.ct + change * space.gate
    return np.minimum(post, np.maximum(SCANNER_MAX_HU, space.ct)).astype(np.float32)


def true_tissue(space: LesionSpace, response: ResponseField) -> np.ndarray:
    """Return the tissue labels that the drawing stands for, uint8 on the lesion's box, post-treatment position.

    Oil is what the scanner's point spread leaves at least half filled, so that what is called oil is seen as oil.
    """
    moved = deformation(space, response.scale)
    labels = np.where(space.liver, np.uint8(Tissue.LIVER), np.uint8(Tissue.BACKGROUND))
    labels[response.necrosis] = Tissue.NECROSIS
    labels[response.viable] = Tissue.VIABLE
    labels = moved.take(labels)
    if response.oil.any():
        lesion = moved.take(space.lesion)
        box = tight_box(lesion, pad=2)
        inside = lesion[box].astype(np.float32)
        spread = _blurred(_filled(moved.take(response.oil)[box]), space)
        # What lies beyond the lesion's border takes no part: the border stays where it is.
        labels[box][lesion[box] & (spread > 0.5 * _blurred(inside, space))] = Tissue.LIPIODOL
    return labels


def _blurred(array: np.ndarray, space: LesionSpace) -> np.ndarray:
    """See something on the lesion's box through the scanner's point spread."""
    return ndimage.gaussian_filter(array, np.array(space.resolution_mm) / space.spacing, truncate=2.5)


def _filled(oil: np.ndarray) -> np.ndarray:
    """Share of a voxel that oil fills → share of the full density that it shows, both 0–1."""
    low, high = OIL_SHOWS
    share = np.clip((oil - low) / (high - low), 0, 1)
    return share * share * (3 - 2 * share)


def _necrosis(space: LesionSpace, response: ResponseField, fields: RandomFields, moved: Deformation) -> np.ndarray:
    """Replace smooth enhancement by the attenuation of necrosis; the high frequencies stay."""
    level = space.phenotype.necrosis_hu + NECROSIS_SPREAD_HU * fields.luck["necrosis"]
    level = min(level, space.phenotype.viable_threshold_hu - 8)
    uneven = NECROSIS_MOSAIC_HU * (0.8 * fields.cluster + 0.6 * fields.territory)
    drop = np.minimum(level + uneven - moved.take(space.smooth), 0)
    edge = max(NECROSIS_EDGE_MM / space.spacing, 0.4)
    dead = ndimage.gaussian_filter(moved.take(response.necrosis).astype(np.float32), edge, truncate=2.5)
    return drop * dead


def _oil(space: LesionSpace, response: ResponseField, fields: RandomFields, moved: Deformation) -> np.ndarray:
    """Granular oil in the lesion, denser in its middle, and smears of it beside the lesion."""
    if response.oil_density <= 0 or not response.oil.any():
        return np.zeros(space.ct.shape, np.float32)
    oil = moved.take(response.oil)
    outside = moved.take(space.distance)
    # Sinusoids just outside fill here and there, so that the oil's edge does not trace the drawn border.
    over = grow(oil > 0.5) & space.liver & (outside > 0) & (outside < OVERFLOW_MM)
    over &= fields.cluster + 0.7 * fields.grain > OVERFLOW_RARITY
    oil[over] = np.maximum(oil[over], OVERFLOW_FILL)
    middle = CENTRE_CONTRAST * (0.5 - np.exp(np.minimum(outside, 0) / CENTRE_MM))
    texture = np.exp(GRAIN_CONTRAST * fields.grain + CLUSTER_CONTRAST * fields.cluster + middle - 0.12)
    hu = _filled(oil) * texture * response.oil_density
    nearness = np.exp(-np.maximum(outside, 0) / FLECK_RANGE_MM) * response.spill
    excess = fields.cluster + 0.45 * fields.grain - FLECK_RARITY + 0.9 * nearness
    smear = np.clip(FLECK_HU * excess, 0, FLECK_MOST_HU)
    hu = np.where((outside > 0) & space.liver, np.maximum(hu, smear), hu)
    return _blurred(hu, space)


def _gas(space: LesionSpace, response: ResponseField, fields: RandomFields, moved: Deformation) -> np.ndarray:
    """A few small bubbles in dead tissue, more of them in front because gas rises in the supine patient."""
    dry = response.necrosis & (response.oil < 0.3) & (space.distance < -2.0)
    places = np.argwhere(moved.take(dry))
    change = np.zeros(space.ct.shape, np.float32)
    if not len(places):
        return change
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([fields.seed, 1])))
    front = places[np.argsort(places[:, 1], kind="stable")][: max(len(places) // 3, 1)]
    for centre in front[rng.integers(0, len(front), size=int(rng.integers(2, 6)))]:
        radius = rng.uniform(0.8, 1.8) / space.spacing
        low = np.maximum(centre - int(radius) - 2, 0)
        high = np.minimum(centre + int(radius) + 3, change.shape)
        box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        offset = np.indices(high - low) + (low - centre)[:, None, None, None]
        bubble = np.clip(radius - np.sqrt((offset**2).sum(0)) + 0.5, 0, 1)
        change[box] = np.minimum(change[box], GAS_HU * bubble)
    return ndimage.gaussian_filter(change, 0.4, truncate=3.0)
