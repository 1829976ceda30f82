"""What ``configs/train.yaml`` of the dynamics bundle says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mewm.dynamics.diffusion.action_text import TowerSettings
from mewm.dynamics.diffusion.sampler import SamplerSettings
from mewm.errors import InputError
from mewm.training.config import require_figure, require_from
from mewm.training.dynamics.contrastive import VIEWS
from mewm.training.dynamics.text import TextTraining
from mewm.training.learner import Optimisation
from mewm.training.loop import LoopSettings

FIGURES = ("loss", "loss_other", "change", "spread")
"""What a validation measures (:func:`mewm.training.dynamics.validation.validation_figures`)."""


@dataclass(frozen=True)
class Objective:
    """Equation (2): what is asked of the denoiser.

    Attributes:
        times: ``"uniform"`` or ``"logit-normal"`` (arXiv 2403.03206: more of the middle).
        outside: weight of a latent voxel where no treatment can change anything; 1 where it can.
        coarse: weight of the error of block means (:func:`mewm.training.dynamics.loss.coarse_error`).
        shift: above 1 trains more of the times near the noise (:func:`mewm.training.dynamics.loss.draw_times`).
        hide_action: share of examples whose protocol is hidden, for classifier-free guidance.
        hide_outcome: share of examples that are not told their outcome, where the network has an outcome head.
    """

    times: str = "logit-normal"
    outside: float = 0.05
    hide_action: float = 0.1
    hide_outcome: float = 0.1
    coarse: float = 0.0
    shift: float = 1.0

    def __post_init__(self) -> None:
        if self.coarse < 0 or self.shift <= 0:
            raise InputError(
                f"The objective cannot take a coarse weight of {self.coarse:g} with a shift of {self.shift:g}; "
                "choose a weight from 0 and a shift above 0."
            )
        if self.times not in ("uniform", "logit-normal"):
            raise InputError(f"The objective knows no times {self.times!r}; choose uniform or logit-normal.")


@dataclass(frozen=True)
class Contrastive:
    """Equation (3): Combo Contrastive Learning.

    Attributes:
        weight: in the loss; 0 leaves it out.
        temperature: δ.
        every: steps between two that have it: each costs another pass of the denoiser.
        view: what of a future is compared (:func:`mewm.training.dynamics.contrastive.future_features`).
        decoupled: only negatives in the denominator.
    """

    weight: float = 0.05
    temperature: float = 0.2
    every: int = 2
    view: str = "lesion"
    decoupled: bool = False

    def __post_init__(self) -> None:
        require_from(self, "contrastive", weight=0, every=1, temperature=1e-3)
        if self.view not in VIEWS:
            raise InputError(f"The contrastive loss knows no view {self.view!r}; choose among {', '.join(VIEWS)}.")


@dataclass(frozen=True)
class Attenuation:
    """Text-driven Morpho-Gaussian Attenuation.

    Attributes:
        share: share of examples whose mask is attenuated; the rest sees the lesion wholly taken out, as in use.
        without_report: level of a case without ``report.txt``: ``"response"`` takes its mRECIST, ``"none"`` leaves the
            mask as it is.
    """

    share: float = 0.15
    without_report: str = "response"

    def __post_init__(self) -> None:
        if self.without_report not in ("response", "none") or not 0 <= self.share <= 1:
            raise InputError(
                f"The attenuation cannot take a share of {self.share:g} without reports {self.without_report!r}; "
                "choose a share from 0 to 1, and response or none."
            )


@dataclass(frozen=True)
class OutcomeTraining:
    """How the outcome head is trained, before the denoiser.

    Attributes:
        steps, batch: at most so many updates, and cases in each.
        learning_rate: of AdamW, falling to 0.
        weight_decay: decoupled.
        validate_every: steps between two looks at the validation cases; the best head is kept.
    """

    steps: int = 1500
    batch: int = 256
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    validate_every: int = 50

    def __post_init__(self) -> None:
        require_from(self, "outcome", steps=1, batch=1, validate_every=1)


@dataclass(frozen=True)
class DynamicsConfig:
    """The whole configuration.

    Attributes:
        name: how tables call the model.
        network: arguments of :class:`mewm.dynamics.diffusion.model.ActionDiffusion` but for agents and tower.
        tower, text: size of the text tower and how it is trained.
        outcome: how the outcome head is trained, where the network has one.
        loop: steps, batch (pairs of cases), seed and rhythm.
        denoiser: how the weights follow the loss.
        objective, contrastive, attenuation: the paper's three.
        sampler: solver and steps, for validation and for the bundle.
        validation_cases: cases of the validation split that choose the best checkpoint; the outcome head is chosen on
            all of them.
    """

    name: str = "action-conditioned diffusion"
    network: dict[str, Any] = field(default_factory=dict)
    tower: TowerSettings = field(default_factory=TowerSettings)
    text: TextTraining = field(default_factory=TextTraining)
    outcome: OutcomeTraining = field(default_factory=OutcomeTraining)
    loop: LoopSettings = field(default_factory=lambda: LoopSettings(steps=9000, batch=4))
    denoiser: Optimisation = field(default_factory=Optimisation)
    objective: Objective = field(default_factory=Objective)
    contrastive: Contrastive = field(default_factory=Contrastive)
    attenuation: Attenuation = field(default_factory=Attenuation)
    sampler: SamplerSettings = field(default_factory=SamplerSettings)
    validation_cases: int = 48

    def __post_init__(self) -> None:
        require_from(self, "the configuration", validation_cases=1)
        require_figure(self.loop.best, FIGURES)
        if self.sampler.outcome_guidance != 1.0 and not self.network.get("outcome"):
            raise InputError(
                f"The sampler's outcome_guidance is {self.sampler.outcome_guidance:g} but the network has no outcome "
                "head; leave it out, or give the network an outcome."
            )
