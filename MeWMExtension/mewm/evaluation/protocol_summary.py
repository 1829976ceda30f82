"""Tables and figures of the arms that choose a protocol (paper's tables 2 and 3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mewm.evaluation import figures
from mewm.evaluation.config import EvaluationConfig
from mewm.evaluation.intervals import bootstrap_mean
from mewm.evaluation.protocol_metrics import METRICS, agent_scores, average_scores, found_best, paired_test
from mewm.evaluation.tables import write_table

TREATED = "as treated"
ORACLE = "oracle"
FULL = "full method"


def summarise_protocols(records: Sequence[Mapping[str, Any]], config: EvaluationConfig, out: Path) -> dict[str, Any]:
    """Write a table against each reference, paired tests and figures; return everything as values.

    Args:
        records: ``protocols`` measurements of the cases.
        config: the settings.
        out: folder to write to.
    """
    cases = [record["protocols"] for record in records]
    chosen = {name: [case["arms"][name] for case in cases] for name in cases[0]["arms"]}
    treated = [case[TREATED] for case in cases]
    references = {TREATED: treated} | ({"best": chosen[ORACLE]} if ORACLE in chosen else {})
    arms = {TREATED: treated, **chosen}
    regrets = _regrets(arms) if ORACLE in chosen else {}
    results: dict[str, Any] = {"regret_unit": "expected log-hazard above the best admissible protocol"}
    for reference, right in references.items():
        rows, bars = [], {}
        per_arm = {name: _scores(mine, right) for name, mine in arms.items() if mine is not right}
        for name, per_case in per_arm.items():
            averaged = average_scores(per_case, resamples=config.resamples, seed=config.seed)
            bars[name] = averaged
            rows.append({"arm": name, "cases": len(cases), **averaged, **_cost(name, regrets, config)})
        key = reference.replace(" ", "_")
        write_table(rows, out / f"protocols_against_{key}", f"Protocols against the {reference} protocol")
        figures.save(figures.bars(bars, f"against the {reference} protocol"), out / f"protocols_against_{key}")
        results[f"against_{key}"] = rows
        results[f"paired_against_{key}"] = _paired(per_arm, regrets if reference == "best" else {}, config)
        write_table(results[f"paired_against_{key}"], out / f"paired_against_{key}", f"{FULL} minus each other arm")
    results["choices"] = {name: [choice["protocol"] for choice in mine] for name, mine in arms.items()}
    return results


def _scores(mine: Sequence[Mapping[str, Any]], right: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
    scores = [agent_scores(m["agents"], r["agents"]) for m, r in zip(mine, right, strict=True)]
    return {name: np.array([getattr(score, name) for score in scores]) for name in METRICS}


def _regrets(arms: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, np.ndarray]:
    """Return each arm's regret a case; NaN where an arm chose nothing.

    The as-treated protocol and the union of all agents are not among the admissible ones of usual dose and horizon, so
    their regret can be below zero.
    """
    hazards = {
        name: np.array([np.nan if m["log_hazard"] is None else m["log_hazard"] for m in mine], dtype=float)
        for name, mine in arms.items()
    }
    return {name: values - hazards[ORACLE] for name, values in hazards.items()}


def _cost(name: str, regrets: Mapping[str, np.ndarray], config: EvaluationConfig) -> dict[str, Any]:
    if name not in regrets:
        return {}
    known = regrets[name][np.isfinite(regrets[name])]
    row: dict[str, Any] = {"no_choice": len(regrets[name]) - len(known)}
    if len(known):
        chance = {"resamples": config.resamples, "seed": config.seed}
        row["regret"] = bootstrap_mean(known, **chance)
        row["best_found"] = bootstrap_mean(found_best(known).astype(float), **chance)
    return row


def _paired(
    per_arm: Mapping[str, Mapping[str, np.ndarray]], regrets: Mapping[str, np.ndarray], config: EvaluationConfig
) -> list[dict[str, Any]]:
    """Return the full method's difference to each other arm in F1 and regret, case by case."""
    rows = []
    for name in per_arm:
        if name == FULL:
            continue
        pairs = {"f1": (per_arm[FULL]["f1"], per_arm[name]["f1"])}
        if name in regrets:
            both = np.isfinite(regrets[FULL]) & np.isfinite(regrets[name])
            if both.any():
                pairs["regret"] = (regrets[FULL][both], regrets[name][both])
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
