"""What only a known truth allows: volumes, protocol retrieval, and whether the spread of replicas is honest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from mewm.errors import InputError
from mewm.evaluation.intervals import RESAMPLES, Estimate, bootstrap, bootstrap_mean
from mewm.measure import Measurements

QUANTITIES = ("viable_ml", "necrosis_ml", "lipiodol_ml", "viable_fraction", "necrosis_fraction", "lipiodol_fraction")
"""Volumes in ml, and shares of the lesion after treatment, so that a lesion's size does not flatter."""


def quantities(measured: Measurements) -> dict[str, float]:
    """Return the quantities that are compared, by name; a vanished lesion has fractions of 0."""
    lesion = measured.lesion_ml
    volumes = {
        "viable": measured.viable_ml,
        "necrosis": measured.necrosis_ml,
        "lipiodol": measured.lipiodol_ml,
    }
    return {
        **{f"{name}_ml": value for name, value in volumes.items()},
        **{f"{name}_fraction": value / lesion if lesion > 0 else 0.0 for name, value in volumes.items()},
    }


@dataclass(frozen=True)
class Agreement:
    """Simulated against true values of one quantity over cases.

    Attributes:
        bias: mean of simulated minus true.
        error: mean absolute difference.
        pearson, spearman: correlation; NaN where one side is constant.
    """

    bias: Estimate
    error: Estimate
    pearson: Estimate
    spearman: Estimate


def agreement(simulated: np.ndarray, true: np.ndarray, *, resamples: int = RESAMPLES, seed: int = 0) -> Agreement:
    """Compare a quantity of simulated and true volumes.

    Args:
        simulated: a value a case ``(n,)``; the mean over replicas where there are several.
        true: the truth of the same cases ``(n,)``.
        resamples: how often to resample the cases.
        seed: seed of the resampling.

    Raises:
        InputError: lengths differ or there is no case.
    """
    simulated, true = np.asarray(simulated, float), np.asarray(true, float)
    if simulated.shape != true.shape or simulated.ndim != 1:
        raise InputError(f"Values of shapes {simulated.shape} and {true.shape} cannot be compared case by case.")

    def ranked(index: np.ndarray) -> float:
        return pearson(*(stats.rankdata(values[index]) for values in (simulated, true)))

    gap = simulated - true
    return Agreement(
        bias=bootstrap_mean(gap, resamples=resamples, seed=seed),
        error=bootstrap_mean(np.abs(gap), resamples=resamples, seed=seed),
        pearson=correlation(simulated, true, resamples=resamples, seed=seed),
        spearman=bootstrap(ranked, len(true), resamples=resamples, seed=seed),
    )


def correlation(simulated: np.ndarray, true: np.ndarray, *, resamples: int = RESAMPLES, seed: int = 0) -> Estimate:
    """Return Pearson's correlation over cases with its bootstrap interval; NaN where one side is constant.

    Args:
        simulated, true: a value a case ``(n,)``.
        resamples: how often to resample the cases.
        seed: seed of the resampling.

    Raises:
        InputError: there is no case.
    """
    first, second = np.asarray(simulated, float), np.asarray(true, float)
    return bootstrap(lambda index: pearson(first[index], second[index]), len(first), resamples=resamples, seed=seed)


@dataclass(frozen=True, eq=False)
class Retrieval:
    """Share of simulations whose own protocol's truth is among the nearest.

    Attributes:
        top1, top_k: shares with intervals over cases.
        per_case: share of ``top1`` in each case ``(cases,)``.
        k: how many nearest count for ``top_k``.
        candidates: number of protocols compared; chance is ``1 / candidates`` and ``k / candidates``.
    """

    top1: Estimate
    top_k: Estimate
    per_case: np.ndarray
    k: int
    candidates: int


