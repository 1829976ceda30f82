"""Fit Cox regression on the clinical table of HCC-TACE-Seg and write it as a bundle, without its rows."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

import mewm
from mewm.bundle import write_checksums
from mewm.clinical import ClinicalFacts
from mewm.cohort.hcc_tace_seg.clinical_table import ClinicalRow, read_clinical
from mewm.errors import InputError
from mewm.evaluation.cox_baselines import PENALIZER, CoxBaseline, Features, cross_validated, fit_baseline
from mewm.evaluation.intervals import Estimate
from mewm.evaluation.survival_calibration import calibration_slope
from mewm.survival.clinical import clinical_covariates
from mewm.survival.cox import SCHEMA
from mewm.survival.curves import Baseline
from mewm.training.calibration import baseline_values, breslow

SOURCE = (
    "TCIA HCC-TACE-Seg (MD Anderson Cancer Center), clinical table V2, Moawad et al. 2021, "
    "doi 10.7937/TCIA.5FNA-0924, CC BY 4.0"
)
NOTICE = "Demonstration weights fitted on a small single-centre series; not for clinical use."
# Beyond this week fewer than a tenth of such a series is at risk and the baseline is a guess.
HORIZON_WEEKS = 312
_MEANING = {
    "age_decades": "age over 10 years",
    "male": "0 or 1",
    "child_pugh_b_or_c": "Child-Pugh class B or C, 0 or 1",
    "performance_group": "0 for ECOG 0, 1 for 1–2, 2 for 3–4",
    "multinodular": "more than one lesion, 0 or 1",
    "portal_vein_thrombosis": "any, 0 or 1",
    "extrahepatic_spread": "metastasis or lymph nodes, 0 or 1",
    "log_afp": "logarithm of AFP in ng/ml",
    "albumin_g_dl": "albumin in g/dl",
    "log_bilirubin": "logarithm of bilirubin in mg/dl",
}


def fit_clinical_cox(
    table: Path, out: Path, *, penalizer: float = PENALIZER, repeats: int = 20, seed: int = 1
) -> dict[str, Any]:
    """Fit the clinical Cox model and write ``cox.json``, ``SHA256SUMS`` and ``README.md``.

    Only coefficients, means, medians, the weekly baseline and figures are written; no patient's values are.

    Args:
        table: the collection's clinical table, xlsx or csv.
        out: bundle folder.
        penalizer: ridge penalty on standardised covariates.
        repeats: repeats of the 5-fold cross-validation.
        seed: seed of splits and bootstrap.

    Returns:
        The figures of the fit, the covariates left out because nobody states them or all are alike, and the number of
        patients without a stated outcome.

    Raises:
        InputError: the table cannot be read or has too few deaths, a number makes no sense, or the folder cannot be
            written.
    """
    if repeats < 1:
        raise InputError(f"{repeats} repeats of the cross-validation give no figure; ask for at least 1.")
    if seed < 0:
        raise InputError(f"The seed {seed} is negative; choose 0 or more.")
    table_rows = read_clinical(Path(table)).values()
    rows = [row for row in table_rows if row.os_weeks is not None and row.event is not None]
    features = [clinical_covariates(row.facts) for row in rows]
    weeks = np.array([row.os_weeks for row in rows], dtype=float)
    died = np.array([row.event for row in rows], dtype=bool)
    model = fit_baseline(features, weeks, died, penalizer)
    found = cross_validated(features, weeks, died, repeats=repeats, penalizer=penalizer, seed=seed)
    figures = {
        "patients": len(rows),
        "deaths": int(died.sum()),
        "c_index_cross_validated": _interval(found),
        "cross_validation": f"{repeats} × 5-fold",
        "median_os_weeks": round(float(np.median(weeks)), 1),
    }
    bundle = {
        "schema": SCHEMA,
        "notice": NOTICE,
        "covariates": {name: _covariate(model, features, name) for name in model.names},
        **baseline_values(_baseline(model, features, weeks, died)),
        "figures": figures,
        "provenance": {
            "source": SOURCE,
            "table_sha256": hashlib.sha256(Path(table).read_bytes()).hexdigest(),
            "penalizer": penalizer,
            "seed": seed,
            "versions": {"mewm": mewm.__version__, **{p: version(p) for p in ("lifelines", "numpy", "pandas")}},
            "command": [
                "mewm train clinical-cox --table clinical.csv --out Resources/Models/clinical_cox_hcc_tace_seg"
            ],
        },
    }
    _write(Path(out), bundle, rows)
    used = set(model.names)
    left_out = [name for name in clinical_covariates(ClinicalFacts()) if name not in used]
    return {**figures, "covariates_left_out": left_out, "patients_without_outcome": len(table_rows) - len(rows)}


def _covariate(model: CoxBaseline, features: list[dict[str, float | None]], name: str) -> dict[str, float | int]:
    stated = [value for f in features if (value := f[name]) is not None]
    median = float(model.medians[name])
    filled = [*stated, *[median] * (len(features) - len(stated))]
    return {
        "coefficient": float(model.fitter.params_[name]),
        "standard_error": float(model.fitter.standard_errors_[name]),
        "mean": float(np.mean(filled)),
        "median": median,
        "not_stated": len(features) - len(stated),
    }


def _baseline(model: CoxBaseline, features: Features, weeks: np.ndarray, died: np.ndarray) -> Baseline:
    """Breslow baseline at the covariates' means, cut where hardly anybody is at risk.

    The error of the slope is that on the patients fitted to: what their number alone leaves open.
    """
    risk = model.log_hazard(features)
    survival, log_error = breslow(risk, weeks, died)
    slope = calibration_slope(weeks, died, risk)
    last = HORIZON_WEEKS + 1
    return Baseline(survival[:last], log_error[:last], (slope.high - slope.low) / (2 * 1.96 * slope.value))


def _interval(found: Estimate) -> dict[str, float]:
    return {key: round(float(value), 3) for key, value in asdict(found).items() if key in ("value", "low", "high")}


def _write(out: Path, bundle: dict[str, Any], rows: list[ClinicalRow]) -> None:
    text = json.dumps(bundle, indent=1) + "\n"
    card = _card(bundle)
    if any(row.case_id in text or row.case_id in card for row in rows):
        raise InputError("The bundle would name a patient of the table; it was not written.")
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / "cox.json").write_bytes(text.encode())
        write_checksums(out, ["cox.json"])
        (out / "README.md").write_text(card, encoding="utf-8")
    except OSError as error:
        raise InputError(f"The bundle cannot be written to {out} ({error.strerror or error}).") from error


def _card(bundle: dict[str, Any]) -> str:
    figures, source = bundle["figures"], bundle["provenance"]
    c = figures["c_index_cross_validated"]
    rows = "\n".join(
        f"| `{name}` | {_MEANING[name]} | {row['coefficient']:+.3f} ± {row['standard_error']:.3f} "
        f"| {row['mean']:.2f} | {row['not_stated']} |"
        for name, row in bundle["covariates"].items()
    )
    commands = "\n".join(source["command"])
    return f"""# clinical_cox_hcc_tace_seg: Cox regression on clinical facts

