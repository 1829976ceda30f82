"""Which survival models can be used here, and one of them by name. Nothing heavy is loaded before it is chosen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mewm.bundle import WEIGHTS
from mewm.errors import InputError, ResourceError, how_to_install
from mewm.resources import resource_path

if TYPE_CHECKING:
    from mewm.roles import SurvivalModel
    from mewm.survival.cox import CoxSurvival

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
        InputError: the name is unknown, the model has no weights here, or it does not look at simulated futures.
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
            return _of_futures(CoxSurvival.load(folder), folder)
    try:
        from mewm.compute import choose_device
        from mewm.survival.attention.model import load_survival

        return load_survival(folder, choose_device(device))
    except ModuleNotFoundError as error:
        raise ResourceError(
            f"The survival model {name!r} needs {error.name}, which is not installed; {how_to_install('learned')}."
        ) from error


def _of_futures(model: CoxSurvival, folder: Path) -> CoxSurvival:
    """Return the model unless it is a Cox regression on other numbers: its file is of the same kind."""
    from mewm.survival.covariates import NAMES

    if other := [name for name in model.coefficients if name not in NAMES]:
        raise InputError(
            f"The Cox regression in {folder} looks at {other[0]}, which a simulated future does not tell; give one of "
            "mewm train cox."
        )
    return model
