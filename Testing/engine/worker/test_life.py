"""Cancellation, crash and end of the engine process."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from worker_process import OWN, SILENCE_S, WorkerProcess


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


def test_the_worker_leaves_no_child_behind(case, tmp_path):
    with WorkerProcess() as process:
        pid = process.process.pid
        process.result("describe")
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
