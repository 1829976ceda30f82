"""Branching vessel trees that fill an organ, and their tubes on a grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from mewm.cohort.shapes import Grid


@dataclass(frozen=True)
class VesselTree:
    """Straight segments of a vessel tree.

    Attributes:
        start, end: end points in mm, (n, 3) in (x, y, z).
        calibre: radius relative to the trunk, (n,), in (0, 1].
    """

    start: np.ndarray
    end: np.ndarray
    calibre: np.ndarray


def grow_tree(rng: np.random.Generator, root: np.ndarray, terminals: np.ndarray) -> VesselTree:
    """Connect every terminal to the tree grown so far, nearest to the root first.

    Radii follow Murray's law: the cube of the parent's radius is the sum of its children's cubes
    (Murray, PNAS 1926 12:207, doi 10.1073/pnas.12.3.207).

    Args:
        rng: source of the wiggle of the branches.
        root: where the trunk enters, (3,) mm.
        terminals: where the branches end, (n, 3) mm.
    """
    order = np.argsort(np.linalg.norm(terminals - root, axis=1))
    nodes, parent = [np.asarray(root, dtype=float)], [-1]
    for target in terminals[order]:
        known = np.array(nodes)
        reach = np.linalg.norm(known - target, axis=1)
        # A branch that turns back towards the root looks wrong: prefer nodes on the way.
        back = np.linalg.norm(known - root, axis=1)
        at = int(np.argmin(reach + 0.25 * back))
        middle = 0.5 * (known[at] + target) + rng.normal(0, 0.05 * reach[at], 3)
        nodes += [middle, target]
        parent += [at, len(nodes) - 2]
    flow = np.zeros(len(nodes))
    flow[2::2] = 1.0
    for k in range(len(nodes) - 1, 0, -1):
        flow[parent[k]] += flow[k]
    points = np.array(nodes)
    return VesselTree(points[parent[1:]], points[1:], (flow[1:] / flow[1:].max()) ** (1 / 3))


def paint_tree(tree: VesselTree, grid: Grid, trunk_radius: float) -> np.ndarray:
    """Return the coverage of each voxel by the tree's tubes, float32 in [0, 1], shape (z, y, x).

    Args:
        tree: segments in mm.
        grid: where to sample.
        trunk_radius: radius of a segment of calibre one, mm.
    """
    coverage = np.zeros((grid.size,) * 3, dtype=np.float32)
    origin = np.array(grid.origin)
    start, end = (tree.start - origin) / grid.spacing, (tree.end - origin) / grid.spacing
    radius = tree.calibre * trunk_radius / grid.spacing
    low = np.floor(np.minimum(start, end) - radius[:, None] - 1).astype(int)
    high = np.ceil(np.maximum(start, end) + radius[:, None] + 2).astype(int)
    near = np.all((high > 0) & (low < grid.size), axis=1) & (radius > 0.12)
    for k in np.flatnonzero(near):
        lo, hi = np.maximum(low[k], 0), np.minimum(high[k], grid.size)
        x, y, z = (np.arange(a, b, dtype=np.float32) - s for a, b, s in zip(lo, hi, start[k], strict=True))
        d = (end[k] - start[k]).astype(np.float32)
        px, py, pz = x[None, None, :], y[None, :, None], z[:, None, None]
        t = np.clip((px * d[0] + py * d[1] + pz * d[2]) / max(float(d @ d), 1e-6), 0, 1)
        gap = np.sqrt((px - t * d[0]) ** 2 + (py - t * d[1]) ** 2 + (pz - t * d[2]) ** 2)
        # A vessel thinner than a voxel dims instead of vanishing.
        r = max(radius[k], 0.5)
        tube = np.clip(r - gap + 0.5, 0, 1) * np.float32(min(1.0, (radius[k] / 0.5) ** 2))
        part = coverage[lo[2] : hi[2], lo[1] : hi[1], lo[0] : hi[0]]
        np.maximum(part, tube, out=part)
    return coverage