**{bundle["notice"]}** Research use only, not a medical device.

Input: a patient's clinical facts. Output: overall survival from TACE on, as a log partial hazard and a weekly curve.
It knows neither the CT nor the protocol, so it says nothing about the difference between protocols. A fact that is
not stated takes the series' median.

## Data

{figures["patients"]} patients with {figures["deaths"]} deaths, median observed time {figures["median_os_weeks"]} weeks.
{SOURCE}. The rows are not part of this bundle.

## Coefficients

| covariate | meaning | log hazard ratio a unit ± standard error | mean | not stated |
| --- | --- | --- | --- | --- |
{rows}

lifelines `CoxPHFitter`, ridge penalty {source["penalizer"]} on standardised covariates (the coefficients are shrunk
towards 0), Breslow baseline on a weekly grid up to {len(bundle["baseline_survival_weekly"]) - 1} weeks. Covariates were
chosen from published scores (mHAP-II, Pre-TACE-Predict), not from these data; missing values take the training median
inside the folds.

## Figure

Harrell's c-index, {figures["cross_validation"]} cross-validated:
**{c["value"]:.3f} ({c["low"]:.3f}–{c["high"]:.3f})**, 95 % bootstrap interval over patients.

## Limits

One centre, few patients, treated before the present drugs for advanced disease. Performance status and tumour number
are known by class only. Not validated on any other series.

## Reproduce

```sh
{commands}
```

`SHA256SUMS` holds the digest of `cox.json`; loading refuses a changed file.
"""
