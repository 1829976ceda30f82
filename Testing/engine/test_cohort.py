"""The simulated cohort: files, determinism, and a world that looks and behaves like its sources."""

import csv
import json
import shutil
from dataclasses import asdict, replace

import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage

from mewm.actions.formulary import Formulary
from mewm.actions.protocol import Action, Protocol
from mewm.actions.rules import check, is_complete
from mewm.case import read_case
from mewm.clinical import ClinicalFacts
from mewm.cohort.dataset import COLUMNS, FACTS, IMAGES, read_cohort
from mewm.cohort.fields import scanner_noise
from mewm.cohort.lesion import draw_phenotype
from mewm.cohort.outcome import draw_survival, log_hazard
from mewm.cohort.parameters import CohortParameters, parameter_table
from mewm.cohort.patient import bclc_stage, draw_patient, forget
from mewm.cohort.simulate import simulate_cohort, simulate_patient, treat
from mewm.cohort.treatment import draw_treatment
from mewm.cohort.truth import draw_sensitivities
from mewm.cohort.vessels import grow_tree
from mewm.errors import InputError
from mewm.random_field import smooth_field
from mewm.roi import cut_roi
from mewm.roles import Tissue

WORLD = CohortParameters()
SEED = 11


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("cohort") / "four"
    return simulate_cohort(out, cases=4, seed=SEED, workers=2)


@pytest.fixture
def copy(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "copy")


def arrays(folder, case_id):
    return {n: sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "cases" / case_id / f"{n}.nrrd"))) for n in IMAGES}


def phenotypes(count=1):
    rng = np.random.default_rng(3)
    return [draw_phenotype(rng, WORLD.lesion) for _ in range(count)]


def test_the_table_has_the_documented_columns_and_no_truth(folder):
    with (folder / "cases.csv").open(newline="", encoding="utf-8") as stream:
        lines = list(csv.DictReader(stream))
    assert [line["case_id"] for line in lines] == [f"case_{i:05d}" for i in range(4)]
    assert list(lines[0]) == [*COLUMNS, "new_lesion"]
    with (folder / "truth.csv").open(newline="", encoding="utf-8") as stream:
        truth = list(csv.DictReader(stream))
    assert not {"log_hazard", "sensitivity_platinum", "viable_ml"} & set(lines[0])
    assert {"log_hazard", "sensitivity_platinum", "viable_ml", "death_weeks"} <= set(truth[0])
    assert len(truth) == 4


def test_images_have_one_grid_and_the_documented_types(folder):
    for row in read_cohort(folder).rows:
        images = {n: sitk.ReadImage(str(folder / "cases" / row.case_id / f"{n}.nrrd")) for n in IMAGES}
        for name, image in images.items():
            assert image.GetSize() == (96, 96, 96)
            assert len(set(image.GetSpacing())) == 1 and 1 <= image.GetSpacing()[0] <= 2
            assert image.GetOrigin() == images["pre_ct"].GetOrigin()
            ct = name.endswith("ct")
            assert image.GetPixelID() == (sitk.sitkInt16 if ct else sitk.sitkUInt8)


def test_the_case_is_one_lesion_in_a_liver_and_its_tissue_fits_its_ct(folder):
    cohort = read_cohort(folder)
    for row in cohort.rows:
        case = cohort.load(row)
        assert ndimage.label(case.roi.lesion)[1] == 1
        assert (case.roi.liver | ~case.roi.lesion).all()
        assert row.values["lesion_ml"] == pytest.approx(case.roi.lesion.sum() * case.roi.spacing**3 / 1000, rel=1e-4)
        away = case.roi.feather == 0
        # Another scan of the same patient: the same anatomy, noise of its own.
        liver = away & ndimage.binary_erosion(case.roi.liver, iterations=2)
        change = (case.post_ct - case.roi.ct)[liver]
        noise = [(ct - ndimage.gaussian_filter(ct, 2))[liver] for ct in (case.roi.ct, case.post_ct)]
        assert abs(change.mean()) < 0.5 and change.std() > noise[0].std()
        assert np.corrcoef(*noise)[0, 1] < 0.5  # vessels are the same in both
        oil, viable = case.tissue == Tissue.LIPIODOL, case.tissue == Tissue.VIABLE
        if min(oil.sum(), viable.sum()) > 50:
            assert np.median(case.post_ct[oil]) > np.median(case.post_ct[viable]) + 60
        assert not ((case.tissue >= Tissue.VIABLE) & away).any()


