"""Measure a trained nnU-Net on cases that it has not seen and write its bundle."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

import mewm
from mewm.assistant.choose import choose_assistant
from mewm.assistant.labels import tissue_table
from mewm.assistant.network import (
    DATASET,
    NNUNET,
    PLANS,
    TASKS,
    SegmentationNetwork,
    build_network,
    load_network,
    quiet,
    single_names,
)
from mewm.assistant.nnunet import NnunetAssistant
from mewm.assistant.nnunet_folder import read_checkpoint
from mewm.bundle import NOTICE, Bundle, write_bundle
from mewm.cohort.dataset import Cohort, CohortRow, read_cohort
from mewm.errors import InputError
from mewm.roi import GRID
from mewm.roles import Tissue
from mewm.training.assistant.card import model_card
from mewm.training.assistant.config import AssistantConfig
from mewm.training.assistant.fit import model_folder, require_same
from mewm.training.assistant.measure import interval, measure_assistants
from mewm.training.assistant.nnunet_process import CONFIGURATION
from mewm.training.assistant.raw_dataset import Progress
from mewm.training.volumes import table_hash

_CHECKPOINTS = ("checkpoint_final.pth", "checkpoint_latest.pth", "checkpoint_best.pth")


def export_assistant(
    cohort: Path,
    work: Path,
    config: AssistantConfig,
    config_text: str,
    out: Path,
    *,
    device: str | None = None,
    cases: int | None = None,
    progress: Progress | None = None,
) -> Bundle:
    """Make a bundle of the weights so far, with their figures on the test split.

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
        InputError: the folder's training is of another cohort or configuration, there is no checkpoint yet, the test
            split is empty, or the folder cannot be written.
    """
    data = read_cohort(Path(cohort))
    test = data.split("test")[:cases]
    if not test:
        raise InputError(f"The cohort {cohort} has no case in its test split; choose another.")
    work = Path(work).resolve()
    require_same(work, data, config)
    folder = model_folder(work, config)
    checkpoint = _checkpoint(folder)
    extra = {name: (folder / Path(name).name).read_text(encoding="utf-8") for name in (PLANS, DATASET)}
    log = checkpoint["logging"]
    extra[f"{NNUNET}/fold_0/progress.json"] = _progress(log)
    plans, dataset = json.loads(extra[PLANS]), json.loads(extra[DATASET])
    with quiet():
        names = single_names(build_network(plans, CONFIGURATION, dataset, folder)[0])
    state = {kept: checkpoint["network_weights"][kept] for kept in dict.fromkeys(names.values())}
    inference = _inference(plans, dataset, config)
    metadata = _metadata(data, config, int(checkpoint["current_epoch"]))
    # What is measured is what will be shipped: a bundle with 16-bit weights.
    with tempfile.TemporaryDirectory() as place:
        write_bundle(
            Path(place), state=state, metadata=metadata, inference=inference, train=config_text, card="", extra=extra
        )
        figures = _figures(data, test, load_network(Path(place), device), progress)
    metadata["figures"] = figures
    return write_bundle(
        Path(out),
        state=state,
        metadata=metadata,
        inference=inference,
        train=config_text,
        card=model_card(metadata),
        extra=extra,
    )


def _checkpoint(folder: Path) -> dict[str, Any]:
    for name in _CHECKPOINTS:
        path = folder / "fold_0" / name
        if path.is_file():
            return read_checkpoint(path)
    raise InputError(f"There is no checkpoint in {folder / 'fold_0'}; train first.")


def _progress(log: dict[str, Any]) -> str:
    """Return loss and Dice by epoch, as JSON; nnU-Net's own log also names the machine."""
    columns = ("train_losses", "val_losses", "mean_fg_dice", "ema_fg_dice", "dice_per_class_or_region")
    content = {name: np.round(np.array(log[name], float), 4).tolist() for name in columns if name in log}
    return json.dumps(content) + "\n"


