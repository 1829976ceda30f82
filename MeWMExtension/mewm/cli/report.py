"""What the command line shows: progress on standard error, tables on standard output."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mewm.survival.outlook_words import outlook_words

if TYPE_CHECKING:
    from mewm.exploration import Exploration

# A bar appears only on work that takes longer than this, so short commands stay quiet.
BAR_DELAY_S = 2.0

COLUMNS = (
    "rank",
    "risk",
    "±",
    "n",
    "1-y surv.",
    "2-y surv.",
    "median wk",
    "volume",
    "viable",
    "lipiodol",
    "mRECIST-like",
    "",
)


class Progress:
    """Shows the events of an exploration as one progress bar; use as a context manager."""

    def __init__(self, enabled: bool = True) -> None:
        from tqdm import tqdm

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
        self._bar.set_description(message, refresh=False)


@contextmanager
def counted(label: str, total: int | None) -> Iterator[Callable[[int, int], None]]:
    """Show a bar for work that reports ``(done, total)``."""
    from tqdm import tqdm

    with tqdm(total=total, desc=label, file=sys.stderr, delay=BAR_DELAY_S, leave=False, dynamic_ncols=True) as bar:

        def update(done: int, of: int) -> None:
            bar.total = of
            bar.update(done - bar.n)

        yield update


def print_run(exploration: Exploration, folder: Path) -> None:
    """Print warnings, the ranked protocols, the simulations each search needs and where the run lies."""
    for warning in exploration.warnings:
        print(f"note: {warning}")
    print("\n" + _row(COLUMNS) + "  protocol")
    for row in exploration.rows():
        print(_protocol_row(row))
    if exploration.search is not None and exploration.models.policy.name != "guideline":
        print(f"\nCandidates: {exploration.models.policy.name}. The rules decide what is used.")
    if exploration.search is not None:
        counts = exploration.simulations
        print(f"\nSimulations: the search ran {counts['search']}, all together {counts['run']}; ", end="")
        print(f"Algorithm 1 of the paper needs {counts['algorithm1']}", end="")
        print(f", the exhaustive search {counts['exhaustive']}." if counts["exhaustive"] else ".")
    best = exploration.rows()[0]
    if best["risk_parts"]:
        print(f"Risk of the first row is made of: {best['risk_parts']}.")
    print("Risk is a log hazard relative to the mean simulated case: lower is better. The survival model has")
    print("demonstration weights trained on simulated cases. Research use only; simulated volumes are synthetic.")
    if exploration.outlook is None:
        print("\nNo clinical fact that predicts survival is stated, so there is no outlook from clinical facts alone.")
    else:
        print(f"\n{outlook_words(exploration.outlook)}")
    print(f"\nRun folder: {folder}")


def _protocol_row(row: dict[str, Any]) -> str:
    cells = (
        str(row["rank"]),
        f"{row['risk']:.2f}",
        "-" if row["risk_sd"] is None else f"{row['risk_sd']:.2f}",
        str(row["replicas"]),
        f"{row['survival_1y']:.0%}",
        "-" if row["survival_2y"] is None else f"{row['survival_2y']:.0%}",
        "-" if row["median_weeks"] is None else f"{row['median_weeks']:.0f}",
        f"{row['volume_change_percent']:+.0f}%",
        f"{row['viable_fraction']:.0%}",
        f"{row['lipiodol_coverage']:.0%}",
        row["response"],
        "yours" if row["origin"] == "yours" else "",
    )
    broken = "  (breaks rules)" if row["violations"] else ""
    return f"{_row(cells)}  {row['protocol']}{broken}"


def _row(cells: tuple[str, ...]) -> str:
    widths = (4, 6, 5, 2, 9, 9, 9, 7, 7, 8, 12, 5)
    return " ".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
