"""Protocol metrics by hand and against set arithmetic."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mewm.actions.base import load_action_base
from mewm.errors import InputError
from mewm.evaluation.protocol_metrics import (
    agent_scores,
    average_scores,
    found_best,
    paired_test,
    regrets,
    score_cases,
)

AGENTS = sorted(load_action_base().agents)


def test_scores_by_hand():
    # Chosen 3, right 2 of them, reference 4: precision 2/3, recall 2/4, F1 = 2·2/(3+4) = 4/7, Jaccard 2/5.
    found = agent_scores(["lobaplatin", "lipiodol", "pva"], ["lobaplatin", "lipiodol", "epirubicin", "gelatin_sponge"])
    assert found.precision == pytest.approx(2 / 3)
    assert found.recall == pytest.approx(1 / 2)
    assert found.f1 == pytest.approx(4 / 7)
    assert found.jaccard == pytest.approx(2 / 5)


@given(st.sets(st.sampled_from(AGENTS)), st.sets(st.sampled_from(AGENTS), min_size=1))
def test_scores_are_those_of_binary_vectors(chosen, reference):
    a, b = (np.array([agent in s for agent in AGENTS]) for s in (chosen, reference))
    true = int((a & b).sum())
    precision = true / a.sum() if a.any() else 0.0
    recall = true / b.sum()
    harmonic = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    found = agent_scores(chosen, reference)
    assert (found.precision, found.recall) == (pytest.approx(precision), pytest.approx(recall))
    assert found.f1 == pytest.approx(harmonic)
    assert found.jaccard == pytest.approx(true / (a | b).sum())


def test_scores_are_per_case_and_then_averaged_not_pooled():
    # Case 1: all of 1 right (F1 1); case 2: none of 3 right (F1 0). Averaged 0.5; pooled would give 2·1/(4+4) = 0.25.
    chosen = [["doxorubicin_eluting_beads"], ["lobaplatin", "lipiodol", "pva"]]
    reference = [["doxorubicin_eluting_beads"], ["epirubicin", "nbca", "gelatin_sponge"]]
    assert average_scores(score_cases(chosen, reference), resamples=20)["f1"].value == pytest.approx(0.5)


def test_an_arm_without_an_answer_scores_zero_and_order_does_not_count():
    scores = score_cases([[], ["lipiodol", "lobaplatin"]], [["lobaplatin", "lipiodol"]] * 2)
    assert scores["f1"].tolist() == [0.0, 1.0] and scores["precision"].tolist() == [0.0, 1.0]


def test_paired_test_is_scipys_wilcoxon_and_counts():
    rng = np.random.default_rng(0)
    second = rng.random(30)
    first = second + rng.normal(0.1, 0.1, 30)
    first[:3] = second[:3]
    found = paired_test(first, second, resamples=200)
    moved = first[3:] - second[3:]
    assert found.wilcoxon_p == pytest.approx(stats.wilcoxon(moved).pvalue)
    assert (found.better, found.worse, found.tied) == ((moved > 0).sum(), (moved < 0).sum(), 3)
    assert found.difference.value == pytest.approx(np.mean(first - second))
    assert paired_test(second, second, resamples=10).wilcoxon_p == 1.0


def test_wilcoxon_by_hand():
    # Differences 1, 2, 3, 4, 5 all positive: the exact two-sided p is 2 / 2⁵.
    assert paired_test(np.array([1.0, 2, 3, 4, 5]), np.zeros(5), resamples=10).wilcoxon_p == pytest.approx(2 / 32)


def test_regret_by_hand():
    found = regrets([0.3, None, -0.2, -0.3], [0.1, 0.0, -0.2, -0.2])
    assert found == pytest.approx([0.2, np.nan, 0.0, -0.1], nan_ok=True)
    assert found_best(found).tolist() == [False, False, True, True]
    assert found_best(np.array([0.0, 1e-6, 0.1]), tolerance=0.2).tolist() == [True, True, True]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: agent_scores(["pva"], []), "reference"),
        (lambda: score_cases([[]], []), "1 chosen and 0"),
        (lambda: paired_test(np.zeros(2), np.zeros(3)), "2 and 3"),
        (lambda: regrets([1.0], []), "1 choices and 0"),
    ],
)
def test_wrong_input_is_told(call, words):
    with pytest.raises(InputError, match=words):
        call()
