"""Tables and figures of the arms that choose a protocol (paper's tables 2 and 3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mewm.evaluation import figures
from mewm.evaluation.case_measures import CONTRASTIVE_ARM, TREATED
from mewm.evaluation.config import EvaluationConfig
from mewm.evaluation.intervals import Estimate, bootstrap_mean
from mewm.evaluation.protocol_metrics import average_scores, found_best, paired_test, regrets, score_cases
from mewm.evaluation.registry import NOT_TRAINED
from mewm.evaluation.tables import write_table

ORACLE = "oracle"
FULL = "full method"
NEARLY = 0.02
"""A regret up to this (2 % more hazard) counts as nearly the best: chance decides between such protocols."""
CEILING = {
    "search on true hazards": "at least 0.95",
    "most frequent combination": "low",
    "all allowed agents": "low",
}
"""What each of three arms must show, or the world is no test: whether the search can find the best, and whether habit
or "more" would do as well."""
Choices = Sequence[Mapping[str, Any]]


def summarise_protocols(
    records: Sequence[Mapping[str, Any]], config: EvaluationConfig, out: Path, no_ablation: str = NOT_TRAINED
) -> dict[str, Any]:
    """Write a table against each reference, paired tests, the ceiling and figures; return everything as values.

    Args:
        records: ``protocols`` measurements of the cases.
        config: the settings.
        out: folder to write to.
        no_ablation: why the arm without the contrastive loss was not measured, where it was not.
    """
    cases = [record["protocols"] for record in records]
    chosen = {name: [case["arms"][name] for case in cases] for name in cases[0]["arms"]}
    arms: dict[str, Choices] = {TREATED: [case[TREATED] for case in cases], **chosen}
    regret = {}
    if ORACLE in arms:
        best = [choice["log_hazard"] for choice in arms[ORACLE]]
        regret = {name: regrets([choice["log_hazard"] for choice in mine], best) for name, mine in arms.items()}
    results: dict[str, Any] = {"regret_unit": "expected log-hazard above the best admissible protocol"}
    references = {"best": arms[ORACLE]} if ORACLE in arms else {}
    for reference, right in {**references, TREATED: arms[TREATED]}.items():
        key = f"against_{reference.replace(' ', '_')}"
        scores = {
            name: score_cases([c["agents"] for c in mine], [c["agents"] for c in right])
            for name, mine in arms.items()
            if mine is not right
        }
        silent = {name for name in scores if all(choice.get("failure") for choice in arms[name])}
        rows = [
            {"arm": name, "cases": f"no answer: {arms[name][0]['failure']}"}
            if name in silent
            else _row(name, per_case, regret.get(name), config)
            for name, per_case in scores.items()
        ]
        if CONTRASTIVE_ARM not in scores:
            rows.insert(_place(rows), {"arm": CONTRASTIVE_ARM, "cases": no_ablation})
        write_table(rows, out / f"protocols_{key}", f"Protocols against the {reference} protocol")
        title = f"Agreement with the {reference} protocol"
        figures.save(figures.dots(_estimates(rows), title), out / f"protocols_{key}")
        scores = {name: per_case for name, per_case in scores.items() if name not in silent}
        paired = _paired(scores, regret if reference == "best" else {}, config)
        write_table(paired, out / f"paired_{key}", f"{FULL} minus each other arm, against the {reference} protocol")
        results |= {key: rows, f"paired_{key}": paired}
    if regret:
        results["ceiling"] = [_ceiling(name, regret[name], config) for name in CEILING if name in regret]
        write_table(results["ceiling"], out / "ceiling", "Is the world a test?")
    failures = {n: sorted({c["failure"] for c in mine if c.get("failure")}) for n, mine in arms.items()}
    results["failures"] = {name: sentences for name, sentences in failures.items() if sentences}
    results["choices"] = {name: [choice["protocol"] for choice in mine] for name, mine in arms.items()}
    return results


def _row(
    name: str, per_case: Mapping[str, np.ndarray], regret: np.ndarray | None, config: EvaluationConfig
) -> dict[str, Any]:
    chance = {"resamples": config.resamples, "seed": config.seed}
    row: dict[str, Any] = {"arm": name, "cases": len(next(iter(per_case.values())))}
    row |= average_scores(per_case, **chance)
    if regret is None:
        return row
    known = regret[np.isfinite(regret)]
    if len(known):
        row["regret"] = bootstrap_mean(known, **chance)
        row["hazard_ratio"] = float(np.exp(known.mean()))
    row["best_found"] = bootstrap_mean(found_best(regret).astype(float), **chance)
    row["nearly_best"] = bootstrap_mean(found_best(regret, NEARLY).astype(float), **chance)
    row["no_choice"] = len(regret) - len(known)
    return row


def _place(rows: Sequence[Mapping[str, Any]]) -> int:
    """Return where the arm that was not measured belongs: before the full method."""
    return next((i for i, row in enumerate(rows) if row["arm"] == FULL), len(rows))


def _estimates(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Estimate]]:
    return {
        row["arm"]: {key: value for key, value in row.items() if isinstance(value, Estimate)}
        for row in rows
        if not isinstance(row["cases"], str)
    }


def _ceiling(name: str, regret: np.ndarray, config: EvaluationConfig) -> dict[str, Any]:
    chance = {"resamples": config.resamples, "seed": config.seed}
    known = regret[np.isfinite(regret)]
    return {
        "arm": name,
        "cases": len(regret),
        "best_found": bootstrap_mean(found_best(regret).astype(float), **chance),
        "must_be": CEILING[name],
        "nearly_best": bootstrap_mean(found_best(regret, NEARLY).astype(float), **chance),
        "regret": bootstrap_mean(known, **chance) if len(known) else "no choice in any case",
    }


def _paired(
    scores: Mapping[str, Mapping[str, np.ndarray]], regret: Mapping[str, np.ndarray], config: EvaluationConfig
) -> list[dict[str, Any]]:
    """Return the full method's difference to each other arm, case by case."""
    rows = []
    for name in scores:
        if name == FULL:
            continue
        pairs = {metric: (scores[FULL][metric], scores[name][metric]) for metric in scores[FULL]}
        if name in regret:
            both = np.isfinite(regret[FULL]) & np.isfinite(regret[name])
            if both.any():
                pairs["regret"] = (regret[FULL][both], regret[name][both])
        for metric, (mine, other) in pairs.items():
            test = paired_test(mine, other, resamples=config.resamples, seed=config.seed)
            rows.append(
                {
                    "arm": name,
                    "metric": metric,
                    "difference": test.difference,
                    "wilcoxon_p": test.wilcoxon_p,
                    "higher": test.better,
                    "lower": test.worse,
                    "tied": test.tied,
                }
            )
    return rows
