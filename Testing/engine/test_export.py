"""An exported protocol: what is in it, what never is, and where it is written."""

import csv
import json
import shutil
import sys
import zipfile

import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image

from mewm import api
from mewm.actions.protocol import Action, Protocol
from mewm.cli import main
from mewm.errors import InputError
from mewm.export.pictures import COLOURS, HEAD, LESION, SIDE
from mewm.export.write import export_protocol
from mewm.roles import Tissue

pypdfium2 = pytest.importorskip("pypdfium2", reason="pypdfium2 is not installed; `make setup` installs it")

TWO_PLATINUMS = "Lobaplatin 30 mg; Cisplatin 60 mg; Lipiodol 10 ml"
NAME = "Žofia Müllerová"


@pytest.fixture(scope="module")
def run(phantom_case, tmp_path_factory):
    quick = api.Settings(beams=1, drugs=2, embolics=2, replicas=2)
    found = api.explore(phantom_case, settings=quick, own_protocols=[TWO_PLATINUMS])
    return api.write_run(found, tmp_path_factory.mktemp("runs") / "run", keep=1)


def text_of(pdf):
    with pypdfium2.PdfDocument(pdf) as document:
        assert len(document) == 1
        return document[0].get_textpage().get_text_range().replace("\r\n", " ")


def yours(run):
    with (run / "ranking.csv").open(newline="", encoding="utf-8") as stream:
        return next(row for row in csv.DictReader(stream) if row["origin"] == "yours")


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    out = tmp_path_factory.mktemp("export") / "mine"
    return export_protocol(run, out, protocol_id=yours(run)["protocol_id"])


def test_everything_a_colleague_needs_is_in_the_folder(exported, run):
    assert exported.files == (
        "manifest.json",
        "pictures/axial.png",
        "pictures/coronal.png",
        "protocol.json",
        "protocol.pdf",
        "ranking.csv",
    )
    protocol = json.loads((exported.out / "protocol.json").read_text(encoding="utf-8"))
    row = yours(run)
    assert protocol["rank"] == int(row["rank"]) and protocol["protocol"] == TWO_PLATINUMS
    assert protocol["risk"] == pytest.approx(float(row["risk"]), rel=1e-5)
    assert len(protocol["risks"]) == protocol["replicas"] == 2
    assert {action["agent"] for action in protocol["actions"]} == {"lobaplatin", "cisplatin", "lipiodol"}
    assert (exported.out / "ranking.csv").read_bytes() == (run / "ranking.csv").read_bytes()
    assert exported.out.stat().st_mode & 0o777 == (run.stat().st_mode & 0o777)


def test_the_manifest_says_where_it_comes_from_and_what_was_overridden(exported, run):
    manifest = json.loads((exported.out / "manifest.json").read_text(encoding="utf-8"))
    source = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    for key in ("seed", "versions", "model_hashes", "parameters", "inputs"):
        assert manifest[key] == source[key], key
    assert "SYNTHETIC" in manifest["notice"]
    (override,) = manifest["overrides"]
    assert "platinum" in override["message"].lower() and override["source"]
    assert not manifest["page_names_patient"]


def test_the_page_is_one_sheet_that_says_what_it_is(exported, run):
    text = text_of(exported.out / "protocol.pdf")
    assert "RESEARCH USE ONLY" in text and "synthetic" in text
    assert TWO_PLATINUMS in text and "entered by the user" in text
    assert "Rules it breaks" in text and "platinum" in text
    row = yours(run)
    assert f"{float(row['risk']):+.2f}" in text
    assert f"Rank {row['rank']} of " in text
    assert "seed 0" in text and "SHA-256" in text and "Patient" not in text


