"""Contrast phase of a CT volume, from the vessels where they are marked, else from the series' description."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

UNENHANCED = "unenhanced"
UNENHANCED_BELOW_HU = 90.0
"""Blood without contrast has 30–50 HU, in any contrast phase of the liver the vessels are above 100."""
ARTERIAL_ABOVE_HU = 60.0
"""In the (late) arterial phase the aorta is brighter than the portal vein by far more than this; in the portal
venous and later phases the two are alike (AJR 2004;182:643: triple-phase CT of the liver)."""
SAMPLES = 2000
"""Points at which a vessel is measured."""
# "AP" and "CAP" in this collection mean abdomen and pelvis, so they say nothing about the phase.
_WORDS = (
    ("unenhanced", re.compile(r"\b(pre|non ?-?con\w*|w/?o|without|unenh\w*|native)\b", re.I)),
    ("arterial", re.compile(r"\b(art|arterial)\b", re.I)),
    ("delayed", re.compile(r"\b(delay\w*|equil\w*|late)\b", re.I)),
    ("portal", re.compile(r"\b(portal|venous|ven|pv|pvp)\b", re.I)),
)


@dataclass(frozen=True)
class Enhancement:
    """Median density of the abdominal aorta and the portal vein in HU."""

    aorta: float
    portal_vein: float

    @property
    def phase(self) -> str:
        """``"unenhanced"``, ``"arterial"`` or ``"portal"`` (portal venous and later)."""
        if max(self.aorta, self.portal_vein) < UNENHANCED_BELOW_HU:
            return UNENHANCED
        return "arterial" if self.aorta - self.portal_vein > ARTERIAL_ABOVE_HU else "portal"

    def difference(self, other: Enhancement) -> float:
        """Return how far two volumes are from the same phase, in HU; another phase counts 1000 HU."""
        apart = np.hypot(self.aorta - other.aorta, self.portal_vein - other.portal_vein)
        return float(apart) + 1000.0 * (self.phase != other.phase)


def enhancement(
    ct: sitk.Image, aorta: sitk.Image | None, portal_vein: sitk.Image | None, transform: sitk.Transform | None = None
) -> Enhancement | None:
    """Measure the vessels of a CT; ``None`` where a vessel is not marked or lies outside the CT.

    Args:
        ct: Hounsfield units.
        aorta: uint8 mask, on any grid.
        portal_vein: the same.
        transform: point of the masks → point of the CT, LPS mm; ``None`` where they are the same.
    """
    values = []
    for mask in (aorta, portal_vein):
        found = [] if mask is None else _samples(ct, mask, transform)
        if not found:
            return None
        values.append(float(np.median(found)))
    return Enhancement(*values)


def _samples(ct: sitk.Image, mask: sitk.Image, transform: sitk.Transform | None) -> list[float]:
    """Return densities at points of the mask, none where most of them lie outside the CT."""
    index = np.argwhere(sitk.GetArrayViewFromImage(mask))[:, ::-1]
    index = index[:: max(1, len(index) // SAMPLES)]
    values = []
    for i in index.tolist():
        point = mask.TransformIndexToPhysicalPoint(i)
        point = point if transform is None else transform.TransformPoint(point)
        place = np.array(ct.TransformPhysicalPointToContinuousIndex(point))
        if (place >= 0).all() and (place <= np.array(ct.GetSize()) - 1).all():
            values.append(float(ct.EvaluateAtContinuousIndex(place.tolist(), sitk.sitkLinear)))
    return values if len(values) > 0.5 * len(index) else []


def described_phase(description: str) -> str | None:
    """Return the phase that a series' description names, ``None`` where it names none or several."""
    spaced = description.replace("_", " ")
    found = {name for name, words in _WORDS if words.search(spaced)}
    return found.pop() if len(found) == 1 else None
