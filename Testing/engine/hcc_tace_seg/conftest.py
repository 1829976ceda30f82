"""Fixtures of the importer's tests: the writer of DICOM files, and one download imported once."""

import csv
import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

CHEMO = "Cisplatin, doxorubicin, Mitomycin-C"
TABLE = {
    "TCIA_ID": "",
    "Interval_BL": "3",
    "Interval_FU": "7.0",
    "Death_1_StillAliveorLostToFU_0": "1",
    "OS": "101.25",
    "age": "61",
    "Sex": "1",
    "PS_bclc_0_0_1-2_1_3-4_3": "0",
    "CPS": "A",
    "tumor_nodul": "uninodular",
    "Vascular invasion": "0",
    "Metastasis": "0",
    "Lymphnodes": "0",
    "Portal Vein Thrombosis": "0",
    "AFP": "12.5",
    "BCLC": "Stage-B",
    "chemotherapy": CHEMO,
    "1_mRECIST": "2.0",
}


@pytest.fixture(scope="session")
def tcia():
    """The module that writes the abdomen as DICOM files."""
    pytest.importorskip("highdicom", reason="highdicom is not installed; the dicom extra has it")
    spec = importlib.util.spec_from_file_location("hcc_tace_seg_tcia", Path(__file__).with_name("tcia.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def write_table():
    """Write a clinical csv: one dict of changed cells a patient."""

    def write(path, rows):
        with path.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, list(TABLE))
            writer.writeheader()
            writer.writerows({**TABLE, **row} for row in rows)
        return path

    return write


@pytest.fixture(scope="session")
def image(tcia):
    """Slices of a geometry as an image, and a mask on it."""
    from mewm.cohort.hcc_tace_seg.volume import assemble

    def build(geometry, values):
        kind = np.uint8 if values.dtype == bool else np.int16
        planes = list(values.astype(kind))
        return assemble(planes, geometry.positions, [*geometry.row, *geometry.column], geometry.spacing)[0]

    return build


@pytest.fixture(scope="session")
def download(tcia, tmp_path_factory):
    """A download with two whole patients and several partial ones."""
    root = tmp_path_factory.mktemp("manifest")
    plain, longer = tcia.axial(), tcia.axial(count=28)
    portal = tcia.pixels(plain)

    # Several series a study; two phases at the same places in one series; the masks name the arterial slices.
    whole = tcia.Writer(root, "HCC_001")
    whole.ct(plain, tcia.pixels(plain, "unenhanced"), "PRE LIVER", time="101000")
    arterial = whole.ct(plain, tcia.pixels(plain, "arterial"), time="101530")
    whole.ct(plain, portal, series=arterial[0].SeriesInstanceUID, acquisition=2, time="101620")
    whole.ct(tcia.sagittal(), tcia.pixels(tcia.sagittal()), "SAG", kind=("DERIVED", "SECONDARY", "REFORMATTED"))
    whole.ct(plain, portal, "SCOUT", kind=("ORIGINAL", "PRIMARY", "LOCALIZER"), skip=range(1, 24))
    whole.capture()
    whole.seg(arterial, plain)
    whole.ct(longer, tcia.pixels(longer, "arterial", followup=True, seed=2), "2.5 STD", weeks=7, time="090100")
    whole.ct(longer, tcia.pixels(longer, "portal", followup=True, seed=3), "2.5 STD", weeks=7, time="090150", flat=True)

    # Slices stored from the feet up in rows to the right, one missing; a tilted gantry in the follow-up.
    odd = tcia.Writer(root, "HCC_002")
    flipped, tilted = tcia.axial(flipped=True), tcia.axial(count=26, tilt=12)
    source = odd.ct(flipped, tcia.pixels(flipped), "C-A-P", skip=(9,))
    odd.seg(source, flipped)
    odd.ct(tilted, tcia.pixels(tilted, followup=True, seed=4), "C-A-P", weeks=6.9)
    odd.ct(tilted, tcia.pixels(tilted, followup=True, seed=4), "C-A-P", weeks=30)

    # HCC_003 has a row only, HCC_004 images only.
    tcia.Writer(root, "HCC_004").ct(plain, portal, skip=range(2, 24))
    early = tcia.Writer(root, "HCC_005")
    early.seg(early.ct(plain, portal), plain)
    unmarked = tcia.Writer(root, "HCC_006")
    unmarked.ct(plain, portal)
    cut = tcia.Writer(root, "HCC_007")
    path = cut.seg(cut.ct(plain, portal), plain)
    path.write_bytes(path.read_bytes()[:-4000])
    cut.ct(plain, portal, weeks=7)
    gap = tcia.Writer(root, "HCC_009")
    source = gap.ct(plain, portal)
    gap.seg(source, plain)
    for data in source[10:14]:
        data.filename.unlink()
    gap.ct(plain, portal, weeks=7)
    lost = tcia.Writer(root, "HCC_010")
    source = lost.ct(plain, portal)
    lost.seg(source, plain)
    for data in source:
        data.filename.unlink()
    lost.ct(plain, portal, weeks=7)
    torn = tcia.Writer(root, "HCC_011")
    torn.seg(torn.ct(plain, portal), plain)
    for data in torn.ct(plain, portal, weeks=7)[5:8]:
        data.filename.write_bytes(data.filename.read_bytes()[:-900])
    tcia.Writer(root, "MRN445566").ct(plain, portal, skip=range(1, 24))
    (root / "LICENSE").write_text("CC BY 4.0", encoding="utf-8")
    (root / "broken.dcm").write_bytes(b"\0" * 40)
    return root


@pytest.fixture(scope="session")
def table(write_table, tmp_path_factory):
    rows = [{"TCIA_ID": f"HCC_{n:03d}"} for n in (1, 2, 3, 5, 6, 7, 8, 9, 10, 11)]
    rows[1] |= {"chemotherapy": "doxorubicin LC beads", "Interval_FU": "-6.86", "tumor_nodul": "multinodular"}
    rows[6] |= {"chemotherapy": ""}
    return write_table(tmp_path_factory.mktemp("table") / "clinical.csv", rows)


@pytest.fixture(scope="session")
def imported(download, table, tmp_path_factory):
    """The download, imported once: folder, report, and the calls of progress."""
    from mewm.cohort.hcc_tace_seg.importer import import_hcc_tace_seg

    out = tmp_path_factory.mktemp("out") / "cohort"
    calls = []
    with pytest.MonkeyPatch.context() as patch:
        # Coarse and quick; how exact the alignment is, test_registration measures at full depth.
        patch.setattr("mewm.cohort.hcc_tace_seg.deformation.LEVELS", ((5.0, 60.0), (5.0, 45.0)))
        patch.setattr("mewm.cohort.hcc_tace_seg.deformation.ITERATIONS", 15)
        report = import_hcc_tace_seg(download, table, out, workers=1, progress=lambda *a: calls.append(a))
    return out, report, calls