def test_the_pictures_show_the_lesion_before_and_the_simulated_tissue_after(exported, run):
    picture = np.asarray(Image.open(exported.out / "pictures" / "axial.png"))
    before, after = picture[HEAD : HEAD + SIDE, :SIDE], picture[HEAD : HEAD + SIDE, SIDE:]
    oil = np.array(COLOURS[Tissue.LIPIODOL])
    assert not (before == oil).all(axis=-1).any()
    rows, columns = np.nonzero((after[:, -SIDE:] == oil).all(axis=-1))
    # The lesion's centre is the middle of the slice.
    assert abs(rows.mean() - SIDE / 2) < 0.05 * SIDE and abs(columns.mean() - SIDE / 2) < 0.05 * SIDE
    middle = before[SIDE // 2 - 40 : SIDE // 2 + 40, SIDE // 2 - 40 : SIDE // 2 + 40]
    assert middle.mean() > before[:60, :60].mean()


def test_the_pictures_have_the_colours_of_the_panel():
    from MeWMModuleLib import appearance

    panel = {value: tuple(round(255 * part) for part in colour) for value, (_, colour) in appearance.TISSUES.items()}
    assert {int(tissue): colour for tissue, colour in COLOURS.items()}.items() <= panel.items()
    assert tuple(round(255 * part) for part in appearance.LESION[1]) == LESION


def test_left_in_the_picture_is_the_patients_right(run, tmp_path):
    """A bright block in the patient's left must lie right of the lesion in the axial and the coronal picture."""
    marked = tmp_path / "marked"
    shutil.copytree(run, marked)
    ct = sitk.ReadImage(str(marked / "pre_ct.nrrd"))
    centre = json.loads((marked / "manifest.json").read_text(encoding="utf-8"))["lesion"]["centre_lps"]
    # Left, anterior and superior of the lesion, drawn through the whole volume along the axis that is looked along.
    x, y, z = ct.TransformPhysicalPointToIndex([c + s for c, s in zip(centre, (30, -30, 30), strict=True)])
    near = {name: slice(at - 4, at + 5) for name, at in zip("xyz", (x, y, z), strict=True)}
    for name, block in {
        "axial": (slice(None), near["y"], near["x"]),
        "coronal": (near["z"], slice(None), near["x"]),
    }.items():
        array = np.full(ct.GetSize()[::-1], -1000, np.int16)
        array[block] = 3000
        image = sitk.GetImageFromArray(array)
        image.CopyInformation(ct)
        sitk.WriteImage(image, str(marked / "pre_ct.nrrd"))
        out = export_protocol(marked, tmp_path / name, rank=1).out
        picture = np.asarray(Image.open(out / "pictures" / f"{name}.png"))[HEAD : HEAD + SIDE, :SIDE].min(axis=-1)
        # Letters and outlines are small; the block is the only large bright part.
        rows, columns = np.nonzero(picture[60:-60, 60:-60] > 250)
        assert np.median(columns) > SIDE * 0.55 and np.median(rows) < SIDE * 0.45, name


def test_pictures_of_the_caller_are_taken_and_their_file_names_are_not(run, tmp_path):
    given = tmp_path / "Doe_Jane.png"
    Image.new("RGB", (300, 100), (10, 120, 10)).save(given)
    out = export_protocol(run, tmp_path / "out", rank=1, pictures=[(given, "Side by side")]).out
    assert [path.name for path in (out / "pictures").iterdir()] == ["picture_1.png"]
    assert "Side by side" in text_of(out / "protocol.pdf")
    assert all(b"Doe_Jane" not in path.read_bytes() for path in out.rglob("*") if path.is_file())


def test_a_patients_name_stands_on_the_page_only_and_only_when_given(run, tmp_path):
    out = export_protocol(run, tmp_path / "out", rank=1, patient_name="Jane Doe").out
    assert "Patient: Jane Doe" in text_of(out / "protocol.pdf")
    others = [path for path in out.rglob("*") if path.is_file() and path.suffix != ".pdf"]
    assert all(b"Jane" not in path.read_bytes() for path in others)
    assert json.loads((out / "manifest.json").read_text(encoding="utf-8"))["page_names_patient"]


def test_a_name_that_the_page_cannot_show_is_not_garbled(run, tmp_path):
    with pytest.raises(InputError, match="Latin letters"):
        export_protocol(run, tmp_path / "out", rank=1, patient_name=NAME)
    assert list(tmp_path.iterdir()) == []


def test_a_zip_holds_one_folder_with_the_same_files(run, exported, tmp_path):
    out = export_protocol(run, tmp_path / "mine.zip", protocol_id=yours(run)["protocol_id"]).out
    with zipfile.ZipFile(out) as archive:
        assert sorted(archive.namelist()) == sorted(f"mine/{name}" for name in exported.files)
        assert archive.read("mine/protocol.json") == (exported.out / "protocol.json").read_bytes()
        assert archive.read("mine/protocol.pdf") == (exported.out / "protocol.pdf").read_bytes()


@pytest.mark.parametrize("name", ["out", "out.zip"])
def test_only_an_earlier_export_is_replaced_and_only_when_asked(run, tmp_path, name):
    out = tmp_path / name
    export_protocol(run, out, rank=1)
    before = out.stat().st_mtime_ns
    with pytest.raises(InputError, match="exists"):
        export_protocol(run, out, rank=2)
    assert out.stat().st_mtime_ns == before
    export_protocol(run, out, rank=2, overwrite=True)
    other = tmp_path / f"letters-{name}"
    if name.endswith(".zip"):
        other.write_bytes(b"dear")
    else:
        other.mkdir()
        (other / "letter.txt").write_bytes(b"dear")
    with pytest.raises(InputError, match="not an export"):
        export_protocol(run, other, rank=1, overwrite=True)


def test_a_row_without_volumes_is_exported_without_pictures(run, tmp_path):
    with (run / "ranking.csv").open(newline="", encoding="utf-8") as stream:
        rank = next(int(row["rank"]) for row in csv.DictReader(stream) if not row["folder"])
    written = export_protocol(run, tmp_path / "out", rank=rank)
    assert not any(name.startswith("pictures/") for name in written.files)
    assert "kept no volumes" in text_of(written.out / "protocol.pdf")


def lack(monkeypatch, package, module):
    """Make ``import package`` fail as where it is not installed, and forget the module that has imported it."""
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, module, raising=False)


