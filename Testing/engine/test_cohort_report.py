"""The report of a cohort: figures against independent computations, aims, files."""

import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest

from mewm.cli import main
from mewm.cohort.dataset import read_cohort
from mewm.cohort.frame import read_frame
from mewm.cohort.simulate import simulate_cohort
from mewm.errors import InputError
from mewm.evaluation.cohort_report import published, statistics
from mewm.evaluation.cohort_report.case_values import case_values
from mewm.evaluation.cohort_report.pictures import write_pictures
from mewm.evaluation.cohort_report.report import Line, report_cohort
from mewm.evaluation.cohort_report.words import NAMES
from mewm.evaluation.intervals import Estimate
from mewm.roles import Tissue

CASES = 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return simulate_cohort(tmp_path_factory.mktemp("report") / "cohort", cases=CASES, seed=2, workers=2)


@pytest.fixture(scope="module")
def report(folder):
    return report_cohort(folder, workers=2)


@pytest.fixture(scope="module")
def values(folder):
    return case_values(read_cohort(folder), workers=2)


def test_survival_is_what_lifelines_finds():
    from lifelines import KaplanMeierFitter

    rng = np.random.default_rng(4)
    weeks, died = np.round(rng.exponential(100, 300), 0) + 1, rng.random(300) < 0.8
    fitter = KaplanMeierFitter().fit(weeks, died)
    assert statistics.km_median(weeks, died) == fitter.median_survival_time_
    for at in (0.5, 20, 52.2, 104, 300):
        assert statistics.km_survival(weeks, died, at) == pytest.approx(float(fitter.predict(at)))
    assert np.isnan(statistics.km_median(weeks, np.zeros(300, bool)))


def test_values_of_a_case_are_those_of_its_images(folder, values):
    cohort = read_cohort(folder)
    for row in cohort.rows[:4]:
        case = cohort.load(row)
        found = values.loc[row.case_id]
        voxel = case.roi.spacing**3 / 1000
        assert found["oil_ml"] == pytest.approx((case.tissue == Tissue.LIPIODOL).sum() * voxel)
        assert found["necrosis_ml"] == pytest.approx((case.tissue == Tissue.NECROSIS).sum() * voxel)
        whole = case.tissue >= Tissue.VIABLE
        assert found["coverage"] == pytest.approx((case.tissue == Tissue.LIPIODOL).sum() / whole.sum())
        assert found["lesion_before"] == np.median(case.roi.ct[case.roi.lesion])
        healthy = case.roi.liver & ~case.roi.lesion
        assert found["liver_before"] == pytest.approx(np.median(case.roi.ct[healthy]), abs=6)
        assert found["lesion_after_hu"] == pytest.approx(case.post_ct[whole].mean(), rel=1e-4)


def frame_of(**columns):
    return pd.DataFrame(columns, index=pd.Index([f"c{i}" for i in range(len(next(iter(columns.values()))))]))


