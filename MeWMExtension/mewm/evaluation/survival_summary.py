"""Tables and figures of the survival models (paper's figures 5 and 6)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from lifelines.exceptions import ConvergenceError

from mewm.errors import InputError
from mewm.evaluation import figures, survival_figures
from mewm.evaluation.config import EvaluationConfig
from mewm.evaluation.risk_map import RiskMap, risk_map
from mewm.evaluation.risk_plane import RiskPlane, coordinates, observed_plane, plane_features, risk_plane
from mewm.evaluation.survival_calibration import (
    CalibrationPoint,
    SurvivalCurves,
    brier_score,
    calibration_curve,
    calibration_slope,
    integrated_brier_score,
)
from mewm.evaluation.survival_metrics import (
    RiskGroups,
    c_index,
    c_index_difference,
    check_survival,
    groups_table,
    risk_groups,
)
from mewm.evaluation.survival_predictions import METHOD, ORACLE, outcome, predictions, trained_on
from mewm.evaluation.tables import write_table
from mewm.survival.choose import choose_survival

WEEKS = (52.0, 104.0)
Measured = TypeVar("Measured")


def summarise_survival(
    train: Sequence[Mapping[str, Any]],
    test: Sequence[Mapping[str, Any]],
    config: EvaluationConfig,
    info: Mapping[str, Any],
    out: Path,
) -> dict[str, Any]:
    """Write ``survival``, ``risk_groups`` and the figures; return everything as values.

    What cannot be measured on few patients stands in the table as a sentence, not as a number.

    Args:
        train: measurements of the cases that the baselines are fitted on; none where those are tested.
        test: those measured.
        config: the settings.
        info: contents of ``cohort.json``.
        out: folder to write to.
    """
    weeks, died = outcome(test)
    try:
        check_survival(weeks, died)
    except InputError as error:
        write_table([{"not_measured": str(error)}], out / "survival", "Survival models on the tested patients")
        return {"not_measured": str(error)}
    method = choose_survival(config.survival)
    models, unfitted = predictions(train, test, info, method)
    order = models[ORACLE][1] if ORACLE in models else None
    count = _groups(len(test))
    seen_plane = _told(lambda: observed_plane(weeks, died, coordinates(plane_features(test))))
    rows: list[dict[str, Any]] = []
    groups: dict[str, RiskGroups | str] = {}
    maps: dict[str, RiskMap | str] = {}
    planes: dict[str, RiskPlane | str] = {}
    points: dict[str, dict[float, tuple[CalibrationPoint, ...] | str]] = {}
    for name, (seen, risk, curves) in models.items():
        row = {"model": name, "patients": len(test), "deaths": int(died.sum()), **_ordering(name, models, test, config)}
        row |= _calibration(risk, curves, weeks, died, config)
        # The cut between the groups is the training patients' median, so that it does not depend on the test.
        groups[name] = _told(partial(risk_groups, weeks, died, risk, cuts=_cut(seen, risk)))
        row["logrank_p"] = getattr(groups[name], "logrank_p", groups[name])
        maps[name] = _told(partial(risk_map, weeks, died, curves, order, groups=count))
        planes[name] = seen_plane if isinstance(seen_plane, str) else _told(partial(risk_plane, seen_plane, curves))
        row["nelson_aalen_mse"] = getattr(maps[name], "mse", maps[name])
        row["nelson_aalen_overall_mse"] = getattr(maps[name], "overall_mse", maps[name])
        row["nelson_aalen_plane_mse"] = getattr(planes[name], "mse", planes[name])
        row["trained_on"] = trained_on(name, info, bool(train), method, config.split)
        points[name] = {w: _told(partial(calibration_curve, weeks, died, curves, w, count)) for w in WEEKS}
        rows.append(row)
    rows += [{"model": name, "patients": len(test), "c_index": why} for name, why in unfitted.items()]
    write_table(rows, out / "survival", "Survival models on the tested patients")
    drawn = {name: found for name, found in groups.items() if not isinstance(found, str)}
    lines = [{"model": name, **line} for name, g in drawn.items() for line in groups_table(g).to_dict("records")]
    write_table(lines, out / "risk_groups", "Groups of predicted risk")
    concordances = {row["model"]: row["c_index"] for row in rows}
    _draw("kaplan_meier", drawn, lambda d: survival_figures.kaplan_meier(d, concordances), out)
    _draw("risk_map", maps, survival_figures.risk_maps, out)
    _draw("risk_plane", planes, survival_figures.risk_planes, out)
    curves_found = {n: {w: p for w, p in found.items() if not isinstance(p, str)} for n, found in points.items()}
    _draw("calibration", {n: p for n, p in curves_found.items() if p}, survival_figures.calibration, out)
    return {
        "models": rows,
        "risk_groups": lines,
        "risk_map_groups_by": "the true hazard" if order is not None else "each model's own prediction",
        "calibration": {
            name: {f"{week:g}": found if isinstance(found, str) else [asdict(point) for point in found]}
            for name, by_week in points.items()
            for week, found in by_week.items()
        },
    }


def _ordering(
    name: str, models: Mapping[str, Any], test: Sequence[Mapping[str, Any]], config: EvaluationConfig
) -> dict[str, Any]:
    (weeks, died), chance = outcome(test), {"resamples": config.resamples, "seed": config.seed}
    row: dict[str, Any] = {"c_index": _told(partial(c_index, weeks, died, models[name][1], **chance))}
    if name != METHOD:
        row["method_minus_this"] = _told(
            partial(c_index_difference, weeks, died, models[METHOD][1], models[name][1], **chance)
        )
    return row


def _calibration(
    risk: np.ndarray, curves: SurvivalCurves, weeks: np.ndarray, died: np.ndarray, config: EvaluationConfig
) -> dict[str, Any]:
    chance = {"resamples": config.resamples, "seed": config.seed}
    row: dict[str, Any] = {
        f"brier_{week:g}": _told(partial(brier_score, weeks, died, curves, week, **chance)) for week in WEEKS
    }
    row["integrated_brier"] = _told(partial(integrated_brier_score, weeks, died, curves, WEEKS[-1], **chance))
    row["calibration_slope"] = _told(partial(calibration_slope, weeks, died, risk))
    return row


def _told(measure: Callable[[], Measured]) -> Measured | str:
    """Return what was measured, or in words why it could not be."""
    try:
        return measure()
    except InputError as error:
        return str(error)
    except ConvergenceError:
        return "The fit does not converge on these patients; take more cases."


def _draw(name: str, found: Mapping[str, Any], draw: Callable[[Mapping[str, Any]], Any], out: Path) -> None:
    """Draw what was measured; nothing where nothing was."""
    known = {model: value for model, value in found.items() if not isinstance(value, str)}
    if known:
        figures.save(draw(known), out / name)


def _cut(seen: np.ndarray, risk: np.ndarray) -> list[float] | None:
    cut = float(np.median(seen)) if len(seen) else float("nan")
    # A cut beyond all tested patients would leave a group empty; then their own median is taken.
    return [cut] if risk.min() <= cut < risk.max() else None


def _groups(patients: int) -> int:
    """Return how many groups of at least about ten patients there are, two to five."""
    return int(np.clip(patients // 10, 2, 5))
