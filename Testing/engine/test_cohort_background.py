"""Simulated lesions in real CTs."""

import json

import numpy as np
import pytest
import SimpleITK as sitk

from mewm.cohort.background import choose_place, cut_background, find_scans, fingerprints, load_background, phase_of
from mewm.cohort.background_paint import paint_on_background
from mewm.cohort.lesion import LesionPhenotype
from mewm.cohort.parameters import CohortParameters
from mewm.errors import InputError

WORLD = CohortParameters()
PHENOTYPE = LesionPhenotype(26.0, (13.0, 12.0, 11.0), 0.7, 0.0, 0.0, 0.3, 0.2, "none")
OBLIQUE = [[-0.96, -0.28, 0], [0.28, -0.96, 0], [0, 0, 1]]


@pytest.fixture(scope="module")
def folder(phantoms, tmp_path_factory):
    """Two patients: one plain, one turned, with thick slices and a tumour of its own, as a label map."""
    root = tmp_path_factory.mktemp("backgrounds")
    for name, options in {
        "one": {"spacing": (1.5, 1.5, 1.5), "lesion_radius": 1.0},
        "two": {"spacing": (1.6, 1.6, 3.2), "size": (96, 96, 56), "direction": OBLIQUE, "lesion_radius": 20.0},
    }.items():
        ct, tumour, liver = phantoms.make_phantom(**options)
        (root / name).mkdir()
        sitk.WriteImage(ct, str(root / name / "ct.nii.gz"))
        sitk.WriteImage(liver, str(root / name / "liver.nrrd"))
        if name == "two":
            sitk.WriteImage(tumour, str(root / name / "tumour.nii.gz"))
    return root


def paint(folder, seed=3, phenotype=PHENOTYPE):
    scans = find_scans(folder)
    streams = np.random.default_rng(seed), np.random.default_rng(seed + 1)
    return paint_on_background(scans, phenotype, 1.0, 96, *streams, WORLD)


def test_scans_are_found_by_folder_and_by_list(folder, tmp_path):
    one, two = find_scans(folder)
    assert (one.name, two.name) == ("one", "two") and one.tumour is None and two.tumour is not None
    entry = {"name": "map", "ct": str(two.ct), "liver": str(two.liver), "liver_label": 1, "phase": "arterial"}
    (tmp_path / "backgrounds.json").write_text(json.dumps([entry]), encoding="utf-8")
    (listed,) = find_scans(tmp_path)
    assert listed.liver == two.liver and load_background(listed).phase == "arterial"
    assert fingerprints((one, two))["one"] != fingerprints((one, two))["two"]


def test_wrong_folders_are_told_in_one_sentence(folder, tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        find_scans(tmp_path / "nowhere")
    with pytest.raises(InputError, match="holds no background"):
        find_scans(tmp_path)
    (tmp_path / "patient").mkdir()
    (tmp_path / "patient" / "ct.nii.gz").write_bytes(b"")
    with pytest.raises(InputError, match="patient has no liver"):
        find_scans(tmp_path)
    listed = tmp_path / "backgrounds.json"
    for content, told in (
        ({"name": "a"}, "not a list"),
        ([{"name": "a", "ct": "x"}], "no liver"),
        ([{"name": "a", "ct": "x", "liver": "y", "contrast": 1}], "unknown key 'contrast'"),
        ([{"name": "a", "ct": "x", "liver": "y", "phase": "late"}], "phase 'late'"),
        ([{"name": "a", "ct": "x", "liver": "y"}] * 2, "same name"),
    ):
        listed.write_text(json.dumps(content), encoding="utf-8")
        with pytest.raises(InputError, match=told):
            find_scans(tmp_path)
    listed.write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match="cannot be read"):
        find_scans(tmp_path)


def test_a_scan_with_hardly_any_liver_is_refused(phantoms, folder, tmp_path):
    liver = sitk.ReadImage(str(folder / "one" / "liver.nrrd"))
    (tmp_path / "small").mkdir()
    sitk.WriteImage(phantoms.sphere(liver, (0, 0, 0), 20.0), str(tmp_path / "small" / "liver.nrrd"))
    sitk.WriteImage(sitk.ReadImage(str(folder / "one" / "ct.nii.gz")), str(tmp_path / "small" / "ct.nii.gz"))
    with pytest.raises(InputError, match="ml of healthy liver"):
        load_background(find_scans(tmp_path)[0])


