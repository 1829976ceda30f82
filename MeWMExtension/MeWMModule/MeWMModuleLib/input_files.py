"""What the engine reads, written from the scene piece by piece, so that the window stays alive meanwhile."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import slicer.util

from mewm.errors import InputError
from MeWMModuleLib.masks import ijk_to_ras, mask_steps

# Written, and taken away again, at once; some ten milliseconds on a slow disk.
_PIECE = 2 * 2**20
_FREED = 32 * 2**20
# Empty voxels around a mask on a grid of its own.
_MARGIN = 8
_KINDS = {
    "int8": "int8",
    "uint8": "uint8",
    "int16": "int16",
    "uint16": "uint16",
    "int32": "int32",
    "uint32": "uint32",
    "float32": "float",
    "float64": "double",
}
# RAS, Slicer's axes, to LPS, the engine's.
_FLIP = np.diag((-1.0, -1.0, 1.0, 1.0))


@dataclass(frozen=True)
class Inputs:
    """What was written for the engine so far.

    Attributes:
        files: ``ct``, ``lesion`` and ``liver`` to their paths.
        lesion: mask of the tumour and its matrix, see :func:`MeWMModuleLib.masks.mask_steps`; set at the end.
    """

    files: dict[str, str] = field(default_factory=dict)
    lesion: tuple[np.ndarray, np.ndarray] = (np.zeros((0, 0, 0), np.uint8), np.eye(4))


def write_inputs(
    folder: Path, ct: Any, tumour: tuple[Any, str], liver: tuple[Any, str] | None = None
) -> Iterator[Inputs]:
    """Write CT and masks as uncompressed NRRD, in steps; nothing names the patient.

    Args:
        folder: an existing folder.
        ct: volume node.
        tumour: node and identifier of the mask, see :func:`MeWMModuleLib.masks.mask_steps`.
        liver: the same, optional.

    Yields:
        What is there so far; the last one is complete.

    Raises:
        InputError: the CT is not a three-dimensional scalar volume, or a mask is missing or empty.
        OSError: the disk is full or not writable.
    """
    inputs = Inputs()
    array = slicer.util.arrayFromVolume(ct)
    if array.ndim != 3 or array.dtype.name not in _KINDS:
        raise InputError(f"{ct.GetName()} has voxels of {array.dtype.name} in {array.ndim} dimensions; choose a CT.")
    for name, node in (("ct", None), ("lesion", tumour), ("liver", liver)):
        if name == "ct":
            voxels, matrix = array, ijk_to_ras(ct)
        elif node is None:
            continue
        else:
            mask = None
            for step in mask_steps(*node):
                mask = step
                yield inputs
            assert mask is not None
            if name == "lesion":
                inputs = replace(inputs, lesion=mask)
            voxels, matrix = _with_surroundings(*mask, array.shape, ijk_to_ras(ct))
        yield inputs
        # The engine knows a proposed mask by the name of its file (mewm.proposed) and warns of it.
        proposed = node is not None and _is_proposed(*node)
        path = folder / f"{'proposed_' if proposed else ''}{name}.nrrd"
        for _ in write_nrrd(path, voxels, matrix):
            yield inputs
        inputs = replace(inputs, files={**inputs.files, name: str(path)})
        yield inputs


def _is_proposed(node: Any, identifier: str) -> bool:
    """Whether a mask goes by the name under which ``mewm propose-masks`` wrote it."""
    names = [node.GetName()]
    if node.IsA("vtkMRMLSegmentationNode"):
        segment = node.GetSegmentation().GetSegment(identifier)
        names += [] if segment is None else [segment.GetName()]
    return any("proposed" in (name or "").casefold() for name in names)


def remove_inputs(folder: Path) -> Iterator[None]:
    """Remove what :func:`write_inputs` wrote, in steps: to free some hundred megabytes takes a disk its time."""
    with contextlib.suppress(OSError):
        for path in sorted(folder.iterdir()):
            size = path.stat().st_size if path.is_file() else 0
            while size > _FREED:
                size -= _FREED
                os.truncate(path, size)
                yield
            if path.is_file():
                path.unlink()
            yield
    shutil.rmtree(folder, ignore_errors=True)


class InputFolders:
    """Owns the temporary folders of inputs: one in use, and those that are on their way out."""

    def __init__(self, later: Callable[[Callable[[], None]], None]) -> None:
        """There is no folder yet; ``later`` calls a function soon, from the event loop."""
        self.current: Path | None = None
        self.leaving: list[Path] = []
        self._later = later

    def new(self) -> Path:
        """Return a new empty folder; the one before goes.

        Raises:
            OSError: the disk is full or not writable.
        """
        self.clear()
        self.current = Path(tempfile.mkdtemp(prefix="mewm-input-"))
        return self.current

    def clear(self) -> None:
        """Remove the folder in use, bit by bit."""
        folder, self.current = self.current, None
        if folder is None:
            return
        self.leaving.append(folder)
        steps = remove_inputs(folder)

        def step() -> None:
            if next(steps, self) is self:
                self.leaving.remove(folder)
            else:
                self._later(step)

        step()

    def close(self) -> None:
        """Remove every folder at once."""
        self.clear()
        for folder in self.leaving:
            shutil.rmtree(folder, ignore_errors=True)


def write_nrrd(path: Path, array: np.ndarray, ijk_to_ras: np.ndarray) -> Iterator[int]:
    """Write a volume as NRRD in LPS, in steps.

    Args:
        path: file to write.
        array: ``(z, y, x)`` voxels.
        ijk_to_ras: 4 × 4, from voxel indices to RAS mm.

    Yields:
        Bytes written so far.
    """
    to_lps = _FLIP @ ijk_to_ras
    vectors = " ".join("(" + ",".join(repr(float(v)) for v in column) + ")" for column in to_lps[:3, :3].T)
    origin = ",".join(repr(float(v)) for v in to_lps[:3, 3])
    header = (
        f"NRRD0004\ntype: {_KINDS[array.dtype.name]}\ndimension: 3\nspace: left-posterior-superior\n"
        f"sizes: {' '.join(str(n) for n in array.shape[::-1])}\nspace directions: {vectors}\n"
        f"kinds: domain domain domain\nendian: little\nencoding: raw\nspace origin: ({origin})\n\n"
    )
    little = array.dtype.newbyteorder("<")
    rows = max(1, _PIECE // max(array[0].nbytes, 1))
    with path.open("wb") as stream:
        stream.write(header.encode("ascii"))
        for start in range(0, array.shape[0], rows):
            piece = np.ascontiguousarray(array[start : start + rows], dtype=little)
            yield stream.write(piece.data)


def _with_surroundings(
    mask: np.ndarray, matrix: np.ndarray, shape: tuple[int, ...], ct_matrix: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Put a mask, of which Slicer keeps no more than what it fills, on the grid of the CT if its voxels are the CT's.

    A mask on another grid keeps it, with some empty voxels around.

    Args:
        mask: ``(z, y, x)`` uint8.
        matrix: from its voxel indices to RAS mm.
        shape: of the CT, ``(z, y, x)``.
        ct_matrix: from the CT's voxel indices to RAS mm.

    Returns:
        The mask and its matrix.
    """
    to_ct = np.linalg.inv(ct_matrix) @ matrix
    start = np.rint(to_ct[:3, 3]).astype(int)[::-1]
    expected = np.eye(4)
    expected[:3, 3] = start[::-1]
    if not np.allclose(to_ct, expected, atol=1e-2):
        moved = matrix.copy()
        moved[:3, 3] = (matrix @ (-_MARGIN, -_MARGIN, -_MARGIN, 1))[:3]
        return np.pad(mask, _MARGIN), moved
    whole = np.zeros(shape, np.uint8)
    low = np.maximum(start, 0)
    high = np.minimum(start + mask.shape, shape)
    if (low < high).all():
        inside = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        part = tuple(slice(a - s, b - s) for a, b, s in zip(low, high, start, strict=True))
        whole[inside] = mask[part]
    return whole, ct_matrix
