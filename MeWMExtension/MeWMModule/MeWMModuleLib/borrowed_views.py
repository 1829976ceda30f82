"""The layout and slice views as they were before the review took them, to give them back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from MeWMModuleLib.layouts import FUTURE_VIEWS, PRE_VIEW, is_own, layout_node
from MeWMModuleLib.nodes import nodes_of_class

_LAYERS = ("Background", "Foreground", "Label")


@dataclass(frozen=True)
class _View:
    orientation: str
    linked: bool
    hot_linked: bool
    opacity: float
    volumes: tuple[str | None, ...]


class BorrowedViews:
    """Remembers arrangement, orientation, linking and volumes of the views that the review uses."""

    def __init__(self, scene: Any) -> None:
        """Nothing is remembered yet."""
        self.scene = scene
        self._arrangement: int | None = None
        self._views: dict[str, _View] = {}

    def remember(self) -> None:
        """Remember how the views are now, unless they are the review's already."""
        layout = layout_node(self.scene)
        if self._arrangement is not None or layout is None or is_own(layout.GetViewArrangement()):
            return
        self._arrangement = layout.GetViewArrangement()
        for name, node, composite in self._nodes():
            self._views[name] = _View(
                node.GetOrientation(),
                bool(composite.GetLinkedControl()),
                bool(composite.GetHotLinkedControl()),
                composite.GetForegroundOpacity(),
                tuple(getattr(composite, f"Get{layer}VolumeID")() for layer in _LAYERS),
            )

    def give_back(self) -> None:
        """Put the views back as they were; a layout that the user chose since stays."""
        layout = layout_node(self.scene)
        arrangement, self._arrangement = self._arrangement, None
        views, self._views = self._views, {}
        if layout is None or arrangement is None:
            return
        if is_own(layout.GetViewArrangement()):
            layout.SetViewArrangement(arrangement)
        for name, node, composite in self._nodes():
            view = views.get(name)
            if view is None:
                continue
            # Linked views would all follow the first.
            composite.SetHotLinkedControl(view.hot_linked)
            composite.SetLinkedControl(view.linked)
            if node.HasSliceOrientationPreset(view.orientation):
                node.SetOrientation(view.orientation)
            composite.SetForegroundOpacity(view.opacity)
            for layer, volume in zip(_LAYERS, view.volumes, strict=True):
                known = volume if volume and self.scene.GetNodeByID(volume) is not None else None
                getattr(composite, f"Set{layer}VolumeID")(known)

    def _nodes(self) -> list[tuple[str, Any, Any]]:
        names = {PRE_VIEW, *FUTURE_VIEWS}
        slices = {node.GetLayoutName(): node for node in nodes_of_class(self.scene, "vtkMRMLSliceNode")}
        composites = {node.GetLayoutName(): node for node in nodes_of_class(self.scene, "vtkMRMLSliceCompositeNode")}
        return [(name, slices[name], composites[name]) for name in sorted(names & slices.keys() & composites.keys())]
