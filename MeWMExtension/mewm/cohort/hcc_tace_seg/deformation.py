"""Free-form deformation on cubic B-splines by mutual information, with every voxel around the liver taking part.

Rueckert et al., IEEE TMI 1999;18:712, doi 10.1109/42.796284, with the metric of Mattes et al., IEEE TMI 2003;22:120,
doi 10.1109/TMI.2003.809072. SimpleITK's own B-spline registration does the same, but its cost is the number of samples
times the number of *all* control points: 12,000 random samples took five times as long. The tensor product
below uses each voxel and takes seconds; the result is an ordinary ``sitk.BSplineTransform``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from scipy import optimize

from mewm.cohort.hcc_tace_seg.coverage import covered
from mewm.resampling import IDENTITY

LEVELS = ((6.0, 100.0), (4.0, 60.0), (4.0, 40.0), (3.0, 28.0))
"""Voxel edge and distance of control points in mm, coarse to fine."""
ITERATIONS = 40
BINS = 32
STIFFNESS = 2e-3
"""Cost in nats of a mean squared second difference of 1 mm² between neighbouring control points."""
ROOM_MM = 24.0
"""How far the deformation may reach beyond the region."""


@dataclass(frozen=True, eq=False)
class _Basis:
    """Cubic B-splines over a grid: one matrix ``(voxels, control points)`` an axis, in (z, y, x) order."""

    matrices: tuple[np.ndarray, np.ndarray, np.ndarray]

    @property
    def shape(self) -> tuple[int, int, int]:
        z, y, x = (m.shape[1] for m in self.matrices)
        return z, y, x

    def expand(self, coefficients: np.ndarray) -> np.ndarray:
        """Return the field ``(3, z, y, x)`` of coefficients ``(3, cz, cy, cx)``."""
        return _along_axes(coefficients, self.matrices)

    def gather(self, gradient: np.ndarray) -> np.ndarray:
        """Return the derivative by the coefficients from the derivative by the field."""
        return _along_axes(gradient, tuple(m.T for m in self.matrices))


def deform(fixed: sitk.Image, moving: sitk.Image, mask: sitk.Image, rigid: sitk.Transform) -> sitk.Transform:
    """Return the deformable alignment: point of ``fixed`` → point of ``moving``, LPS mm.

    Args:
        fixed: windowed CT on an isotropic grid around the liver.
        moving: windowed CT, any grid.
        mask: uint8 on the grid of ``fixed``: where the two are compared.
        rigid: where to start; the deformation comes before it.
    """
    extent = np.array(fixed.GetSize()) * fixed.GetSpacing()[0]
    coefficients: np.ndarray | None = None
    spline: sitk.BSplineTransform | None = None
    for edge, control in LEVELS:
        mesh = np.maximum(np.round(extent / control), 1).astype(int)
        grid = _regrid(fixed, edge, 0.0)
        basis = _basis(grid, fixed, mesh)
        target = _seen(fixed, IDENTITY, grid, edge)
        wide = _regrid(fixed, edge, ROOM_MM)
        source = _seen(moving, rigid, wide, edge)
        where = sitk.GetArrayFromImage(sitk.Resample(mask, grid, IDENTITY, sitk.sitkNearestNeighbor, 0)) > 0
        shown = sitk.GetArrayFromImage(covered(moving, wide, rigid)) > 0
        start = np.zeros((3, *basis.shape)) if spline is None else _refit(spline, grid, fixed, basis)
        room = (np.array(source.shape) - np.array(target.shape)) // 2
        cost = _Cost(target, source, shown, where, basis, edge, room)
        found = optimize.minimize(
            cost, start.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": ITERATIONS, "ftol": 1e-6}
        )
        coefficients = found.x.reshape(start.shape)
        spline = _transform(coefficients, fixed, mesh)
    # A composite applies its last transform first: the deformation on the first CT's side, then the rigid motion.
    return sitk.CompositeTransform([rigid, spline])


class _Cost:
    """Negative mutual information plus stiffness, with its derivative by the coefficients.

    Args:
        target: fixed image (z, y, x).
        source: moving image after the rigid alignment, on a grid that is wider by ``room`` voxels on every side.
        shown: which voxels of ``source`` the moving image covers; what moves out of it does not count.
        where: voxels of ``target`` that are compared.
        basis: splines at the voxels of ``target``.
        edge: voxel edge in mm.
        room: voxels, (z, y, x).
    """

    def __init__(
        self,
        target: np.ndarray,
        source: np.ndarray,
        shown: np.ndarray,
        where: np.ndarray,
        basis: _Basis,
        edge: float,
        room: np.ndarray,
    ):
        self.where, self.basis, self.edge = where, basis, edge
        self.source, self.shown = source, shown
        self.index = (np.argwhere(where) + room).T.astype(float)
        self.low, high = float(source.min()), float(source.max())
        self.width = (high - self.low) / (BINS - 4) or 1.0
        scaled = (target[where] - target.min()) / (np.ptp(target) or 1.0)
        self.fixed_bin = np.minimum((scaled * BINS).astype(int), BINS - 1)

    def __call__(self, flat: np.ndarray) -> tuple[float, np.ndarray]:
        coefficients = flat.reshape(3, *self.basis.shape)
        field = self.basis.expand(coefficients)
        place = self.index + field[:, self.where] / self.edge
        values, slopes, inside = _interpolate(self.source, self.shown, place)
        information, by_value = self._information(values[inside], self.fixed_bin[inside])
        derivative = np.zeros(values.size)
        derivative[inside] = by_value / self.edge
        gradient = np.zeros_like(field)
        gradient[:, self.where] = derivative * slopes
        stiffness, stiff_gradient = _stiffness(coefficients)
        total = -self.basis.gather(gradient) + STIFFNESS * stiff_gradient
        return -information + STIFFNESS * stiffness, total.ravel()

    def _information(self, values: np.ndarray, fixed_bin: np.ndarray) -> tuple[float, np.ndarray]:
        """Return mutual information in nats and its derivative by each value (cubic Parzen window)."""
        position = (values - self.low) / self.width + 1.5
        first = np.floor(position).astype(int) - 1
        weights, slopes = zip(*(_cubic(position - (first + k)) for k in range(4)), strict=True)
        joint: np.ndarray = np.zeros(BINS * BINS)
        cells = [fixed_bin * BINS + np.clip(first + k, 0, BINS - 1) for k in range(4)]
        for cell, weight in zip(cells, weights, strict=True):
            joint += np.bincount(cell, weight, BINS * BINS)
        count = max(values.size, 1)
        joint = joint.reshape(BINS, BINS) / count
        of_moving = joint.sum(axis=0)
        of_fixed = joint.sum(axis=1)
        ratio = np.log(np.maximum(joint, 1e-12) / np.maximum(of_moving, 1e-12))
        information = float((joint * (ratio - np.log(np.maximum(of_fixed, 1e-12))[:, None])).sum())
        derivative = np.zeros(values.size)
        for cell, slope in zip(cells, slopes, strict=True):
            derivative += slope * ratio.ravel()[cell]
        return information, derivative / (count * self.width)


def _interpolate(source: np.ndarray, shown: np.ndarray, place: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Interpolate trilinearly.

    The slopes are those of the interpolant itself: a line search that is told other ones stops early.

    Args:
        source: image (z, y, x).
        shown: bool, where the image is known.
        place: voxel coordinates ``(3, n)``.

    Returns:
        Values ``(n,)``, slopes a voxel ``(3, n)``, and whether all corners are known ``(n,)``.
    """
    last = np.array(source.shape)[:, None] - 1
    within = np.logical_and.reduce((place >= 0) & (place <= last), axis=0)
    base = np.clip(np.floor(place).astype(np.intp), 0, last - 1)
    z, y, x = place - base
    rows, columns = source.shape[1:]
    corner = (base[0] * rows + base[1]) * columns + base[2]
    flat, known = source.ravel(), shown.ravel()
    steps = [(dz * rows + dy) * columns for dz in (0, 1) for dy in (0, 1)]
    for step in steps:
        within &= known[corner + step] & known[corner + step + 1]
    # The four edges along x: value at x, and slope.
    near = [flat[corner + step] for step in steps]
    rise = [flat[corner + step + 1] - low for step, low in zip(steps, near, strict=True)]
    on_edge = [low + up * x for low, up in zip(near, rise, strict=True)]
    front, back = on_edge[0] + (on_edge[1] - on_edge[0]) * y, on_edge[2] + (on_edge[3] - on_edge[2]) * y
    along_y = (on_edge[1] - on_edge[0]) * (1 - z) + (on_edge[3] - on_edge[2]) * z
    along_x = (rise[0] * (1 - y) + rise[1] * y) * (1 - z) + (rise[2] * (1 - y) + rise[3] * y) * z
    return front + (back - front) * z, np.stack([back - front, along_y, along_x]), within


