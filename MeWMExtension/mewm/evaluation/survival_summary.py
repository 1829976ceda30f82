"""Tables and figures of the survival models (paper's figures 5 and 6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from mewm.evaluation import figures
from mewm.evaluation.config import EvaluationConfig
from mewm.evaluation.cox_baselines import fit_baseline
from mewm.evaluation.risk_map import risk_map
from mewm.evaluation.survival_calibration import (
    SurvivalCurves,
    brier_score,
    calibration_curve,
    calibration_slope,
    integrated_brier_score,
)
from mewm.evaluation.survival_metrics import c_index, c_index_difference, groups_table, risk_groups
from mewm.evaluation.tables import write_table
from mewm.survival.cox import CoxSurvival

WEEKS = (52.0, 104.0)
ORACLE = "oracle"
METHOD = "survival model on the true CT"
_LAST_WEEK = 260
Prediction = tuple[np.ndarray, np.ndarray, SurvivalCurves]
"""Log-hazards of the training and of the tested patients, and the curves of the tested ones."""


def summarise_survival(
    train: Sequence[Mapping[str, Any]],
    test: Sequence[Mapping[str, Any]],
    config: EvaluationConfig,
    info: Mapping[str, Any],
    out: Path,
) -> dict[str, Any]:
    """Write ``survival``, ``risk_groups`` and the figures; return everything as values.

    Args:
        train: measurements of the cases that the baselines are fitted on.
        test: those measured.
        config: the settings.
        info: contents of ``cohort.json``.
        out: folder to write to.
    """
    weeks, died = _outcome(test)
    chance = {"resamples": config.resamples, "seed": config.seed}
    models = _predictions(train, test, info)
    order = models[ORACLE][1] if ORACLE in models else None
    rows, groups, maps, points = [], {}, {}, {}
    group_rows: list[dict[str, Any]] = []
    for name, (seen, risk, curves) in models.items():
        row: dict[str, Any] = {"model": name, "patients": len(test), "deaths": int(died.sum())}
        row["c_index"] = c_index(weeks, died, risk, **chance)
        if name != METHOD:
            row["method_minus_this"] = c_index_difference(weeks, died, models[METHOD][1], risk, **chance)
        # The cut between the groups is the training patients' median, so that it does not depend on the test.
        groups[name] = risk_groups(weeks, died, risk, cuts=_cut(seen, risk))
        row["logrank_p"] = groups[name].logrank_p
        for week in WEEKS:
            row[f"brier_{week:g}"] = brier_score(weeks, died, curves, week, **chance)
        row["integrated_brier"] = integrated_brier_score(weeks, died, curves, WEEKS[-1], **chance)
        row["calibration_slope"] = calibration_slope(weeks, died, risk)
        maps[name] = risk_map(weeks, died, curves, order, groups=_groups(len(test)))
        row["nelson_aalen_mse"] = maps[name].mse
        row["nelson_aalen_mse_overall"] = maps[name].overall_mse
        points[name] = calibration_curve(weeks, died, curves, WEEKS[0], _groups(len(test)))
        group_rows += [{"model": name, **line} for line in groups_table(groups[name]).to_dict("records")]
        rows.append(row)
    write_table(rows, out / "survival", "Survival models on the tested patients")
    write_table(group_rows, out / "risk_groups", "Groups of predicted risk")
    figures.save(figures.kaplan_meier(groups), out / "kaplan_meier")
    figures.save(figures.risk_maps(maps), out / "risk_map")
    figures.save(figures.calibration(points, WEEKS[0]), out / "calibration")
    known = "the true hazard" if order is not None else "each model's own prediction"
    return {
        "models": rows,
        "risk_groups": group_rows,
        "risk_map_groups_by": known,
        "calibration": {name: [asdict(point) for point in found] for name, found in points.items()},
        "same_cohort_as_training": _same_cohort(info),
    }


def _predictions(
    train: Sequence[Mapping[str, Any]], test: Sequence[Mapping[str, Any]], info: Mapping[str, Any]
) -> dict[str, Prediction]:
    weeks, died = _outcome(train)
    model = CoxSurvival.load()
    seen, risk = (np.array([r["survival"]["method_risk"] for r in rows]) for rows in (train, test))
    known = np.arange(min(model.baseline.size, _LAST_WEEK + 1), dtype=float)
    curves = np.array([model.survival_curve(r)[: len(known)] for r in risk])
    found: dict[str, Prediction] = {METHOD: (seen, risk, SurvivalCurves(known, curves))}
    for kind in ("radiomics", "clinical"):
        before, after = ([r["survival"][kind] for r in rows] for rows in (train, test))
        baseline = fit_baseline(before, weeks, died)
        found[f"{kind} Cox"] = (
            baseline.log_hazard(before),
            baseline.log_hazard(after),
            baseline.curves(after, float(_LAST_WEEK)),
        )
    if all(r["survival"]["true_log_hazard"] is not None for r in (*train, *test)):
        seen, risk = (np.array([r["survival"]["true_log_hazard"] for r in rows]) for rows in (train, test))
        found[ORACLE] = (seen, risk, _true_curves(risk, info))
    return found


def _true_curves(log_hazard: np.ndarray, info: Mapping[str, Any]) -> SurvivalCurves:
    """Return the world's own Weibull curves."""
    outcome = info["parameters"]["outcome"]
    weeks = np.arange(_LAST_WEEK + 1.0)
    cumulative = (weeks / outcome["weibull_scale_weeks"]) ** outcome["weibull_shape"]
    return SurvivalCurves(weeks, np.exp(-np.outer(np.exp(log_hazard), cumulative)))


def _outcome(records: Sequence[Mapping[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([r["os_weeks"] for r in records], dtype=float), np.array([r["event"] for r in records], dtype=bool)


def _cut(seen: np.ndarray, risk: np.ndarray) -> list[float] | None:
    cut = float(np.median(seen))
    # A cut beyond all tested patients would leave a group empty; then their own median is taken.
    return [cut] if risk.min() <= cut < risk.max() else None


def _groups(patients: int) -> int:
    """Return how many groups of at least about ten patients there are, two to five."""
    return int(np.clip(patients // 10, 2, 5))


def _same_cohort(info: Mapping[str, Any]) -> bool:
    """Return whether the survival model was trained on this very cohort; then only its test split is unseen."""
    trained = CoxSurvival.load().provenance.get("cohort", {})
    return (trained.get("kind"), trained.get("seed")) == (info.get("kind"), info.get("seed"))
