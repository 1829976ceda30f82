"""The Cox baseline: its fit, its bundle, and the scores it gives."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mewm.actions.protocol import Action, Protocol
from mewm.bundle import write_checksums
from mewm.clinical import ClinicalFacts
from mewm.cohort.dataset import COLUMNS, read_cohort, write_table
from mewm.cohort.simulate import simulate_cohort
from mewm.errors import InputError, ResourceError
from mewm.roles import Tissue
from mewm.survival.covariates import covariates, liver_impairment, treatment_load
from mewm.survival.cox import CoxSurvival
from mewm.survival.curves import Baseline
from mewm.survival.familiarity import Familiarity
from mewm.survival.treatments_seen import TreatmentsSeen
from mewm.training.calibration import breslow, calibrate
from mewm.training.cox import ridge_cox

pytest.importorskip("lifelines", reason="lifelines is not installed; `make setup` installs it")

OIL = Action("lipiodol", "embolic", 10, "ml")
PLATINUM = Action("lobaplatin", "drug", 30, "mg")
ONE = Protocol((PLATINUM, OIL))
TWO = Protocol((PLATINUM, Action("epirubicin", "drug", 50, "mg"), OIL))
FACTS = ClinicalFacts(age=68, child_pugh="A5", afp_ng_ml=30, ecog=0, portal_vein_thrombosis="none", tumour_number=1)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """Thirty cases that share the images of three: facts and survival differ, the hazard follows AFP."""
    out = simulate_cohort(tmp_path_factory.mktemp("cox") / "cohort", cases=3, seed=4, workers=1)
    rows = read_cohort(out).rows
    rng = np.random.default_rng(0)
    lines = []
    for k in range(30):
        row = rows[k % 3]
        case_id = f"case_{k:05d}"
        if k >= 3:
            shutil.copytree(out / "cases" / row.case_id, out / "cases" / case_id)
        afp = float(np.exp(rng.normal(4, 3)))
        lines.append(
            {
                **row.values,
                "case_id": case_id,
                "split": "train" if k < 24 else "test",
                "afp_ng_ml": None if k == 5 else afp,
                "child_pugh": ("A5", "A6", "B7", "B8")[k % 4],
                "ecog": k % 3,
                "os_weeks": float(200 / (1 + afp**0.3) * rng.exponential()),
                "event": int(k % 8 != 0),
            }
        )
    write_table(out / "cases.csv", {**COLUMNS, "new_lesion": bool}, lines)
    (out / "truth.csv").unlink()
    return out


@pytest.fixture(scope="module")
def fitted(cohort, tmp_path_factory):
    """Bundle, figures, and the covariates of every case as the fit read them (reading takes the time)."""
    from mewm.training import cox

    out = tmp_path_factory.mktemp("bundle") / "survival_cox"
    read, tables, seen = cox.read_table, [], []

    def remembered(data, rows, report):
        frame = read(data, rows, report)
        tables.append(frame.set_index(np.array([row.case_id for row in rows])))
        return frame

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cox, "read_table", remembered)
        figures = cox.fit_cox(cohort, out, progress=lambda *count: seen.append(count))
    assert seen[-1] == (30, 30)
    return out, figures, {case_id: line for table in tables for case_id, line in table.iterrows()}


@pytest.fixture(scope="module")
def bundle(fitted):
    return fitted[:2]


@pytest.fixture(scope="module")
def table(fitted):
    import pandas as pd

    return pd.DataFrame(fitted[2]).T


@pytest.fixture(scope="module")
def case(cohort):
    data = read_cohort(cohort)
    return data.load(data.rows[0])


@pytest.fixture
def roi(case):
    return replace(case.roi, facts=FACTS)


def with_viable(roi, share):
    """Tissue in which the first ``share`` of the lesion's voxels is viable and the rest necrotic."""
    tissue = roi.liver.astype(np.uint8)
    lesion = np.flatnonzero(roi.lesion)
    tissue.ravel()[lesion] = Tissue.NECROSIS
    tissue.ravel()[lesion[: int(share * lesion.size)]] = Tissue.VIABLE
    return tissue


