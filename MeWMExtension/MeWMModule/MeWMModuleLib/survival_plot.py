"""Predicted survival of the compared protocols as a plot of the scene."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import slicer
from vtkmodules.vtkCommonCore import vtkDoubleArray

from MeWMModuleLib.appearance import PROTOCOL_COLOURS
from MeWMModuleLib.nodes import ROLE_ATTRIBUTE, RUN_ATTRIBUTE, keep, nodes_of_class

_STROKES = (
    slicer.vtkMRMLPlotSeriesNode.LineStyleSolid,
    slicer.vtkMRMLPlotSeriesNode.LineStyleDash,
    slicer.vtkMRMLPlotSeriesNode.LineStyleDot,
    slicer.vtkMRMLPlotSeriesNode.LineStyleDashDot,
)
WEEKS = "weeks"
STEP_WEEKS = 4


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

    Curves that are already there stay unless a row brings a newer one.
    """
    curves = {row["protocol_id"]: row["survival_curve"] for row in rows if row.get("survival_curve")}
    if not curves:
        return
    modified = table.StartModify()
    length = max(map(len, curves.values()))
    have = table.GetTable().GetColumnByName(WEEKS)
    if have is None or have.GetNumberOfTuples() != length:
        table.RemoveAllColumns()
        _put(table, WEEKS, [STEP_WEEKS * index for index in range(length)])
    for protocol_id, curve in curves.items():
        # A column holds a value in every row; a shorter curve goes on at its last value.
        _put(table, protocol_id, [*curve, *[curve[-1]] * (length - len(curve))])
    table.EndModify(modified)


def show_curves(chart: Any, table: Any, protocols: Sequence[tuple[str, str]]) -> None:
    """Show the curves of some protocols in the chart, in the colours of :data:`PROTOCOL_COLOURS`.

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
    for place, (protocol_id, legend) in enumerate(protocols[: len(PROTOCOL_COLOURS)]):
        if table.GetTable().GetColumnByName(protocol_id) is None:
            continue
        node = series.get(str(place))
        if node is None:
            node = scene.AddNewNodeByClass("vtkMRMLPlotSeriesNode", f"predicted survival {place + 1}")
            node.SetPlotType(slicer.vtkMRMLPlotSeriesNode.PlotTypeScatter)
            node.SetMarkerStyle(slicer.vtkMRMLPlotSeriesNode.MarkerStyleNone)
            node.SetLineWidth(3)
            node.SetColor(*PROTOCOL_COLOURS[place])
            # Curves that lie on each other are told apart by their strokes.
            node.SetLineStyle(_STROKES[place])
            node.SetAttribute("MeWM.Place", str(place))
            keep(node, folder, run, "survival series")
        node.SetName(legend)
        node.SetAndObserveTableNodeID(table.GetID())
        node.SetXColumnName(WEEKS)
        node.SetYColumnName(protocol_id)
        chart.AddAndObservePlotSeriesNodeID(node.GetID())


def survival_table(chart: Any) -> Any:
    """Return the table that belongs to a chart."""
    run = chart.GetAttribute(RUN_ATTRIBUTE)
    tables = nodes_of_class(chart.GetScene(), "vtkMRMLTableNode")
    return next(
        n for n in tables if n.GetAttribute(RUN_ATTRIBUTE) == run and n.GetAttribute(ROLE_ATTRIBUTE) == "survival"
    )


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