@pytest.mark.parametrize(("hu", "phase"), [(46, "unenhanced"), (76, "arterial"), (107, "portal"), (121, "portal")])
def test_the_livers_density_tells_the_phase(hu, phase):
    assert phase_of(hu) == phase


def test_places_are_deep_in_healthy_liver(folder):
    scans = find_scans(folder)
    background = load_background(scans[1])
    assert background.slice_mm == pytest.approx(3.2) and background.liver_hu == pytest.approx(95, abs=3)
    middle = np.zeros(3)
    for seed in range(20):
        _, place = choose_place((scans[1],), 14.0, np.random.default_rng(seed))
        assert np.linalg.norm(place - middle) > 20.0 + 14.0
        index = background.ct.TransformPhysicalPointToIndex(place.tolist())
        assert background.liver[index] == 1 and background.tumour[index] == 0
    # Nothing is 200 mm deep: the deepest place it is.
    chosen, _ = choose_place(scans, 200.0, np.random.default_rng(0))
    assert chosen.scan.name == "one"


def test_the_patch_is_the_scan_at_that_place(folder):
    background = load_background(find_scans(folder)[0])
    patch = cut_background(background, (-20.0, -30.0, -40.0), 1.5, 32)
    expected = sitk.Resample(
        background.ct, [32] * 3, sitk.Transform(), sitk.sitkLinear, [-20.0, -30.0, -40.0], [1.5] * 3
    )
    assert patch.ct == pytest.approx(sitk.GetArrayFromImage(expected).astype(float), abs=1.0)
    assert patch.healthy.mean() > 0.5 and ((patch.liver_distance > 0) >= patch.healthy).all()


def test_a_lesion_is_painted_with_the_scans_noise_and_leaves_the_rest_alone(folder):
    found = paint(folder)
    patch = cut_background(
        load_background(next(s for s in find_scans(folder) if s.name == found.background)), found.grid.origin, 1.0, 96
    )
    volume = found.lesion.sum() / 1000
    assert volume == pytest.approx(4 / 3 * np.pi * 13 * 12 * 11 / 1000, rel=0.3)
    assert (found.liver >= found.lesion).all()
    change = np.abs(found.ct - patch.ct)
    assert change[found.lesion].mean() > 5
    away = np.ones(found.lesion.shape, bool)
    z, y, x = (slice(max(i.min() - 12, 0), i.max() + 13) for i in np.nonzero(found.lesion))
    away[z, y, x] = False
    assert change[away].max() < 0.5
    healthy = patch.healthy & (patch.liver_distance > 6) & away
    core = found.lesion & (change > 0)

    def fine(mask):
        return np.median(np.abs(np.diff(found.ct, axis=2))[mask[:, :, 1:]])

    assert fine(core) == pytest.approx(fine(healthy), rel=0.35)


def test_the_same_seeds_paint_the_same_patient(folder):
    one, again, other = paint(folder), paint(folder), paint(folder, seed=8)
    assert np.array_equal(one.ct, again.ct) and one.background == again.background
    assert not np.array_equal(one.ct, other.ct)


def test_a_lesion_larger_than_the_healthy_liver_ends_with_the_liver(folder):
    found = paint(folder, phenotype=LesionPhenotype(90.0, (45.0, 42.0, 40.0), 0.7, 0.2, 0.5, 0.5, 0.3, "severe"))
    assert found.lesion.any() and (found.liver >= found.lesion).all()


def test_a_real_scan_can_be_used(real_data, tmp_path):
    place = real_data / "totalsegmentator_example"
    entry = {
        "name": "real",
        "ct": str(place / "example_ct.nii.gz"),
        "liver": str(place / "example_seg_fast_force_split.nii.gz"),
        "liver_label": 5,
    }
    (tmp_path / "backgrounds.json").write_text(json.dumps([entry]), encoding="utf-8")
    found = paint(tmp_path)
    assert found.phase == "unenhanced"
    assert np.median(found.ct[found.liver & ~found.lesion]) == pytest.approx(46, abs=8)
    assert np.median(found.ct[found.lesion]) < 45
