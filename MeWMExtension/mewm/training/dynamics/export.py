"""Measure a trained dynamics model on cases that it has not seen and write its bundle."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

import mewm
from mewm.actions.base import load_action_base
from mewm.assistant.intensity import IntensityAssistant
from mewm.bundle import NOTICE, Bundle, write_bundle
from mewm.cohort.dataset import Cohort, CohortRow, read_cohort
from mewm.dynamics.diffusion.condition import Codec
from mewm.dynamics.diffusion.dynamics import TITLE, DiffusionDynamics
from mewm.dynamics.diffusion.model import ActionDiffusion
from mewm.errors import InputError
from mewm.evaluation.intervals import Estimate, bootstrap_mean
from mewm.evaluation.truth_metrics import correlation, quantities
from mewm.measure import measure
from mewm.training.best import load_best
from mewm.training.dynamics.card import model_card
from mewm.training.dynamics.config import DynamicsConfig
from mewm.training.dynamics.fit import CHECKPOINTS, LEARNER, decisive, make_model, network_arguments
from mewm.training.loop import described
from mewm.training.volumes import table_hash

QUANTITIES = ("viable_fraction", "lipiodol_fraction", "viable_ml", "lipiodol_ml", "necrosis_ml")
Progress = Callable[[int, int], None]


def export_dynamics(
    cohort: Path,
    work: Path,
    config: DynamicsConfig,
    config_text: str,
    codec: Codec,
    out: Path,
    *,
    cases: int | None = None,
    progress: Progress | None = None,
) -> Bundle:
    """Make a bundle of the best checkpoint so far, with its figures on the test split.

    Args:
        cohort: the dataset it was trained on.
        work: the training's folder.
        config: its configuration.
        config_text: the same as text, for the bundle.
        codec: the autoencoder it was trained on.
        out: bundle folder.
        cases: how many cases of the test split to measure; all without it.
        progress: called with cases done and cases in all.

    Raises:
        InputError: there is no checkpoint, it belongs to another configuration, or the folder cannot be written.
    """
    data = read_cohort(Path(cohort))
    agents = tuple(load_action_base().agents)
    settings = decisive(data, config, codec, agents)
    model, step = best_model(Path(work), config, agents, codec.channels, settings)
    rows = data.split("test")[:cases]
    if not rows:
        raise InputError(f"The cohort {cohort} has no case in its test split; choose another.")
    dynamics = DiffusionDynamics(model, codec, config.sampler, name=config.name)
    figures = measure_split(dynamics, data, rows, progress or (lambda done, total: None))
    metadata = _metadata(data, config, step, figures, codec.channels)
    arguments = network_arguments(config, model.action.agents, codec.channels)
    inference = {
        "network_def": {"_target_": "mewm.dynamics.diffusion.model.ActionDiffusion", **arguments},
        "sampler": asdict(config.sampler),
        "autoencoder_sha256": codec.sha256,
    }
    return write_bundle(
        Path(out),
        state=model.state_dict(),
        metadata=metadata,
        inference=inference,
        train=config_text,
        card=model_card(metadata),
    )


def best_model(
    work: Path, config: DynamicsConfig, agents: tuple[str, ...], channels: int, settings: Mapping[str, Any]
) -> tuple[ActionDiffusion, int]:
    """Return the model of the best checkpoint (averaged weights where there are any) and the step it was saved at.

    Args:
        work: the training's folder.
        config: its configuration.
        agents: that it knows.
        channels: of a latent voxel.
        settings: what else decides the result (:func:`mewm.training.dynamics.fit.decisive`).

    Raises:
        InputError: there is no checkpoint, or it is of another configuration.
    """
    model = make_model(config, agents, channels)
    return model, load_best(model, LEARNER, work / CHECKPOINTS, described(config.loop, settings))


def measure_split(
    dynamics: DiffusionDynamics, data: Cohort, rows: Sequence[CohortRow], report: Progress
) -> dict[str, Any]:
    """Simulate the as-treated protocol of each case once and compare what an assistant reads off with the truth.

    Returns:
        For each of :data:`QUANTITIES` ``pearson`` and ``bias`` with 95 % bootstrap intervals over cases, the denoiser's
        calls for one future, and the median seconds of one future on this machine.
    """
    assistant = IntensityAssistant()
    simulated: list[list[float]] = []
    true: list[list[float]] = []
    seconds: list[float] = []
    for done, row in enumerate(rows, 1):
        case = data.load(row)
        seed = int(np.random.SeedSequence([7, done]).generate_state(1)[0])
        # What a case needs once is not what a future costs.
        dynamics.simulate(case.roi, row.protocol, [seed])
        begun = time.perf_counter()
        ct = dynamics.simulate(case.roi, row.protocol, [seed])[0]
        seconds.append(time.perf_counter() - begun)
        tissue = assistant.segment(case.roi, case.post_ct) if case.tissue is None else case.tissue
        for kept, labels in ((simulated, assistant.segment(case.roi, ct)), (true, tissue)):
            found = quantities(measure(case.roi, labels))
            kept.append([found[name] for name in QUANTITIES])
        report(done, len(rows))
    a, b = np.array(simulated), np.array(true)
    figures: dict[str, Any] = {name: _agreement(a[:, k], b[:, k]) for k, name in enumerate(QUANTITIES)}
    return {
        **figures,
        "cases": len(rows),
        "denoiser_calls": dynamics.settings.calls,
        "seconds_a_future": round(float(np.median(seconds)), 3),
        "device": str(dynamics.codec.device),
        "threads": torch.get_num_threads(),
    }


def _agreement(simulated: np.ndarray, true: np.ndarray) -> dict[str, Any]:
    found = {"pearson": correlation(simulated, true), "bias": bootstrap_mean(simulated - true)}
    return {name: _plain(estimate) for name, estimate in found.items()}


def _plain(estimate: Estimate) -> dict[str, float | None]:
    """Return an estimate for JSON, which knows no NaN."""
    values = {key: float(getattr(estimate, key)) for key in ("value", "low", "high")}
    return {key: round(value, 4) if np.isfinite(value) else None for key, value in values.items()}


def _metadata(
    data: Cohort, config: DynamicsConfig, step: int, figures: Mapping[str, Any], channels: int
) -> dict[str, Any]:
    info, edge = data.info, 24
    latent = {"type": "image", "format": "latent", "num_channels": channels, "spatial_shape": [edge] * 3}
    return {
        "version": "0.1.0",
        "task": TITLE,
        "name": config.name,
        "description": "post-treatment latents of a liver lesion from those before"
        + ("" if config.network.get("action") == "none" else " and a TACE protocol"),
        "notice": NOTICE if info.get("kind") == "simulated" else "Trained on one dataset; not for clinical use.",
        "authors": "MeWM contributors",
        "copyright": "Apache-2.0",
        "pytorch_version": torch.__version__,
        "numpy_version": np.__version__,
        "network_data_format": {
            "inputs": {"image": {**latent, "dtype": "float32", "channel_def": {"0": "latent"}}},
            "outputs": {"pred": {**latent, "dtype": "float32", "channel_def": {"0": "latent"}}},
        },
        "training": {
            "mewm": mewm.__version__,
            "cohort": {
                "kind": info.get("kind"),
                "seed": info.get("seed"),
                "cases": len(data.rows),
                "train": len(data.split("train")),
                "cases_csv_sha256": table_hash(data),
            },
            "best_step": step,
            "steps": config.loop.steps,
            "seed": config.loop.seed,
            "contrastive_weight": config.contrastive.weight,
            "action": config.network.get("action", "full"),
            "see_lesion": config.network.get("see_lesion", True),
            "outcome_head": config.network.get("outcome") is not None,
        },
        "figures": dict(figures),
    }
