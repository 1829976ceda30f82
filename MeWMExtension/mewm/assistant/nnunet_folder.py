"""A model folder that nnU-Net wrote (``Trainer__Plans__configuration``), read without running anything in it."""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mewm.errors import InputError

CHECKPOINTS = ("checkpoint_final.pth", "checkpoint_best.pth")
"""Names of a fold's weights, the first that is there in any fold is taken."""


@dataclass(frozen=True, eq=False)
class NnunetFolder:
    """What a model folder holds.

    Attributes:
        plans: content of ``plans.json``.
        dataset: content of ``dataset.json``, with ``channel_names``.
        configuration: which of the plan's configurations was trained.
        states: weights, one a fold.
        axes: along which its training allows mirroring.
        sha256: digest of all checkpoints.
    """

    plans: dict[str, Any]
    dataset: dict[str, Any]
    configuration: str
    states: list[dict[str, Any]]
    axes: tuple[int, ...] | None
    sha256: str


def read_nnunet_folder(folder: Path) -> NnunetFolder:
    """Read a model folder; of its pickles tensors and numbers only.

    Raises:
        InputError: a file is missing, damaged or not nnU-Net's, or the network is not one that reads a whole 3D image.
    """
    plans, dataset = (_read_json(folder / name) for name in ("plans.json", "dataset.json"))
    # nnU-Net v2 still takes version 1's word.
    channels = dataset.get("channel_names", dataset.get("modality"))
    if not isinstance(channels, dict) or not isinstance(dataset.get("labels"), dict):
        raise InputError(
            f"The file {folder / 'dataset.json'} names no channels or no labels; copy the nnU-Net folder again."
        )
    names = [name for name in CHECKPOINTS if any(folder.glob(f"fold_*/{name}"))]
    if not names:
        raise InputError(f"The nnU-Net folder {folder} holds no {CHECKPOINTS[0]} in a fold; train it to its end.")
    paths = sorted(folder.glob(f"fold_*/{names[0]}"))
    checkpoints = [read_checkpoint(path) for path in paths]
    configuration = checkpoints[0]["init_args"]["configuration"]
    _require_whole_3d(plans, configuration, folder)
    return NnunetFolder(
        plans,
        {**dataset, "channel_names": channels},
        configuration,
        [checkpoint["network_weights"] for checkpoint in checkpoints],
        checkpoints[0].get("inference_allowed_mirroring_axes"),
        hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest(),
    )


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint of nnU-Net as tensors and numbers, so that no code in the pickle runs.

    Raises:
        InputError: it holds more than that, is damaged, or is not nnU-Net's.
    """
    import torch

    multiarray = np._core.multiarray  # type: ignore[attr-defined]
    # What nnU-Net's own checkpoints hold beside tensors: its log's numbers.
    numbers = [multiarray.scalar, np.dtype, np.ndarray, multiarray._reconstruct]
    numbers += [type(np.dtype(kind)) for kind in ("f2", "f4", "f8", "i4", "i8")]
    try:
        with torch.serialization.safe_globals(numbers):
            found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InputError(
            f"The checkpoint {path} holds more than tensors and numbers; it is not read, because reading could run "
            "code."
        ) from error
    # What is no pickle at all can look like any instruction of one.
    except (OSError, RuntimeError, EOFError, LookupError, ValueError, TypeError, AttributeError) as error:
        raise InputError(f"The checkpoint {path} is damaged; copy the nnU-Net folder again.") from error
    arguments = found.get("init_args", {}) if isinstance(found, dict) else {}
    if "configuration" not in arguments or "network_weights" not in found:
        raise InputError(f"The checkpoint {path} was not written by a training of nnU-Net v2; give one that was.")
    return found


def _require_whole_3d(plans: Mapping[str, Any], configuration: str, folder: Path) -> None:
    configurations = plans.get("configurations", {})
    if configuration not in configurations:
        raise InputError(
            f"The checkpoint in {folder} is of the configuration {configuration!r}, which its plans.json lacks; give "
            "both of one training."
        )
    settings, heirs = dict(configurations[configuration]), [configuration]
    while (parent := settings.pop("inherits_from", None)) in configurations and parent not in heirs:
        settings, heirs = {**configurations[parent], **settings}, [*heirs, parent]
    if len(settings.get("patch_size", ())) != 3:
        raise InputError(f"The nnU-Net in {folder} ({configuration}) reads single slices; give one trained in 3D.")
    if settings.get("previous_stage"):
        raise InputError(
            f"The nnU-Net in {folder} ({configuration}) refines what another network found; give 3d_fullres or "
            "3d_lowres."
        )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"The file {path} cannot be read as JSON ({error}); copy the nnU-Net folder again.") from error
    if not isinstance(found, dict):
        raise InputError(f"The file {path} is not an object of JSON; copy the nnU-Net folder again.")
    return found
