"""The whole import: DICOM files and table in, cohort and curation log out."""

import csv
import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import SimpleITK as sitk

from mewm.cohort.dataset import read_cohort
from mewm.cohort.hcc_tace_seg.importer import import_hcc_tace_seg
from mewm.errors import InputError


@pytest.fixture(scope="module")
def log(imported):
    with (imported[0] / "curation.csv").open(encoding="utf-8") as stream:
        return {row["case_id"]: row for row in csv.DictReader(stream)}


def read(out, case_id, name):
    return sitk.ReadImage(str(out / "cases" / case_id / f"{name}.nrrd"))


def centres(image):
    """LPS of every voxel of a grid along LPS, ``(z, y, x, 3)``."""
    index = np.indices(image.GetSize()[::-1])[::-1]
    return np.moveaxis(index, 0, -1) * np.array(image.GetSpacing()) + np.array(image.GetOrigin())


def test_every_patient_of_either_source_is_in_the_log(imported, log):
    assert list(log) == [f"HCC_{n:03d}" for n in range(1, 12)]
    assert [k for k, row in log.items() if row["status"] == "kept"] == ["HCC_001", "HCC_002"]
    assert imported[1].kept == ("HCC_001", "HCC_002")
    assert imported[1].foreign_files == 1 and imported[1].unreadable_files == 1


@pytest.mark.parametrize(
    ("case_id", "words"),
    [
        ("HCC_003", "no images in the download"),
        ("HCC_004", "not in the clinical table"),
        ("HCC_005", "no CT examination after TACE"),
        ("HCC_006", "no segmentation was found"),
        ("HCC_007", "cut short"),
        ("HCC_008", "no images"),
        ("HCC_009", "slices are missing"),
        ("HCC_010", "drawn on is not in the download"),
        ("HCC_011", "3 of 24 slices are cut short or cannot be read"),
    ],
)
def test_each_left_out_patient_has_its_reason(log, imported, case_id, words):
    assert words in log[case_id]["reason"]
    assert not (imported[0] / "cases" / case_id).exists()


def test_the_table_is_read_as_any_cohort(imported):
    cohort = read_cohort(imported[0])
    first, second = cohort.rows
    assert (first.case_id, first.phase, first.mrecist, first.os_weeks, first.event) == (
        "HCC_001",
        "portal",
        "PR",
        101.25,
        True,
    )
    assert first.protocol.agents == ("cisplatin", "doxorubicin", "mitomycin", "lipiodol")
    assert second.protocol.agents == ("doxorubicin_eluting_beads",)
    assert first.facts.bclc == "B" and first.facts.child_pugh == "A" and first.facts.afp_ng_ml == 12.5
    assert first.values["follow_up_weeks"] == 7.0 and second.values["follow_up_weeks"] == 6.9


def test_the_portal_venous_acquisition_is_chosen_on_both_sides(imported, log, tcia):
    assert log["HCC_001"]["pre_phase"] == log["HCC_001"]["post_phase"] == "portal"
    assert "2 acquisitions" in log["HCC_001"]["notes"]
    liver = sitk.GetArrayFromImage(read(imported[0], "HCC_001", "liver")) > 0
    for name in ("pre_ct", "post_ct"):
        ct = sitk.GetArrayFromImage(read(imported[0], "HCC_001", name))
        assert np.median(ct[liver]) == pytest.approx(tcia.PHASES["portal"][3], abs=6)


@pytest.mark.parametrize("case_id", ["HCC_001", "HCC_002"])
def test_masks_and_images_lie_where_the_patient_is(imported, tcia, case_id):
    lesion = read(imported[0], case_id, "lesion")
    where = centres(lesion)
    truth = tcia.structures(where)
    mask = sitk.GetArrayFromImage(lesion) > 0
    assert 2 * (mask & truth["tumour"]).sum() / (mask.sum() + truth["tumour"].sum()) > 0.88
    assert np.linalg.norm(where[mask].mean(axis=0) - tcia.LESION) < 1.0
    ct = sitk.GetArrayFromImage(read(imported[0], case_id, "pre_ct"))
    assert np.corrcoef(ct.ravel(), np.clip(tcia.anatomy(where), -1000, 400).ravel())[0, 1] > 0.97