def test_without_the_package_for_the_page_the_rest_is_written_and_said(run, tmp_path, monkeypatch, capsys):
    lack(monkeypatch, "fpdf", "mewm.export.page")
    written = export_protocol(run, tmp_path / "out", rank=1, patient_name="Jane Doe")
    assert written.page is None and "protocol.pdf" not in written.files
    assert {"manifest.json", "protocol.json", "ranking.csv", "pictures/axial.png"} <= set(written.files)
    manifest = json.loads((written.out / "manifest.json").read_text(encoding="utf-8"))
    (told,) = written.missing
    assert manifest["missing"] == [told] and not manifest["page_names_patient"]
    assert "protocol.pdf" in told and "patient's name" in told and "pip install fpdf2" in told
    assert main(["export", str(run), "--out", str(tmp_path / "best.zip")]) == 0
    assert "note: The page protocol.pdf is missing, because" in capsys.readouterr().out
    assert main(["export", str(run), "--out", str(tmp_path / "more.zip"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["pdf"] is None


def test_without_the_package_for_pictures_the_numbers_are_written(run, tmp_path, monkeypatch):
    # Without Pillow, fpdf2 loads all the same and would lack pictures in the tests that follow.
    pytest.importorskip("fpdf")
    lack(monkeypatch, "PIL", "mewm.export.page")
    monkeypatch.delitem(sys.modules, "mewm.export.pictures", raising=False)
    written = export_protocol(run, tmp_path / "out", rank=1)
    assert written.files == ("manifest.json", "protocol.json", "ranking.csv")
    assert [sentence.split(" is ")[0].split(" are ")[0] for sentence in written.missing] == [
        "The pictures",
        "The page protocol.pdf",
    ]
    assert all("pip install pillow" in sentence for sentence in written.missing)


def test_a_complete_export_lacks_nothing(exported):
    assert exported.page == "protocol.pdf" and exported.missing == ()
    assert json.loads((exported.out / "manifest.json").read_text(encoding="utf-8"))["missing"] == []


def test_an_export_below_a_file_is_told_so(run, tmp_path):
    (tmp_path / "letter.txt").write_bytes(b"dear")
    with pytest.raises(InputError, match=r"letter\.txt is not a folder"):
        export_protocol(run, tmp_path / "letter.txt" / "out", rank=1)


def test_a_pdf_alone_is_refused_before_anything_is_written(run, tmp_path):
    with pytest.raises(InputError, match=r"folder or a zip with protocol\.pdf in it"):
        export_protocol(run, tmp_path / "page.pdf", rank=1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"rank": 99}, "rank 99"),
        ({"rank": None}, "one of the two"),
        ({"rank": None, "protocol_id": "gone"}, "'gone'"),
        ({"pictures": [("/gone.png", "x")]}, "/gone.png"),
    ],
)
def test_a_wrong_export_gets_one_sentence_and_writes_nothing(run, tmp_path, changes, told):
    with pytest.raises(InputError) as error:
        export_protocol(run, tmp_path / "out", **({"rank": 1} | changes))
    assert told in str(error.value) and str(error.value).endswith(".")
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_picture_writes_nothing(run, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match="cannot be read"):
        export_protocol(run, tmp_path / "out", rank=1, pictures=[(tmp_path / "bad.png", "x")])
    assert [path.name for path in tmp_path.iterdir()] == ["bad.png"]


