"""The shape and enhancement of one patient's upper abdomen.

The patient frame is LPS with its origin in the midline at mid-liver height: x to the patient's left, y to
posterior, z to superior, mm. Organs are smooth implicit shapes laid out like a textbook's axial plates, with
every size and position varied; :mod:`mewm.cohort.painting` samples them on a grid.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mewm.cohort.shapes import Ellipsoid, Points, smooth_cut, smooth_union
from mewm.cohort.vessels import VesselTree, grow_tree

if TYPE_CHECKING:
    from mewm.cohort.parameters import AnatomyParameters

_Triple = tuple[float, float, float]
# Centre, semi-axes and jitter of the centre, mm, for a patient of average build (assumption).
_LAYOUT: dict[str, tuple[_Triple, _Triple, float]] = {
    "right_lobe": ((-76, -4, 2), (92, 100, 92), 4),
    "left_lobe": ((12, -54, 14), (74, 38, 46), 5),
    "right_kidney": ((-62, 58, -84), (29, 27, 54), 5),
    "left_kidney": ((62, 62, -62), (29, 27, 54), 5),
    "spleen": ((112, 42, 34), (26, 44, 54), 5),
    "stomach": ((72, -26, 36), (44, 40, 48), 6),
    "colon": ((-76, -52, -104), (34, 28, 24), 6),
    "gallbladder": ((-44, -46, -44), (14, 17, 30), 4),
    "duodenum": ((-34, 6, -62), (16, 15, 34), 4),
    "pancreas": ((8, 2, -36), (42, 13, 14), 4),
    "heart": ((20, -42, 142), (62, 48, 52), 4),
}
_PORTAL_ENTRY = (-30.0, 4.0, -14.0)
_VENOUS_EXIT = (-20.0, 26.0, 62.0)


class Abdomen:
    """One patient's anatomy.

    Args:
        rng: source of the patient's build.
        parameters: ranges of build and enhancement.
        phase: ``"portal"`` (portal-venous) or ``"arterial"`` (late arterial).
        cirrhosis: whether the liver's surface is nodular.

    Attributes:
        hu: attenuation of each tissue in this patient and phase.
        scale: size relative to the average build.
        fat_mm, wall_mm: thickness of the subcutaneous fat and of the muscle wall.
        nodularity_mm: height of the nodules on the liver's surface.
        organs: solids by name.
        portal, hepatic: vessel trees of the liver.
    """

    def __init__(self, rng: np.random.Generator, parameters: AnatomyParameters, phase: str, cirrhosis: bool) -> None:
        self.phase = phase
        self.parameters = parameters
        self.hu = {name: float(rng.normal(*stat)) for name, stat in parameters.hu[phase].items()}
        self.scale = float(np.clip(rng.normal(1.0, 0.05), 0.88, 1.12))
        self.fat_mm = float(rng.uniform(*parameters.subcutaneous_fat_mm))
        self.wall_mm = float(rng.uniform(*parameters.body_wall_mm))
        self.nodularity_mm = float(rng.uniform(1.0, 2.2) if cirrhosis else rng.uniform(0.2, 0.6))
        self.gas_level_mm = float(rng.uniform(-45, -5))
        self.rib_shift_mm = float(rng.uniform(0, 27))
        self.organs = {name: self._place(rng, *layout) for name, layout in _LAYOUT.items()}
        self.portal = self._grow(rng, _PORTAL_ENTRY)
        self.hepatic = self._grow(rng, _VENOUS_EXIT)

    def _place(self, rng: np.random.Generator, centre: _Triple, semi: _Triple, jitter: float) -> Ellipsoid:
        c = np.array(centre) * self.scale + rng.normal(0, jitter, 3)
        s = np.array(semi) * self.scale * rng.uniform(0.9, 1.1, 3)
        return Ellipsoid((float(c[0]), float(c[1]), float(c[2])), (float(s[0]), float(s[1]), float(s[2])))

    def wall_distance(self, points: Points) -> np.ndarray:
        """Return the distance in mm from the outside of the muscle wall inwards; negative in fat and air."""
        x, y, z = points
        taper = 1 - 0.0007 * np.maximum(z, 0)
        a, b = 160 * self.scale * taper, 108 * self.scale * taper
        unit = (np.abs(x / a) ** 2.3 + np.abs(y / b) ** 2.3) ** (1 / 2.3) + 1e-3
        return np.sqrt(x**2 + y**2 + 1e-6) * (1 / unit - 1)

    def liver_distance(self, points: Points, wall: np.ndarray | None = None) -> np.ndarray:
        """Return about the distance in mm to the liver's surface, positive inside.

        Args:
            points: where to evaluate.
            wall: :meth:`wall_distance` at ``points`` when it is known already.
        """
        x, y, z = points
        s = self.scale
        liver = smooth_union(self.organs["right_lobe"].distance(points), self.organs["left_lobe"].distance(points), 14)
        # The visceral surface rises from the tip of the right lobe to the hilum and bulges at the caudate lobe.
        floor = -88 * s + 0.62 * np.maximum(x + 125 * s, 0)
        liver = smooth_cut(liver, z - np.minimum(floor, -20 * s + 0.12 * x), 14)
        # The medial border leans to the left in front: the left lobe crosses the midline, the right one does not.
        medial = 16 * s - 0.8 * x - 0.6 * (y + 30 * s)
        liver = smooth_cut(liver, medial, 18)
        liver = smooth_cut(liver, np.hypot(x - 4 * s, y - 70 * s) - 46 * s, 8)
        for name, gap in (("right_kidney", 5), ("gallbladder", 1), ("stomach", 3), ("duodenum", 2)):
            liver = smooth_cut(liver, -self.organs[name].distance(points) - gap, 5)
        wall = self.wall_distance(points) if wall is None else wall
        return smooth_cut(liver, wall - self.wall_mm - 1.0, 4)

    def _grow(self, rng: np.random.Generator, root: _Triple) -> VesselTree:
        box = rng.uniform((-165, -105, -90), (90, 100, 100), size=(1400, 3)) * self.scale
        inside = self.liver_distance((box[:, 0], box[:, 1], box[:, 2])) > 6
        return grow_tree(rng, np.array(root) * self.scale, box[inside][: self.parameters.vessel_terminals])