@pytest.mark.parametrize("case_id", ["HCC_001", "HCC_002"])
def test_the_follow_up_is_aligned_with_the_first_ct(imported, log, tcia, case_id):
    post = read(imported[0], case_id, "post_ct")
    oil = sitk.GetArrayFromImage(post) > 300
    where = centres(post)
    near = np.linalg.norm(where - tcia.LESION, axis=-1) < 30
    truth = tcia.structures(where)["tumour"] & (where[..., 0] < tcia.LESION[0] + 5)
    assert np.linalg.norm(where[oil & near].mean(axis=0) - where[truth].mean(axis=0)) < 2.5
    row = log[case_id]
    assert row["registration"] == "deformable" and row["registration_poor"] == ""
    assert float(row["mutual_information_final"]) > float(row["mutual_information_rigid"])
    assert 0.5 < float(row["jacobian_min"]) < 1 < float(row["jacobian_max"]) < 2


def test_repairs_and_assumptions_are_noted(log):
    assert "1 missing slices" in log["HCC_002"]["notes"]
    assert "gantry tilt of 12.0°" in log["HCC_002"]["notes"]
    assert "2 tumours stand for" in log["HCC_002"]["notes"]
    assert "taken as conventional TACE with Lipiodol" in log["HCC_001"]["notes"]
    assert "Lipiodol" not in log["HCC_002"]["notes"]


def test_the_follow_up_nearest_to_the_table_is_taken(log):
    assert float(log["HCC_002"]["interval_weeks"]) == pytest.approx(6.86, abs=0.1)
    assert log["HCC_002"]["studies"] == "3"


def test_nothing_that_identifies_is_written(imported, tcia, download):
    import pydicom

    secrets = {*tcia.SECRETS, "MRN445566", "Roe^R", "1.2.826", "199803", "199804"}
    # One slice of each folder and what lies loose, so that every study and series is among them.
    slices = [p for k, p in enumerate(sorted(download.rglob("*.dcm"))) if k % 12 == 0 or p.parent == download]
    for path in slices:
        if path.name != "broken.dcm":
            data = pydicom.dcmread(path, stop_before_pixels=True)
            secrets |= {data.StudyInstanceUID, data.SeriesInstanceUID, data.StudyDate}
    for path in imported[0].rglob("*"):
        if path.is_file():
            head = path.read_bytes() if path.suffix != ".nrrd" else path.read_bytes().split(b"\n\n")[0]
            assert not [s for s in secrets if s.encode() in head], path


def test_progress_counts_every_patient(imported):
    calls = imported[2]
    assert calls[-1] == (11, 11) and [done for done, _ in calls] == sorted({done for done, _ in calls})


def test_a_second_run_redoes_nothing_and_a_lost_case_is_redone(imported, download, table, tmp_path, monkeypatch):
    out = shutil.copytree(imported[0], tmp_path / "cohort")
    again = []

    def spy(patient, row, folder, split):
        again.append(patient.case_id)
        raise KeyboardInterrupt

    monkeypatch.setattr("mewm.cohort.hcc_tace_seg.importer.import_case", spy)
    report = import_hcc_tace_seg(download, table, out, workers=1)
    assert again == [] and report.kept == imported[1].kept
    assert (out / "cases.csv").read_bytes() == (imported[0] / "cases.csv").read_bytes()

    shutil.rmtree(out / "cases" / "HCC_001")
    (out / "cases" / ".HCC_001.partial").mkdir()
    with pytest.raises(KeyboardInterrupt):
        import_hcc_tace_seg(download, table, out, workers=1)
    assert again == ["HCC_001"]
    assert json.loads((out / "cohort.json").read_text(encoding="utf-8"))["status"] == "incomplete"
    with pytest.raises(InputError):
        read_cohort(out)


