"""The whole evaluation on a small simulated cohort: files, resuming, settings, wrong input."""

import json
from dataclasses import replace

import numpy as np
import pytest

from mewm.cohort.dataset import read_cohort
from mewm.cohort.simulate import simulate_cohort
from mewm.errors import InputError
from mewm.evaluation import evaluate as module
from mewm.evaluation import figures
from mewm.evaluation.case_measures import case_seed, scaled_distances
from mewm.evaluation.config import EvaluationConfig, read_config
from mewm.evaluation.evaluate import evaluate
from mewm.evaluation.survival_summary import METHOD, ORACLE, summarise_survival
from mewm.explore.settings import ExploreSettings

TINY = EvaluationConfig(
    parts=("synthesis", "protocols"),
    cases=1,
    dynamics=("procedural texture",),
    candidates=4,
    luck=1,
    search=ExploreSettings(beams=1, drugs=2, embolics=1, replicas=1, drug_horizon=1, embolic_horizon=1),
    resamples=20,
    page=2,
)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return simulate_cohort(tmp_path_factory.mktemp("data") / "cohort", cases=1, seed=5, workers=1)


@pytest.fixture(scope="module")
def config(cohort):
    return replace(TINY, split=read_cohort(cohort).rows[0].split)


@pytest.fixture(scope="module")
def done(cohort, config, tmp_path_factory):
    out = tmp_path_factory.mktemp("done") / "evaluation"
    seen = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures, "_DPI", 40)
        results = evaluate(cohort, out, config, workers=1, progress=lambda done, total: seen.append((done, total)))
    return out, results, seen


def test_everything_is_written(done):
    out, results, seen = done
    assert seen == [(0, 1), (1, 1)]
    for name in (
        "synthesis",
        "volumes",
        "protocols_against_best",
        "protocols_against_as_treated",
        "paired_against_best",
    ):
        assert (out / f"{name}.csv").is_file() and (out / f"{name}.md").is_file()
    for name in ("volumes", "cases_page", "protocols_against_best"):
        assert (out / f"{name}.png").is_file() and (out / f"{name}.svg").is_file()
    stored = json.loads((out / "results.json").read_text())
    assert stored["cases"] == 1 and "no evidence about patients" in stored["notice"]
    assert not list(out.rglob("*.partial*"))
    assert "not Inception" in results["synthesis"]["feature_network"]


def test_arms_and_ceilings_are_among_the_results(done):
    _, results, _ = done
    arms = {row["arm"]: row for row in results["synthesis"]["arms"]}
    assert list(arms) == ["procedural texture", "truth re-drawn (ceiling)"]
    # The texture ignores the protocol, so its retrieval is chance: one simulation for all four truths.
    assert arms["procedural texture"]["retrieval_top1"].value == pytest.approx(1 / 4)
    best = {row["arm"]: row for row in results["protocols"]["against_best"]}
    assert set(best) == {
        "as treated",
        "random under rules",
        "most frequent combination",
        "all allowed agents",
        "guideline policy alone",
        "without the assistant",
        "full method",
        "search on true hazards",
    }
    for arm in ("random under rules", "search on true hazards"):
        assert best[arm]["regret"].value >= -1e-9
    treated = {row["arm"]: row for row in results["protocols"]["against_as_treated"]}
    assert treated["oracle"]["regret"].value == 0 and treated["oracle"]["best_found"].value == 1


def test_what_is_measured_is_not_measured_again_and_gives_the_same(done, cohort, config, monkeypatch):
    out, _, _ = done
    before = (out / "results.json").read_bytes()
    (out / "results.json").unlink()
    monkeypatch.setattr(module, "measure_case", lambda *_: pytest.fail("measured again"))
    evaluate(cohort, out, config, workers=1)
    assert (out / "results.json").read_bytes() == before


def test_only_what_is_missing_is_measured_and_an_interruption_leaves_no_half_case(done, cohort, tmp_path, monkeypatch):
    out, _, _ = done
    rows = [replace(row, case_id=f"c{i}") for i, row in enumerate(read_cohort(cohort).rows * 3)]
    record = json.loads(next((out / "cases").glob("*.json")).read_text())
    measured = []

    def measure(context, row):
        measured.append(row.case_id)
        if len(measured) == 2:
            raise KeyboardInterrupt
        return record, {"slices": np.zeros((2, 4, 4), np.float32)}

    monkeypatch.setattr(module, "measure_case", measure)
    (tmp_path / "cases").mkdir()
    with pytest.raises(KeyboardInterrupt):
        module._measure(None, rows, tmp_path, 1, None)
    assert sorted(p.name for p in (tmp_path / "cases").iterdir()) == ["c0.json", "c0.npz"]
    seen = []
    module._measure(None, rows, tmp_path, 1, lambda done, total: seen.append((done, total)))
    assert measured == ["c0", "c1", "c1", "c2"] and seen == [(1, 3), (2, 3), (3, 3)]


