"""What the views show of a run: the present beside one to four simulated futures on the same slice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import slicer
from vtkmodules.vtkCommonMath import vtkMatrix4x4

from mewm.actions.base import load_action_base
from mewm.actions.text import parse_protocol
from MeWMModuleLib import appearance
from MeWMModuleLib.layouts import FUTURE_VIEWS, MOST, PLOT_VIEW, PRE_VIEW, TABLE_VIEW, show_layout
from MeWMModuleLib.live_run import Future, LiveRun
from MeWMModuleLib.nodes import nodes_of_class
from MeWMModuleLib.survival_plot import show_curves, survival_table

CONTEXT_MM = 140.0
VIABLE, NECROSIS, OIL = (appearance.TISSUES[label][0] for label in (2, 3, 4))


@dataclass(frozen=True)
class Look:
    """How futures are drawn.

    Attributes:
        fade: opacity of the simulated CT over the pre-treatment CT, 0 to 1.
        difference: lay the change in HU over it.
        outlines: tissues whose outlines are drawn.
    """

    fade: float = 1.0
    difference: bool = False
    outlines: frozenset[str] = field(default_factory=lambda: frozenset({VIABLE, NECROSIS, OIL}))


def show(
    run: LiveRun,
    protocol_ids: Sequence[str],
    look: Look,
    *,
    centre: bool = False,
    before: int = 0,
    arrange: bool = True,
) -> list[Future]:
    """Show futures beside the pre-treatment CT in the layout for their number.

    Args:
        run: the run.
        protocol_ids: protocols to show, at most four; one without volumes is left out.
        look: how.
        centre: move all slices to the middle of the lesion.
        before: how many futures were shown before; views after these take plane, place and zoom of the first.
        arrange: switch to the layout also where as many were shown before; the user may have chosen another since.

    Returns:
        The futures that are shown.
    """
    scene = run.scene
    futures = [future for future in map(run.future, protocol_ids) if future is not None][:MOST]
    if not futures or run.ct is None:
        return []
    in_layout = show_layout(scene, len(futures), switch=arrange or len(futures) != before)
    _prepare(run, PRE_VIEW, None, look, centre)
    for place, (name, future) in enumerate(zip(FUTURE_VIEWS, futures, strict=False)):
        _prepare(run, name, future, look, centre)
        if not centre and place >= before:
            _follow_first(run, name)
    _outlines(run, futures, look)
    show_plot_and_table(run, [future.protocol_id for future in futures] if in_layout else [])
    return futures


def clear(run: LiveRun) -> None:
    """Take the run's futures out of the views: what is selected has no volumes, and no picture may stand for it."""
    simulated = {future.simulated.GetID() for future in run.futures()}
    for name in FUTURE_VIEWS:
        composite = composite_node(run.scene, name)
        if composite is not None and composite.GetForegroundVolumeID() in simulated:
            _layers(composite, run, None, Look())
    _outlines(run, [], Look())


def draw(run: LiveRun, futures: Sequence[Future], look: Look) -> None:
    """Redraw what is shown with another look, e.g. while the fade slider moves."""
    for name, future in zip(FUTURE_VIEWS, futures, strict=False):
        composite = composite_node(run.scene, name)
        if composite is not None:
            _layers(composite, run, future, look)
    _outlines(run, futures, look)


def set_window(run: LiveRun, futures: Sequence[Future], window: float, level: float) -> None:
    """Show the pre-treatment CT and its futures in one CT window; voxels stay as they are."""
    for node in (run.ct, *(future.simulated for future in futures)):
        display = node.GetDisplayNode() if node is not None else None
        if display is not None:
            display.AutoWindowLevelOff()
            display.SetWindowLevel(window, level)


def same_window(run: LiveRun, futures: Sequence[Future]) -> None:
    """Give the futures the window that the pre-treatment CT has."""
    display = run.ct.GetDisplayNode() if run.ct is not None else None
    if display is None:
        return
    for future in futures:
        other = future.simulated.GetDisplayNode()
        if (other.GetWindow(), other.GetLevel()) != (display.GetWindow(), display.GetLevel()):
            other.AutoWindowLevelOff()
            other.SetWindowLevel(display.GetWindow(), display.GetLevel())


def show_plot_and_table(run: LiveRun, protocol_ids: Sequence[str]) -> None:
    """Put the survival of some protocols into the plot view and the ranking into the table view."""
    if run.chart is not None and protocol_ids:
        rows = {row["protocol_id"]: row for row in run.rows()}
        legends = [(key, _legend(rows[key])) for key in protocol_ids if key in rows]
        show_curves(run.chart, survival_table(run.chart), legends)
    for kind, name, node in (
        ("vtkMRMLPlotViewNode", PLOT_VIEW, run.chart),
        ("vtkMRMLTableViewNode", TABLE_VIEW, run.table),
    ):
        view = run.scene.GetSingletonNode(name, kind)
        if view is None or node is None:
            continue
        if kind == "vtkMRMLPlotViewNode":
            view.SetPlotChartNodeID(node.GetID())
        else:
            view.SetTableNodeID(node.GetID())


def slice_node(scene: Any, name: str) -> Any:
    """Return the slice view node called ``name``, or ``None``."""
    return scene.GetSingletonNode(name, "vtkMRMLSliceNode")


def composite_node(scene: Any, name: str) -> Any:
    """Return the composite node of the slice view called ``name``, or ``None``."""
    return scene.GetSingletonNode(name, "vtkMRMLSliceCompositeNode")


