"""The whole evaluation on a small simulated cohort: files, resuming, settings, wrong input."""

import json
from dataclasses import replace

import numpy as np
import pytest

from mewm.cohort.dataset import read_cohort
from mewm.cohort.simulate import simulate_cohort
from mewm.errors import InputError
from mewm.evaluation import case_files, figures
from mewm.evaluation.case_measures import Context, case_seed
from mewm.evaluation.config import EvaluationConfig, read_config
from mewm.evaluation.evaluate import evaluate
from mewm.evaluation.registry import LEARNED, known_models, plain_models
from mewm.evaluation.synthesis_measures import centred, scaled_distances
from mewm.explore.settings import ExploreSettings

TINY = EvaluationConfig(
    parts=("synthesis", "protocols"),
    cases=1,
    dynamics=("procedural texture",),
    candidates=4,
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
    tables = (
        "synthesis",
        "volumes",
        "protocols_against_best",
        "protocols_against_as_treated",
        "paired_against_best",
        "ceiling",
    )
    for name in tables:
        assert (out / f"{name}.csv").is_file() and (out / f"{name}.md").is_file()
    for name in ("volumes", "cases_page", "protocols_against_best"):
        assert (out / f"{name}.png").is_file() and (out / f"{name}.svg").is_file()
    stored = json.loads((out / "results.json").read_text(encoding="utf-8"))
    assert stored["cases"] == 1 and "no evidence about patients" in stored["notice"]
    assert not list(out.rglob("*.partial*"))
    assert "not Inception" in results["synthesis"]["feature_network"]
    assert results["truth"] == "known" and results["synthesis"]["true_labels"] == "marked labels"


def test_arms_and_ceilings_are_among_the_results(done, config):
    out, results, _ = done
    arms = {row["arm"]: row for row in results["synthesis"]["arms"]}
    assert list(arms) == ["procedural texture", "truth re-drawn (ceiling)", *LEARNED]
    # The texture ignores the protocol, so its retrieval is chance: one simulation for all four truths.
    for name in ("retrieval_top1", "retrieval_centred_top1"):
        assert arms["procedural texture"][name].value == pytest.approx(1 / 4)
    paired = {(row["arm"], row["metric"]): row["difference"] for row in results["synthesis"]["paired"]}
    assert {arm for arm, _ in paired} == {"truth re-drawn (ceiling)"}
    mine, ceiling = arms["procedural texture"], arms["truth re-drawn (ceiling)"]
    gap = mine["LPIPS"].value - ceiling["LPIPS"].value
    assert paired["truth re-drawn (ceiling)", "LPIPS"].value == pytest.approx(gap)
    best = {row["arm"]: row for row in results["protocols"]["against_best"]}
    assert set(best) == {
        "as treated",
        "random under rules",
        "most frequent combination",
        "all allowed agents",
        "guideline policy alone",
        "without the assistant",
        "without the contrastive loss",
        "full method",
        "full method, true response",
        "full method, true response and tissue",
        "search on true hazards, policy's agents",
        "search on true hazards",
    }
    for arm in ("random under rules", "search on true hazards"):
        assert best[arm]["regret"].value >= -1e-9
    treated = {row["arm"]: row for row in results["protocols"]["against_as_treated"]}
    assert treated["oracle"]["regret"].value == 0 and treated["oracle"]["best_found"].value == 1
    ceiling = [row["arm"] for row in results["protocols"]["ceiling"]]
    assert ceiling == ["search on true hazards", "most frequent combination", "all allowed agents"]
    # What nobody has trained or asked for is told in words and has no figure.
    assert best["without the contrastive loss"] == {"arm": "without the contrastive loss", "cases": "not trained"}
    for name, why in known_models().absent(config).items():
        assert arms[name] == {"arm": name, "cases": why}
    assert "| without the contrastive loss | not trained |  |" in (out / "protocols_against_best.md").read_text(
        encoding="utf-8"
    )


def test_what_is_measured_is_not_measured_again_and_gives_the_same(done, cohort, config, monkeypatch):
    out, _, _ = done
    before = (out / "results.json").read_bytes()
    (out / "results.json").unlink()
    monkeypatch.setattr(case_files, "measure_case", lambda *_: pytest.fail("measured again"))
    evaluate(cohort, out, config, workers=1)
    assert (out / "results.json").read_bytes() == before


def stopped_at(monkeypatch, second):
    """Let the second of all cases fail once; return the names of the cases in the order measured."""
    measured = []

    def measure(context, row):
        measured.append(row.case_id)
        if len(measured) == 2:
            raise second
        return {"case_id": row.case_id}, {"slices": np.zeros((2, 4, 4), np.float32)}

    monkeypatch.setattr(case_files, "measure_case", measure)
    return measured


def test_an_interruption_leaves_no_half_case_and_a_changed_case_is_measured_again(cohort, tmp_path, monkeypatch):
    data = read_cohort(cohort)
    rows = [replace(row, case_id=f"c{i}") for i, row in enumerate(data.rows * 3)]
    context = Context(data, EvaluationConfig(), plain_models(), {}, ())
    measured = stopped_at(monkeypatch, KeyboardInterrupt)
    (tmp_path / "cases").mkdir()
    with pytest.raises(KeyboardInterrupt):
        case_files.measure_cases(context, rows, tmp_path, 1, None)
    assert sorted(p.name for p in (tmp_path / "cases").iterdir()) == ["c0.json", "c0.npz"]
    seen = []
    found = case_files.measure_cases(context, rows, tmp_path, 1, lambda done, total: seen.append((done, total)))
    assert (
        measured == ["c0", "c1", "c1", "c2"] and seen == [(1, 3), (2, 3), (3, 3)] and list(found) == ["c0", "c1", "c2"]
    )
    changed = replace(rows[1], values={**rows[1].values, "os_weeks": 1.0})
    case_files.measure_cases(context, [rows[0], changed], tmp_path, 1, None)
    assert measured[4:] == ["c1"]
    known = replace(context, truth={"c2": {"growth": "1"}})
    case_files.measure_cases(known, rows[2:], tmp_path, 1, None)
    assert measured[5:] == ["c2"]


def test_several_processes_measure_the_same(imported, tmp_path):
    config = EvaluationConfig(parts=("survival",), split="val", resamples=20)
    alone, together = (case_files_of(imported, config, tmp_path / str(workers), workers) for workers in (1, 2))
    assert alone == together and len(alone) == 2


def case_files_of(cohort, config, out, workers):
    data = read_cohort(cohort)
    context = Context(data, config, plain_models(), {}, ())
    (out / "cases").mkdir(parents=True)
    return case_files.measure_cases(context, data.split("val"), out, workers, None)


def test_other_settings_or_a_foreign_folder_are_refused(done, cohort, config, tmp_path):
    out, _, _ = done
    with pytest.raises(InputError, match="other settings"):
        evaluate(cohort, out, replace(config, seed=9), workers=1)
    (tmp_path / "something").write_text("x", encoding="utf-8")
    with pytest.raises(InputError, match="not empty"):
        evaluate(cohort, tmp_path, config, workers=1)
    other = next(name for name in ("train", "val", "test") if name != config.split)
    with pytest.raises(InputError, match="no case in the split"):
        evaluate(cohort, tmp_path / "new", replace(config, split=other), workers=1)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"dynamics": ("magic",)}, "no dynamics model 'magic'; choose one of mechanistic"),
        ({"dynamics": ("mask-only diffusion",)}, "no dynamics model 'mask-only diffusion'; it is not trained"),
        ({"policies": ("magic",)}, "no policy 'magic'; choose one of guideline"),
        ({"endpoints": ("magic",), "send_accepted": True}, "no endpoint 'magic'"),
    ],
)
def test_unknown_models_are_told_before_anything_is_measured(cohort, config, tmp_path, settings, words):
    with pytest.raises(InputError, match=words):
        evaluate(cohort, tmp_path / "out", replace(config, **settings))
    assert not (tmp_path / "out").exists()