def test_other_settings_or_a_foreign_folder_are_refused(done, cohort, config, tmp_path):
    out, _, _ = done
    with pytest.raises(InputError, match="other settings"):
        evaluate(cohort, out, replace(config, seed=9), workers=1)
    (tmp_path / "something").write_text("x")
    with pytest.raises(InputError, match="not empty"):
        evaluate(cohort, tmp_path, config, workers=1)
    other = next(name for name in ("train", "val", "test") if name != config.split)
    with pytest.raises(InputError, match="no case in the split"):
        evaluate(cohort, tmp_path / "new", replace(config, split=other), workers=1)


def fabricated(n, seed):
    """Records whose method risk is the truth with a little noise and whose radiomics are noise."""
    rng = np.random.default_rng(seed)
    records = []
    for i in range(n):
        hazard = float(rng.normal(0.7, 0.9))
        death, lost = 300 * (rng.exponential() / np.exp(hazard)) ** (1 / 1.3), rng.exponential(900)
        survival = {
            "method_risk": hazard - 0.7 + float(rng.normal(0, 0.3)),
            "true_log_hazard": hazard,
            "radiomics": {f"f{k}": float(v) for k, v in enumerate(rng.normal(size=4))},
            "clinical": {"log_afp": hazard + float(rng.normal(0, 1.0)), "male": float(i % 2)},
        }
        records.append(
            {"case_id": f"c{i}", "os_weeks": float(min(death, lost)), "event": death <= lost, "survival": survival}
        )
    return records


def test_survival_summary_orders_the_models_and_names_the_ceiling(tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "_DPI", 40)
    info = {"kind": "imported", "parameters": {"outcome": {"weibull_scale_weeks": 300, "weibull_shape": 1.3}}}
    config = EvaluationConfig(resamples=20)
    found = summarise_survival(fabricated(120, 0), fabricated(120, 1), config, info, tmp_path)
    rows = {row["model"]: row for row in found["models"]}
    assert list(rows) == [METHOD, "radiomics Cox", "clinical Cox", ORACLE]
    c = {name: row["c_index"].value for name, row in rows.items()}
    assert c[ORACLE] > c["clinical Cox"] > c["radiomics Cox"] and abs(c["radiomics Cox"] - 0.5) < 0.12
    assert rows["radiomics Cox"]["method_minus_this"].low > 0 and "method_minus_this" not in rows[METHOD]
    assert rows[ORACLE]["nelson_aalen_mse"] < rows["radiomics Cox"]["nelson_aalen_mse"]
    assert 0.7 < rows[ORACLE]["calibration_slope"].value < 1.4
    assert not found["same_cohort_as_training"] and found["risk_map_groups_by"] == "the true hazard"
    for name in ("kaplan_meier", "risk_map", "calibration"):
        assert (tmp_path / f"{name}.png").is_file()


def test_scaled_distances_by_hand():
    # The second feature never changes (anatomy) and is left out; the first has spread 1 over truths 0 and 2.
    true = np.array([[0.0, 7.0], [2.0, 7.0]])
    simulated = np.array([[0.5, 9.0], [2.0, 1.0]])
    assert scaled_distances(simulated, true) == pytest.approx(np.array([[0.5, 1.5], [2.0, 0.0]]))


def test_case_seed_depends_on_the_case_only():
    assert case_seed("case_00001", 0) == case_seed("case_00001", 0)
    assert len({case_seed(f"case_{i:05d}", s) for i in range(50) for s in range(3)}) == 150


def test_settings_from_a_file(tmp_path):
    path = tmp_path / "settings.json"
    path.write_text(json.dumps({"parts": ["survival"], "cases": 5, "search": {"beams": 3}}))
    found = read_config(path)
    assert found.parts == ("survival",) and found.cases == 5 and found.search.beams == 3 and found.replicas == 9


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"parts": ["magic"]}', "no part 'magic'"),
        ('{"dynamics": ["magic"]}', "no dynamics model 'magic'"),
        ('{"split": "all"}', "no split 'all'"),
        ('{"replicas": 5}', "'replicas' is 5"),
        ('{"cases": 0}', "'cases' is 0"),
        ('{"colour": 1}', "no setting 'colour'"),
        ('{"search": {"colour": 1}}', "no setting 'colour'"),
        ("[1]", "no JSON object"),
        ("{", "JSON"),
    ],
)
def test_wrong_settings_are_told(tmp_path, content, words):
    path = tmp_path / "settings.json"
    path.write_text(content)
    with pytest.raises(InputError, match=words):
        read_config(path)


def test_missing_settings_and_a_folder_that_is_no_run_are_told(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        read_config(tmp_path / "none.json")
    with pytest.raises(InputError, match="not a run"):
        read_config(tmp_path)
