"""Discrimination and calibration against hand computations and naive implementations."""

import itertools

import numpy as np
import pytest

from mewm.errors import InputError
from mewm.evaluation.risk_map import risk_map
from mewm.evaluation.risk_plane import coordinates, observed_plane, risk_plane
from mewm.evaluation.survival_calibration import (
    SurvivalCurves,
    brier_score,
    calibration_curve,
    calibration_slope,
    integrated_brier_score,
)
from mewm.evaluation.survival_metrics import c_index, c_index_difference, groups_table, risk_groups


def weibull_cohort(n=400, seed=0, slope=1.0, follow_up=200.0):
    """Exponential survival times with a known log-hazard, about 20 % censored."""
    rng = np.random.default_rng(seed)
    risk = rng.normal(0, 0.8, n)
    death = rng.exponential(100 / np.exp(slope * risk))
    censored = rng.uniform(0.3 * follow_up, 2 * follow_up, n)
    return np.minimum(death, censored), death <= censored, risk


def true_curves(risk, last=156):
    weeks = np.arange(last + 1.0)
    return SurvivalCurves(weeks, np.exp(-np.outer(np.exp(risk), weeks) / 100))


def naive_concordance(weeks, died, risk):
    """Harrell by its definition: pairs whose earlier time is a death."""
    good = pairs = 0.0
    for i in range(len(weeks)):
        for j in range(len(weeks)):
            if died[i] and weeks[i] < weeks[j]:
                pairs += 1
                good += 1.0 if risk[i] > risk[j] else 0.5 if risk[i] == risk[j] else 0.0
    return good / pairs


def test_c_index_by_hand():
    # Pairs that can be compared (earlier one died): (1,2) (1,3) (1,4) (3,4); 2 is censored at week 20.
    # Risks 4, 1, 2, 3: right, right, right, wrong → 3/4.
    weeks, died, risk = np.array([10.0, 20, 30, 40]), np.array([1, 0, 1, 0]), np.array([4.0, 1, 2, 3])
    assert c_index(weeks, died, risk, resamples=20).value == pytest.approx(0.75)
    assert c_index(weeks, died, -risk, resamples=20).value == pytest.approx(0.25)


def test_c_index_is_that_of_its_definition_and_its_interval_holds_it():
    weeks, died, risk = weibull_cohort(120)
    risk = np.round(risk, 1)  # ties
    found = c_index(weeks, died, risk, resamples=200)
    assert found.value == pytest.approx(naive_concordance(weeks, died, risk))
    assert 0.5 < found.low < found.value < found.high < 1
    assert found.cases == 120


def test_better_model_wins_the_paired_comparison():
    weeks, died, risk = weibull_cohort(100)
    worse = risk + np.random.default_rng(1).normal(0, 3, 100)
    found = c_index_difference(weeks, died, risk, worse, resamples=150)
    assert found.low > 0 and found.p < 0.05
    assert c_index_difference(weeks, died, risk, risk, resamples=20).value == 0


def test_risk_groups_by_hand():
    # Low risk: deaths at 5 and 15 weeks of 4 patients: S(5) = 3/4, S(15) = 3/4 · 1/2 (one censored at 10).
    weeks = np.array([5.0, 10, 15, 20, 1, 2, 3, 4])
    died = np.array([1, 0, 1, 0, 1, 1, 1, 1])
    risk = np.array([1.0, 1, 1, 1, 2, 2, 2, 2])
    found = risk_groups(weeks, died, risk, cuts=[1.5])
    low, high = found.groups
    assert [g.name for g in found.groups] == ["low risk", "high risk"]
    assert np.interp([5, 15], low.weeks, low.survival) == pytest.approx([3 / 4, 3 / 8])
    # High risk loses one of four each week: the curve reaches one half at week 2.
    assert high.survival[-1] == 0 and high.median_weeks == 2
    assert list(groups_table(found)["deaths"]) == [2, 4]


