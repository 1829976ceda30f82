"""Align the follow-up CT with the first one around the liver: rigidly, then with B-splines.

Mutual information copes with another contrast phase and with lipiodol; the deformation follows breathing. The target
tumour is left out of the metric of the deformable step: its change is the effect of the treatment and must not be
warped away.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from mewm.cohort.hcc_tace_seg.coverage import covered
from mewm.cohort.hcc_tace_seg.curation import LeftOut
from mewm.cohort.hcc_tace_seg.deformation import deform
from mewm.cohort.hcc_tace_seg.quality import Quality, assess
from mewm.masks import bounding_box
from mewm.resampling import IDENTITY

AIR_HU = -1024
WINDOW_HU = (-160.0, 300.0)
"""Densities beyond it (bone, lipiodol, lung) count as its ends, for the first guess and for the quality figures."""
SOFT_HU = (-40.0, 220.0)
"""The same for mutual information, whose bins should go to what the liver, its vessels and its neighbours differ by:
in a simulated patient in two contrast phases the wider window left 1.4 mm, this one 1.0 mm."""
GRID_MM = 2.0
"""Voxel edge on which the alignment is computed."""
COARSE_MM = 8.0
MARGIN_MM = 20.0
"""Room around the liver that takes part: its edge must be seen from both sides."""
LEAST_OVERLAP = 0.7
"""Share of the surroundings that a first guess must find in the follow-up: a follow-up with less of the liver is of no
use, and a few slices of one end fit many places."""
TUMOUR_MARGIN_MM = 4.0
SAMPLES = 60_000
"""Voxels around the liver that the metric of the rigid step looks at, at every resolution."""
BINS = 32
SEED = 20210601


@dataclass(frozen=True, eq=False)
class Alignment:
    """How the follow-up CT maps onto the first one.

    Attributes:
        rigid: point of the first CT → point of the follow-up, LPS mm.
        final: the same with the deformation, or ``rigid`` where the deformation was no better.
        quality: how good it is.
    """

    rigid: sitk.Transform
    final: sitk.Transform
    quality: Quality

    def resample(self, post: sitk.Image, pre: sitk.Image) -> sitk.Image:
        """Return the follow-up CT on the first CT's grid, air where it does not reach."""
        return sitk.Resample(post, pre, self.final, sitk.sitkLinear, AIR_HU, post.GetPixelID())


def align(pre: sitk.Image, post: sitk.Image, liver: sitk.Image, tumour: sitk.Image) -> Alignment:
    """Align a follow-up CT with the first CT within the liver and its surroundings.

    Args:
        pre: first CT in Hounsfield units.
        post: follow-up CT.
        liver: uint8 mask on the first CT's grid.
        tumour: the same for the tumour.

    Raises:
        LeftOut: the two CTs cannot be aligned at all.
    """
    rigid, region = align_rigidly(pre, post, liver)
    moving = _moving(post)
    deformed = deform(_soft(region.fixed), _soft(moving), _without(region.metric_mask, tumour), rigid)
    candidates = {"deformable": deformed, "rigid": rigid}
    quality = assess(region.fixed, moving, region.liver, candidates, region.metric_mask)
    return Alignment(rigid, candidates[quality.kind], quality)


@dataclass(frozen=True, eq=False)
class Region:
    """The first CT around the liver on an isotropic grid: windowed CT, liver, and where the metric looks."""

    fixed: sitk.Image
    liver: sitk.Image
    metric_mask: sitk.Image


