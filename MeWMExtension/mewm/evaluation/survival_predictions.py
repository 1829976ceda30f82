"""What each survival model predicts for the tested patients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mewm.errors import InputError
from mewm.evaluation.cox_baselines import fit_baseline
from mewm.evaluation.survival_calibration import SurvivalCurves
from mewm.roles import SurvivalModel
from mewm.survival.clinical import ClinicalCox

METHOD = "survival model on the true CT"
SERIES = "clinical Cox of the real series"
ORACLE = "oracle"
BASELINES = ("radiomics", "clinical")
LAST_WEEK = 260
Prediction = tuple[np.ndarray, np.ndarray, SurvivalCurves]
"""Log-hazards of the training and of the tested patients, and the curves of the tested ones."""
Records = Sequence[Mapping[str, Any]]


def predictions(
    train: Records, test: Records, info: Mapping[str, Any], method: SurvivalModel
) -> tuple[dict[str, Prediction], dict[str, str]]:
    """Return every model's predictions, and in words why a baseline could not be fitted.

    Args:
        train: measurements of the patients that the Cox baselines are fitted on; none to fit them on the tested ones.
        test: measurements of those predicted.
        info: contents of ``cohort.json``.
        method: the survival model of the full method.
    """
    found: dict[str, Prediction] = {}
    for name, key, model in (
        (METHOD, "method_risk", method),
        (SERIES, "series_risk", ClinicalCox.load().model),
    ):
        found[name] = (*_risks(train, test, key), _curves(model, test, key))
    unfitted: dict[str, str] = {}
    for kind in BASELINES:
        before, after = ([r["survival"][kind] for r in rows] for rows in (train or test, test))
        try:
            baseline = fit_baseline(before, *outcome(train or test))
        except InputError as error:
            unfitted[f"{kind} Cox"] = f"not fitted: {error}"
            continue
        curves = baseline.curves(after, float(LAST_WEEK))
        found[f"{kind} Cox"] = (baseline.log_hazard(before), baseline.log_hazard(after), curves)
    if all(r["survival"]["true_log_hazard"] is not None for r in (*train, *test)):
        seen, risk = _risks(train, test, "true_log_hazard")
        found[ORACLE] = (seen, risk, _true_curves(risk, info))
    return found, unfitted


def outcome(records: Records) -> tuple[np.ndarray, np.ndarray]:
    """Return observed weeks and whether they ended in death, ``(n,)`` each."""
    return np.array([r["os_weeks"] for r in records], dtype=float), np.array([r["event"] for r in records], dtype=bool)


def trained_on(name: str, info: Mapping[str, Any], has_training: bool, method: SurvivalModel, split: str) -> str:
    """Return in words whether a model saw the tested patients or their like."""
    if name == ORACLE:
        return "the truth itself"
    if name == SERIES:
        real = info.get("kind") == "hcc-tace-seg"
        return "these very patients: its figures are too good" if real else "79 real patients"
    if name == METHOD:
        cohort = getattr(method, "provenance", {}).get("cohort", {})
        same = (cohort.get("kind"), cohort.get("seed")) == (info.get("kind"), info.get("seed"))
        if not same:
            return "another simulated cohort"
        return {
            "train": "the tested patients: its figures are too good",
            "val": "this cohort's training split; calibrated on the tested patients",
        }.get(split, "this cohort's training split")
    return "this cohort's training split" if has_training else "the tested patients: its figures are too good"


def _risks(train: Records, test: Records, key: str) -> tuple[np.ndarray, np.ndarray]:
    seen, risk = (np.array([r["survival"][key] for r in rows], dtype=float) for rows in (train, test))
    return seen, risk


def _curves(model: Any, test: Records, key: str) -> SurvivalCurves:
    weeks = np.arange(min(model.baseline.size, LAST_WEEK + 1), dtype=float)
    curves = [model.survival_curve(r["survival"][key])[: len(weeks)] for r in test]
    return SurvivalCurves(weeks, np.array(curves))


def _true_curves(log_hazard: np.ndarray, info: Mapping[str, Any]) -> SurvivalCurves:
    """Return the world's own Weibull curves."""
    outcome = info["parameters"]["outcome"]
    weeks = np.arange(LAST_WEEK + 1.0)
    cumulative = (weeks / outcome["weibull_scale_weeks"]) ** outcome["weibull_shape"]
    return SurvivalCurves(weeks, np.exp(-np.outer(np.exp(log_hazard), cumulative)))
