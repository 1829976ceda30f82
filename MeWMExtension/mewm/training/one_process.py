"""Trainings that one process does, and a sentence where ``torchrun`` started several."""

from __future__ import annotations

import os

from mewm.errors import InputError


def require_one_process(model: str) -> None:
    """Raise where ``torchrun`` started several processes.

    Args:
        model: what is trained, for the user.

    Raises:
        InputError: there are several.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count > 1:
        raise InputError(
            f"The {model} is trained by one process, and torchrun started {count}; give the same command without "
            "torchrun."
        )
