"""Checkpoints of a training: the last, to go on from, and the best, to make the bundle of."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from mewm.errors import InputError

LAST = "last.pt"
BEST = "best.pt"


def save_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Write tensors, numbers, texts and containers of them; a reader sees the old file or the whole new one.

    Raises:
        InputError: the file cannot be written.
    """
    partial = path.with_suffix(".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(dict(state), partial)
        partial.replace(path)
    except (OSError, RuntimeError) as error:
        raise InputError(f"The checkpoint {path} cannot be written ({error}); free some space.") from error


def load_checkpoint(path: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """Read what :func:`save_checkpoint` wrote. No code in the file is run.

    Raises:
        InputError: there is none, or it is damaged.
    """
    try:
        return torch.load(path, map_location=device, weights_only=True)
    except FileNotFoundError:
        raise InputError(f"There is no checkpoint {path}; train first.") from None
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise InputError(f"The checkpoint {path} is damaged; delete it and train again.") from error