def _prepare(run: LiveRun, name: str, future: Future | None, look: Look, centre: bool) -> None:
    node, composite = slice_node(run.scene, name), composite_node(run.scene, name)
    if node is None or composite is None:
        return
    composite.SetLinkedControl(True)
    composite.SetHotLinkedControl(True)
    _layers(composite, run, future, look)
    if centre:
        node.SetOrientation("Axial")
        # Slicer keeps the height when the layout gives a view its size, which is later: only then do all views show
        # the same scale.
        width, height, _ = (slice_node(run.scene, PRE_VIEW) or node).GetDimensions()
        _set_height(node, max(CONTEXT_MM, 1.6 * run.diameter_mm) * max(1.0, height / max(width, 1)))
        node.SetXYZOrigin(0.0, 0.0, 0.0)
        node.JumpSliceByCentering(*_on_voxel(run))


def _follow_first(run: LiveRun, name: str) -> None:
    """Give a view plane, place and zoom of the pre-treatment view, whatever it showed before."""
    first, node = slice_node(run.scene, PRE_VIEW), slice_node(run.scene, name)
    if first is None or node is None:
        return
    node.GetSliceToRAS().DeepCopy(first.GetSliceToRAS())
    node.SetXYZOrigin(*first.GetXYZOrigin())
    node.UpdateMatrices()
    _set_height(node, first.GetFieldOfView()[1])


def _set_height(node: Any, height_mm: float) -> None:
    """Zoom a slice view so that it is ``height_mm`` high; the rows of a layout are equally high."""
    width, height, _ = node.GetDimensions()
    node.SetFieldOfView(height_mm * width / max(height, 1), height_mm, node.GetFieldOfView()[2])


def _layers(composite: Any, run: LiveRun, future: Future | None, look: Look) -> None:
    """Background the present, over it the future, over that the difference."""
    wanted = [run.ct, None, None]
    if future is not None:
        wanted[1:] = [future.simulated, future.difference if look.difference else None]
    modified = composite.StartModify()
    composite.SetBackgroundVolumeID(wanted[0].GetID())
    if hasattr(composite, "SetNthLayerVolumeID"):
        composite.SetForegroundVolumeID(wanted[1].GetID() if wanted[1] else None)
        composite.SetForegroundOpacity(look.fade)
        composite.SetNthLayerVolumeID(_OVERLAY, wanted[2].GetID() if wanted[2] else None)
        composite.SetNthLayerOpacity(_OVERLAY, look.fade)
    else:
        # Slicer before its slice views took a third layer: the difference stands in for the simulated CT.
        shown = wanted[2] or wanted[1]
        composite.SetForegroundVolumeID(shown.GetID() if shown else None)
        composite.SetForegroundOpacity(look.fade)
    composite.SetLabelVolumeID(None)
    composite.EndModify(modified)


# Background, foreground and label come first.
_OVERLAY = slicer.vtkMRMLSliceCompositeNode.Layer_Last if hasattr(slicer.vtkMRMLSliceCompositeNode, "Layer_Last") else 3


def _outlines(run: LiveRun, futures: Sequence[Future], look: Look) -> None:
    if run.lesion is not None:
        _show_in(run, run.lesion, [PRE_VIEW], three_d=False, names=None)
    shown = {future.protocol_id: name for name, future in zip(FUTURE_VIEWS, futures, strict=False)}
    for future in run.futures():
        name = shown.get(future.protocol_id)
        if name is None:
            if future.tissue.GetDisplayNode().GetVisibility():
                future.tissue.GetDisplayNode().SetVisibility(False)
            continue
        first = future.protocol_id == futures[0].protocol_id
        _show_in(run, future.tissue, [name], three_d=first, names=look.outlines)


def _show_in(run: LiveRun, segmentation: Any, views: list[str], three_d: bool, names: frozenset[str] | None) -> None:
    display = segmentation.GetDisplayNode()
    modified = display.StartModify()
    display.RemoveAllViewNodeIDs()
    for name in views:
        node = slice_node(run.scene, name)
        if node is not None:
            display.AddViewNodeID(node.GetID())
    if three_d:
        for view in nodes_of_class(run.scene, "vtkMRMLViewNode"):
            display.AddViewNodeID(view.GetID())
    if names is not None:
        segments = segmentation.GetSegmentation()
        for identifier in segments.GetSegmentIDs():
            display.SetSegmentVisibility(identifier, segments.GetSegment(identifier).GetName() in names)
    display.SetVisibility(True)
    display.EndModify(modified)


def _on_voxel(run: LiveRun) -> tuple[float, float, float]:
    """Return the middle of the lesion moved to the nearest voxel, so that no slice is interpolated."""
    to_ijk, to_ras = vtkMatrix4x4(), vtkMatrix4x4()
    run.ct.GetRASToIJKMatrix(to_ijk)
    run.ct.GetIJKToRASMatrix(to_ras)
    ijk = [float(round(value)) for value in to_ijk.MultiplyPoint((*run.centre_ras, 1.0))[:3]]
    r, a, s = to_ras.MultiplyPoint((*ijk, 1.0))[:3]
    return r, a, s


def _legend(row: dict[str, Any]) -> str:
    """Return rank and drugs: a legend with doses and embolic agents would cover the curves."""
    actions = parse_protocol(str(row["protocol"])).protocol.actions
    drugs = [action for action in actions if action.kind in ("drug", "bead")] or actions
    names = " + ".join(load_action_base().display_name(action.agent) for action in drugs)
    return f"{row['rank']}. {names}" if row["rank"] else names
