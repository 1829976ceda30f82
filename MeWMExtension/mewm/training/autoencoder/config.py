"""What ``configs/train.yaml`` of the autoencoder's bundle says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mewm.errors import InputError
from mewm.roi import GRID
from mewm.training.config import require_figure, require_from
from mewm.training.learner import Optimisation
from mewm.training.loop import LoopSettings

FIGURES = (
    *(f"{figure}_{tissue}" for tissue in ("liver", "viable", "necrosis", "lipiodol") for figure in ("mae", "bias")),
    *("oil_dice", "oil_mean", "contrast", "loss", "latent_spread_lowest", "latent_spread"),
)
"""What a validation measures: :func:`mewm.training.autoencoder.reconstruction.figures_of`, and of the latents."""


@dataclass(frozen=True)
class LossWeights:
    """How the terms of the loss are added. Differences are in window units (1 is 387.5 HU).

    Attributes:
        absolute: mean absolute difference.
        squared: mean squared difference: edges of oil count more than noise.
        perceptual: filter-bank distance (:mod:`mewm.training.autoencoder.losses`).
        adversarial: least-squares adversarial loss; 0 trains no discriminator.
        bottleneck: penalty of the bottleneck.
        adversarial_from: share of the training after which the discriminator begins.
    """

    absolute: float = 1.0
    squared: float = 4.0
    perceptual: float = 0.02
    adversarial: float = 0.0
    bottleneck: float = 2e-3
    adversarial_from: float = 0.5


@dataclass(frozen=True)
class Crops:
    """The cubes that are trained on; the network has no normalisation, so a crop teaches what a whole volume would.

    Attributes:
        edge: voxels, a multiple of 4.
        lesion_share: share of crops centred within the lesion's box.
        after_share: share of crops of the CT after treatment.
        scale: largest relative change of density.
        shift_hu: largest shift of density.
    """

    edge: int = 48
    lesion_share: float = 0.7
    after_share: float = 0.6
    scale: float = 0.05
    shift_hu: float = 15.0

    def __post_init__(self) -> None:
        if self.edge % 4 or not 8 <= self.edge <= GRID:
            raise InputError(
                f"A crop of {self.edge} voxels cannot be trained on; choose a multiple of 4 from 8 to {GRID}."
            )


@dataclass(frozen=True)
class AutoencoderConfig:
    """The whole configuration.

    Attributes:
        network: arguments of :class:`mewm.dynamics.autoencoder.network.Autoencoder`.
        loop: steps, batch, seed and rhythm.
        autoencoder, discriminator: how each learns.
        discriminator_network: arguments of MONAI's ``PatchDiscriminator`` (``channels``, ``num_layers_d``).
        losses: weights of the terms.
        crops: what is trained on.
        validation_cases: cases of the validation split whose whole volumes choose the best checkpoint.
    """

    network: dict[str, Any] = field(default_factory=dict)
    loop: LoopSettings = field(default_factory=LoopSettings)
    autoencoder: Optimisation = field(default_factory=Optimisation)
    discriminator: Optimisation = field(default_factory=lambda: Optimisation(learning_rate=2e-4, average=0.0))
    discriminator_network: dict[str, Any] = field(default_factory=lambda: {"channels": 16, "num_layers_d": 2})
    losses: LossWeights = field(default_factory=LossWeights)
    crops: Crops = field(default_factory=Crops)
    validation_cases: int = 8

    def __post_init__(self) -> None:
        require_from(self, "the configuration", validation_cases=1)
        require_figure(self.loop.best, FIGURES)
