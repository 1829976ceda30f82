"""Side-by-side review: the present left, a simulated future right, both slices on the lesion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from vtkmodules.vtkCommonMath import vtkMatrix4x4

from MeWMModuleLib import appearance
from MeWMModuleLib.nodes import nodes_of_class

if TYPE_CHECKING:
    from slicer import vtkMRMLScene, vtkMRMLSliceNode

    from MeWMModuleLib.scene import LoadedRun, ProtocolNodes

Orientation = Literal["Axial", "Coronal", "Sagittal"]

# Slicer's own slice views. The first two make up its built-in side-by-side layout, so that a saved scene opens
# as pre-treatment | simulated in any Slicer.
PRE_VIEW, SIMULATED_VIEW, DIFFERENCE_VIEW = "Red", "Yellow", "Green"
CONTEXT_MM = 140.0


def compare(scene: vtkMRMLScene, loaded: LoadedRun, chosen: ProtocolNodes, orientation: Orientation = "Axial") -> None:
    """Show the pre-treatment CT, one simulated CT and their difference on the same slice through the lesion.

    Sets the slice views named Red (pre-treatment), Yellow (simulated) and Green (difference over the
    pre-treatment CT) as far as the scene has them: volumes, position, field of view, links. Segment outlines
    show only where they belong: the lesion on the pre-treatment CT, the tissues of ``chosen`` on its own CT.

    Args:
        scene: scene that holds the run.
        loaded: the run.
        chosen: one of ``loaded.protocols``.
        orientation: anatomical plane.
    """
    layers = {
        PRE_VIEW: (loaded.pre, None),
        SIMULATED_VIEW: (chosen.simulated, None),
        DIFFERENCE_VIEW: (loaded.pre, chosen.difference),
    }
    centre = snapped_centre(loaded)
    extent = field_of_view(loaded)
    for name, (background, foreground) in layers.items():
        slice_node = slice_node_of(scene, name)
        if slice_node is None:
            continue
        composite = _composite_node_of(scene, name)
        composite.SetLinkedControl(True)
        composite.SetBackgroundVolumeID(background.GetID())
        composite.SetForegroundVolumeID(foreground.GetID() if foreground else None)
        composite.SetForegroundOpacity(1.0 if foreground else 0.0)
        slice_node.SetOrientation(orientation)
        width, height, _ = slice_node.GetDimensions()
        slice_node.SetFieldOfView(extent, extent * height / max(width, 1), slice_node.GetFieldOfView()[2])
        slice_node.JumpSliceByCentering(*centre)
    _outline(scene, loaded.lesion, [PRE_VIEW], True)
    for nodes in loaded.protocols:
        _outline(scene, nodes.tissue, [SIMULATED_VIEW], nodes is chosen)


def field_of_view(loaded: LoadedRun) -> float:
    """Return the width in mm of a view on the lesion with its surroundings."""
    return max(CONTEXT_MM, 1.6 * loaded.run.diameter_mm)


def snapped_centre(loaded: LoadedRun) -> tuple[float, float, float]:
    """Return the lesion's centre in RAS mm, moved to the nearest voxel so that no slice is interpolated."""
    x, y, z = loaded.run.centre_lps
    to_ijk, to_ras = vtkMatrix4x4(), vtkMatrix4x4()
    loaded.pre.GetRASToIJKMatrix(to_ijk)
    loaded.pre.GetIJKToRASMatrix(to_ras)
    ijk = [float(round(value)) for value in to_ijk.MultiplyPoint((-x, -y, z, 1.0))[:3]]
    r, a, s = to_ras.MultiplyPoint((*ijk, 1.0))[:3]
    return r, a, s


def slice_node_of(scene: vtkMRMLScene, name: str) -> vtkMRMLSliceNode | None:
    """Return the slice view node called ``name`` (``"Red"``), or ``None`` if the scene has no such view."""
    return scene.GetSingletonNode(name, "vtkMRMLSliceNode")


def _composite_node_of(scene: vtkMRMLScene, name: str) -> Any:
    return scene.GetSingletonNode(name, "vtkMRMLSliceCompositeNode")


def _outline(scene: vtkMRMLScene, segmentation: Any, views: list[str], visible: bool) -> None:
    """Show a segmentation in the named slice views and in 3D only."""
    display = segmentation.GetDisplayNode()
    display.RemoveAllViewNodeIDs()
    for name in views:
        node = slice_node_of(scene, name)
        if node is not None:
            display.AddViewNodeID(node.GetID())
    for view in nodes_of_class(scene, "vtkMRMLViewNode"):
        display.AddViewNodeID(view.GetID())
    display.SetVisibility(visible)
    ids = segmentation.GetSegmentation().GetSegmentIDs()
    for identifier in ids:
        name = segmentation.GetSegmentation().GetSegment(identifier).GetName()
        display.SetSegmentVisibility(identifier, name != appearance.HIDDEN_TISSUE)
