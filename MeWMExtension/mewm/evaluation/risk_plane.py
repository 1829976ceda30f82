"""Predicted against observed risk over a plane of patients (paper's figure 5).

The paper shows heat maps of risk over two coordinates of the patients beside the Nelson–Aalen estimate, and the mean
squared error between them; how the coordinates and a patient's estimate come about it does not say. Here the
coordinates are the first two principal components of all covariates, and the observed risk of a place is the
Nelson–Aalen cumulative hazard of the patients around it, weighted by a Gaussian kernel (Beran's conditional
estimate, University of California, Berkeley 1981).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mewm.errors import InputError
from mewm.evaluation.survival_calibration import SurvivalCurves
from mewm.evaluation.survival_metrics import check_survival

_TINY = 1e-6
_SAME = 1e-9


@dataclass(frozen=True, eq=False)
class ObservedPlane:
    """Observed risk over the plane.

    Attributes:
        x, y: centres of the cells ``(k,)``.
        weights: weight of each patient in each cell, summing to one ``(k, k, n)``, rows along y.
        observed: Nelson–Aalen cumulative hazard ``(k, k)``; NaN where too few patients are near.
        patients: coordinates of the patients ``(n, 2)``.
        week: time of the cumulative hazard.
    """

    x: np.ndarray
    y: np.ndarray
    weights: np.ndarray
    observed: np.ndarray
    patients: np.ndarray
    week: float


@dataclass(frozen=True, eq=False)
class RiskPlane:
    """Predicted cumulative hazard ``(k, k)`` beside the observed one, and their mean squared difference over cells."""

    truth: ObservedPlane
    predicted: np.ndarray
    mse: float


def coordinates(features: Sequence[Mapping[str, float | None]]) -> np.ndarray:
    """Return the patients' first two principal components of standardised covariates ``(n, 2)``, unit variance each.

    Args:
        features: covariates of each patient; what is missing takes the median, what does not vary is left out.

    Raises:
        InputError: fewer than two covariates vary.
    """
    frame = pd.DataFrame(list(features), dtype=float)
    frame = frame.fillna(frame.median()).dropna(axis=1)
    frame = frame.loc[:, frame.std() > _SAME]
    scaled = ((frame - frame.mean()) / frame.std()).to_numpy()
    if min(scaled.shape) < 2:
        raise InputError("Fewer than two covariates vary between the patients, so they span no plane of risk.")
    left, size, right = np.linalg.svd(scaled - scaled.mean(axis=0), full_matrices=False)
    # The sign of a component is arbitrary; the covariate that counts most shall point up.
    signs = np.sign(right[np.arange(2), np.abs(right[:2]).argmax(axis=1)])
    scores = left[:, :2] * size[:2] * signs
    spread = scores.std(axis=0)
    if spread[1] < _SAME * spread[0]:
        raise InputError("Fewer than two covariates vary between the patients, so they span no plane of risk.")
    return scores / spread


def observed_plane(
    weeks: np.ndarray,
    died: np.ndarray,
    patients: np.ndarray,
    *,
    week: float = 104.0,
    cells: int = 16,
    bandwidth: float | None = None,
    fewest: float = 5.0,
) -> ObservedPlane:
    """Estimate the observed risk over the plane.

    Args:
        weeks: observed times ``(n,)``.
        died: whether the time ended in death ``(n,)``.
        patients: coordinates ``(n, 2)``.
        week: time of the cumulative hazard.
        cells: cells along each axis, from the 5th to the 95th percentile of the patients.
        bandwidth: standard deviation of the kernel; ``n`` to the power −1/6 by default (Scott's rule).
        fewest: cells with a smaller effective number of patients, ``1 / Σ weight²``, are left out.

    Raises:
        InputError: see :func:`mewm.evaluation.survival_metrics.check_survival`; or no cell has enough patients.
    """
    check_survival(weeks, died, patients[:, 0], patients[:, 1])
    weeks, died = np.asarray(weeks, float), np.asarray(died, bool)
    width = len(weeks) ** (-1 / 6) if bandwidth is None else bandwidth
    low, high = np.quantile(patients, [0.05, 0.95], axis=0)
    x, y = np.linspace(low, high, cells).T
    gap = (x[None, :, None] - patients[:, 0]) ** 2 + (y[:, None, None] - patients[:, 1]) ** 2
    # The nearest patient's weight is one before scaling, so that a lonely cell does not divide by zero.
    kernel = np.exp(-(gap - gap.min(axis=2, keepdims=True)) / (2 * width**2))
    weights = kernel / kernel.sum(axis=2, keepdims=True)
    near = 1 / (weights**2).sum(axis=2) >= fewest
    observed = np.where(near, _cumulative_hazards(weeks, died, weights, week), np.nan)
    if not np.isfinite(observed).any():
        raise InputError(f"{len(weeks)} patients are too few for a plane of risk; take more cases.")
    return ObservedPlane(x, y, weights, observed, patients, week)


def risk_plane(truth: ObservedPlane, curves: SurvivalCurves) -> RiskPlane:
    """Compare a model's risk over the plane with the observed one.

    A cell's predicted cumulative hazard is minus the logarithm of its patients' weighted mean survival.

    Args:
        truth: what :func:`observed_plane` returned.
        curves: predicted survival of the same patients.

    Raises:
        InputError: the time lies outside the curves.
    """
    alive = truth.weights @ curves.at(truth.week)
    predicted = np.where(np.isfinite(truth.observed), -np.log(np.maximum(alive, _TINY)), np.nan)
    return RiskPlane(truth, predicted, float(np.nanmean((predicted - truth.observed) ** 2)))


def plane_features(records: Sequence[Mapping[str, Any]]) -> list[dict[str, float | None]]:
    """Return all covariates of measured cases: radiomics and clinical facts."""
    return [{**r["survival"]["radiomics"], **r["survival"]["clinical"]} for r in records]


def _cumulative_hazards(weeks: np.ndarray, died: np.ndarray, weights: np.ndarray, week: float) -> np.ndarray:
    """Return the weighted Nelson–Aalen estimate at one time for each row of weights ``(..., n)``.

    lifelines gives the same, one cell at a time and a hundred times slower.
    """
    order = np.argsort(weeks, kind="stable")
    times, sorted_weights = weeks[order], weights[..., order]
    still = np.cumsum(sorted_weights[..., ::-1], axis=-1)[..., ::-1]
    # Whoever leaves at the same time is still at risk then.
    at_risk = still[..., np.searchsorted(times, times, side="left")]
    steps = np.where(died[order] & (times <= week), sorted_weights / np.maximum(at_risk, _TINY**2), 0.0)
    return steps.sum(axis=-1)
