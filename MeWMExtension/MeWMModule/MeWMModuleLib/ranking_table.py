"""The ranking of a run as a table of the scene, each column in its own type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import slicer
from vtkmodules.vtkCommonCore import vtkDoubleArray, vtkIntArray, vtkStringArray

from mewm.errors import InputError

if TYPE_CHECKING:
    from slicer import vtkMRMLScene, vtkMRMLTableNode

# Column of ranking.csv, title for the reader, type, meaning.
COLUMNS: tuple[tuple[str, str, type, str], ...] = (
    ("rank", "Rank", int, "1 is the lowest predicted risk"),
    ("protocol", "Protocol", str, "Agents in the order given"),
    ("risk", "Risk", float, "Mean log partial hazard over the simulated replicas; lower is better"),
    ("risk_sd", "Risk spread", float, "Standard deviation of the risk over the simulated replicas"),
    ("replicas", "Replicas", int, "Number of simulated futures"),
    ("survival_1y", "1-year survival", float, "Predicted probability to live one year"),
    ("median_weeks", "Median survival (weeks)", float, "Predicted median overall survival"),
    ("volume_change_percent", "Volume change (%)", float, "Change of the lesion's volume"),
    ("viable_fraction", "Viable fraction", float, "Share of the lesion that is still viable tumour"),
    ("lipiodol_coverage", "Lipiodol coverage", float, "Share of the lesion that holds Lipiodol"),
    ("response", "Response", str, "mRECIST-like category of the simulated volume, not of a follow-up scan"),
    ("origin", "Origin", str, "Found by the search or entered by the user"),
    ("violations", "Rule violations", str, "Clinical rules that this protocol breaks"),
    ("folder", "Folder", str, "Folder of the kept volumes; empty where none were kept"),
)
_ARRAYS: dict[type, Any] = {int: vtkIntArray, float: vtkDoubleArray, str: vtkStringArray}


def add_ranking_table(scene: vtkMRMLScene, name: str, rows: Sequence[dict[str, str]]) -> vtkMRMLTableNode:
    """Add a table node with one row per scored protocol.

    An empty number becomes NaN; columns that a newer run adds are kept as text.

    Raises:
        InputError: a column is missing or a number cannot be read.
    """
    given = tuple(rows[0]) if rows else tuple(column for column, *_ in COLUMNS)
    missing = [column for column, *_ in COLUMNS if column not in given]
    if missing:
        raise InputError(f"ranking.csv lacks the column {missing[0]!r}; run the case again.")
    known = {column for column, *_ in COLUMNS}
    extra = tuple((column, column, str, "") for column in given if column not in known)

    node = slicer.vtkMRMLTableNode()
    node.SetName(name)
    for column, title, kind, meaning in COLUMNS + extra:
        array = _ARRAYS[kind]()
        array.SetName(column)
        for row in rows:
            array.InsertNextValue(_value(row[column], kind, column))
        node.AddColumn(array)
        node.SetColumnTitle(column, title)
        node.SetColumnDescription(column, meaning)
    node.SetUseColumnTitleAsColumnHeader(True)
    node.SetLocked(True)
    return scene.AddNode(node)


def _value(text: str, kind: type, column: str) -> int | float | str:
    if kind is str:
        return text or ""
    try:
        return kind(text) if text else float("nan") if kind is float else 0
    except ValueError:
        raise InputError(
            f"ranking.csv holds {text!r} in the column {column!r}, not a number; run the case again."
        ) from None