def test_the_fit_writes_a_bundle_that_loads_and_says_where_it_is_from(bundle):
    out, figures = bundle
    assert sorted(p.name for p in out.iterdir()) == ["README.md", "SHA256SUMS", "cox.json"]
    model = CoxSurvival.load(out)
    assert model.coefficients["log_afp"] > 0  # the hazard that made the data follows AFP
    assert model.provenance["cohort"]["seed"] == 4 and model.provenance["cohort"]["cases"] == 30
    card = (out / "README.md").read_text(encoding="utf-8")
    assert "Demonstration weights trained on simulated cases; not for clinical use." in card
    c = figures["c_index_cross_validated"]
    assert 0 <= c["low"] <= c["value"] <= c["high"] <= 1
    assert figures["c_index_oracle_train"] is None
    assert str(c["value"]) in card or f"{c['value']:.3f}" in card


@pytest.fixture
def known_table(table, monkeypatch):
    def read(data, rows, report):
        frame = table.loc[[row.case_id for row in rows]].reset_index(drop=True)
        return frame.assign(os_weeks=[r.os_weeks for r in rows], event=[float(r.event) for r in rows])

    monkeypatch.setattr("mewm.training.cox.read_table", read)


def test_the_same_cohort_gives_the_same_weights(bundle, cohort, tmp_path, known_table):
    from mewm.training.cox import fit_cox

    fit_cox(cohort, tmp_path / "again")
    assert (tmp_path / "again" / "SHA256SUMS").read_text(encoding="utf-8") == (bundle[0] / "SHA256SUMS").read_text(
        encoding="utf-8"
    )


def test_the_test_split_changes_nothing_in_the_weights(bundle, cohort, tmp_path, known_table):
    from mewm.training.cox import fit_cox

    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(cohort / "cohort.json", other)
    rows = [dict(row.values) for row in read_cohort(cohort).rows]
    for row in rows[24:]:
        row["os_weeks"] = 1.0
    write_table(other / "cases.csv", {**COLUMNS, "new_lesion": bool}, rows)
    fit_cox(other, tmp_path / "weights")
    one, two = (json.loads((p / "cox.json").read_text(encoding="utf-8")) for p in (bundle[0], tmp_path / "weights"))
    assert one["covariates"] == two["covariates"]
    assert one["baseline_survival_weekly"] == two["baseline_survival_weekly"]


def test_scores_agree_with_lifelines(bundle, cohort, table):
    from lifelines import CoxPHFitter

    model = CoxSurvival.load(bundle[0])
    frame = table.loc[[row.case_id for row in read_cohort(cohort).split("train")]]
    names = list(model.coefficients)
    frame = frame.fillna(frame[names].median())[[*names, "os_weeks", "event"]]
    reference = CoxPHFitter(penalizer=0.02).fit(frame, "os_weeks", "event")
    for k in (0, 7, 13):
        case = frame.iloc[[k]]
        risk = sum(c * (case[n].iloc[0] - model.means[n]) for n, c in model.coefficients.items())
        assert risk == pytest.approx(float(reference.predict_log_partial_hazard(case).iloc[0]), abs=1e-6)
        steps = reference.predict_survival_function(case).iloc[:, 0]
        mine = model.survival_curve(risk)
        for week in range(1, mine.size, 5):
            before = steps[steps.index <= week]
            assert mine[week] == pytest.approx(before.iloc[-1] if len(before) else 1.0, abs=2e-5)


