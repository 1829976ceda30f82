"""Numbers a radiologist reads off a segmented future, against the pre-treatment CT."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mewm.assistant.intensity import IntensityAssistant
from mewm.diameter import longest_axial_diameter
from mewm.dynamics.space import lesion_space
from mewm.errors import InputError
from mewm.roi import Roi
from mewm.roles import Tissue

# mRECIST: partial response at a decrease of 30 %, progression at an increase of 20 % (Lencioni & Llovet 2010).
PARTIAL_RESPONSE = 0.70
PROGRESSION = 1.20
MOST_TARGETS = 2


@dataclass(frozen=True)
class Measurements:
    """What is left of a lesion.

    Attributes:
        baseline_ml: volume of the lesion before treatment.
        lesion_ml: volume of viable tumour, necrosis and oil together.
        viable_ml, necrosis_ml, lipiodol_ml: volumes of the parts.
        volume_change_percent: change of the lesion's volume, negative for shrinkage.
        viable_fraction: viable share of the lesion, 0–1.
        lipiodol_coverage: oil's volume over the lesion's volume before treatment, 0–1.
        lipiodol_coverage_post: oil's share of the lesion after treatment, 0–1.
        longest_viable_mm: longest axial diameter of viable tumour.
        baseline_mm: the same before treatment.
        response: ``"CR"``, ``"PR"``, ``"SD"`` or ``"PD"``, mRECIST-like: a simulation is not a follow-up scan.
    """

    baseline_ml: float
    lesion_ml: float
    viable_ml: float
    necrosis_ml: float
    lipiodol_ml: float
    volume_change_percent: float
    viable_fraction: float
    lipiodol_coverage: float
    lipiodol_coverage_post: float
    longest_viable_mm: float
    baseline_mm: float
    response: str


def measure(roi: Roi, tissue: np.ndarray) -> Measurements:
    """Measure a tissue label volume ``(96, 96, 96)`` of ``roi``.

    The baseline diameter is that of the enhancing part of the lesion on the pre-treatment CT.
    """
    voxel_ml = roi.spacing**3 / 1000
    counts = np.bincount(tissue.ravel(), minlength=5)
    viable, necrosis, oil = (float(counts[t]) * voxel_ml for t in (Tissue.VIABLE, Tissue.NECROSIS, Tissue.LIPIODOL))
    lesion = viable + necrosis + oil
    baseline = float(roi.lesion.sum()) * voxel_ml
    longest = longest_axial_diameter(tissue == Tissue.VIABLE, roi.spacing)
    before = baseline_diameter(roi)
    return Measurements(
        baseline_ml=baseline,
        lesion_ml=lesion,
        viable_ml=viable,
        necrosis_ml=necrosis,
        lipiodol_ml=oil,
        volume_change_percent=100 * (lesion - baseline) / baseline,
        viable_fraction=viable / lesion if lesion else 0.0,
        lipiodol_coverage=min(oil / baseline, 1.0),
        lipiodol_coverage_post=oil / lesion if lesion else 0.0,
        longest_viable_mm=longest,
        baseline_mm=before,
        response=response_category(longest, before),
    )


def baseline_diameter(roi: Roi) -> float:
    """Return the longest axial diameter of the lesion's enhancing part before treatment, mm (cached)."""
    cache = lesion_space(roi).cache
    if "baseline_mm" not in cache:
        before = IntensityAssistant().segment(roi, roi.ct) == Tissue.VIABLE
        cache["baseline_mm"] = longest_axial_diameter(before, roi.spacing)
    return cache["baseline_mm"]


def response_category(longest_viable_mm: float, baseline_mm: float) -> str:
    """Return the mRECIST-like category of one target lesion; see :func:`response_of_targets`."""
    return response_of_targets([(baseline_mm, longest_viable_mm)])


def response_of_targets(targets: Sequence[tuple[float, float]], *, new_lesion: bool = False) -> str:
    """Return the mRECIST-like category of one or two target lesions (Lencioni & Llovet, Semin Liver Dis 2010 30:52).

    The longest diameters of the viable parts are added. Lesions without enhancing tissue after treatment are a complete
    response, whatever they were before; a new lesion is progression, whatever became of the targets.

    Args:
        targets: for each lesion its longest viable axial diameter before and after treatment in mm, as
            :class:`Measurements` has them (``baseline_mm``, ``longest_viable_mm``).
        new_lesion: whether there is a lesion that was not there before.

    Raises:
        InputError: there is no target or more than two, or a diameter is negative or not a number.
    """
    if not 1 <= len(targets) <= MOST_TARGETS:
        raise InputError(f"mRECIST measures one or two target lesions, not {len(targets)}; choose the largest two.")
    if not all(np.isfinite(length) and length >= 0 for target in targets for length in target):
        raise InputError(f"The diameters {list(targets)} are not all lengths in mm; give 0 for no viable tumour.")
    before, after = (sum(target[k] for target in targets) for k in (0, 1))
    if new_lesion:
        return "PD"
    if after == 0:
        return "CR"
    if after >= PROGRESSION * before:
        return "PD"
    return "PR" if after <= PARTIAL_RESPONSE * before else "SD"
