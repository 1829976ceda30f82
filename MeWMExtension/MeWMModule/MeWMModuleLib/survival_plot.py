"""Predicted survival of the compared protocols as a plot of the scene."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import slicer
from vtkmodules.vtkCommonCore import vtkDoubleArray

from mewm.survival.outlook_words import outlook_words
from MeWMModuleLib.appearance import PROTOCOL_COLOURS
from MeWMModuleLib.nodes import ROLE_ATTRIBUTE, RUN_ATTRIBUTE, keep, nodes_of_class

_STROKES = (
    slicer.vtkMRMLPlotSeriesNode.LineStyleSolid,
    slicer.vtkMRMLPlotSeriesNode.LineStyleDash,
    slicer.vtkMRMLPlotSeriesNode.LineStyleDot,
    slicer.vtkMRMLPlotSeriesNode.LineStyleDashDot,
)
_DOTTED = _STROKES[2]
WEEKS = "weeks"
OUTLOOK = "clinical outlook"
"""Column of what the patient's clinical facts alone predict; it belongs to no protocol."""
_GREY = (0.45, 0.45, 0.45)
STEP_WEEKS = 4
ENDS = ("low", "high")
"""Ends of a curve's 95 % interval."""
OUTLOOK_ATTRIBUTE = "MeWM.Outlook"
OUTLOOK_WORDS_ATTRIBUTE = "MeWM.OutlookWords"


def add_survival_plot(scene: Any, case_name: str) -> tuple[Any, Any]:
    """Add the table of the curves and the chart that will show some of them; return both nodes."""
    table = scene.AddNewNodeByClass("vtkMRMLTableNode", f"{case_name} predicted survival (SIMULATED)")
    table.SetLocked(True)
    chart = scene.AddNewNodeByClass("vtkMRMLPlotChartNode", f"{case_name} predicted survival")
    chart.SetTitle("Predicted survival (demonstration model)")
    chart.SetXAxisTitle("Weeks after treatment")
    chart.SetYAxisTitle("Share alive")
    chart.SetYAxisRangeAuto(False)
    chart.SetYAxisRange(0.0, 1.0)
    chart.SetLegendVisibility(True)
    return table, chart


