"""The plain survival model: Cox regression on radiomics and clinical facts, read from a bundle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mewm.actions.protocol import Protocol
from mewm.bundle import verified_bytes
from mewm.errors import ResourceError
from mewm.resources import resource_path
from mewm.roi import Roi
from mewm.roles import RiskScore
from mewm.survival.covariates import covariates

SCHEMA = "mewm-cox/1"
WEEKS_A_YEAR = 365.25 / 7


@dataclass(frozen=True, eq=False)
class CoxSurvival:
    """Cox proportional hazards with a Breslow baseline. Implements :class:`mewm.roles.SurvivalModel`.

    Attributes:
        coefficients: log hazard ratio a unit, by covariate (:mod:`mewm.survival.covariates`).
        means: training mean of each covariate; the risk is 0 there.
        medians: training median of each covariate, taken where a fact is not stated.
        baseline: survival of a patient at the means, at 0, 1, 2, … weeks.
        provenance: the data and command the weights came from.
        sha256: digest of the weights' file.
    """

    coefficients: Mapping[str, float]
    means: Mapping[str, float]
    medians: Mapping[str, float]
    baseline: np.ndarray
    provenance: Mapping[str, Any]
    sha256: str
    name = "cox"

    @classmethod
    def load(cls, path: Path | None = None) -> CoxSurvival:
        """Read a bundle folder with ``cox.json`` and ``SHA256SUMS``; without a path the shipped one.

        Raises:
            ResourceError: a file is missing, was changed, or is not such a model.
        """
        folder = resource_path("Models/survival_cox") if path is None else Path(path)
        content, digest = verified_bytes(folder, "cox.json", "survival model")
        return cls._parse(json.loads(content), digest, folder)

    @classmethod
    def _parse(cls, data: Mapping[str, Any], digest: str, folder: Path) -> CoxSurvival:
        if data.get("schema") != SCHEMA:
            raise ResourceError(f"The survival model in {folder} is not of the schema {SCHEMA}; train it anew.")
        rows = data["covariates"]
        return cls(
            coefficients={k: float(v["coefficient"]) for k, v in rows.items()},
            means={k: float(v["mean"]) for k, v in rows.items()},
            medians={k: float(v["median"]) for k, v in rows.items()},
            baseline=np.array(data["baseline_survival_weekly"], dtype=float),
            provenance=data["provenance"],
            sha256=digest,
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
        values = covariates(roi, tissue, protocol, unstated_impairment=self.medians.get("liver_impairment"))
        for name, coefficient in self.coefficients.items():
            value = values[name]
            label = name if value is not None else f"{name} (not stated)"
            known = self.medians[name] if value is None else value
            contributions[label] = coefficient * (known - self.means[name])
        risk = float(sum(contributions.values()))
        curve = self.survival_curve(risk)
        return RiskScore(
            risk=risk,
            survival_1y=float(np.interp(WEEKS_A_YEAR, np.arange(curve.size), curve)),
            median_weeks=_median(curve),
            contributions=contributions,
        )

    def survival_curve(self, risk: float) -> np.ndarray:
        """Return the predicted survival at 0, 1, 2, … weeks for a risk, values in [0, 1]."""
        return self.baseline ** np.exp(np.clip(risk, -20, 20))


def _median(curve: np.ndarray) -> float:
    """First time at which a falling weekly curve reaches one half, between weeks; ``inf`` if it never does."""
    below = np.flatnonzero(curve <= 0.5)
    if not below.size:
        return float("inf")
    week = int(below[0])
    if week == 0:
        return 0.0
    drop = curve[week - 1] - curve[week]
    return float(week - 1 + (curve[week - 1] - 0.5) / drop)
