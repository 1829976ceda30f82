"""A split's CTs in one memory-mapped file, so that a crop costs a millisecond and not the unpacking of two volumes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from mewm.cohort.dataset import Cohort, CohortRow, load_images
from mewm.errors import InputError
from mewm.roi import GRID
from mewm.training.on_disk import OnDisk


@dataclass(frozen=True, eq=False)
class Volumes(OnDisk):
    """CTs of some cases of a cohort before and after treatment.

    Attributes:
        rows: the cases.
        ct: (cases, 2, 96, 96, 96) int16 HU on disk, in (z, y, x) order; before, after.
        boxes: (cases, 3, 2) first voxel of the lesion along each axis and the one after the last.
    """

    rows: Sequence[CohortRow]
    ct: np.ndarray
    boxes: np.ndarray


def open_volumes(
    cohort: Cohort, rows: Sequence[CohortRow], folder: Path, report: Callable[[int, int], None] | None = None
) -> Volumes:
    """Open the file of some cases, and write it first where it is not there or belongs to other cases.

    Args:
        cohort: the dataset.
        rows: which of its cases.
        folder: where the file lies; it takes 3.5 MB a case and can be deleted after training.
        report: called with cases read and cases in all while the file is written.

    Raises:
        InputError: an image is missing or damaged, or the file cannot be written.
    """
    names = [row.case_id for row in rows]
    key = hashlib.sha256(json.dumps([table_hash(cohort), names]).encode()).hexdigest()[:16]
    path, boxes_path = folder / f"volumes_{key}.npy", folder / f"boxes_{key}.npy"
    if not boxes_path.is_file():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _write(cohort, names, path, boxes_path, report or (lambda done, total: None))
        except OSError as error:
            raise InputError(
                f"The volumes of {len(rows)} cases cannot be written to {folder} ({error.strerror or error}); "
                "free some space or choose another folder."
            ) from error
    return Volumes(rows, np.load(path, mmap_mode="r"), np.load(boxes_path))


def table_hash(cohort: Cohort) -> str:
    """Return the SHA-256 of a cohort's table, which tells it from others."""
    return hashlib.sha256((cohort.folder / "cases.csv").read_bytes()).hexdigest()


def _write(
    cohort: Cohort, names: Sequence[str], path: Path, boxes_path: Path, report: Callable[[int, int], None]
) -> None:
    ct = np.lib.format.open_memmap(path, "w+", np.int16, (len(names), 2, GRID, GRID, GRID))
    boxes = np.zeros((len(names), 3, 2), int)

    def read(k: int) -> None:
        images = load_images(cohort.folder, names[k])
        for when, name in enumerate(("pre_ct", "post_ct")):
            ct[k, when] = sitk.GetArrayViewFromImage(images[name])
        where = np.argwhere(sitk.GetArrayViewFromImage(images["lesion"]) > 0)
        boxes[k] = np.stack([where.min(axis=0), where.max(axis=0) + 1], axis=1)

    with ThreadPoolExecutor(2) as pool:
        for done, _ in enumerate(pool.map(read, range(len(names))), 1):
            report(done, len(names))
    ct.flush()
    # Written last: it says that the other file is whole.
    with boxes_path.open("wb") as stream:
        np.save(stream, boxes)
