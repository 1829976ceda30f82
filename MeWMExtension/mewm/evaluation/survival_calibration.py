"""Are the predicted survival curves right, not only their order?

Every function takes predicted survival curves on a common time grid, so that models of any kind can be compared.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from lifelines import CoxPHFitter, KaplanMeierFitter

from mewm.errors import InputError
from mewm.evaluation.intervals import RESAMPLES, Estimate, bootstrap
from mewm.evaluation.survival_metrics import check_survival


@dataclass(frozen=True, eq=False)
class SurvivalCurves:
    """Predicted survival of patients.

    Attributes:
        weeks: ascending times ``(m,)``.
        survival: probability to be alive after each time ``(n, m)``, values in [0, 1].
    """

    weeks: np.ndarray
    survival: np.ndarray

    def at(self, week: float) -> np.ndarray:
        """Return the survival at one time ``(n,)``, linear between the grid's times.

        Raises:
            InputError: the time lies outside the grid.
        """
        if not self.weeks[0] <= week <= self.weeks[-1]:
            raise InputError(
                f"The predicted curves go from {self.weeks[0]:g} to {self.weeks[-1]:g} weeks; {week:g} lies outside."
            )
        return np.array([np.interp(week, self.weeks, curve) for curve in self.survival])


@dataclass(frozen=True)
class CalibrationPoint:
    """Mean predicted against observed mortality of one group at one time, with the observed 95 % interval."""

    predicted: float
    observed: float
    low: float
    high: float
    patients: int


def brier_score(
    weeks: np.ndarray,
    died: np.ndarray,
    curves: SurvivalCurves,
    week: float,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Estimate:
    """Return the Brier score at one time, weighted for censoring, with its bootstrap interval.

    Inverse probability of censoring weights from the Kaplan–Meier curve of censoring (Graf et al., Stat Med 1999
    18:2529). The weights are kept while resampling.

    Args:
        weeks: observed times ``(n,)``.
        died: whether the time ended in death ``(n,)``.
        curves: predicted survival of the same patients.
        week: the time.
        resamples: how often to resample the patients.
        seed: seed of the resampling.

    Raises:
        InputError: bad times or events, a time outside the curves, or nobody is followed up so long.
    """
    terms = _brier_terms(weeks, died, curves, week)
    return bootstrap(lambda index: float(terms[index].mean()), len(terms), resamples=resamples, seed=seed)


def integrated_brier_score(
    weeks: np.ndarray,
    died: np.ndarray,
    curves: SurvivalCurves,
    last: float = 104.0,
    *,
    step: float = 4.0,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Estimate:
    """Return the mean of the Brier score from 0 to ``last`` weeks (trapezium rule) with its bootstrap interval.

    Args:
        weeks: observed times ``(n,)``.
        died: whether the time ended in death ``(n,)``.
        curves: predicted survival of the same patients.
        last: end of the integral in weeks.
        step: distance of its nodes in weeks.
        resamples: how often to resample the patients.
        seed: seed of the resampling.

    Raises:
        InputError: see :func:`brier_score`.
    """
    grid = np.linspace(0.0, last, round(last / step) + 1)
    terms = np.array([_brier_terms(weeks, died, curves, week) for week in grid])
    integrated = np.trapezoid(terms, grid, axis=0) / last
    return bootstrap(lambda index: float(integrated[index].mean()), len(integrated), resamples=resamples, seed=seed)


def calibration_curve(
    weeks: np.ndarray, died: np.ndarray, curves: SurvivalCurves, week: float, groups: int = 5
) -> tuple[CalibrationPoint, ...]:
    """Return predicted against observed mortality at one time for groups of predicted mortality, lowest first.

    Observed mortality is one minus Kaplan–Meier, its interval exponential Greenwood.

    Args:
        weeks: observed times ``(n,)``.
        died: whether the time ended in death ``(n,)``.
        curves: predicted survival of the same patients.
        week: the time.
        groups: number of groups of equal size.

    Raises:
        InputError: bad times or events, a time outside the curves, or fewer patients than groups.
    """
    mortality = 1.0 - curves.at(week)
    check_survival(weeks, died, mortality)
    weeks, died = np.asarray(weeks, float), np.asarray(died, bool)
    if len(weeks) < groups:
        raise InputError(f"{len(weeks)} patients cannot be split into {groups} groups; ask for fewer groups.")
    points = []
    for members in np.array_split(np.argsort(mortality, kind="stable"), groups):
        fitter = KaplanMeierFitter().fit(weeks[members], died[members])
        band = fitter.confidence_interval_survival_function_
        row = band.index.searchsorted(week, side="right") - 1
        low, high = band.iloc[row]
        points.append(
            CalibrationPoint(
                float(mortality[members].mean()), 1 - float(fitter.predict(week)), 1 - high, 1 - low, len(members)
            )
        )
    return tuple(points)


def calibration_slope(weeks: np.ndarray, died: np.ndarray, log_hazard: np.ndarray) -> Estimate:
    """Return the Cox coefficient of the predicted log-hazard itself with its 95 % interval; 1 is calibrated.

    Below 1 the predictions are too extreme, above 1 too timid (van Houwelingen, Stat Med 2000 19:3401).

    Args:
        weeks: observed times ``(n,)``.
        died: whether the time ended in death ``(n,)``.
        log_hazard: predicted log partial hazard ``(n,)``.

    Raises:
        InputError: bad times or events, or all predictions are equal.
    """
    check_survival(weeks, died, log_hazard)
    if np.ptp(log_hazard) == 0:
        raise InputError("All predicted risks are equal, so their calibration slope is undefined.")
    table = pd.DataFrame({"weeks": weeks, "died": np.asarray(died, int), "risk": log_hazard})
    row = CoxPHFitter().fit(table, "weeks", "died").summary.loc["risk"]
    return Estimate(
        float(row["coef"]), float(row["coef lower 95%"]), float(row["coef upper 95%"]), len(table), float(row["p"])
    )


def _brier_terms(weeks: np.ndarray, died: np.ndarray, curves: SurvivalCurves, week: float) -> np.ndarray:
    """Return each patient's weighted squared error at one time ``(n,)``."""
    alive = curves.at(week)
    check_survival(weeks, died, alive)
    weeks, died = np.asarray(weeks, float), np.asarray(died, bool)
    # Whoever died was uncensored until just before; whoever lives on is uncensored now.
    censoring = KaplanMeierFitter().fit(weeks, ~died)
    steps, uncensored = censoring.survival_function_.index.to_numpy(), censoring.survival_function_.to_numpy()[:, 0]
    before = uncensored[np.maximum(np.searchsorted(steps, weeks, side="left") - 1, 0)]
    now = uncensored[np.searchsorted(steps, week, side="right") - 1]
    dead = (weeks <= week) & died
    later = weeks > week
    if not later.any():
        raise InputError(f"Nobody is followed up for {week:g} weeks; measure the Brier score earlier.")
    terms = np.zeros(len(weeks))
    terms[dead] = alive[dead] ** 2 / before[dead]
    terms[later] = (1 - alive[later]) ** 2 / now
    return terms
