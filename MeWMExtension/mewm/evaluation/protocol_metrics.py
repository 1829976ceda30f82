"""How close is a chosen protocol to a reference, and how much hazard does the difference cost?

A protocol counts as the set of its agents, drugs and embolics together; doses and particle sizes do not count. As in
the paper's tables 2 and 3, every metric is computed for each case and then averaged over cases (not pooled): there the
mean F1 is not the F1 of mean precision and recall (arXiv 2506.02327: 52.4 against 53.3).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
from scipy import stats

from mewm.errors import InputError
from mewm.evaluation.intervals import RESAMPLES, Estimate, bootstrap_difference, bootstrap_mean


@dataclass(frozen=True)
class AgentScores:
    """Agreement of two sets of agents, each between 0 and 1."""

    f1: float
    jaccard: float
    precision: float
    recall: float


METRICS = tuple(field.name for field in fields(AgentScores))


def agent_scores(chosen: Collection[str], reference: Collection[str]) -> AgentScores:
    """Compare the agents of a chosen protocol with those of a reference.

    Args:
        chosen: agent identifiers; repeats count once.
        reference: agent identifiers.

    Returns:
        Precision: share of the chosen agents that are right; recall: share of the right agents that were chosen; F1:
        their harmonic mean; Jaccard: common agents over all agents. Choosing nothing scores 0 throughout.

    Raises:
        InputError: the reference is empty.
    """
    wanted, given = set(reference), set(chosen)
    if not wanted:
        raise InputError("The reference protocol is empty; a case without a reference cannot be measured.")
    common = len(wanted & given)
    return AgentScores(
        f1=2 * common / (len(wanted) + len(given)),
        jaccard=common / len(wanted | given),
        precision=common / len(given) if given else 0.0,
        recall=common / len(wanted),
    )


def score_cases(chosen: Sequence[Collection[str]], reference: Sequence[Collection[str]]) -> dict[str, np.ndarray]:
    """Return each metric per case.

    Args:
        chosen: agents an arm chose for each case; none where it found no protocol, which scores 0.
        reference: agents of the best or the as-treated protocol of the same cases.

    Returns:
        metric → ``(cases,)``, for the names in ``METRICS``.

    Raises:
        InputError: lengths differ, or a reference is empty.
    """
    if len(chosen) != len(reference):
        raise InputError(f"{len(chosen)} chosen and {len(reference)} reference protocols cannot be compared.")
    scores = [agent_scores(mine, right) for mine, right in zip(chosen, reference, strict=True)]
    return {name: np.array([getattr(score, name) for score in scores]) for name in METRICS}


def average_scores(
    per_case: Mapping[str, np.ndarray], *, resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, Estimate]:
    """Return each metric averaged over cases with its bootstrap interval.

    Args:
        per_case: result of :func:`score_cases`.
        resamples: how often to resample the cases.
        seed: seed of the resampling.
    """
    return {name: bootstrap_mean(values, resamples=resamples, seed=seed) for name, values in per_case.items()}


@dataclass(frozen=True)
class PairedTest:
    """Two arms on the same cases.

    Attributes:
        difference: mean difference with bootstrap interval and p.
        wilcoxon_p: two-sided Wilcoxon signed-rank p; 1 where all cases are tied.
        better, worse, tied: cases in which the first arm is above, below, equal.
    """

    difference: Estimate
    wilcoxon_p: float
    better: int
    worse: int
    tied: int


def paired_test(first: np.ndarray, second: np.ndarray, *, resamples: int = RESAMPLES, seed: int = 0) -> PairedTest:
    """Test whether two arms differ, case by case.

    Zero differences are left out before ranking (Wilcoxon's own treatment), so small samples get the exact p.

    Args:
        first, second: a metric per case ``(cases,)``.
        resamples: how often to resample the cases.
        seed: seed of the resampling.

    Raises:
        InputError: lengths differ or there is no case.
    """
    first, second = np.asarray(first, float), np.asarray(second, float)
    if first.shape != second.shape:
        raise InputError(f"Arms measured on {len(first)} and {len(second)} cases cannot be paired.")
    difference = bootstrap_difference(
        lambda index: float(first[index].mean()),
        lambda index: float(second[index].mean()),
        len(first),
        resamples=resamples,
        seed=seed,
    )
    gap = first - second
    p = float(stats.wilcoxon(gap[gap != 0]).pvalue) if np.any(gap) else 1.0
    better, worse = int((gap > 0).sum()), int((gap < 0).sum())
    return PairedTest(difference, p, better, worse, len(gap) - better - worse)


def regrets(chosen: Sequence[float | None], best: Sequence[float]) -> np.ndarray:
    """Return how much more expected log-hazard each choice carries than the best admissible protocol ``(cases,)``.

    A protocol outside the admissible ones of usual dose and horizon can be better than the best of them: then it is
    below 0.

    Args:
        chosen: expected log-hazard of an arm's choice in each case; ``None`` where it chose nothing.
        best: that of the best admissible protocol.

    Returns:
        Differences of log-hazards, whose exponential is the hazard ratio; NaN where nothing was chosen.

    Raises:
        InputError: lengths differ.
    """
    if len(chosen) != len(best):
        raise InputError(f"{len(chosen)} choices and {len(best)} best protocols cannot be compared.")
    return np.array([np.nan if mine is None else mine for mine in chosen], dtype=float) - np.asarray(best, float)


def found_best(regret: np.ndarray, tolerance: float = 2e-5) -> np.ndarray:
    """Return whether each choice is as good as the best ``(cases,)``, ties counted as found.

    Args:
        regret: what :func:`regrets` returned; NaN counts as not found.
        tolerance: largest regret that counts as none. Hazards are stored with five decimals.
    """
    return np.asarray(regret, float) <= tolerance
