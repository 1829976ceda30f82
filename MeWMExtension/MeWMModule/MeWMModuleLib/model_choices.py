"""Which models and searches the panel offers, in words; nothing heavy is loaded to list them."""

from __future__ import annotations

from typing import Any

from mewm.assistant import choose as assistant
from mewm.dynamics import choose as dynamics
from mewm.survival import choose as survival
from mewm.worker.options import SEARCHES

ROLES = ("dynamics", "assistant", "survival")
"""Parameters that name a model; the request calls them the same."""

_WORDS = {
    dynamics.DEFAULT: "mechanistic simulator",
    assistant.DEFAULT: "intensity rules",
    assistant.NONE: "no segmentation: oil by attenuation, the rest viable",
    survival.DEFAULT: "Cox regression",
    "attention": "attention network",
    "fast": "fast, with a tenth of the simulations",
    "algorithm1": "Algorithm 1 of the paper",
    "exhaustive": "exhaustive, every admissible protocol",
}
_LEARNED = {*dynamics.BUNDLES, *survival.BUNDLES, assistant.NNUNET}


def words(name: str) -> str:
    """Return how a model or a search is called in the panel."""
    return _WORDS.get(name, name) + (" (learned)" if name in _LEARNED else "")


def model_choices() -> dict[str, list[tuple[str, str]]]:
    """Return value and label of everything that can be chosen, by parameter; learned models only with weights here."""
    names: dict[str, list[str]] = {
        "dynamics": dynamics.dynamics_names(),
        "assistant": assistant.assistant_names(),
        "survival": survival.survival_names(),
        "search": list(SEARCHES),
    }
    return {parameter: [(name, words(name)) for name in known] for parameter, known in names.items()}


def needs_pytorch(parameters: Any) -> bool:
    """Whether one of the chosen models is a network."""
    return any(getattr(parameters, role) in _LEARNED for role in ROLES)
