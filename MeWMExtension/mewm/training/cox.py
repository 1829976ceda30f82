"""Fit the plain survival model on a cohort and write it as a bundle."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import warnings
from collections.abc import Callable, Sequence
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import mewm
from mewm.assistant.intensity import IntensityAssistant
from mewm.bundle import NOTICE, write_checksums
from mewm.cohort.dataset import Cohort, CohortRow, load_case, read_cohort
from mewm.errors import InputError
from mewm.evaluation.intervals import Estimate
from mewm.evaluation.survival_calibration import calibration_slope
from mewm.pool import case_pool
from mewm.survival.covariates import covariates
from mewm.survival.cox import SCHEMA
from mewm.survival.curves import Baseline
from mewm.survival.familiarity import MEASURED, Familiarity, described, stated
from mewm.training.calibration import FEWEST_DEATHS, baseline_values, breslow
from mewm.training.card import model_card

if TYPE_CHECKING:
    import pandas as pd
    from lifelines import CoxPHFitter

_FOLDS = 5
_BOOTSTRAPS = 500
_OUTCOME = ("os_weeks", "event")
# Not covariates: what tells whether a case is like those fitted on.
_DESCRIBED = tuple(f"described_{name}" for name in MEASURED)
Progress = Callable[[int, int], None]


def fit_cox(
    cohort: Path,
    out: Path,
    progress: Progress | None = None,
    penalizer: float = 0.02,
    seed: int = 1,
) -> dict[str, Any]:
    """Fit Cox regression on the train split and write the bundle ``cox.json``, ``SHA256SUMS``, ``README.md``.

    The calibration slope is measured on the validation split where that has deaths enough; coefficients and baseline
    stay those of the train split. The tissue is what :class:`mewm.assistant.intensity.IntensityAssistant` reads from
    the post-treatment CT, as in the application. Nothing is chosen on the test split; it is scored once for the report.

    Args:
        cohort: dataset folder (docs/cohort.md).
        out: bundle folder.
        progress: called with cases read and cases in all.
        penalizer: small ridge penalty of lifelines' ``CoxPHFitter`` on standardised covariates.
        seed: seed of folds and bootstrap.

    Returns:
        The figures of the fit by name, as written to the bundle.

    Raises:
        InputError: the cohort cannot be read or has too few deaths in its train split.
    """
    data = read_cohort(Path(cohort))
    train_rows, val_rows, test_rows = data.split("train"), data.split("val"), data.split("test")
    # A patient with several cases dies once.
    deaths = len({row.patient for row in train_rows if row.event})
    if deaths < FEWEST_DEATHS:
        raise InputError(
            f"The train split of {cohort} has {deaths} deaths, fewer than {FEWEST_DEATHS}; simulate more cases."
        )
    everything = (*train_rows, *val_rows, *test_rows)
    report = progress or (lambda done, total: None)
    table = read_table(data, everything, lambda done: report(done, len(everything)))
    train = table[: len(train_rows)]
    val, test = table[len(train_rows) : -len(test_rows) or None], table[len(table) - len(test_rows) :]
    names = [c for c in train.columns if c not in (*_OUTCOME, *_DESCRIBED) and train[c].std(skipna=True) > 1e-9]
    medians = train[names].median()
    filled = train.fillna(medians)[[*names, *_OUTCOME]]
    model = ridge_cox(filled, penalizer)

    def log_hazard(part: pd.DataFrame) -> np.ndarray:
        return model.predict_log_partial_hazard(part.fillna(medians)[names]).to_numpy()

    survival, log_error = breslow(log_hazard(train), train.os_weeks.to_numpy(), train.event.to_numpy() > 0)
    figures: dict[str, Any] = {
        "train_cases": len(train_rows),
        "train_deaths": deaths,
        "test_cases": len(test_rows),
        "c_index_cross_validated": _cross_validated(train, [row.patient for row in train_rows], names, penalizer, seed),
        "c_index_oracle_train": _oracle(data, train_rows, seed),
    }
    if sum(row.event for row in test_rows) >= FEWEST_DEATHS:
        figures["c_index_test"] = _concordance(test.os_weeks, log_hazard(test), test.event, seed)
        figures["c_index_oracle_test"] = _oracle(data, test_rows, seed)
    slope_error = 0.0
    if val.event.sum() >= FEWEST_DEATHS:
        slope = calibration_slope(val.os_weeks.to_numpy(), val.event.to_numpy() > 0, log_hazard(val))
        figures["calibration_slope_val"] = _rounded(slope)
        slope_error = (slope.high - slope.low) / (2 * 1.96)
    bundle = {
        "schema": SCHEMA,
        "notice": NOTICE,
        "covariates": {
            name: {
                "coefficient": float(model.params_[name]),
                "standard_error": float(model.standard_errors_[name]),
                "mean": float(filled[name].mean()),
                "median": float(medians[name]),
                "not_stated": int(train[name].isna().sum()),
            }
            for name in names
        },
        # Also where it is no covariate because all were alike: a treatment's burden needs it.
        "impairment": _median(train.liver_impairment),
        **baseline_values(Baseline(survival, log_error, slope_error)),
        "familiarity": _familiar(train, train_rows).to_dict(),
        "figures": figures,
        "provenance": _provenance(data, penalizer, seed),
    }
    _write(Path(out), bundle)
    return figures


def read_table(data: Cohort, rows: Sequence[CohortRow], report: Callable[[int], None]) -> pd.DataFrame:
    """Read covariates and outcome of every row with all cores.

    Args:
        data: the cohort.
        rows: which of its cases.
        report: called with the number of cases read.

    Returns:
        One line a case in the order of ``rows``: the covariates (NaN where not stated), what
        :func:`mewm.survival.familiarity.described` measures, ``os_weeks``, ``event``.

    Raises:
        InputError: an image is missing or damaged.
    """
    import pandas as pd

    lines = []
    with case_pool(min(os.cpu_count() or 1, max(len(rows), 1))) as pool:
        for done, line in enumerate(pool.map(_read_line, repeat(data.folder), rows), 1):
            lines.append(line)
            report(done)
    return pd.DataFrame(lines, dtype=float)


def _read_line(folder: Path, row: CohortRow) -> dict[str, float | None]:
    case = load_case(folder, row)
    tissue = IntensityAssistant().segment(case.roi, case.post_ct)
    values = covariates(case.roi, tissue, row.protocol)
    measured = described(case.roi)
    told = {f"described_{name}": measured[name] for name in MEASURED}
    return {**values, **told, "os_weeks": row.os_weeks, "event": float(row.event)}


def ridge_cox(frame: pd.DataFrame, penalizer: float) -> CoxPHFitter:
    """Fit Cox regression of ``os_weeks`` and ``event`` on all other columns of a table.

    Raises:
        InputError: it does not converge.
    """
    from lifelines import CoxPHFitter
    from lifelines.exceptions import ConvergenceError

    try:
        with warnings.catch_warnings():
            # lifelines guesses at length why a fit may fail; whether it does is told below.
            warnings.simplefilter("ignore")
            return CoxPHFitter(penalizer=penalizer).fit(frame, "os_weeks", "event")
    except ConvergenceError as error:
        raise InputError(
            f"Cox regression does not converge on {len(frame)} cases with {int(frame.event.sum())} deaths; give a "
            "cohort of more cases."
        ) from error


def _cross_validated(
    train: pd.DataFrame, patients: Sequence[str], names: list[str], penalizer: float, seed: int
) -> dict[str, float]:
    """Concordance of predictions for patients whom the model did not see, medians included."""
    rng = np.random.default_rng(seed)
    number = {patient: k for k, patient in enumerate(dict.fromkeys(patients))}
    fold = rng.permutation(np.arange(len(number)) % _FOLDS)[[number[patient] for patient in patients]]
    risk = np.empty(len(train))
    for k in range(_FOLDS):
        seen, left = train[fold != k], train[fold == k]
        medians = seen[names].median()
        model = ridge_cox(seen.fillna(medians)[[*names, *_OUTCOME]], penalizer)
        risk[fold == k] = model.predict_log_partial_hazard(left.fillna(medians)[names])
    return _concordance(train.os_weeks, risk, train.event, seed)


def _oracle(data: Cohort, rows: Sequence[CohortRow], seed: int) -> dict[str, float] | None:
    """Concordance of the true hazard: the ceiling, since survival is a matter of chance beyond it."""
    path = data.folder / "truth.csv"
    if not path.is_file():
        return None
    with path.open(newline="", encoding="utf-8") as stream:
        hazard = {line["case_id"]: float(line["log_hazard"]) for line in csv.DictReader(stream)}
    weeks = np.array([row.os_weeks for row in rows])
    event = np.array([row.event for row in rows])
    return _concordance(weeks, np.array([hazard[row.case_id] for row in rows]), event, seed)


def _concordance(weeks: Any, risk: np.ndarray, event: Any, seed: int) -> dict[str, float]:
    """Harrell's c-index with a 95 % bootstrap interval over cases."""
    from lifelines.utils import concordance_index

    weeks, event = np.asarray(weeks), np.asarray(event)
    rng = np.random.default_rng(seed)
    samples = []
    for _ in range(_BOOTSTRAPS):
        pick = rng.integers(0, len(risk), len(risk))
        if event[pick].any() and np.ptp(weeks[pick]) > 0:
            samples.append(concordance_index(weeks[pick], -risk[pick], event[pick]))
    low, high = np.percentile(samples, [2.5, 97.5])
    value = concordance_index(weeks, -risk, event)
    return {"value": round(float(value), 3), "low": round(float(low), 3), "high": round(float(high), 3)}


