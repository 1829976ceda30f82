"""Response and pre-treatment CT → the CT 4–6 weeks later, in HU.

Edits are added to the scan, so its own noise and texture stay. Constants without a source are assumptions made
by eye against published figures of lipiodol CT.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from mewm.dynamics.deform import Deformation, deformation
from mewm.dynamics.fields import RandomFields
from mewm.dynamics.response import ResponseField
from mewm.dynamics.space import LesionSpace
from mewm.roles import Tissue
from mewm.voxels import grow

# Spatial resolution of a body CT as a Gaussian, mm: borders are partial volume, not steps.
RESOLUTION_MM = 0.6
# Coagulated and liquefied necrosis measures 20–45 HU; spread within and between lesions.
NECROSIS_SPREAD_HU = 4.0
NECROSIS_MOSAIC_HU = 3.0
# Oil: contrast of grains and of clusters around the lesion's mean density.
GRAIN_CONTRAST = 0.50
CLUSTER_CONTRAST = 0.16
# Oil flecks outside the lesion: where, how rare (in standard deviations of the grain), how dense.
FLECK_RANGE_MM = 6.0
FLECK_RARITY = 3.1
FLECK_HU = 260.0
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
    sigma = RESOLUTION_MM / space.spacing
    change = _necrosis(space, response, fields, moved, sigma)
    change += _oil(space, response, fields, moved, sigma)
    if response.gas:
        change += _gas(space, response, fields, moved)
    post = moved.ct + change * space.gate
    return np.minimum(post, np.maximum(SCANNER_MAX_HU, space.ct)).astype(np.float32)


def true_tissue(space: LesionSpace, response: ResponseField) -> np.ndarray:
    """Return the tissue labels that the drawing stands for, uint8 on the lesion's box, post-treatment position."""
    moved = deformation(space, response.scale)
    labels = np.where(space.liver, np.uint8(Tissue.LIVER), np.uint8(Tissue.BACKGROUND))
    labels[response.necrosis] = Tissue.NECROSIS
    labels[response.oil > 0.5] = Tissue.LIPIODOL
    labels[response.viable & (response.oil <= 0.5)] = Tissue.VIABLE
    return moved.take(labels)


def _necrosis(
    space: LesionSpace, response: ResponseField, fields: RandomFields, moved: Deformation, sigma: float
) -> np.ndarray:
    """Replace smooth enhancement by the attenuation of necrosis; the high frequencies stay."""
    level = space.phenotype.necrosis_hu + NECROSIS_SPREAD_HU * fields.luck["necrosis"]
    level = min(level, space.phenotype.viable_threshold_hu - 8)
    drop = np.minimum(level + NECROSIS_MOSAIC_HU * fields.cluster - moved.take(space.smooth), 0)
    dead = ndimage.gaussian_filter(moved.take(response.necrosis).astype(np.float32), max(sigma, 0.3), truncate=3.0)
    return drop * dead


def _oil(
    space: LesionSpace, response: ResponseField, fields: RandomFields, moved: Deformation, sigma: float
) -> np.ndarray:
    """Granular oil in the lesion and sparse flecks beside it."""
    if response.oil_density <= 0 or not response.oil.any():
        return np.zeros(space.ct.shape, np.float32)
    oil = moved.take(response.oil)
    outside = moved.take(space.distance)
    # Sinusoids just outside fill here and there, so that the oil's edge does not trace the drawn border.
    over = grow(oil > 0.5) & space.liver & (outside > 0) & (outside < OVERFLOW_MM)
    over &= fields.cluster + 0.7 * fields.grain > OVERFLOW_RARITY
    oil[over] = np.maximum(oil[over], OVERFLOW_FILL)
    texture = np.exp(GRAIN_CONTRAST * fields.grain + CLUSTER_CONTRAST * fields.cluster - 0.12)
    hu = oil * texture * response.oil_density
    nearness = np.exp(-np.maximum(outside, 0) / FLECK_RANGE_MM) * response.spill
    fleck = (outside > 0) & space.liver & (fields.grain + 0.5 * fields.cluster > FLECK_RARITY - 0.9 * nearness)
    hu[fleck] = FLECK_HU * np.minimum(texture[fleck] * 0.35, 2.0)
    return ndimage.gaussian_filter(hu, sigma, truncate=3.0)


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
