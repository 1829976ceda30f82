"""Which assistants can be used here, and one of them by name. Nothing heavy is loaded before it is chosen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mewm.bundle import WEIGHTS
from mewm.errors import InputError, ResourceError
from mewm.resources import resource_path

if TYPE_CHECKING:
    from mewm.roles import AssistantModel

DEFAULT = "intensity"
NONE = "none"
NNUNET = "nnU-Net"
OWN_NNUNET = "own nnU-Net"
"""How a network from a user's folder is called; the digest of its weights says which it was."""
BUNDLE = "assistant_nnunet"
"""Folder of the learned assistant under Resources/Models."""


def trained_assistants() -> dict[str, Path]:
    """Return the learned assistants that have weights here: name → bundle folder."""
    try:
        return {NNUNET: resource_path(f"Models/{BUNDLE}/{WEIGHTS}").parents[1]}
    except ResourceError:
        return {}


def assistant_names() -> list[str]:
    """Return the names that :func:`choose_assistant` takes beside folders, the default first."""
    return [DEFAULT, *trained_assistants(), NONE]


def choose_assistant(name: str = DEFAULT, device: str | None = None) -> AssistantModel:
    """Return an assistant.

    Args:
        name: ``"intensity"``; ``"none"``, where oil is told by attenuation and all the rest of the drawn lesion counts
            as viable; ``"nnU-Net"``; or the folder of a bundle or of an nnU-Net model of one's own.
        device: where a network runs: ``"cpu"``, ``"cuda"``, ``"mps"``; the fastest without it.

    Raises:
        InputError: the name is unknown, the model has no weights here, or an own network does not fit.
        ResourceError: nnunetv2 is missing, or a file of the bundle is missing or was changed.
    """
    from mewm.assistant.intensity import IntensityAssistant
    from mewm.assistant.without import LesionAssistant

    # A manifest names the model in full.
    if name in (NONE, LesionAssistant.name):
        return LesionAssistant()
    if name == DEFAULT:
        return IntensityAssistant()
    folder = trained_assistants().get(name)
    if folder is None:
        folder = Path(name)
        if not folder.is_dir():
            why = "has no weights here; train it (mewm train assistant)" if name == NNUNET else "is unknown"
            raise InputError(
                f"The assistant {name!r} {why}; choose one of {', '.join(assistant_names())}, or the folder of a "
                "bundle or of an nnU-Net."
            )
    from mewm.assistant.nnunet import load_assistant

    return load_assistant(folder, device, name=NNUNET if name in trained_assistants() else OWN_NNUNET)
