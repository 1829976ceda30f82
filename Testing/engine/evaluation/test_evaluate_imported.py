"""The evaluation on a cohort without truth: what needs it is told in words, everything else is there."""

import csv
import json

import pytest

from mewm.evaluation import figures
from mewm.evaluation.config import EvaluationConfig
from mewm.evaluation.evaluate import evaluate
from mewm.evaluation.registry import plain_models
from mewm.explore.settings import ExploreSettings
from mewm.policy.guideline import GuidelinePolicy

SMALL = ExploreSettings(beams=1, drugs=2, embolics=1, replicas=1, drug_horizon=1, embolic_horizon=1)
CONFIG = EvaluationConfig(
    dynamics=("procedural texture", "mechanistic"),
    policies=("guideline", "somebody's"),
    candidates=4,
    search=SMALL,
    resamples=20,
    page=2,
    cases=2,
)


class OtherPolicy(GuidelinePolicy):
    """A policy that a user registers: the guideline's proposals backwards."""

    name = "somebody's"

    def propose(self, roi, goal, formulary, drugs, embolics):
        found = super().propose(roi, goal, formulary, drugs, embolics)
        return type(found)(found.drugs[::-1], found.embolics, found.findings, found.reasons)


@pytest.fixture(scope="module")
def done(imported, tmp_path_factory):
    out = tmp_path_factory.mktemp("imported") / "evaluation"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures, "_DPI", 40)
        registry = plain_models().with_policy("somebody's", OtherPolicy)
        return out, evaluate(imported, out, CONFIG, workers=1, registry=registry)


def test_nothing_is_claimed_about_a_truth_that_nobody_knows(done):
    out, results = done
    assert results["truth"] == "not known" and "simulator's own equations" not in results["notice"]
    found = results["synthesis"]
    assert found["true_labels"] == "intensity assistant"
    arms = {row["arm"]: row for row in found["arms"]}
    assert "truth re-drawn (ceiling)" not in arms
    for name in CONFIG.dynamics:
        assert arms[name]["retrieval_top1"] == "needs a known truth"
        assert arms[name]["LPIPS"].value > 0 and arms[name]["FID"].value > -1e-6
    volumes = {(row["arm"], row["quantity"]): row for row in found["volumes"]}
    assert volumes["mechanistic", "lipiodol_ml"]["true_mean"] > 0
    assert "true by: intensity assistant" in (out / "volumes.md").read_text(encoding="utf-8")


def test_protocols_are_compared_with_the_treatment_given_only(done):
    out, results = done
    rows = {row["arm"]: row for row in results["protocols"]["against_as_treated"]}
    assert "oracle" not in rows and "search on true hazards" not in rows
    assert {"full method", "somebody's policy alone", "guideline policy alone", "random under rules"} <= set(rows)
    assert not any("regret" in row for row in rows.values())
    assert "against_best" not in results["protocols"] and "ceiling" not in results["protocols"]
    assert not (out / "protocols_against_best.csv").exists()
    # Cisplatin, doxorubicin, mitomycin and Lipiodol were given to both patients.
    assert rows["most frequent combination"]["f1"].value == 1
    assert rows["without the contrastive loss"]["cases"] == "not trained"


def test_survival_says_what_few_patients_cannot_show(done):
    out, results = done
    rows = {row["model"]: row for row in results["survival"]["models"]}
    assert "oracle" not in rows
    for name in ("radiomics Cox", "clinical Cox"):
        assert (
            rows[name]["c_index"] == "not fitted: A Cox model needs at least 10 deaths; there are 3; take more cases."
        )
    assert "these very patients" in rows["clinical Cox of the real series"]["trained_on"]
    # The two tested patients died at weeks 130 and 150; both have the same CT and liver classes that differ.
    assert rows["survival model on the true CT"]["c_index"].value in (0.0, 0.5, 1.0)
    with (out / "survival.csv").open() as stream:
        assert [line["model"] for line in csv.DictReader(stream)] == list(rows)
    stored = json.loads((out / "results.json").read_text(encoding="utf-8"))
    assert stored["survival"]["risk_map_groups_by"] == "each model's own prediction"


def test_a_split_in_which_nobody_died_is_told(imported, tmp_path):
    lines = (imported / "cases.csv").read_text(encoding="utf-8").splitlines()
    other = tmp_path / "cohort"
    other.mkdir()
    (other / "cases").symlink_to(imported / "cases")
    (other / "cohort.json").write_text((imported / "cohort.json").read_text(encoding="utf-8"), encoding="utf-8")
    alive = [line[: line.rindex(",")] + ",0" if ",test," in line else line for line in lines]
    (other / "cases.csv").write_text("\n".join(alive) + "\n", encoding="utf-8")
    found = evaluate(other, tmp_path / "out", EvaluationConfig(parts=("survival",), resamples=20), workers=1)
    assert "Nobody died" in found["survival"]["not_measured"]
    assert "Nobody died" in (tmp_path / "out" / "survival.md").read_text(encoding="utf-8")
