"""The model grid: 96³ isotropic voxels around the target lesion, cut out of a case and pasted back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mewm.clinical import ClinicalFacts

GRID = 96


@dataclass(frozen=True, eq=False)
class Roi:
    """The target lesion and its surroundings on the model grid.

    Arrays are ``(96, 96, 96)`` in ``(z, y, x)`` order; x runs to the patient's left, y to posterior, z to
    superior (LPS), whatever the orientation of the scan.

    Attributes:
        ct: Hounsfield units, float32.
        lesion: target lesion, bool.
        liver: liver including the lesion, bool; estimated around the lesion when the case has no liver mask.
        inside: voxels that lie inside the scan, bool; outside it ``ct`` is air.
        feather: blending weight for pasting back, float32 in [0, 1]; 1 on the lesion, 0 at the rim.
        spacing: edge of a voxel in mm, between 1 and 2.
        origin: LPS coordinates in mm of the centre of voxel ``[0, 0, 0]``, in (x, y, z) order.
        facts: clinical facts of the case.
        liver_given: whether ``liver`` comes from the user.
    """

    ct: np.ndarray
    lesion: np.ndarray
    liver: np.ndarray
    inside: np.ndarray
    feather: np.ndarray
    spacing: float
    origin: tuple[float, float, float]
    facts: ClinicalFacts
    liver_given: bool = True
