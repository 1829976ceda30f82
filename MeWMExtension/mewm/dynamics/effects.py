"""What each agent does to a lesion and to the patient: constants of the mechanistic model.

Only the order of magnitude and a few rankings have a source; every number below is an ASSUMPTION unless its
comment names one. A log-kill of 1 means that one cell in ten survives in fully reached tumour. Drugs of one
class share a sensitivity (see :mod:`mewm.dynamics.sensitivities`), so the ranking within a class is fixed and the
ranking between classes depends on the lesion.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mewm.actions.base import load_action_base
from mewm.actions.protocol import Action, Protocol
from mewm.errors import InputError

# Kill grows less than proportionally with dose: uptake and repair saturate (assumption).
DOSE_EXPONENT = 0.6
# Particles of this mean diameter occlude at the depth the occlusion figures are given for; each halving
# reaches further into the distal bed (assumption; direction: smaller particles travel more distally).
REFERENCE_SIZE_UM = 350.0


@dataclass(frozen=True)
class DrugEffect:
    """Cytotoxic effect of one session.

    Attributes:
        log_kill: decimal log-kill of the usual dose where it is fully delivered.
        systemic: systemic toxicity of the usual dose, 0–1.
        hepatic: toxicity of the usual dose to the liver, 0–1.
    """

    log_kill: float
    systemic: float
    hepatic: float


@dataclass(frozen=True)
class EmbolicEffect:
    """Occlusion by one embolic agent.

    Attributes:
        occlusion: share of the arterial flow it stops at once, 0–1.
        permanence: share of that occlusion which is left after 4–6 weeks, 0–1.
        distal: how far into the terminal bed it reaches at the reference size, 0–1; distal occlusion also
            blocks the portal and collateral supply of the rim.
        retention: protection of oil already delivered from wash-out, 0–1.
        shunt_closure: share of an arterioportal shunt it closes, 0–1.
        hepatic: harm to the surrounding liver, 0–1.
        gas: probability that small gas bubbles are seen 4–6 weeks later.
        particulate: whether a smaller particle reaches further.
    """

    occlusion: float
    permanence: float
    distal: float
    retention: float
    shunt_closure: float
    hepatic: float
    gas: float = 0.0
    particulate: bool = False


# Rankings with a source: idarubicin is the most cytotoxic of eleven drugs on HCC lines (Boulin et al.,
# Anticancer Drugs 2011 22:741); lobaplatin responds better than epirubicin in TACE (source in the action base).
DRUGS: dict[str, DrugEffect] = {
    "lobaplatin": DrugEffect(1.52, 0.35, 0.25),
    "oxaliplatin": DrugEffect(1.41, 0.35, 0.30),
    "cisplatin": DrugEffect(1.36, 0.50, 0.25),
    "nedaplatin": DrugEffect(1.27, 0.35, 0.20),
    "epirubicin": DrugEffect(1.30, 0.35, 0.30),
    "doxorubicin": DrugEffect(1.33, 0.45, 0.35),
    "pirarubicin": DrugEffect(1.33, 0.30, 0.30),
    "idarubicin": DrugEffect(1.52, 0.45, 0.35),
    "raltitrexed": DrugEffect(1.00, 0.25, 0.25),
    "mitomycin": DrugEffect(1.12, 0.40, 0.30),
    "hydroxycamptothecin": DrugEffect(0.70, 0.30, 0.20),
    # Beads release slowly: more drug in the tumour, less in the blood (Lammer et al., CVIR 2010 33:41).
    "doxorubicin_eluting_beads": DrugEffect(1.40, 0.20, 0.30),
}

# Shunt closure: ethanol occluded severe arterioportal shunts in 70 % at first treatment, gelatin sponge clearly
# less (WJG 2004 10:825); PVA before the oil improved the shunt grade in 8 of 10 (KJR 2007, 10.3348/kjr.2007.8.4.311).
# Permanence: gelatin sponge is resorbed within weeks, PVA and NBCA stay, ethanol denatures the wall (standard texts).
EMBOLICS: dict[str, EmbolicEffect] = {
    "lipiodol": EmbolicEffect(0.40, 0.60, 0.80, 0.0, 0.0, 0.15),
    "gelatin_sponge": EmbolicEffect(0.70, 0.55, 0.35, 0.60, 0.30, 0.20, gas=0.12, particulate=True),
    "pva": EmbolicEffect(0.75, 0.90, 0.40, 0.65, 0.65, 0.30, particulate=True),
    "absolute_alcohol": EmbolicEffect(0.80, 0.95, 0.75, 0.50, 0.70, 0.60),
    "nbca": EmbolicEffect(0.85, 1.00, 0.50, 0.70, 0.70, 0.45),
    "kmg_microspheres": EmbolicEffect(0.75, 0.75, 0.55, 0.65, 0.40, 0.30, particulate=True),
    "embosphere": EmbolicEffect(0.80, 1.00, 0.55, 0.70, 0.30, 0.35, particulate=True),
    "doxorubicin_eluting_beads": EmbolicEffect(0.70, 0.80, 0.60, 0.0, 0.30, 0.30, particulate=True),
}


def dose_factor(action: Action) -> float:
    """Return the effect of an action's dose relative to the usual dose; 1 where no dose is stated.

    Raises:
        InputError: the model has no effect for the agent.
    """
    agent = load_action_base().agents.get(action.agent)
    if agent is None:
        raise InputError(
            f"The effect of the agent {action.agent!r} is unknown, so it cannot be simulated; "
            "choose an agent of the action base or leave it out."
        )
    if not action.dose or not agent.usual_dose or action.unit not in (None, agent.unit):
        return 1.0
    return float(min(action.dose / agent.usual_dose, 4.0) ** DOSE_EXPONENT)


def drug_effect(action: Action) -> DrugEffect:
    """Return the effect of a drug or drug-eluting bead action.

    Raises:
        InputError: the model has no effect for the agent.
    """
    dose_factor(action)
    return DRUGS[action.agent]


def embolic_effect(action: Action) -> EmbolicEffect:
    """Return the effect of an embolic or drug-eluting bead action.

    Raises:
        InputError: the model has no effect for the agent.
    """
    dose_factor(action)
    return EMBOLICS[action.agent]


def distal_reach(action: Action) -> float:
    """Return how far into the terminal bed an embolic action reaches, 0–1, by its particle size."""
    effect = embolic_effect(action)
    if not effect.particulate or action.size_um is None:
        return effect.distal
    halvings = np.log2(REFERENCE_SIZE_UM / (0.5 * sum(action.size_um)))
    return float(np.clip(effect.distal + 0.15 * halvings, 0.05, 0.95))


def drug_class(agent: str) -> str:
    """Return the drug class of a drug or bead, as named in the action base."""
    return load_action_base().agents[agent].drug_class or "none"


@dataclass(frozen=True)
class Toxicity:
    """Burden of a protocol.

    Attributes:
        systemic: summed systemic toxicity, 0 for none, about 0.35 for one usual drug.
        hepatic: summed harm to the liver.
    """

    systemic: float
    hepatic: float


def protocol_toxicity(protocol: Protocol) -> Toxicity:
    """Return the summed toxicity weights of a protocol; doses count as in :func:`dose_factor`.

    Raises:
        InputError: the protocol holds an agent without a modelled effect.
    """
    systemic = hepatic = 0.0
    for action in protocol.actions:
        factor = dose_factor(action)
        if action.kind in ("drug", "bead"):
            effect = drug_effect(action)
            systemic += factor * effect.systemic
            hepatic += factor * effect.hepatic
        if action.kind in ("embolic", "bead"):
            hepatic += factor * embolic_effect(action).hepatic
    return Toxicity(systemic, hepatic)
