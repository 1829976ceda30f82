"""The engine process as its caller sees it: real processes, JSON lines, files."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import SimpleITK as sitk
from worker_process import SILENCE_S, WorkerProcess

from mewm.errors import ResourceError
from mewm.worker.job import described

QUICK = {"beams": 1, "drugs": 2, "embolics": 2, "replicas": 2}
OWN = "Epirubicin 40 mg; Lipiodol 8 ml"
TWO_PLATINUMS = "Lobaplatin 30 mg; Cisplatin 60 mg; Lipiodol 10 ml"


@pytest.fixture(scope="module")
def case(phantoms, tmp_path_factory):
    folder = tmp_path_factory.mktemp("case")
    images = dict(zip(("ct", "lesion", "liver"), phantoms.make_phantom(), strict=True))
    for name, image in images.items():
        sitk.WriteImage(image, str(folder / f"{name}.nrrd"))
    return {name: str(folder / f"{name}.nrrd") for name in images}


@pytest.fixture(scope="module")
def worker():
    with WorkerProcess() as process:
        assert process.event()["event"] == "ready"
        yield process


@pytest.fixture(scope="module")
def explored(worker, case, tmp_path_factory):
    """Events and result of one exploration with an own protocol that breaks a rule."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    own = [{"protocol": TWO_PLATINUMS, "override_rules": True}]
    request = worker.ask("explore", case=case, run=str(folder), settings=QUICK, own_protocols=own, keep=2)
    events = worker.until(request)
    assert events[-1]["event"] == "done", events[-1]
    return events, events[-1]["result"], folder


def read(path):
    return sitk.ReadImage(str(path))


def of_kind(events, kind):
    return [event for event in events if event["event"] == kind]


def test_describe_tells_versions_device_models_and_what_can_be_chosen(worker):
    told = worker.result("describe")
    assert told["versions"]["numpy"] == np.__version__
    assert told["device"]["kind"] == "cpu" and told["device"]["cores"] >= 1
    assert told["models"]["survival"]["sha256"]
    assert told["settings"]["replicas"] == {"default": 5, "low": 1, "high": 100}
    assert {"id": "lipiodol", "name": "Lipiodol", "kind": "embolic"} in told["agents"]


def test_rows_stream_before_the_answer_and_better_numbers_keep_their_name(explored):
    events, result, _ = explored
    rows = [event["row"] for event in of_kind(events, "scored")]
    final = {row["protocol_id"]: row for row in result["rows"]}
    assert set(final) <= {row["protocol_id"] for row in rows}
    assert all(row["rank"] is None for row in rows)
    last = {row["protocol_id"]: row for row in rows}
    for name, row in final.items():
        assert last[name]["replicas"] == row["replicas"]
        assert last[name]["survival_curve"] == row["survival_curve"]
    assert [row["rank"] for row in result["rows"]] == list(range(1, len(final) + 1))
    assert all(row["complete"] for row in result["rows"])
    risks = [row["risk"] for row in result["rows"]]
    assert risks == sorted(risks)


def test_progress_never_falls_and_names_its_stage(explored):
    progress = of_kind(explored[0], "progress")
    fractions = [event["fraction"] for event in progress]
    assert fractions == sorted(fractions) and fractions[0] >= 0 and fractions[-1] < 1
    assert all(event["stage"] for event in progress)
    assert any(event["left_s"] is not None for event in progress)
    assert progress[0]["stage"] == "Reading the case"


def test_the_first_volume_comes_before_the_first_row(explored):
    kinds = [event["event"] for event in explored[0] if event["event"] in ("simulated", "scored")]
    assert kinds[0] == "simulated"


