"""What a treatment costs a patient whose liver function nobody states, where all training cases had the same."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mewm.actions.text import parse_protocol
from mewm.clinical import ClinicalFacts
from mewm.cohort.dataset import COLUMNS, SCHEMA, write_table
from mewm.roi import cut_roi
from mewm.survival.covariates import NAMES
from mewm.survival.cox import CoxSurvival

pytest.importorskip("lifelines", reason="lifelines is not installed; `make setup` installs it")

PROTOCOLS = [
    parse_protocol(text).protocol
    for text in ("Lobaplatin 30 mg; Lipiodol 10 ml", "Lobaplatin 30 mg; Epirubicin 50 mg; Lipiodol 10 ml")
]


@pytest.fixture
def alike(tmp_path, monkeypatch):
    """A model fitted on forty patients of the same liver function who bear their treatment the worse the more it is."""
    from mewm.training import cox

    count, rng = 40, np.random.default_rng(0)
    table = pd.DataFrame({name: rng.normal(size=count) for name in (*NAMES, *cox._DESCRIBED)})
    table = table.assign(liver_impairment=0.2, treatment_burden=rng.uniform(0, 3, count), event=1.0)
    table["os_weeks"] = 100 * np.exp(-table.treatment_burden) * rng.exponential(size=count) + 1
    folder = tmp_path / "cohort"
    folder.mkdir()
    (folder / "cohort.json").write_text(json.dumps({"schema": SCHEMA, "status": "complete"}), encoding="utf-8")
    row = {"protocol": "Lobaplatin 30 mg; Lipiodol 10 ml", "os_weeks": 50.0, "event": 1, "split": "train"}
    write_table(folder / "cases.csv", COLUMNS, [{**row, "case_id": f"c{k}"} for k in range(count)])
    monkeypatch.setattr(cox, "read_table", lambda data, rows, report: table)
    cox.fit_cox(folder, tmp_path / "bundle")
    return CoxSurvival.load(tmp_path / "bundle")


def test_more_treatment_costs_more_where_liver_function_is_not_stated(alike, phantom_case):
    assert "liver_impairment" not in alike.coefficients and alike.impairment == 0.2
    assert alike.coefficients["treatment_burden"] > 0
    roi = replace(cut_roi(phantom_case), facts=ClinicalFacts())
    tissue = np.zeros(roi.ct.shape, np.uint8)
    less, more = (alike.score(roi, roi.ct, tissue, protocol).risk for protocol in PROTOCOLS)
    assert more > less


def test_a_bundle_that_does_not_state_it_takes_the_median_of_the_covariate():
    shipped = CoxSurvival.load()
    assert shipped.impairment == shipped.medians["liver_impairment"]
