"""What was prepared of many cases, in files: filled case by case, and read by loaders that are processes too."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np


def open_arrays(
    folder: Path, key: str, count: int, parts: Mapping[str, tuple[type, tuple[int, ...]]]
) -> dict[str, np.ndarray]:
    """Open the arrays of some cases, to be filled one case after the other; make them where they are not there.

    Args:
        folder: where the files lie.
        key: tells them from those of other cases or settings.
        count: cases.
        parts: type, and shape of one case, by name.

    Returns:
        Memory-mapped arrays (count, ...) by name; and ``"done"``, (count,) uint8, 0 where a case is still to be filled.

    Raises:
        OSError: the files cannot be written.
    """
    # The last one says which cases are whole, so it decides whether the files are there.
    parts = {**parts, "done": (np.uint8, ())}
    paths = {name: folder / f"{name}_{key}.npy" for name in parts}
    folder.mkdir(parents=True, exist_ok=True)
    if not paths["done"].is_file():
        for name, (kind, shape) in parts.items():
            np.lib.format.open_memmap(paths[name], "w+", kind, (count, *shape)).flush()
    return {name: np.load(path, mmap_mode="r+") for name, path in paths.items()}


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