def test_relations_by_hand():
    n = 60
    rng = np.random.default_rng(0)
    coverage = rng.uniform(0.1, 1.0, n)
    response = np.where(coverage > 0.9, "CR", np.where(coverage > 0.5, "PR", "SD"))
    frame = frame_of(
        protocol=pd.array(["Lipiodol 10 ml"] * (n - 10) + ["Doxorubicin-eluting Beads 75 mg"] * 10, dtype="string"),
        mrecist=pd.Categorical(response, ["CR", "PR", "SD", "PD"]),
        phase=pd.Categorical(["arterial"] * n),
        arteriovenous_shunt=pd.Categorical(["none", "severe"] * (n // 2)),
    )
    image = pd.DataFrame(
        {
            "coverage": coverage,
            "oil_ml": 50 * coverage,
            "necrosis_ml": 0.0,
            "necrotic_share": coverage,
            "enhancing_before": 60 + 80 * coverage,
            "lesion_after_median_hu": np.where(coverage > 0.97, 500.0, 100.0),
        },
        index=frame.index,
    )
    found = statistics.relation_figures(frame, image)
    assert found["oil_necrosis_volume_r2"].value == pytest.approx(1)
    assert found["perfusion_deposition_r"].value == pytest.approx(1)
    assert found["coverage_mean_percent"].cases == n - 10
    assert found["coverage_mean_percent"].value == pytest.approx(100 * coverage[:50].mean())
    classes = [found[f"{k}_retention_percent"].value for k in ("complete", "moderate", "poor")]
    assert sum(classes) == pytest.approx(100) and classes[0] == pytest.approx(100 * np.mean(coverage[:50] > 0.9))
    assert found["dense_if_not_massive_percent"].value == 0
    difference = coverage[1:50:2].mean() - coverage[0:50:2].mean()
    assert found["coverage_shunt_difference_percent"].value == pytest.approx(100 * difference)
    assert found["coverage_response_spearman"].value > 0.8


def test_facts_count_only_who_states_them(folder):
    frame = read_frame(folder)
    frame.loc[frame.index[:3], "sex"] = np.nan
    found = statistics.fact_figures(frame)["male_percent"]
    stated = frame["sex"].dropna()
    assert found.cases == CASES - 3 and found.value == pytest.approx(100 * (stated == "male").mean())


def test_agents_are_counted_by_protocol(folder):
    frame = read_frame(folder)
    shares = statistics.agent_shares(frame, ("lipiodol", "cisplatin"))
    for agent, name in (("lipiodol", "Lipiodol"), ("cisplatin", "Cisplatin")):
        expected = np.mean([name in re.split(r"[ ;]+", text) for text in frame["protocol"]])
        assert shares[agent].value == pytest.approx(100 * expected)


def test_an_aim_is_met_within_its_range_only():
    aim = published.Published(10.0, "10", "source", (5.0, 15.0))
    for value, met in ((5.0, True), (15.0, True), (4.9, False), (float("nan"), False)):
        assert Line("s", "k", "n", Estimate(value, value, value, 3), aim).met is met
    assert Line("s", "k", "n", Estimate(1, 1, 1, 3), published.Published(None, "–", "source")).met is None


def test_every_published_figure_has_a_source_and_a_name():
    known = [published.SURVIVAL, published.RESPONSE, published.FACTS, published.DENSITY, published.RELATIONS]
    for part in known:
        for key, figure in part.items():
            assert figure.source and figure.text and key in NAMES
            if figure.target and figure.value is not None and key != "objective_response_percent":
                assert figure.target[0] <= figure.value <= figure.target[1]


def test_the_report_is_whole(folder, report):
    out = folder / "report"
    text = (out / "report.md").read_text(encoding="utf-8")
    content = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert content["cases"] == CASES and content["aims"] == len([line for line in report if line.met is not None])
    assert [f["key"] for f in content["figures"]] == [line.key for line in report]
    for line in report:
        assert f"| {line.name} |" in text
    pictures = re.findall(r"!\[[^]]*\]\(([^)]+)\)", text)
    assert len(pictures) == 6
    for name in pictures:
        assert (out / name).read_bytes()[:4] == b"\x89PNG"
        assert "<svg" in (out / name).with_suffix(".svg").read_text(encoding="utf-8")[:2000]
    for sentence in published.NOT_REALISTIC:
        assert sentence in text
    assert not list(folder.glob(".*partial*"))


def test_the_real_table_is_used_where_it_is_and_never_written(folder, real_data, tmp_path):
    out = tmp_path / "report"
    report_cohort(folder, out, real=real_data, workers=2)
    assert json.loads((out / "report.json").read_text(encoding="utf-8"))["real_rows"] == 79
    assert not any("HCC_0" in p.read_text(encoding="utf-8") for p in out.iterdir() if p.suffix in (".md", ".json"))
    with pytest.raises(InputError, match=r"clinical\.csv"):
        report_cohort(folder, out, real=tmp_path)


def test_a_cohort_without_marked_follow_up_is_reported_too(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "imported", ignore=shutil.ignore_patterns("tissue.nrrd", "report"))
    lines = report_cohort(copy, workers=2)
    keys = {line.key for line in lines}
    assert {"median_os_weeks", "liver_portal_hu", "cr_percent"} <= keys
    assert not keys & {"oil_hu", "oil_necrosis_volume_r2"}


def test_pictures_of_a_cohort(folder, tmp_path, capsys):
    out = write_pictures(folder, tmp_path / "page.png", cases=5, seed=1)
    again = write_pictures(folder, tmp_path / "again.png", cases=5, seed=1)
    assert out.read_bytes() == again.read_bytes() and out.read_bytes()[:4] == b"\x89PNG"
    with pytest.raises(InputError, match="at least 1"):
        write_pictures(folder, out, cases=0)
    assert main(["cohort", "pictures", str(folder), "--cases", "2"]) == 0
    assert (folder / "pictures.png").is_file()
