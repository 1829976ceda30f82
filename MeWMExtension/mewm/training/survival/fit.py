"""``mewm train survival``: read the cohort and simulate futures once, then train the network."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from mewm.cohort.dataset import Cohort, read_cohort
from mewm.errors import InputError
from mewm.roles import AssistantModel, DynamicsModel
from mewm.survival.attention.network import SurvivalNetwork
from mewm.survival.attention.numbers import groups
from mewm.training.config import built
from mewm.training.cox import ridge_cox
from mewm.training.learner import Learner
from mewm.training.loop import Report, Validate, train
from mewm.training.one_process import require_one_process
from mewm.training.processes import processes
from mewm.training.survival.config import SurvivalConfig
from mewm.training.survival.examples import future_draws
from mewm.training.survival.futures import NUMBERS, READ, FutureRegions, open_futures
from mewm.training.survival.loss import survival_loss
from mewm.training.survival.validation import validation_figures
from mewm.training.volumes import table_hash

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

CHECKPOINTS = "checkpoints"
LEARNER = "survival"
# A number that did not vary must not be blown up where it does.
_LEAST_SPREAD = 1e-3
_COX_PENALTY = 0.05


def train_survival(
    cohort: Path,
    work: Path,
    config: SurvivalConfig,
    dynamics: DynamicsModel,
    assistant: AssistantModel,
    *,
    device: str | None = None,
    tell: Callable[[Report], None] | None = None,
    reading: Callable[[int, int], None] | None = None,
) -> float:
    """Train on most of the train split; the rest and the validation split choose the best checkpoint by likelihood.

    The test split is not read. The same call goes on where an earlier one was stopped.

    Args:
        cohort: dataset folder (docs/cohort.md).
        work: gets the regions and ``checkpoints``.
        config: the configuration.
        dynamics: simulates futures of the as-treated protocols.
        assistant: labels CTs, as it will in use.
        device: where; without one the fastest there is.
        tell: called with losses and validation figures.
        reading: called with cases done and cases in all while regions are made.

    Returns:
        The best validation figure.

    Raises:
        InputError: the cohort or the configuration cannot be used, or ``torchrun`` started several processes.
        Cancelled: the user interrupted; the same call goes on.
    """
    # Each process would know those at risk, and the means that normalise features, of its own share alone.
    require_one_process("survival model")
    data, work = read_cohort(Path(cohort)), Path(work)
    with processes(device) as group:
        # Before the regions, which take minutes: a wrong network or file is told at once.
        network = make_network(config)
        if config.pretrained:
            network.encoder.begin_with(Path(config.pretrained))
        regions = open_cohort(data, config, dynamics, assistant, work, reading)
        learning, held = parts(regions, config)
        standardise(network, regions, learning)
        begin_with_cox(network, regions, learning)
        network.to(group.device)
        network.encoder.to(memory_format=torch.channels_last_3d)
        draws = future_draws(regions, learning, network.names, config.futures, config.augmentation, config.loop.seed)
        learner = Learner(
            network, survival_loss(network, config.objective, median_weeks(regions, learning)), config.optimisation
        )
        return train(
            {LEARNER: learner},
            draws,
            config.loop,
            work / CHECKPOINTS,
            group,
            validate=_validation(regions, held, group.device),
            config=decisive(data, config, dynamics, assistant),
            tell=tell,
        )


def make_network(config: SurvivalConfig) -> SurvivalNetwork:
    """Return the untrained network of a configuration, the same for the same seed.

    Raises:
        InputError: there is no such network.
    """
    torch.manual_seed(config.loop.seed)
    return built(SurvivalNetwork, network_arguments(config))


def network_arguments(config: SurvivalConfig) -> dict[str, Any]:
    """Return the arguments of :class:`SurvivalNetwork`, as they stand in the bundle."""
    return {"groups": groups(config.numbers), **config.network}


def open_cohort(
    data: Cohort,
    config: SurvivalConfig,
    dynamics: DynamicsModel,
    assistant: AssistantModel,
    work: Path,
    reading: Callable[[int, int], None] | None = None,
) -> FutureRegions:
    """Return the regions of the train and validation splits.

    Raises:
        InputError: one of them is empty.
    """
    rows = data.split("train", "val")
    for split in ("train", "val"):
        if not any(row.split == split for row in rows):
            raise InputError(f"The cohort {data.folder} has no case in its {split} split; choose another.")
    return open_futures(
        data,
        rows,
        config.region,
        config.futures.simulated,
        dynamics,
        assistant,
        work,
        seed=config.loop.seed,
        report=reading,
    )


def parts(regions: FutureRegions, config: SurvivalConfig) -> tuple[list[int], list[int]]:
    """Return the cases to learn from, and those to choose and calibrate by, as places in ``regions``.

    Which patients of the train split are held out depends on seed and names alone, not on their order. All cases of a
    patient fall on one side: what was learned from one of them is known of the others.
    """
    learning: list[int] = []
    held: list[int] = []
    for place, row in enumerate(regions.rows):
        digest = hashlib.sha256(f"held out {config.loop.seed}:{row.patient}".encode()).digest()
        chosen = int.from_bytes(digest[:4], "little") / 2**32 < config.futures.held_out
        (held if row.split == "val" or chosen else learning).append(place)
    if not learning:
        raise InputError(f"A held_out share of {config.futures.held_out:g} leaves no case to learn from; lower it.")
    return learning, held


def median_weeks(regions: FutureRegions, cases: list[int]) -> float:
    """Return the median observed survival of some cases in weeks: the zero of the regressed log survival."""
    return float(np.median([regions.rows[case].os_weeks for case in cases]))


def standardise(network: SurvivalNetwork, regions: FutureRegions, cases: list[int]) -> None:
    """Set mean and spread of the network's numbers to those of some cases; one that nobody states keeps 0 and 1."""
    columns = [NUMBERS.index(name) for name in network.names]
    values = regions.numbers[cases, READ][:, columns]
    for place in range(values.shape[1]):
        known = values[np.isfinite(values[:, place]), place]
        if known.size:
            network.mean[place] = float(known.mean())
            spread = float(known.std())
            network.scale[place] = spread if spread > _LEAST_SPREAD else 1.0


