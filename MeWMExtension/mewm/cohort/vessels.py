"""Branching vessel trees that fill an organ, and their tubes on a grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from mewm.cohort.shapes import Grid


@dataclass(frozen=True)
class VesselTree:
    """Straight segments of a vessel tree that taper from start to end.

    Attributes:
        start, end: end points in mm, (n, 3) in (x, y, z).
        calibre: radius at the start and at the end relative to the trunk, (n, 2), in (0, 1].
    """

    start: np.ndarray
    end: np.ndarray
    calibre: np.ndarray


# A branch leaves its parent with at most this multiple of its own calibre, and a twig ends with this share of it.
_FLARE = 1.3
_TIP = 0.35
# Points between its ends that bend a branch.
_BENDS = 1


def grow_tree(rng: np.random.Generator, root: np.ndarray, terminals: np.ndarray) -> VesselTree:
    """Connect every terminal to the tree grown so far, nearest to the root first.

    Radii follow Murray's law: the cube of the parent's radius is the sum of its children's cubes
    (Murray, PNAS 1926 12:207, doi 10.1073/pnas.12.3.207). A branch leaves in the direction of its parent and bends
    towards its end, and narrows on the way from one fork to the next.

    Args:
        rng: source of the wiggle of the branches.
        root: where the trunk enters, (3,) mm.
        terminals: where the branches end, (n, 3) mm.
    """
    ordered = terminals[np.argsort(np.linalg.norm(terminals - root, axis=1))]
    count = 1 + (_BENDS + 1) * len(ordered)
    nodes, away = np.empty((count, 3)), np.zeros(count)
    parent = np.full(count, -1)
    nodes[0] = root
    used = 1
    t = np.arange(1, _BENDS + 2)[:, None] / (_BENDS + 1)
    leave, turn, arrive = (1 - t) ** 2, 2 * t * (1 - t), t**2
    for target, wiggle in zip(ordered, rng.normal(0, 0.04, (len(ordered), _BENDS, 3)), strict=True):
        known = nodes[:used]
        offset = known - target
        reach = np.sqrt(np.einsum("ij,ij->i", offset, offset))
        # A branch that turns back towards the root looks wrong: prefer nodes on the way.
        at = int(np.argmin(reach + 0.25 * away[:used]))
        heading = nodes[at] - nodes[parent[at]] if at else target - root
        heading = heading * (reach[at] / max(float(np.linalg.norm(heading)), 1e-6))
        # A quadratic curve whose first leg follows the parent for a while.
        bend = nodes[at] + 0.25 * heading + 0.25 * (target - nodes[at])
        branch = leave * nodes[at] + turn * bend + arrive * target
        branch[:-1] += wiggle * reach[at]
        nodes[used : used + _BENDS + 1] = branch
        parent[used : used + _BENDS + 1] = (at, *range(used, used + _BENDS))
        away[used : used + _BENDS + 1] = np.sqrt(((branch - root) ** 2).sum(axis=1))
        used += _BENDS + 1
    flow = np.zeros(count)
    flow[_BENDS + 1 :: _BENDS + 1] = 1.0
    for k in range(count - 1, 0, -1):
        flow[parent[k]] += flow[k]
    own = (flow / flow[1:].max()) ** (1 / 3)
    before = np.where(parent[1:] > 0, own[parent[1:]], own[1:])
    begin = np.minimum(before, _FLARE * own[1:])
    finish = np.where(np.isin(np.arange(1, count), parent), own[1:], _TIP * own[1:])
    return VesselTree(nodes[parent[1:]], nodes[1:], np.stack([np.minimum(begin, 1.0), finish], axis=1))


def paint_tree(tree: VesselTree, grid: Grid, trunk_radius: float) -> np.ndarray:
    """Return the coverage of each voxel by the tree's tubes, float32 in [0, 1], shape (z, y, x).

    Args:
        tree: segments in mm.
        grid: where to sample.
        trunk_radius: radius of calibre one, mm.
    """
    coverage = np.zeros((grid.size,) * 3, dtype=np.float32)
    origin = np.array(grid.origin)
    start, end = (tree.start - origin) / grid.spacing, (tree.end - origin) / grid.spacing
    radius = (tree.calibre * (trunk_radius / grid.spacing)).astype(np.float32)
    widest = np.maximum(radius.max(axis=1), 0.5)[:, None]
    low = np.floor(np.minimum(start, end) - widest).astype(int)
    high = np.ceil(np.maximum(start, end) + widest).astype(int) + 1
    near = np.all((high > 0) & (low < grid.size), axis=1) & (radius[:, 0] > 0.2)
    for k in np.flatnonzero(near):
        lo, hi = np.maximum(low[k], 0), np.minimum(high[k], grid.size)
        x, y, z = (np.arange(a, b, dtype=np.float32) - s for a, b, s in zip(lo, hi, start[k], strict=True))
        d = (end[k] - start[k]).astype(np.float32)
        px, py, pz = x[None, None, :], y[None, :, None], z[:, None, None]
        t = np.clip((px * d[0] + py * d[1] + pz * d[2]) / max(float(d @ d), 1e-6), 0, 1)
        gap = np.sqrt((px - t * d[0]) ** 2 + (py - t * d[1]) ** 2 + (pz - t * d[2]) ** 2)
        r = radius[k, 0] + t * (radius[k, 1] - radius[k, 0])
        # A vessel thinner than a voxel dims instead of vanishing.
        dim = np.minimum(1.0, (2 * r) ** 2)
        tube = np.clip(np.maximum(r, 0.5) - gap + 0.5, 0, 1) * dim
        part = coverage[lo[2] : hi[2], lo[1] : hi[1], lo[0] : hi[0]]
        np.maximum(part, tube, out=part)
    return coverage
