"""A hepatocellular carcinoma with a visible phenotype, placed in a liver and painted on its CT."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage, spatial

from mewm.cohort.anatomy import Abdomen
from mewm.cohort.parameters import LesionParameters
from mewm.cohort.shapes import Ellipsoid, Grid, Points, blend, coverage
from mewm.cohort.vessels import paint_tree
from mewm.random_field import smooth_field


@dataclass(frozen=True)
class LesionPhenotype:
    """What a lesion looks like, drawn before it is painted.

    Attributes:
        diameter_mm: longest axial diameter that was aimed at.
        semi_mm: semi-axes of the underlying ellipsoid, (x, y, z).
        vascularity: arterial enhancement, 0 (hypovascular) to 1.
        necrotic_fraction: share of the lesion that is a non-enhancing core.
        capsule: strength of an enhancing capsule, 0 to 1.
        heterogeneity: strength of the mosaic of nodules, 0 to 1.
        infiltration: raggedness of the margin, 0 (pushing border) to 1.
        shunt: ``"none"``, ``"mild"`` or ``"severe"`` arterioportal shunt.
    """

    diameter_mm: float
    semi_mm: tuple[float, float, float]
    vascularity: float
    necrotic_fraction: float
    capsule: float
    heterogeneity: float
    infiltration: float
    shunt: str


def draw_phenotype(rng: np.random.Generator, parameters: LesionParameters) -> LesionPhenotype:
    """Draw a phenotype; large lesions are more often necrotic, uneven and infiltrative."""
    p = parameters
    low, high = p.diameter_cm_range
    while not low <= (cm := float(np.exp(rng.normal(*p.log_diameter_cm)))) <= high:
        pass
    large = np.log(cm / np.exp(p.log_diameter_cm[0]))
    vascularity = float(rng.beta(*p.vascularity_beta))
    mosaic = rng.random() < p.mosaic_share
    heterogeneity = float(np.clip(rng.beta(2.5, 2.5) + 0.12 * large, 0.05, 1)) * (1.0 if mosaic else 0.25)
    necrotic = rng.random() < 1 / (1 + np.exp(-(p.necrosis_logit[0] + p.necrosis_logit[1] * large)))
    shunt = rng.random()
    half = cm * 5.0
    shape = rng.uniform(*p.axis_ratio, size=2)
    order = rng.permutation(2)
    axial = np.array([1.0, shape[0]])[order]
    semi = (float(half * axial[0]), float(half * axial[1]), float(half * shape[1]))
    return LesionPhenotype(
        diameter_mm=10 * cm,
        semi_mm=semi,
        vascularity=vascularity,
        necrotic_fraction=float(rng.beta(1.6, 4.5)) if necrotic else 0.0,
        capsule=float(rng.uniform(0.4, 1.0)) if rng.random() < p.capsule_share else 0.0,
        heterogeneity=heterogeneity,
        infiltration=float(np.clip(rng.beta(1.5, 3.5) + 0.1 * large, 0, 1)),
        shunt="severe" if shunt < p.severe_shunt_share else "mild" if shunt < p.any_shunt_share else "none",
    )


def place_lesion(rng: np.random.Generator, abdomen: Abdomen, phenotype: LesionPhenotype) -> np.ndarray:
    """Return a centre in the patient frame, (3,) mm, deep enough in the liver for the lesion's size.

    A lesion may reach and bulge the liver's surface; one that is larger than the liver is deep goes to one of
    the deepest places.
    """
    points = rng.uniform((-165, -105, -90), (90, 100, 100), size=(1500, 3)) * abdomen.scale
    depth = abdomen.liver_distance((points[:, 0], points[:, 1], points[:, 2]))
    wanted = min(phenotype.semi_mm) * rng.uniform(0.5, 1.2)
    # The approximate distances saturate in the middle of the liver.
    enough = depth >= min(wanted, float(np.quantile(depth, 0.985)))
    return points[int(rng.choice(np.flatnonzero(enough)))]


def paint_lesion(
    ct: np.ndarray,
    liver: np.ndarray,
    abdomen: Abdomen,
    phenotype: LesionPhenotype,
    centre: np.ndarray,
    grid: Grid,
    parameters: LesionParameters,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Paint a lesion into a noise-free CT.

    Args:
        ct: CT of the abdomen, float32 HU (z, y, x); changed in place.
        liver: distance to the liver's surface in mm, positive inside.
        abdomen: the patient.
        phenotype: what to paint.
        centre: centre of the lesion, (3,) mm.
        grid: sampling of ``ct``.
        parameters: attenuation of tumour tissue.
        rng: source of its shape and texture.

    Returns:
        The lesion and the liver including it, bool (z, y, x).
    """
    solid = Ellipsoid((float(centre[0]), float(centre[1]), float(centre[2])), phenotype.semi_mm)
    if phenotype.shunt != "none":
        _paint_shunt(ct, liver, solid, abdomen, phenotype, grid, rng)
    reach = 0.3 * max(phenotype.semi_mm) + 6.0
    box = solid.box(grid, reach)
    if box is None:
        raise ValueError("the lesion lies outside the grid")
    points = grid.points(box)
    inner = abdomen.wall_distance(points) - abdomen.wall_mm
    d = np.minimum(_distance(phenotype, points, centre, grid.spacing, rng), inner - 1.0).astype(np.float32)
    inside = _largest_part(d > 0)
    d = np.where(inside, d, np.minimum(d, -0.4 * grid.spacing))
    part = ct[box]
    sign = 1.0 if abdomen.phase == "portal" else -1.0
    tissue = _tissue(phenotype, abdomen, parameters, d, inside, grid, rng)
    soft = 0.8 * grid.spacing + 2.2 * phenotype.infiltration
    blend(part, tissue, coverage(d, soft))
    if phenotype.capsule:
        rim = np.clip(1 - np.abs(d - 0.3) / 1.4, 0, 1) * np.float32(phenotype.capsule)
        broken = np.clip(smooth_field(rng, d.shape, 9 / grid.spacing) + 1.2, 0, 1)
        blend(part, abdomen.hu["liver"] + sign * parameters.capsule_hu, rim * broken * (liver[box] > -3))
    mask, organ = np.zeros(grid.shape, dtype=bool), liver > 0
    mask[box] = inside
    organ[box] |= d > -1.5
    return mask, organ


