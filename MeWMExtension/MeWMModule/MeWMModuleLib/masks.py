"""The masks a user can choose: segments of a segmentation, or labels of a label map."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import slicer
import slicer.util

from mewm.errors import InputError

BINARY = "Binary labelmap"
_MOST_LABELS = 1000
# Looked at in one step.
_PIECE = 8 * 2**20
# Identifier of a label map → when it was changed last, and its labels.
_KNOWN_LABELS: dict[str, tuple[int, list[int]]] = {}


def mask_choices(node: Any) -> list[tuple[str, str]]:
    """Return what a node offers as a mask: identifier and name, in the node's order.

    Args:
        node: segmentation (identifier is the segment's), label map (identifier is the label as text), or ``None``.
    """
    if node is None:
        return []
    if node.IsA("vtkMRMLSegmentationNode"):
        segmentation = node.GetSegmentation()
        ids = segmentation.GetSegmentIDs()
        return [(identifier, segmentation.GetSegment(identifier).GetName()) for identifier in ids]
    colours = node.GetDisplayNode().GetColorNode() if node.GetDisplayNode() else None
    return [(str(label), _label_name(colours, label)) for label in _labels(node)]


def likely_choice(choices: list[tuple[str, str]], words: tuple[str, ...]) -> str:
    """Return the identifier whose name holds one of the words, the only one there is, or nothing.

    Args:
        choices: from :func:`mask_choices`.
        words: in lower case, the most telling first.
    """
    for word in words:
        for identifier, name in choices:
            if word in name.lower():
                return identifier
    return choices[0][0] if len(choices) == 1 else ""


def mask_steps(node: Any, identifier: str) -> Iterator[tuple[np.ndarray, np.ndarray] | None]:
    """Find one mask on its own grid, in steps; the node is not changed.

    Yields:
        ``None`` while it goes on, then ``(z, y, x)`` uint8 of 0 and 1, cut to about what the mask fills, and the 4 × 4
        matrix from its voxel indices (i, j, k) to RAS mm.

    Raises:
        InputError: there is no such segment or label, or it is empty.
    """
    if node.IsA("vtkMRMLSegmentationNode"):
        array, matrix = oriented_array(_segment_image(node, identifier))
    else:
        array, matrix = np.zeros((0, 0, 0), np.uint8), ijk_to_ras(node)
        voxels, label = slicer.util.arrayFromVolume(node), int(identifier)
        rows = max(1, _PIECE // max(voxels[0].nbytes, 1))
        boxes = []
        for start in range(0, voxels.shape[0], rows):
            piece = voxels[start : start + rows] == label
            if piece.any():
                low, high = _filled(piece)
                before = np.array((start, 0, 0))
                boxes.append((low + before, high + before))
            yield None
        if boxes:
            low = np.min([box[0] for box in boxes], axis=0)
            high = np.max([box[1] for box in boxes], axis=0)
            part = voxels[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
            array = (part == label).view(np.uint8)
            matrix[:3, 3] = (matrix @ (*low[::-1], 1))[:3]
    if not array.size or not array.any():
        name = dict(mask_choices(node)).get(identifier, identifier)
        raise InputError(f"The mask {name} of {node.GetName()} is empty; draw it first or choose another.")
    yield array, matrix


def _filled(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the first index of what a mask fills along each axis, and the one behind the last."""
    along = [np.flatnonzero(mask.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    return np.array([found[0] for found in along]), np.array([found[-1] + 1 for found in along])


def _segment_image(node: Any, identifier: str) -> Any:
    segmentation = node.GetSegmentation()
    if segmentation.GetSegment(identifier) is None:
        raise InputError(f"The segmentation {node.GetName()} has lost the chosen segment; choose another.")
    image = slicer.vtkOrientedImageData()
    if segmentation.ContainsRepresentation(BINARY):
        node.GetBinaryLabelmapRepresentation(identifier, image)
        return image
    # A segment that is only a surface is voxelised in a copy, so that the user's own stays as it is.
    copy = slicer.vtkSegmentation()
    copy.SetSourceRepresentationName(segmentation.GetSourceRepresentationName())
    copy.CopySegmentFromSegmentation(segmentation, identifier)
    if not copy.CreateRepresentation(BINARY):
        raise InputError(f"The segmentation {node.GetName()} cannot be turned into voxels; draw it as a labelmap.")
    return copy.GetSegment(identifier).GetRepresentation(BINARY)


def oriented_array(image: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the mask in an oriented image and the matrix from its voxel indices to RAS mm."""
    from vtkmodules.util.numpy_support import vtk_to_numpy
    from vtkmodules.vtkCommonMath import vtkMatrix4x4

    extent = image.GetExtent()
    shape = tuple(extent[n + 1] - extent[n] + 1 for n in (4, 2, 0))
    matrix = vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    to_ras = np.array(slicer.util.arrayFromVTKMatrix(matrix))
    to_ras[:3, 3] = (to_ras @ (extent[0], extent[2], extent[4], 1))[:3]
    scalars = image.GetPointData().GetScalars() if min(shape) > 0 else None
    if scalars is None:
        return np.zeros((0, 0, 0), np.uint8), to_ras
    return (vtk_to_numpy(scalars).reshape(shape) != 0).view(np.uint8), to_ras


def ijk_to_ras(volume: Any) -> np.ndarray:
    """Return the 4 × 4 matrix from voxel indices (i, j, k) of a volume node to RAS mm."""
    from vtkmodules.vtkCommonMath import vtkMatrix4x4

    matrix = vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    return np.array(slicer.util.arrayFromVTKMatrix(matrix))


def _labels(node: Any) -> list[int]:
    """Return the labels of a label map; looked for once, as a large one takes its time."""
    image = node.GetImageData()
    if image is None:
        return []
    known = _KNOWN_LABELS.get(node.GetID())
    if known is None or known[0] != image.GetMTime():
        known = _KNOWN_LABELS[node.GetID()] = (image.GetMTime(), _labels_of(image, node))
    return known[1]


def _labels_of(image: Any, node: Any) -> list[int]:
    low, high = image.GetScalarRange()
    if high < 1 or high > _MOST_LABELS:
        return []
    present = np.zeros(int(high) + 1, dtype=bool)
    for slab in slicer.util.arrayFromVolume(node):
        values = slab if low >= 0 else slab.clip(0)
        present |= np.bincount(values.astype(np.intp).ravel(), minlength=present.size) > 0
    return [int(label) for label in np.flatnonzero(present) if label]


def _label_name(colours: Any, label: int) -> str:
    name = colours.GetColorName(label) if colours is not None and label < colours.GetNumberOfColors() else ""
    return f"{label}: {name}" if name and name != "(none)" else f"Label {label}"
