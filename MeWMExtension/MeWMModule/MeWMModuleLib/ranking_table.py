"""The ranking of a run as a table of the scene, each column in its own type."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
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
    ("viable_fraction", "Viable fraction", float, "Viable tumour over the lesion's volume after treatment"),
    (
        "lipiodol_coverage",
        "Lipiodol coverage",
        float,
        "Lipiodol over the lesion's volume before treatment, at most 1",
    ),
    ("response", "Response", str, "mRECIST-like category of the simulated volume, not of a follow-up scan"),
    ("origin", "Origin", str, "Found by the search or entered by the user"),
    ("violations", "Rule violations", str, "Clinical rules that this protocol breaks"),
    ("folder", "Folder", str, "Folder of the kept volumes; empty where none were kept"),
    ("protocol_id", "Identifier", str, "Names the treatment whatever the order of its agents"),
)
# Columns that not every run has.
OPTIONAL: tuple[tuple[str, str, type, str], ...] = (
    ("survival_2y", "2-year survival", float, "Predicted probability to live two years"),
    ("risk_parts", "What the risk is made of", str, "Shares of the log hazard, and how they were found"),
    ("policy", "Proposed by", str, "What proposed the protocol"),
    ("complete", "Whole protocol", str, "False for a step on the way"),
    ("overridden", "Rules overridden", str, "Whether rules forbid the protocol that the user entered"),
)
_KINDS = {column: kind for column, _title, kind, _meaning in (*COLUMNS, *OPTIONAL)}
_ARRAYS: dict[type, Any] = {int: vtkIntArray, float: vtkDoubleArray, str: vtkStringArray}


def add_ranking_table(scene: vtkMRMLScene, name: str, rows: Sequence[Mapping[str, Any]] = ()) -> vtkMRMLTableNode:
    """Add a table node with one row per scored protocol.

    Args:
        scene: scene to add to.
        name: name of the node.
        rows: column name to text (``ranking.csv``) or to value (the engine process).

    Raises:
        InputError: a column is missing or a number cannot be read.
    """
    node = slicer.vtkMRMLTableNode()
    node.SetName(name)
    node.SetUseColumnTitleAsColumnHeader(True)
    node.SetLocked(True)
    set_ranking_rows(node, rows)
    return scene.AddNode(node)


def set_ranking_rows(node: vtkMRMLTableNode, rows: Sequence[Mapping[str, Any]]) -> None:
    """Replace all rows of a ranking table.

    An empty number becomes NaN; further columns are kept as text where their values are plain. A row without an
    identifier takes its protocol's text for one.

    Raises:
        InputError: a column is missing or a number cannot be read.
    """
    rows = [{"protocol_id": row.get("protocol"), **row} for row in rows]
    given = tuple(rows[0]) if rows else tuple(column for column, *_ in COLUMNS)
    missing = [column for column, *_ in COLUMNS if column not in given]
    if missing:
        raise InputError(f"ranking.csv lacks the column {missing[0]!r}; run the case again.")
    known = {column for column, *_ in (*COLUMNS, *OPTIONAL)}
    plain = [column for column in given if column not in known and not isinstance(rows[0][column], (list, dict))]
    optional = tuple(column for column in OPTIONAL if column[0] in given)
    columns = COLUMNS + optional + tuple((column, column, str, "") for column in plain)
    values = {
        column: [_value(row.get(column), kind, column) for row in rows] for column, _title, kind, _meaning in columns
    }
    modified = node.StartModify()
    node.RemoveAllColumns()
    for column, title, kind, meaning in columns:
        array = _ARRAYS[kind]()
        array.SetName(column)
        for value in values[column]:
            array.InsertNextValue(value)
        node.AddColumn(array)
        node.SetColumnTitle(column, title)
        node.SetColumnDescription(column, meaning)
    node.EndModify(modified)


def ranking_rows(node: vtkMRMLTableNode) -> list[dict[str, Any]]:
    """Return the rows of a ranking table as Python values; a number that is not known is ``None``."""
    table = node.GetTable()
    columns = [table.GetColumn(index) for index in range(table.GetNumberOfColumns())]
    return [
        {column.GetName(): _plain(column.GetValue(index), _KINDS.get(column.GetName(), str)) for column in columns}
        for index in range(table.GetNumberOfRows())
    ]


def _plain(value: Any, kind: type) -> Any:
    return None if kind is float and math.isnan(value) else value


def _value(value: Any, kind: type, column: str) -> int | float | str:
    if kind is str:
        return "" if value is None else str(value)
    try:
        if value is None or value == "":
            return float("nan") if kind is float else 0
        # Four digits are more than a simulation knows, and what a reader of the table can take in.
        return kind(value) if kind is int else float(f"{float(value):.4g}")
    except ValueError:
        raise InputError(
            f"ranking.csv holds {value!r} in the column {column!r}, not a number; run the case again."
        ) from None
