"""The best weights of a training so far, for its bundle."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from mewm.errors import InputError
from mewm.training.checkpoint import BEST, load_checkpoint
from mewm.training.loop import require_same


def load_best(network: nn.Module, learner: str, folder: Path, fingerprint: Mapping[str, Any]) -> int:
    """Put the best weights (averaged ones where there are any) into a network and return the step they were saved at.

    Args:
        network: built as for the training.
        learner: its name there.
        folder: the training's checkpoints.
        fingerprint: of the training (:func:`mewm.training.loop.described`).

    Raises:
        InputError: there is no checkpoint, or it is of another training or another network.
    """
    state = load_checkpoint(folder / BEST)
    require_same(state, fingerprint, folder)
    saved = state["learners"][learner]
    weights = dict(saved["module"])
    if saved["averaged"] is not None:
        weights |= {k.removeprefix("module."): v for k, v in saved["averaged"].items() if k.startswith("module.")}
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise InputError(
            f"The checkpoint in {folder} was trained with another network; give the configuration it was trained with."
        ) from error
    return int(state["step"])
