"""Which dynamics models can be used here, and one of them by name. Nothing heavy is loaded before it is chosen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mewm.bundle import WEIGHTS
from mewm.errors import InputError, ResourceError, how_to_install
from mewm.resources import resource_path

if TYPE_CHECKING:
    from mewm.roles import DynamicsModel

DEFAULT = "mechanistic"
BUNDLES = {
    "action-conditioned diffusion": "dynamics_diffusion",
    "text-conditioned diffusion without the contrastive loss": "dynamics_without_contrastive",
    "mask-only diffusion": "dynamics_mask_only",
}
"""Learned models by name: the paper's, and the two that it is compared with; folders under Resources/Models."""


def trained_bundles() -> dict[str, Path]:
    """Return the learned models that have weights here: name → bundle folder."""
    found: dict[str, Path] = {}
    for name, folder in BUNDLES.items():
        try:
            weights = resource_path(f"Models/{folder}/{WEIGHTS}")
        except ResourceError:
            continue
        found[name] = weights.parents[1]
    return found


def dynamics_names() -> list[str]:
    """Return the names that :func:`choose_dynamics` takes beside bundle folders, the default first."""
    return [DEFAULT, *trained_bundles()]


def choose_dynamics(name: str = DEFAULT, device: str | None = None) -> DynamicsModel:
    """Return a dynamics model.

    Args:
        name: ``"mechanistic"``, the name of a learned model of :data:`BUNDLES`, or the folder of a bundle.
        device: where a network runs: ``"cpu"``, ``"cuda"``, ``"mps"``; the fastest without it.

    Raises:
        InputError: the name is unknown, or the model has no weights here.
        ResourceError: torch is missing, or a file of the bundle is missing or was changed.
    """
    if name == DEFAULT:
        from mewm.dynamics.mechanistic import MechanisticDynamics

        return MechanisticDynamics()
    folder = trained_bundles().get(name)
    if folder is None:
        folder = Path(name)
        if not folder.is_dir():
            why = "has no weights here; train it (mewm train dynamics)" if name in BUNDLES else "is unknown"
            raise InputError(
                f"The dynamics model {name!r} {why}; choose one of {', '.join(dynamics_names())}, or a bundle's folder."
            )
    try:
        from mewm.dynamics.diffusion.dynamics import load_dynamics

        return load_dynamics(folder, device=device)
    except ModuleNotFoundError as error:
        raise ResourceError(
            f"The dynamics model {name!r} needs {error.name}, which is not installed; {how_to_install('learned')}."
        ) from error
