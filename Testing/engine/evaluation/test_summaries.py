"""The tables of survival and protocols from fabricated measurements whose answers are known."""

import numpy as np
import pytest

from mewm.evaluation import figures
from mewm.evaluation.config import EvaluationConfig
from mewm.evaluation.protocol_summary import summarise_protocols
from mewm.evaluation.survival_predictions import METHOD, ORACLE, SERIES, trained_on
from mewm.evaluation.survival_summary import summarise_survival

CONFIG = EvaluationConfig(resamples=20)


@pytest.fixture(autouse=True)
def small_figures(monkeypatch):
    monkeypatch.setattr(figures, "_DPI", 40)


def fabricated(n, seed):
    """Records whose method risk is the truth with a little noise and whose radiomics are noise."""
    rng = np.random.default_rng(seed)
    records = []
    for i in range(n):
        hazard = float(rng.normal(0.7, 0.9))
        death, lost = 300 * (rng.exponential() / np.exp(hazard)) ** (1 / 1.3), rng.exponential(900)
        survival = {
            "method_risk": hazard - 0.7 + float(rng.normal(0, 0.3)),
            "series_risk": float(rng.normal(0, 0.5)),
            "true_log_hazard": hazard,
            "radiomics": {f"f{k}": float(v) for k, v in enumerate(rng.normal(size=4))},
            "clinical": {"log_afp": hazard + float(rng.normal(0, 1.0)), "male": float(i % 2)},
        }
        records.append(
            {"case_id": f"c{i}", "os_weeks": float(min(death, lost)), "event": death <= lost, "survival": survival}
        )
    return records


def test_survival_summary_orders_the_models_and_names_the_ceiling(tmp_path):
    info = {"kind": "imported", "parameters": {"outcome": {"weibull_scale_weeks": 300, "weibull_shape": 1.3}}}
    found = summarise_survival(fabricated(120, 0), fabricated(120, 1), CONFIG, info, tmp_path)
    rows = {row["model"]: row for row in found["models"]}
    assert list(rows) == [METHOD, SERIES, "radiomics Cox", "clinical Cox", ORACLE]
    c = {name: row["c_index"].value for name, row in rows.items()}
    assert c[ORACLE] > c["clinical Cox"] > c["radiomics Cox"] and abs(c["radiomics Cox"] - 0.5) < 0.12
    assert rows["radiomics Cox"]["method_minus_this"].low > 0 and "method_minus_this" not in rows[METHOD]
    assert rows[ORACLE]["nelson_aalen_mse"] < rows["radiomics Cox"]["nelson_aalen_mse"]
    assert 0.7 < rows[ORACLE]["calibration_slope"].value < 1.4
    assert rows[ORACLE]["nelson_aalen_plane_mse"] < 2
    assert rows[METHOD]["trained_on"] == "another simulated cohort" and found["risk_map_groups_by"] == "the true hazard"
    for name in ("kaplan_meier", "risk_map", "risk_plane", "calibration"):
        assert (tmp_path / f"{name}.png").is_file()


def test_baselines_fitted_on_the_tested_patients_say_so(tmp_path):
    info = {"kind": "imported", "parameters": {"outcome": {"weibull_scale_weeks": 300, "weibull_shape": 1.3}}}
    found = summarise_survival([], fabricated(60, 1), CONFIG, info, tmp_path)
    rows = {row["model"]: row for row in found["models"]}
    assert "too good" in rows["clinical Cox"]["trained_on"]


def test_a_model_that_was_calibrated_on_the_tested_patients_says_so():
    class Method:
        def __init__(self):
            self.provenance = {"cohort": {"kind": "simulated", "seed": 7}}

    info = {"kind": "simulated", "seed": 7}
    assert trained_on(METHOD, info, True, Method(), "test") == "this cohort's training split"
    assert "calibrated on the tested patients" in trained_on(METHOD, info, True, Method(), "val")
    assert "too good" in trained_on(METHOD, info, True, Method(), "train")
    assert trained_on(METHOD, {**info, "seed": 8}, True, Method(), "val") == "another simulated cohort"


