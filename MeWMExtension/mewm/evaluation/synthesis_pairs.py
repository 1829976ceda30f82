"""Is one synthesis arm better than another? Differences on the same cases, which intervals of two arms cannot tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mewm.evaluation.config import EvaluationConfig
from mewm.evaluation.intervals import Statistic, bootstrap_difference
from mewm.evaluation.protocol_metrics import paired_test
from mewm.evaluation.truth_metrics import QUANTITIES, pearson

FRACTIONS = tuple(name for name in QUANTITIES if name.endswith("_fraction"))


@dataclass(frozen=True, eq=False)
class ArmValues:
    """What one arm got in each case.

    Attributes:
        per_case: metric → value a case ``(cases,)``: LPIPS, and retrieval where the truth is known.
        first: share of the lesion → that of the first simulated future ``(cases,)``.
    """

    per_case: Mapping[str, np.ndarray]
    first: Mapping[str, np.ndarray]


def paired_rows(
    arms: Mapping[str, ArmValues], true: Mapping[str, np.ndarray], config: EvaluationConfig
) -> list[dict[str, Any]]:
    """Return the first arm minus each other arm, a row a metric.

    Args:
        arms: name → what it got; all on the same cases in the same order.
        true: share of the lesion → the truth ``(cases,)``.
        config: resamples and seed.
    """
    chance = {"resamples": config.resamples, "seed": config.seed}
    (_, mine), *others = arms.items()
    rows = []
    for name, other in others:
        pairs = {metric: (mine.per_case[metric], other.per_case[metric]) for metric in mine.per_case}
        for share in FRACTIONS:
            pairs[f"error of {share}"] = tuple(np.abs(arm.first[share] - true[share]) for arm in (mine, other))
        for metric, (first, second) in pairs.items():
            test = paired_test(first, second, **chance)
            rows.append({"arm": name, "metric": metric, "difference": test.difference, "wilcoxon_p": test.wilcoxon_p})
        for share in FRACTIONS:
            ours, theirs = (_correlation(arm.first[share], true[share]) for arm in (mine, other))
            found = bootstrap_difference(ours, theirs, len(true[share]), **chance)
            rows.append({"arm": name, "metric": f"pearson of {share}", "difference": found})
    return rows


def _correlation(simulated: np.ndarray, true: np.ndarray) -> Statistic:
    return lambda index: pearson(simulated[index], true[index])