def test_too_few_deaths_are_told(cohort, tmp_path):
    from mewm.training.cox import fit_cox

    few = shutil.copytree(cohort, tmp_path / "few")
    rows = [{**row.values, "event": 0} for row in read_cohort(few).rows]
    write_table(few / "cases.csv", {**COLUMNS, "new_lesion": bool}, rows)
    with pytest.raises(InputError, match="0 deaths"):
        fit_cox(few, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", ["garbage", "[]", '{"schema": "mewm-cox/1"}'])
def test_a_bundle_that_is_no_cox_model_is_refused_although_its_checksum_is_right(tmp_path, content):
    (tmp_path / "cox.json").write_text(content, encoding="utf-8")
    write_checksums(tmp_path, ["cox.json"])
    with pytest.raises(ResourceError, match=r"cox\.json is not readable"):
        CoxSurvival.load(tmp_path)


def test_a_regression_that_does_not_converge_is_told_in_one_sentence():
    count = 12
    frame = pd.DataFrame({"pvt": 0.0, "os_weeks": np.arange(1.0, count + 1), "event": 1.0})
    with pytest.raises(InputError, match="does not converge on 12 cases with 12 deaths; give a cohort of more cases"):
        ridge_cox(frame, 0.02)


@pytest.mark.parametrize("damage", ["tamper", "no weights", "no digest", "empty digest", "no folder"])
def test_a_missing_or_changed_bundle_is_refused(bundle, tmp_path, damage):
    copy = shutil.copytree(bundle[0], tmp_path / "copy")
    if damage == "tamper":
        text = (copy / "cox.json").read_text(encoding="utf-8")
        (copy / "cox.json").write_text(
            text.replace('"coefficient": 0.', '"coefficient": 9.', 1) + " ", encoding="utf-8"
        )
    elif damage == "no weights":
        (copy / "cox.json").unlink()
    elif damage == "no digest":
        (copy / "SHA256SUMS").unlink()
    elif damage == "empty digest":
        (copy / "SHA256SUMS").write_text("", encoding="utf-8")
    else:
        shutil.rmtree(copy)
    with pytest.raises(ResourceError) as caught:
        CoxSurvival.load(copy)
    assert "\n" not in str(caught.value) and "survival model" in str(caught.value)


def test_the_shipped_model_prefers_less_tumour_and_charges_for_drugs(roi, case):
    model = CoxSurvival.load()
    risks = [model.score(roi, case.post_ct, with_viable(roi, s), ONE).risk for s in (0.0, 0.2, 0.5, 1.0)]
    assert risks == sorted(risks) and risks[-1] > risks[0] + 0.05
    tissue = with_viable(roi, 0.3)
    cost = model.score(roi, case.post_ct, tissue, TWO).risk - model.score(roi, case.post_ct, tissue, ONE).risk
    assert cost > 0.02
    weak = replace(roi, facts=replace(FACTS, child_pugh="B8"))
    worse = model.score(weak, case.post_ct, tissue, TWO).risk - model.score(weak, case.post_ct, tissue, ONE).risk
    assert worse > cost


def test_a_score_adds_up_and_is_consistent(roi, case):
    model = CoxSurvival.load()
    score = model.score(roi, case.post_ct, with_viable(roi, 0.4), ONE)
    assert sum(score.contributions.values()) == pytest.approx(score.risk)
    assert set(score.contributions) == set(model.coefficients)
    assert 0 < score.survival_1y < 1
    curve = model.survival_curve(score.risk)
    assert curve[0] == 1 and (np.diff(curve) <= 1e-12).all()
    week = int(score.median_weeks)
    assert curve[week] >= 0.5 >= curve[week + 1]
    sicker = replace(roi, facts=replace(FACTS, portal_vein_thrombosis="main", afp_ng_ml=9000, child_pugh="B8"))
    worse = model.score(sicker, case.post_ct, with_viable(roi, 0.4), ONE)
    assert worse.risk > score.risk and worse.median_weeks < score.median_weeks
    assert worse.survival_1y < score.survival_1y


def test_facts_not_stated_are_said_and_take_the_training_median(roi, case):
    model = CoxSurvival.load()
    tissue = with_viable(roi, 0.4)
    blank = model.score(replace(roi, facts=ClinicalFacts()), case.post_ct, tissue, ONE)
    missing = {name for name in blank.contributions if name.endswith("(not stated)")}
    assert {"log_afp (not stated)", "ecog (not stated)", "liver_impairment (not stated)"} <= missing
    assert not any("log_viable_ml (not" in name for name in missing)
    expected = model.coefficients["log_afp"] * (model.medians["log_afp"] - model.means["log_afp"])
    assert blank.contributions["log_afp (not stated)"] == pytest.approx(expected)
    more = model.score(replace(roi, facts=ClinicalFacts()), case.post_ct, tissue, TWO)
    assert more.risk > blank.risk + 0.02  # drugs cost something also where the liver's function is not stated


def test_a_curve_that_stays_above_one_half_has_an_infinite_median(roi, case):
    shipped = CoxSurvival.load()
    flat = replace(shipped, scale=replace(shipped.scale, survival=np.array([1.0, 0.9, 0.8])))
    assert flat.score(roi, case.post_ct, with_viable(roi, 0.0), ONE).median_weeks == float("inf")


def test_covariates_measure_the_tissue(roi):
    half = covariates(roi, with_viable(roi, 0.5), ONE)
    lesion_ml = roi.lesion.sum() * roi.spacing**3 / 1000
    assert np.expm1(half["log_viable_ml"]) == pytest.approx(lesion_ml / 2, rel=0.02)
    assert half["viable_share"] == pytest.approx(0.5, rel=0.02)
    oil = np.where(roi.lesion, np.uint8(Tissue.LIPIODOL), np.uint8(0))
    assert covariates(roi, oil, ONE)["log_viable_ml"] == 0
    sick = covariates(replace(roi, facts=replace(FACTS, child_pugh="B9")), oil, TWO)
    assert sick["treatment_burden"] == pytest.approx(2.5 * treatment_load(TWO))
    blank = replace(roi, facts=ClinicalFacts())
    assert covariates(blank, oil, TWO)["treatment_burden"] is None
    assumed = covariates(blank, oil, TWO, unstated_impairment=0.5)
    assert assumed["treatment_burden"] == pytest.approx(treatment_load(TWO)) and assumed["liver_impairment"] is None


def test_loads_grow_with_drugs_dose_and_permanence():
    one = treatment_load(ONE)
    assert treatment_load(TWO) > one > treatment_load(Protocol((OIL,))) > 0
    assert treatment_load(Protocol((replace(PLATINUM, dose=60), OIL))) > one
    alcohol = ONE.with_action(Action("absolute_alcohol", "embolic", 5, "ml"))
    sponge = ONE.with_action(Action("gelatin_sponge", "embolic", size_um=(150, 350)))
    assert treatment_load(alcohol) > treatment_load(sponge) > one
    assert treatment_load(Protocol()) == 0


def test_liver_impairment_reads_child_pugh_then_albi():
    assert liver_impairment(ClinicalFacts(child_pugh="A5")) == 0
    assert liver_impairment(ClinicalFacts(child_pugh="B9")) == 2
    assert liver_impairment(ClinicalFacts(child_pugh="B")) == pytest.approx(1.25)
    good = liver_impairment(ClinicalFacts(albumin_g_dl=4.4, bilirubin_mg_dl=0.6))
    poor = liver_impairment(ClinicalFacts(albumin_g_dl=2.6, bilirubin_mg_dl=2.5))
    assert good < 0.3 < 1.2 < poor
    assert liver_impairment(ClinicalFacts(albumin_g_dl=4.0)) is None


def test_the_parts_of_an_explanation_add_up_to_the_risk(roi, case):
    model, tissue = CoxSurvival.load(), with_viable(roi, 0.5)
    why = model.explain(roi, case.post_ct, tissue, ONE)
    assert sum(why.parts.values()) == pytest.approx(model.score(roi, case.post_ct, tissue, ONE).risk)
    assert why.parts["necrosis"] == why.parts["lipiodol"] == 0 and "exact" in why.method
    more = model.explain(roi, case.post_ct, with_viable(roi, 1.0), ONE)
    assert more.parts["viable tumour"] > why.parts["viable tumour"]
    assert more.parts["clinical facts"] == why.parts["clinical facts"]
    assert why.in_words().startswith("viable tumour ")


def test_the_interval_grows_with_every_error_it_is_made_of():
    survival = np.exp(-0.01 * np.arange(200.0))
    plain = Baseline(survival, np.array([]))
    assert np.array_equal(plain.band([0.3])[0], plain.curve(0.3)) and np.array_equal(*plain.band([0.3]))
    spread = plain.band([0.0, 0.6])
    assert spread[0][50] < plain.curve(0.3)[50] < spread[1][50]
    sure = Baseline(survival, np.full(200, 0.1))
    unsure = Baseline(survival, np.full(200, 0.1), slope_error=0.5)
    widths = [band[1][50] - band[0][50] for band in (sure.band([0.6]), unsure.band([0.6]))]
    assert 0 < widths[0] < widths[1]
    by_hand = survival[50] ** np.exp(0.6 - 1.96 * 0.1)
    assert sure.band([0.6])[1][50] == pytest.approx(by_hand)


def test_breslow_is_that_of_lifelines_and_calibration_finds_the_scale():
    from lifelines import CoxPHFitter

    rng = np.random.default_rng(0)
    risk = rng.normal(0, 1, 400)
    weeks = 100 * rng.exponential(size=400) / np.exp(risk)
    died = rng.random(400) < 0.8
    frame = pd.DataFrame({"risk": risk, "weeks": weeks, "died": died})
    fitter = CoxPHFitter().fit(frame, "weeks", "died")
    mine, error = breslow(fitter.predict_log_partial_hazard(frame).to_numpy(), weeks, died)
    theirs = fitter.baseline_survival_.iloc[:, 0]
    at = np.searchsorted(theirs.index.to_numpy(), np.arange(mine.size), side="right")
    assert np.allclose(mine, np.concatenate([[1.0], theirs.to_numpy()])[at], atol=1e-9)
    assert error[200] < error[1] and (error > 0).all()
    # Risks told at half their size: the slope puts them right.
    found = calibrate(risk / 2 + 3, weeks, died)
    assert found.slope_low < 2 < found.slope_high
    assert np.allclose(found.log_hazard(risk / 2 + 3), found.slope * (risk - risk.mean()) / 2)
    with pytest.raises(InputError, match="at least 10 deaths"):
        calibrate(risk, weeks, np.arange(400) < 9)
    with pytest.raises(InputError, match="do not order"):
        calibrate(-risk, weeks, died)


def dosed(mg, ml=10):
    return Protocol((replace(PLATINUM, dose=mg), replace(OIL, dose=ml)))


def test_a_treatment_beyond_those_of_the_training_cases_is_told_with_value_and_range():
    seen = TreatmentsSeen.parse(TreatmentsSeen.of([dosed(15), ONE, TWO]).to_dict())
    assert seen.warnings([ONE, TWO, dosed(20)]) == ()
    (told,) = seen.warnings([dosed(150)])
    assert "an agent at 5 times its usual dose (its training cases: 0.5 to 1 times)" in told
    assert told.endswith("risk and survival of Lobaplatin 150 mg; Lipiodol 10 ml are an extrapolation.")
    drugs = [Action(name, "drug") for name in ("lobaplatin", "epirubicin", "mitomycin", "raltitrexed")]
    (told,) = seen.warnings([Protocol((*drugs, OIL))])
    assert "4 drugs (its training cases: 1 to 2)" in told and "a total load of" in told


def test_many_protocols_beyond_get_one_sentence_with_the_farthest_value():
    seen = TreatmentsSeen.of([ONE, TWO])
    (told,) = seen.warnings([ONE, dosed(60), dosed(150, 20), TWO])
    assert told.count("usual dose") == 1 and "at 5 times" in told
    assert "of 2 protocols, such as Lobaplatin 60 mg; Lipiodol 10 ml," in told


def test_a_bundle_without_treatments_is_read_and_says_nothing_about_them(fitted, cohort, tmp_path):
    data = json.loads((fitted[0] / "cox.json").read_text(encoding="utf-8"))
    row = next(row for row in read_cohort(cohort).rows if row.split == "train")
    assert CoxSurvival.load(fitted[0]).familiarity.treatments.warnings([row.protocol]) == ()
    del data["familiarity"]["treatments"]
    (tmp_path / "cox.json").write_text(json.dumps(data), encoding="utf-8")
    write_checksums(tmp_path, ["cox.json"])
    older = CoxSurvival.load(tmp_path).familiarity
    assert older.treatments is None
    assert Familiarity.parse(older.to_dict()).treatments is None


def test_the_shipped_model_takes_all_that_the_search_tries_for_familiar(phantom_case):
    """Otherwise every run would carry the sentence."""
    from mewm import api

    quick = api.Settings(beams=2, drugs=4, embolics=4, replicas=1)
    found = api.explore(phantom_case, settings=quick, own_protocols=["Lobaplatin 30 mg; Lipiodol 10 ml"])
    assert not any("never seen" in warning and "drugs" in warning for warning in found.warnings)
    far = api.simulate(phantom_case, "Lobaplatin 70 mg; Lipiodol 10 ml", replicas=1)
    assert sum("times its usual dose" in warning for warning in far.warnings) == 1
