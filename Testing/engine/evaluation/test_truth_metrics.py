"""Volumes, retrieval, coverage and response agreement by hand."""

import numpy as np
import pytest
from scipy import stats

from mewm.errors import InputError
from mewm.evaluation.config import EvaluationConfig
from mewm.evaluation.synthesis_pairs import FRACTIONS, ArmValues, paired_rows
from mewm.evaluation.truth_metrics import (
    agreement,
    coverage,
    protocol_retrieval,
    quantities,
    replicas_needed,
    response_agreement,
)
from mewm.measure import Measurements


def measured(viable, necrosis, oil):
    lesion = viable + necrosis + oil
    return Measurements(10, lesion, viable, necrosis, oil, 0, 0, 0, 0, 0, 0, "SD")


def test_quantities_by_hand():
    found = quantities(measured(2.0, 3.0, 5.0))
    assert found["viable_ml"] == 2 and found["lipiodol_ml"] == 5
    assert found["viable_fraction"] == pytest.approx(0.2) and found["necrosis_fraction"] == pytest.approx(0.3)
    assert quantities(measured(0.0, 0.0, 0.0))["lipiodol_fraction"] == 0


def test_agreement_by_hand_and_against_scipy():
    found = agreement(np.array([1.0, 2, 4]), np.array([0.0, 3, 3]), resamples=20)
    # Differences 1, −1, 1.
    assert found.bias.value == pytest.approx(1 / 3) and found.error.value == pytest.approx(1.0)
    rng = np.random.default_rng(0)
    true = np.round(rng.random(50), 1)
    simulated = true + rng.normal(0, 0.3, 50)
    found = agreement(simulated, true, resamples=20)
    assert found.pearson.value == pytest.approx(stats.pearsonr(simulated, true).statistic)
    assert found.spearman.value == pytest.approx(stats.spearmanr(simulated, true).statistic)
    assert np.isnan(agreement(np.ones(5), true[:5], resamples=20).pearson.value)


def test_retrieval_by_hand():
    # Simulation 0 is nearest to its own truth; 1 is second nearest to its own; 2 is third.
    case = np.array([[0.1, 0.5, 0.9], [0.1, 0.2, 0.3], [0.1, 0.2, 0.3]])
    found = protocol_retrieval(case[None], k=2, resamples=5)
    assert found.top1.value == pytest.approx(1 / 3) and found.top_k.value == pytest.approx(2 / 3)
    assert (found.candidates, found.k) == (3, 2)


def test_retrieval_of_a_model_that_ignores_the_protocol_is_chance():
    # All distances equal: chance 1/10 and 3/10.
    found = protocol_retrieval(np.ones((4, 10, 10)), k=3, resamples=5)
    assert found.top1.value == pytest.approx(0.1) and found.top_k.value == pytest.approx(0.3)
    # One simulation for every protocol: some truth is nearest to all of them, so exactly one in ten is right.
    same = np.random.default_rng(0).random((50, 1, 10)).repeat(10, axis=1)
    assert protocol_retrieval(same, resamples=5).top1.value == pytest.approx(0.1)


def test_coverage_by_hand():
    # Nine replicas 1 … 9: positions 0.1 · 10 and 0.9 · 10, the interval is [1, 9].
    replicas = np.tile(np.arange(1.0, 10.0), (4, 1))
    assert coverage(replicas, np.array([0.9, 1.0, 9.0, 9.1]), resamples=5).value == pytest.approx(0.5)


@pytest.mark.parametrize("replicas", [9, 19, 50])
def test_coverage_of_an_honest_spread_is_its_level_whatever_the_replicas(replicas):
    rng = np.random.default_rng(0)
    draws = rng.normal(size=(4000, replicas + 1))
    assert coverage(draws[:, 1:], draws[:, 0], resamples=5).value == pytest.approx(0.8, abs=0.025)


def test_coverage_of_a_spread_too_small_is_low():
    rng = np.random.default_rng(0)
    assert coverage(0.3 * rng.normal(size=(500, 9)), rng.normal(size=500), resamples=5).value < 0.5


def test_replicas_needed():
    assert (replicas_needed(0.8), replicas_needed(0.5), replicas_needed(0.9)) == (9, 3, 19)
    with pytest.raises(InputError, match="at least 9"):
        coverage(np.zeros((3, 5)), np.zeros(3))


def test_kappa_by_hand():
    # Two of four right, the others one category off. Weighted disagreement seen: 2.
    # Margins: simulated CR 2, SD 2; true CR 1, PR 1, SD 1, PD 1. Expected: ½·(0+1+2+3) + ½·(2+1+0+1) = 5.
    assert response_agreement(["CR", "CR", "SD", "SD"], ["CR", "PR", "SD", "PD"]) == pytest.approx(1 - 2 / 5)
    assert response_agreement(["CR", "PD"], ["CR", "PD"]) == 1
    with pytest.raises(InputError):
        response_agreement(["CR"], ["NE"])


@pytest.mark.parametrize(
    "call",
    [
        lambda: agreement(np.zeros(2), np.zeros(3)),
        lambda: protocol_retrieval(np.zeros((2, 3, 4))),
        lambda: protocol_retrieval(np.zeros((2, 3, 3)), k=3),
        lambda: coverage(np.zeros((2, 9)), np.zeros(3)),
    ],
)
def test_wrong_shapes_are_told(call):
    with pytest.raises(InputError):
        call()


def test_arms_are_compared_on_the_same_cases():
    rng = np.random.default_rng(0)
    true = {share: rng.random(60) for share in FRACTIONS}
    near, far = ({share: true[share] + scale * rng.normal(size=60) for share in FRACTIONS} for scale in (0.05, 0.5))
    looks = {"LPIPS": rng.random(60)}
    worse = {"LPIPS": looks["LPIPS"] + 0.01}
    found = paired_rows(
        {"near": ArmValues(looks, near), "far": ArmValues(worse, far)}, true, EvaluationConfig(resamples=50)
    )
    rows = {row["metric"]: row["difference"] for row in found}
    assert rows["LPIPS"].value == pytest.approx(-0.01) and rows["LPIPS"].high < 0
    for share in FRACTIONS:
        assert rows[f"error of {share}"].high < 0 < rows[f"pearson of {share}"].low
