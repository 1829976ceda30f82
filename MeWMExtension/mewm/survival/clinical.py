"""A patient's own outlook from clinical facts alone: Cox regression on a real series.

It does not know the treatment or the CT, so it says nothing about the difference between protocols.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mewm.clinical import ClinicalFacts
from mewm.resources import resource_path
from mewm.survival.cox import CoxSurvival
from mewm.survival.curves import WEEKS_A_YEAR, every_four_weeks, median_weeks, survival_at

BUNDLE = "Models/clinical_cox_hcc_tace_seg"
TITLE = "Outlook from clinical facts alone"
ABOUT = (
    "Cox regression on 79 real patients treated by TACE at one hospital (HCC-TACE-Seg; c-index in cross-validation "
    "0.60, so no more than a hint); it knows neither the CT nor the protocol. The protocols' curves come from a model "
    "of the simulated world and tell how protocols differ."
)
"""What the outlook is, wherever it stands beside the protocols' own curves."""


def clinical_covariates(facts: ClinicalFacts) -> dict[str, float | None]:
    """Return the covariates of a patient by name; ``None`` where a fact is not stated.

    The choice follows the published scores of TACE patients (mHAP-II, Liver Int 2016 36:100; Pre-TACE-Predict, Han et
    al., Hepatology 2020 72:198), not the data they are fitted to.

    Returns:
        ``age_decades``: age over 10 years; ``male``, ``child_pugh_b_or_c``, ``multinodular``,
        ``portal_vein_thrombosis``, ``extrahepatic_spread``: 0 or 1; ``performance_group``: 0 for ECOG 0, 1 for 1–2, 2
        for 3–4; ``log_afp``: logarithm of AFP in ng/ml, at least 1; ``albumin_g_dl``; ``log_bilirubin``: logarithm of
        bilirubin in mg/dl.
    """
    return {
        "age_decades": _stated(facts.age, lambda v: v / 10),
        "male": _stated(facts.sex, lambda v: v == "male"),
        "child_pugh_b_or_c": _stated(facts.child_pugh, lambda v: not v.startswith("A")),
        "performance_group": _stated(facts.ecog, lambda v: (v + 1) // 2),
        "multinodular": _stated(facts.tumour_number, lambda v: v > 1),
        "portal_vein_thrombosis": _stated(facts.portal_vein_thrombosis, lambda v: v != "none"),
        "extrahepatic_spread": _stated(facts.extrahepatic_spread, bool),
        "log_afp": _stated(facts.afp_ng_ml, lambda v: np.log(max(v, 1.0))),
        "albumin_g_dl": _stated(facts.albumin_g_dl, float),
        "log_bilirubin": _stated(facts.bilirubin_mg_dl, np.log),
    }


@dataclass(frozen=True)
class Outlook:
    """Predicted survival of a patient.

    Attributes:
        risk: log partial hazard relative to the series' mean patient.
        curve: survival at 0, 1, 2, … weeks, 0–1.
        not_stated: covariates that took the series' median.
        low, high: ends of the 95 % interval of the curve.
    """

    risk: float
    curve: np.ndarray
    not_stated: tuple[str, ...]
    low: np.ndarray
    high: np.ndarray

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values: what it is called, survival after one and two years, the four-weekly curve."""
        weeks = median_weeks(self.curve)
        return {
            "title": TITLE,
            "about": ABOUT,
            "risk": self.risk,
            "survival_1y": survival_at(self.curve, WEEKS_A_YEAR),
            "survival_2y": survival_at(self.curve, 2 * WEEKS_A_YEAR),
            "median_weeks": weeks if np.isfinite(weeks) else None,
            "survival_curve": every_four_weeks(self.curve),
            "survival_low": every_four_weeks(self.low),
            "survival_high": every_four_weeks(self.high),
            "not_stated": list(self.not_stated),
        }


@dataclass(frozen=True, eq=False)
class ClinicalCox:
    """Cox regression on clinical facts, read from a bundle.

    Attributes:
        model: coefficients, means, medians and baseline.
    """

    model: CoxSurvival
    name: str = "clinical Cox"

    @classmethod
    def load(cls, path: Path | None = None) -> ClinicalCox:
        """Read a bundle folder; without a path the shipped one, fitted on HCC-TACE-Seg.

        Raises:
            ResourceError: a file is missing, was changed, or is not such a model.
        """
        return cls(CoxSurvival.load(resource_path(BUNDLE) if path is None else path))

    def outlook(self, facts: ClinicalFacts) -> Outlook:
        """Return the patient's predicted survival."""
        values, model = clinical_covariates(facts), self.model
        risk = 0.0
        for name, coefficient in model.coefficients.items():
            value = values[name]
            risk += coefficient * ((model.medians[name] if value is None else value) - model.means[name])
        missing = tuple(name for name in model.coefficients if values[name] is None)
        return Outlook(risk, model.survival_curve(risk), missing, *model.survival_band([risk]))


def _stated(value: Any, read: Any) -> float | None:
    return None if value is None else float(read(value))