def test_logrank_by_hand():
    # One death in each group at each of two times: (O − E)² / V by the textbook.
    weeks, died = np.array([1.0, 2, 3, 4]), np.ones(4)
    risk = np.array([2.0, 2, 1, 1])
    # Group of high risk: at week 1: d 1, n 4, n₁ 2 → E 1/2, V 1/4; at week 2: n 3, n₁ 1 → E 1/3, V 2/9; later E 0.
    # O 2, E 5/6, V 17/36 → χ² = (7/6)² / (17/36) = 49/17, one degree of freedom.
    from scipy.stats import chi2

    assert risk_groups(weeks, died, risk, cuts=[1.5]).logrank_p == pytest.approx(chi2.sf(49 / 17, 1))


def test_groups_split_by_cuts_of_the_training_cohort_or_by_halves():
    weeks, died, risk = weibull_cohort(100)
    halves = risk_groups(weeks, died, risk)
    assert [len(g.members) for g in halves.groups] == [50, 50]
    thirds = risk_groups(weeks, died, risk, names=("low", "middle", "high"))
    assert [len(g.members) for g in thirds.groups] == [34, 33, 33]
    with pytest.raises(InputError, match="high risk"):
        risk_groups(weeks, died, risk, cuts=[99.0])


def test_brier_by_hand():
    # Week 10; predicted survival 0.8, 0.6, 0.4, 0.2 (constant curves at that week).
    weeks, died = np.array([4.0, 6, 12, 14]), np.array([0, 1, 1, 0])
    curves = SurvivalCurves(np.array([0.0, 10, 20]), np.array([[1, s, s] for s in (0.8, 0.6, 0.4, 0.2)]))
    # Censoring curve: one of 4 censored at week 4 → G = 3/4 until week 14. The first, censored early, has weight 0.
    # Second died at 6: 0.6² / (3/4) = 0.48; third and fourth live on: 0.6² / (3/4) = 0.48 and 0.8² / (3/4) = 0.85333.
    assert brier_score(weeks, died, curves, 10, resamples=10).value == pytest.approx((0.48 + 0.48 + 0.64 / 0.75) / 4)


def test_brier_without_censoring_is_the_mean_squared_error():
    rng = np.random.default_rng(0)
    weeks = rng.exponential(80, 60)
    curves = true_curves(np.zeros(60))
    for week in (26, 52):
        naive = np.mean(((weeks > week) - curves.at(week)) ** 2)
        assert brier_score(weeks, np.ones(60), curves, week, resamples=10).value == pytest.approx(naive)


def test_integrated_brier_is_the_mean_over_time():
    weeks, died, risk = weibull_cohort(80)
    curves = true_curves(risk)
    grid = np.linspace(0, 104, 27)
    values = [brier_score(weeks, died, curves, w, resamples=1).value for w in grid]
    naive = sum((a + b) / 2 * 4 for a, b in itertools.pairwise(values)) / 104
    assert integrated_brier_score(weeks, died, curves, 104, resamples=5).value == pytest.approx(naive)


def test_true_curves_have_a_better_brier_score_than_wrong_ones():
    weeks, died, risk = weibull_cohort(400)
    right = brier_score(weeks, died, true_curves(risk), 52, resamples=10).value
    flat = brier_score(weeks, died, true_curves(np.zeros(400)), 52, resamples=10).value
    inverse = brier_score(weeks, died, true_curves(-risk), 52, resamples=10).value
    assert right < flat < inverse


def test_calibration_curve_by_hand_and_of_the_truth():
    weeks, died = np.array([5.0, 10, 15, 20]), np.array([1, 1, 1, 1])
    curves = SurvivalCurves(np.array([0.0, 20]), np.array([[1, 0.2], [1, 0.4], [1, 0.6], [1, 0.8]]))
    points = calibration_curve(weeks, died, curves, 12, groups=2)
    # Mortality predicted at 12 weeks: (1 − S(20)) · 12/20 = 0.12, 0.24 | 0.36, 0.48; the second half died by week 12.
    assert [p.predicted for p in points] == pytest.approx([0.18, 0.42])
    assert [p.observed for p in points] == pytest.approx([0.0, 1.0])
    weeks, died, risk = weibull_cohort(2000)
    for point in calibration_curve(weeks, died, true_curves(risk), 52):
        assert point.predicted == pytest.approx(point.observed, abs=0.06)
        assert point.low <= point.observed <= point.high