def choice(agents, hazard):
    return {"protocol": "; ".join(agents), "agents": agents, "log_hazard": hazard}


def test_protocol_tables_by_hand(tmp_path):
    a, b, c = "lipiodol", "lobaplatin", "pva"
    records = [
        {
            "as treated": choice([a, b], 0.5),
            "arms": {
                "most frequent combination": choice([a, b], 0.5),
                "all allowed agents": choice([a, b, c], 1.0),
                "full method": choice([a, c], 0.0),
                "search on true hazards": choice([a, c], 0.0),
                "oracle": choice([a, c], 0.0),
            },
        },
        {
            "as treated": choice([a, c], 0.3),
            "arms": {
                "most frequent combination": choice([a, b], 0.2),
                "all allowed agents": {"protocol": None, "agents": [], "log_hazard": None},
                "full method": choice([a, b, c], 0.11),
                "search on true hazards": choice([a], 0.1),
                "oracle": choice([a], 0.1),
            },
        },
    ]
    found = summarise_protocols([{"protocols": r} for r in records], CONFIG, tmp_path)
    best = {row["arm"]: row for row in found["against_best"]}
    # Case 1 right; case 2: one of three chosen is the only right one: F1 2/4, Jaccard 1/3, precision 1/3, recall 1.
    full = best["full method"]
    assert full["f1"].value == pytest.approx((1 + 1 / 2) / 2)
    assert full["jaccard"].value == pytest.approx((1 + 1 / 3) / 2)
    assert full["precision"].value == pytest.approx((1 + 1 / 3) / 2) and full["recall"].value == 1
    # Regrets 0 and 0.01: half the cases found, all within 2 %, hazard ratio exp(0.005).
    assert full["regret"].value == pytest.approx(0.005) and full["hazard_ratio"] == pytest.approx(np.exp(0.005))
    assert (full["best_found"].value, full["nearly_best"].value) == (0.5, 1.0)
    everything = best["all allowed agents"]
    assert (everything["no_choice"], everything["best_found"].value) == (1, 0)
    assert everything["regret"].value == pytest.approx(1.0) and everything["f1"].value == pytest.approx(4 / 5 / 2)
    assert best["as treated"]["regret"].value == pytest.approx((0.5 + 0.2) / 2)
    paired = {(row["arm"], row["metric"]): row for row in found["paired_against_best"]}
    gap = paired["most frequent combination", "regret"]
    assert gap["difference"].value == pytest.approx((-0.5 - 0.09) / 2) and (gap["lower"], gap["tied"]) == (2, 0)
    treated = {row["arm"]: row for row in found["against_as_treated"]}
    assert treated["most frequent combination"]["f1"].value == pytest.approx((1 + 1 / 2) / 2)
    ceiling = {row["arm"]: row["best_found"].value for row in found["ceiling"]}
    assert ceiling == {"search on true hazards": 1, "most frequent combination": 0, "all allowed agents": 0}
    assert found["choices"]["all allowed agents"] == ["lipiodol; lobaplatin; pva", None]


def test_an_endpoint_that_never_answers_gets_words_and_no_figure(tmp_path):
    silent = {"protocol": None, "agents": [], "log_hazard": None, "failure": "The endpoint x is down."}
    right = choice(["lipiodol", "pva"], None)
    record = {"as treated": right, "arms": {"x alone": silent, "full method": right}}
    found = summarise_protocols([{"protocols": record}] * 2, CONFIG, tmp_path)
    rows = {row["arm"]: row for row in found["against_as_treated"]}
    assert rows["x alone"] == {"arm": "x alone", "cases": "no answer: The endpoint x is down."}
    assert rows["full method"]["f1"].value == 1 and found["failures"] == {"x alone": ["The endpoint x is down."]}
    assert not any(row["arm"] == "x alone" for row in found["paired_against_as_treated"])
