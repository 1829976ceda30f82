"""What ``configs/train.yaml`` of the survival bundle says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mewm.errors import InputError
from mewm.survival.attention.numbers import FACTS, NAMES, TREATMENT, VOLUMES
from mewm.survival.attention.regions import RegionSettings
from mewm.training.config import require_figure
from mewm.training.learner import Optimisation
from mewm.training.loop import LoopSettings

FIGURES = ("likelihood", "c_index", "c_longevity", "spread")
FIGURES_OF_SIMULATED = ("c_simulated", "bias")
"""What :func:`mewm.training.survival.validation.validation_figures` measures, and what of simulated futures."""


@dataclass(frozen=True)
class Futures:
    """Which CTs after treatment the network learns from.

    Attributes:
        simulated: futures that are simulated once for each case under its as-treated protocol.
        simulated_share: share of examples that show one of them instead of the true CT, with the patient's own outcome.
        assistant_share: share of the examples with the true CT that carry the assistant's labels, as in use; the rest
            carry the cohort's own, where it has any.
        dynamics: what simulates, a name or folder of ``--dynamics``.
        assistant: what labels CTs, a name or folder of ``--assistant``; take the one that will be used.
        held_out: share of the train split that joins the validation split: choosing the checkpoint and calibrating it
            take more deaths than a tenth of a cohort has.
    """

    simulated: int = 2
    simulated_share: float = 0.25
    assistant_share: float = 0.7
    dynamics: str = "mechanistic"
    assistant: str = "intensity"
    held_out: float = 0.1

    def __post_init__(self) -> None:
        for name in ("simulated_share", "assistant_share", "held_out"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"The setting {name} is {getattr(self, name):g}; choose a share from 0 to 1.")
        if self.simulated < 0 or (self.simulated == 0 and self.simulated_share > 0):
            raise InputError(
                f"A share of {self.simulated_share:g} cannot come from {self.simulated} simulated futures a case."
            )


@dataclass(frozen=True)
class Augmentation:
    """How an example is varied.

    Attributes:
        flip: chance to mirror along each axis.
        shift_hu, noise_hu: spread of a shift of a whole CT, and of noise in every voxel.
        hide_fact: chance that a stated fact counts as not stated.
        hide_all_facts: chance that no fact counts as stated.
    """

    flip: float = 0.5
    shift_hu: float = 6.0
    noise_hu: float = 8.0
    hide_fact: float = 0.05
    hide_all_facts: float = 0.05


@dataclass(frozen=True)
class Objective:
    """The multi-task loss.

    Attributes:
        hazard: weight of Cox's partial likelihood.
        longevity: weight of the regression of overall survival.
    """

    hazard: float = 1.0
    longevity: float = 0.3


@dataclass(frozen=True)
class SurvivalConfig:
    """The whole configuration.

    Attributes:
        name: how tables call the model.
        network: arguments of :class:`mewm.survival.attention.network.SurvivalNetwork` but for the groups of numbers.
        numbers: groups of numbers that the network is given.
        pretrained: file with torchvision's weights of ``mc3_18``; none without it, and nothing is downloaded.
        region: what it sees of a CT.
        futures, augmentation: what it learns from.
        objective: the loss.
        loop: steps, batch, seed and rhythm.
        optimisation: how the weights follow the loss.
    """

    name: str = "attention"
    network: dict[str, Any] = field(default_factory=dict)
    numbers: tuple[str, ...] = (FACTS, TREATMENT, VOLUMES)
    pretrained: str = ""
    region: RegionSettings = field(default_factory=RegionSettings)
    futures: Futures = field(default_factory=Futures)
    augmentation: Augmentation = field(default_factory=Augmentation)
    objective: Objective = field(default_factory=Objective)
    loop: LoopSettings = field(default_factory=lambda: LoopSettings(steps=800, batch=32, best="likelihood"))
    optimisation: Optimisation = field(default_factory=Optimisation)

    def __post_init__(self) -> None:
        require_figure(self.loop.best, (*FIGURES, *(FIGURES_OF_SIMULATED if self.futures.simulated else ())))
        if unknown := [name for name in self.numbers if name not in NAMES]:
            raise InputError(f"There are no numbers {unknown[0]!r}; choose among {', '.join(NAMES)}.")
