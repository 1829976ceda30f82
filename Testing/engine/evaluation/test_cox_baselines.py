"""Cox baselines against a partial likelihood written out, radiomics on shapes with known answers, the real bundle."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import optimize, stats

from mewm.clinical import ClinicalFacts
from mewm.errors import InputError
from mewm.evaluation.cox_baselines import coefficients, cross_validated, fit_baseline
from mewm.evaluation.radiomics import first_order_features, radiomics, shape_features
from mewm.survival.clinical import ClinicalCox, clinical_covariates
from mewm.survival.outlook_words import outlook_words
from mewm.training.clinical_cox import fit_clinical_cox


def sample(n=150, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2))
    death = rng.exponential(100 / np.exp(x @ [0.9, 0.0]))
    censored = rng.uniform(20, 300, n)
    features = [{"matters": a, "noise": b} for a, b in x.tolist()]
    return features, np.minimum(death, censored), death <= censored


def test_coefficients_are_those_of_the_partial_likelihood():
    features, weeks, died = sample()
    x = np.array([[f["matters"], f["noise"]] for f in features])

    def negative(beta):
        eta = x @ beta
        return -sum(eta[i] - np.log(np.exp(eta[weeks >= weeks[i]]).sum()) for i in np.flatnonzero(died))

    model = fit_baseline(features, weeks, died, penalizer=0.0)
    assert model.fitter.params_.to_numpy() == pytest.approx(optimize.minimize(negative, [0, 0]).x, abs=2e-3)
    # Centred at the training means.
    expected = (x - x.mean(axis=0)) @ model.fitter.params_.to_numpy()
    assert model.log_hazard(features) == pytest.approx(expected, abs=1e-8)


def test_curves_fall_and_order_patients():
    features, weeks, died = sample()
    model = fit_baseline(features, weeks, died)
    curves = model.curves(features, last=100)
    assert curves.survival.shape == (150, 101) and np.all(curves.survival[:, 0] == 1)
    assert np.all(np.diff(curves.survival, axis=1) <= 1e-12)
    assert stats.spearmanr(curves.at(52), -model.log_hazard(features)).statistic == pytest.approx(1)


def test_missing_values_take_the_training_median_and_useless_covariates_go():
    features, weeks, died = sample()
    features = [{**f, "same": 1.0, "unknown": None} for f in features]
    features[3]["matters"] = None
    model = fit_baseline(features, weeks, died)
    assert model.names == ("matters", "noise")
    median = np.median([f["matters"] for i, f in enumerate(features) if i != 3])
    assert model.log_hazard([{"matters": None, "noise": 0.1}]) == pytest.approx(
        model.log_hazard([{"matters": median, "noise": 0.1}])
    )
    assert [row["covariate"] for row in coefficients(model)] == ["matters", "noise"]
    assert coefficients(model)[0]["log_hazard_ratio"].low > 0


def test_cross_validation_does_not_reward_noise():
    features, weeks, died = sample(120)
    good = cross_validated(features, weeks, died, repeats=2, resamples=30)
    assert 0.65 < good.value < 0.85 and good.low < good.value < good.high
    rng = np.random.default_rng(1)
    noise = [{f"n{i}": v for i, v in enumerate(rng.normal(size=12))} for _ in features]
    assert cross_validated(noise, weeks, died, repeats=2, resamples=5).value < 0.6
    # The same noise looks good on the cases it was fitted to: what cross-validation is for.
    from lifelines.utils import concordance_index

    model = fit_baseline(noise, weeks, died, penalizer=0.0)
    assert concordance_index(weeks, -model.log_hazard(noise), died) > 0.6


def test_too_little_to_fit_is_told():
    features, weeks, died = sample()
    with pytest.raises(InputError, match="at least 10 deaths; there are 0"):
        fit_baseline(features, weeks, np.zeros(150))
    with pytest.raises(InputError, match="No covariate varies"):
        fit_baseline([{"same": 1.0}] * 150, weeks, died)


def grid(size=64):
    return np.indices((size,) * 3) - (size - 1) / 2


def test_shape_of_a_ball_and_of_an_ellipsoid():
    z, y, x = grid()
    ball = z**2 + y**2 + x**2 <= 20**2
    found = shape_features(ball, 0.5)
    assert found["log_volume_ml"] == pytest.approx(np.log(4 / 3 * np.pi * 10**3 / 1000), abs=0.01)
    assert found["sphericity"] == pytest.approx(1, abs=0.05)
    assert found["elongation"] == pytest.approx(1, abs=0.01) and found["flatness"] == pytest.approx(1, abs=0.01)
    assert found["max_diameter_mm"] == pytest.approx(20, abs=1)
    # Half axes 24, 12, 8: 24/12 and 12/8.
    found = shape_features((z / 24) ** 2 + (y / 12) ** 2 + (x / 8) ** 2 <= 1, 1.0)
    assert found["elongation"] == pytest.approx(2.0, rel=0.03) and found["flatness"] == pytest.approx(1.5, rel=0.03)
    assert found["sphericity"] < 0.9


def test_first_order_features_are_scipys():
    rng = np.random.default_rng(0)
    mask = rng.random((12, 12, 12)) < 0.4
    ct = rng.gamma(2, 30, mask.shape).astype(np.float32)
    values = ct[mask].astype(float)
    found = first_order_features(ct, mask)
    assert found["mean"] == pytest.approx(values.mean(), rel=1e-6)
    assert found["sd"] == pytest.approx(values.std(ddof=1), rel=1e-5)
    assert found["median"] == pytest.approx(np.median(values))
    assert found["skewness"] == pytest.approx(stats.skew(values), rel=0.02)
    assert found["kurtosis"] == pytest.approx(stats.kurtosis(values, fisher=False), rel=0.02)


def test_entropy_by_hand_and_flat_lesion():
    # Four voxels in bins 0, 0, 1, 2: 1/2 + 1/4·2 + 1/4·2 = 1.5 bits.
    ct = np.array([1.0, 2, 30, 60], np.float32).reshape(1, 2, 2)
    assert first_order_features(ct, np.ones((1, 2, 2), bool))["entropy"] == pytest.approx(1.5)
    flat = first_order_features(np.full((4, 4, 4), 40, np.float32), np.ones((4, 4, 4), bool))
    assert (flat["sd"], flat["skewness"], flat["kurtosis"], flat["entropy"]) == (0, 0, 3, 0)


def test_radiomics_has_all_three_parts_and_refuses_an_empty_lesion():
    z, y, x = grid(24)
    ball = z**2 + y**2 + x**2 <= 8**2
    found = radiomics(np.zeros(ball.shape), np.where(ball, 300.0, 0.0), ball, 1.0)
    assert len(found) == 5 + 8 + 8 and found["post_mean"] == 300 and found["pre_mean"] == 0
    with pytest.raises(InputError, match="empty"):
        radiomics(ball * 1.0, ball * 1.0, np.zeros_like(ball), 1.0)


def test_clinical_covariates_by_hand():
    facts = ClinicalFacts(age=65, sex="male", child_pugh="B7", ecog=2, tumour_number=1, afp_ng_ml=0.2)
    found = clinical_covariates(facts)
    assert found["age_decades"] == 6.5 and found["male"] == 1 and found["child_pugh_b_or_c"] == 1
    assert found["performance_group"] == 1 and found["multinodular"] == 0 and found["log_afp"] == 0
    assert found["portal_vein_thrombosis"] is None and found["albumin_g_dl"] is None
    assert [clinical_covariates(ClinicalFacts(ecog=e))["performance_group"] for e in range(5)] == [0, 1, 1, 2, 2]


def test_real_table_gives_the_shipped_bundle_and_no_row_of_it(real_data, tmp_path):
    table = real_data / "hcc_tace_seg" / "clinical.csv"
    figures = fit_clinical_cox(table, tmp_path, repeats=1)
    assert (figures["patients"], figures["deaths"]) == (79, 72)
    mine, shipped = (ClinicalCox.load(p).model for p in (tmp_path, None))
    assert mine.coefficients == pytest.approx(dict(shipped.coefficients), abs=1e-6)
    assert mine.baseline == pytest.approx(shipped.baseline, abs=1e-5)
    written = "".join(p.read_text(encoding="utf-8") for p in Path(tmp_path).iterdir())
    assert "HCC_0" not in written
    assert json.loads((tmp_path / "cox.json").read_text(encoding="utf-8"))["provenance"]["source"].startswith("TCIA")


def test_clinical_cox_says_what_it_left_out_and_refuses_numbers_that_make_no_sense(tmp_path):
    header = ["TCIA_ID", "Death_1_StillAliveorLostToFU_0", "OS", "chemotherapy", "Interval_FU", "age", "Sex"]
    rows = [[f"HCC_{n:03d}", "1", str(20 + 7 * n), "", "7", "60", str(1 + n % 2)] for n in range(1, 21)]
    rows[4][2] = "NOT STATED"
    table = tmp_path / "table.csv"
    table.write_text("\n".join(",".join(row) for row in [header, *rows]), encoding="utf-8")
    found = fit_clinical_cox(table, tmp_path / "bundle", repeats=1)
    assert found["patients"] == 19 and found["patients_without_outcome"] == 1
    assert "age_decades" in found["covariates_left_out"] and "male" not in found["covariates_left_out"]
    for wrong in ({"repeats": 0}, {"seed": -1}):
        with pytest.raises(InputError, match=r"0 repeats|negative"):
            fit_clinical_cox(table, tmp_path / "bundle", **wrong)


def test_outlook_of_the_shipped_model():
    model = ClinicalCox.load()
    good = model.outlook(ClinicalFacts(age=60, child_pugh="A5", portal_vein_thrombosis="none", tumour_number=1))
    poor = model.outlook(ClinicalFacts(age=60, child_pugh="B8", portal_vein_thrombosis="main", tumour_number=4))
    assert good.risk < 0 < poor.risk
    assert np.all(good.low <= good.curve) and np.all(good.curve <= good.high) and good.low[52] < good.high[52]
    assert good.curve[0] == 1 and np.all(np.diff(good.curve) <= 0) and np.all(good.curve >= poor.curve)
    assert "log_afp" in good.not_stated and "age_decades" not in good.not_stated
    # A patient of whom nothing is stated is the series' median patient.
    nothing = model.outlook(ClinicalFacts())
    assert len(nothing.not_stated) == len(model.model.coefficients) and abs(nothing.risk) < 0.8
    assert 0.4 < nothing.curve[104] < 0.7  # median OS of the series is 104 weeks
    words = outlook_words(good.to_dict())
    assert "alive after one year" in words and "Not stated, so taken from the series' median: sex, " in words
    assert "AFP" in words and "_" not in words
