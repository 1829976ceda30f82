"""Train the autoencoder on a cohort, measure it on held-out cases and write its bundle."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from mewm.bundle import read_bundle
from mewm.cohort.dataset import Cohort, read_cohort
from mewm.dynamics.autoencoder.codec import TITLE
from mewm.dynamics.autoencoder.network import Autoencoder
from mewm.errors import InputError
from mewm.training.autoencoder.config import AutoencoderConfig
from mewm.training.autoencoder.crops import crop_draws
from mewm.training.autoencoder.losses import discriminator_loss, generator_loss, make_discriminator
from mewm.training.autoencoder.pictures import comparison
from mewm.training.autoencoder.reconstruction import Scan, collapsed, figures_of, reconstruct, scans_of
from mewm.training.config import built
from mewm.training.learner import Learner
from mewm.training.loop import Report, Validate, train
from mewm.training.processes import Processes, processes
from mewm.training.volumes import open_volumes, table_hash

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

CHECKPOINTS = "checkpoints"
LEARNER = "autoencoder"
_PICTURED = 8


def train_autoencoder(
    cohort: Path,
    work: Path,
    config: AutoencoderConfig,
    *,
    device: str | None = None,
    begin_with: Path | None = None,
    tell: Callable[[Report], None] | None = None,
    warn: Callable[[str], None] | None = None,
    reading: Callable[[int, int], None] | None = None,
) -> float:
    """Train on the train split, choosing the best checkpoint on the validation split; go on where it was stopped.

    Args:
        cohort: dataset folder (docs/cohort.md).
        work: gets the volumes' cache and ``checkpoints``.
        config: the configuration.
        device: where; without one the fastest there is. Under ``torchrun`` every process takes its share.
        begin_with: bundle whose weights to begin with, to adapt a trained autoencoder to another cohort.
        tell: called with losses and validation figures.
        warn: called with a sentence when a validation finds the model collapsed.
        reading: called with cases read and cases in all while the cache is written.

    Returns:
        The best validation figure.

    Raises:
        InputError: the cohort or the configuration cannot be used.
        Cancelled: the user interrupted; the same call goes on.
    """
    data = read_cohort(Path(cohort))
    with processes(device) as group:
        # Before hours of preparing: a network that cannot be built is told at once.
        learners = make_learners(config, group, begin_with)
        rows = data.split("train")
        if group.first:
            open_volumes(data, rows, Path(work), reading)
        group.wait()
        draws = crop_draws(open_volumes(data, rows, Path(work)), config.crops, config.loop.seed)
        validate = _validation(data, config, group, warn) if group.first else None
        return train(
            learners,
            draws,
            config.loop,
            Path(work) / CHECKPOINTS,
            group,
            validate=validate,
            config=decisive(data, config),
            tell=tell if group.first else None,
        )


def decisive(data: Cohort, config: AutoencoderConfig) -> dict[str, Any]:
    """Return what decides the result of a training besides the settings of its loop."""
    return {**{k: v for k, v in asdict(config).items() if k != "loop"}, "cohort": table_hash(data)}


def make_learners(config: AutoencoderConfig, group: Processes, begin_with: Path | None = None) -> dict[str, Learner]:
    """Return the autoencoder and, where the adversarial loss has weight, its discriminator, as the loop takes them.

    Raises:
        InputError: a network cannot be built.
        ResourceError: ``begin_with`` is no such bundle, or its network is another.
    """
    torch.manual_seed(config.loop.seed)
    network = built(Autoencoder, config.network)
    if begin_with is not None:
        read_bundle(begin_with, TITLE).load_into(network)
        # The encoder that learns on has no known mean and spread.
        network.standardise(torch.zeros(network.latent_channels), torch.ones(network.latent_channels))
    network = network.to(group.device, memory_format=torch.channels_last_3d)
    start = int(config.losses.adversarial_from * config.loop.steps)
    if not config.losses.adversarial:
        return {LEARNER: Learner(network, generator_loss(network, config.losses, None, 0), config.autoencoder)}
    discriminator = built(make_discriminator, config.discriminator_network).to(group.device)
    # The discriminator learns a while before it is listened to.
    heard = start + (config.loop.steps - start) // 20
    return {
        LEARNER: Learner(network, generator_loss(network, config.losses, discriminator, heard), config.autoencoder),
        "discriminator": Learner(discriminator, discriminator_loss(discriminator), config.discriminator, start=start),
    }


def held_out(data: Cohort, split: str, count: int) -> list[Scan]:
    """Return the CTs of the first cases of a split.

    Raises:
        InputError: the split is empty.
    """
    rows = data.split(split)[:count]
    if not rows:
        raise InputError(f"The cohort {data.folder} has no case in the split {split}, which chooses the best weights.")
    return [scan for row in rows for scan in scans_of(data.load(row))]


def summarise(found: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the mean of every figure over scans that have it."""
    table = {name: np.array([figures[name] for figures in found]) for name in found[0]}
    return {name: float(np.nanmean(v)) if np.isfinite(v).any() else float("nan") for name, v in table.items()}


def _validation(
    data: Cohort, config: AutoencoderConfig, group: Processes, warn: Callable[[str], None] | None
) -> Validate:
    scans = held_out(data, "val", config.validation_cases)

    def validate(modules: Mapping[str, nn.Module], board: SummaryWriter, step: int) -> dict[str, float]:
        network = modules[LEARNER]
        assert isinstance(network, Autoencoder)
        made, latents = zip(*(reconstruct(network, scan.ct, group.device) for scan in scans), strict=True)
        found = [figures_of(scan, volume) for scan, volume in zip(scans, made, strict=True)]
        figures: dict[str, Any] = summarise(found)
        tissues = [figures[n] for n in ("mae_liver", "mae_viable", "mae_necrosis", "mae_lipiodol")]
        figures["loss"] = float(np.nanmean(tissues))
        spread = np.stack(latents).std(axis=(0, 2, 3, 4))
        figures["latent_spread_lowest"], figures["latent_spread"] = float(spread.min()), float(spread.mean())
        board.add_image("true, reconstructed, difference", comparison(scans, made)[None], step)
        sentence = collapsed(float(np.median([f["contrast"] for f in found])), spread)
        if sentence and warn is not None:
            warn(f"step {step}: {sentence}")
        return figures

    return validate