def test_a_streamed_box_is_the_simulated_ct_where_it_lies_and_the_ct_elsewhere(explored, case):
    events, result, folder = explored
    ct = read(case["ct"])
    shown = {event["protocol_id"]: event for event in of_kind(events, "simulated")}
    kept = [row for row in result["rows"] if row["folder"]]
    assert {row["protocol_id"] for row in kept} <= set(shown)
    for row in kept:
        event = shown[row["protocol_id"]]
        whole = read(folder / row["folder"] / "simulated_ct.nrrd")
        box = read(event["files"]["ct"])
        index, size = event["box"]["index"], event["box"]["size"]
        np.testing.assert_allclose(box.GetOrigin(), ct.TransformIndexToPhysicalPoint(index), atol=1e-4)
        assert box.GetSize() == tuple(size) and box.GetPixelID() == ct.GetPixelID()
        assert sitk.Hash(sitk.Paste(ct, box, size, [0, 0, 0], index)) == sitk.Hash(whole)
        tissue = read(event["files"]["tissue"])
        part = sitk.RegionOfInterest(read(folder / row["folder"] / "tissue.nrrd"), size, index)
        assert sitk.Hash(tissue) == sitk.Hash(part)


def test_an_overridden_protocol_is_ranked_and_marked(explored):
    (row,) = [row for row in explored[1]["rows"] if row["origin"] == "yours"]
    assert row["protocol"] == TWO_PLATINUMS and row["overridden"] and row["folder"]
    assert "platinum" in row["violations"].lower()
    assert row["findings"][0]["severity"] == "excluded"


def test_the_run_folder_is_the_one_that_others_read(explored):
    from MeWMModuleLib.run_folder import read_run

    _, result, folder = explored
    run = read_run(folder)
    assert [row["protocol_id"] for row in run.ranking] == [row["protocol_id"] for row in result["rows"]]
    assert run.manifest["lesion"] == result["lesion"]


def test_a_protocol_added_later_is_what_it_would_have_been_in_the_first_place(worker, explored, case, tmp_path):
    _, before, _ = explored
    both = [{"protocol": TWO_PLATINUMS, "override_rules": True}, {"protocol": OWN}]
    settings = {"case": case, "settings": QUICK, "keep": 2}
    at_once = worker.result("explore", run=str(tmp_path / "both"), own_protocols=both, **settings)
    later = worker.result("explore", run=str(tmp_path / "later"), own_protocols=both[:1], **settings)
    assert [row["risk"] for row in later["rows"]] == [row["risk"] for row in before["rows"]]
    later = worker.result("simulate", protocol=OWN, add_to=str(tmp_path / "later"))
    assert [(row["rank"], row["protocol"], row["risk"]) for row in later["rows"]] == [
        (row["rank"], row["protocol"], row["risk"]) for row in at_once["rows"]
    ]
    (row,) = [row for row in later["rows"] if row["protocol_id"] == later["protocol_id"]]
    assert row["origin"] == "yours"
    assert (tmp_path / "later" / row["folder"] / "simulated_ct.nrrd").is_file()


def test_another_process_continues_a_run_on_disk(worker, explored, case, tmp_path):
    folder = tmp_path / "run"
    first = worker.result("explore", case=case, run=str(folder), settings=QUICK, keep=1)
    here = worker.result("simulate", protocol=OWN, case=case, run=str(tmp_path / "one"), settings={"replicas": 2})
    with WorkerProcess() as other:
        there = other.result("simulate", protocol=OWN, add_to=str(folder))
        without = next(row for row in there["rows"] if not row["folder"])
        filled = other.result("volumes", run=str(folder), protocol_id=without["protocol_id"])
    (added,) = [row for row in there["rows"] if row["protocol_id"] == here["protocol_id"]]
    assert added["risk"] == here["rows"][0]["risk"]
    assert len(there["rows"]) == len(first["rows"]) + 1
    (row,) = [row for row in filled["rows"] if row["protocol_id"] == without["protocol_id"]]
    assert row["risk"] == without["risk"] and row["origin"] == "search"
    assert (folder / row["folder"] / "simulated_ct.nrrd").is_file()
    numbers = json.loads((folder / row["folder"] / "protocol.json").read_text(encoding="utf-8"))
    assert numbers["risk"] == row["risk"] and numbers["replicas"] == row["replicas"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"models": {"dynamics": "diffusion", "assistant": "intensity", "survival": "cox"}}, "models"),
        ({"model_hashes": {"survival": "0" * 64}}, "models"),
        ({"versions": {"mewm": "0.0.1"}}, "0.0.1"),
    ],
)
def test_a_run_of_other_models_is_not_mixed_with_these(worker, explored, tmp_path, change, told):
    folder = tmp_path / "run"
    shutil.copytree(explored[2], folder)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    (folder / "manifest.json").write_text(json.dumps(manifest | change), encoding="utf-8")
    error = worker.error("simulate", protocol=OWN, add_to=str(folder))
    assert error["kind"] == "input" and told in error["message"] and "explore the case again" in error["message"]


