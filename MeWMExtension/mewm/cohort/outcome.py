"""Overall survival of a simulated patient: a Weibull time whose hazard knows the truth, and censoring."""

from __future__ import annotations

import numpy as np

from mewm.actions.protocol import Protocol
from mewm.clinical import ClinicalFacts
from mewm.cohort.parameters import OutcomeParameters
from mewm.survival.covariates import treatment_load


def log_hazard(
    surviving_ml: float, lesion_ml: float, protocol: Protocol, facts: ClinicalFacts, parameters: OutcomeParameters
) -> float:
    """Return the true log-hazard of a patient after a protocol.

    Args:
        surviving_ml: tumour that lives on after treatment, rests too small to show included.
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
        tumour_log_hazard(surviving_ml, lesion_ml, p)
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


def tumour_log_hazard(
    surviving_ml: float | np.ndarray, lesion_ml: float, parameters: OutcomeParameters
) -> float | np.ndarray:
    """Return the share of :func:`log_hazard` that the surviving tumour makes; 0 where none survives."""
    share = np.minimum(surviving_ml / lesion_ml, 1.5)
    return parameters.viable * np.log1p(surviving_ml) + parameters.viable_share * share


def draw_new_lesion(rng: np.random.Generator, facts: ClinicalFacts, parameters: OutcomeParameters) -> bool:
    """Draw whether the follow-up CT shows a lesion that was not there: progression whatever the target does."""
    p = parameters
    odds = p.new_lesion_odds * np.exp(
        p.new_lesion_by_log_afp * (np.log(facts.afp_ng_ml or 1.0) - 4.3)
        + p.new_lesion_if_multinodular * ((facts.tumour_number or 1) > 1)
    )
    return bool(rng.random() < odds / (1 + odds))


def draw_survival(rng: np.random.Generator, hazard: float, parameters: OutcomeParameters) -> tuple[float, bool, float]:
    """Draw overall survival.

    Returns:
        Observed weeks, whether the patient died, and the uncensored weeks.
    """
    p = parameters
    death = p.weibull_scale_weeks * (rng.exponential() / np.exp(hazard)) ** (1 / p.weibull_shape)
    lost = rng.exponential(p.censoring_mean_weeks)
    return float(max(min(death, lost), 0.5)), bool(death <= lost), float(death)
