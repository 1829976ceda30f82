"""Which survival models can be used here, and one of them by name. Nothing heavy is loaded before it is chosen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mewm.bundle import WEIGHTS
from mewm.errors import InputError, ResourceError
from mewm.resources import resource_path

if TYPE_CHECKING:
    from mewm.roles import SurvivalModel

DEFAULT = "cox"
BUNDLES = {"attention": "survival_attention"}
"""Learned models by name: folders under Resources/Models."""


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


def survival_names() -> list[str]:
    """Return the names that :func:`choose_survival` takes beside bundle folders, the default first."""
    return [DEFAULT, *trained_bundles()]


def choose_survival(name: str = DEFAULT, device: str | None = None) -> SurvivalModel:
    """Return a survival model.

    Args:
        name: ``"cox"``, the name of a learned model of :data:`BUNDLES`, or the folder of a bundle of either kind.
        device: where a network runs: ``"cpu"``, ``"cuda"``, ``"mps"``; the fastest without it.

    Raises:
        InputError: the name is unknown, or the model has no weights here.
        ResourceError: torch is missing, or a file of the bundle is missing or was changed.
    """
    from mewm.survival.cox import FILE, CoxSurvival

    if name == DEFAULT:
        return CoxSurvival.load()
    folder = trained_bundles().get(name)
    if folder is None:
        folder = Path(name)
        if not folder.is_dir():
            why = "has no weights here; train it (mewm train survival)" if name in BUNDLES else "is unknown"
            raise InputError(
                f"The survival model {name!r} {why}; choose one of {', '.join(survival_names())}, or a bundle's folder."
            )
        if (folder / FILE).is_file():
            return CoxSurvival.load(folder)
    try:
        from mewm.compute import choose_device
        from mewm.survival.attention.model import load_survival

        return load_survival(folder, choose_device(device))
    except ModuleNotFoundError as error:
        raise ResourceError(
            f"The survival model {name!r} needs {error.name}, which is not installed; pip install 'mewm[learned]'."
        ) from error
