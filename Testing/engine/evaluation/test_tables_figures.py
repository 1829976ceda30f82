"""Tables read back, figures are written and show what they are given."""

import csv
import json

import numpy as np
import pytest

from mewm.errors import InputError
from mewm.evaluation import case_page, figures
from mewm.evaluation.intervals import Estimate
from mewm.evaluation.risk_map import RiskMap
from mewm.evaluation.survival_calibration import CalibrationPoint
from mewm.evaluation.survival_metrics import risk_groups
from mewm.evaluation.tables import write_json, write_table

ROWS = [
    {"arm": "one|two", "f1": Estimate(0.5, 0.4, 0.6, 10), "cases": 10},
    {"arm": "other", "gap": Estimate(1234.5, 1.0, float("nan"), 10, 0.0002), "regret": float("nan")},
]


def test_table_as_csv_and_markdown(tmp_path):
    table, markdown = write_table(ROWS, tmp_path / "protocols", "Protocols")
    with table.open() as stream:
        rows = list(csv.DictReader(stream))
    assert rows[0]["f1"] == "0.5" and rows[0]["f1_low"] == "0.4" and rows[0]["f1_high"] == "0.6"
    assert rows[1]["gap_p"] == "0.0002" and rows[1]["regret"] == "" and rows[1]["f1"] == ""
    lines = markdown.read_text().splitlines()
    assert lines[0] == "# Protocols" and lines[2] == "| arm | f1 | cases | gap | regret |"
    assert lines[4] == r"| one\|two | 0.500 (0.400 to 0.600) | 10 |  |  |"
    write_table([{"FID": 0.00123, "p": 0.0}], tmp_path / "small")
    assert (tmp_path / "small.md").read_text().splitlines()[2] == "| 0.0012 | 0.000 |"
    assert lines[5] == "| other |  |  | 1234 (1.000 to –), p < 0.001 | – |"


def test_json_has_no_nan_and_reads_back(tmp_path):
    path = write_json({"rows": ROWS, "array": np.array([1.0, np.inf]), "n": np.int64(3)}, tmp_path / "all.json")
    back = json.loads(path.read_text())
    assert back["rows"][0]["f1"]["low"] == 0.4 and back["rows"][1]["regret"] is None
    assert back["array"] == [1.0, None] and back["n"] == 3


def make_figures():
    rng = np.random.default_rng(0)
    risk = rng.normal(size=60)
    weeks = rng.exponential(100 / np.exp(risk))
    groups = risk_groups(weeks, np.ones(60), risk)
    points = [CalibrationPoint(0.2, 0.25, 0.1, 0.4, 30), CalibrationPoint(0.6, 0.5, 0.4, 0.7, 30)]
    observed = np.outer([1.0, 2], np.arange(1.0, 9)) / 10
    observed[1, -2:] = np.nan
    found = RiskMap(np.arange(1.0, 9), observed * 1.1, observed, (30, 30), 0.01, 0.01)
    ball = np.linalg.norm(np.indices((16, 16, 16)) - 8, axis=0) < 4
    pre = np.where(ball, 60.0, 110.0)
    case = case_page.PageCase("case_00001\nLobaplatin, Lipiodol", pre, {"simulated": pre, "true": pre + 90}, ball, 1.5)
    arm = {"f1": Estimate(0.6, 0.5, 0.7, 9), "recall": Estimate(0.4, float("nan"), float("nan"), 9)}
    return {
        "km": figures.kaplan_meier({"Cox": groups, "full": groups}),
        "calibration": figures.calibration({"Cox": points}, 52),
        "risk_map": figures.risk_maps({"Cox": found}),
        "scatter": figures.scatter(dict.fromkeys("abcd", (risk, risk + 0.1)), {"a": "r 0.99"}),
        "bars": figures.bars({f"arm {i}": arm for i in range(9)}, "score"),
        "cases": case_page.case_page([case, case]),
    }


def test_figures_are_written_as_png_and_svg_and_repeat(tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "_DPI", 50)
    for name, figure in make_figures().items():
        png, svg = figures.save(figure, tmp_path / name)
        assert png.read_bytes()[:4] == b"\x89PNG" and png.stat().st_size > 3000
        assert svg.read_text().lstrip().startswith("<?xml")
    again, _ = figures.save(make_figures()["bars"], tmp_path / "again")
    assert again.read_bytes() == (tmp_path / "bars.png").read_bytes()


def test_page_shows_the_largest_slice_in_a_liver_window():
    figure = make_figures()["cases"]
    assert len(figure.axes) == 6
    shown = figure.axes[2].images[0]
    assert (shown.norm.vmin, shown.norm.vmax) == (-40.0, 200.0)
    assert float(shown.get_array().max()) == 200.0 and float(shown.get_array()[8, 8]) == 150.0
    with pytest.raises(InputError, match="at least one case"):
        case_page.case_page([])


def test_representative_cases_by_hand():
    # Ranks from best to worst are 1, 3, 0, 4, 2; three of them: first, middle, last.
    assert case_page.representative(np.array([3.0, 1, 5, 2, 4]), 3).tolist() == [1, 0, 2]
    assert case_page.representative(np.array([2.0, 1]), 5).tolist() == [1, 0]