def test_the_command_line_exports_the_best_protocol(run, tmp_path, capsys):
    assert main(["export", str(run), "--out", str(tmp_path / "best.zip"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["pdf"] == "protocol.pdf" and (tmp_path / "best.zip").is_file()
    assert main(["export", str(run), "--out", str(tmp_path / "best.zip")]) == 2
    assert "exists" in capsys.readouterr().err


def test_a_long_list_of_warnings_stays_on_the_page(run, tmp_path):
    many = tmp_path / "many"
    shutil.copytree(run, many)
    manifest = json.loads((many / "manifest.json").read_text(encoding="utf-8"))
    manifest["warnings"] = [f"Warning number {number} " + "with many words " * 20 for number in range(30)]
    (many / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    text = text_of(export_protocol(many, tmp_path / "out", rank=1).out / "protocol.pdf")
    assert "Warning number 0" in text and "more, see manifest.json" in text and "arXiv 2506.02327" in text


def test_contraindications_come_first_on_the_page_and_sources_do_not_crowd_them_out(run, tmp_path):
    severe = tmp_path / "severe"
    shutil.copytree(run, severe)
    manifest = json.loads((severe / "manifest.json").read_text(encoding="utf-8"))
    manifest["warnings"] = [f"Warning number {number} " + "with many words " * 20 for number in range(30)]
    manifest["warnings"] += [
        f"Absolute contraindication: reason {number}. (Somebody, A journal, 2020; {'Another guideline; ' * 20})"
        for number in range(6)
    ]
    (severe / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    text = text_of(export_protocol(severe, tmp_path / "out", rank=1).out / "protocol.pdf")
    places = [text.index(f"Absolute contraindication: reason {number}.") for number in range(6)]
    assert places == sorted(places) and places[-1] < text.index("Warning number 0")
    assert "Another guideline" not in text
    # A row's finding and the run's warning about it differ by the source alone.
    ranking = json.loads((severe / "ranking.json").read_text(encoding="utf-8"))
    row_warnings = [{"rule": "r", "severity": "warning", "message": "This is a repeated warning.", "source": "S"}]
    ranking["rows"][0]["findings"] = row_warnings
    (severe / "ranking.json").write_text(json.dumps(ranking), encoding="utf-8")
    manifest["warnings"] = [f"{f['message']} ({f['source']})" for f in row_warnings]
    (severe / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    text = " ".join(text_of(export_protocol(severe, tmp_path / "again", rank=1).out / "protocol.pdf").split())
    assert text.count("a repeated warning") == 1


def test_survival_stands_with_its_interval(exported, run):
    rows = json.loads((run / "ranking.json").read_text(encoding="utf-8"))["rows"]
    row = next(row for row in rows if row["protocol_id"] == yours(run)["protocol_id"])
    text = " ".join(text_of(exported.out / "protocol.pdf").split())
    for years in (1, 2):
        share, (low, high) = row[f"survival_{years}y"], row[f"survival_{years}y_interval"]
        assert low < share < high
        assert f"{share:.0%} ({100 * low:.0f}-{100 * high:.0f})" in text
    assert "shaded: its 95 % interval" in text


def test_the_page_says_whom_its_figures_come_from(exported):
    text = " ".join(text_of(exported.out / "protocol.pdf").split())
    assert "demonstration model trained on simulated patients" in text and "hepatocellular carcinoma" in text
    # The phantom's facts are not stated, and the series' median patient is not this one.
    assert "clinical facts alone" not in text


def test_the_row_of_a_protocol_is_named_by_its_treatment():
    from mewm.rows import protocol_id

    one = Protocol((Action("lobaplatin", "drug", 30.0, "mg"), Action("lipiodol", "embolic", 10.0, "ml")))
    assert protocol_id(one) == protocol_id(Protocol(one.actions[::-1]))
    assert protocol_id(one) != protocol_id(Protocol(one.actions[:1]))