def test_a_run_whose_protocols_another_policy_proposed_is_continued(worker, explored, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(explored[2], folder)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    manifest["models"]["policy"] = "a chat model"
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert worker.result("simulate", protocol=OWN, add_to=str(folder))["rows"]


def test_export_writes_the_chosen_protocol(worker, explored, tmp_path):
    *_, folder = explored
    told = worker.result("export", run=str(folder), rank=1, out=str(tmp_path / "best.zip"))
    assert told["out"] == str(tmp_path / "best.zip") and told["pdf"] in told["files"]
    assert (tmp_path / "best.zip").is_file()
    wrong = worker.error("export", run=str(folder), rank=99, out=str(tmp_path / "other"))
    assert wrong["kind"] == "input" and "99" in wrong["message"]
    picture = {"path": "relative.png", "caption": ""}
    error = worker.error("export", run=str(folder), rank=1, out=str(tmp_path / "other"), pictures=[picture])
    assert error["kind"] == "request" and "absolute" in error["message"]


def test_rules_stop_a_protocol_before_anything_is_simulated(worker, case, tmp_path):
    folder = tmp_path / "run"
    error = worker.error("simulate", case=case, run=str(folder), protocol=TWO_PLATINUMS)
    assert error["kind"] == "rules"
    assert "platinum" in error["message"].lower() and "override" in error["message"]
    assert [finding["severity"] for finding in error["findings"]] == ["excluded"]
    assert not folder.exists()


def test_cancel_answers_at_once_removes_the_run_and_the_next_request_works(worker, case, tmp_path):
    folder = tmp_path / "run"
    request = worker.ask("explore", case=case, run=str(folder))
    assert worker.until(request, "scored")[-1]["event"] == "scored"
    cancel = worker.ask("cancel", target=request)
    seen = []
    while len(seen) < 2:
        event = worker.event()
        if event["event"] in ("done", "error"):
            seen.append(event)
    told = {event["id"]: event for event in seen}
    assert told[cancel]["result"] == {"cancelled": [request]}
    assert told[request]["kind"] == "cancelled"
    again = worker.result("simulate", case=case, run=str(tmp_path / "next"), protocol=OWN, settings={"replicas": 1})
    assert again["rows"][0]["rank"] == 1
    assert not folder.exists()


def test_a_waiting_request_can_be_cancelled(worker, case, tmp_path):
    first = worker.ask("simulate", case=case, run=str(tmp_path / "a"), protocol=OWN, settings={"replicas": 2})
    second = worker.ask("simulate", case=case, run=str(tmp_path / "b"), protocol=OWN)
    worker.ask("cancel", target=second)
    answers = {}
    while {first, second} - set(answers):
        event = worker.event()
        if event["event"] in ("done", "error"):
            answers[event["id"]] = event
    assert answers[first]["event"] == "done"
    assert answers[second]["kind"] == "cancelled"
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"not json\n", "not JSON"),
        (b"\xff\xfe\n", "not JSON"),
        (b"[1, 2]\n", "no JSON object"),
        (b'{"method": "describe"}\n', "id"),
        (b'{"id": true, "method": "describe"}\n', "id"),
        (b"[" * 100_000 + b"\n", "not JSON"),
    ],
)
def test_a_malformed_line_is_answered_and_the_next_one_works(worker, line, told):
    worker.write(line)
    event = worker.event()
    assert event["id"] is None and event["event"] == "error" and event["kind"] == "request"
    assert told in event["message"]
    assert worker.result("describe")["versions"]


