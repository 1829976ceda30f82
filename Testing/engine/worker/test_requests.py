"""What the engine process answers to requests, right and wrong."""

import json
import subprocess
import sys

import numpy as np
import pytest
from worker_process import OWN, TWO_PLATINUMS

from mewm.errors import ResourceError
from mewm.worker.job import described


def test_describe_tells_versions_device_models_and_what_can_be_chosen(worker):
    told = worker.result("describe")
    assert told["versions"]["numpy"] == np.__version__
    assert told["device"]["kind"] == "cpu" and told["device"]["cores"] >= 1
    assert told["models"]["survival"]["sha256"]
    assert told["settings"]["replicas"] == {"default": 5, "low": 1, "high": 100}
    assert {"id": "lipiodol", "name": "Lipiodol", "kind": "embolic"} in told["agents"]


def test_rules_stop_a_protocol_before_anything_is_simulated(worker, case, tmp_path):
    folder = tmp_path / "run"
    error = worker.error("simulate", case=case, run=str(folder), protocol=TWO_PLATINUMS)
    assert error["kind"] == "rules"
    assert "platinum" in error["message"].lower() and "override" in error["message"]
    assert [finding["severity"] for finding in error["findings"]] == ["excluded"]
    assert not folder.exists()


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


def test_an_id_may_be_used_again_as_soon_as_its_answer_is_read(worker):
    for _ in range(200):
        worker.write(b'{"id": "again", "method": "describe"}\n')
        assert worker.until("again")[-1]["event"] == "done"


def test_a_folder_with_something_in_it_is_never_written_to(worker, case, tmp_path):
    (tmp_path / "letter.txt").write_text("dear", encoding="utf-8")
    error = worker.error("explore", case=case, run=str(tmp_path))
    assert error["kind"] == "input" and "not empty" in error["message"]
    assert (tmp_path / "letter.txt").read_text(encoding="utf-8") == "dear"


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


def test_the_names_that_can_be_chosen_are_those_of_the_models_and_load_nothing():
    code = (
        "import mewm.assistant.choose as a, mewm.dynamics.choose as d, mewm.survival.choose as s, sys\n"
        "names = a.DEFAULT, d.DEFAULT, s.DEFAULT, a.assistant_names(), d.dynamics_names(), s.survival_names()\n"
        "assert not {'numpy', 'scipy', 'SimpleITK', 'torch'} & sys.modules.keys(), 'the panel opens with these names'\n"
        "assert names[:3] == (names[3][0], names[4][0], names[5][0])\n"
        "assert names[:3] == (a.choose_assistant().name, d.choose_dynamics().name, s.choose_survival().name)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
