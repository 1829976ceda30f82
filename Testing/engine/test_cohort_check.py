"""`mewm cohort check`: a sound cohort passes, and every fault is named with its case and value."""

import json
import re
import shutil

import numpy as np
import pytest
import SimpleITK as sitk

from mewm.cli import main
from mewm.cohort.check import check_cohort
from mewm.cohort.simulate import simulate_cohort
from mewm.errors import InputError

CASE = "case_00001"


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return simulate_cohort(tmp_path_factory.mktemp("check") / "cohort", cases=3, seed=31, workers=2)


@pytest.fixture
def folder(sound, tmp_path):
    return shutil.copytree(sound, tmp_path / "cohort")


def cell(folder, column, value, table="cases.csv", case=CASE):
    """Change one cell of a table."""
    path = folder / table
    lines = path.read_text(encoding="utf-8").splitlines()
    header = lines[0].split(",")
    for number, line in enumerate(lines):
        if line.startswith(f"{case},"):
            cells = line.split(",")
            cells[header.index(column)] = value
            lines[number] = ",".join(cells)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def change(folder, name, edit, case=CASE):
    """Change one image: ``edit`` gets the array and may return another."""
    path = folder / "cases" / case / f"{name}.nrrd"
    image = sitk.ReadImage(str(path))
    array = sitk.GetArrayFromImage(image)
    found = edit(array)
    array = array if found is None else found
    out = sitk.GetImageFromArray(array)
    if array.shape == (96, 96, 96):
        out.CopyInformation(image)
    sitk.WriteImage(out, str(path), True)


def moved(folder, name, case=CASE):
    path = folder / "cases" / case / f"{name}.nrrd"
    image = sitk.ReadImage(str(path))
    image.SetOrigin([v + 5 for v in image.GetOrigin()])
    sitk.WriteImage(image, str(path), True)


def sentences(folder):
    return [problem.sentence for problem in check_cohort(folder, workers=1).problems]


def test_a_sound_cohort_has_no_problem(sound, capsys):
    calls = []
    report = check_cohort(sound, progress=lambda *count: calls.append(count))
    assert report.problems == () and report.cases == 3 and calls[-1] == (3, 3)
    assert main(["cohort", "check", str(sound)]) == 0
    assert "nothing is wrong" in capsys.readouterr().out


def set_to(value, where=(0, 0, 0)):
    def edit(array):
        array[where] = value

    return edit