def _familiar(train: pd.DataFrame, rows: Sequence[CohortRow]) -> Familiarity:
    measured = train[list(_DESCRIBED)].to_numpy()
    return Familiarity.of(
        [
            {**dict(zip(MEASURED, map(float, line), strict=True)), **stated(row.facts)}
            for line, row in zip(measured, rows, strict=True)
        ],
        [row.protocol for row in rows],
    )


def _median(values: pd.Series) -> float | None:
    return float(values.median()) if values.notna().any() else None


def _rounded(found: Estimate) -> dict[str, float]:
    return {"value": round(found.value, 3), "low": round(found.low, 3), "high": round(found.high, 3)}


def _provenance(data: Cohort, penalizer: float, seed: int) -> dict[str, Any]:
    from importlib.metadata import version

    table = hashlib.sha256((data.folder / "cases.csv").read_bytes()).hexdigest()
    info = data.info
    simulate = f"mewm cohort simulate --cases {len(data.rows)} --seed {info.get('seed')} cohort"
    return {
        "cohort": {
            "kind": info.get("kind"),
            "seed": info.get("seed"),
            "cases": len(data.rows),
            "mewm": info.get("mewm"),
            "cases_csv_sha256": table,
        },
        "penalizer": penalizer,
        "seed": seed,
        "versions": {"mewm": mewm.__version__, **{p: version(p) for p in ("lifelines", "numpy", "pandas")}},
        "command": [simulate, "mewm train cox --cohort cohort --out Resources/Models/survival_cox"]
        if info.get("kind") == "simulated"
        else ["mewm train cox --cohort COHORT --out OUT"],
    }


def _write(out: Path, bundle: dict[str, Any]) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / "cox.json").write_bytes((json.dumps(bundle, indent=1) + "\n").encode())
        write_checksums(out, ["cox.json"])
        (out / "README.md").write_text(model_card(bundle), encoding="utf-8")
    except OSError as error:
        raise InputError(f"The bundle cannot be written to {out} ({error.strerror or error}).") from error
