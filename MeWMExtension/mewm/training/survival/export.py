"""Calibrate the best network on patients it has not learned from, measure it on them, and write its bundle."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

import mewm
from mewm.bundle import NOTICE, Bundle, write_bundle
from mewm.cohort.dataset import Cohort, read_cohort
from mewm.evaluation.intervals import Estimate
from mewm.evaluation.survival_metrics import c_index
from mewm.roles import AssistantModel, DynamicsModel
from mewm.survival.attention.model import TITLE
from mewm.survival.attention.network import SurvivalNetwork
from mewm.survival.familiarity import MEASURED, Familiarity, stated
from mewm.training.best import load_best
from mewm.training.calibration import calibrate
from mewm.training.loop import described
from mewm.training.survival.artefacts import Artefacts, artefacts
from mewm.training.survival.card import model_card
from mewm.training.survival.config import SurvivalConfig
from mewm.training.survival.fit import (
    CHECKPOINTS,
    LEARNER,
    decisive,
    make_network,
    median_weeks,
    network_arguments,
    open_cohort,
    parts,
)
from mewm.training.survival.futures import NUMBERS, READ, FutureRegions
from mewm.training.survival.validation import predicted
from mewm.training.volumes import table_hash


def export_survival(
    cohort: Path,
    work: Path,
    config: SurvivalConfig,
    config_text: str,
    dynamics: DynamicsModel,
    assistant: AssistantModel,
    out: Path,
    *,
    device: torch.device,
) -> Bundle:
    """Make a bundle of the best checkpoint so far; the test split is not read.

    Args:
        cohort: the dataset it was trained on.
        work: the training's folder.
        config: its configuration.
        config_text: the same as text, for the bundle.
        dynamics, assistant: those of the training.
        out: bundle folder.
        device: where to compute.

    Raises:
        InputError: there is no checkpoint, it belongs to another configuration, the held-out patients are too few or
            are not ordered by the risks, or the folder cannot be written.
    """
    data = read_cohort(Path(cohort))
    network, step = best_network(Path(work), config, decisive(data, config, dynamics, assistant))
    network.to(device).eval()
    regions = open_cohort(data, config, dynamics, assistant, Path(work))
    learning, held = parts(regions, config)
    raw, longevity, _ = predicted(network, regions, held, READ, device)
    weeks, died = _outcome(regions, held)
    calibration = calibrate(raw, weeks, died)
    figures = {
        "learning_cases": len(learning),
        "held_out_cases": len(held),
        "held_out_deaths": int(died.sum()),
        "c_index": _plain(c_index(weeks, died, raw)),
        "c_index_of_regression": _plain(c_index(weeks, died, -longevity)),
        "calibration_slope_before": {
            "value": round(calibration.slope, 3),
            "low": round(calibration.slope_low, 3),
            "high": round(calibration.slope_high, 3),
        },
    }
    if regions.simulated:
        found = artefacts(network, regions, learning, held, calibration, device)
        figures["simulated_futures"] = _told(found)
    metadata = _metadata(data, config, step, figures)
    inference = {
        "network_def": {
            "_target_": "mewm.survival.attention.network.SurvivalNetwork",
            **network_arguments(config),
        },
        "region": {"shape": list(config.region.shape), "margin_mm": config.region.margin_mm},
        "calibration": calibration.to_dict(),
        "familiarity": familiar(regions, learning).to_dict(),
        "impairment": _median_impairment(regions, learning),
        # The zero of the second output, the regressed log survival.
        "longevity_zero_weeks": median_weeks(regions, learning),
    }
    return write_bundle(
        Path(out),
        state=network.state_dict(),
        metadata=metadata,
        inference=inference,
        train=config_text,
        card=model_card(metadata),
    )


def best_network(work: Path, config: SurvivalConfig, settings: Mapping[str, Any]) -> tuple[SurvivalNetwork, int]:
    """Return the network of the best checkpoint (averaged weights where there are any) and the step it was saved at.

    Args:
        work: the training's folder.
        config: its configuration.
        settings: what else decides the result (:func:`mewm.training.survival.fit.decisive`): with another seed the
            patients that calibrate would not be those that were held out.

    Raises:
        InputError: there is no checkpoint, or it is of another configuration.
    """
    network = make_network(config)
    return network, load_best(network, LEARNER, work / CHECKPOINTS, described(config.loop, settings))


def familiar(regions: FutureRegions, cases: list[int]) -> Familiarity:
    """Return what the cases that were learned from were like."""
    return Familiarity.of(
        [
            {**dict(zip(MEASURED, map(float, regions.measured[case]), strict=True)), **stated(regions.rows[case].facts)}
            for case in cases
        ],
        [regions.rows[case].protocol for case in cases],
    )


def _outcome(regions: FutureRegions, cases: list[int]) -> tuple[np.ndarray, np.ndarray]:
    rows = [regions.rows[case] for case in cases]
    return np.array([row.os_weeks for row in rows]), np.array([row.event for row in rows], dtype=bool)


def _median_impairment(regions: FutureRegions, cases: list[int]) -> float | None:
    values = regions.numbers[cases, READ, NUMBERS.index("liver_impairment")]
    known = values[np.isfinite(values)]
    return float(np.median(known)) if known.size else None


def _plain(estimate: Estimate) -> dict[str, float]:
    return {key: round(float(getattr(estimate, key)), 3) for key in ("value", "low", "high")}


def _told(found: Artefacts) -> dict[str, Any]:
    return {
        "risk_bias": _plain(found.bias),
        "risk_sd_of_difference": round(found.spread, 3),
        "told_apart_auc": _plain(found.told_apart),
    }


def _metadata(data: Cohort, config: SurvivalConfig, step: int, figures: Mapping[str, Any]) -> dict[str, Any]:
    info = data.info
    region = {"type": "image", "format": "hounsfield", "num_channels": 6, "spatial_shape": list(config.region.shape)}
    return {
        "version": "0.1.0",
        "task": TITLE,
        "name": config.name,
        "description": "risk and survival from the CT before and after a TACE, their labels, facts and the protocol",
        "notice": NOTICE if info.get("kind") == "simulated" else "Trained on one dataset; not for clinical use.",
        "authors": "MeWM contributors",
        "copyright": "Apache-2.0",
        "pytorch_version": torch.__version__,
        "numpy_version": np.__version__,
        "network_data_format": {
            "inputs": {"image": {**region, "dtype": "float32", "channel_def": {"0": "region"}}},
            "outputs": {"pred": {"type": "probabilities", "format": "log hazard", "num_channels": 2}},
        },
        "training": {
            "mewm": mewm.__version__,
            "cohort": {
                "kind": info.get("kind"),
                "seed": info.get("seed"),
                "cases": len(data.rows),
                "cases_csv_sha256": table_hash(data),
            },
            "best_step": step,
            "steps": config.loop.steps,
            "seed": config.loop.seed,
            "simulated_share": config.futures.simulated_share,
            "dynamics": config.futures.dynamics,
            "assistant": config.futures.assistant,
            "numbers": list(config.numbers),
            "wide": bool(config.network.get("wide", False)),
        },
        "figures": dict(figures),
    }