def align_rigidly(pre: sitk.Image, post: sitk.Image, liver: sitk.Image) -> tuple[sitk.Euler3DTransform, Region]:
    """Return the rigid alignment (first CT → follow-up) and the region it was computed on.

    Raises:
        LeftOut: the two CTs do not overlap around the liver.
    """
    region = _region(pre, liver)
    moving = _moving(post)
    try:
        start = _translation(region, moving)
        with _one_thread():
            return _rigid(_soft(region.fixed), _soft(moving), region, start), region
    except RuntimeError as error:
        raise LeftOut("the follow-up CT could not be aligned with the first one") from error


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let ITK sum its metric in one order, so that the last digits are always the same; patients run in parallel."""
    before = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(before)


def _region(pre: sitk.Image, liver: sitk.Image) -> Region:
    grid = _grid_around(liver, MARGIN_MM, GRID_MM)
    fixed = _windowed(sitk.Resample(_smoothed(pre, GRID_MM), grid, IDENTITY, sitk.sitkLinear, AIR_HU))
    mask = sitk.Resample(liver, grid, IDENTITY, sitk.sitkNearestNeighbor, 0)
    near = sitk.SignedMaurerDistanceMap(mask, squaredDistance=False, useImageSpacing=True) < 0.75 * MARGIN_MM
    return Region(fixed, mask, sitk.Cast(near, sitk.sitkUInt8))


def _grid_around(mask: sitk.Image, margin: float, spacing: float) -> sitk.Image:
    """Return an empty isotropic grid, axes as the mask's, around the mask."""
    box = bounding_box(sitk.GetArrayViewFromImage(mask))[::-1]
    step = np.array(mask.GetSpacing())
    low = np.array([s.start for s in box]) - 0.5 - margin / step
    high = np.array([s.stop for s in box]) - 0.5 + margin / step
    size = np.maximum(np.ceil((high - low) * step / spacing).astype(int), 4)
    grid = sitk.Image(size.tolist(), sitk.sitkUInt8)
    grid.SetSpacing([spacing] * 3)
    grid.SetDirection(mask.GetDirection())
    first = low + 0.5 * spacing / step
    grid.SetOrigin(mask.TransformContinuousIndexToPhysicalPoint(first.tolist()))
    return grid


def _smoothed(image: sitk.Image, spacing: float) -> sitk.Image:
    """Smooth along axes whose voxels are finer than the grid to come."""
    sigma = [max(0.4 * spacing, 1e-3) if s < 0.75 * spacing else 0.0 for s in image.GetSpacing()]
    image = sitk.Cast(image, sitk.sitkFloat32)
    return sitk.DiscreteGaussian(image, [s * s for s in sigma], 32, 0.01, True) if max(sigma) > 0 else image


def _windowed(image: sitk.Image) -> sitk.Image:
    return sitk.Clamp(sitk.Cast(image, sitk.sitkFloat32), sitk.sitkFloat32, *WINDOW_HU)


def _soft(image: sitk.Image) -> sitk.Image:
    return sitk.Clamp(image, sitk.sitkFloat32, *SOFT_HU)


def _moving(post: sitk.Image) -> sitk.Image:
    return _windowed(_smoothed(post, GRID_MM))


def _translation(region: Region, moving: sitk.Image) -> np.ndarray:
    """Find the shift in mm that fits best anywhere in the follow-up, by masked normalised cross-correlation.

    The two scans cover different parts of the body (liver or chest to pelvis), so their centres say little.
    Source: Padfield, IEEE TIP 2012;21:2706, doi 10.1109/TIP.2011.2181402.
    """
    coarse = _grid_like(region.fixed, COARSE_MM)
    template = sitk.Resample(region.fixed, coarse, IDENTITY, sitk.sitkLinear, WINDOW_HU[0])
    mask = sitk.Resample(region.metric_mask, coarse, IDENTITY, sitk.sitkNearestNeighbor, 0)
    whole = _grid_around(covered(moving, moving, IDENTITY), 0.0, COARSE_MM)
    # Both on axes of the same directions, so that a shift of voxels is a shift in space.
    whole = _turned(whole, region.fixed.GetDirection())
    scene = sitk.Resample(moving, whole, IDENTITY, sitk.sitkLinear, WINDOW_HU[0])
    seen = covered(moving, whole, IDENTITY)
    enough = int(LEAST_OVERLAP * np.count_nonzero(sitk.GetArrayViewFromImage(mask)))
    plain = [
        sitk.GetImageFromArray(sitk.GetArrayFromImage(i).astype(np.float32)) for i in (scene, template, seen, mask)
    ]
    match = sitk.GetArrayFromImage(sitk.MaskedFFTNormalizedCorrelation(*plain, enough))
    best = np.array(np.unravel_index(int(np.argmax(match)), match.shape))[::-1]
    # Index 0 of the result is the template's last voxel on the scene's first one.
    shift = best - (np.array(template.GetSize()) - 1)
    direction = np.array(region.fixed.GetDirection()).reshape(3, 3)
    target = np.array(whole.GetOrigin()) + direction @ (shift * COARSE_MM)
    return target - np.array(coarse.GetOrigin())


