"""The self-tests that run inside Slicer, here on the stand-in and with the real engine process."""

import os
import signal
import time

import mewm_self_test
import numpy as np
import pytest
import slicer.util as slicer_util


class _Case:
    """The assertions of ``unittest`` as the module's test class has them."""

    def __new__(cls):
        import unittest

        return unittest.TestCase()


@pytest.mark.parametrize("test", mewm_self_test.TESTS, ids=lambda test: test.__name__)
def test_in_slicer(real_desk, test):
    test(_Case())
    assert not real_desk.panel.controller.busy


def test_the_window_answers_while_a_search_runs(real_desk):
    """What the panel promises is measured and printed (``pytest -s``), not asserted: machines are noisy."""
    from heartbeat import Heartbeat

    panel, ui, case = real_desk.panel, real_desk.ui, _Case()
    mewm_self_test._load_sample(case, panel)
    heart, start = Heartbeat(), time.perf_counter()
    ui.exploreButton.click()
    real_desk.wait(lambda: panel.review.run is not None and panel.review.run.rows(), 120, "the first row")
    first_row = time.perf_counter() - start
    real_desk.wait(lambda: not panel.controller.busy, 300, "the search")
    gaps = heart.take()
    print(f"first row after {first_row:.2f} s; window blocked for {gaps[0][0]:.0f} ms at the longest")
    print(f"of which the panel's own work at most {max(own for _wall, own in gaps):.0f} ms")
    kept = [row["protocol_id"] for row in panel.review.run.rows() if panel.review.run.future(row["protocol_id"])]
    times = []
    for key in kept[1:] + kept[:1]:
        begun = time.perf_counter()
        panel.review.select([key])
        real_desk.application.processEvents()
        times.append(1000 * (time.perf_counter() - begun))
        assert [future.protocol_id for future in panel.review.shown] == [key]
    print(f"row selected to views updated: {max(times):.0f} ms at the longest of {len(times)}")
    assert len(times) > 1
    cancels = []
    for _ in range(3):
        real_desk.wait(lambda: ui.exploreButton.enabled, 60, "the Explore button")
        ui.exploreButton.click()
        real_desk.wait(lambda: panel.controller.run is not None and panel.controller.run.rows(), 120, "the first row")
        begun = time.perf_counter()
        ui.exploreButton.click()
        real_desk.wait(lambda: not panel.controller.busy, 10, "the cancellation")
        cancels.append(time.perf_counter() - begun)
    print("cancelled after", ", ".join(f"{seconds:.2f} s" for seconds in cancels))


def test_a_kept_row_whose_volumes_were_dropped_gets_the_same_ones_again(real_desk, monkeypatch):
    panel, case = real_desk.panel, _Case()
    mewm_self_test._load_sample(case, panel)
    mewm_self_test._explore(case, panel)
    run = panel.review.run
    kept = next(row["protocol_id"] for row in run.rows() if row["folder"] and run.future(row["protocol_id"]))
    before = slicer_util.arrayFromVolume(run.future(kept).simulated).copy()
    asked, request = [], panel._engine.request

    def listen(method, params, on_event):
        asked.append(method)
        return request(method, params, on_event)

    monkeypatch.setattr(panel._engine, "request", listen)
    run.drop_future(kept)
    real_desk.settle()
    panel.review.select([kept])
    real_desk.wait(lambda: not panel.controller.busy and panel.review.shown, 120, "the volumes")
    real_desk.settle()
    assert asked == ["volumes"] and panel.review.shown[0].protocol_id == kept
    np.testing.assert_array_equal(slicer_util.arrayFromVolume(run.future(kept).simulated), before)


def test_a_killed_engine_costs_only_the_running_search(real_desk, caplog):
    panel, ui = real_desk.panel, real_desk.ui
    mewm_self_test._load_sample(_Case(), panel)
    before = real_desk.node_ids()
    ui.exploreButton.click()
    real_desk.wait(lambda: panel.review.run is not None and panel.review.run.rows(), 120, "the first row")
    os.kill(real_desk.engine.pid, signal.SIGKILL)
    real_desk.wait(lambda: not panel.controller.busy, 5, "the end")
    left = {i for i in real_desk.node_ids() - before if "View" not in i and "Composite" not in i}
    assert left == set()
    assert ui.statusLabel.text.startswith("The engine stopped unexpectedly")
    assert ui.exploreButton.text == "Explore" and ui.exploreButton.enabled
    mewm_self_test._explore(_Case(), panel)
    assert panel.review.run.complete
    assert "Traceback" not in caplog.text and not [r for r in caplog.records if r.levelname == "ERROR"]


def test_closing_the_module_leaves_no_process(real_desk):
    panel = real_desk.panel
    mewm_self_test._load_sample(_Case(), panel)
    real_desk.ui.exploreButton.click()
    real_desk.wait(lambda: panel.review.run is not None, 120, "the run to begin")
    pid = real_desk.engine.pid
    os.kill(pid, 0)
    real_desk.widget.cleanup()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_reloading_the_module_in_the_middle_leaves_no_process_and_a_module_that_works(real_desk, caplog):
    panel = real_desk.panel
    mewm_self_test._load_sample(_Case(), panel)
    before = real_desk.node_ids()
    real_desk.ui.exploreButton.click()
    real_desk.wait(lambda: panel.review.run is not None and panel.review.run.rows(), 120, "the first row")
    pid = real_desk.engine.pid
    real_desk.widget.cleanup()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    left = {i for i in real_desk.node_ids() - before if "View" not in i and "Composite" not in i}
    assert left == set()
    # What Slicer does next: the widget is set up anew on the same scene.
    real_desk.widget.setup()
    assert real_desk.panel is not panel and real_desk.panel.parameters.ct is not None
    mewm_self_test._explore(_Case(), real_desk.panel)
    assert real_desk.panel.review.run.complete
    assert not [r for r in caplog.records if r.levelname == "ERROR"]


@pytest.mark.parametrize("which", ["ct", "tumour"])
def test_an_input_deleted_in_the_middle_stops_the_run_and_the_next_one_works(real_desk, which, caplog):
    panel = real_desk.panel
    mewm_self_test._load_sample(_Case(), panel)
    real_desk.ui.exploreButton.click()
    real_desk.wait(lambda: panel.review.run is not None and panel.review.run.rows(), 120, "the first row")
    real_desk.scene.RemoveNode(getattr(panel.parameters, which))
    real_desk.settle()
    assert not panel.controller.busy and panel.review.run is None
    assert "was deleted, so the run was stopped" in panel.ui.statusLabel.text
    mewm_self_test._load_sample(_Case(), panel)
    mewm_self_test._explore(_Case(), panel)
    assert panel.review.run.complete
    assert not [r for r in caplog.records if r.levelname == "ERROR"]


@pytest.mark.parametrize("moment", [0, 1, 5, 20, 80, 200])
def test_cancel_at_any_moment(real_desk, moment, caplog):
    panel = real_desk.panel
    mewm_self_test._load_sample(_Case(), panel)
    before = real_desk.node_ids()
    real_desk.ui.exploreButton.click()
    for _ in range(moment):
        real_desk.application.processEvents()
        time.sleep(0.005)
    if panel.controller.busy:
        real_desk.ui.exploreButton.click()
    real_desk.wait(lambda: not panel.controller.busy, 10, "the cancellation")
    real_desk.settle()
    left = {i for i in real_desk.node_ids() - before if "View" not in i and "Composite" not in i}
    assert left == set()
    assert not panel.controller.input_folders.leaving
    assert not [r for r in caplog.records if r.levelname == "ERROR"]