def _figures(
    data: Cohort, rows: Sequence[CohortRow], network: SegmentationNetwork, progress: Progress | None
) -> dict[str, Any]:
    if network.task == "post":
        return measure_assistants(data, rows, [NnunetAssistant(network), choose_assistant()], progress=progress)
    return {"nnU-Net": {"before treatment": measure_proposals(data, rows, network, progress)}}


def measure_proposals(
    data: Cohort, rows: Sequence[CohortRow], network: SegmentationNetwork, progress: Progress | None = None
) -> dict[str, dict[str, float]]:
    """Return Dice of liver (tumour included) and tumour proposed on the regions of some cases before treatment.

    A region is 96 voxels a side around a lesion: the figures say nothing of whole CTs.

    Returns:
        ``"whole liver"`` and ``"tumour"`` → ``value``, ``low``, ``high`` (95 %) and ``cases``.
    """
    table = tissue_table(network.labels, network.folder)
    found = []
    for done, row in enumerate(rows, 1):
        roi = data.load(row).roi
        labels = table[network.predict(roi.ct[None], [roi.spacing] * 3)]
        pairs = ((labels >= Tissue.LIVER, roi.liver), (labels >= Tissue.VIABLE, roi.lesion))
        found.append([2.0 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b)) for a, b in pairs])
        if progress is not None:
            progress(done, len(rows))
    columns = np.array(found).T
    return {name: interval(column) for name, column in zip(("whole liver", "tumour"), columns, strict=True)}


def _inference(plans: dict[str, Any], dataset: dict[str, Any], config: AssistantConfig) -> dict[str, Any]:
    architecture = plans["configurations"][CONFIGURATION]["architecture"]
    return {
        "network_def": {
            "_target_": architecture["network_class_name"],
            **architecture["arch_kwargs"],
            "input_channels": len(dataset["channel_names"]),
            "num_classes": len(dataset["labels"]),
        },
        "nnunet": {
            "folder": NNUNET,
            "configuration": CONFIGURATION,
            "task": config.task,
            "in_voxels": config.spacing_mm == 0,
        },
    }


def _metadata(data: Cohort, config: AssistantConfig, epochs: int) -> dict[str, Any]:
    info = data.info
    ct = {"type": "image", "format": "hounsfield", "modality": "CT", "dtype": "float32", "is_patch_data": True}
    shape = {"spatial_shape": [GRID] * 3, "value_range": [-1024, 3071]}
    labels = {"post": "liver, viable tumour, necrosis, lipiodol", "pre": "liver, tumour"}[config.task]
    return {
        "version": "0.1.0",
        "task": TASKS[config.task],
        "description": f"nnU-Net v2: {labels} on a CT around a liver lesion",
        "notice": NOTICE if info.get("kind") == "simulated" else "Trained on one dataset; not for clinical use.",
        "authors": "MeWM contributors",
        "copyright": "Apache-2.0",
        "monai_version": version("monai"),
        "pytorch_version": torch.__version__,
        "numpy_version": np.__version__,
        "optional_packages_version": {"nnunetv2": version("nnunetv2")},
        "network_data_format": {
            "inputs": {
                "image": {
                    **ct,
                    **shape,
                    "num_channels": len(config.channels),
                    "channel_def": {str(k): word for k, word in enumerate(config.channels)},
                }
            },
            "outputs": {
                "pred": {
                    "type": "image",
                    "format": "segmentation",
                    "num_channels": 1,
                    "spatial_shape": [GRID] * 3,
                    "dtype": "uint8",
                    "is_patch_data": True,
                    "channel_def": {"0": labels},
                }
            },
        },
        "training": {
            "mewm": mewm.__version__,
            "cohort": {
                "kind": info.get("kind"),
                "seed": info.get("seed"),
                "cases": len(data.rows),
                "train": min(len(data.split("train")), config.cases or len(data.split("train"))),
                "cases_csv_sha256": table_hash(data),
            },
            "task": config.task,
            "channels": list(config.channels),
            "simulated": config.simulated if config.task == "post" else 0.0,
            "grown": config.grown,
            "redrawn": config.redrawn,
            "epochs": epochs,
            "epochs_planned": config.epochs,
            "iterations": config.iterations,
            "seed": config.seed,
        },
    }
