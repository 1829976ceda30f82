"""What the survival baseline looks at: what is left of the tumour, what the treatment costs, who the patient is.

Every covariate comes from what the application has for a simulated future: the pre-treatment ROI, the predicted
tissue, the protocol and the clinical facts. The list is short on purpose. Lipiodol coverage and the lesion's
volume follow what is viable so closely, and drugs and embolics are given together so regularly, that a fit on some
hundred cases cannot tell them apart: their coefficients took either sign, and the search would have followed that
chance.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mewm.actions.protocol import Protocol
from mewm.clinical import ClinicalFacts
from mewm.dynamics.effects import protocol_toxicity
from mewm.roi import Roi
from mewm.roles import Tissue

NAMES = (
    "log_viable_ml",
    "viable_share",
    "treatment_burden",
    "liver_impairment",
    "log_afp",
    "portal_vein_thrombosis",
    "multinodular",
    "ecog",
)
"""What :func:`covariates` returns."""
_CLASS_POINTS = {"A": 5.4, "B": 7.5, "C": 11.0}

# Share of a treatment's load that a healthy liver feels; a unit of impairment adds the whole load.
_HEALTHY_SHARE = 0.5


def covariates(
    roi: Roi, tissue: np.ndarray, protocol: Protocol, unstated_impairment: float | None = None
) -> dict[str, float | None]:
    """Return every covariate of one future by name; ``None`` where the fact it needs is not stated.

    Args:
        roi: pre-treatment lesion and clinical facts.
        tissue: labels of the post-treatment CT (:class:`mewm.roles.Tissue`), uint8, (96, 96, 96).
        protocol: the treatment.
        unstated_impairment: liver impairment to assume for the burden where the facts state none, so that a
            treatment costs something in every patient; ``None`` leaves the burden open.

    Returns:
        ``log_viable_ml``: log(1 + ml) of viable tumour; ``viable_share``: its volume over the lesion's before
        treatment, 0–1.5; ``treatment_burden``: see :func:`treatment_burden`; ``liver_impairment``: see
        :func:`liver_impairment`; ``log_afp``: logarithm of AFP in ng/ml; ``portal_vein_thrombosis``,
        ``multinodular``: 0 or 1; ``ecog``: 0–4.

    Raises:
        InputError: the protocol holds an agent without a known effect.
    """
    voxel_ml = roi.spacing**3 / 1000
    viable_ml = float(np.count_nonzero(tissue == Tissue.VIABLE)) * voxel_ml
    lesion_ml = float(np.count_nonzero(roi.lesion)) * voxel_ml
    facts = roi.facts
    impairment = liver_impairment(facts)
    assumed = unstated_impairment if impairment is None else impairment
    return {
        "log_viable_ml": float(np.log1p(viable_ml)),
        "viable_share": min(viable_ml / max(lesion_ml, voxel_ml), 1.5),
        "treatment_burden": None if assumed is None else treatment_burden(protocol, assumed),
        "liver_impairment": impairment,
        "log_afp": _stated(facts.afp_ng_ml, lambda afp: float(np.log(max(afp, 1.0)))),
        "portal_vein_thrombosis": _stated(facts.portal_vein_thrombosis, lambda pvt: float(pvt != "none")),
        "multinodular": _stated(facts.tumour_number, lambda n: float(n > 1)),
        "ecog": _stated(facts.ecog, float),
    }


def treatment_load(protocol: Protocol) -> float:
    """Return what a protocol burdens the patient with.

    The sum over drugs of systemic and hepatic toxicity, about 0.6 for one usual drug, and over embolics of harm to
    the surrounding liver, 0.15 for Lipiodol and more the more lastingly an agent occludes; each by its dose over the
    usual dose. Weights: :mod:`mewm.dynamics.effects`.

    Raises:
        InputError: the protocol holds an agent without a known effect.
    """
    burden = protocol_toxicity(protocol)
    return burden.systemic + burden.hepatic


def treatment_burden(protocol: Protocol, impairment: float) -> float:
    """Return the load of a protocol on this liver: a healthy one feels half of it, one at Child-Pugh B7 three halves.

    One covariate instead of load, impairment and their product: three coefficients of it could not be told apart
    on some hundred cases. That toxicity of TACE grows with poor liver function is why it is contraindicated
    in decompensated cirrhosis (Raoul et al., Cancer Treat Rev 2011 37:212); the proportions are an assumption.

    Args:
        protocol: the treatment.
        impairment: see :func:`liver_impairment`.

    Raises:
        InputError: the protocol holds an agent without a known effect.
    """
    return treatment_load(protocol) * (_HEALTHY_SHARE + impairment)


def liver_impairment(facts: ClinicalFacts) -> float | None:
    """Return 0 for a healthy liver (Child-Pugh A5, ALBI about −2.9) and 1 more for two Child-Pugh points.

    Child-Pugh is used where it is stated, a class alone at its middle; else the ALBI score of albumin and bilirubin
    (Johnson et al., J Clin Oncol 2015 33:550, doi 10.1200/JCO.2014.57.9151), one unit of it for one of impairment.
    ``None`` where neither is stated.
    """
    if facts.child_pugh:
        points = facts.child_pugh[1:]
        return (float(points) if points else _CLASS_POINTS[facts.child_pugh[0]]) / 2 - 2.5
    if facts.albumin_g_dl is None or facts.bilirubin_mg_dl is None:
        return None
    albi = 0.66 * np.log10(facts.bilirubin_mg_dl * 17.1) - 0.085 * facts.albumin_g_dl * 10
    return float(np.clip(albi + 2.9, 0.0, 3.0))


def _stated(value: object, read: Callable[..., float]) -> float | None:
    return None if value is None else read(value)
