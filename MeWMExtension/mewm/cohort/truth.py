"""What a simulated lesion hides: its sensitivities, and the post-treatment CT and tissue that follow from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mewm.actions.protocol import Protocol
from mewm.cohort.lesion import LesionPhenotype
from mewm.cohort.parameters import TruthParameters
from mewm.dynamics.appearance import SCANNER_MAX_HU, render, true_tissue
from mewm.dynamics.effects import EMBOLICS
from mewm.dynamics.fields import random_fields
from mewm.dynamics.mechanistic import MechanisticDynamics, draw_ct, draw_tissue
from mewm.dynamics.sensitivities import Sensitivities
from mewm.dynamics.space import lesion_space
from mewm.roi import Roi

_SHUNT = {"none": 0.0, "mild": 0.5, "severe": 1.0}


@dataclass(frozen=True, eq=False)
class TrueFuture:
    """The world after one protocol.

    Attributes:
        ct: post-treatment CT, float32 HU, (96, 96, 96).
        tissue: true labels, uint8, same shape.
        surviving_ml: tumour that lives on, rests too small to show included.
    """

    ct: np.ndarray
    tissue: np.ndarray
    surviving_ml: float


@dataclass(frozen=True, eq=False)
class FollowUpScan:
    """Another scan of the same patient, without what the treatment did.

    Attributes:
        still: HU without noise, blurred by the scanner, float32, (96, 96, 96).
        noise: its own noise, HU, float32, same shape.
        resolution_mm: the scanner's point spread, standard deviations in mm, (z, y, x).
    """

    still: np.ndarray
    noise: np.ndarray
    resolution_mm: tuple[float, float, float]


def draw_sensitivities(
    rng: np.random.Generator, phenotype: LesionPhenotype, parameters: TruthParameters
) -> Sensitivities:
    """Draw the hidden sensitivities of a lesion: what its phenotype suggests, times log-normal chance."""
    p = parameters
    drugs = {
        name: p.sensitivity_level * _multiplier(rng, slopes, phenotype, p.sensitivity_spread, p)
        for name, slopes in p.drug_slopes.items()
    }
    embolics = {
        name: _multiplier(rng, p.embolic_slopes.get(name, {}), phenotype, p.embolic_spread, p)
        for name in EMBOLICS
        if name != "lipiodol"
    }
    return Sensitivities(
        drug_class=drugs,
        embolic=embolics,
        retention=float(np.exp(rng.normal(*p.retention))),
        shunt=_SHUNT[phenotype.shunt],
        growth=float(np.exp(rng.normal(*p.growth))),
    )


def true_future(
    roi: Roi, protocol: Protocol, sensitivities: Sensitivities, seed: int, scan: FollowUpScan | None = None
) -> TrueFuture:
    """Simulate what really happens under a protocol; the same seed is the same luck for every protocol.

    Args:
        roi: pre-treatment CT and lesion.
        protocol: the treatment.
        sensitivities: the lesion's hidden answer to it.
        seed: of chance.
        scan: the follow-up scan; without one the treatment is drawn into the pre-treatment CT.

    Raises:
        InputError: the protocol holds an agent whose effect is unknown.
    """
    response = MechanisticDynamics(sensitivities).respond(roi, protocol, seed)
    if scan is None:
        return TrueFuture(draw_ct(roi, response, seed), draw_tissue(roi, response), response.surviving_ml)
    first = lesion_space(roi)
    space = first.scanned_again(scan.still, scan.resolution_mm)
    ct, tissue = scan.still.copy(), roi.liver.astype(np.uint8)
    ct[space.box] = render(space, response, random_fields(first, seed))
    tissue[space.box] = true_tissue(space, response)
    return TrueFuture(np.minimum(ct + scan.noise, SCANNER_MAX_HU), tissue, response.surviving_ml)


def _multiplier(
    rng: np.random.Generator,
    slopes: Mapping[str, float],
    phenotype: LesionPhenotype,
    spread: float,
    parameters: TruthParameters,
) -> float:
    """One sensitivity around 1; features are centred on the average lesion."""
    features = {
        "vascularity": phenotype.vascularity - 0.65,
        "heterogeneity": phenotype.heterogeneity - 0.4,
        "necrotic_fraction": phenotype.necrotic_fraction - 0.1,
        "capsule": phenotype.capsule - 0.35,
        "infiltration": phenotype.infiltration - 0.3,
        "size": float(np.log(phenotype.diameter_mm / 47.0)),
    }
    mean = 1 + sum(slope * features[name] for name, slope in slopes.items())
    value = max(mean, 0.2) * np.exp(rng.normal(-0.5 * spread**2, spread))
    return float(np.clip(value, *parameters.sensitivity_range))
