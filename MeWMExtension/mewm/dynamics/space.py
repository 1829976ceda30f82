"""The lesion and its surroundings, computed once per ROI and shared by every simulated protocol."""

from __future__ import annotations

import threading
import weakref
from dataclasses import dataclass, field, replace

import numpy as np
from scipy import ndimage

from mewm.dynamics.phenotype import Phenotype, lesion_weight, perfusion_map, read_phenotype, smooth_within
from mewm.roi import Roi
from mewm.voxels import tight_box

# Nothing further from the lesion than this is changed, mm; the ROI's feather may end it earlier.
REACH_MM = 12.0
# Spatial resolution of a body CT whose reconstruction is not known, standard deviations of a Gaussian in mm, (z, y, x).
RESOLUTION_MM = (0.8, 0.8, 0.8)


@dataclass(frozen=True, eq=False)
class LesionSpace:
    """Arrays on the box around the lesion, ``(z, y, x)``.

    Attributes:
        box: where the box lies in the ROI's grid.
        ct: pre-treatment HU, float32.
        lesion, liver: bool.
        inside: voxels within the scan, bool.
        gate: weight of any change, float32 in [0, 1]; 0 where the ROI's feather ends and outside the scan.
        distance: signed distance to the lesion's surface in mm, float32, negative inside.
        smooth: attenuation smoothed within the lesion, HU, float32.
        perfusion: relative arterial perfusion, float32 0–1.5, 0 outside the lesion.
        spacing: edge of a voxel in mm.
        phenotype: the lesion's phenotype.
        resolution_mm: point spread of the scan that a treatment is drawn into, standard deviations in mm, (z, y, x).
        spline: order of the spline that moves the CT. Noise needs 3; linear interpolation would blur it away.
        cache: results other modules keep for this lesion (random fields by seed, deformations by size).
    """

    box: tuple[slice, slice, slice]
    ct: np.ndarray
    lesion: np.ndarray
    liver: np.ndarray
    inside: np.ndarray
    gate: np.ndarray
    distance: np.ndarray
    smooth: np.ndarray
    perfusion: np.ndarray
    spacing: float
    phenotype: Phenotype
    resolution_mm: tuple[float, float, float] = RESOLUTION_MM
    spline: int = 3
    cache: dict = field(default_factory=dict)

    @property
    def inner(self) -> np.ndarray:
        """Flat indices of the lesion's voxels in the box."""
        if "inner" not in self.cache:
            self.cache["inner"] = np.flatnonzero(self.lesion.ravel())
        return self.cache["inner"]

    def thinned(self, voxels: int) -> LesionSpace:
        """Return the same lesion with ``inner`` reduced to an even sample of at most ``voxels`` voxels."""
        step = -(-self.inner.size // voxels)
        if step <= 1:
            return self
        return replace(self, cache={"inner": self.inner[::step]})

    def scanned_again(self, ct: np.ndarray, resolution_mm: tuple[float, float, float]) -> LesionSpace:
        """Return the same lesion in another scan of the untreated patient, from which the noise is left out.

        Args:
            ct: HU of that scan on the whole model grid, without noise.
            resolution_mm: its point spread, standard deviations in mm, (z, y, x).
        """
        part = np.ascontiguousarray(ct[self.box], np.float32)
        smooth = smooth_within(part, lesion_weight(self.lesion), self.spacing)
        kept = {name: self.cache[name] for name in ("fields", "inner") if name in self.cache}
        return replace(self, ct=part, smooth=smooth, resolution_mm=resolution_mm, spline=1, cache=kept)


_SPACES: weakref.WeakKeyDictionary[Roi, LesionSpace] = weakref.WeakKeyDictionary()
_LOCK = threading.Lock()


def lesion_space(roi: Roi) -> LesionSpace:
    """Return the lesion space of ``roi``; it is built once and lives as long as the ROI."""
    with _LOCK:
        space = _SPACES.get(roi)
        if space is None:
            space = _build(roi)
            _SPACES[roi] = space
        return space


def _build(roi: Roi) -> LesionSpace:
    phenotype = read_phenotype(roi)
    around = tight_box(roi.lesion, pad=int(REACH_MM / roi.spacing) + 1)
    distance = np.full(roi.lesion.shape, np.inf, np.float32)
    distance[around] = signed_distance(roi.lesion[around], roi.spacing)
    near = roi.lesion | ((distance < REACH_MM) & (roi.feather > 0))
    box = tight_box(near)
    # Changes fade over the outer part of the feather so that nothing is cut off where it ends.
    fade = np.clip(roi.feather[box] / 0.2, 0, 1) * roi.inside[box]
    lesion = roi.lesion[box]
    smooth = smooth_within(roi.ct[box], lesion_weight(lesion), roi.spacing)
    return LesionSpace(
        box=box,
        ct=np.ascontiguousarray(roi.ct[box], np.float32),
        lesion=np.ascontiguousarray(lesion),
        liver=np.ascontiguousarray(roi.liver[box]),
        inside=np.ascontiguousarray(roi.inside[box]),
        gate=fade.astype(np.float32),
        distance=np.ascontiguousarray(distance[box]),
        smooth=smooth,
        perfusion=perfusion_map(smooth, lesion, phenotype),
        spacing=roi.spacing,
        phenotype=phenotype,
    )


def signed_distance(mask: np.ndarray, spacing: float) -> np.ndarray:
    """Distance to the surface of ``mask`` in mm, float32, negative inside; the surface runs between voxels."""
    distance = ndimage.distance_transform_edt(~mask).astype(np.float32)
    # Inside, nothing further than a voxel beyond the mask matters.
    box = tight_box(mask, pad=1)
    distance[box] -= ndimage.distance_transform_edt(mask[box]).astype(np.float32)
    distance += np.where(mask, np.float32(0.5), np.float32(-0.5))
    return distance * np.float32(spacing)