def test_calibration_slope_tells_timid_from_extreme():
    weeks, died, risk = weibull_cohort(2000)
    for factor in (0.5, 1.0, 2.0):
        found = calibration_slope(weeks, died, factor * risk)
        assert found.value == pytest.approx(1 / factor, rel=0.12)
        assert found.low < found.value < found.high
    with pytest.raises(InputError, match="equal"):
        calibration_slope(weeks, died, np.zeros(2000))


def test_risk_map_by_hand():
    # Two groups of two; low: nobody dies before week 4; high: deaths at weeks 1 and 3.
    weeks, died = np.array([4.0, 4, 1, 3]), np.array([1, 1, 1, 1])
    hazard = np.array([0.0, 0.0, 0.5, 0.5])
    grid = np.arange(5.0)
    curves = SurvivalCurves(grid, np.exp(-np.outer(hazard, grid)))
    found = risk_map(weeks, died, curves, groups=2)
    # Nelson–Aalen of the high group: 1/2 from week 1, 1/2 + 1 from week 3, after which nobody is at risk; the low
    # group's two die together at week 4: 2/2.
    nan = np.nan
    assert found.weeks == pytest.approx([1, 2, 3, 4])
    assert found.observed == pytest.approx(np.array([[0, 0, 0, 1], [0.5, 0.5, 1.5, nan]]), nan_ok=True)
    assert found.predicted == pytest.approx(np.array([[0, 0, 0, 0], [0.5, 1.0, 1.5, nan]]), nan_ok=True, abs=1e-9)
    assert found.mse == pytest.approx((0.5**2 + 1.0**2) / 7)
    # All four: 1/4 from week 1, 1/4 + 1/3 from week 3, + 2/2 at week 4; mixture of curves 1 and exp(−t/2).
    mixed = -np.log(0.5 + 0.5 * np.exp(-0.5 * np.array([1, 2, 3, 4])))
    assert found.overall_mse == pytest.approx(np.mean((mixed - np.array([1 / 4, 1 / 4, 7 / 12, 19 / 12])) ** 2))


def test_risk_map_in_a_common_order_prefers_the_true_curves():
    weeks, died, risk = weibull_cohort(1000)
    right, flat, inverse = (risk_map(weeks, died, true_curves(f * risk), risk) for f in (1, 0, -1))
    assert right.predicted.shape == (5, len(right.weeks)) and sum(right.patients) == 1000
    assert right.mse < 0.2 * flat.mse < 0.2 * inverse.mse
    # In its own order a model without any discrimination is not punished.
    assert risk_map(weeks, died, true_curves(0 * risk)).mse < 0.3 * flat.mse


def test_calibration_slope_is_that_of_the_partial_likelihood():
    # Three deaths at weeks 1, 2, 3 with predicted log-hazards 1, 0, 0.5: maximise β + (0 − log(1 + e^β/2)) − log(Σ).
    from scipy import optimize

    risk = np.array([1.0, 0.0, 0.5, -0.5])

    def negative(beta):
        eta = beta * risk
        return -sum(eta[i] - np.log(np.exp(eta[i:]).sum()) for i in range(3))

    best = optimize.minimize_scalar(negative, bounds=(-5, 5), method="bounded").x
    found = calibration_slope(np.array([1.0, 2, 3, 4]), np.array([1, 1, 1, 0]), risk)
    assert found.value == pytest.approx(best, abs=1e-3)


def test_plane_of_risk_by_hand():
    # Two crowds far apart: on the left deaths at weeks 1 and 3 of four patients, on the right nobody dies early.
    patients = np.array([[0.0, 0.0]] * 4 + [[10.0, 0.0]] * 4) + np.linspace(0, 0.01, 16).reshape(8, 2)
    weeks, died = np.array([1.0, 3, 9, 9, 8, 9, 9, 9]), np.array([1, 1, 0, 0, 1, 0, 0, 0])
    found = observed_plane(weeks, died, patients, week=5.0, cells=2, bandwidth=1.0, fewest=2.0)
    # Nelson–Aalen at week 5: 1/4 + 1/3 on the left, 0 on the right.
    assert found.observed == pytest.approx(np.array([[7 / 12, 0.0]] * 2), abs=1e-3)
    curves = SurvivalCurves(np.array([0.0, 10.0]), np.array([[1.0, s] for s in (0.2, 0.4, 0.4, 0.2, 1, 1, 1, 1)]))
    # Mean survival at week 5 on the left: (0.6 + 0.7 + 0.7 + 0.6) / 4.
    plane = risk_plane(found, curves)
    assert plane.predicted == pytest.approx(np.array([[-np.log(0.65), 0.0]] * 2), abs=1e-3)
    assert plane.mse == pytest.approx((7 / 12 + np.log(0.65)) ** 2 / 2, abs=1e-3)


