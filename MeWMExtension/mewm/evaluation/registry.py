"""Which models can be arms, by name. Learned models that nobody has trained are named in the tables as such."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from mewm.dynamics.cellular_automaton import CellularAutomaton
from mewm.dynamics.choose import choose_dynamics, trained_bundles
from mewm.dynamics.mechanistic import MechanisticDynamics
from mewm.dynamics.procedural_texture import ProceduralTexture
from mewm.errors import InputError
from mewm.policy.guideline import GuidelinePolicy
from mewm.policy.presets import find_endpoint
from mewm.roles import DynamicsModel, PolicyModel

if TYPE_CHECKING:
    from mewm.evaluation.config import EvaluationConfig

NOT_TRAINED = "not trained"
NOT_ASKED_FOR = "not asked for"
NOT_COMPARABLE = "needs action-conditioned diffusion as the first dynamics"
WITHOUT_CONTRASTIVE = "text-conditioned diffusion without the contrastive loss"
ACTION_CONDITIONED = "action-conditioned diffusion"
LEARNED = ("mask-only diffusion", WITHOUT_CONTRASTIVE, ACTION_CONDITIONED)
"""Learned dynamics that the paper compares (DiffTumor's and TextoMorph's ideas, its own)."""


@dataclass(frozen=True)
class Registry:
    """Names of models and how to build them.

    A builder takes no argument and must be importable (a class, a function of a module, ``functools.partial`` of
    one), because cases are measured in other processes.

    Attributes:
        dynamics: name → builder of a dynamics model.
        policies: name → builder of a policy.
    """

    dynamics: Mapping[str, Callable[[], DynamicsModel]]
    policies: Mapping[str, Callable[[], PolicyModel]]

    def with_dynamics(self, name: str, build: Callable[[], DynamicsModel]) -> Registry:
        """Return a registry that also knows this dynamics model."""
        return replace(self, dynamics={**self.dynamics, name: build})

    def with_policy(self, name: str, build: Callable[[], PolicyModel]) -> Registry:
        """Return a registry that also knows this policy."""
        return replace(self, policies={**self.policies, name: build})

    @property
    def untrained(self) -> tuple[str, ...]:
        """Learned dynamics that nobody registered."""
        return tuple(name for name in LEARNED if name not in self.dynamics)

    def absent(self, config: EvaluationConfig) -> dict[str, str]:
        """Return why learned dynamics are no arm of an evaluation, by name."""
        left_out = [name for name in LEARNED if name not in config.dynamics]
        return {name: NOT_TRAINED if name in self.untrained else NOT_ASKED_FOR for name in left_out}

    def why_no_ablation(self, config: EvaluationConfig) -> str:
        """Return why the full method is not measured without the contrastive loss; empty where it is.

        The two have to differ in the loss alone, so the full method's own dynamics must be the model trained with it.
        """
        if WITHOUT_CONTRASTIVE not in self.dynamics:
            return NOT_TRAINED
        return "" if config.dynamics[0] == ACTION_CONDITIONED else NOT_COMPARABLE

    def identities(self, config: EvaluationConfig) -> dict[str, Any]:
        """Return by name what the futures of learned models depend on: digest of weights and settings of sampler."""
        names = set(config.dynamics)
        if "protocols" in config.parts and not self.why_no_ablation(config):
            names.add(WITHOUT_CONTRASTIVE)
        found = {}
        for name in sorted(names):
            model = self.dynamics[name]()
            if digest := getattr(model, "sha256", None):
                settings = getattr(model, "settings", None)
                found[name] = {"weights": digest, "settings": None if settings is None else asdict(settings)}
        return found

    def require(self, config: EvaluationConfig) -> None:
        """Check that every model and endpoint an evaluation names is known; nothing is asked.

        Raises:
            InputError: one is not.
        """
        for what, given, known in (
            ("dynamics model", config.dynamics, self.dynamics),
            ("policy", config.policies, self.policies),
        ):
            if unknown := [name for name in given if name not in known]:
                why = "it is not trained; " if unknown[0] in self.untrained else ""
                raise InputError(
                    f"The evaluation knows no {what} {unknown[0]!r}; {why}choose one of {', '.join(known)}."
                )
        for name in config.endpoints:
            find_endpoint(name)


def known_models(bundles: Mapping[str, str] | None = None) -> Registry:
    """Return the plain models and the learned ones that have weights.

    Args:
        bundles: further bundles of ``mewm train dynamics``: name → folder; a name of :data:`LEARNED` replaces the
            shipped one.
    """
    registry = plain_models()
    for name, folder in {**trained_bundles(), **(bundles or {})}.items():
        registry = registry.with_dynamics(name, partial(_learned, name, str(folder)))
    return registry


def _learned(name: str, folder: str) -> DynamicsModel:
    model = choose_dynamics(folder)
    if name in LEARNED and model.name != name:
        raise InputError(f"The bundle {folder} holds {model.name!r}, not {name!r}; name the folder of that model.")
    return model


def plain_models() -> Registry:
    """Return the models that come with MeWM: no weights, no network."""
    return Registry(
        dynamics={model.name: model for model in (MechanisticDynamics, ProceduralTexture, CellularAutomaton)},
        policies={GuidelinePolicy.name: GuidelinePolicy},
    )
