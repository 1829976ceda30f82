"""Layouts for the review: pre-treatment | one to four simulated futures, with 3D, survival plot and table below."""

from __future__ import annotations

from typing import Any

from MeWMModuleLib.nodes import nodes_of_class

# Slice views by name; the first shows the present. Red, Yellow and Green exist in every Slicer.
PRE_VIEW = "Red"
FUTURE_VIEWS = ("Yellow", "Green", "MeWM3", "MeWM4")
MOST = len(FUTURE_VIEWS)
PLOT_VIEW, TABLE_VIEW, THREE_D_VIEW = "PlotView1", "TableView1", "1"

_FIRST_ID = 5130
_LABELS = {"Red": ("R", "#F34A33"), "Yellow": ("Y", "#EDD54C"), "Green": ("G", "#6EB04B")}
_OWN = {"MeWM3": ("3", "#56B4E9"), "MeWM4": ("4", "#CC79A7")}


def layout_id(count: int) -> int:
    """Return the identifier of the layout for ``count`` futures, 1 to 4."""
    return _FIRST_ID + count


def is_own(identifier: int) -> bool:
    """Return whether an identifier is that of one of these layouts."""
    return _FIRST_ID < identifier <= _FIRST_ID + MOST


def layout_node(scene: Any) -> Any:
    """Return the application's layout, ``None`` in an application without layouts."""
    nodes = nodes_of_class(scene, "vtkMRMLLayoutNode")
    return nodes[0] if nodes else None


def layout_description(count: int) -> str:
    """Return Slicer's XML of the layout for ``count`` futures: slices above, 3D, survival and table below."""
    views = [_slice(name) for name in (PRE_VIEW, *FUTURE_VIEWS[:count])]
    half = (len(views) + 1) // 2
    rows = [views] if len(views) <= 3 else [views[:half], views[half:]]
    below = [
        f'<view class="vtkMRMLViewNode" singletontag="{THREE_D_VIEW}">{_property("viewlabel", "1")}</view>',
        f'<view class="vtkMRMLPlotViewNode" singletontag="{PLOT_VIEW}">{_property("viewlabel", "P")}</view>',
        f'<view class="vtkMRMLTableViewNode" singletontag="{TABLE_VIEW}">{_property("viewlabel", "T")}</view>',
    ]
    items = [(row, 600 // len(rows)) for row in rows] + [(below, 300)]
    body = "".join(f'<item splitSize="{size}">{_row(parts)}</item>' for parts, size in items)
    return f'<layout type="vertical" split="true">{body}</layout>'


def register_layouts(scene: Any) -> Any:
    """Make all layouts known to the application; a saved scene names its layout by number only.

    Returns:
        The layout node, ``None`` in an application without layouts.
    """
    node = layout_node(scene)
    if node is None:
        return None
    for count in range(1, MOST + 1):
        if not node.IsLayoutDescription(layout_id(count)):
            node.AddLayoutDescription(layout_id(count), layout_description(count))
    return node


def show_layout(scene: Any, count: int, switch: bool = True) -> bool:
    """Switch the application to the layout for ``count`` futures, unless ``switch`` is off.

    Returns:
        Whether the scene belongs to an application with layouts; the slice views of one without are left alone.
    """
    node = register_layouts(scene)
    if node is None:
        return False
    # Also where the number is right already: a scene may have named it before the layout was known.
    if switch:
        node.SetViewArrangement(layout_id(count))
    return True


def _row(parts: list[str]) -> str:
    return '<layout type="horizontal" split="true">' + "".join(f"<item>{part}</item>" for part in parts) + "</layout>"


def _slice(name: str) -> str:
    label, colour = {**_LABELS, **_OWN}[name]
    shown = _property("orientation", "Axial") + _property("viewlabel", label) + _property("viewcolor", colour)
    return f'<view class="vtkMRMLSliceNode" singletontag="{name}">{shown}</view>'


def _property(name: str, value: str) -> str:
    return f'<property name="{name}" action="default">{value}</property>'