def begin_with_cox(network: SurvivalNetwork, regions: FutureRegions, cases: list[int]) -> None:
    """Set the linear path to a Cox regression of its numbers: the optimiser would take hundreds of steps to get there.

    Raises:
        InputError: the regression does not converge on these cases.
    """
    import pandas as pd

    if network.wide is None:
        return
    values = regions.numbers[cases, READ][:, [NUMBERS.index(name) for name in network.names]]
    known = np.nan_to_num((values - network.mean.numpy()) / network.scale.numpy())
    vary = np.flatnonzero(known.std(axis=0) > _LEAST_SPREAD)
    rows = [regions.rows[case] for case in cases]
    table = pd.DataFrame({str(column): known[:, column] for column in vary})
    fitted = ridge_cox(
        table.assign(os_weeks=[row.os_weeks for row in rows], event=[row.event for row in rows]), _COX_PENALTY
    )
    with torch.no_grad():
        for column in vary:
            network.wide.weight[0, column] = float(fitted.params_[str(column)])


def _validation(regions: FutureRegions, held: list[int], device: torch.device) -> Validate:
    def validate(modules: Mapping[str, nn.Module], board: SummaryWriter, step: int) -> Mapping[str, float]:
        network = modules[LEARNER]
        assert isinstance(network, SurvivalNetwork)
        return validation_figures(network, regions, held, device)

    return validate


def decisive(
    data: Cohort, config: SurvivalConfig, dynamics: DynamicsModel, assistant: AssistantModel
) -> dict[str, Any]:
    """Return what decides the result of a training besides the settings of its loop."""
    settings = {key: value for key, value in asdict(config).items() if key not in ("loop", "name")}
    return {**settings, "cohort": table_hash(data), "models": _models(dynamics, assistant)}


def _models(*models: Any) -> list[Any]:
    return [[model.name, getattr(model, "sha256", None)] for model in models]
