"""Measure a trained autoencoder on cases that it has not seen and write its bundle."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

import mewm
from mewm.bundle import NOTICE, Bundle, write_bundle
from mewm.cohort.dataset import Cohort, CohortRow, read_cohort
from mewm.dynamics.autoencoder.codec import TITLE
from mewm.dynamics.autoencoder.network import WINDOW_HU, Autoencoder
from mewm.errors import InputError
from mewm.evaluation.intervals import bootstrap
from mewm.roi import GRID
from mewm.training.autoencoder.card import model_card
from mewm.training.autoencoder.config import AutoencoderConfig
from mewm.training.autoencoder.fit import CHECKPOINTS, LEARNER, decisive, summarise
from mewm.training.autoencoder.reconstruction import figures_of, reconstruct, scans_of
from mewm.training.best import load_best
from mewm.training.config import built
from mewm.training.loop import described
from mewm.training.volumes import table_hash

STANDARDISED_ON = 32
"""Cases of the train split whose latents give mean and spread of each channel."""
Progress = Callable[[int, int], None]


def export_autoencoder(
    cohort: Path,
    work: Path,
    config: AutoencoderConfig,
    config_text: str,
    out: Path,
    *,
    device: torch.device | None = None,
    cases: int | None = None,
    progress: Progress | None = None,
) -> Bundle:
    """Make a bundle of the best checkpoint so far, with its figures on the test split.

    Args:
        cohort: the dataset it was trained on.
        work: the training's folder.
        config: its configuration.
        config_text: the same as text, for the bundle.
        out: bundle folder.
        device: where to compute.
        cases: how many cases of the test split to measure; all without it.
        progress: called with cases done and cases in all.

    Raises:
        InputError: there is no checkpoint, it belongs to another configuration, or the folder cannot be written.
    """
    where = device or torch.device("cpu")
    data = read_cohort(Path(cohort))
    network, steps = best_network(Path(work), config, decisive(data, config))
    network.to(where)
    rows = data.split("train")[:STANDARDISED_ON]
    test = data.split("test")[:cases]
    if not rows or not test:
        raise InputError(f"The cohort {cohort} has no case in its train or test split; choose another.")
    tell = progress or (lambda done, total: None)
    total = len(rows) + len(test)
    standardise(network, data, rows, where, lambda done: tell(done, total))
    figures, reference = measure_split(network, data, test, where, lambda done: tell(len(rows) + done, total))
    metadata = _metadata(data, config, steps, figures, reference)
    inference = {
        "network_def": {"_target_": "mewm.dynamics.autoencoder.network.Autoencoder", **config.network},
        "window_hu": list(WINDOW_HU),
    }
    return write_bundle(
        Path(out),
        state=network.state_dict(),
        metadata=metadata,
        inference=inference,
        train=config_text,
        card=model_card(metadata),
    )


def best_network(work: Path, config: AutoencoderConfig, settings: Mapping[str, Any]) -> tuple[Autoencoder, int]:
    """Return the network of the best checkpoint (averaged weights where there are any) and the step it was saved at.

    Args:
        work: the training's folder.
        config: its configuration.
        settings: what else decides the result (:func:`mewm.training.autoencoder.fit.decisive`).

    Raises:
        InputError: there is no checkpoint, or it is of another configuration.
    """
    network = built(Autoencoder, config.network)
    step = load_best(network, LEARNER, work / CHECKPOINTS, described(config.loop, settings))
    return network.eval().requires_grad_(False), step


def standardise(
    network: Autoencoder, data: Cohort, rows: Sequence[CohortRow], device: torch.device, report: Callable[[int], None]
) -> None:
    """Set mean and spread of the latents from the CTs of some cases."""
    channels = network.latent_channels
    network.standardise(torch.zeros(channels), torch.ones(channels))
    means, squares = [], []
    for done, row in enumerate(rows, 1):
        for scan in scans_of(data.load(row)):
            latent = reconstruct(network, scan.ct, device)[1]
            means.append(latent.mean(axis=(1, 2, 3)))
            squares.append(np.square(latent).mean(axis=(1, 2, 3)))
        report(done)
    mean = np.mean(means, axis=0)
    spread = np.sqrt(np.maximum(np.mean(squares, axis=0) - mean**2, 0))
    network.standardise(torch.from_numpy(mean), torch.from_numpy(spread))


REFERENCE = "the CT with its noise"


def measure_split(
    network: Autoencoder, data: Cohort, rows: Sequence[CohortRow], device: torch.device, report: Callable[[int], None]
) -> tuple[dict[str, dict[str, float]], str]:
    """Return figures with 95 % intervals over cases, and what they were measured against.

    Returns:
        ``value``, ``low``, ``high`` and ``cases`` by name of
        :func:`mewm.training.autoencoder.reconstruction.figures_of`, and what they were measured against.
    """
    found = []
    for done, row in enumerate(rows, 1):
        case = data.load(row)
        scans = scans_of(case)
        found.append(summarise([figures_of(scan, reconstruct(network, scan.ct, device)[0]) for scan in scans]))
        report(done)
    table = {name: np.array([figures[name] for figures in found]) for name in found[0]}
    return {name: _interval(values) for name, values in table.items()}, REFERENCE


def _interval(values: np.ndarray) -> dict[str, float]:
    values = values[np.isfinite(values)]
    if not values.size:
        return {"cases": 0}
    estimate = bootstrap(lambda pick: float(values[pick].mean()), len(values))
    return {
        "value": round(estimate.value, 4),
        "low": round(estimate.low, 4),
        "high": round(estimate.high, 4),
        "cases": estimate.cases,
    }


def _metadata(
    data: Cohort, config: AutoencoderConfig, steps: int, figures: Mapping[str, Any], reference: str
) -> dict[str, Any]:
    info = data.info
    ct = {"type": "image", "format": "hounsfield", "modality": "CT", "num_channels": 1, "dtype": "float32"}
    shape = {"spatial_shape": [GRID] * 3, "value_range": [-1024, 3071], "is_patch_data": False}
    return {
        "version": "0.1.0",
        "task": TITLE,
        "description": "CT around a liver lesion in latents of a quarter of its resolution, and back",
        "notice": NOTICE if info.get("kind") == "simulated" else "Trained on one dataset; not for clinical use.",
        "authors": "MeWM contributors",
        "copyright": "Apache-2.0",
        "monai_version": version("monai"),
        "pytorch_version": torch.__version__,
        "numpy_version": np.__version__,
        "network_data_format": {
            "inputs": {"image": {**ct, **shape, "channel_def": {"0": "CT"}}},
            "outputs": {
                "pred": {
                    "type": "image",
                    "format": "latent",
                    "num_channels": int(config.network.get("latent_channels", 8)),
                    "spatial_shape": [GRID // 4] * 3,
                    "dtype": "float32",
                    "value_range": [],
                    "is_patch_data": False,
                    "channel_def": {"0": "latent"},
                }
            },
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
            "best_step": steps,
            "steps": config.loop.steps,
            "seed": config.loop.seed,
            "bottleneck": config.network.get("bottleneck", "gaussian"),
        },
        "figures": {"reference": reference, **figures},
    }
