"""The same sub-action in other words, to train the action encoder on and to test it with words it has not seen.

Only what is given is put into words: agent, dose, size, how it was brought in. What angiography showed is no part of an
action and never stands here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mewm.actions.base import Agent, load_action_base
from mewm.actions.protocol import Action
from mewm.actions.text import render_action

TRAINING = {
    "drug": (
        "{name} {dose}",
        "{dose} {name}",
        "{dose} of {name} was infused",
        "infusion of {name} ({dose})",
        "{name}, {dose}, was given through the catheter",
        "chemotherapy with {name} {dose}",
        "the emulsion contained {dose} {name}",
        "{name}: {dose}",
        "{name} {dose} was infused through the microcatheter",
        "transarterial infusion with {dose} {name} was performed",
    ),
    "embolic": (
        "{name} {dose} {size}",
        "{dose} {name} {size}",
        "embolization with {name} {dose} {size}",
        "{name} ({dose}{size}) was used for embolization",
        "the feeding artery was embolized with {size} {name} {dose}",
        "{name}: {dose} {size}",
        "{dose} of {name} {size} was injected",
        "injection of {name}, {dose} {size}",
        "{size} {name} {dose}, given slowly under fluoroscopy",
    ),
}
HELD_OUT = {
    "drug": (
        "we administered {name} {dose} intra-arterially",
        "a total of {dose} {name} was delivered to the tumour",
        "{name} at a dose of {dose}",
    ),
    "embolic": (
        "superselective embolization was done using {name} {dose} {size}",
        "{name} {size} {dose} as embolic agent",
        "then {dose} {name} {size} was administered",
    ),
}
"""Templates that no training sees."""


def phrase(action: Action, rng: np.random.Generator, templates: dict[str, tuple[str, ...]] = TRAINING) -> str:
    """Return one way to say an action.

    Args:
        action: agent, dose and size; open ones are left out.
        rng: chooses template, name and writing of numbers.
        templates: by kind; :data:`TRAINING` or :data:`HELD_OUT`.
    """
    agent = load_action_base().agents.get(action.agent)
    if agent is None:
        return render_action(action)
    known = templates["drug" if action.kind == "drug" else "embolic"]
    template = known[int(rng.integers(len(known)))]
    said = template.format(name=_name(agent, rng), dose=_dose(action, rng), size=_size(action, rng))
    return " ".join(said.replace("()", "").replace("( ", "(").split()).strip(" ,:")


def random_action(rng: np.random.Generator, agents: Sequence[str]) -> Action:
    """Return a random agent with a random plausible dose and size, often the usual ones."""
    base = load_action_base()
    agent = base.agents[agents[int(rng.integers(len(agents)))]]
    action = base.usual(agent.id)
    if agent.dose_range is not None and rng.random() < 0.7:
        low, high = agent.dose_range
        dose = float(np.exp(rng.uniform(np.log(low), np.log(high))))
        step = 5.0 if dose >= 20 else 1.0 if dose >= 2 else 0.5
        action = replace(action, dose=float(np.clip(round(dose / step) * step, low, high)), unit=agent.unit)
    if agent.size_range_um is not None:
        sizes = agent.usual_sizes_um
        action = replace(action, size_um=sizes[int(rng.integers(len(sizes)))] if rng.random() < 0.8 else None)
    return action


def _name(agent: Agent, rng: np.random.Generator) -> str:
    if rng.random() < 0.6 or not agent.aliases:
        return agent.name if rng.random() < 0.8 else agent.name.lower()
    return agent.aliases[int(rng.integers(len(agent.aliases)))]


def _dose(action: Action, rng: np.random.Generator) -> str:
    if action.dose is None:
        return ""
    return f"{action.dose:g}{'' if rng.random() < 0.4 else ' '}{action.unit or ''}"


def _size(action: Action, rng: np.random.Generator) -> str:
    if action.size_um is None:
        return ""
    low, high = action.size_um
    unit = ("µm", "um", "micron")[int(rng.integers(3))]
    return f"{low:g} {unit}" if low == high else f"{low:g}-{high:g} {unit}"
