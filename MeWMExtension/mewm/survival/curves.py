"""From a risk to survival: the weekly baseline that every survival model here brings, and how sure it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

WEEKS_A_YEAR = 365.25 / 7
CURVE_STEP_WEEKS = 4
"""Distance of two points of a survival curve that is shown."""
_NORMAL_95 = 1.96
# Beyond this the exponential overflows, and the curve has long been 1 or 0.
_EXTREME = 20.0


@dataclass(frozen=True, eq=False)
class Baseline:
    """Breslow baseline of a proportional hazards model on a weekly grid.

    Attributes:
        survival: of a patient with the risk 0, at 0, 1, 2, … weeks, values in [0, 1].
        log_error: standard error of the logarithm of the cumulative hazard at the same weeks; empty where the bundle
            does not state it.
        slope_error: standard error of the calibration slope over the slope: by what share a risk may be too large.
    """

    survival: np.ndarray
    log_error: np.ndarray
    slope_error: float = 0.0

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Baseline:
        """Read what a bundle says: ``baseline_survival_weekly``, ``baseline_log_error_weekly``, ``slope_error``."""
        return cls(
            np.array(data["baseline_survival_weekly"], dtype=float),
            np.array(data.get("baseline_log_error_weekly", ()), dtype=float),
            float(data.get("slope_error", 0.0)),
        )

    def curve(self, risk: float) -> np.ndarray:
        """Return survival at 0, 1, 2, … weeks for a risk, values in [0, 1]."""
        return self.survival ** np.exp(np.clip(risk, -_EXTREME, _EXTREME))

    def band(self, risks: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
        """Return the 95 % interval of the survival curve over replicas of one protocol.

        On the scale of the log cumulative hazard three parts add up: the baseline's own error, the error of the
        calibration slope times the risk, and the spread of the risk over simulated futures. That the model may be wrong
        about this patient in other ways is not in it.

        Args:
            risks: risk of each replica.
        """
        mean = float(np.mean(risks))
        spread = float(np.std(risks, ddof=1)) if len(risks) > 1 else 0.0
        error = np.hypot(spread, self.slope_error * mean)
        if self.log_error.size:
            error = np.hypot(self.log_error, error)
        low, high = (np.exp(np.clip(mean + sign * _NORMAL_95 * error, -_EXTREME, _EXTREME)) for sign in (1, -1))
        return self.survival**low, self.survival**high


def survival_at(curve: np.ndarray, weeks: float) -> float:
    """Return the survival of a weekly curve at a time, between weeks linearly; its last value beyond its end."""
    return float(np.interp(weeks, np.arange(curve.size), curve))


def median_weeks(curve: np.ndarray) -> float:
    """Return when a falling weekly curve reaches one half, between weeks; ``inf`` if it never does."""
    below = np.flatnonzero(curve <= 0.5)
    if not below.size:
        return float("inf")
    week = int(below[0])
    if week == 0:
        return 0.0
    drop = curve[week - 1] - curve[week]
    return float(week - 1 + (curve[week - 1] - 0.5) / drop)


def every_four_weeks(curve: np.ndarray) -> list[float]:
    """Return a weekly survival curve at 0, 4, 8, … weeks."""
    return [round(float(value), 4) for value in curve[::CURVE_STEP_WEEKS]]
