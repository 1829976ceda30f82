"""Examples that lie in files, for loaders that are processes of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np


class OnDisk:
    """A base for dataclasses with memory-mapped arrays, which another process opens itself.

    Where worker processes are not forked (Windows, macOS) what they need is pickled; a memory-mapped array would travel
    whole, and then lie in the memory of every worker.
    """

    def __getstate__(self) -> dict[str, Any]:
        return {name: _file_of(value) for name, value in vars(self).items()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Not by assignment, which frozen dataclasses refuse.
        vars(self).update({name: _opened(value) for name, value in state.items()})


class _File(NamedTuple):
    path: Path


def _file_of(value: Any) -> Any:
    if not isinstance(value, np.memmap) or value.filename is None:
        return value
    path = Path(value.filename)
    # A part of a file, such as the first cases, does not know its place in it.
    whole = value.offset + value.nbytes == path.stat().st_size
    return _File(path) if whole else np.array(value)


def _opened(value: Any) -> Any:
    return np.load(value.path, mmap_mode="r") if isinstance(value, _File) else value
