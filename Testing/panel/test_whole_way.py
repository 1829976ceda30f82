"""The self-tests that run inside Slicer, here on the stand-in and with the real engine process."""

import os
import signal

import mewm_self_test
import pytest


class _Case:
    """The assertions of ``unittest`` as the module's test class has them."""

    def __new__(cls):
        import unittest

        return unittest.TestCase()


@pytest.mark.parametrize("test", mewm_self_test.TESTS, ids=lambda test: test.__name__)
def test_in_slicer(real_desk, test):
    test(_Case())
    assert not real_desk.panel.controller.busy


def test_a_killed_engine_costs_only_the_running_search(real_desk, caplog):
    panel, ui = real_desk.panel, real_desk.ui
    mewm_self_test._load_sample(_Case(), panel)
    before = real_desk.node_ids()
    ui.exploreButton.click()
    real_desk.wait(lambda: panel.review.run is not None and panel.review.run.rows(), 120, "the first row")
    os.kill(real_desk.engine.pid, signal.SIGKILL)
    real_desk.wait(lambda: not panel.controller.busy, 5, "the end")
    assert real_desk.node_ids() == before
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