def _cubic(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the cubic B-spline kernel and its derivative."""
    a = np.abs(x)
    far = np.maximum(2 - a, 0.0)
    near = np.maximum(1 - a, 0.0)
    value = far * far * far / 6 - near * near * near * (2 / 3)
    slope = 2 * near * near - far * far / 2
    return value, slope * np.sign(x)


def _stiffness(coefficients: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the mean squared second difference of neighbouring control points, and its derivative."""
    total, gradient = 0.0, np.zeros_like(coefficients)
    for axis in (1, 2, 3):
        c = np.moveaxis(coefficients, axis, 0)
        bend = c[2:] - 2 * c[1:-1] + c[:-2]
        total += float((bend**2).mean())
        g = np.moveaxis(gradient, axis, 0)
        scaled = 2 * bend / bend.size
        g[2:] += scaled
        g[1:-1] -= 2 * scaled
        g[:-2] += scaled
    return total, gradient


def _along_axes(array: np.ndarray, matrices: tuple[np.ndarray, ...]) -> np.ndarray:
    """Multiply the last three axes by one matrix each.

    Plain einsum: matrices this small lose more by BLAS threads than they win.
    """
    for axis, letters in enumerate(("cijk,zi->czjk", "cijk,yj->ciyk", "cijk,xk->cijx")):
        array = np.einsum(letters, array, matrices[axis])
    return array


def _basis(grid: sitk.Image, domain: sitk.Image, mesh: np.ndarray) -> _Basis:
    """Return the splines of a mesh over the domain's box at the voxels of a grid with the same axes."""
    direction = np.array(domain.GetDirection()).reshape(3, 3)
    first = (np.array(grid.GetOrigin()) - np.array(domain.GetOrigin())) @ direction + domain.GetSpacing()[0] / 2
    extent = np.array(domain.GetSize()) * domain.GetSpacing()[0]
    matrices = []
    for axis in (2, 1, 0):
        place = first[axis] + np.arange(grid.GetSize()[axis]) * grid.GetSpacing()[axis]
        # Control point k lies at mesh position k - 1: ITK puts one before and one after the box, and one more.
        position = place / extent[axis] * mesh[axis]
        matrices.append(_cubic(position[:, None] - (np.arange(mesh[axis] + 3) - 1))[0])
    z, y, x = matrices
    return _Basis((z, y, x))


def _transform(coefficients: np.ndarray, domain: sitk.Image, mesh: np.ndarray) -> sitk.BSplineTransform:
    """Return coefficients along the grid's (z, y, x) axes as a transform in LPS."""
    direction = np.array(domain.GetDirection()).reshape(3, 3)
    along = np.einsum("ij,jzyx->izyx", direction, coefficients[::-1])
    half = domain.GetSpacing()[0] / 2
    spline = sitk.BSplineTransform(3, 3)
    spline.SetTransformDomainOrigin((np.array(domain.GetOrigin()) - direction @ np.full(3, half)).tolist())
    spline.SetTransformDomainPhysicalDimensions((np.array(domain.GetSize()) * domain.GetSpacing()[0]).tolist())
    spline.SetTransformDomainDirection(domain.GetDirection())
    spline.SetTransformDomainMeshSize([int(n) for n in mesh])
    spline.SetParameters(along.ravel().tolist())
    return spline


def _refit(spline: sitk.BSplineTransform, grid: sitk.Image, domain: sitk.Image, basis: _Basis) -> np.ndarray:
    """Return the coefficients on a finer mesh that come closest to a coarser deformation."""
    field = sitk.TransformToDisplacementField(
        spline, sitk.sitkVectorFloat64, grid.GetSize(), grid.GetOrigin(), grid.GetSpacing(), grid.GetDirection()
    )
    direction = np.array(domain.GetDirection()).reshape(3, 3)
    wanted = np.einsum("ji,zyxj->izyx", direction, sitk.GetArrayFromImage(field))[::-1]
    z, y, x = (np.linalg.pinv(m) for m in basis.matrices)
    return _along_axes(np.ascontiguousarray(wanted), (z, y, x))


def _regrid(image: sitk.Image, edge: float, margin: float) -> sitk.Image:
    """Return an empty grid over the box of an image, wider by whole voxels of ``edge`` on every side."""
    ratio = np.array(image.GetSpacing()) / edge
    room = int(np.ceil(margin / edge))
    size = np.maximum(np.ceil(np.array(image.GetSize()) * ratio).astype(int), 4) + 2 * room
    grid = sitk.Image(size.tolist(), sitk.sitkUInt8)
    grid.SetSpacing([edge] * 3)
    grid.SetDirection(image.GetDirection())
    grid.SetOrigin(image.TransformContinuousIndexToPhysicalPoint(((0.5 - room) / ratio - 0.5).tolist()))
    return grid


def _seen(image: sitk.Image, transform: sitk.Transform, grid: sitk.Image, edge: float) -> np.ndarray:
    """Return an image on a grid, smoothed to its voxels, float64; beyond the image it is as air."""
    finest = min(image.GetSpacing())
    if edge > finest:
        image = sitk.SmoothingRecursiveGaussian(image, 0.4 * edge)
    low = float(sitk.GetArrayViewFromImage(image).min())
    return sitk.GetArrayFromImage(sitk.Resample(image, grid, transform, sitk.sitkLinear, low)).astype(float)
