"""Overall survival of a simulated patient: a Weibull time whose hazard knows the truth, and censoring."""

from __future__ import annotations

import numpy as np

from mewm.actions.protocol import Protocol
from mewm.clinical import ClinicalFacts
from mewm.cohort.parameters import OutcomeParameters
from mewm.survival.covariates import treatment_load


def log_hazard(
    viable_ml: float, lesion_ml: float, protocol: Protocol, facts: ClinicalFacts, parameters: OutcomeParameters
) -> float:
    """Return the true log-hazard of a patient after a protocol.

    Args:
        viable_ml: truly viable tumour after treatment.
        lesion_ml: the lesion before it.
        protocol: what was given.
        facts: what is true of the patient, fully stated.
        parameters: the coefficients.
    """
    p = parameters
    load = treatment_load(protocol)
    points = int((facts.child_pugh or "A5")[1:])
    impairment = (points - 5) / 2.0
    return float(
        p.viable * np.log1p(viable_ml)
        + p.viable_share * min(viable_ml / lesion_ml, 1.5)
        + p.treatment_load * load
        + p.load_by_impairment * load * impairment
        + p.impairment * impairment
        + p.log_afp * np.log(facts.afp_ng_ml or 1.0)
        + p.thrombosis * (facts.portal_vein_thrombosis != "none")
        + p.multinodular * ((facts.tumour_number or 1) > 1)
        + p.ecog * (facts.ecog or 0)
        + p.extrahepatic * bool(facts.extrahepatic_spread)
        + p.age_decade * ((facts.age or 68) - 68) / 10
    )


def draw_survival(rng: np.random.Generator, hazard: float, parameters: OutcomeParameters) -> tuple[float, bool, float]:
    """Draw overall survival.

    Returns:
        Observed weeks, whether the patient died, and the uncensored weeks.
    """
    p = parameters
    death = p.weibull_scale_weeks * (rng.exponential() / np.exp(hazard)) ** (1 / p.weibull_shape)
    lost = rng.exponential(p.censoring_mean_weeks)
    return float(max(min(death, lost), 0.5)), bool(death <= lost), float(death)