def test_scaled_distances_by_hand():
    # The second feature never changes (anatomy) and is left out; the first has spread 1 over truths 0 and 2.
    true = np.array([[0.0, 7.0], [2.0, 7.0]])
    simulated = np.array([[0.5, 9.0], [2.0, 1.0]])
    assert scaled_distances(simulated, true) == pytest.approx(np.array([[0.5, 1.5], [2.0, 0.0]]))


def test_an_error_that_is_the_same_under_every_protocol_does_not_count_once_centred():
    true = np.array([[0.0, 1.0], [2.0, 1.5], [4.0, 1.0]])
    simulated = true + np.array([0.0, 5.0])
    plain = scaled_distances(simulated, true)
    assert (plain.argmin(axis=1) == 1).all(), "the offset looks like the one truth that has it"
    apart = scaled_distances(centred(simulated), centred(true))
    assert np.diagonal(apart) == pytest.approx(0) and (apart.argmin(axis=1) == [0, 1, 2]).all()


def test_case_seed_depends_on_the_case_only():
    assert case_seed("case_00001", 0) == case_seed("case_00001", 0)
    assert len({case_seed(f"case_{i:05d}", s) for i in range(50) for s in range(3)}) == 150


def test_settings_from_a_file(tmp_path):
    path = tmp_path / "settings.json"
    path.write_text(json.dumps({"parts": ["survival"], "cases": 5, "search": {"beams": 3}}), encoding="utf-8")
    found = read_config(path)
    assert found.parts == ("survival",) and found.cases == 5 and found.search.beams == 3 and found.replicas == 9


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"parts": ["magic"]}', "no part 'magic'"),
        ('{"dynamics": "mechanistic"}', "give a list of names"),
        ('{"policies": []}', "at least one part"),
        ('{"endpoints": ["gpt-4o"]}', "gpt-4o would be sent pictures and facts"),
        ('{"endpoints": ["gpt-4o"], "send_accepted": "yes"}', "set send_accepted to true"),
        ('{"lpips_heads": "x.pth"}', "two files"),
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
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=words):
        read_config(path)


def test_missing_settings_and_a_folder_that_is_no_run_are_told(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        read_config(tmp_path / "none.json")
    with pytest.raises(InputError, match="not a run"):
        read_config(tmp_path)
