"""Clinical facts of a simulated patient, drawn by the marginals of a real TACE series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from mewm.clinical import ClinicalFacts
from mewm.cohort.lesion import LesionPhenotype
from mewm.cohort.parameters import PatientParameters

T = TypeVar("T")
_OFTEN_MISSING = ("albumin_g_dl", "bilirubin_mg_dl", "creatinine_mg_dl", "afp_ng_ml", "ecog", "bclc", "ascites")


def draw_patient(
    rng: np.random.Generator, phenotype: LesionPhenotype, lesion_ml: float, parameters: PatientParameters
) -> ClinicalFacts:
    """Draw what is true of a patient.

    Albumin, bilirubin and ascites follow the Child-Pugh points; portal-vein thrombosis is likelier with a large
    lesion; tumour burden follows the lesion's volume and the number of nodules; the BCLC stage follows from the
    rest as in the guideline (EASL 2018).

    Args:
        rng: source of randomness.
        phenotype: the target lesion.
        lesion_ml: its volume.
        parameters: the marginals.
    """
    p = parameters
    child = pick(rng, p.child_pugh)
    points = pick(rng, p.child_pugh_points[child])
    worse = points - 5
    size = np.log(phenotype.diameter_mm / 47.0)
    odds = np.log(p.portal_vein_thrombosis / (1 - p.portal_vein_thrombosis)) + p.thrombosis_by_size * size
    thrombosis = "none"
    if rng.random() < 1 / (1 + np.exp(-odds)):
        thrombosis = "main" if rng.random() < p.main_portal_share else "branch"
    nodules = 1 if rng.random() >= p.multinodular else min(1 + int(rng.geometric(p.nodules_stop)), 12)
    level, slope, spread = p.albumin_g_dl
    albumin = float(np.clip(rng.normal(level + slope * worse, spread), 2.0, 5.2))
    level, slope, spread = p.log_bilirubin_mg_dl
    bilirubin = float(np.clip(np.exp(rng.normal(level + slope * worse, spread)), 0.2, 8.0))
    ecog = pick(rng, p.ecog)
    burden = 100 * lesion_ml * (1 + 0.25 * (nodules - 1)) / rng.normal(*p.liver_ml)
    facts = ClinicalFacts(
        age=round(float(np.clip(rng.normal(*p.age), *p.age_range))),
        sex="male" if rng.random() < p.male else "female",
        child_pugh=f"{child}{points}",
        albumin_g_dl=round(albumin, 1),
        bilirubin_mg_dl=round(bilirubin, 1),
        creatinine_mg_dl=round(float(np.exp(rng.normal(*p.log_creatinine_mg_dl))), 2),
        afp_ng_ml=round(float(np.clip(np.exp(rng.normal(*p.log_afp_ng_ml)), *p.afp_range)), 1),
        ecog=int(ecog),
        portal_vein_thrombosis=thrombosis,
        arteriovenous_shunt=phenotype.shunt,
        tumour_number=nodules,
        ascites="mild" if rng.random() < 0.18 * worse else "none",
        encephalopathy=False,
        jaundice=bilirubin > 3.0,
        hepatorenal_syndrome=False,
        extrahepatic_spread=bool(rng.random() < p.extrahepatic_spread),
        bile_duct_obstruction=False,
        untreated_varices=bool(rng.random() < p.untreated_varices),
        tumour_burden_percent=round(float(np.clip(burden, 0.1, 85)), 1),
    )
    return replace(facts, bclc=bclc_stage(facts, phenotype.diameter_mm))


def bclc_stage(facts: ClinicalFacts, diameter_mm: float) -> str:
    """Return the BCLC stage of fully stated facts (EASL 2018: D, then C, then by number and size)."""
    if (facts.child_pugh or "A").startswith("C") or (facts.ecog or 0) > 2:
        return "D"
    if facts.portal_vein_thrombosis != "none" or facts.extrahepatic_spread or (facts.ecog or 0) >= 1:
        return "C"
    number = facts.tumour_number or 1
    if number == 1 or (number <= 3 and diameter_mm <= 30):
        return "0" if number == 1 and diameter_mm < 20 else "A"
    return "B"


def forget(rng: np.random.Generator, facts: ClinicalFacts, parameters: PatientParameters) -> ClinicalFacts:
    """Return the facts as the clinic recorded them: now and then a value is not stated."""
    missing: dict[str, Any] = {name: None for name in _OFTEN_MISSING if rng.random() < parameters.not_stated}
    return replace(facts, **missing)


def pick(rng: np.random.Generator, weights: Mapping[T, float]) -> T:
    """Draw a key by its weight."""
    keys, values = list(weights), np.array(list(weights.values()), dtype=float)
    return keys[int(rng.choice(len(keys), p=values / values.sum()))]