def _distance(
    phenotype: LesionPhenotype, points: Points, centre: np.ndarray, spacing: float, rng: np.random.Generator
) -> np.ndarray:
    """Signed distance in mm to the lesion's surface, positive inside, float32."""
    turn = spatial.transform.Rotation.from_euler("z", rng.uniform(-30, 30), degrees=True).as_matrix()
    offset = [p - np.float32(c) for p, c in zip(points, centre, strict=True)]
    q2 = 0.0
    for row, semi in zip(turn.astype(np.float32), phenotype.semi_mm, strict=True):
        q2 = q2 + ((row[0] * offset[0] + row[1] * offset[1] + row[2] * offset[2]) / np.float32(semi)) ** 2
    size = min(phenotype.semi_mm)
    distance = (1 - np.sqrt(q2)) * np.float32(size)
    distance += smooth_field(rng, distance.shape, 0.45 * size / spacing) * np.float32(0.08 * size)
    ragged = 0.25 + 1.6 * phenotype.infiltration
    distance += smooth_field(rng, distance.shape, 3.0 / spacing) * np.float32(min(ragged, 0.15 * size))
    return distance


def _tissue(
    phenotype: LesionPhenotype,
    abdomen: Abdomen,
    parameters: LesionParameters,
    distance: np.ndarray,
    mask: np.ndarray,
    grid: Grid,
    rng: np.random.Generator,
) -> np.ndarray:
    """Attenuation of the lesion's tissue on its box, float32 HU."""
    p = parameters
    if abdomen.phase == "arterial":
        base = p.unenhanced_hu + p.arterial_gain_hu * phenotype.vascularity + rng.normal(0, 6)
    else:
        washout = rng.normal(*p.washout_hu) - p.washout_by_vascularity * (phenotype.vascularity - 0.65)
        # The lesion was outlined, so it was seen: no lesion is exactly isodense.
        base = abdomen.hu["liver"] - np.copysign(max(abs(washout), p.least_contrast_hu), washout)
    spread = p.mosaic_hu * phenotype.heterogeneity * (1.0 if abdomen.phase == "portal" else 1.5)
    texture = smooth_field(rng, mask.shape, 2.0 / grid.spacing) * 3.0
    tissue = np.float32(base) + texture + _mosaic(phenotype, mask, grid, rng) * np.float32(spread)
    if phenotype.necrotic_fraction:
        depth = distance / max(float(distance.max()), 1.0)
        # The larger the lesion, the larger the lobes of its core.
        lobes = max(5.0, 0.11 * phenotype.diameter_mm)
        field = depth + 0.30 * smooth_field(rng, mask.shape, lobes / grid.spacing)
        field += 0.06 * smooth_field(rng, mask.shape, 3.0 / grid.spacing)
        level = float(np.quantile(field[mask], 1 - phenotype.necrotic_fraction))
        core = coverage((field - level) * min(phenotype.semi_mm), 3.0)
        debris = smooth_field(rng, mask.shape, 4.0 / grid.spacing) * np.float32(p.necrosis_uneven_hu)
        blend(tissue, np.float32(rng.normal(*p.necrosis_hu)) + debris, core)
    return tissue