def put_curves(table: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    """Put the rows' ``survival_curve`` (share alive at 0, 4, 8, … weeks) into the table, a column a protocol.

    Beside it the ends of its 95 % interval (``survival_low``, ``survival_high``) where the row has them. Curves that
    are already there stay unless a row brings a newer one.
    """
    curves = {row["protocol_id"]: row["survival_curve"] for row in rows if row.get("survival_curve")}
    for row in rows:
        ends = {end: row.get(f"survival_{end}") for end in ENDS}
        curves |= {interval_column(row["protocol_id"], end): curve for end, curve in ends.items() if curve}
    _put_columns(table, curves)


def interval_column(protocol_id: str, end: str) -> str:
    """Return the column that holds one of :data:`ENDS` of a protocol's 95 % interval."""
    return f"{protocol_id} 95 % {end}"


def put_outlook(table: Any, outlook: Mapping[str, Any] | None) -> None:
    """Put what clinical facts alone predict (``outlook`` of the engine's result or of the manifest) into the table."""
    if outlook and outlook.get("survival_curve"):
        table.SetAttribute(OUTLOOK_ATTRIBUTE, f"{outlook['title']} (real series, no protocol)")
        table.SetAttribute(OUTLOOK_WORDS_ATTRIBUTE, outlook_words(outlook))
        _put_columns(table, {OUTLOOK: outlook["survival_curve"]})


def _put_columns(table: Any, curves: Mapping[str, Sequence[float]]) -> None:
    if not curves:
        return
    modified = table.StartModify()
    have = table.GetTable().GetColumnByName(WEEKS)
    length = max(map(len, curves.values()))
    if have is None or have.GetNumberOfTuples() < length:
        # What is there goes on at its last value, too.
        curves = {**_columns(table), **curves}
        table.RemoveAllColumns()
        _put(table, WEEKS, [STEP_WEEKS * index for index in range(length)])
    else:
        length = have.GetNumberOfTuples()
    for protocol_id, curve in curves.items():
        # A column holds a value in every row; a shorter curve goes on at its last value.
        _put(table, protocol_id, [*curve, *[curve[-1]] * (length - len(curve))])
    table.EndModify(modified)


def show_curves(chart: Any, table: Any, protocols: Sequence[tuple[str, str]]) -> None:
    """Show the curves of some protocols in the chart, in the colours of :data:`PROTOCOL_COLOURS`.

    The first one's 95 % interval is drawn with thin lines; those of all would cover each other.

    Args:
        chart: from :func:`add_survival_plot`.
        table: its table.
        protocols: identifier and legend of each, at most as many as there are colours.
    """
    scene, run = chart.GetScene(), chart.GetAttribute(RUN_ATTRIBUTE)
    chart.RemoveAllPlotSeriesNodeIDs()
    series = {
        node.GetAttribute("MeWM.Place"): node
        for node in nodes_of_class(scene, "vtkMRMLPlotSeriesNode")
        if node.GetAttribute(RUN_ATTRIBUTE) == run
    }
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    folder = hierarchy.GetItemParent(hierarchy.GetItemByDataNode(chart))
    # Curves that lie on each other are told apart by their strokes.
    shown = [
        (str(place), *named, PROTOCOL_COLOURS[place], _STROKES[place], 3)
        for place, named in enumerate(protocols[: len(PROTOCOL_COLOURS)])
    ]
    if shown:
        first, legend = protocols[0]
        for end in ENDS:
            words = f"{legend}: 95 % interval, {end}"
            shown.append((end, interval_column(first, end), words, PROTOCOL_COLOURS[0], _DOTTED, 1))
        words = table.GetAttribute(OUTLOOK_ATTRIBUTE) or OUTLOOK
        shown.append((OUTLOOK, OUTLOOK, words, _GREY, _DOTTED, 3))
    for place, column, legend, colour, stroke, width in shown:
        if table.GetTable().GetColumnByName(column) is None:
            continue
        node = series.get(place)
        if node is None:
            node = scene.AddNewNodeByClass("vtkMRMLPlotSeriesNode", f"predicted survival {place}")
            node.SetPlotType(slicer.vtkMRMLPlotSeriesNode.PlotTypeScatter)
            node.SetMarkerStyle(slicer.vtkMRMLPlotSeriesNode.MarkerStyleNone)
            node.SetLineWidth(width)
            node.SetColor(*colour)
            node.SetLineStyle(stroke)
            node.SetAttribute("MeWM.Place", place)
            keep(node, folder, run, "survival series")
        node.SetName(legend)
        node.SetAndObserveTableNodeID(table.GetID())
        node.SetXColumnName(WEEKS)
        node.SetYColumnName(column)
        chart.AddAndObservePlotSeriesNodeID(node.GetID())


def survival_table(chart: Any) -> Any:
    """Return the table that belongs to a chart."""
    run = chart.GetAttribute(RUN_ATTRIBUTE)
    tables = nodes_of_class(chart.GetScene(), "vtkMRMLTableNode")
    return next(
        n for n in tables if n.GetAttribute(RUN_ATTRIBUTE) == run and n.GetAttribute(ROLE_ATTRIBUTE) == "survival"
    )


def _columns(table: Any) -> dict[str, list[float]]:
    """Return the curves that a table holds."""
    columns = [table.GetTable().GetColumn(index) for index in range(table.GetTable().GetNumberOfColumns())]
    return {
        column.GetName(): [column.GetValue(row) for row in range(column.GetNumberOfTuples())]
        for column in columns
        if column.GetName() != WEEKS
    }


def _put(table: Any, name: str, values: Sequence[float]) -> None:
    array = vtkDoubleArray()
    array.SetName(name)
    for value in values:
        array.InsertNextValue(value)
    old = table.GetTable().GetColumnByName(name)
    if old is not None:
        old.DeepCopy(array)
        table.Modified()
    else:
        table.AddColumn(array)