def test_liver_and_fat_have_their_attenuation(folder):
    cohort = read_cohort(folder)
    for row in cohort.rows:
        roi = cohort.load(row).roi
        healthy = ndimage.binary_erosion(roi.liver & ~ndimage.binary_dilation(roi.lesion, iterations=4), iterations=4)
        mean, spread = WORLD.anatomy.hu[row.phase]["liver"]
        assert abs(np.median(roi.ct[healthy]) - mean) < 4 * spread + 8


def test_cases_do_not_depend_on_processes_or_neighbours(folder, tmp_path):
    again = simulate_cohort(tmp_path / "one", cases=2, seed=SEED, workers=1)
    for case_id in ("case_00000", "case_00001"):
        one, two = arrays(folder, case_id), arrays(again, case_id)
        assert all(np.array_equal(one[n], two[n]) for n in IMAGES)
        for name in ("case.json", "truth.json"):
            assert (folder / "cases" / case_id / name).read_text(encoding="utf-8") == (
                again / "cases" / case_id / name
            ).read_text(encoding="utf-8")


def test_a_stopped_simulation_resumes_and_keeps_what_was_complete(copy):
    table = (copy / "cases.csv").read_bytes()
    before = arrays(copy, "case_00002")
    kept = (copy / "cases" / "case_00001" / "pre_ct.nrrd").stat().st_mtime_ns
    shutil.rmtree(copy / "cases" / "case_00002")
    (copy / "cases.csv").unlink()
    info = json.loads((copy / "cohort.json").read_text(encoding="utf-8"))
    (copy / "cohort.json").write_text(json.dumps({**info, "status": "incomplete"}), encoding="utf-8")
    (copy / "cases" / ".case_00002.partial").mkdir()
    with pytest.raises(InputError, match="incomplete"):
        read_cohort(copy)
    seen = []
    simulate_cohort(copy, cases=4, seed=SEED, workers=1, progress=lambda *count: seen.append(count))
    assert seen == [(3, 4), (4, 4)]
    assert (copy / "cases" / "case_00001" / "pre_ct.nrrd").stat().st_mtime_ns == kept
    assert all(np.array_equal(before[n], a) for n, a in arrays(copy, "case_00002").items())
    assert (copy / "cases.csv").read_bytes() == table
    assert not list(copy.rglob("*.partial"))