def test_a_killed_write_leaves_no_half_case(imported, tmp_path, monkeypatch):
    from mewm.cohort.hcc_tace_seg import case_import

    folder = shutil.copytree(imported[0] / "cases" / "HCC_002", tmp_path / "HCC_002")
    before = sorted((p.name, p.read_bytes()) for p in folder.iterdir())
    roi = read_cohort(imported[0]).rows[1]

    def full(array, spacing, origin, path):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(case_import, "write_image", full)
    place = SimpleNamespace(spacing=roi.values["spacing_mm"], origin=(0.0, 0.0, 0.0))
    with pytest.raises(OSError, match="No space"):
        case_import._write(folder, {"pre_ct": np.zeros((2, 2, 2))}, place, {})
    assert sorted((p.name, p.read_bytes()) for p in folder.iterdir()) == before


def test_a_changed_row_is_imported_anew(imported, download, write_table, table, tmp_path, monkeypatch):
    out = shutil.copytree(imported[0], tmp_path / "cohort")
    with table.open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    rows[0]["OS"] = "99"
    seen = []

    def spy(patient, row, folder, split):
        seen.append(patient.case_id)
        raise KeyboardInterrupt

    monkeypatch.setattr("mewm.cohort.hcc_tace_seg.importer.import_case", spy)
    with pytest.raises(KeyboardInterrupt):
        import_hcc_tace_seg(download, write_table(tmp_path / "new.csv", rows), out, workers=1)
    assert seen == ["HCC_001"]


@pytest.mark.parametrize(("phases", "poor"), [(("portal", "unenhanced"), True), (("portal", "arterial"), False)])
def test_a_pair_with_one_unenhanced_ct_is_flagged(monkeypatch, phases, poor):
    from mewm.cohort.hcc_tace_seg import case_import
    from mewm.cohort.hcc_tace_seg.curation import CurationRecord
    from mewm.cohort.hcc_tace_seg.quality import Quality

    both = {"rigid": 0.5, "deformable": 0.6}
    quality = Quality("deformable", both, both, (0.9, 1.1), 2.0, 1.0, "")
    before = SimpleNamespace(
        structures=SimpleNamespace(aorta=None, portal_vein=None), vessels=SimpleNamespace(phase=phases[0])
    )
    monkeypatch.setattr(case_import, "enhancement", lambda *a: SimpleNamespace(phase=phases[1]))
    record = CurationRecord("HCC_001", "kept", "", [], {})
    alignment = SimpleNamespace(final=None, quality=quality)
    case_import._note_phases(before, SimpleNamespace(ct=None), alignment, record)
    case_import._note_quality(alignment, record)
    assert ("no contrast" in record.values["registration_poor"]) == poor
    assert any("poor alignment" in note for note in record.notes) == poor


@pytest.mark.parametrize(("kept", "status"), [(("HCC_001",), 0), ((), 1)])
def test_the_command_fails_where_nobody_was_kept(monkeypatch, tmp_path, capsys, kept, status):
    from mewm.cli import main

    found = SimpleNamespace(kept=kept, records=(1, 2))
    monkeypatch.setattr("mewm.cohort.hcc_tace_seg.importer.import_hcc_tace_seg", lambda *a, **k: found)
    command = ["cohort", "import-hcc-tace-seg", "download", "clinical.xlsx", str(tmp_path)]
    assert main(command) == status
    assert f"{len(kept)} of 2 patients kept" in capsys.readouterr().out

    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("mewm.cohort.hcc_tace_seg.importer.import_hcc_tace_seg", stop)
    assert main(command) == 130
    assert "the same command goes on" in capsys.readouterr().err


def test_wrong_folders_are_refused(tmp_path, table, download):
    with pytest.raises(InputError, match="does not exist"):
        import_hcc_tace_seg(tmp_path / "none", table, tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no DICOM file"):
        import_hcc_tace_seg(tmp_path / "empty", table, tmp_path / "out")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("x", encoding="utf-8")
    with pytest.raises(InputError, match="not empty"):
        import_hcc_tace_seg(download, table, tmp_path / "full")
    assert not (tmp_path / "out").exists()
