"""The numbers that go with the CTs: clinical facts, the treatment's load, and volumes in ml."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mewm.actions.protocol import Protocol
from mewm.clinical import ClinicalFacts
from mewm.roi import Roi
from mewm.roles import Tissue
from mewm.survival.clinical import clinical_covariates
from mewm.survival.covariates import covariates, treatment_load

FACTS, TREATMENT, VOLUMES = "facts", "treatment", "volumes"
"""Groups of numbers."""
OF_LABEL = {
    Tissue.VIABLE: ("log_viable_ml", "viable_share"),
    Tissue.NECROSIS: ("log_necrosis_ml", "necrosis_share"),
    Tissue.LIPIODOL: ("log_lipiodol_ml", "lipiodol_share"),
}
"""Numbers that a label's volume makes."""
NAMES: Mapping[str, tuple[str, ...]] = {
    FACTS: (*clinical_covariates(ClinicalFacts()), "liver_impairment", "ecog"),
    TREATMENT: ("treatment_load", "treatment_burden"),
    VOLUMES: (*(name for names in OF_LABEL.values() for name in names), "log_lesion_ml"),
}
"""Names of the numbers by group."""


def groups(wanted: Sequence[str]) -> dict[str, list[str]]:
    """Return the names of some groups in the order of :data:`NAMES`.

    Raises:
        KeyError: there is no such group.
    """
    for name in wanted:
        NAMES[name]
    return {name: list(names) for name, names in NAMES.items() if name in wanted}


def case_numbers(
    roi: Roi, tissue: np.ndarray, protocol: Protocol, unstated_impairment: float | None = None
) -> dict[str, float | None]:
    """Return every number of one future by name; ``None`` where the fact it needs is not stated.

    Args:
        roi: pre-treatment lesion and clinical facts.
        tissue: labels of the post-treatment CT, uint8, (96, 96, 96).
        protocol: the treatment.
        unstated_impairment: liver impairment to assume for the treatment's burden where the facts state none; see
            :func:`mewm.survival.covariates.covariates`.

    Raises:
        InputError: the protocol holds an agent without a known effect.
    """
    voxel_ml = roi.spacing**3 / 1000
    lesion_ml = float(np.count_nonzero(roi.lesion)) * voxel_ml
    counts = np.bincount(tissue.ravel(), minlength=len(Tissue))
    found = {**covariates(roi, tissue, protocol, unstated_impairment), **clinical_covariates(roi.facts)}
    for label, (volume, share) in OF_LABEL.items():
        ml = float(counts[label]) * voxel_ml
        found[volume] = float(np.log1p(ml))
        found[share] = min(ml / max(lesion_ml, voxel_ml), 1.5)
    found["log_lesion_ml"] = float(np.log1p(lesion_ml))
    found["treatment_load"] = treatment_load(protocol)
    return {name: found[name] for names in NAMES.values() for name in names}
