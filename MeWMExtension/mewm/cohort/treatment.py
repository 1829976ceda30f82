"""The protocol that a habit-driven, imperfect clinician gave."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mewm.actions.base import load_action_base
from mewm.actions.formulary import Formulary
from mewm.actions.protocol import Action, Protocol
from mewm.actions.rules import check, is_complete
from mewm.clinical import ClinicalFacts
from mewm.cohort.parameters import TreatmentParameters
from mewm.cohort.patient import pick
from mewm.errors import InputError

_TRIES = 400


def draw_treatment(
    rng: np.random.Generator, facts: ClinicalFacts, diameter_mm: float, parameters: TreatmentParameters
) -> Protocol:
    """Draw an as-treated protocol.

    Agents are chosen by how often they are used and hardly by the patient; what the rules exclude is drawn again.

    Args:
        rng: source of randomness.
        facts: the patient as recorded.
        diameter_mm: longest diameter of the target lesion.
        parameters: the clinician's habits.

    Raises:
        InputError: the rules leave nothing that the clinician would give.
    """
    everything = Formulary.everything()
    for _ in range(_TRIES):
        protocol = _habit(rng, facts, diameter_mm, parameters)
        if is_complete(protocol) and not any(f.severity == "excluded" for f in check(protocol, facts, everything)):
            return protocol
    raise InputError(f"The rules exclude every habitual protocol of this simulated patient ({facts}).")


def _habit(
    rng: np.random.Generator, facts: ClinicalFacts, diameter_mm: float, parameters: TreatmentParameters
) -> Protocol:
    p, base = parameters, load_action_base()
    if rng.random() < p.beads:
        return Protocol((_dosed(rng, base.usual("doxorubicin_eluting_beads"), p),))
    count = pick(rng, p.drug_count)
    if count > 1 and not (facts.child_pugh or "A").startswith("A") and rng.random() < p.cautious_single_drug:
        count -= 1
    weights = np.array(list(p.drugs.values()), dtype=float)
    drugs = rng.choice(list(p.drugs), size=count, replace=False, p=weights / weights.sum())
    actions = [_dosed(rng, base.usual(str(drug)), p) for drug in drugs]
    oil = pick(rng, p.lipiodol_ml)
    if rng.random() < p.lipiodol_by_size:
        oil = float(np.clip(round(diameter_mm / 10), 3, 20))
    actions.append(replace(base.usual("lipiodol"), dose=oil))
    extra = pick(rng, p.embolics)
    if extra != "none":
        sizes = base.agents[extra].usual_sizes_um
        usual = base.usual(extra)
        actions.append(replace(usual, size_um=sizes[int(rng.integers(len(sizes)))]) if sizes else usual)
    return Protocol(tuple(actions))


def _dosed(rng: np.random.Generator, usual: Action, parameters: TreatmentParameters) -> Action:
    """The usual dose, sometimes less or more, rounded as a pharmacy would."""
    if usual.dose is None:
        return usual
    dose = usual.dose * pick(rng, parameters.dose_factor)
    step = 5.0 if usual.dose >= 20 else 0.5
    return replace(usual, dose=float(max(round(dose / step), 1) * step))
