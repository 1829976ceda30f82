"""What the command line shows: progress on standard error, tables on standard output."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

if TYPE_CHECKING:
    from mewm.api import Exploration
    from mewm.explore.result import ScoredProtocol

# A bar appears only on work that takes longer than this, so short commands stay quiet.
BAR_DELAY_S = 2.0

COLUMNS = ("rank", "risk", "±", "n", "1-y surv.", "median wk", "volume", "viable", "lipiodol", "mRECIST-like", "")


class Progress:
    """Shows the events of an exploration as one progress bar; use as a context manager."""

    def __init__(self, enabled: bool = True) -> None:
        self._bar = tqdm(
            total=None,
            unit="sim",
            file=sys.stderr,
            delay=BAR_DELAY_S,
            disable=not enabled,
            leave=False,
            dynamic_ncols=True,
        )

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.close()

    def __call__(self, event: object) -> None:
        """Receive one event of the search."""
        total, done = getattr(event, "total", None), getattr(event, "done", None)
        if total is not None:
            self._bar.total = max(total, done or 0)
        if done is not None:
            self._bar.update(done - self._bar.n)
        message = getattr(event, "message", "")
        if message:
            self.note(message)

    def note(self, message: str) -> None:
        """Say what is being done."""
        self._bar.set_description(message)


@contextmanager
def counted(label: str, total: int | None) -> Iterator[Callable[[int, int], None]]:
    """Show a bar for work that reports ``(done, total)``."""
    with tqdm(total=total, desc=label, file=sys.stderr, delay=BAR_DELAY_S, leave=False, dynamic_ncols=True) as bar:

        def update(done: int, of: int) -> None:
            bar.total = of
            bar.update(done - bar.n)

        yield update


def print_run(exploration: Exploration, folder: Path) -> None:
    """Print warnings, the ranked protocols, the simulations each search needs and where the run lies."""
    for warning in exploration.warnings:
        print(f"note: {warning}")
    print(f"\nLesion: {exploration.lesion_summary}")
    print(_row(COLUMNS) + " protocol")
    for rank, scored in enumerate(exploration.ranking, start=1):
        print(_protocol_row(rank, scored))
    if exploration.simulation_counts:
        counts = ", ".join(f"{name} {count}" for name, count in exploration.simulation_counts.items())
        print(f"\nSimulations: {counts}")
    print("Risk is the log hazard relative to the mean simulated case: lower is better. Demonstration weights")
    print("trained on simulated cases. Research use only; the simulated volumes are synthetic.")
    print(f"\nRun folder: {folder}")


def _protocol_row(rank: int, scored: ScoredProtocol) -> str:
    m = scored.measurements
    median = f"{scored.median_weeks:.0f}" if scored.median_weeks < 1e4 else "not reached"
    spread = f"{scored.risk_sd:.2f}" if scored.replicas > 1 else "-"
    cells = (
        str(rank),
        f"{scored.risk:.2f}",
        spread,
        str(scored.replicas),
        f"{scored.survival_1y:.0%}",
        median,
        f"{m['volume_change_percent']:+.0f}%",
        f"{m['viable_fraction']:.0%}",
        f"{m['lipiodol_coverage']:.0%}",
        scored.response,
        scored.origin if scored.origin != "search" else "",
    )
    return f"{_row(cells)} {scored.text}"


def _row(cells: tuple[str, ...]) -> str:
    widths = (4, 6, 5, 2, 9, 11, 7, 7, 8, 12, 5)
    return " ".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
