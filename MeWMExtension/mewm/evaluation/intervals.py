"""Intervals and paired tests by resampling cases.

The case is the unit of resampling everywhere: its rows stay together, those of a patient with several cases do not.
Percentile intervals (Efron & Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mewm.errors import InputError

RESAMPLES = 1000
LEVEL = 0.95
# A resample without a usable pair has no value; fewer than this share of usable resamples means no interval.
_USABLE = 0.5

Statistic = Callable[[np.ndarray], float]
"""Maps indices of cases, repeats allowed, to a number; NaN where the resample has no value."""


@dataclass(frozen=True)
class Estimate:
    """A figure with its percentile interval.

    Attributes:
        value: the figure on the cases as they are.
        low, high: ends of the interval; NaN where too few resamples had a value.
        cases: number of cases.
        p: two-sided bootstrap p against zero for a difference, else ``None``.
    """

    value: float
    low: float
    high: float
    cases: int
    p: float | None = None


def bootstrap(
    statistic: Statistic, cases: int, *, resamples: int = RESAMPLES, seed: int = 0, level: float = LEVEL
) -> Estimate:
    """Return a statistic with its bootstrap interval.

    Args:
        statistic: computed on resampled indices.
        cases: number of cases.
        resamples: how often to resample.
        seed: seed of the resampling.
        level: coverage of the interval.

    Raises:
        InputError: there is no case.
    """
    values = _resampled(statistic, cases, resamples, seed)
    low, high = _percentiles(values, level)
    return Estimate(float(statistic(np.arange(cases))), low, high, cases)


def bootstrap_difference(
    first: Statistic,
    second: Statistic,
    cases: int,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
) -> Estimate:
    """Return ``first - second`` on the same cases with interval and two-sided p.

    p is twice the smaller share of resampled differences on either side of zero, one added to count and number so
    that it is never 0 (Davison & Hinkley, Bootstrap Methods, 1997, section 4.4). It is smallest
    ``2 / (resamples + 1)``.

    Args:
        first, second: statistics of the two contenders.
        cases: number of cases both were measured on.
        resamples: how often to resample.
        seed: seed of the resampling.
        level: coverage of the interval.

    Raises:
        InputError: there is no case.
    """

    def difference(index: np.ndarray) -> float:
        return first(index) - second(index)

    values = _resampled(difference, cases, resamples, seed)
    low, high = _percentiles(values, level)
    known = values[np.isfinite(values)]
    tail = 1 + min(np.count_nonzero(known <= 0), np.count_nonzero(known >= 0))
    p = min(1.0, 2.0 * tail / (len(known) + 1))
    return Estimate(float(difference(np.arange(cases))), low, high, cases, p)


def bootstrap_mean(values: np.ndarray, *, resamples: int = RESAMPLES, seed: int = 0, level: float = LEVEL) -> Estimate:
    """Return the mean over cases with its bootstrap interval.

    Args:
        values: ``(cases,)``.
        resamples: how often to resample.
        seed: seed of the resampling.
        level: coverage of the interval.

    Raises:
        InputError: there is no case.
    """
    values = np.asarray(values, dtype=float)
    return bootstrap(
        lambda index: float(values[index].mean()), len(values), resamples=resamples, seed=seed, level=level
    )


def _resampled(statistic: Statistic, cases: int, resamples: int, seed: int) -> np.ndarray:
    if cases < 1:
        raise InputError("There is no case to measure; choose a split of the cohort that has cases.")
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    return np.array([statistic(rng.integers(0, cases, cases)) for _ in range(resamples)], dtype=float)


def _percentiles(values: np.ndarray, level: float) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    if len(known) < max(2, _USABLE * len(values)):
        return float("nan"), float("nan")
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
