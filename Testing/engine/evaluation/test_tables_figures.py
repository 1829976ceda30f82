"""Tables read back, figures are written and show what they are given."""

import csv
import json

import numpy as np
import pytest

from mewm.errors import InputError
from mewm.evaluation import case_page, figures, survival_figures
from mewm.evaluation.intervals import Estimate
from mewm.evaluation.risk_map import RiskMap
from mewm.evaluation.risk_plane import ObservedPlane, RiskPlane
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
    lines = markdown.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "# Protocols" and lines[2] == "| arm | f1 | cases | gap | regret |"
    assert lines[4] == r"| one\|two | 0.500 (0.400 to 0.600) | 10 |  |  |"
    write_table([{"FID": 0.00123, "p": 0.0}], tmp_path / "small")
    assert (tmp_path / "small.md").read_text(encoding="utf-8").splitlines()[2] == "| 0.0012 | 0.000 |"
    assert lines[5] == "| other |  |  | 1234 (1.000 to –), p < 0.001 | – |"


def test_json_has_no_nan_and_reads_back(tmp_path):
    path = write_json({"rows": ROWS, "array": np.array([1.0, np.inf]), "n": np.int64(3)}, tmp_path / "all.json")
    back = json.loads(path.read_text(encoding="utf-8"))
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
    patients = rng.normal(size=(60, 2))
    seen = np.where(np.arange(9).reshape(3, 3) == 8, np.nan, 0.5)
    plane = ObservedPlane(np.arange(3.0), np.arange(3.0), np.zeros((3, 3, 60)), seen, patients, 104.0)
    arm = {"f1": Estimate(0.6, 0.5, 0.7, 9), "regret": Estimate(0.4, float("nan"), float("nan"), 9)}
    far = {"f1": Estimate(0.1, 0.0, 0.2, 9), "regret": Estimate(9.0, 8.0, 10.0, 9)}
    return {
        "km": survival_figures.kaplan_meier({"Cox": groups, "full": groups}, {"Cox": Estimate(0.7, 0.6, 0.8, 60)}),
        "calibration": survival_figures.calibration({"Cox": {52.0: points, 104.0: points}}),
        "risk_map": survival_figures.risk_maps({"Cox": found}),
        "risk_plane": survival_figures.risk_planes({"Cox": RiskPlane(plane, seen + 0.1, 0.01)}),
        "scatter": figures.scatter({"viable_ml": (risk**2, risk**2 + 1), "x": (risk, risk)}, {"x": "r 0.99"}),
        "dots": figures.dots({**{f"arm {i}": arm for i in range(4)}, "far": far}, "score"),
        "cases": case_page.case_page([page_case(), page_case()]),
    }


def page_case():
    """A disc of 60 HU in 110 HU, oil of 500 HU after treatment; voxels of 1.5 mm."""
    disc = np.linalg.norm(np.indices((64, 64)) - 20, axis=0) < 8
    pre = np.where(disc, 60.0, 110.0)
    columns = {
        "simulated": case_page.PageColumn(np.where(disc, 500.0, 110.0), "viable 0 %"),
        "true": case_page.PageColumn(pre),
    }
    return case_page.PageCase("case_00001\nLobaplatin, Lipiodol", pre, columns, disc, 1.5)


def test_figures_are_written_as_png_and_svg_and_repeat(tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "_DPI", 50)
    for name, figure in make_figures().items():
        png, svg = figures.save(figure, tmp_path / name)
        assert png.read_bytes()[:4] == b"\x89PNG" and png.stat().st_size > 3000
        assert svg.read_text(encoding="utf-8").lstrip().startswith("<?xml")
    png, svg = figures.save(make_figures()["dots"], tmp_path / "again")
    assert png.read_bytes() == (tmp_path / "dots.png").read_bytes()
    assert svg.read_bytes() == (tmp_path / "dots.svg").read_bytes()


def test_page_is_cut_to_the_lesion_and_shows_oil_unsaturated():
    figure = make_figures()["cases"]
    assert len(figure.axes) == 6
    before, simulated = (figure.axes[i].images[0] for i in (0, 1))
    assert (before.norm.vmin, before.norm.vmax) == (-40.0, 200.0)
    assert simulated.norm.vmax > 500
    # The lesion of 15 voxels of 1.5 mm with 15 mm around it is less than 60 mm: 60 mm are shown.
    assert simulated.get_array().shape == (40, 40)
    assert float(simulated.get_array()[20, 20]) == 500.0
    assert [figure.axes[i].get_title() for i in range(3)] == ["before", "simulated", "true"]
    assert figure.axes[1].get_xlabel() == "viable 0 %"
    with pytest.raises(InputError, match="at least one case"):
        case_page.case_page([])


LONG_NAMES = (
    "mechanistic",
    "text-conditioned diffusion without the contrastive loss",
    "our_clinic's_model_v2.1-finetuned-on-all-phases (seed 7)",
    "MASK-ONLY DIFFUSION WITH A LOUD NAME IN CAPITALS",
    "truth re-drawn",
    "procedural texture",
    "cellular automaton",
    "action-conditioned diffusion",
)


@pytest.mark.parametrize("arms", [2, 5, 8])
def test_no_words_of_the_page_overlap(arms):
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    case = page_case()
    column = case_page.PageColumn(case.pre, "viable 100%, oil 100%, not evaluable")
    title = "case_00001\nDoxorubicin-eluting beads 75 mg (100-300 µm)\nLipiodol 10 ml\nGelatin Sponge 350-560 µm"
    columns = dict.fromkeys(("true", *LONG_NAMES[:arms]), column)
    case = case_page.PageCase(title, case.pre, columns, case.lesion, 1.5)
    figure = case_page.case_page([case, case])
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    texts = [figure._supxlabel]
    for ax in figure.axes:
        texts += [text for text in (ax.title, ax.xaxis.label, ax.yaxis.label) if text.get_text()]
    boxes = [text.get_window_extent(canvas.get_renderer()) for text in texts]
    for one, (text, box) in enumerate(zip(texts, boxes, strict=True)):
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1, text
        for other in range(one):
            assert not box.overlaps(boxes[other]), (text, texts[other])
    assert figure.get_size_inches()[0] < 17


def test_numbers_at_risk_are_counted_at_each_year():
    weeks = np.array([10.0, 60, 120, 300, 20, 70])
    groups = risk_groups(weeks, np.ones(6), np.array([1.0, 1, 1, 1, 2, 2]), cuts=[1.5])
    texts = [text.get_text() for text in survival_figures.kaplan_meier({"Cox": groups}).axes[0].texts]
    # Weeks 0, 52, 104, 156, 208, 260 of the low and then the high group.
    assert texts[:12] == ["4", "3", "2", "1", "1", "1", "2", "1", "0", "0", "0", "0"]


def test_a_far_arm_does_not_squeeze_the_others():
    axes = make_figures()["dots"].axes
    regret = next(ax for ax in axes if ax.get_title().startswith("regret"))
    assert regret.get_xlim()[1] < 1 and [text.get_text() for text in regret.texts] == ["9.00 →"]


def test_representative_cases_by_hand():
    # Ranks from best to worst are 1, 3, 0, 4, 2; three of them: first, middle, last.
    assert case_page.representative(np.array([3.0, 1, 5, 2, 4]), 3).tolist() == [1, 0, 2]
    assert case_page.representative(np.array([2.0, 1]), 5).tolist() == [1, 0]