def test_an_unfinished_case_never_looks_complete(tmp_path, monkeypatch):
    def full_disk(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mewm.cohort.simulate.write_image", full_disk)
    with pytest.raises(InputError, match="No space left"):
        simulate_cohort(tmp_path / "full", cases=1, seed=1, workers=1)
    assert not (tmp_path / "full" / "cases" / "case_00000").exists()
    with pytest.raises(InputError, match="incomplete"):
        read_cohort(tmp_path / "full")


def test_a_failure_ends_the_simulation_at_once(tmp_path):
    out = tmp_path / "broken"
    begun = out / "cases" / ".case_00000.partial"
    begun.parent.mkdir(parents=True)
    begun.write_text("a file where the first case's folder should be", encoding="utf-8")
    shutil.copy(simulate_cohort(tmp_path / "whole", cases=1, seed=1, workers=1) / "cohort.json", out)
    with pytest.raises(InputError, match="cannot be written"):
        simulate_cohort(out, cases=300, seed=1, workers=2)
    assert len(list(out.glob("cases/case_*"))) < 12
    with pytest.raises(InputError, match="incomplete"):
        read_cohort(out)


def test_a_full_disk_is_told_in_one_sentence_and_the_same_command_goes_on(tmp_path, monkeypatch):
    def full(*_args, **_kwargs):
        raise RuntimeError("ITK ERROR: NrrdImageIO: couldn't write gzip data")

    with monkeypatch.context() as patch:
        patch.setattr(sitk, "WriteImage", full)
        with pytest.raises(InputError, match=r"cannot be written to .* disk is full\); free space"):
            simulate_cohort(tmp_path / "cohort", cases=1, seed=SEED, workers=1)
    simulate_cohort(tmp_path / "cohort", cases=1, seed=SEED, workers=1)
    assert len(read_cohort(tmp_path / "cohort").rows) == 1


def test_wrong_requests_are_told_in_one_sentence(copy, tmp_path):
    with pytest.raises(InputError, match="another seed"):
        simulate_cohort(copy, cases=4, seed=SEED + 1)
    other = replace(WORLD, anatomy=replace(WORLD.anatomy, portal_share=0.1))
    with pytest.raises(InputError, match="another parameters"):
        simulate_cohort(copy, cases=4, seed=SEED, parameters=other)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious", encoding="utf-8")
    with pytest.raises(InputError, match="not empty"):
        simulate_cohort(tmp_path / "mine", cases=1, seed=1)
    for wrong in ({"cases": 0, "seed": 1}, {"cases": 1, "seed": -1}, {"cases": 1, "seed": 1, "workers": 0}):
        with pytest.raises(InputError):
            simulate_cohort(tmp_path / "new", **wrong)
    assert not (tmp_path / "new").exists()
    with pytest.raises(InputError, match="no cohort"):
        read_cohort(tmp_path)


def test_damaged_files_are_told_in_one_sentence(copy):
    image = copy / "cases" / "case_00000" / "pre_ct.nrrd"
    image.write_bytes(image.read_bytes()[:5000])
    cohort = read_cohort(copy)
    with pytest.raises(InputError, match="damaged"):
        cohort.load(cohort.rows[0])
    image.unlink()
    with pytest.raises(InputError, match="missing"):
        cohort.load(cohort.rows[0])
    table = copy / "cases.csv"
    table.write_text(table.read_text(encoding="utf-8").replace("Lipiodol", "Snake Oil"), encoding="utf-8")
    with pytest.raises(InputError, match=r"line \d"):
        read_cohort(copy)


def test_a_written_case_is_a_case_like_any_other(folder):
    cohort = read_cohort(folder)
    row = cohort.rows[0]
    path = folder / "cases" / row.case_id
    case = read_case(path / "pre_ct.nrrd", path / "lesion.nrrd", liver=path / "liver.nrrd")
    roi = cut_roi(case)
    expected = cohort.load(row).roi
    volume = roi.lesion.sum() * roi.spacing**3
    assert volume == pytest.approx(expected.lesion.sum() * expected.spacing**3, rel=0.03)
    # The grids differ by part of a voxel, so the border mixes differently with the liver around it.
    assert np.median(roi.ct[roi.lesion]) == pytest.approx(np.median(expected.ct[expected.lesion]), abs=8)


def test_splits_depend_on_seed_and_case_only():
    from mewm.cohort.patient import pick
    from mewm.cohort.simulate import _generators

    splits = [pick(_generators(5, i)["split"], WORLD.split_shares) for i in range(2000)]
    for name, share in WORLD.split_shares.items():
        assert splits.count(name) / 2000 == pytest.approx(share, abs=0.03)
    other = [pick(_generators(6, i)["split"], WORLD.split_shares) for i in range(50)]
    assert other != splits[:50]


def test_noise_has_the_spectrum_of_a_scanner_and_not_of_white_noise():
    noise = scanner_noise(np.random.default_rng(0), (48, 96, 96), 1.0, 12.0, 5.0)
    assert noise.std() == pytest.approx(12.0, rel=0.01)
    neighbours = np.corrcoef(noise[:-1].ravel(), noise[1:].ravel())[0, 1]
    assert 0.7 < neighbours < 0.98  # 5 mm slices on a 1 mm grid
    power = np.abs(np.fft.fft2(noise, axes=(1, 2))) ** 2
    f = np.hypot(np.fft.fftfreq(96)[:, None], np.fft.fftfreq(96)[None, :])

    def band(low, high):
        return power[:, (f >= low) & (f < high)].mean()

    assert band(0.2, 0.3) > 1.3 * band(0.0, 0.05)
    assert band(0.2, 0.3) > 2 * band(0.55, 0.7)


def test_smooth_fields_have_their_correlation_length():
    field = smooth_field(np.random.default_rng(0), (64, 64, 64), 4.0)
    assert abs(field.mean()) < 1e-3 and field.std() == pytest.approx(1, abs=1e-3)
    for axis in range(3):
        moved = np.moveaxis(field, axis, 0)
        # A Gaussian kernel of standard deviation s gives the correlation exp(-d² / 4 s²).
        near = np.corrcoef(moved[:-4].ravel(), moved[4:].ravel())[0, 1]
        assert near == pytest.approx(np.exp(-0.25), abs=0.12)


def test_vessels_branch_by_murrays_law_and_taper():
    rng = np.random.default_rng(0)
    tree = grow_tree(rng, np.zeros(3), rng.uniform(-60, 60, (80, 3)))
    begin, finish = tree.calibre.T
    assert tree.calibre.max() == 1.0 and (tree.calibre > 0).all()
    assert (finish <= begin).all() and (finish < begin).mean() > 0.3
    children = [np.flatnonzero((tree.start == end).all(axis=1)) for end in tree.end]
    twigs = np.array([len(c) == 0 for c in children])
    assert 0 < twigs.sum() <= 80
    # Murray's sum holds for the calibres at the forks; a twig has its own before it narrows to its tip.
    twig = begin[twigs].min()
    own = np.where(twigs, twig, finish)
    for k in np.flatnonzero(~twigs):
        assert finish[k] ** 3 == pytest.approx((own[children[k]] ** 3).sum(), abs=1.001 * twig**3)


def test_lesions_have_the_sizes_and_the_looks_of_the_sources():
    drawn = phenotypes(3000)
    size = np.array([p.diameter_mm for p in drawn])
    assert 39 < np.median(size) < 50
    assert size.min() >= 10 and size.max() <= 130
    assert 0.86 <= np.mean([p.vascularity > 0.35 for p in drawn]) <= 0.96
    necrotic = np.array([p.necrotic_fraction > 0 for p in drawn])
    assert necrotic[size > 70].mean() > necrotic[size < 30].mean() + 0.2


def test_patients_have_the_marginals_of_the_table():
    rng = np.random.default_rng(0)
    phenotype = phenotypes()[0]
    drawn = [draw_patient(rng, phenotype, 60.0, WORLD.patient) for _ in range(3000)]
    assert np.mean([f.child_pugh[0] == "A" for f in drawn]) == pytest.approx(65 / 79, abs=0.03)
    assert np.mean([f.afp_ng_ml >= 400 for f in drawn]) == pytest.approx(23 / 79, abs=0.04)
    assert np.mean([f.tumour_number > 1 for f in drawn]) == pytest.approx(43 / 79, abs=0.04)
    assert np.mean([f.ecog == 0 for f in drawn]) == pytest.approx(38 / 79, abs=0.04)
    assert np.mean([f.bclc == "C" for f in drawn]) == pytest.approx(49 / 79, abs=0.08)
    albumin = {c: np.mean([f.albumin_g_dl for f in drawn if f.child_pugh[0] == c]) for c in "AB"}
    assert albumin["A"] > albumin["B"] + 0.3
    forgotten = [forget(rng, f, WORLD.patient) for f in drawn]
    assert np.mean([f.afp_ng_ml is None for f in forgotten]) == pytest.approx(0.04, abs=0.015)


def test_bclc_follows_the_guideline():
    healthy = ClinicalFacts(child_pugh="A5", ecog=0, portal_vein_thrombosis="none", tumour_number=1)
    assert bclc_stage(healthy, 15) == "0"
    assert bclc_stage(healthy, 60) == "A"
    assert bclc_stage(replace(healthy, tumour_number=4), 30) == "B"
    assert bclc_stage(replace(healthy, portal_vein_thrombosis="branch"), 30) == "C"
    assert bclc_stage(replace(healthy, child_pugh="C10"), 30) == "D"


@pytest.mark.parametrize("shunt", ["none", "severe"])
@pytest.mark.parametrize("child", ["A5", "B9"])
def test_the_clinician_obeys_the_rules_and_follows_habits(shunt, child):
    facts = ClinicalFacts(child_pugh=child, arteriovenous_shunt=shunt, portal_vein_thrombosis="main")
    rng = np.random.default_rng(0)
    given = [draw_treatment(rng, facts, 50.0, WORLD.treatment) for _ in range(60)]
    for protocol in given:
        assert is_complete(protocol)
        findings = check(protocol, facts, Formulary.everything())
        assert not [f for f in findings if f.severity == "excluded"]
    assert len({p.key for p in given}) > 15
    if shunt == "none":
        raltitrexed = np.mean(["raltitrexed" in p.agents for p in given])
        hydroxycamptothecin = np.mean(["hydroxycamptothecin" in p.agents for p in given])
        assert raltitrexed > hydroxycamptothecin


def test_sensitivities_depend_on_what_is_visible():
    rng = np.random.default_rng(0)
    base = phenotypes()[0]

    def mean(drug_class, **look):
        phenotype = replace(base, **look)
        drawn = [draw_sensitivities(rng, phenotype, WORLD.truth).drug_class[drug_class] for _ in range(400)]
        return np.mean(drawn)

    assert mean("anthracycline", vascularity=0.9) > mean("anthracycline", vascularity=0.4) + 0.2
    assert mean("mitomycin", necrotic_fraction=0.5) > mean("mitomycin", necrotic_fraction=0.0) + 0.2
    assert np.std([draw_sensitivities(rng, base, WORLD.truth).retention for _ in range(200)]) > 0.2


def test_the_hazard_knows_tumour_treatment_and_patient():
    drug, second = Action("lobaplatin", "drug", 30, "mg"), Action("epirubicin", "drug", 50, "mg")
    oil = Action("lipiodol", "embolic", 10, "ml")
    one, two = Protocol((drug, oil)), Protocol((drug, second, oil))
    facts = ClinicalFacts(age=68, child_pugh="A5", afp_ng_ml=20, ecog=0, portal_vein_thrombosis="none", tumour_number=1)

    def hazard(viable=10.0, protocol=one, **other):
        return log_hazard(viable, 50.0, protocol, replace(facts, **other), WORLD.outcome)

    assert log_hazard(5, 10, one, facts, WORLD.outcome) > log_hazard(5, 100, one, facts, WORLD.outcome)
    assert hazard(viable=40) > hazard(viable=10) > hazard(viable=0)
    assert hazard(protocol=two) > hazard()
    worse = hazard(protocol=two, child_pugh="B8") - hazard(child_pugh="B8")
    assert worse > 1.5 * (hazard(protocol=two) - hazard())
    alcohol = Protocol((drug, oil, Action("absolute_alcohol", "embolic", 5, "ml")))
    sponge = Protocol((drug, oil, Action("gelatin_sponge", "embolic", size_um=(150, 350))))
    assert hazard(protocol=alcohol) > hazard(protocol=sponge) > hazard()
    for change in ({"afp_ng_ml": 4000}, {"portal_vein_thrombosis": "branch"}, {"tumour_number": 3}, {"ecog": 2}):
        assert hazard(**change) > hazard()


def test_survival_is_weibull_with_independent_censoring():
    rng = np.random.default_rng(0)
    p = WORLD.outcome
    drawn = [draw_survival(rng, 1.0, p) for _ in range(4000)]
    death = np.array([d[2] for d in drawn])
    expected = p.weibull_scale_weeks * (np.log(2) / np.e) ** (1 / p.weibull_shape)
    assert np.median(death) == pytest.approx(expected, rel=0.06)
    assert all(weeks <= max(true, 0.5) for weeks, _, true in drawn)
    assert all(died == (weeks >= true) for weeks, died, true in drawn if true > 0.5)


def test_protocols_change_the_future_of_a_patient():
    patient = simulate_patient(SEED, 1)
    oil = Action("lipiodol", "embolic", 10, "ml")
    weak = Protocol((Action("hydroxycamptothecin", "drug", 5, "mg"), replace(oil, dose=2)))
    strong = Protocol(
        (
            Action("lobaplatin", "drug", 30, "mg"),
            Action("idarubicin", "drug", 10, "mg"),
            oil,
            Action("pva", "embolic", size_um=(100, 300)),
        )
    )
    (little, _), (much, _) = (treat(patient, p, WORLD) for p in (weak, strong))
    assert (much.tissue == Tissue.VIABLE).sum() < (little.tissue == Tissue.VIABLE).sum()


def test_every_constant_has_a_source():
    table = parameter_table(WORLD)
    assert len(table) > 60
    assert all(source.strip() for _, _, source in table)
    assert len({name for name, _, _ in table}) == len(table)
    assert asdict(WORLD)["outcome"]["viable"] == {n: v for n, v, _ in table}["outcome.viable"]


def test_the_documentation_names_every_column(request):
    text = (request.config.rootpath / "docs" / "cohort.md").read_text(encoding="utf-8")
    missing = [name for name in COLUMNS if f"`{name}`" not in text]
    assert not missing
    assert set(FACTS) <= set(COLUMNS)
