"""Processes that work on cases: Ctrl-C and errors end them, and nobody waits for a task that was never begun."""

import os
import signal
import time

import pytest

from mewm.pool import case_pool


def interrupted():
    """What a terminal does to every process of a command when the user presses Ctrl-C."""
    os.kill(os.getpid(), signal.SIGINT)
    return "still here"


def slow(number, folder):
    time.sleep(0.1)
    (folder / str(number)).touch()


def broken():
    raise ValueError("a case is broken")


def test_a_worker_leaves_ctrl_c_to_the_process_that_started_it():
    with case_pool(2) as pool:
        assert [pool.submit(interrupted).result(timeout=60) for _ in range(4)] == ["still here"] * 4


def test_what_has_not_begun_is_not_begun_after_an_error(tmp_path):
    with pytest.raises(ValueError, match="broken"), case_pool(1) as pool:
        first = pool.submit(broken)
        for number in range(50):
            pool.submit(slow, number, tmp_path)
        first.result()
    assert len(list(tmp_path.iterdir())) < 10