def _grid_like(image: sitk.Image, spacing: float) -> sitk.Image:
    """Return an empty grid over the same box with other voxels."""
    ratio = np.array(image.GetSpacing()) / spacing
    grid = sitk.Image(np.maximum(np.ceil(np.array(image.GetSize()) * ratio).astype(int), 2).tolist(), sitk.sitkUInt8)
    grid.SetSpacing([spacing] * 3)
    grid.SetDirection(image.GetDirection())
    grid.SetOrigin(image.TransformContinuousIndexToPhysicalPoint((0.5 / ratio - 0.5).tolist()))
    return grid


def _turned(grid: sitk.Image, direction: tuple[float, ...]) -> sitk.Image:
    """Return a grid of the same spacing along other axes that encloses a grid."""
    ends = [
        grid.TransformIndexToPhysicalPoint([int(b) * (n - 1) for b, n in zip(k, grid.GetSize(), strict=True)])
        for k in np.ndindex(2, 2, 2)
    ]
    axes = np.array(direction).reshape(3, 3)
    along = np.array(ends) @ axes
    spacing = grid.GetSpacing()[0]
    out = sitk.Image((np.ceil(np.ptp(along, axis=0) / spacing).astype(int) + 1).tolist(), sitk.sitkUInt8)
    out.SetSpacing([spacing] * 3)
    out.SetDirection(direction)
    out.SetOrigin((axes @ along.min(axis=0)).tolist())
    return out


def _method(mask: sitk.Image, shrink: list[int]) -> sitk.ImageRegistrationMethod:
    voxels = int(np.count_nonzero(sitk.GetArrayViewFromImage(mask)))
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(numberOfHistogramBins=BINS)
    method.SetMetricFixedMask(mask)
    method.SetMetricSamplingStrategy(method.RANDOM)
    method.SetMetricSamplingPercentagePerLevel([min(1.0, SAMPLES * n**3 / voxels) for n in shrink], SEED)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetShrinkFactorsPerLevel(shrink)
    method.SetSmoothingSigmasPerLevel([float(n) if n > 1 else 0.0 for n in shrink])
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
    return method


def _rigid(fixed: sitk.Image, moving: sitk.Image, region: Region, shift: np.ndarray) -> sitk.Euler3DTransform:
    start = sitk.Euler3DTransform()
    middle = sitk.LabelShapeStatisticsImageFilter()
    middle.Execute(region.liver)
    start.SetCenter(middle.GetCentroid(1))
    start.SetTranslation(shift.tolist())
    method = _method(region.metric_mask, [4, 2, 1])
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=2.0, minStep=0.005, numberOfIterations=120, relaxationFactor=0.6
    )
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetInitialTransform(start, inPlace=False)
    found = method.Execute(fixed, moving)
    return sitk.Euler3DTransform(sitk.CompositeTransform(found).GetBackTransform())


def _without(mask: sitk.Image, tumour: sitk.Image) -> sitk.Image:
    """Return a mask without the surroundings of the tumour."""
    grown = sitk.Resample(tumour, mask, IDENTITY, sitk.sitkNearestNeighbor, 0)
    if not sitk.GetArrayViewFromImage(grown).any():
        return mask
    far = sitk.SignedMaurerDistanceMap(grown, squaredDistance=False, useImageSpacing=True) > TUMOUR_MARGIN_MM
    return sitk.And(mask, sitk.Cast(far, sitk.sitkUInt8))
