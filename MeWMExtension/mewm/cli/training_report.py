"""What a training tells: a line now and then, readable in a log file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from mewm.errors import Cancelled

if TYPE_CHECKING:
    from mewm.training.loop import Report


def completed(train: Callable[[], float], work: Path) -> bool:
    """Run a training and tell its best validation figure; a stop is told too.

    Args:
        train: trains to the end and returns the figure.
        work: the training's folder.

    Returns:
        Whether it came to its end.
    """
    try:
        best = train()
    except Cancelled as stopped:
        # What was learnt is kept, unlike in every other command.
        print_now(str(stopped))
        return False
    if is_first_process():
        print_now(f"best validation figure: {best:.4f}; checkpoints in {work}")
    return True


def training_line(report: Report) -> None:
    """Print step, pace, time left and figures."""
    figures = ", ".join(f"{name} {value:.4g}" for name, value in report.figures.items())
    pace = f"{report.seconds_a_step:.2f} s a step, {duration(report.seconds_left)} left"
    print_now(f"step {report.step} of {report.steps}, {pace}: {figures}")


def print_now(text: str) -> None:
    """Print a line at once, also into a file."""
    print(text, flush=True)


def duration(seconds: float) -> str:
    """Return a time in words: ``"1 h 33 min"``."""
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


def is_first_process() -> bool:
    """Return whether this is the only process or the one of ``torchrun`` that writes files."""
    return os.environ.get("RANK", "0") == "0"