def protocol_retrieval(distances: np.ndarray, k: int = 3, *, resamples: int = RESAMPLES, seed: int = 0) -> Retrieval:
    """Tell whether a simulation looks more like its own protocol's truth than like other protocols'.

    Args:
        distances: ``(cases, n, n)``; entry ``[c, i, j]`` is the distance of case c's simulation under protocol i
            from its truth under protocol j. Ties are settled by expectation, as a coin would on average.
        k: how many nearest count for ``top_k``.
        resamples: how often to resample the cases.
        seed: seed of the resampling.

    Raises:
        InputError: the shape is wrong or k is not below n.
    """
    distances = np.asarray(distances, float)
    if distances.ndim != 3 or distances.shape[1] != distances.shape[2]:
        raise InputError(f"Distances have the shape {distances.shape}; give (cases, protocols, protocols).")
    count = distances.shape[1]
    if not 1 <= k < count:
        raise InputError(f"The nearest {k} of {count} protocols say nothing; choose fewer than {count}.")
    own = np.diagonal(distances, axis1=1, axis2=2)[..., None]
    nearer = (distances < own).sum(axis=2)
    tied = (distances == own).sum(axis=2)
    # With t tied (own one included) behind r nearer, the own one lands on places r + 1 … r + t with equal chance.
    within = {places: np.clip((places - nearer) / tied, 0.0, 1.0).mean(axis=1) for places in (1, k)}
    top1, top_k = (bootstrap_mean(within[p], resamples=resamples, seed=seed) for p in (1, k))
    return Retrieval(top1, top_k, within[1], k, count)


def coverage(
    replicas: np.ndarray, true: np.ndarray, level: float = 0.8, *, resamples: int = RESAMPLES, seed: int = 0
) -> Estimate:
    """Return the share of truths inside the central interval of their replicas; an honest spread gives ``level``.

    The interval's ends are the replicas' quantiles at plotting positions ``i / (T + 1)``, at which a truth drawn like
    the replicas falls inside with probability ``level`` whatever T is.

    Args:
        replicas: ``(cases, T)`` values of a quantity.
        true: ``(cases,)``.
        level: coverage that the interval claims.
        resamples: how often to resample the cases.
        seed: seed of the resampling.

    Raises:
        InputError: shapes differ, or too few replicas for such an interval.
    """
    replicas, true = np.asarray(replicas, float), np.asarray(true, float)
    if replicas.ndim != 2 or replicas.shape[:1] != true.shape:
        raise InputError(f"Replicas of shape {replicas.shape} do not fit truths of shape {true.shape}.")
    needed = replicas_needed(level)
    if replicas.shape[1] < needed:
        raise InputError(
            f"{replicas.shape[1]} replicas cannot span a {level:.0%} interval; simulate at least {needed} a case."
        )
    low, high = np.quantile(replicas, [(1 - level) / 2, (1 + level) / 2], axis=1, method="weibull")
    return bootstrap_mean(((true >= low) & (true <= high)).astype(float), resamples=resamples, seed=seed)


def replicas_needed(level: float) -> int:
    """Return the fewest replicas whose range claims a central interval of that level: 9 for 80 %."""
    return int(np.ceil(2 / (1 - level) - 1e-9)) - 1


def response_agreement(simulated: Sequence[str], true: Sequence[str]) -> float:
    """Return Cohen's kappa of the mRECIST-like categories, linear weights in the order CR, PR, SD, PD.

    Args:
        simulated, true: category of each case.

    Returns:
        1 for perfect agreement, 0 for chance; NaN where both sides name one category only.

    Raises:
        InputError: lengths differ or a category is unknown.
    """
    order = ("CR", "PR", "SD", "PD")
    if len(simulated) != len(true) or not set(simulated) | set(true) <= set(order):
        raise InputError("Responses cannot be compared; give CR, PR, SD or PD for the same cases.")
    table = np.zeros((4, 4))
    for mine, right in zip(simulated, true, strict=True):
        table[order.index(mine), order.index(right)] += 1
    weight = np.abs(np.subtract.outer(np.arange(4), np.arange(4)))
    chance = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    expected = float((weight * chance).sum())
    return 1 - float((weight * table).sum()) / expected if expected else float("nan")


def pearson(first: np.ndarray, second: np.ndarray) -> float:
    """Return Pearson's correlation of two lists of values; NaN where one is constant."""
    if len(first) < 2 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    return float(np.corrcoef(first, second)[0, 1])
