"""Smooth shapes in millimetres and how they are painted on a grid with partial volume at their edges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Points = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Coordinates x, y, z in mm (LPS) that broadcast against each other."""
Box = tuple[slice, slice, slice]


@dataclass(frozen=True)
class Grid:
    """Cubic sampling grid: isotropic voxels, axes along LPS.

    Attributes:
        origin: centre of voxel ``[0, 0, 0]`` in mm, (x, y, z).
        spacing: edge of a voxel in mm.
        size: voxels along each edge.
    """

    origin: tuple[float, float, float]
    spacing: float
    size: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels in (z, y, x)."""
        return (self.size, self.size, self.size)

    def points(self, box: Box | None = None) -> Points:
        """Return open coordinate grids along (x, y, z), float32 mm, that broadcast to (z, y, x)."""
        axes = [np.float32(o) + np.arange(self.size, dtype=np.float32) * self.spacing for o in self.origin]
        if box is not None:
            axes = [axis[s] for axis, s in zip(axes, box[::-1], strict=True)]
        x, y, z = axes
        return x[None, None, :], y[None, :, None], z[:, None, None]


@dataclass(frozen=True)
class Ellipsoid:
    """A solid: centre and semi-axes in mm, (x, y, z)."""

    centre: tuple[float, float, float]
    semi: tuple[float, float, float]

    def distance(self, points: Points) -> np.ndarray:
        """Return about the distance to the surface in mm, positive inside."""
        a, b, c = ((p - m) ** 2 / s**2 for p, m, s in zip(points, self.centre, self.semi, strict=True))
        return (1 - np.sqrt(a + b + c)) * np.float32(min(self.semi))

    def box(self, grid: Grid, margin: float = 4.0) -> Box | None:
        """Return the (z, y, x) slices of ``grid`` it touches, or ``None`` if it lies outside."""
        box = []
        for m, s, o in zip(self.centre[::-1], self.semi[::-1], grid.origin[::-1], strict=True):
            low = max(int(np.floor((m - s - margin - o) / grid.spacing)), 0)
            high = min(int(np.ceil((m + s + margin - o) / grid.spacing)) + 1, grid.size)
            if low >= high:
                return None
            box.append(slice(low, high))
        return box[0], box[1], box[2]


def smooth_union(a: np.ndarray, b: np.ndarray, round_mm: float) -> np.ndarray:
    """Union of two distance fields with its crease rounded over ``round_mm``."""
    h = np.clip(0.5 + (a - b) / (2 * round_mm), 0, 1)
    return b + (a - b) * h + round_mm * h * (1 - h)


def smooth_cut(a: np.ndarray, b: np.ndarray, round_mm: float) -> np.ndarray:
    """Intersection of two distance fields with its edge rounded over ``round_mm``."""
    return -smooth_union(-a, -b, round_mm)


def coverage(distance: np.ndarray, soft_mm: float) -> np.ndarray:
    """Share of a voxel inside a shape: linear over ``2 * soft_mm`` across its surface."""
    return np.clip(distance * np.float32(0.5 / soft_mm) + np.float32(0.5), 0, 1)


def blend(ct: np.ndarray, hu: np.ndarray | float, share: np.ndarray) -> None:
    """Mix ``hu`` into ``ct`` in place by the share of each voxel."""
    ct += (np.asarray(hu, dtype=np.float32) - ct) * share
