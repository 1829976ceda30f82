"""The plain survival model: Cox regression on viable volume, treatment and clinical facts, read from a bundle."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mewm.actions.protocol import Protocol
from mewm.assistant.choose import DEFAULT as INTENSITY
from mewm.bundle import verified_bytes
from mewm.errors import ResourceError
from mewm.resources import resource_path
from mewm.roi import Roi
from mewm.roles import RiskScore
from mewm.survival import explanation
from mewm.survival.covariates import covariates
from mewm.survival.curves import WEEKS_A_YEAR, Baseline, median_weeks, survival_at
from mewm.survival.explanation import Explanation
from mewm.survival.familiarity import Familiarity

SCHEMA = "mewm-cox/1"
FILE = "cox.json"
_PART_OF = {
    "log_viable_ml": explanation.VIABLE,
    "viable_share": explanation.VIABLE,
    "treatment_burden": explanation.TREATMENT,
}


@dataclass(frozen=True, eq=False)
class CoxSurvival:
    """Cox proportional hazards with a Breslow baseline. Implements :class:`mewm.roles.SurvivalModel`.

    Attributes:
        coefficients: log hazard ratio a unit, by covariate (:mod:`mewm.survival.covariates`).
        means: training mean of each covariate; the risk is 0 there.
        medians: training median of each covariate, taken where a fact is not stated.
        scale: survival of a patient at the means, and how sure it is.
        provenance: the data and command the weights came from.
        sha256: digest of the weights' file.
        familiarity: what the training cases were like; ``None`` where the bundle does not say.
        impairment: liver impairment of a patient whose facts state none, so that a treatment costs something there
            too; ``None`` where the bundle does not say.
    """

    coefficients: Mapping[str, float]
    means: Mapping[str, float]
    medians: Mapping[str, float]
    scale: Baseline
    provenance: Mapping[str, Any]
    sha256: str
    familiarity: Familiarity | None = None
    impairment: float | None = None
    name = "cox"
    reader = INTENSITY
    """Assistant whose labels it learned from (:mod:`mewm.training.cox`)."""

    @classmethod
    def load(cls, path: Path | None = None) -> CoxSurvival:
        """Read a bundle folder with ``cox.json`` and ``SHA256SUMS``; without a path the shipped one.

        Raises:
            ResourceError: a file is missing, was changed, or is not such a model.
        """
        folder = resource_path("Models/survival_cox") if path is None else Path(path)
        content, digest = verified_bytes(folder, FILE, "survival model")
        try:
            return cls._parse(json.loads(content), digest, folder)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ResourceError(
                f"The survival model {folder / FILE} is not readable ({error!r}); reinstall MeWM or train it."
            ) from error

    @classmethod
    def _parse(cls, data: Mapping[str, Any], digest: str, folder: Path) -> CoxSurvival:
        if data.get("schema") != SCHEMA:
            raise ResourceError(f"The survival model in {folder} is not of the schema {SCHEMA}; train it anew.")
        rows = data["covariates"]
        medians = {k: float(v["median"]) for k, v in rows.items()}
        impairment = data.get("impairment", medians.get("liver_impairment"))
        return cls(
            coefficients={k: float(v["coefficient"]) for k, v in rows.items()},
            means={k: float(v["mean"]) for k, v in rows.items()},
            medians=medians,
            scale=Baseline.parse(data),
            provenance=data["provenance"],
            sha256=digest,
            familiarity=Familiarity.parse(data["familiarity"]) if "familiarity" in data else None,
            impairment=None if impairment is None else float(impairment),
        )

    def score(self, roi: Roi, post_ct: np.ndarray, tissue: np.ndarray, protocol: Protocol) -> RiskScore:
        """Score one simulated future.

        Args:
            roi: pre-treatment lesion and clinical facts.
            post_ct: not used: its information is in ``tissue``.
            tissue: labels of the post-treatment CT, uint8, (96, 96, 96).
            protocol: the treatment; its load is a covariate because toxicity does not show on CT.

        Returns:
            The score; a contribution whose fact is not stated carries "(not stated)" and is that of the training
            median.

        Raises:
            InputError: the protocol holds an agent without a known effect.
        """
        contributions: dict[str, float] = {}
        values = covariates(roi, tissue, protocol, unstated_impairment=self.impairment)
        for name, coefficient in self.coefficients.items():
            value = values[name]
            label = name if value is not None else f"{name} (not stated)"
            known = self.medians[name] if value is None else value
            contributions[label] = coefficient * (known - self.means[name])
        risk = float(sum(contributions.values()))
        curve = self.survival_curve(risk)
        return RiskScore(
            risk=risk,
            survival_1y=survival_at(curve, WEEKS_A_YEAR),
            median_weeks=median_weeks(curve),
            contributions=contributions,
            survival_2y=survival_at(curve, 2 * WEEKS_A_YEAR),
        )

    def explain(self, roi: Roi, post_ct: np.ndarray, tissue: np.ndarray, protocol: Protocol) -> Explanation:
        """Return what the risk of a future is made of; its parts add up to the risk. Arguments as of :meth:`score`."""
        parts = dict.fromkeys(explanation.PARTS, 0.0)
        for name, share in self.score(roi, post_ct, tissue, protocol).contributions.items():
            parts[_PART_OF.get(name.split(" ")[0], explanation.FACTS)] += share
        return Explanation(explanation.EXACT, parts)

    def unfamiliar(self, roi: Roi, protocols: Sequence[Protocol] = ()) -> tuple[str, ...]:
        """Return a sentence for every way in which a case or its treatment is unlike the training cases."""
        return () if self.familiarity is None else self.familiarity.warnings(roi, protocols)

    @property
    def baseline(self) -> np.ndarray:
        """Survival of a patient at the means, at 0, 1, 2, … weeks."""
        return self.scale.survival

    def survival_curve(self, risk: float) -> np.ndarray:
        """Return the predicted survival at 0, 1, 2, … weeks for a risk, values in [0, 1]."""
        return self.scale.curve(risk)

    def survival_band(self, risks: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
        """Return its 95 % interval over replicas; see :meth:`mewm.survival.curves.Baseline.band`."""
        return self.scale.band(risks)