def _mosaic(phenotype: LesionPhenotype, mask: np.ndarray, grid: Grid, rng: np.random.Generator) -> np.ndarray:
    """Nodules of different attenuation divided by dark septa, about unit variance, 0 outside the lesion."""
    voxels = np.argwhere(mask)
    count = int(np.clip((phenotype.diameter_mm / 11) ** 2.2, 3, 90))
    seeds = voxels[rng.choice(len(voxels), count)] + rng.uniform(-0.5, 0.5, (count, 3))
    wobble = np.stack([smooth_field(rng, mask.shape, 3.0 / grid.spacing)[mask] for _ in range(3)], axis=1)
    near, index = spatial.cKDTree(seeds).query(voxels + wobble * (1.3 / grid.spacing), k=2)
    values = rng.standard_normal(count)[index[:, 0]]
    septum = np.clip(1 - (near[:, 1] - near[:, 0]) * grid.spacing / 2.2, 0, 1)
    field = np.zeros(mask.shape, dtype=np.float32)
    field[mask] = values * (1 - septum) - 1.1 * septum
    return ndimage.gaussian_filter(field, 0.8 / grid.spacing)


def _paint_shunt(
    ct: np.ndarray,
    liver: np.ndarray,
    solid: Ellipsoid,
    abdomen: Abdomen,
    phenotype: LesionPhenotype,
    grid: Grid,
    rng: np.random.Generator,
) -> None:
    """Early filling of portal branches near the lesion and a wedge of brighter liver (arterial phase)."""
    grade = 1.0 if phenotype.shunt == "severe" else 0.5
    if abdomen.phase == "portal":
        grade *= 0.25
    near = np.exp(np.minimum(solid.distance(grid.points()), 0) / np.float32(18.0)) * (liver > 0)
    wedge = coverage(smooth_field(rng, grid.shape, 14 / grid.spacing) * 10, 6.0)
    ct += near * wedge * np.float32(28 * grade)
    trunk = abdomen.parameters.vessel_trunk_radius_mm * abdomen.scale
    blend(ct, abdomen.hu["aorta"], paint_tree(abdomen.portal, grid, trunk) * near * np.float32(grade))


def _largest_part(mask: np.ndarray) -> np.ndarray:
    """The largest connected part of a mask, so that a lesion is one lesion."""
    labels, count = ndimage.label(mask)
    if count <= 1:
        return mask
    return labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))
