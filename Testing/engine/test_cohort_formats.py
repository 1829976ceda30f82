"""The dataset as a pandas frame, as MONAI items, and without the truth an imported one lacks."""

import json
import shutil

import numpy as np
import pytest
import SimpleITK as sitk

from mewm.cohort.dataset import COLUMNS, read_cohort
from mewm.cohort.monai_data import example_transforms, monai_items
from mewm.cohort.simulate import simulate_cohort
from mewm.errors import InputError

CASES = 6


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return simulate_cohort(tmp_path_factory.mktemp("formats") / "cohort", cases=CASES, seed=11, workers=2)


@pytest.fixture
def imported(folder, tmp_path):
    """The cohort as an importer leaves it: no truth, no tissue, more columns, a phase that is not known."""
    copy = shutil.copytree(folder, tmp_path / "imported")
    (copy / "truth.csv").unlink()
    for path in copy.glob("cases/*/tissue.nrrd"):
        path.unlink()
    lines = (copy / "cases.csv").read_text(encoding="utf-8").splitlines()
    header = lines[0].split(",")
    cells = lines[1].split(",")
    cells[header.index("phase")] = ""
    lines = [f"{lines[0]},vascular_invasion,note", ",".join([*cells, "true", "agents as stated"])]
    lines += [f"{line},," for line in (copy / "cases.csv").read_text(encoding="utf-8").splitlines()[2:]]
    (copy / "cases.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    info = json.loads((copy / "cohort.json").read_text(encoding="utf-8"))
    (copy / "cohort.json").write_text(json.dumps({**info, "kind": "hcc-tace-seg"}), encoding="utf-8")
    return copy


def test_a_cohort_without_marked_follow_up_loads(imported):
    cohort = read_cohort(imported)
    first, second = cohort.rows[:2]
    assert first.phase is None and second.phase in ("portal", "arterial")
    assert first.values["vascular_invasion"] is True and second.values["vascular_invasion"] is None
    assert first.values["note"] == "agents as stated"
    case = cohort.load(first)
    assert case.tissue is None
    assert case.post_ct.shape == case.roi.lesion.shape == (96, 96, 96)


def test_the_frame_has_the_types_it_promises(folder, imported):
    pd = pytest.importorskip("pandas", reason="pandas is not installed; the training extra has it")
    from mewm.cohort.frame import frame_facts, read_frame

    frame = read_frame(folder)
    assert list(frame.index) == [row.case_id for row in read_cohort(folder).rows]
    assert {frame.index.name, *frame.columns} == {*COLUMNS, "new_lesion"}
    assert list(frame["mrecist"].cat.categories) == ["CR", "PR", "SD", "PD"] and frame["mrecist"].cat.ordered
    assert not frame["split"].cat.ordered
    assert frame["os_weeks"].dtype == "float64" and str(frame["tumour_number"].dtype) == "Int64"
    assert str(frame["jaundice"].dtype) == str(frame["event"].dtype) == "boolean"
    for row in read_cohort(folder).rows:
        assert frame_facts(frame.loc[row.case_id]) == row.facts
    real = read_frame(imported)
    assert pd.isna(real["phase"].iloc[0]) and bool(real["vascular_invasion"].iloc[0])
    assert real["vascular_invasion"].isna().sum() == CASES - 1


def test_the_truth_joins_the_frame_case_by_case(folder, imported):
    pytest.importorskip("pandas", reason="pandas is not installed; the training extra has it")
    from mewm.cohort.frame import read_frame

    frame = read_frame(folder, truth=True)
    for case_id, row in frame.iterrows():
        told = json.loads((folder / "cases" / case_id / "truth.json").read_text(encoding="utf-8"))
        assert row["truth_viable_ml"] == pytest.approx(told["viable_ml"], rel=1e-5)
        assert row["truth_true_sex"] == told["facts"]["sex"]
        assert bool(row["truth_true_jaundice"]) == told["facts"]["jaundice"]
    with pytest.raises(InputError, match=r"no truth\.csv"):
        read_frame(imported, truth=True)


def test_items_name_the_images_and_can_be_collated(folder, imported):
    items = monai_items(folder)
    assert [item["case_id"] for item in items] == [row.case_id for row in read_cohort(folder).rows]
    train = monai_items(folder, "train")
    assert train and {item["split"] for item in train} == {"train"}
    assert all(isinstance(item["age"], float) and isinstance(item["bclc"], str) for item in items)
    assert "tissue" in items[0] and "tissue" not in monai_items(imported)[0]
    assert monai_items(imported)[0]["phase"] == ""
    with pytest.raises(InputError, match="no case in the split"):
        monai_items(folder, "holdout")
    (imported / "cases" / items[0]["case_id"] / "liver.nrrd").unlink()
    with pytest.raises(InputError, match=r"liver\.nrrd"):
        monai_items(imported)


def test_real_monai_loads_what_was_written(folder):
    pytest.importorskip("monai", reason="monai is not installed; the training extra has it")
    pytest.importorskip("nrrd", reason="pynrrd is not installed; the training extra has it")
    from monai.data import DataLoader, Dataset

    items = monai_items(folder)
    keys = ("pre_ct", "post_ct", "lesion", "tissue")
    case = Dataset(items, example_transforms(keys, augment=False))[0]
    cohort = read_cohort(folder)
    stored = cohort.load(cohort.rows[0])
    for key, array in (("lesion", stored.roi.lesion), ("tissue", stored.tissue)):
        assert np.array_equal(np.asarray(case[key])[0], array.transpose(2, 1, 0))
    window = np.clip((stored.post_ct + 200) / 1200, 0, 1)
    assert np.asarray(case["post_ct"])[0] == pytest.approx(window.transpose(2, 1, 0), abs=1e-4)
    origin = sitk.ReadImage(items[0]["pre_ct"]).GetOrigin()
    # MONAI's world is RAS.
    assert np.asarray(case["pre_ct"].affine)[:3, 3] == pytest.approx([-origin[0], -origin[1], origin[2]], abs=1e-3)
    batch = next(iter(DataLoader(Dataset(items, example_transforms(keys)), batch_size=3)))
    assert tuple(batch["pre_ct"].shape) == (3, 1, 96, 96, 96) and len(batch["age"]) == 3