@pytest.mark.parametrize(
    ("method", "params", "kind", "told"),
    [
        ("fly", {}, "request", "'fly'"),
        ("explore", {}, "request", "'case'"),
        ("explore", [], "request", "object"),
        ("describe", {"depth": 2}, "request", "'depth'"),
        ("explore", {"case": {"ct": "ct.nrrd", "lesion": "/l.nrrd"}, "run": "/r"}, "request", "absolute"),
        ("explore", {"settings": {"beam": 3}}, "request", "'beam'"),
        ("explore", {"settings": {"beams": 0}}, "input", "beams"),
        ("explore", {"keep": "five"}, "request", "whole number"),
        ("explore", {"search": "random"}, "input", "'random'"),
        ("explore", {"device": "cuda:7"}, "input", "'cuda:7'"),
        ("explore", {"formulary": {"available": ["Aspirin"]}}, "input", "Aspirin"),
        ("explore", {"formulary": {}}, "request", "unavailable"),
        ("explore", {"case": {"ct": "/gone.nrrd", "lesion": "/l.nrrd"}, "run": "/tmp/never"}, "input", "/gone.nrrd"),
        ("explore", {"own_protocols": [{"protocol": "Aspirin 100 mg"}]}, "input", "Aspirin"),
        ("explore", {"name": "Doe, Jane"}, "input", "Doe, Jane"),
        ("simulate", {"protocol": OWN, "add_to": "/gone", "keep": 3}, "request", "'keep'"),
        ("simulate", {"protocol": OWN, "add_to": "/gone"}, "input", "/gone"),
        ("volumes", {"run": "/gone", "protocol_id": "x"}, "input", "/gone"),
        ("cancel", {"target": [1]}, "request", "'target'"),
        ("sample", {"folder": "/tmp/never", "seed": -1}, "input", "-1"),
    ],
)
def test_a_wrong_request_gets_one_sentence(worker, case, tmp_path, method, params, kind, told):
    if method == "explore" and isinstance(params, dict) and told != "'case'":
        params = {"case": case, "run": str(tmp_path / "run"), **params}
    worker.write(json.dumps({"id": "wrong", "method": method, "params": params}).encode() + b"\n")
    error = worker.until("wrong")[-1]
    assert error["event"] == "error" and error["kind"] == kind, error
    assert told in error["message"] and "\n" not in error["message"] and error["message"].endswith(".")
    assert not (tmp_path / "run").exists()


def test_a_folder_with_something_in_it_is_never_written_to(worker, case, tmp_path):
    (tmp_path / "letter.txt").write_text("dear", encoding="utf-8")
    error = worker.error("explore", case=case, run=str(tmp_path))
    assert error["kind"] == "input" and "not empty" in error["message"]
    assert (tmp_path / "letter.txt").read_text(encoding="utf-8") == "dear"


def test_the_sample_is_a_case_that_can_be_simulated(worker, tmp_path):
    told = worker.result("sample", folder=str(tmp_path / "sample"))
    assert "simulated" in told["notice"].lower() and told["name"].startswith("simulated")
    case = {key: told[key] for key in ("ct", "lesion", "liver", "facts")}
    settings = {"replicas": 1}
    run = str(tmp_path / "run")
    result = worker.result("simulate", case=case, run=run, name=told["name"], protocol=OWN, settings=settings)
    assert result["case_name"] == told["name"]


