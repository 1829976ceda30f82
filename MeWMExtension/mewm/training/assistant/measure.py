"""How well an assistant reads CTs after treatment: Dice by tissue on true and on simulated ones, and its pace."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mewm.cohort.dataset import Cohort, CohortCase, CohortRow
from mewm.dynamics.mechanistic import MechanisticDynamics
from mewm.errors import InputError
from mewm.evaluation.intervals import bootstrap
from mewm.roi import FEATHER_END_MM, Roi
from mewm.roles import AssistantModel, Tissue
from mewm.voxels import tight_box

TISSUES = {
    "liver": (Tissue.LIVER,),
    "viable": (Tissue.VIABLE,),
    "necrosis": (Tissue.NECROSIS,),
    "lipiodol": (Tissue.LIPIODOL,),
    "whole liver": (Tissue.LIVER, Tissue.VIABLE, Tissue.NECROSIS, Tissue.LIPIODOL),
    "whole lesion": (Tissue.VIABLE, Tissue.NECROSIS, Tissue.LIPIODOL),
}
FEWEST_VOXELS = 30
"""A tissue with fewer voxels than this in truth and reading gives no figure."""


def dice(found: np.ndarray, true: np.ndarray) -> dict[str, float]:
    """Return Dice by name of :data:`TISSUES`; NaN where the tissue is next to absent from both.

    Args:
        found, true: :class:`mewm.roles.Tissue` labels of one shape.
    """
    values = {}
    for name, parts in TISSUES.items():
        a, b = np.isin(found, parts), np.isin(true, parts)
        sizes = np.count_nonzero(a), np.count_nonzero(b)
        both = 2.0 * np.count_nonzero(a & b)
        values[name] = both / sum(sizes) if max(sizes) >= FEWEST_VOXELS else float("nan")
    return values


def lesion_region(roi: Roi) -> tuple[slice, slice, slice]:
    """Return the lesion's box with the margin that a simulation can change: the same for every assistant."""
    return tight_box(roi.lesion, pad=int(np.ceil(FEATHER_END_MM / roi.spacing)))


def measure_assistants(
    cohort: Cohort,
    rows: Sequence[CohortRow],
    assistants: Sequence[AssistantModel],
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, dict[str, dict[str, dict[str, float]]]]:
    """Read the true and a simulated CT of some cases with several assistants.

    The simulated CT is the mechanistic simulator's under the as-treated protocol, whose own labels are the truth.
    Liver and lesion are compared within :func:`lesion_region`.

    Args:
        cohort: the dataset.
        rows: its cases; those whose follow-up nobody marked give figures of the simulated CT only.
        assistants: whom to measure.
        seed: of the simulations.
        progress: called with cases done and cases in all.

    Returns:
        ``[assistant's name]["true" or "simulated"][tissue]`` → ``value``, ``low``, ``high`` (95 %) and ``cases``.

    Raises:
        InputError: there is no case.
    """
    if not rows:
        raise InputError(f"The cohort {cohort.folder} has no case to measure on; choose another split.")
    found: dict[tuple[str, str], list[dict[str, float]]] = {}
    for done, row in enumerate(rows, 1):
        case = cohort.load(row)
        box = lesion_region(case.roi)
        for kind, ct, labels in _scans(case, seed + done):
            for assistant in assistants:
                values = dice(assistant.segment(case.roi, ct)[box], labels[box])
                found.setdefault((assistant.name, kind), []).append(values)
        if progress is not None:
            progress(done, len(rows))
    result: dict[str, Any] = {}
    for (name, kind), cases in found.items():
        table = {tissue: np.array([values[tissue] for values in cases]) for tissue in TISSUES}
        result.setdefault(name, {})[kind] = {tissue: interval(column) for tissue, column in table.items()}
    return result


def seconds_a_protocol(assistant: AssistantModel, case: CohortCase, replicas: int = 5) -> float:
    """Return how long an assistant takes over the replicas of one protocol, s; loading and first call apart."""
    ct = case.post_ct
    assistant.segment(case.roi, ct)
    start = time.perf_counter()
    for _ in range(replicas):
        assistant.segment(case.roi, ct)
    return time.perf_counter() - start


def interval(values: np.ndarray) -> dict[str, float]:
    """Return the mean over cases that have a figure, with its 95 % bootstrap interval, rounded."""
    values = values[np.isfinite(values)]
    if not values.size:
        return {"cases": 0}
    estimate = bootstrap(lambda pick: float(values[pick].mean()), len(values))
    return {
        "value": round(estimate.value, 4),
        "low": round(estimate.low, 4),
        "high": round(estimate.high, 4),
        "cases": estimate.cases,
    }


def _scans(case: CohortCase, seed: int) -> list[tuple[str, np.ndarray, np.ndarray]]:
    dynamics, protocol = MechanisticDynamics(), case.row.protocol
    simulated = dynamics.simulate(case.roi, protocol, [seed])[0]
    scans = [("simulated", simulated, dynamics.tissue(case.roi, protocol, seed))]
    return scans if case.tissue is None else [("true", case.post_ct, case.tissue), *scans]
