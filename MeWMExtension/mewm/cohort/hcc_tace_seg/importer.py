"""Import the collection: patients in parallel, each written at once, and a log of every one of them."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
from collections.abc import Callable
from concurrent.futures import as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

import mewm
from mewm.cohort.dataset import COLUMNS, SCHEMA, read_info, write_table
from mewm.cohort.hcc_tace_seg import curation
from mewm.cohort.hcc_tace_seg.case_import import import_case
from mewm.cohort.hcc_tace_seg.clinical_table import ClinicalRow, read_clinical
from mewm.cohort.hcc_tace_seg.curation import KEPT, LEFT_OUT, CurationRecord
from mewm.cohort.hcc_tace_seg.headers import Patient, read_download
from mewm.errors import InputError
from mewm.pool import case_pool

KIND = "hcc-tace-seg"
REVISION = 2
"""Raised whenever the import would write other files from the same input."""
NOTICE = "Real patients of TCIA's HCC-TACE-Seg (CC BY 4.0, doi 10.7937/TCIA.5FNA-0924). For research only."
ADDED_COLUMNS = ("vascular_invasion", "note")
SPLIT_SHARES = {"train": 0.7, "val": 0.1, "test": 0.2}
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class ImportReport:
    """What an import did.

    Attributes:
        folder: the dataset.
        records: the curation log, one record a patient of either source.
        unreadable_files: DICOM files that could not be read at all.
        foreign_files: DICOM files of patients who are not of the collection; nothing of them is written.
    """

    folder: Path
    records: tuple[CurationRecord, ...]
    unreadable_files: int
    foreign_files: int

    @property
    def kept(self) -> tuple[str, ...]:
        """Ids of the cases in the dataset."""
        return tuple(r.case_id for r in self.records if r.status == KEPT)


@dataclass(frozen=True)
class _Task:
    patient: Patient
    row: ClinicalRow
    split: str
    fingerprint: str


def import_hcc_tace_seg(
    tcia_dir: str | Path,
    clinical: str | Path,
    out: str | Path,
    *,
    workers: int | None = None,
    progress: Progress | None = None,
    seed: int = 0,
) -> ImportReport:
    """Import HCC-TACE-Seg as a cohort, or finish or renew an import.

    A patient whose files and row are those of an earlier run is not done again. The files do not depend on the
    number of processes.

    Args:
        tcia_dir: what the NBIA Data Retriever wrote, in any layout.
        clinical: TCIA's clinical table, xlsx or csv.
        out: dataset folder (docs/cohort.md); empty, new, or holding an earlier import.
        workers: processes; ``None`` for one a core, 1 for none beside this one.
        progress: called with patients done and patients in all.
        seed: decides the split of every patient together with its number.

    Raises:
        InputError: a source cannot be read, another cohort is in ``out``, or it cannot be written.
    """
    if workers is not None and workers < 1:
        raise InputError(f"{workers} processes cannot import anything; ask for at least 1.")
    out = Path(out)
    rows = read_clinical(Path(clinical))
    _check_folder(out)
    download = read_download(Path(tcia_dir))
    ids = sorted(rows.keys() | download.patients.keys())
    records: dict[str, CurationRecord] = {}
    tasks = []
    for case_id in ids:
        patient, row = download.patients.get(case_id), rows.get(case_id)
        if patient is None or row is None:
            missing = "no images in the download" if patient is None else "not in the clinical table"
            records[case_id] = CurationRecord(case_id, LEFT_OUT, missing)
        else:
            split = _split(case_id, seed)
            tasks.append(_Task(patient, row, split, _fingerprint(patient, row, split)))
    try:
        (out / "cases").mkdir(parents=True, exist_ok=True)
        (out / "import").mkdir(exist_ok=True)
        _write_info(out, seed, len(ids), "incomplete")
        records.update(_run(tasks, out, workers or os.cpu_count() or 1, len(ids), progress))
        ordered = tuple(records[case_id] for case_id in ids)
        _collect(out, ordered)
        _write_info(out, seed, sum(r.status == KEPT for r in ordered), "complete")
    except OSError as error:
        raise InputError(
            f"The cohort cannot be written to {out} ({error.strerror or error}); free space or choose another folder."
        ) from error
    return ImportReport(out, ordered, download.unreadable, download.foreign)


def _run(
    tasks: list[_Task], out: Path, workers: int, total: int, progress: Progress | None
) -> dict[str, CurationRecord]:
    found: dict[str, CurationRecord] = {}
    todo = []
    for task in tasks:
        record = _earlier(task, out)
        if record is None:
            todo.append(task)
        else:
            found[task.patient.case_id] = record
    report = progress or (lambda done, total: None)
    done = total - len(todo)
    report(done, total)
    if min(workers, len(todo)) <= 1:
        for task in todo:
            found[task.patient.case_id] = _one(task, out)
            report(done := done + 1, total)
        return found
    workers = min(workers, len(todo))
    threads = max(1, (os.cpu_count() or 1) // workers)
    with case_pool(workers, threads=threads) as pool:
        futures = {pool.submit(_one, task, out): task.patient.case_id for task in todo}
        for future in as_completed(futures):
            found[futures[future]] = future.result()
            report(done := done + 1, total)
    return found


def _one(task: _Task, out: Path) -> CurationRecord:
    """Import one patient and keep its record, written after its folder."""
    path = _record_path(out, task.patient.case_id)
    path.unlink(missing_ok=True)
    record = import_case(task.patient, task.row, out, task.split)
    if record.status == LEFT_OUT:
        shutil.rmtree(out / "cases" / task.patient.case_id, ignore_errors=True)
    partial = path.with_suffix(".partial")
    partial.write_text(
        json.dumps({"fingerprint": task.fingerprint, "record": record.content()}, indent=1), encoding="utf-8"
    )
    partial.replace(path)
    return record


def _earlier(task: _Task, out: Path) -> CurationRecord | None:
    """Return the record of an earlier run on the same files and row."""
    try:
        kept = json.loads(_record_path(out, task.patient.case_id).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    if kept.get("fingerprint") != task.fingerprint:
        return None
    record = CurationRecord.of(kept["record"])
    whole = (out / "cases" / task.patient.case_id / "case.json").is_file()
    return record if whole or record.status == LEFT_OUT else None


def _record_path(out: Path, case_id: str) -> Path:
    return out / "import" / f"{case_id}.json"


def _fingerprint(patient: Patient, row: ClinicalRow, split: str) -> str:
    """Return a hash of everything a case is made of; no identifier can be read from it."""
    digest = hashlib.sha256(f"{REVISION} {mewm.__version__} {split} {row!r}".encode())
    for _, study in sorted(patient.studies.items()):
        for _, series in sorted(study.series.items()):
            for uid, header in sorted(series.headers.items()):
                digest.update(f"{study.date} {series.uid} {uid} {header.size}".encode())
    return digest.hexdigest()


def _split(case_id: str, seed: int) -> str:
    """Draw the split of a patient, whatever other patients there are."""
    number = int(case_id.removeprefix("HCC_"))
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence(seed, spawn_key=(number,))))
    return str(rng.choice(list(SPLIT_SHARES), p=list(SPLIT_SHARES.values())))


def _check_folder(out: Path) -> None:
    if (out / "cohort.json").exists():
        if read_info(out).get("kind") != KIND:
            raise InputError(f"{out} holds another cohort; choose an empty folder.")
    elif out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"The folder {out} is not empty and holds no cohort; choose an empty folder.")


def _collect(out: Path, records: tuple[CurationRecord, ...]) -> None:
    """Write the two tables and remove what no patient of this import stands behind."""
    kept = [r.case_id for r in records if r.status == KEPT]
    for folder in (out / "cases").iterdir():
        if folder.name not in kept:
            shutil.rmtree(folder)
    rows: list[dict[str, Any]] = [
        json.loads((out / "cases" / case_id / "case.json").read_text(encoding="utf-8")) for case_id in kept
    ]
    write_table(out / "cases.csv", [*COLUMNS, *ADDED_COLUMNS], rows)
    write_table(out / "curation.csv", curation.COLUMNS, [record.row() for record in records])


def _write_info(out: Path, seed: int, cases: int, status: str) -> None:
    info = {
        "schema": SCHEMA,
        "status": status,
        "kind": KIND,
        "notice": NOTICE,
        "seed": seed,
        "cases": cases,
        "mewm": mewm.__version__,
        "revision": REVISION,
        "versions": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "simpleitk": sitk.Version.VersionString(),
        },
    }
    partial = out / "cohort.partial"
    partial.write_text(json.dumps(info, indent=1) + "\n", encoding="utf-8")
    partial.replace(out / "cohort.json")
