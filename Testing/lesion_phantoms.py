"""Liver lesions drawn straight onto a model grid: varied, cheap, with a truth to test against."""

import numpy as np
from scipy import ndimage

from mewm.clinical import ClinicalFacts
from mewm.roi import Roi, feather


def phantom_roi(
    seed=0,
    *,
    diameter=40.0,
    enhancement=40.0,
    core=0.3,
    irregularity=0.1,
    noise=10.0,
    liver_hu=105.0,
    size=96,
    spacing=1.0,
    facts=None,
) -> Roi:
    """A lesion in the middle of a liver with noise of CT-like grain.

    ``enhancement`` is the lesion's attenuation above the liver's (negative: darker), ``core`` the radius of its
    necrotic core over its own, ``irregularity`` the relative roughness of its surface.
    """
    rng = np.random.default_rng(seed)

    def grain(sigma_mm):
        field = ndimage.gaussian_filter(
            rng.standard_normal((size,) * 3).astype(np.float32), sigma_mm / spacing, mode="wrap"
        )
        return field / field.std()

    place = (np.indices((size,) * 3).astype(np.float32) - (size - 1) / 2) * spacing
    radius = np.sqrt((place**2).sum(0))
    bumps = irregularity * grain(0.15 * diameter) if irregularity else 0.0
    lesion = radius * (1 + bumps) <= diameter / 2
    liver = radius <= 0.47 * size * spacing
    ct = np.where(liver, liver_hu, -95.0).astype(np.float32)
    tumour = liver_hu + enhancement + 0.1 * enhancement * grain(4.0)
    dead = radius * (1 + bumps) <= core * diameter / 2
    ct = np.where(lesion, np.where(dead, 33.0, tumour), ct)
    ct = ndimage.gaussian_filter(ct, 0.6 / spacing).astype(np.float32)
    if noise:
        ct += noise * grain(0.6)
    return Roi(
        ct=ct.astype(np.float32),
        lesion=lesion,
        liver=liver | lesion,
        inside=np.ones_like(lesion),
        feather=feather(lesion, spacing),
        spacing=spacing,
        origin=(0.0, 0.0, 0.0),
        facts=facts or ClinicalFacts(),
    )


def varied_roi(seed: int) -> Roi:
    """A small-grid lesion drawn like a patient of a TACE series: 2–10 cm, mostly hypervascular."""
    rng = np.random.default_rng(1000 + seed)
    diameter = float(np.clip(50 * np.exp(0.5 * rng.standard_normal()), 18, 100))
    return phantom_roi(
        seed,
        diameter=diameter,
        enhancement=float(np.clip(25 + 35 * rng.standard_normal(), -40, 110)),
        core=float(max(0.0, rng.uniform(-0.2, 0.5))),
        irregularity=float(rng.uniform(0.03, 0.2)),
        noise=float(rng.uniform(8, 18)),
        size=64,
        spacing=2.0,
    )
