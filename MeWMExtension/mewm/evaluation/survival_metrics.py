"""Does the predicted risk order the patients, and do groups of risk live differently long?

Times are weeks, events true for death, risks on any scale where higher is worse. lifelines does the statistics.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from lifelines import KaplanMeierFitter
from lifelines.statistics import multivariate_logrank_test
from lifelines.utils import concordance_index

from mewm.errors import InputError
from mewm.evaluation.intervals import RESAMPLES, Estimate, Statistic, bootstrap, bootstrap_difference


@dataclass(frozen=True, eq=False)
class RiskGroup:
    """Kaplan–Meier curve of one group of predicted risk.

    Attributes:
        name: e.g. ``"low risk"``.
        members: indices of its patients.
        weeks: times of the curve's steps, beginning at 0.
        survival: curve after each time, 0–1.
        low, high: pointwise 95 % interval (exponential Greenwood).
        median_weeks: median survival; ``inf`` if the curve stays above one half.
        deaths: number of deaths.
        follow_up: observed weeks of its patients, for the numbers at risk.
    """

    name: str
    members: np.ndarray
    weeks: np.ndarray
    survival: np.ndarray
    low: np.ndarray
    high: np.ndarray
    median_weeks: float
    deaths: int
    follow_up: np.ndarray


@dataclass(frozen=True)
class RiskGroups:
    """Groups of predicted risk, lowest risk first, and the log-rank test over all of them."""

    groups: tuple[RiskGroup, ...]
    logrank_p: float


def check_survival(weeks: np.ndarray, died: np.ndarray, *predictions: np.ndarray) -> None:
    """Check that times, events and predictions can be measured together.

    Raises:
        InputError: lengths differ, a number is missing or infinite, a time is negative, or nobody died.
    """
    if any(len(values) != len(weeks) for values in (died, *predictions)):
        lengths = ", ".join(str(len(values)) for values in (weeks, died, *predictions))
        raise InputError(f"Survival times, events and predictions have different lengths ({lengths}).")
    for what, values in (("survival times", weeks), *(("predictions", p) for p in predictions)):
        bad = np.count_nonzero(~np.isfinite(np.asarray(values, dtype=float)))
        if bad:
            raise InputError(f"The {what} hold {bad} missing or infinite values; leave those cases out.")
    if np.any(np.asarray(weeks) < 0):
        raise InputError(f"A survival time is {np.min(weeks):g} weeks; correct the table.")
    if not np.any(died):
        raise InputError("Nobody died among these cases, so survival cannot be measured; take more cases.")


def c_index(
    weeks: np.ndarray, died: np.ndarray, risk: np.ndarray, *, resamples: int = RESAMPLES, seed: int = 0
) -> Estimate:
    """Return Harrell's concordance index with its bootstrap interval (paper's figure 6).

    Args:
        weeks: observed times ``(n,)``.
        died: whether the time ended in death ``(n,)``.
        risk: predicted risk ``(n,)``.
        resamples: how often to resample the patients.
        seed: seed of the resampling.

    Raises:
        InputError: see :func:`check_survival`.
    """
    return bootstrap(_concordance(weeks, died, risk), len(weeks), resamples=resamples, seed=seed)


def c_index_difference(
    weeks: np.ndarray,
    died: np.ndarray,
    risk: np.ndarray,
    other: np.ndarray,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Estimate:
    """Return by how much the c-index of ``risk`` exceeds that of ``other`` on the same patients.

    Args:
        weeks: observed times ``(n,)``.
        died: whether the time ended in death ``(n,)``.
        risk, other: predicted risks of the two models ``(n,)``.
        resamples: how often to resample the patients.
        seed: seed of the resampling.

    Raises:
        InputError: see :func:`check_survival`.
    """
    first, second = _concordance(weeks, died, risk), _concordance(weeks, died, other)
    return bootstrap_difference(first, second, len(weeks), resamples=resamples, seed=seed)


def risk_groups(
    weeks: np.ndarray,
    died: np.ndarray,
    risk: np.ndarray,
    names: Sequence[str] = ("low risk", "high risk"),
    cuts: Sequence[float] | None = None,
) -> RiskGroups:
    """Split patients by predicted risk and compare the groups' survival (paper's figure 6).

    Args:
        weeks: observed times ``(n,)``.
        died: whether the time ended in death ``(n,)``.
        risk: predicted risk ``(n,)``.
        names: names of the groups, lowest risk first.
        cuts: risks between the groups, ascending; equal shares of these patients by default. Take the training
            cohort's where there is one, so that the groups do not depend on the patients measured.

    Raises:
        InputError: see :func:`check_survival`; or a group is empty.
    """
    check_survival(weeks, died, risk)
    weeks, died, risk = np.asarray(weeks, float), np.asarray(died, bool), np.asarray(risk, float)
    if cuts is None:
        cuts = np.quantile(risk, np.arange(1, len(names)) / len(names)).tolist()
    which = np.searchsorted(np.asarray(cuts), risk, side="left")
    groups = []
    for number, name in enumerate(names):
        members = np.flatnonzero(which == number)
        if not len(members):
            raise InputError(f"No patient falls into the group {name!r}; take fewer groups or other cuts.")
        groups.append(_group(name, members, weeks, died))
    test = multivariate_logrank_test(weeks, which, died)
    return RiskGroups(tuple(groups), float(test.p_value))


def _group(name: str, members: np.ndarray, weeks: np.ndarray, died: np.ndarray) -> RiskGroup:
    fitter = KaplanMeierFitter().fit(weeks[members], died[members])
    band = fitter.confidence_interval_survival_function_
    return RiskGroup(
        name=name,
        members=members,
        weeks=fitter.survival_function_.index.to_numpy(),
        survival=fitter.survival_function_.to_numpy()[:, 0],
        low=band.to_numpy()[:, 0],
        high=band.to_numpy()[:, 1],
        median_weeks=float(fitter.median_survival_time_),
        deaths=int(died[members].sum()),
        follow_up=weeks[members],
    )


def _concordance(weeks: np.ndarray, died: np.ndarray, risk: np.ndarray) -> Statistic:
    check_survival(weeks, died, risk)
    weeks, died, risk = np.asarray(weeks, float), np.asarray(died, bool), np.asarray(risk, float)

    def statistic(index: np.ndarray) -> float:
        try:
            return float(concordance_index(weeks[index], -risk[index], died[index]))
        except ZeroDivisionError:  # no two patients of this resample can be compared
            return float("nan")

    return statistic


def groups_table(found: RiskGroups) -> pd.DataFrame:
    """Return one row a group: patients, deaths, median survival."""
    return pd.DataFrame(
        [
            {"group": g.name, "patients": len(g.members), "deaths": g.deaths, "median_weeks": g.median_weeks}
            for g in found.groups
        ]
    )
