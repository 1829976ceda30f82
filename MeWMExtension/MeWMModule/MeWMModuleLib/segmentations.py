"""Segmentations made from label files and masks, drawn as outlines in MeWM's colours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import slicer
import slicer.util

from mewm.errors import InputError
from MeWMModuleLib import appearance
from MeWMModuleLib.nodes import read_detached, remove_nodes
from MeWMModuleLib.terminology import set_terminology

_OUTLINE = 2


def add_label_segmentation(
    scene: Any, file: Path, name: str, labels: dict[int, tuple[str, appearance.Colour]], reference: Any
) -> Any:
    """Add a segmentation at once; see :func:`label_segmentation_steps`."""
    *_, node = label_segmentation_steps(scene, file, name, labels, reference)
    return node


def label_segmentation_steps(
    scene: Any, file: Path, name: str, labels: dict[int, tuple[str, appearance.Colour]], reference: Any
) -> Iterator[Any]:
    """Add a segmentation with one named and coloured segment for each label of an NRRD file, in steps.

    Args:
        scene: scene to add to.
        file: label map.
        name: name of the node.
        labels: label to name and colour.
        reference: volume node whose grid the segments are edited on.

    Yields:
        ``None`` while nothing is in the scene, then the node, complete at the end.

    Raises:
        InputError: the file cannot be read or holds a label that is not in ``labels``; nothing is added then.
    """
    labelmap = read_detached(file, name, labels=True)
    yield None
    node = _segmentation(scene, name, reference)
    try:
        yield node
        slicer.vtkSlicerSegmentationsModuleLogic.ImportLabelmapToSegmentationNode(labelmap, node)
        yield node
        segmentation = node.GetSegmentation()
        for identifier in list(segmentation.GetSegmentIDs()):
            segment = segmentation.GetSegment(identifier)
            label = segment.GetLabelValue()
            if label not in labels:
                raise InputError(f"{file} holds the unknown label {label}; run the case again.")
            title, colour = labels[label]
            segment.SetName(title)
            segment.SetColor(*colour)
            set_terminology(segment)
            node.GetDisplayNode().SetSegmentVisibility(identifier, title != appearance.HIDDEN_TISSUE)
    except BaseException:
        if not scene.IsClosing():
            remove_nodes(scene, [node], [])
        raise
    yield node


def add_mask_segmentation(
    scene: Any, mask: tuple[np.ndarray, np.ndarray], name: str, segment: tuple[str, appearance.Colour], reference: Any
) -> Any:
    """Add a segmentation of one segment.

    Args:
        scene: scene to add to.
        mask: array and matrix as :func:`MeWMModuleLib.masks.mask_steps` finds them, not empty.
        name: name of the node.
        segment: name and colour.
        reference: volume node whose grid the segment is edited on.
    """
    node = _segmentation(scene, name, reference)
    title, colour = segment
    identifier = node.AddSegmentFromBinaryLabelmapRepresentation(_oriented_image(*mask), title, list(colour))
    set_terminology(node.GetSegmentation().GetSegment(identifier))
    return node


def _segmentation(scene: Any, name: str, reference: Any) -> Any:
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(reference)
    display = node.GetDisplayNode()
    display.SetVisibility2DFill(False)
    display.SetVisibility2DOutline(True)
    display.SetSliceIntersectionThickness(_OUTLINE)
    return node


def _oriented_image(array: np.ndarray, ijk_to_ras: np.ndarray) -> Any:
    """Cut a mask to what it fills and return it as an image with its place in the patient."""
    from vtkmodules.util.numpy_support import numpy_to_vtk
    from vtkmodules.vtkCommonCore import VTK_UNSIGNED_CHAR

    filled = [np.flatnonzero(array.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    box = tuple(slice(found[0], found[-1] + 1) for found in filled)
    part = np.ascontiguousarray(array[box], dtype=np.uint8)
    place = ijk_to_ras.copy()
    place[:3, 3] = (ijk_to_ras @ (box[2].start, box[1].start, box[0].start, 1))[:3]
    image = slicer.vtkOrientedImageData()
    image.SetDimensions(*part.shape[::-1])
    image.SetGeometryFromImageToWorldMatrix(slicer.util.vtkMatrixFromArray(place))
    image.GetPointData().SetScalars(numpy_to_vtk(part.ravel(), deep=True, array_type=VTK_UNSIGNED_CHAR))
    return image
