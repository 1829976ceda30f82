"""Surfaces of a segmentation for the 3D view, made in steps: Slicer's own conversion would block the window."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import slicer
from vtkmodules.util.numpy_support import numpy_to_vtk
from vtkmodules.vtkCommonDataModel import vtkImageData, vtkPolyData
from vtkmodules.vtkCommonMath import vtkMatrix4x4
from vtkmodules.vtkCommonTransforms import vtkTransform
from vtkmodules.vtkFiltersCore import vtkFlyingEdges3D, vtkReverseSense
from vtkmodules.vtkFiltersGeneral import vtkTransformPolyDataFilter
from vtkmodules.vtkImagingGeneral import vtkImageGaussianSmooth

from MeWMModuleLib import appearance
from MeWMModuleLib.masks import oriented_array

SURFACE = "Closed surface"
_INSIDE, _SMOOTH_VOXELS, _LEVEL = 200, 0.6, 80.0


def has_surfaces(node: Any) -> bool:
    """Whether the 3D view can show a segmentation; Slicer asks its first segment."""
    segmentation = node.GetSegmentation()
    return segmentation.GetNumberOfSegments() > 0 and bool(segmentation.GetNthSegment(0).GetRepresentation(SURFACE))


def surface_steps(node: Any) -> Iterator[None]:
    """Give each segment a surface, in steps; the hidden liver, a box around the lesion, gets an empty one.

    Args:
        node: segmentation of label maps.

    Yields:
        After each step.
    """
    segmentation = node.GetSegmentation()
    made = []
    for identifier in segmentation.GetSegmentIDs():
        segment = segmentation.GetSegment(identifier)
        surface = vtkPolyData()
        if segment.GetName() != appearance.HIDDEN_TISSUE:
            image = slicer.vtkOrientedImageData()
            node.GetBinaryLabelmapRepresentation(identifier, image)
            array, to_world = oriented_array(image)
            yield
            if array.size:
                smooth = _smoothed(np.pad(array, 1))
                yield
                surface = _surface(smooth, to_world)
        made.append((segment, surface))
        yield
    # Slicer looks at the first segment and then makes, at once, what the others lack: the first comes last.
    node.GetDisplayNode().SetPreferredDisplayRepresentationName2D("Binary labelmap")
    for segment, surface in reversed(made):
        segment.AddRepresentation(SURFACE, surface)


def _smoothed(mask: np.ndarray) -> Any:
    image = vtkImageData()
    image.SetDimensions(*mask.shape[::-1])
    image.GetPointData().SetScalars(numpy_to_vtk((mask * np.uint8(_INSIDE)).ravel(), deep=True))
    smooth = vtkImageGaussianSmooth()
    smooth.SetInputData(image)
    smooth.SetStandardDeviations(_SMOOTH_VOXELS, _SMOOTH_VOXELS, _SMOOTH_VOXELS)
    smooth.SetRadiusFactors(2.0, 2.0, 2.0)
    smooth.Update()
    return smooth.GetOutput()


def _surface(image: Any, to_world: np.ndarray) -> Any:
    """Return the surface of a padded mask in RAS mm; ``to_world`` is of the mask before it was padded."""
    edges = vtkFlyingEdges3D()
    edges.SetInputData(image)
    edges.SetValue(0, _LEVEL)
    matrix, place = vtkMatrix4x4(), to_world.copy()
    place[:3, 3] = (to_world @ (-1, -1, -1, 1))[:3]
    matrix.DeepCopy([float(value) for value in place.ravel()])
    transform = vtkTransform()
    transform.SetMatrix(matrix)
    moved = vtkTransformPolyDataFilter()
    moved.SetTransform(transform)
    moved.SetInputConnection(edges.GetOutputPort())
    last = moved
    if np.linalg.det(place[:3, :3]) < 0:
        last = vtkReverseSense()
        last.SetInputConnection(moved.GetOutputPort())
    last.Update()
    return last.GetOutput()
