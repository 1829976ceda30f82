"""The real clinical table beside the simulated one, where it is at hand."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mewm.cohort.hcc_tace_seg.clinical_table import read_clinical
from mewm.errors import InputError

VARIABLE = "MEWM_REAL_DATA"
"""Environment variable that names the folder of real data."""
TABLE = Path("hcc_tace_seg") / "clinical.csv"


@dataclass(frozen=True, eq=False)
class RealTable:
    """Outcome of the real patients whose survival is stated.

    Attributes:
        weeks: overall survival or time to censoring ``(n,)``.
        died: whether it is survival ``(n,)``.
        age: years of those that state it.
        response: mRECIST by the first reader of those that state it.
    """

    weeks: np.ndarray
    died: np.ndarray
    age: np.ndarray
    response: tuple[str, ...]


def find_real(folder: str | Path | None) -> Path | None:
    """Return the folder of real data: the one given, else the one of the environment, else ``None``.

    Raises:
        InputError: the folder given does not hold the clinical table.
    """
    chosen = folder or os.environ.get(VARIABLE)
    if not chosen:
        return None
    path = Path(chosen)
    if not (path / TABLE).is_file():
        raise InputError(f"The folder of real data {path} does not hold {TABLE}; give another or leave --real out.")
    return path


def read_real(folder: Path) -> RealTable:
    """Read the clinical table of the collection; no row of it is written anywhere.

    Raises:
        InputError: the table cannot be read.
    """
    rows = read_clinical(folder / TABLE).values()
    known = [(row.os_weeks, row.event) for row in rows if row.os_weeks is not None and row.event is not None]
    return RealTable(
        weeks=np.array([weeks for weeks, _ in known], dtype=float),
        died=np.array([died for _, died in known], dtype=bool),
        age=np.array([row.facts.age for row in rows if row.facts.age is not None], dtype=float),
        response=tuple(row.mrecist for row in rows if row.mrecist is not None),
    )