def test_a_killed_worker_leaves_a_run_that_says_it_is_incomplete(case, tmp_path):
    folder = tmp_path / "run"
    with WorkerProcess() as process:
        process.until(process.ask("explore", case=case, run=str(folder)), "scored")
        process.process.send_signal(signal.SIGKILL)
        assert process.process.wait(SILENCE_S) == -signal.SIGKILL
    assert json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["status"] == "incomplete"
    with WorkerProcess() as process:
        assert "incomplete" in process.error("simulate", protocol=OWN, add_to=str(folder))["message"]


@pytest.mark.parametrize("how", ["stdin", "SIGTERM", "shutdown"])
def test_the_process_ends_in_the_middle_of_a_run_and_leaves_nothing_behind(case, tmp_path, how):
    folder = tmp_path / "run"
    with WorkerProcess() as process:
        process.until(process.ask("explore", case=case, run=str(folder)), "scored")
        if how == "stdin":
            process.process.stdin.close()
        elif how == "SIGTERM":
            process.process.terminate()
        else:
            process.ask("shutdown")
        assert process.process.wait(SILENCE_S) == 0
        assert b"Traceback" not in process.process.stderr.read()
    assert not folder.exists()


def test_a_reader_that_goes_away_ends_the_process_quietly(case, tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "mewm.worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.readline()
    process.stdout.close()
    # stdin stays open: the broken pipe alone has to be enough.
    process.stdin.write(json.dumps({"id": 1, "method": "describe"}).encode() + b"\n")
    process.stdin.flush()
    assert process.wait(SILENCE_S) == 0
    assert process.stderr.read() == b""
    process.stdin.close()
    process.stderr.close()


def test_what_libraries_print_never_reaches_the_events(tmp_path):
    code = """
import os, sys
from mewm.worker import __main__, engine
def talkative(self, job):
    print("from Python")
    os.write(1, b"from C\\n")
    os.system("echo from a child")
    raise ValueError("detail for the log")
engine.Engine.run = talkative
__main__.main()
"""
    with WorkerProcess(code=code) as process:
        error = process.error("describe")
        process.process.stdin.close()
        process.process.wait(SILENCE_S)
        log = process.process.stderr.read().decode()
    assert error["kind"] == "internal" and "ValueError" in error["message"] and "detail for" not in error["message"]
    assert all(text in log for text in ("from Python", "from C", "from a child", "detail for the log"))


def test_a_job_that_does_not_notice_its_cancellation_is_answered_all_the_same(tmp_path):
    code = """
import time
from mewm.worker import __main__, engine
def deaf(self, job):
    time.sleep(3 if job.identifier == 1 else 0)
    job.send("progress", stage="too late")
    return {}
engine.Engine.run = deaf
__main__.main()
"""
    with WorkerProcess(code=code) as process:
        first = process.ask("describe")
        time.sleep(0.2)
        process.ask("cancel")
        answer = process.until(first)[-1]
        assert answer["kind"] == "cancelled"
        assert process.process.poll() is None
        second = process.ask("describe")
        seen = process.until(second)
        assert [event["event"] for event in seen] == ["progress", "done"]


def test_starting_and_listening_loads_nothing_heavy():
    heavy = ("numpy", "scipy", "SimpleITK", "torch", "pandas")
    code = f"import mewm.worker.__main__, sys; print([n for n in {heavy!r} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("failure", "kind", "told"),
    [
        (MemoryError(), "memory", "memory"),
        (ModuleNotFoundError("No module named 'fpdf.enums'", name="fpdf.enums"), "resource", "package fpdf;"),
        (OSError(28, "No space left on device", "/run/ct.nrrd"), "disk", "/run/ct.nrrd"),
        (ResourceError("The file x is missing; reinstall MeWM."), "resource", "reinstall"),
    ],
)
def test_failures_have_their_kind(failure, kind, told):
    error = described(failure)
    assert error["kind"] == kind and told in error["message"]


def test_the_worker_leaves_no_child_behind(case, tmp_path):
    with WorkerProcess() as process:
        pid = process.process.pid
        process.result("describe")
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
