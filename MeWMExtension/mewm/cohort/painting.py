"""An abdomen sampled on a grid as a noise-free contrast CT."""

from __future__ import annotations

import numpy as np

from mewm.cohort.anatomy import Abdomen
from mewm.cohort.shapes import Grid, Points, blend, coverage
from mewm.cohort.vessels import paint_tree
from mewm.random_field import smooth_field


def paint_abdomen(abdomen: Abdomen, grid: Grid, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Sample an abdomen.

    Args:
        abdomen: the patient.
        grid: where to sample, in the patient frame.
        rng: source of textures and surface ripples.

    Returns:
        CT before the scanner's blur and noise, float32 HU, and the distance in mm to the liver's surface,
        positive inside; both (z, y, x).
    """
    points = grid.points()
    soft = 0.8 * grid.spacing
    wall = abdomen.wall_distance(points)
    wall = np.ascontiguousarray(np.broadcast_to(wall, grid.shape), dtype=np.float32)
    inner = wall - np.float32(abdomen.wall_mm)
    strands = smooth_field(rng, grid.shape, 4.5 / grid.spacing)
    liver = abdomen.liver_distance(points, wall).astype(np.float32)
    liver += smooth_field(rng, grid.shape, 20 / grid.spacing) * np.float32(2.0)
    liver += smooth_field(rng, grid.shape, 6 / grid.spacing) * np.float32(abdomen.nodularity_mm)
    np.minimum(liver, inner - 0.5, out=liver)
    ct = _body_wall(abdomen, wall, points, soft)
    _cavity(abdomen, ct, inner, liver, points, strands, soft)
    _organs(abdomen, ct, inner, grid, strands, soft)
    _midline(abdomen, ct, grid, soft)
    texture = smooth_field(rng, grid.shape, 9 / grid.spacing) * np.float32(abdomen.parameters.liver_texture_hu)
    blend(ct, np.float32(abdomen.hu["liver"]) + texture, coverage(liver, soft))
    _vessels(abdomen, ct, grid, liver)
    return ct, liver


def _body_wall(abdomen: Abdomen, wall: np.ndarray, points: Points, soft: float) -> np.ndarray:
    """Air, skin, subcutaneous fat, muscle and ribs; fat fills the cavity."""
    hu, s = abdomen.hu, abdomen.scale
    depth = [-abdomen.fat_mm - 2, -abdomen.fat_mm, -abdomen.fat_mm + 2, -1, 1]
    depth += [abdomen.wall_mm - 1, abdomen.wall_mm + 1]
    layers = [-1000, 30, hu["fat"], hu["fat"], hu["muscle"], hu["muscle"], hu["fat"]]
    ct = np.interp(wall.ravel(), depth, layers).astype(np.float32).reshape(wall.shape)
    if wall.min() > abdomen.wall_mm:
        return ct
    x, y, z = points
    # Ribs run downwards from the spine to the front.
    along = np.mod(z + 0.42 * (y - 60 * s) + abdomen.rib_shift_mm, 27 * s) - 13.5 * s
    rib = (1 - np.sqrt((along / 6.2) ** 2 + ((wall - 0.52 * abdomen.wall_mm) / 3.9) ** 2)) * 3.9
    rib = np.minimum(rib, np.minimum(z + 105 - 0.4 * y, np.abs(x) + y * 0.5 - 22))
    blend(ct, hu["cortex"], coverage(rib, soft))
    blend(ct, hu["marrow"], coverage(rib - 1.7, soft))
    return ct


def _cavity(
    abdomen: Abdomen,
    ct: np.ndarray,
    inner: np.ndarray,
    liver: np.ndarray,
    points: Points,
    strands: np.ndarray,
    soft: float,
) -> None:
    """Strands in the fat, bowel below the liver, the diaphragm and the lung above it."""
    x, y, z = points
    s = abdomen.scale
    ct += strands * np.float32(8) * (inner > 1)
    left_dome = np.sqrt(((x - 78 * s) / (80 * s)) ** 2 + (y / (96 * s)) ** 2 + ((z - 20 * s) / (74 * s)) ** 2)
    recess = -z - 18 * s - 0.35 * y
    below = np.maximum(np.maximum(liver + 2.5, (1 - left_dome) * 74 * s), recess)
    if below.min() < 3:
        blend(ct, abdomen.hu["muscle"], coverage(np.minimum(inner, 2.5 - below), soft))
        blend(ct, strands * 40 - 860, coverage(np.minimum(inner, -below), soft))
    bowel = np.minimum(np.minimum(-liver - 5, -34 * s - z + 0.25 * x), inner - 3)
    if bowel.max() > 0:
        loops = np.minimum(bowel, np.abs(strands) * 7 - 3.5)
        blend(ct, 55 + 18 * strands, coverage(loops, soft))


def _organs(abdomen: Abdomen, ct: np.ndarray, inner: np.ndarray, grid: Grid, strands: np.ndarray, soft: float) -> None:
    """The solid and hollow organs that the grid reaches."""
    hu = abdomen.hu
    for name, organ in abdomen.organs.items():
        box = None if name.endswith("lobe") else organ.box(grid)
        if box is None:
            continue
        points, part, texture = grid.points(box), ct[box], strands[box]
        d = np.minimum(organ.distance(points) + texture * 1.2, inner[box] - 1)
        if name.endswith("kidney"):
            blend(part, hu["kidney_cortex"], coverage(d, soft))
            blend(part, hu["kidney_medulla"], coverage(d - 7 + 2 * texture, soft))
            blend(part, -60, coverage(d - 18, soft))
        elif name in ("stomach", "colon"):
            level = points[1] - (abdomen.gas_level_mm if name == "stomach" else organ.centre[1])
            blend(part, hu["muscle"] + 20, coverage(d, soft))
            blend(part, 22 + 12 * texture, coverage(d - 3.5, soft))
            blend(part, -940, coverage(np.minimum(d - 3.5, -level), soft))
        elif name == "gallbladder":
            blend(part, hu["muscle"] + 10, coverage(d + 1.0, soft))
            blend(part, hu["bile"], coverage(d - 0.8, soft))
        elif name == "pancreas":
            blend(part, hu["pancreas"] - 14 * np.abs(texture), coverage(d, soft))
        else:
            blend(part, hu.get(name, hu["muscle"] + 15), coverage(d, soft))


def _midline(abdomen: Abdomen, ct: np.ndarray, grid: Grid, soft: float) -> None:
    """Spine, paraspinal muscle, aorta and inferior vena cava."""
    hu, s = abdomen.hu, abdomen.scale
    x, y, z = grid.points()
    if x.min() > 80 * s or x.max() < -80 * s or y.max() < 20 * s:
        return
    for side in (-1, 1):
        muscle = 19 * s - np.hypot((x - side * 32 * s) / 1.3, y - 94 * s)
        blend(ct, hu["muscle"], coverage(muscle, soft))
    body = 20 * s - np.hypot(x / 1.12, y - 68 * s)
    disc = np.abs(np.mod(z, 34 * s) - 17 * s) > 13.5 * s
    blend(ct, np.where(disc, 85.0, hu["cortex"] * 0.6), coverage(body, soft))
    blend(ct, np.where(disc, 85.0, hu["marrow"]), coverage(body - 1.6, soft))
    arch = 12 * s - np.minimum(np.hypot(x, y - 97 * s), np.hypot(x / 1.6, y - 112 * s) + 4)
    blend(ct, hu["cortex"] * 0.7, coverage(arch, soft))
    blend(ct, 35.0, coverage(8 * s - np.hypot(x, y - 95 * s), soft))
    blend(ct, hu["aorta"], coverage(11 * s - np.hypot(x - 10 * s, y - 40 * s), soft))
    blend(ct, hu["cava"], coverage(11 * s - np.hypot((x + 22 * s) / 1.25, y - 36 * s), soft))


def _vessels(abdomen: Abdomen, ct: np.ndarray, grid: Grid, liver: np.ndarray) -> None:
    """Hepatic veins, portal branches and, in the arterial phase, arteries along the portal branches."""
    p = abdomen.parameters
    trunk = p.vessel_trunk_radius_mm * abdomen.scale
    trees = [(abdomen.hepatic, "hepatic_vein", trunk), (abdomen.portal, "portal_vein", trunk)]
    if abdomen.phase == "arterial":
        trees.append((abdomen.portal, "hepatic_artery", trunk * p.artery_radius_share))
    near = coverage(liver + 4, 2.0)
    for tree, name, radius in trees:
        blend(ct, abdomen.hu[name], paint_tree(tree, grid, radius) * near)
