"""The panel's owner of the engine process, on a real Qt event loop with real processes."""

import json
import logging
import os
import signal
import sys
import time
from pathlib import Path

import pytest
import SimpleITK as sitk

from mewm.errors import InputError, MewmError
from MeWMModuleLib.child_process import Launch
from MeWMModuleLib.engine import Engine
from MeWMModuleLib.engine_python import engine_launch, slicer_python

QtCore = pytest.importorskip("PySide6.QtCore", reason="PySide6 is not installed; `make setup` installs it")

OWN = "Epirubicin 40 mg; Lipiodol 8 ml"
SILENCE_S = 120


@pytest.fixture(scope="module")
def application():
    return QtCore.QCoreApplication.instance() or QtCore.QCoreApplication([])


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


class Panel:
    """An engine and what it told."""

    def __init__(self, application, launch):
        self.application = application
        self.engine = Engine(launch, QtCore.QProcess, QtCore.QTimer)
        self.events = []

    def ask(self, method, **params):
        return self.engine.request(method, params, self.events.append)

    def wait(self, condition):
        """Let Qt work until a condition holds; what these tests wait for never takes this long."""
        end = time.monotonic() + SILENCE_S
        while not condition():
            assert time.monotonic() < end, self.events[-3:]
            self.application.processEvents(QtCore.QEventLoop.ProcessEventsFlag.AllEvents, 50)
            time.sleep(0.002)

    def answer(self, identifier):
        def answers():
            return [e for e in self.events if e["id"] == identifier and e["event"] in ("done", "error")]

        self.wait(answers)
        assert len(answers()) == 1
        return answers()[0]

    def seen(self, kind):
        return any(event["event"] == kind for event in self.events)


@pytest.fixture
def panel(application):
    """A panel with the real engine; at the end no process of it is left."""
    made = Panel(application, lambda: engine_launch("", os.environ, os.environ))
    yield made
    pid = made.engine.pid
    made.engine.close()
    assert not made.engine.running
    if pid:
        assert not alive(pid)


@pytest.fixture
def scripted(application):
    """A panel whose engine is a few lines of Python."""
    panels = []

    def make(code, python=sys.executable):
        panels.append(Panel(application, lambda: Launch(python, ("-u", "-c", code), dict(os.environ))))
        return panels[-1]

    yield make
    for made in panels:
        made.engine.close()


@pytest.fixture(scope="module")
def case(phantoms, tmp_path_factory):
    folder = tmp_path_factory.mktemp("case")
    images = dict(zip(("ct", "lesion", "liver"), phantoms.make_phantom(), strict=True))
    for name, image in images.items():
        sitk.WriteImage(image, str(folder / f"{name}.nrrd"))
    return {name: str(folder / f"{name}.nrrd") for name in images}


def test_one_process_serves_two_requests_and_streams_what_it_finds(panel, case, tmp_path):
    described = panel.answer(panel.ask("describe"))
    pid = panel.engine.pid
    settings = {"replicas": 1}
    request = panel.ask("simulate", case=case, run=str(tmp_path / "run"), protocol=OWN, settings=settings)
    answer = panel.answer(request)
    assert described["result"]["versions"]["mewm"]
    assert answer["event"] == "done"
    assert [e["event"] for e in panel.events if e["id"] == request and e["event"] != "progress"] == [
        "simulated",
        "scored",
        "done",
    ]
    assert panel.engine.pid == pid


def test_cancel_in_the_middle_keeps_the_process_for_the_next_request(panel, case, tmp_path):
    request = panel.ask("explore", case=case, run=str(tmp_path / "run"))
    panel.wait(lambda: panel.seen("scored"))
    pid = panel.engine.pid
    panel.engine.cancel(request)
    panel.engine.cancel(request)
    assert panel.answer(request)["kind"] == "cancelled"
    assert panel.answer(panel.ask("describe"))["event"] == "done"
    assert panel.engine.pid == pid
    assert not (tmp_path / "run").exists()


def test_cancel_before_the_process_listens(panel, case, tmp_path):
    request = panel.ask("explore", case=case, run=str(tmp_path / "run"))
    panel.engine.cancel(request)
    assert panel.answer(request)["kind"] == "cancelled"
    assert not (tmp_path / "run").exists()


def test_a_killed_process_costs_the_running_request_only(panel, case, tmp_path):
    request = panel.ask("explore", case=case, run=str(tmp_path / "run"))
    panel.wait(lambda: panel.seen("scored"))
    first = panel.engine.pid
    os.kill(first, signal.SIGKILL)
    error = panel.answer(request)
    assert error["kind"] == "engine" and "try again" in error["message"]
    assert json.loads((tmp_path / "run" / "manifest.json").read_text(encoding="utf-8"))["status"] == "incomplete"
    assert not panel.engine.running
    assert panel.answer(panel.ask("describe"))["event"] == "done"
    assert panel.engine.pid not in (0, first)


