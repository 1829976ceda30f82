"""The command line as a user meets it: whole commands, files on disk, one sentence for every mistake."""

import csv
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from mewm.cli import main

QUICK = ["--replicas", "1", "--beams", "2", "--drugs", "3", "--embolics", "2"]
PROTOCOL = "Lobaplatin 30 mg; Lipiodol 10 ml; Gelatin Sponge 350 µm"


@pytest.fixture(scope="module")
def files(phantom_case, tmp_path_factory) -> dict[str, Path]:
    """A synthetic case on disk."""
    folder = tmp_path_factory.mktemp("case")
    images = {"ct": phantom_case.ct, "lesion": phantom_case.lesion, "liver": phantom_case.liver}
    for name, image in images.items():
        sitk.WriteImage(image, str(folder / f"{name}.nrrd"))
    return {name: folder / f"{name}.nrrd" for name in images}


@pytest.fixture()
def case_arguments(files) -> list[str]:
    return ["--ct", str(files["ct"]), "--lesion", str(files["lesion"]), "--liver", str(files["liver"])]


@pytest.fixture(scope="module")
def run_folder(files, tmp_path_factory) -> Path:
    """One finished exploration."""
    folder = tmp_path_factory.mktemp("runs") / "one"
    case = ["--ct", str(files["ct"]), "--lesion", str(files["lesion"]), "--liver", str(files["liver"])]
    assert main(["explore", *case, *QUICK, "--keep", "2", "--protocol", PROTOCOL, "--out", str(folder)]) == 0
    return folder


def test_run_is_complete_and_names_its_volumes(run_folder):
    manifest = json.loads((run_folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["status"] == "complete"
    assert manifest["schema"] == "mewm-run/1"
    assert "SYNTHETIC" in manifest["synthetic_notice"]
    with (run_folder / "ranking.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    risks = [float(row["risk"]) for row in rows]
    assert risks == sorted(risks)
    assert [int(row["rank"]) for row in rows] == list(range(1, len(rows) + 1))
    kept = [row["folder"] for row in rows if row["folder"]]
    assert kept == [protocol["folder"] for protocol in manifest["protocols"]]
    assert all(row["folder"] for row in rows[:2])
    assert [row["protocol"] for row in rows if row["origin"] == "yours"] == [PROTOCOL]
    tree = json.loads((run_folder / "search.json").read_text(encoding="utf-8"))
    assert tree["method"] == "fast"
    assert tree["steps"]


def test_simulated_volumes_lie_on_the_input_grid_and_differ_from_it_only_near_the_lesion(run_folder, files):
    ct = sitk.ReadImage(str(files["ct"]))
    before = sitk.GetArrayFromImage(ct)
    distance = sitk.GetArrayFromImage(
        sitk.SignedMaurerDistanceMap(
            sitk.ReadImage(str(files["lesion"])), insideIsPositive=False, squaredDistance=False, useImageSpacing=True
        )
    )
    folders = sorted((run_folder / "protocols").iterdir())
    for folder in folders:
        post = sitk.ReadImage(str(folder / "simulated_ct.nrrd"))
        assert post.GetSize() == ct.GetSize()
        assert post.GetPixelID() == ct.GetPixelID()
        np.testing.assert_array_equal(post.GetSpacing(), ct.GetSpacing())
        np.testing.assert_array_equal(post.GetOrigin(), ct.GetOrigin())
        np.testing.assert_array_equal(post.GetDirection(), ct.GetDirection())
        after = sitk.GetArrayFromImage(post)
        assert (after != before).any()
        assert distance[after != before].max() < 20
        tissue = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "tissue.nrrd")))
        assert set(np.unique(tissue)) <= {0, 1, 2, 3, 4}
    assert len(folders) >= 2


def test_same_seed_gives_the_same_ranking_and_volumes(run_folder, case_arguments, tmp_path):
    again = tmp_path / "again"
    assert main(["explore", *case_arguments, *QUICK, "--keep", "2", "--protocol", PROTOCOL, "--out", str(again)]) == 0
    assert (again / "ranking.csv").read_bytes() == (run_folder / "ranking.csv").read_bytes()
    for path in sorted(run_folder.glob("protocols/*/*.nrrd")):
        np.testing.assert_array_equal(
            sitk.GetArrayFromImage(sitk.ReadImage(str(path))),
            sitk.GetArrayFromImage(sitk.ReadImage(str(again / path.relative_to(run_folder)))),
        )


def test_nothing_in_a_run_names_its_input(tmp_path, files):
    secret = tmp_path / "DOE_JANE_19500101"
    secret.mkdir()
    ct = sitk.ReadImage(str(files["ct"]))
    ct.SetMetaData("0010|0010", "DOE^JANE")
    sitk.WriteImage(ct, str(secret / "DOE_JANE.nrrd"))
    arguments = ["--ct", str(secret / "DOE_JANE.nrrd"), "--lesion", str(files["lesion"])]
    out = tmp_path / "run"
    assert main(["simulate", *arguments, "--protocol", PROTOCOL, "--replicas", "1", "--out", str(out)]) == 0
    for path in out.rglob("*"):
        assert "DOE" not in path.name
        if path.is_file():
            assert b"DOE" not in path.read_bytes()


