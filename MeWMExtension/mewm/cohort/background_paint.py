"""A simulated lesion in a real CT: the lesion's tissue in the scan's own noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
from scipy import ndimage

from mewm.cohort.background import Background, Scan, choose_place, cut_background
from mewm.cohort.fields import scanner_blur, scanner_noise
from mewm.cohort.lesion import LesionPhenotype, paint_lesion
from mewm.cohort.shapes import Grid, Points
from mewm.cohort.vessels import VesselTree, grow_tree

if TYPE_CHECKING:
    from mewm.cohort.anatomy import Abdomen
    from mewm.cohort.parameters import AnatomyParameters, CohortParameters

BULGE_SHARE = 0.1
"""A lesion may bulge the liver's surface by this share of its diameter: assumption."""
_SMOOTH_MM = 2.0
"""What is smoother than this is anatomy, what is finer is noise."""
_CLIP_SD = 2.0
_PLANE_BLUR = 0.45
"""Standard deviation of a scan's blur in the slice as a share of its voxel, about that of linear interpolation."""
_TERMINALS = 200


@dataclass(frozen=True, eq=False)
class PaintedPatient:
    """A patient before treatment on the model grid.

    Attributes:
        background: name of the scan.
        phase: its contrast phase.
        grid: the model grid, in the scan's LPS.
        ct: Hounsfield units, float32 (z, y, x), with the scan's noise.
        lesion: the simulated lesion, bool.
        liver: the liver with it, bool.
    """

    background: str
    phase: str
    grid: Grid
    ct: np.ndarray
    lesion: np.ndarray
    liver: np.ndarray


class ScannedAbdomen:
    """A real scan in the place of :class:`mewm.cohort.anatomy.Abdomen` when a lesion is painted.

    Args:
        background: the scan.
        distance: mm to the liver's surface on the grid, positive inside.
        grid: the model grid.
        bulge_mm: how far a lesion may reach beyond the liver.
        parameters: enhancement of the vessels.
        rng: source of the portal tree along which a shunt is drawn.
    """

    def __init__(
        self,
        background: Background,
        distance: np.ndarray,
        grid: Grid,
        bulge_mm: float,
        parameters: AnatomyParameters,
        rng: np.random.Generator,
    ) -> None:
        # Without contrast medium a lesion is darker than the liver, as in the portal phase after washout.
        self.phase = "arterial" if background.phase == "arterial" else "portal"
        self.hu = {"liver": background.liver_hu, "aorta": parameters.hu[self.phase]["aorta"][0]}
        self.parameters = parameters
        self.scale = 1.0
        self.wall_mm = 0.0
        self._distance, self._grid, self._bulge = distance, grid, bulge_mm
        self._background, self._rng = background, rng

    @property
    def portal(self) -> VesselTree:
        """A vessel tree that fills the real liver from its middle."""
        places = self._background.places
        picked = places[self._rng.choice(len(places), min(_TERMINALS, len(places)), replace=False)]
        return grow_tree(self._rng, places.mean(axis=0), picked)

    def wall_distance(self, points: Points) -> np.ndarray:
        """Return the distance in mm inwards from where a lesion has to end, on points of the model grid."""
        index = [
            np.rint((p - np.float32(o)) / self._grid.spacing).astype(int)
            for p, o in zip(points, self._grid.origin, strict=True)
        ]
        x, y, z = index
        return self._distance[z, y, x] + np.float32(self._bulge)


def paint_on_background(
    scans: tuple[Scan, ...],
    phenotype: LesionPhenotype,
    grid_mm: float,
    size: int,
    anatomy: np.random.Generator,
    lesion: np.random.Generator,
    parameters: CohortParameters,
) -> PaintedPatient:
    """Paint a lesion into a real CT.

    Args:
        scans: the backgrounds, from :func:`mewm.cohort.background.find_scans`.
        phenotype: what to paint.
        grid_mm: edge of a voxel of the model grid.
        size: voxels of it a side.
        anatomy: source of the choice of the scan.
        lesion: source of the place, shape and texture of the lesion.
        parameters: constants of the world.

    Raises:
        InputError: a scan cannot be used.
    """
    depth = min(phenotype.semi_mm) * lesion.uniform(0.6, 1.2)
    background, centre = choose_place(scans, depth, anatomy)
    corner = [round(float(c - grid_mm * (size - 1) / 2), 3) for c in centre]
    grid = Grid((corner[0], corner[1], corner[2]), grid_mm, size)
    patch = cut_background(background, grid.origin, grid_mm, size)
    bulge = BULGE_SHARE * phenotype.diameter_mm
    abdomen = ScannedAbdomen(background, patch.liver_distance, grid, bulge, parameters.anatomy, lesion)
    # It has what the painter of lesions asks an abdomen for, though it is none that was drawn.
    canvas = cast("Abdomen", abdomen)
    # Only the change is painted in: the scan keeps its noise, and the lesion gets as much of it as the liver has.
    flat = ndimage.gaussian_filter(patch.ct, _SMOOTH_MM / grid_mm)
    noise = patch.ct - flat
    painted = flat.copy()
    mask, organ = paint_lesion(
        painted, patch.liver_distance, canvas, phenotype, centre, grid, parameters.lesion, lesion
    )
    change, weight = (_scanned(part, background, grid_mm) for part in (painted - flat, mask.astype(np.float32)))
    ct = patch.ct + change + weight * _lesion_noise(noise, patch.healthy & ~mask, mask, background, grid, lesion)
    return PaintedPatient(background.scan.name, background.phase, grid, ct, mask, organ | mask)


def _scanned(array: np.ndarray, background: Background, grid_mm: float) -> np.ndarray:
    """Blur something as sharp as it is painted by the scan's voxels."""
    return scanner_blur(array, grid_mm, background.slice_mm, max(0.6, _PLANE_BLUR * background.plane_mm))


def _lesion_noise(
    noise: np.ndarray,
    healthy: np.ndarray,
    mask: np.ndarray,
    background: Background,
    grid: Grid,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return what brings the fine structure within the lesion to the noise of healthy liver.

    Edges of the vessels that ran through the lesion's place go; noise of the scanner's spectrum fills up.
    """
    # The median of absolute deviations does not see the vessels.
    sd = float(np.median(np.abs(noise[healthy]))) * 1.4826 if healthy.any() else float(noise[mask].std())
    kept = np.clip(noise, -_CLIP_SD * sd, _CLIP_SD * sd)
    lacking = float(np.sqrt(max(sd**2 - float(kept[mask].var()), 0.0)))
    added = scanner_noise(rng, grid.shape, grid.spacing, 1.0, background.slice_mm)
    added = _scanned(added, background, grid.spacing)
    fine = added - ndimage.gaussian_filter(added, _SMOOTH_MM / grid.spacing)
    return kept - noise + fine * np.float32(lacking / max(float(fine.std()), 1e-6))
