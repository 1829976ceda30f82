"""``mewm evaluate``: measure every case once, in parallel and resumable, then write tables, figures and one JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

import mewm
from mewm.cohort.dataset import Cohort, CohortRow, read_cohort
from mewm.errors import InputError
from mewm.evaluation.case_measures import Context, measure_case
from mewm.evaluation.config import EvaluationConfig
from mewm.evaluation.feature_networks import FeatureNetwork, FilterBank, PerceptualNetwork
from mewm.evaluation.protocol_summary import summarise_protocols
from mewm.evaluation.survival_summary import summarise_survival
from mewm.evaluation.synthesis_summary import summarise_synthesis
from mewm.evaluation.tables import plain, write_json
from mewm.evaluation.world import read_truth

SCHEMA = "mewm-evaluation/1"
NOTICE = (
    "Research use only; not a medical device. On a simulated cohort the world is built from the mechanistic "
    "simulator's own equations with hidden sensitivities and chance, so the mechanistic arm knows the form of the "
    "truth and its figures are no evidence about patients."
)
Progress = Callable[[int, int], None]


def evaluate(
    cohort: Path,
    out: Path,
    config: EvaluationConfig | None = None,
    *,
    workers: int | None = None,
    progress: Progress | None = None,
    features: FeatureNetwork | None = None,
    perceptual: PerceptualNetwork | None = None,
) -> dict[str, Any]:
    """Run the arms over a cohort and write ``results.json``, tables and figures.

    Cases are measured in parallel and written to ``out/cases`` as they are done; the same call after an interruption
    goes on where it stopped. The results do not depend on the number of processes.

    Args:
        cohort: dataset folder (docs/cohort.md).
        out: where to write; empty, new, or holding the beginning of this evaluation.
        config: what to measure; everything on the test split by default.
        workers: processes; ``None`` for one a core.
        progress: called with cases done and cases in all.
        features, perceptual: feature networks of FID and LPIPS; the bundled filter bank by default.

    Returns:
        The content of ``results.json``.

    Raises:
        InputError: no such cohort, an empty split, another evaluation in ``out``, or a folder that cannot be written.
    """
    config, out = config or EvaluationConfig(), Path(out)
    data = read_cohort(Path(cohort))
    tested = data.split(config.split)[: config.cases]
    if not tested:
        raise InputError(f"The cohort {cohort} has no case in the split {config.split!r}; choose another split.")
    trained = data.split("train") if "survival" in config.parts and config.split != "train" else ()
    context = Context(data, config, read_truth(data), tuple(row.protocol for row in data.split("train")))
    try:
        _prepare(out, data, config)
        _measure(context, [*tested, *trained], out, workers or os.cpu_count() or 1, progress)
        records = {row.case_id: _read(out, row.case_id) for row in (*tested, *trained)}
        results = _summarise(records, tested, trained, context, out, features, perceptual)
        write_json(results, out / "results.json")
    except OSError as error:
        raise InputError(
            f"The evaluation cannot be written to {out} ({error.strerror or error}); free space or choose another "
            "folder."
        ) from error
    return results


def _summarise(
    records: Mapping[str, dict[str, Any]],
    tested: Sequence[CohortRow],
    trained: Sequence[CohortRow],
    context: Context,
    out: Path,
    features: FeatureNetwork | None,
    perceptual: PerceptualNetwork | None,
) -> dict[str, Any]:
    config, bank = context.config, FilterBank()
    mine = [records[row.case_id] for row in tested]
    results: dict[str, Any] = {
        "schema": SCHEMA,
        "notice": NOTICE,
        "mewm": mewm.__version__,
        "cohort": {key: context.cohort.info.get(key) for key in ("kind", "seed", "cases", "mewm")},
        "cases": len(tested),
        "config": asdict(config),
    }
    if "synthesis" in config.parts:
        arrays = [_arrays(out, row.case_id) for row in tested]
        results["synthesis"] = summarise_synthesis(mine, arrays, config, out, features or bank, perceptual or bank)
    if "survival" in config.parts:
        learned = [records[row.case_id] for row in trained] or mine
        results["survival"] = summarise_survival(learned, mine, config, context.cohort.info, out)
    if "protocols" in config.parts:
        results["protocols"] = summarise_protocols(mine, config, out)
    return results


def _prepare(out: Path, data: Cohort, config: EvaluationConfig) -> None:
    """Make the folder, or check that what it holds is the beginning of this evaluation."""
    mark = {
        "schema": SCHEMA,
        "fingerprint": config.fingerprint,
        "cohort": plain({k: data.info.get(k) for k in ("kind", "seed", "mewm")}),
        "mewm": mewm.__version__,
    }
    path = out / "evaluation.json"
    if path.is_file():
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            found = None
        if found != mark:
            raise InputError(
                f"{out} holds an evaluation with other settings or of another cohort; choose another folder."
            )
    elif out.exists() and any(out.iterdir()):
        raise InputError(f"The folder {out} is not empty and holds no evaluation; choose an empty folder.")
    (out / "cases").mkdir(parents=True, exist_ok=True)
    write_json(mark, path)


def _measure(context: Context, rows: Sequence[CohortRow], out: Path, workers: int, progress: Progress | None) -> None:
    missing = [row for row in rows if not _path(out, row.case_id).is_file()]
    done, report = len(rows) - len(missing), progress or (lambda done, total: None)
    report(done, len(rows))
    if min(workers, len(missing)) <= 1:
        for row in missing:
            _write_case(context, row, out)
            report(done := done + 1, len(rows))
        return
    with ProcessPoolExecutor(min(workers, len(missing)), initializer=_single_thread) as pool:
        futures = [pool.submit(_write_case, context, row, out) for row in missing]
        try:
            for future in as_completed(futures):
                future.result()
                report(done := done + 1, len(rows))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _write_case(context: Context, row: CohortRow, out: Path) -> None:
    record, arrays = measure_case(context, row)
    path = _path(out, row.case_id)
    if arrays:
        partial = path.with_suffix(".partial.npz")
        packed = {k: v.astype(np.float16) if v.dtype == np.float32 else v for k, v in arrays.items()}
        np.savez_compressed(partial, **packed)  # type: ignore[arg-type]
        partial.replace(path.with_suffix(".npz"))
    # The JSON last: where it is, the case is whole.
    write_json(record, path.with_suffix(".partial")).replace(path)


def _single_thread() -> None:
    """One thread a process: the cases are what runs in parallel."""
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)


def _path(out: Path, case_id: str) -> Path:
    return out / "cases" / f"{case_id}.json"


def _read(out: Path, case_id: str) -> dict[str, Any]:
    path = _path(out, case_id)
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"The measurements {path} are damaged; delete that file and evaluate again.") from error
    return record


def _arrays(out: Path, case_id: str) -> dict[str, np.ndarray]:
    with np.load(_path(out, case_id).with_suffix(".npz")) as stored:
        return {name: stored[name] for name in stored.files}
