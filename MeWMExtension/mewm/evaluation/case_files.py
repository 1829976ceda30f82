"""The folder of an evaluation: what was measured, case by case, so that a stopped run goes on where it was."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import as_completed
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from mewm.cohort.dataset import CohortRow
from mewm.errors import InputError
from mewm.evaluation.case_measures import Context, measure_case
from mewm.evaluation.tables import plain, write_json
from mewm.pool import case_pool

Progress = Callable[[int, int], None]
# Threads of the linear algebra inside each process: the cases are what runs in parallel.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_context: Context | None = None


def prepare(out: Path, mark: Mapping[str, Any]) -> None:
    """Make the folder, or check that what it holds is the beginning of this evaluation.

    Args:
        out: the folder.
        mark: what an evaluation has to share with what the folder holds.

    Raises:
        InputError: it holds another evaluation or something else.
    """
    path, wanted = out / "evaluation.json", plain(mark)
    if path.is_file():
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            found = None
        if found != wanted:
            raise InputError(
                f"{out} holds an evaluation with other settings, models or version; choose another folder."
            )
    elif out.exists() and any(out.iterdir()):
        raise InputError(f"The folder {out} is not empty and holds no evaluation; choose an empty folder.")
    (out / "cases").mkdir(parents=True, exist_ok=True)
    write_json(wanted, path)


def measure_cases(
    context: Context, rows: Sequence[CohortRow], out: Path, workers: int | None, progress: Progress | None
) -> dict[str, dict[str, Any]]:
    """Measure what is not measured yet, in parallel, and return every case's record by its name.

    A case is measured again when its line, its truth or its images changed.

    Args:
        context: what all cases share.
        rows: the cases.
        out: the prepared folder.
        workers: processes; ``None`` for one a usable core.
        progress: called with cases done and cases in all.

    Raises:
        InputError: a record is damaged.
    """
    keys = {row.case_id: _key(context, row) for row in rows}
    missing = [row for row in rows if not _is_measured(out, row.case_id, keys[row.case_id])]
    done, report = len(rows) - len(missing), progress or (lambda done, total: None)
    report(done, len(rows))
    processes = min(workers or usable_cores(), len(missing))
    if processes <= 1:
        for row in missing:
            _write(context, row, keys[row.case_id], out)
            report(done := done + 1, len(rows))
    else:
        # Fresh processes: a forked one would inherit the threads of libraries and their locks.
        spawn = multiprocessing.get_context("spawn")
        with _one_thread_each(), case_pool(processes, context=spawn, begin=_begin, arguments=(context,)) as pool:
            futures = [pool.submit(_write_in_worker, row, keys[row.case_id], out) for row in missing]
            for future in as_completed(futures):
                future.result()
                report(done := done + 1, len(rows))
    return {row.case_id: _read(out, row.case_id) for row in rows}


def read_arrays(out: Path, case_id: str) -> dict[str, np.ndarray]:
    """Return the slices that were kept of a case."""
    with np.load(_path(out, case_id).with_suffix(".npz")) as stored:
        return {name: stored[name] for name in stored.files}


def usable_cores() -> int:
    """Return how many cores this process may use: fewer than the machine has where it was confined to some."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _begin(context: Context) -> None:
    global _context
    _context = context


def _write_in_worker(row: CohortRow, key: str, out: Path) -> None:
    assert _context is not None
    _write(_context, row, key, out)


def _write(context: Context, row: CohortRow, key: str, out: Path) -> None:
    record, arrays = measure_case(context, row)
    path = _path(out, row.case_id)
    if arrays:
        partial = path.with_suffix(".partial.npz")
        packed = {k: v.astype(np.float16) if v.dtype == np.float32 else v for k, v in arrays.items()}
        np.savez_compressed(partial, **packed)  # type: ignore[arg-type]
        partial.replace(path.with_suffix(".npz"))
    # The JSON last: where it is, the case is whole.
    write_json({**record, "inputs": key}, path.with_suffix(".partial")).replace(path)


def _key(context: Context, row: CohortRow) -> str:
    """Return a digest of what a case's measurements rest on; images by their sizes, which any change of them moves."""
    folder = context.cohort.folder / "cases" / row.case_id
    files = {path.name: path.stat().st_size for path in sorted(folder.glob("*")) if path.suffix in (".nrrd", ".csv")}
    content = [plain(row.values), context.truth.get(row.case_id), files]
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _is_measured(out: Path, case_id: str, key: str) -> bool:
    return _path(out, case_id).is_file() and _read(out, case_id).get("inputs") == key


def _path(out: Path, case_id: str) -> Path:
    return out / "cases" / f"{case_id}.json"


def _read(out: Path, case_id: str) -> dict[str, Any]:
    path = _path(out, case_id)
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"The measurements {path} are damaged; delete that file and evaluate again.") from error
    return record


@contextmanager
def _one_thread_each() -> Iterator[None]:
    added = {name: "1" for name in _THREADS if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)
