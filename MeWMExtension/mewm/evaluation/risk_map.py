"""Predicted against observed cumulative hazard over time: after the paper's risk map (figure 5)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from lifelines import NelsonAalenFitter

from mewm.errors import InputError
from mewm.evaluation.survival_calibration import SurvivalCurves
from mewm.evaluation.survival_metrics import check_survival

# Below this probability a curve counts as nil: the logarithm must stay finite.
_TINY = 1e-6
# A Nelson–Aalen estimate from fewer patients jumps too far to be compared with.
_AT_RISK = 0.1


@dataclass(frozen=True, eq=False)
class RiskMap:
    """Predicted beside observed cumulative hazard of groups of patients over time (after the paper's figure 5).

    Attributes:
        weeks: times ``(m,)``.
        predicted, observed: cumulative hazard ``(groups, m)``, lowest risk first; NaN where too few are at risk.
        patients: patients a group.
        mse: mean squared difference over groups and times.
        overall_mse: the same with all patients as one group.
    """

    weeks: np.ndarray
    predicted: np.ndarray
    observed: np.ndarray
    patients: tuple[int, ...]
    mse: float
    overall_mse: float


def risk_map(
    weeks: np.ndarray,
    died: np.ndarray,
    curves: SurvivalCurves,
    order: np.ndarray | None = None,
    *,
    groups: int = 5,
    until: float = 156.0,
) -> RiskMap:
    """Compare predicted cumulative hazards with the Nelson–Aalen estimate.

    The paper's figure 5 sets predicted risk beside the Nelson–Aalen estimate and gives the mean squared error between
    them; :mod:`mewm.evaluation.risk_plane` does so over a plane of patients, this function over time. A single
    patient has no Nelson–Aalen estimate, so patients are sorted into equal groups; a group's observed cumulative
    hazard is its Nelson–Aalen estimate, its predicted one is minus the logarithm of the mean predicted survival (the
    hazard of the mixture, which is what Nelson–Aalen estimates). The mean squared error runs over groups and weeks.

    Groups by a model's own prediction reward calibration only: a model that says the same of everybody can win.
    To compare models give all of them the same ``order``, the true hazard where it is known.

    Args:
        weeks: observed times ``(n,)``.
        died: whether the time ended in death ``(n,)``.
        curves: predicted survival of the same patients.
        order: what the groups are formed by, higher is worse ``(n,)``; the predicted hazard by default.
        groups: number of groups.
        until: last week compared. A group is compared as long as a tenth of its patients is at risk; beyond that
            its entries are NaN.

    Raises:
        InputError: see :func:`mewm.evaluation.survival_metrics.check_survival`; or fewer patients than groups.
    """
    if order is None:
        # The mean cumulative hazard orders patients even where curves cross.
        order = -np.log(np.maximum(curves.survival, _TINY)).mean(axis=1)
    check_survival(weeks, died, order, curves.survival[:, -1])
    weeks, died = np.asarray(weeks, float), np.asarray(died, bool)
    if len(weeks) < groups:
        raise InputError(f"{len(weeks)} patients cannot be split into {groups} groups; ask for fewer groups.")
    grid = np.arange(1.0, np.floor(min(until, float(curves.weeks[-1]), float(weeks.max()))) + 1.0)
    members = np.array_split(np.argsort(order, kind="stable"), groups)
    predicted, observed = (
        np.array(x) for x in zip(*(_compared(weeks, died, curves, m, grid) for m in members), strict=True)
    )
    everyone = _compared(weeks, died, curves, np.arange(len(weeks)), grid)
    return RiskMap(
        grid,
        predicted,
        observed,
        tuple(len(m) for m in members),
        float(np.nanmean((predicted - observed) ** 2)),
        float(np.nanmean((everyone[0] - everyone[1]) ** 2)),
    )


def _compared(
    weeks: np.ndarray, died: np.ndarray, curves: SurvivalCurves, members: np.ndarray, grid: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return a group's predicted and observed cumulative hazard; NaN where too few are at risk."""
    mean = np.interp(grid, curves.weeks, curves.survival[members].mean(axis=0))
    fitter = NelsonAalenFitter(nelson_aalen_smoothing=False).fit(weeks[members], died[members])
    steps = fitter.cumulative_hazard_.index.to_numpy()
    observed = fitter.cumulative_hazard_.to_numpy()[np.searchsorted(steps, grid, side="right") - 1, 0]
    at_risk = (weeks[members][:, None] >= grid).sum(axis=0)
    told = at_risk >= max(1.0, _AT_RISK * len(members))
    return np.where(told, -np.log(np.maximum(mean, _TINY)), np.nan), np.where(told, observed, np.nan)