def test_observed_risk_of_a_place_is_lifelines_weighted_nelson_aalen():
    from lifelines import NelsonAalenFitter

    weeks, died, _ = weibull_cohort(80)
    weeks = np.ceil(weeks / 10)  # ties
    patients = np.random.default_rng(1).normal(size=(80, 2))
    found = observed_plane(weeks, died, patients, week=8.0, cells=3, fewest=0.0)
    for row, column in ((0, 0), (1, 1), (2, 0)):
        fitter = NelsonAalenFitter(nelson_aalen_smoothing=False)
        with pytest.warns():  # of weights that are no counts, for which its interval is wrong
            fitter.fit(weeks, died, weights=found.weights[row, column] * 80)
        expected = fitter.cumulative_hazard_.iloc[:, 0]
        expected = expected.iloc[expected.index.searchsorted(8.0, side="right") - 1]
        assert found.observed[row, column] == pytest.approx(expected, rel=1e-6)


def test_plane_leaves_out_places_without_patients_and_prefers_the_true_curves():
    weeks, died, risk = weibull_cohort(600)
    patients = np.stack([risk / risk.std(), np.random.default_rng(1).normal(size=600)], axis=1)
    found = observed_plane(weeks, died, patients, week=52.0, cells=6)
    right, flat = (risk_plane(found, true_curves(f * risk)).mse for f in (1, 0))
    assert right < 0.3 * flat
    near = 1 / (found.weights**2).sum(axis=2)
    fewest = float(np.median(near))
    lonely = observed_plane(weeks, died, patients, week=52.0, cells=6, fewest=fewest)
    assert np.array_equal(np.isnan(lonely.observed), near < fewest) and (near < fewest).any()
    with pytest.raises(InputError, match="too few"):
        observed_plane(weeks[:6], died[:6], patients[:6], fewest=6.5)


def test_coordinates_are_principal_components():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 300))
    features = [
        {"one": x, "same as one": 2 * x + 1, "other": y, "missing": None, "constant": 1.0}
        for x, y in zip(a.tolist(), b.tolist(), strict=True)
    ]
    found = coordinates(features)
    # Two of three covariates are one and the same: they make the first component, the third the second.
    assert abs(np.corrcoef(found[:, 0], a)[0, 1]) > 0.99 and abs(np.corrcoef(found[:, 1], b)[0, 1]) > 0.99
    assert found.std(axis=0) == pytest.approx([1, 1])
    with pytest.raises(InputError, match="plane"):
        coordinates([{"one": x, "two": 3 * x} for x in a.tolist()])


@pytest.mark.parametrize(
    ("weeks", "died", "risk", "words"),
    [
        ([1.0, 2], [1], [1.0, 2], "different lengths"),
        ([1.0, -2], [1, 1], [1.0, 2], "-2 weeks"),
        ([1.0, np.nan], [1, 1], [1.0, 2], "missing"),
        ([1.0, 2], [1, 1], [1.0, np.nan], "missing"),
        ([1.0, 2], [0, 0], [1.0, 2], "Nobody died"),
    ],
)
def test_wrong_input_is_told(weeks, died, risk, words):
    with pytest.raises(InputError, match=words):
        c_index(np.array(weeks), np.array(died), np.array(risk))


def test_times_beyond_the_curves_or_the_follow_up_are_told():
    weeks, died, risk = weibull_cohort(30)
    with pytest.raises(InputError, match="lies outside"):
        brier_score(weeks, died, true_curves(risk, last=20), 52)
    with pytest.raises(InputError, match="followed up"):
        brier_score(np.array([1.0, 2]), np.array([1, 0]), SurvivalCurves(np.arange(9.0), np.ones((2, 9))), 2)