def test_input_files_are_untouched(files, case_arguments, tmp_path):
    before = {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in files.values()}
    command = ["simulate", *case_arguments, "--protocol", PROTOCOL, "--replicas", "1", "--out", str(tmp_path / "run")]
    assert main(command) == 0
    assert before == {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in files.values()}


def test_json_is_one_document_on_standard_output(case_arguments, tmp_path, capsys):
    command = ["simulate", *case_arguments, "--protocol", PROTOCOL, "--replicas", "2", "--json"]
    assert main([*command, "--out", str(tmp_path / "run")]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["ranking"][0]["protocol"] == PROTOCOL
    assert told["ranking"][0]["replicas"] == 2
    assert Path(told["run"]).is_dir()


def test_doctor_tells_what_is_installed(capsys):
    assert main(["doctor", "--json"]) == 0
    checks = {check["name"]: check for check in json.loads(capsys.readouterr().out)}
    assert checks["SimpleITK"]["ok"]
    assert checks["survival model"]["ok"]
    assert all(check["ok"] or check["fix"] for check in checks.values())


def test_doctor_does_not_count_the_pdf_among_what_a_case_needs(capsys, monkeypatch):
    import mewm.doctor

    version = mewm.doctor.metadata.version

    def without_fpdf(name):
        if name == "fpdf2":
            raise mewm.doctor.metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(mewm.doctor.metadata, "version", without_fpdf)
    assert main(["doctor", "--json"]) == 0
    (check,) = [check for check in json.loads(capsys.readouterr().out) if check["name"] == "fpdf2"]
    assert not check["ok"] and not check["required"]
    assert "PDF" in check["found"] and check["fix"] == "pip install fpdf2"


MISTAKES = {
    "no case": (["explore"], "--ct"),
    "missing ct": (["explore", "--ct", "nowhere.nrrd", "--lesion", "{lesion}"], "nowhere.nrrd"),
    "sample and ct": (["explore", "--sample", "--ct", "{ct}"], "--sample"),
    "unknown agent in the formulary": (["explore", "{case}", "--available", "Lipiodol, Lobaplatni"], "Lobaplatin"),
    "no agent in the formulary": (["explore", "{case}", "--available", ""], "formulary is empty"),
    "no admissible protocol": (["explore", "{case}", "--available", "Lipiodol"], "no complete protocol"),
    "zero beams": (["explore", "{case}", "--beams", "0"], "beams"),
    "unknown drug": (["simulate", "{case}", "--protocol", "Adasone 30 mg; Lipiodol 10 ml"], "Adasone"),
    "empty protocol": (["simulate", "{case}", "--protocol", " "], "protocol"),
    "impossible dose": (["simulate", "{case}", "--protocol", "Lobaplatin 30000 mg; Lipiodol 10 ml"], "30000"),
    "conflicting agents": (
        ["simulate", "{case}", "--protocol", "Lobaplatin 30 mg; Cisplatin 60 mg; Lipiodol 10 ml"],
        "--override-rules",
    ),
    "patient's name": (["simulate", "{case}", "--protocol", PROTOCOL, "--name", "Jane Doe 1950"], "Jane Doe"),
    "not a run": (["scene", "{folder}"], "manifest.json"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_gets_one_sentence_and_leaves_nothing_behind(mistake, files, case_arguments, tmp_path, capsys):
    template, expected = MISTAKES[mistake]
    command = []
    for part in template:
        words = {"{lesion}": str(files["lesion"]), "{ct}": str(files["ct"]), "{folder}": str(tmp_path)}
        command += case_arguments if part == "{case}" else [words.get(part, part)]
    out = tmp_path / "run"
    if command[0] in ("explore", "simulate"):
        command += ["--out", str(out)]
    assert main(command) == 2
    told = capsys.readouterr()
    assert told.out == ""
    # On a busy machine a progress bar came and was wiped out before the sentence.
    sentence = told.err.rsplit("\r", 1)[-1]
    assert sentence.startswith("mewm: ")
    assert expected in sentence
    assert len(sentence.strip().splitlines()) == 1
    assert "Traceback" not in told.err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_no_run_is_never_replaced(case_arguments, tmp_path, capsys):
    precious = tmp_path / "thesis"
    precious.mkdir()
    (precious / "chapter.txt").write_text("years of work", encoding="utf-8")
    command = ["simulate", *case_arguments, "--protocol", PROTOCOL, "--overwrite", "--out", str(precious)]
    assert main(command) == 2
    assert "not a run" in capsys.readouterr().err
    assert (precious / "chapter.txt").read_text(encoding="utf-8") == "years of work"


def test_a_run_is_replaced_only_when_asked(run_folder, case_arguments, capsys):
    before = (run_folder / "manifest.json").read_bytes()
    assert main(["simulate", *case_arguments, "--protocol", PROTOCOL, "--out", str(run_folder)]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert (run_folder / "manifest.json").read_bytes() == before


def test_overridden_rules_are_marked(case_arguments, tmp_path):
    out = tmp_path / "run"
    command = ["simulate", *case_arguments, "--replicas", "1", "--out", str(out), "--override-rules"]
    assert main([*command, "--protocol", "Lobaplatin 30 mg; Cisplatin 60 mg; Lipiodol 10 ml"]) == 0
    with (out / "ranking.csv").open(newline="", encoding="utf-8") as stream:
        (row,) = csv.DictReader(stream)
    assert "platinum" in row["violations"].lower()


def test_a_full_disk_leaves_no_half_written_run(case_arguments, tmp_path, capsys, monkeypatch):
    def full(*_args, **_kwargs):
        raise RuntimeError("ITK: no space left")

    monkeypatch.setattr(sitk, "WriteImage", full)
    command = ["simulate", *case_arguments, "--protocol", PROTOCOL, "--replicas", "1", "--out", str(tmp_path / "run")]
    assert main(command) == 2
    assert "disk is full" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_too_little_memory_gets_a_sentence(case_arguments, tmp_path, capsys, monkeypatch):
    from mewm.dynamics.mechanistic import MechanisticDynamics

    def exhausted(*_args, **_kwargs):
        raise MemoryError

    monkeypatch.setattr(MechanisticDynamics, "simulate", exhausted)
    command = ["simulate", *case_arguments, "--protocol", PROTOCOL, "--out", str(tmp_path / "run")]
    assert main(command) == 2
    assert "memory" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (RuntimeError("itkImportImageContainer.hxx:179:\nFailed to allocate memory for image."), "not enough memory"),
        (ImportError("libx.so: failed to map segment from shared object"), "library cannot be loaded (libx.so"),
        (
            ModuleNotFoundError("No module named 'fpdf'", name="fpdf"),
            "package fpdf is not installed; mewm doctor names",
        ),
    ],
)
def test_what_python_and_libraries_say_when_something_lacks_gets_a_sentence(
    case_arguments, tmp_path, capsys, monkeypatch, failure, words
):
    from mewm.dynamics.mechanistic import MechanisticDynamics

    def exhausted(*_args, **_kwargs):
        raise failure

    monkeypatch.setattr(MechanisticDynamics, "simulate", exhausted)
    command = ["simulate", *case_arguments, "--protocol", PROTOCOL, "--out", str(tmp_path / "run")]
    assert main(command) == 2
    told = capsys.readouterr().err
    assert words in told
    assert len(told.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_told_before_any_work(case_arguments, files, capsys, monkeypatch):
    from mewm.dynamics.mechanistic import MechanisticDynamics

    monkeypatch.setattr(MechanisticDynamics, "simulate", lambda *_: pytest.fail("worked"))
    command = ["simulate", *case_arguments, "--protocol", PROTOCOL, "--out", str(files["ct"] / "run")]
    assert main(command) == 2
    assert f"{files['ct']} is not a folder" in capsys.readouterr().err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_that_cannot_be_printed_is_told():
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "mewm", "doctor", "--json"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "mewm: No space left on device; free some space or name another place.\n"


@pytest.mark.parametrize("mistake", [["--keep", "-1"], ["--beams", "two"], ["--spacing", "1,1"], ["--nonsense"]])
def test_a_mistyped_option_gets_one_sentence(mistake, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["explore", "--sample", *mistake])
    assert stop.value.code == 2
    told = capsys.readouterr().err
    assert told.startswith("mewm: ") and mistake[-1] in told and "--help" in told
    assert len(told.strip().splitlines()) == 1


def test_a_killed_run_says_that_it_is_incomplete(files, tmp_path):
    code = f"""
import os, sys
from mewm import run
from mewm.cli import main
run.write_ranking = lambda *a: os._exit(9)
main(["simulate", "--ct", {str(files["ct"])!r}, "--lesion", {str(files["lesion"])!r},
      "--protocol", {PROTOCOL!r}, "--replicas", "1", "--out", "run"])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 9
    (left,) = tmp_path.iterdir()
    assert left.name == "run.partial"
    assert json.loads((left / "manifest.json").read_text(encoding="utf-8"))["status"] == "incomplete"
    assert main(["scene", str(left)]) == 2


def test_a_closed_pipe_is_not_an_error(case_arguments, tmp_path):
    command = [sys.executable, "-m", "mewm", "doctor"]
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert done.returncode == 141
    assert done.stderr == ""


@pytest.mark.parametrize(
    "command",
    [
        "explore",
        "simulate",
        "scene",
        "export",
        "doctor",
        "cohort simulate",
        "cohort import-hcc-tace-seg",
        "train cox",
        "evaluate",
    ],
)
def test_help_shows_an_example(command, capsys):
    with pytest.raises(SystemExit) as stop:
        main([*command.split(), "--help"])
    assert stop.value.code == 0
    told = capsys.readouterr().out
    assert "example" in told
    assert f"mewm {command}" in told
