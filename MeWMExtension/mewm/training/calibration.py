"""Risks of patients whom a model did not learn from, made log hazards, and the baseline that belongs to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mewm.errors import InputError
from mewm.survival.curves import Baseline

HORIZON_WEEKS = 520
FEWEST_DEATHS = 10
# A slope this near to zero or below says that the risks order nobody.
_LEAST_SLOPE = 0.05


@dataclass(frozen=True, eq=False)
class Calibration:
    """How raw risks become log hazards.

    Attributes:
        centre: mean raw risk of the patients.
        slope: Cox coefficient of the raw risk; 1 would need no correction.
        slope_low, slope_high: its 95 % interval.
        baseline: survival of a patient with the centre's risk; its ``slope_error`` is that of ``slope`` over ``slope``.
    """

    centre: float
    slope: float
    slope_low: float
    slope_high: float
    baseline: Baseline

    def log_hazard(self, raw: np.ndarray) -> np.ndarray:
        """Return calibrated risks: log hazard relative to the patients' mean."""
        return self.slope * (raw - self.centre)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, as :meth:`mewm.survival.curves.Baseline.parse` reads them."""
        return {
            "centre": self.centre,
            "slope": self.slope,
            "slope_interval": [self.slope_low, self.slope_high],
            **baseline_values(self.baseline),
        }


def calibrate(raw: np.ndarray, weeks: np.ndarray, died: np.ndarray) -> Calibration:
    """Fit slope and baseline on patients that the model did not learn from.

    Args:
        raw: risks on the model's own scale, (n,).
        weeks: observed times, (n,).
        died: whether the time ended in death, (n,).

    Raises:
        InputError: fewer than 10 deaths, all risks are equal, or the risks order nobody.
    """
    from mewm.evaluation.survival_calibration import calibration_slope

    raw, weeks, died = np.asarray(raw, float), np.asarray(weeks, float), np.asarray(died, bool)
    if died.sum() < FEWEST_DEATHS:
        raise InputError(
            f"A survival model needs at least {FEWEST_DEATHS} deaths to be calibrated; there are {int(died.sum())}; "
            "take more cases or a larger held_out share."
        )
    centre = float(raw.mean())
    found = calibration_slope(weeks, died, raw - centre)
    if found.value < _LEAST_SLOPE:
        raise InputError(
            f"The predicted risks do not order the held-out patients (calibration slope {found.value:.2f}); train "
            "longer."
        )
    error = (found.high - found.low) / (2 * 1.96 * found.value)
    survival, log_error = breslow(found.value * (raw - centre), weeks, died)
    return Calibration(centre, found.value, found.low, found.high, Baseline(survival, log_error, float(error)))


def breslow(log_hazard: np.ndarray, weeks: np.ndarray, died: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the baseline survival at 0, 1, … weeks, and the standard error of its log cumulative hazard.

    Breslow's estimate; the variance of the cumulative hazard is the sum of deaths over the squared sum of hazards at
    risk (Tsiatis, Ann Stat 1981 9:93), without the part that the coefficients add. Before the first death the error is
    that at it.

    Args:
        log_hazard: (n,), 0 for the patient whose survival is returned.
        weeks: observed times, (n,).
        died: whether the time ended in death, (n,).
    """
    order = np.argsort(weeks, kind="stable")
    weeks, died, hazard = weeks[order], died[order], np.exp(log_hazard[order])
    at_risk = np.cumsum(hazard[::-1])[::-1]
    times = np.unique(weeks[died])
    first = np.searchsorted(weeks, times, side="left")
    deaths = np.array([np.count_nonzero(died & (weeks == time)) for time in times])
    cumulative = np.cumsum(deaths / at_risk[first])
    error = np.sqrt(np.cumsum(deaths / at_risk[first] ** 2)) / cumulative
    grid = np.arange(min(HORIZON_WEEKS, int(np.ceil(times[-1]))) + 1)
    past = np.searchsorted(times, grid, side="right")
    return (
        np.exp(-np.concatenate([[0.0], cumulative])[past]),
        np.concatenate([[error[0]], error])[past],
    )


def baseline_values(baseline: Baseline) -> dict[str, Any]:
    """Return a baseline as plain JSON values."""
    return {
        "baseline_survival_weekly": [round(float(v), 6) for v in baseline.survival],
        "baseline_log_error_weekly": [round(float(v), 4) for v in baseline.log_error],
        "slope_error": round(baseline.slope_error, 4),
    }
