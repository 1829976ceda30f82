"""Nodes of a scene: read from a file, find, and take out again with all that belongs to them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import slicer
import slicer.util
from vtkmodules.vtkCommonCore import vtkIdList
from vtkmodules.vtkCommonMath import vtkMatrix4x4

from mewm.errors import InputError

if TYPE_CHECKING:
    from slicer import vtkMRMLScene

RUN_ATTRIBUTE = "MeWM.Run"
ROLE_ATTRIBUTE = "MeWM.Role"
SYNTHETIC_ATTRIBUTE = "MeWM.Synthetic"
RANK_ATTRIBUTE = "MeWM.Rank"
PROTOCOL_ATTRIBUTE = "MeWM.Protocol"
PROTOCOL_ID_ATTRIBUTE = "MeWM.ProtocolId"


def read_volume(scene: vtkMRMLScene, file: Path, name: str) -> Any:
    """Read an NRRD file into a new volume node of the scene; see :func:`read_detached`."""
    return scene.AddNode(read_detached(file, name))


def read_detached(file: Path, name: str, *, labels: bool = False) -> Any:
    """Read an NRRD file into a volume node that is in no scene yet; Slicer's reader turns LPS into RAS.

    Args:
        file: a three-dimensional volume.
        name: name of the node.
        labels: read as label map.

    Raises:
        InputError: Slicer cannot read the file.
    """
    node = slicer.vtkMRMLLabelMapVolumeNode() if labels else slicer.vtkMRMLScalarVolumeNode()
    node.SetName(name)
    storage = slicer.vtkMRMLVolumeArchetypeStorageNode()
    storage.SetFileName(str(file))
    storage.SetSingleFile(True)
    storage.SetCenterImage(False)
    if not storage.ReadData(node) or node.GetImageData() is None:
        raise InputError(f"Slicer cannot read {file}; run the case again.")
    return node


@contextlib.contextmanager
def all_or_nothing(scene: vtkMRMLScene) -> Iterator[None]:
    """Group the additions for speed, and take them back if one of them fails."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    before = {node.GetID() for node in nodes_of_class(scene)}
    items = set(hierarchy_items(hierarchy))
    scene.StartState(slicer.vtkMRMLScene.BatchProcessState)
    try:
        yield
    except BaseException:
        added = [node for node in nodes_of_class(scene) if node.GetID() not in before]
        remove_nodes(scene, added, [item for item in hierarchy_items(hierarchy) if item not in items])
        raise
    finally:
        scene.EndState(slicer.vtkMRMLScene.BatchProcessState)


def add_folder(scene: vtkMRMLScene, parent: int | None, name: str, run: str) -> int:
    """Add a folder of a run to the subject hierarchy and return its item; ``None`` is the scene itself."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    item = hierarchy.CreateFolderItem(hierarchy.GetSceneItemID() if parent is None else parent, name)
    hierarchy.SetItemAttribute(item, RUN_ATTRIBUTE, run)
    return item


def keep(node: Any, folder: int, run: str, role: str) -> None:
    """Mark a node as a run's and put it into a folder of the subject hierarchy."""
    node.SetAttribute(RUN_ATTRIBUTE, run)
    node.SetAttribute(ROLE_ATTRIBUTE, role)
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(node.GetScene())
    # Slicer with its window makes the item by itself; without it the item is made here.
    item = hierarchy.GetItemByDataNode(node)
    if item == hierarchy.GetInvalidItemID():
        hierarchy.CreateItem(folder, node)
    else:
        hierarchy.SetItemParent(item, folder)


def mark_synthetic(node: Any, protocol_id: str, protocol: str, notice: str) -> None:
    """Say in the node itself that it is simulated, and after which protocol."""
    node.SetAttribute(SYNTHETIC_ATTRIBUTE, "1")
    node.SetAttribute(PROTOCOL_ID_ATTRIBUTE, protocol_id)
    node.SetAttribute(PROTOCOL_ATTRIBUTE, protocol)
    node.SetDescription(f"{protocol}. {notice}")


def belongings(scene: vtkMRMLScene, identifier: str) -> tuple[list[Any], list[int]]:
    """Return the nodes and the subject hierarchy items of a run, see :attr:`RunFolder.identifier`."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    nodes = [node for node in nodes_of_class(scene) if node.GetAttribute(RUN_ATTRIBUTE) == identifier]
    items = [i for i in hierarchy_items(hierarchy) if hierarchy.GetItemAttribute(i, RUN_ATTRIBUTE) == identifier]
    return nodes, items


def remove_nodes(scene: vtkMRMLScene, nodes: list[Any], items: list[int]) -> None:
    """Remove nodes with their display and storage nodes, and items of the subject hierarchy."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    # Nodes that use a colour table go before it, or their display would miss its colours.
    for node in sorted(nodes, key=lambda node: node.IsA("vtkMRMLColorNode")):
        item = hierarchy.GetItemByDataNode(node)
        if item != hierarchy.GetInvalidItemID():
            hierarchy.RemoveItem(item, False, False)
        for companion in (*_companions(node), node):
            if scene.IsNodePresent(companion):
                scene.RemoveNode(companion)
    for item in items:
        # Children move up: the Segment Editor puts what a user draws on a volume of ours into our folder.
        hierarchy.RemoveItem(item, False, False)


def nodes_of_class(scene: vtkMRMLScene, name: str = "vtkMRMLNode") -> list[Any]:
    """Return the scene's nodes of a class and its subclasses (``slicer.util`` knows the application's scene only)."""
    found = scene.GetNodesByClass(name)
    # VTK hands over a reference that Python does not count.
    found.UnRegister(None)
    return [found.GetItemAsObject(index) for index in range(found.GetNumberOfItems())]


def _companions(node: Any) -> list[Any]:
    """Display and storage nodes, which Slicer leaves behind when their node goes."""
    display = getattr(node, "GetNumberOfDisplayNodes", int)()
    storage = getattr(node, "GetNumberOfStorageNodes", int)()
    found = [node.GetNthDisplayNode(index) for index in range(display)]
    found += [node.GetNthStorageNode(index) for index in range(storage)]
    return [companion for companion in found if companion is not None]


def hierarchy_items(hierarchy: Any) -> list[int]:
    """Return all items of the subject hierarchy, deepest first."""
    items = vtkIdList()
    hierarchy.GetItemChildren(hierarchy.GetSceneItemID(), items, True)
    return [items.GetId(index) for index in reversed(range(items.GetNumberOfIds()))]


def same_grid(a: Any, b: Any) -> bool:
    """Whether two volume nodes have the same size and the same place of every voxel in the patient."""
    first, second = vtkMatrix4x4(), vtkMatrix4x4()
    a.GetIJKToRASMatrix(first)
    b.GetIJKToRASMatrix(second)
    places = [slicer.util.arrayFromVTKMatrix(matrix) for matrix in (first, second)]
    same_size = a.GetImageData().GetDimensions() == b.GetImageData().GetDimensions()
    return same_size and np.allclose(places[0], places[1], atol=1e-3)
