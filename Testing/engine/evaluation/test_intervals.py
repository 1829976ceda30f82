"""Bootstrap intervals against theory and hand computations."""

import numpy as np
import pytest
from scipy import stats

from mewm.errors import InputError
from mewm.evaluation.intervals import bootstrap, bootstrap_difference, bootstrap_mean


def test_interval_of_a_mean_is_that_of_scipy():
    values = np.random.default_rng(0).normal(3.0, 2.0, 80)
    mine = bootstrap_mean(values, resamples=4000)
    other = stats.bootstrap((values,), np.mean, n_resamples=4000, method="percentile", rng=np.random.default_rng(9))
    assert mine.value == pytest.approx(values.mean())
    assert mine.low == pytest.approx(other.confidence_interval.low, abs=0.05)
    assert mine.high == pytest.approx(other.confidence_interval.high, abs=0.05)


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    rng = np.random.default_rng(1)
    inside = 0
    for seed in range(200):
        found = bootstrap_mean(rng.normal(0, 1, 40), resamples=200, seed=seed, level=0.9)
        inside += found.low <= 0 <= found.high
    assert 0.82 <= inside / 200 <= 0.96


def test_same_seed_same_interval_and_other_seed_another():
    values = np.random.default_rng(2).normal(size=30)
    assert bootstrap_mean(values, resamples=50) == bootstrap_mean(values, resamples=50)
    assert bootstrap_mean(values, resamples=50) != bootstrap_mean(values, resamples=50, seed=1)


def test_paired_difference_uses_the_same_cases_on_both_sides():
    # The cases differ by 10 between each other, the arms by exactly 1: only pairing gives an interval of length 0.
    second = np.arange(20) * 10.0
    first = second + 1
    found = bootstrap_difference(lambda i: first[i].mean(), lambda i: second[i].mean(), 20, resamples=199)
    assert (found.value, found.low, found.high) == (1.0, 1.0, 1.0)
    # All 199 differences lie above 0: p = 2 · (0 + 1) / (199 + 1).
    assert found.p == pytest.approx(0.01)


def test_no_difference_has_p_one():
    same = np.arange(5.0)
    assert bootstrap_difference(lambda i: same[i].mean(), lambda i: same[i].mean(), 5, resamples=99).p == 1.0


def test_resamples_without_a_value_are_left_out_and_too_few_give_no_interval():
    sometimes = bootstrap(lambda i: float("nan") if i[0] == 0 else 1.0, 10, resamples=200)
    assert (sometimes.low, sometimes.high) == (1.0, 1.0)
    mostly = bootstrap(lambda i: 1.0 if i[0] == 0 else float("nan"), 10, resamples=200)
    assert np.isnan(mostly.low) and np.isnan(mostly.high)


def test_no_case_is_told():
    with pytest.raises(InputError, match="no case"):
        bootstrap_mean(np.array([]))