FAULTS = {
    "number": (lambda f: cell(f, "age", "old"), r"age 'old', which is not a number"),
    "whole": (lambda f: cell(f, "tumour_number", "1.5"), r"tumour_number '1\.5', which is not a whole number"),
    "flag": (lambda f: cell(f, "jaundice", "yes"), r"jaundice 'yes', which is not true or false"),
    "range": (lambda f: cell(f, "age", "300"), r"age is 300"),
    "choice": (lambda f: cell(f, "bclc", "E"), r"bclc is 'E'"),
    "nan": (lambda f: cell(f, "os_weeks", "nan"), r"os_weeks nan"),
    "split": (lambda f: cell(f, "split", "holdout"), r"split 'holdout'; allowed are train, val, test"),
    "phase": (lambda f: cell(f, "phase", "late"), r"phase 'late'"),
    "missing": (lambda f: cell(f, "os_weeks", ""), r"states no os_weeks"),
    "event": (lambda f: cell(f, "event", "2"), r"event 2"),
    "response": (lambda f: cell(f, "mrecist", "XX"), r"mrecist 'XX'"),
    "agent": (lambda f: cell(f, "protocol", "Snake Oil 3 mg"), r"protocol"),
    "volume": (lambda f: cell(f, "lesion_ml", "6000"), r"states 6000 ml for its lesion, but the mask has"),
    "spacing": (lambda f: cell(f, "spacing_mm", "1.97"), r"but spacing_mm is 1\.97"),
    "double": (lambda f: cell(f, "case_id", "case_00000"), r"case_00000 stands 2 times"),
    "no image": (lambda f: (f / "cases" / CASE / "liver.nrrd").unlink(), r"no image liver\.nrrd"),
    "torn": (lambda f: (f / "cases" / CASE / "post_ct.nrrd").write_bytes(b"NRRD0004\n"), r"damaged .* post_ct"),
    "hu": (lambda f: change(f, "pre_ct", set_to(9000)), r"-?\d+ to 9000 HU in pre_ct"),
    "no ct": (lambda f: change(f, "pre_ct", lambda a: np.zeros_like(a)), r"pre_ct\.nrrd that is no CT"),
    "grid": (lambda f: moved(f, "lesion"), r"lesion\.nrrd at another place"),
    "size": (lambda f: change(f, "liver", lambda a: a[:50]), r"96 × 96 × 50 voxels in liver"),
    "type": (lambda f: change(f, "liver", lambda a: a.astype(np.int16)), r"liver\.nrrd as .* instead of uint8"),
    "binary": (lambda f: change(f, "liver", lambda a: a * 3), r"the value 3 in liver"),
    "empty": (lambda f: change(f, "lesion", lambda a: a * 0), r"empty lesion"),
    "outside": (
        lambda f: change(f, "liver", lambda a: np.roll(a, 60, axis=2)),
        r"voxels of its lesion outside its liver",
    ),
    "label": (lambda f: change(f, "tissue", set_to(7)), r"the label 7 in tissue"),
    "far": (lambda f: change(f, "tissue", set_to(2, (slice(0, 3),) * 3)), r"mm from its lesion"),
    "truth": (lambda f: cell(f, "necrosis_ml", "999", "truth.csv"), r"necrosis_ml 999"),
    "death": (lambda f: cell(f, "death_weeks", "1e-3", "truth.csv"), r"truth\.csv (says|has its death at) 0\.001"),
    "best": (lambda f: cell(f, "best_log_hazard", "-9", "truth.csv"), r"best_log_hazard -9"),
    "fact": (lambda f: cell(f, "true_sex", "neither", "truth.csv"), r"truth\.csv says neither"),
    "sensitivity": (lambda f: cell(f, "oil_retention", "-1", "truth.csv"), r"oil_retention -1 .* above 0"),
    "json": (
        lambda f: (f / "cases" / CASE / "case.json").write_text("{", encoding="utf-8"),
        r"case\.json that is not JSON",
    ),
    "folder": (lambda f: (f / "cases" / "case_00077").mkdir(), r"cases/case_00077 belongs to no case"),
    "gone": (lambda f: shutil.rmtree(f / "cases" / CASE), r"has no folder"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_named(fault, folder):
    break_it, told = FAULTS[fault]
    break_it(folder)
    found = sentences(folder)
    assert any(re.search(told, sentence) for sentence in found), found
    assert all(sentence.endswith((".", "?")) and "\n" not in sentence for sentence in found)


def test_one_patient_in_two_splits_is_found_by_name_and_by_scan(folder):
    for case, split in ((CASE, "train"), ("case_00002", "test")):
        cell(folder, "split", split, case=case)
    shutil.copy(folder / "cases" / CASE / "pre_ct.nrrd", folder / "cases" / "case_00002" / "pre_ct.nrrd")
    assert any("the same first CT as case" in s for s in sentences(folder))
    lines = (folder / "cases.csv").read_text(encoding="utf-8").splitlines()
    named = [f"{line},{'patient_id' if n == 0 else 'P1'}" for n, line in enumerate(lines)]
    (folder / "cases.csv").write_text("\n".join(named) + "\n", encoding="utf-8")
    assert any("of the same patient P1" in s for s in sentences(folder))


def test_a_table_of_another_shape_is_named(folder):
    path = folder / "cases.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("follow_up_weeks", "weeks", 1), encoding="utf-8")
    found = sentences(folder)
    assert any("lacks the column 'follow_up_weeks'" in s for s in found)
    assert any("column 'weeks', which the format does not know" in s for s in found)


def test_json_for_programs_and_the_exit_status(folder, capsys):
    cell(folder, "age", "300")
    assert main(["cohort", "check", str(folder), "--json"]) == 1
    content = json.loads(capsys.readouterr().out)
    assert content["ok"] is False and content["cases"] == 3
    assert {(p["case"], p["what"]) for p in content["problems"]} == {(CASE, "age")}
    assert main(["cohort", "check", str(folder / "cases")]) == 2


def test_an_unfinished_cohort_is_told(folder):
    info = json.loads((folder / "cohort.json").read_text(encoding="utf-8"))
    (folder / "cohort.json").write_text(json.dumps({**info, "status": "incomplete"}), encoding="utf-8")
    assert any("status is 'incomplete'" in s for s in sentences(folder))
    (folder / "cases.csv").unlink()
    with pytest.raises(InputError, match=r"no cases\.csv"):
        check_cohort(folder)
