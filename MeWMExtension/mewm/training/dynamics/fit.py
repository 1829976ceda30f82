"""``mewm train dynamics``: encode the cohort once, train the text tower, then the denoiser with the action encoder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from mewm.actions.base import load_action_base
from mewm.cohort.dataset import Cohort, read_cohort
from mewm.dynamics.autoencoder.network import REDUCTION
from mewm.dynamics.diffusion.condition import Codec
from mewm.dynamics.diffusion.model import ActionDiffusion
from mewm.errors import InputError
from mewm.roi import GRID
from mewm.training.checkpoint import load_checkpoint, save_checkpoint
from mewm.training.config import built
from mewm.training.dynamics.config import DynamicsConfig
from mewm.training.dynamics.examples import pair_draws
from mewm.training.dynamics.latents import Latents, open_latents, spread_of_change
from mewm.training.dynamics.loss import diffusion_loss
from mewm.training.dynamics.outcome import trained_head
from mewm.training.dynamics.text import trained_tower
from mewm.training.dynamics.validation import validation_figures
from mewm.training.learner import Learner
from mewm.training.loop import Report, Validate, train
from mewm.training.processes import Processes, processes
from mewm.training.volumes import table_hash

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

CHECKPOINTS = "checkpoints"
LEARNER = "denoiser"
_EDGE = GRID // REDUCTION
_TOWER = "text_tower.pt"
_HEAD = "outcome_head.pt"


def train_dynamics(
    cohort: Path,
    work: Path,
    config: DynamicsConfig,
    load_codec: Callable[[torch.device], Codec],
    *,
    device: str | None = None,
    tell: Callable[[Report], None] | None = None,
    reading: Callable[[int, int], None] | None = None,
    warn: Callable[[str], None] | None = None,
) -> float:
    """Train on the train split, choosing the best checkpoint on the validation split; go on where it was stopped.

    Args:
        cohort: dataset folder (docs/cohort.md).
        work: gets the latents, the text tower and ``checkpoints``.
        config: the configuration.
        load_codec: gives the trained autoencoder for a device.
        device: where; without one the fastest there is. Under ``torchrun`` every process takes its share.
        tell: called with losses and validation figures.
        reading: called with work done and work in all while latents are computed.
        warn: called with a sentence where the configuration asks for something that the cohort does not hold.

    Returns:
        The best validation figure.

    Raises:
        InputError: the cohort or the configuration cannot be used.
        Cancelled: the user interrupted; the same call goes on.
    """
    data, work = read_cohort(Path(cohort)), Path(work)
    agents = tuple(load_action_base().agents)
    with processes(device) as group:
        codec = load_codec(group.device)
        # Before hours of encoding: a network that cannot be built, or a file of weights that cannot be read.
        model = make_model(config, agents, codec.channels)
        if group.first:
            _prepare_tower(config, agents, work)
            learning = open_split(data, "train", codec, config, work, reading, warn)
            held = open_split(data, "val", codec, config, work, reading)
            if model.outcome is not None:
                _prepare_head(model, config, codec, learning, held, work)
        group.wait()
        latents = open_split(data, "train", codec, config, work)
        model.action.text.load_state_dict(load_checkpoint(work / _TOWER)["tower"])
        if model.outcome is not None:
            model.outcome.load_state_dict(load_checkpoint(work / _HEAD)["head"])
        model.spread.copy_(spread_of_change(latents) if model.target == "change" else torch.ones(codec.channels))
        model.to(group.device, memory_format=torch.channels_last_3d)
        draws = pair_draws(
            latents, agents, config.tower, model.action.places, config.attenuation.share, config.loop.seed
        )
        learner = Learner(model, diffusion_loss(model, config.objective, config.contrastive), config.denoiser)
        validate = _validation(data, codec, config, work, group) if group.first else None
        return train(
            {LEARNER: learner},
            draws,
            config.loop,
            work / CHECKPOINTS,
            group,
            validate=validate,
            config=decisive(data, config, codec, agents),
            tell=tell if group.first else None,
        )


def decisive(data: Cohort, config: DynamicsConfig, codec: Codec, agents: tuple[str, ...]) -> dict[str, Any]:
    """Return what decides the result of a training besides the settings of its loop."""
    settings = {k: v for k, v in asdict(config).items() if k not in ("loop", "sampler", "name")}
    # Concept embeddings are counted off in the order of the agents.
    return {**settings, "cohort": table_hash(data), "autoencoder": codec.sha256, "agents": list(agents)}


def make_model(config: DynamicsConfig, agents: tuple[str, ...], channels: int) -> ActionDiffusion:
    """Return the untrained model of a configuration, the same for the same seed.

    Raises:
        InputError: there is no such network.
    """
    torch.manual_seed(config.loop.seed)
    model = built(ActionDiffusion, network_arguments(config, agents, channels))
    if _EDGE % (parts := model.denoiser.parts):
        raise InputError(
            f"The configuration's network cuts the {_EDGE} latents of an edge into {parts} parts; choose a patch and "
            "a number of levels whose parts divide it."
        )
    return model


def network_arguments(config: DynamicsConfig, agents: tuple[str, ...], channels: int) -> dict[str, Any]:
    """Return the arguments of :class:`ActionDiffusion`, as they stand in the bundle.

    Raises:
        InputError: the configuration names an argument that is not the network's own to choose.
    """
    fixed: dict[str, Any] = {"agents": list(agents), "tower": asdict(config.tower), "latent_channels": channels}
    if given := sorted(set(fixed) & set(config.network)):
        raise InputError(f"The configuration's network names {given[0]!r}, which follows from the rest; leave it out.")
    return {**fixed, **config.network}


def open_split(
    data: Cohort,
    split: str,
    codec: Codec,
    config: DynamicsConfig,
    work: Path,
    reading: Callable[[int, int], None] | None = None,
    warn: Callable[[str], None] | None = None,
) -> Latents:
    """Return the latents of a split.

    Raises:
        InputError: the split is empty.
    """
    rows = data.split(split)
    if not rows:
        raise InputError(f"The cohort {data.folder} has no case in its {split} split; choose another.")
    return open_latents(data, rows, codec, config.attenuation, work, reading, warn)


def _prepare_tower(config: DynamicsConfig, agents: tuple[str, ...], work: Path) -> None:
    """Train the text tower, unless it is there from the same settings."""
    made_with = {
        "tower": asdict(config.tower),
        "text": asdict(config.text),
        "agents": list(agents),
        "seed": config.loop.seed,
    }
    if (work / _TOWER).is_file() and load_checkpoint(work / _TOWER)["made_with"] == made_with:
        return
    tower = trained_tower(config.tower, config.text, agents, config.loop.seed)
    save_checkpoint(work / _TOWER, {"made_with": made_with, "tower": tower.state_dict()})


def _prepare_head(
    model: ActionDiffusion, config: DynamicsConfig, codec: Codec, learning: Latents, held: Latents, work: Path
) -> None:
    """Train the outcome head, unless it is there from the same settings, latents and cases."""
    cases = [row.case_id for row in (*learning.rows, *held.rows)]
    made_with = {
        "network": config.network["outcome"],
        "outcome": asdict(config.outcome),
        "autoencoder": codec.sha256,
        "agents": list(model.action.agents),
        "seed": config.loop.seed,
        "cases": hashlib.sha256(json.dumps([cases, learning.outcomes.tolist()]).encode()).hexdigest(),
    }
    if (work / _HEAD).is_file() and load_checkpoint(work / _HEAD)["made_with"] == made_with:
        return
    head, figures = trained_head(model, config.outcome, learning, held, config.loop.seed)
    save_checkpoint(work / _HEAD, {"made_with": made_with, "head": head.state_dict(), "figures": figures})


def _validation(data: Cohort, codec: Codec, config: DynamicsConfig, work: Path, group: Processes) -> Validate:
    latents = open_split(data, "val", codec, config, work).first(config.validation_cases)

    def validate(modules: Mapping[str, nn.Module], board: SummaryWriter, step: int) -> Mapping[str, float]:
        model = modules[LEARNER]
        assert isinstance(model, ActionDiffusion)
        return validation_figures(model, latents, config, group.device)

    return validate