def test_closing_in_the_middle_of_a_run_leaves_no_process_and_no_run(panel, case, tmp_path):
    panel.ask("explore", case=case, run=str(tmp_path / "run"))
    panel.wait(lambda: panel.seen("scored"))
    told = len(panel.events)
    pid = panel.engine.pid
    panel.engine.close()
    panel.application.processEvents()
    assert not alive(pid)
    assert len(panel.events) == told
    assert not (tmp_path / "run").exists()


def test_another_python_takes_over_with_the_next_request(panel):
    panel.answer(panel.ask("describe"))
    first = panel.engine.pid
    panel.engine.restart()
    assert not panel.engine.running
    assert panel.answer(panel.ask("describe"))["event"] == "done"
    assert panel.engine.pid != first


def test_a_process_that_will_not_be_cancelled_is_killed(scripted):
    deaf = scripted('import time, sys\nprint(\'{"id": null, "event": "ready"}\')\ntime.sleep(60)')
    request = deaf.ask("describe")
    other = deaf.ask("describe")
    deaf.wait(lambda: deaf.engine._ready)
    pid = deaf.engine.pid
    deaf.engine.cancel(request)
    assert deaf.answer(request)["kind"] == "cancelled"
    assert deaf.answer(other)["kind"] == "engine"
    deaf.wait(lambda: not alive(pid))
    assert not deaf.engine.running


def test_lines_come_whole_however_the_pipe_cuts_them(scripted):
    code = """
import sys, time
answer = b'{"id": 1, "event": "done", "result": {"text": "\\xc2\\xb5m"}}\\n'
sys.stdin.readline()
sys.stdout.buffer.write(b'{"id": 1, "event": "progress"}\\nnoise\\n{"id": 9, "event": "progress"}\\n[]\\n')
sys.stdout.buffer.write(answer[:50])
sys.stdout.flush()
time.sleep(0.2)
sys.stdout.buffer.write(answer[50:])
sys.stdout.flush()
sys.stdin.readline()
"""
    panel = scripted(code)
    assert panel.answer(panel.ask("describe"))["result"] == {"text": "µm"}
    assert [event["event"] for event in panel.events] == ["progress", "done"]


def test_a_python_without_the_packages_is_told_by_name(scripted):
    panel = scripted("import a_package_that_nobody_has")
    error = panel.answer(panel.ask("describe"))
    assert error["kind"] == "engine" and "a_package_that_nobody_has" in error["message"]


def test_a_python_that_cannot_be_started_is_told(scripted, tmp_path):
    broken = tmp_path / "python"
    broken.write_bytes(b"\x7fELF nothing")
    broken.chmod(0o755)
    panel = scripted("", python=str(broken))
    try:
        message = panel.answer(panel.ask("describe"))["message"]
    except MewmError as error:
        message = str(error)
    assert "could not be started" in message
    assert not panel.engine.running


def test_a_mistake_in_the_panel_does_not_cost_the_answer(scripted, caplog):
    panel = scripted(
        'input(); print(\'{"id": 1, "event": "progress"}\'); print(\'{"id": 1, "event": "done"}\'); input()'
    )

    def clumsy(event):
        panel.events.append(event)
        if event["event"] == "progress":
            raise ZeroDivisionError

    with caplog.at_level(logging.ERROR, logger="MeWM.engine"):
        panel.answer(panel.engine.request("describe", {}, clumsy))
    assert "ZeroDivisionError" in caplog.text


def test_the_environment_of_another_python_is_free_of_slicer(tmp_path):
    other = tmp_path / "bin" / "python3"
    other.parent.mkdir()
    other.write_text("#!/bin/sh\n", encoding="utf-8")
    other.chmod(0o755)
    slicer = {
        "PATH": "/slicer",
        "PYTHONHOME": "/slicer",
        "PYTHONPATH": "/slicer/py",
        "ITK_AUTOLOAD_PATH": "/slicer/itk",
    }
    before = {"PATH": "/usr/bin", "LD_LIBRARY_PATH": "/slicer/lib", "PYTHONPATH": "/home/py"}
    launch = engine_launch(str(tmp_path), slicer, before)
    engine_home = str(Path(sys.modules["mewm"].__file__).parents[1])
    assert launch.program == str(other)
    assert launch.environment == {"PATH": "/usr/bin", "PYTHONPATH": engine_home}
    own = engine_launch("", slicer, before)
    assert own.program == slicer_python()
    assert own.environment == {
        "PATH": "/slicer",
        "PYTHONHOME": "/slicer",
        "PYTHONPATH": os.pathsep.join([engine_home, "/slicer/py"]),
    }


@pytest.mark.parametrize("choice", ["nothing/python", "folder", "text.txt"])
def test_a_python_that_is_none_is_refused_in_one_sentence(tmp_path, choice):
    (tmp_path / "folder").mkdir()
    (tmp_path / "text.txt").write_text("no program", encoding="utf-8")
    with pytest.raises(InputError, match="choose") as told:
        engine_launch(str(tmp_path / choice), {}, {})
    assert str(tmp_path / choice) in str(told.value)
