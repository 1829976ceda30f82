"""The user's tumour and liver, hidden while simulated tissue is shown in their place."""

from __future__ import annotations

from typing import Any


class HiddenInputs:
    """Hides the chosen segments and shows again what it hid; other segments stay."""

    def __init__(self, scene: Any) -> None:
        """Nothing is hidden yet."""
        self.scene = scene
        self._hidden: list[tuple[Any, str]] = []

    def hide(self, parameters: Any) -> None:
        """Hide the chosen tumour and liver; what the user had hidden is not ours to show again."""
        for node, segment in (
            (parameters.tumour, parameters.tumour_segment),
            (parameters.liver, parameters.liver_segment),
        ):
            if node is None or not node.IsA("vtkMRMLSegmentationNode") or node.GetDisplayNode() is None:
                continue
            display = node.GetDisplayNode()
            if display.GetSegmentVisibility(segment):
                self._hidden.append((node, segment))
                display.SetSegmentVisibility(segment, False)

    def show_again(self) -> None:
        """Show what was hidden, as far as it is still in the scene."""
        hidden, self._hidden = self._hidden, []
        for node, segment in hidden:
            if self.scene.IsNodePresent(node) and node.GetDisplayNode() is not None:
                node.GetDisplayNode().SetSegmentVisibility(segment, True)

    def forget(self) -> None:
        """Let go of the nodes: their scene is closed."""
        self._hidden = []
