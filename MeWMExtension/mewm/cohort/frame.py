"""A cohort's tables as one pandas frame with typed columns. Needs pandas (extra ``training``)."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mewm.clinical import ClinicalFacts, read_facts
from mewm.cohort.dataset import COLUMNS, EXTRA_COLUMNS, PHASES, RESPONSES, SPLITS, read_cohort
from mewm.errors import InputError, ResourceError, how_to_install

if TYPE_CHECKING:
    import pandas as pd

CATEGORIES: Mapping[str, tuple[str, ...]] = {
    "split": SPLITS,
    "phase": PHASES,
    "mrecist": RESPONSES,
    "sex": ("male", "female"),
    "bclc": ("0", "A", "B", "C", "D"),
    "portal_vein_thrombosis": ("none", "branch", "main", "main_without_collaterals"),
    "arteriovenous_shunt": ("none", "mild", "severe"),
    "ascites": ("none", "mild", "refractory"),
    "child_pugh": ("A", "A5", "A6", "B", "B7", "B8", "B9", "C", *(f"C{n}" for n in range(10, 16))),
}
"""Allowed values of the columns that are categories, in order of severity where they have one."""
_UNORDERED = ("split", "phase", "sex", "child_pugh")
_FLAG = "event"


def read_frame(folder: str | Path, *, truth: bool = False) -> pd.DataFrame:
    """Read a cohort's table.

    Args:
        folder: the dataset (docs/cohort.md).
        truth: add the columns of ``truth.csv``, each with ``truth_`` before its name.

    Returns:
        One row a case, indexed by ``case_id``. Choices are categoricals (ordered where they have a severity), whole
        numbers ``Int64``, yes and no ``boolean``, numbers ``float64``, text ``string``; what is not stated is missing
        in every type.

    Raises:
        InputError: the folder holds no complete cohort, a value is not of its type, or ``truth`` is wanted of a
            cohort that has none.
        ResourceError: pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise ResourceError(f"A frame needs pandas, which is not installed; {how_to_install('training')}.") from error
    folder = Path(folder)
    cohort = read_cohort(folder)
    names = [n for n in (*COLUMNS, *EXTRA_COLUMNS) if n in cohort.rows[0].values]
    kinds = {**COLUMNS, **EXTRA_COLUMNS}
    columns = {name: [row.values[name] for row in cohort.rows] for name in names}
    frame = pd.DataFrame({name: _typed(pd, name, kinds[name], values) for name, values in columns.items()})
    frame = frame.set_index("case_id")
    return frame.join(_truth(pd, folder)) if truth else frame


def frame_facts(row: Mapping[str, Any]) -> ClinicalFacts:
    """Return the clinical facts of one row of a frame, such as ``frame.loc["case_00001"]``.

    Raises:
        InputError: a value is not allowed.
    """
    import pandas as pd

    stated = {name: row[name] for name in ClinicalFacts.__dataclass_fields__ if name in row}
    plain = {name: value.item() if hasattr(value, "item") else value for name, value in stated.items()}
    return read_facts({name: value for name, value in plain.items() if not pd.isna(value)})


def _typed(pd: Any, name: str, kind: type, values: list[Any]) -> pd.Series:
    if name in CATEGORIES:
        kinds = pd.CategoricalDtype(CATEGORIES[name], ordered=name not in _UNORDERED)
        return pd.Series(values, dtype=kinds)
    if kind is bool or name == _FLAG:
        return pd.Series(values, dtype="boolean")
    return pd.Series(values, dtype={float: "float64", int: "Int64", str: "string"}[kind])


def _truth(pd: Any, folder: Path) -> pd.DataFrame:
    path = folder / "truth.csv"
    if not path.is_file():
        raise InputError(f"The cohort {folder} has no truth.csv: its truth is not known. Read it without truth.")
    with path.open(newline="", encoding="utf-8") as stream:
        lines = list(csv.DictReader(stream))
    index = [line.pop("case_id") for line in lines]
    found = {}
    for name in lines[0]:
        cells = [line[name] or None for line in lines]
        known = {cell for cell in cells if cell is not None}
        base = name.removeprefix("true_")
        if base in CATEGORIES and base != name:
            found[f"truth_{name}"] = _typed(pd, base, str, cells)
        elif known and known <= {"true", "false"}:
            found[f"truth_{name}"] = pd.Series([None if c is None else c == "true" for c in cells], dtype="boolean")
        else:
            found[f"truth_{name}"] = _number_or_text(pd, cells)
    frame = pd.DataFrame(found)
    frame.index = pd.Index(index, name="case_id")
    return frame


def _number_or_text(pd: Any, cells: list[str | None]) -> pd.Series:
    try:
        return pd.Series([float("nan") if c is None else float(c) for c in cells], dtype="float64")
    except ValueError:
        return pd.Series(cells, dtype="string")
