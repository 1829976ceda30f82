"""A split's regions on disk, true and simulated, so that a training step reads thousands of voxels and not millions."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from mewm.cohort.dataset import Cohort, CohortCase, CohortRow
from mewm.errors import InputError
from mewm.roles import AssistantModel, DynamicsModel
from mewm.survival.attention.numbers import NAMES, case_numbers
from mewm.survival.attention.regions import LABELS, RegionSettings, case_region, future_region
from mewm.survival.familiarity import MEASURED, described
from mewm.training.on_disk import OnDisk, open_arrays
from mewm.training.volumes import table_hash

MARKED, READ, SIMULATED = 0, 1, 2
"""Places along the futures: the true CT with the cohort's labels, with the assistant's, and the first simulated one."""
NUMBERS = tuple(name for names in NAMES.values() for name in names)


@dataclass(frozen=True, eq=False)
class FutureRegions(OnDisk):
    """Regions of some cases and of their futures.

    Attributes:
        rows: the cases.
        ct: (cases, 2 + S, d, h, w) int16 HU on disk: before treatment, after it, S simulated futures of the as-treated
            protocol.
        lesion: (cases, d, h, w) uint8 on disk, share of the drawn lesion.
        labels: (cases, 2 + S, 3, d, h, w) uint8 on disk, see :data:`MARKED` and the places after it.
        numbers: (cases, 2 + S, F) float32 in the order of :data:`NUMBERS`, NaN where not stated.
        measured: (cases, 3) float32, :data:`mewm.survival.familiarity.MEASURED` before treatment.
    """

    rows: Sequence[CohortRow]
    ct: np.ndarray
    lesion: np.ndarray
    labels: np.ndarray
    numbers: np.ndarray
    measured: np.ndarray

    def ct_of(self, case: int, future: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the CTs (d, h, w) before treatment and in a future of :data:`MARKED` and so on."""
        return self.ct[case, 0], self.ct[case, max(future, 1)]

    @property
    def simulated(self) -> range:
        """Places of the simulated futures."""
        return range(SIMULATED, self.labels.shape[1])


def open_futures(
    cohort: Cohort,
    rows: Sequence[CohortRow],
    settings: RegionSettings,
    simulated: int,
    dynamics: DynamicsModel,
    assistant: AssistantModel,
    folder: Path,
    *,
    seed: int = 1,
    report: Callable[[int, int], None] | None = None,
) -> FutureRegions:
    """Open the regions of some cases, and make first what is not there; what an interrupted call made is kept.

    Args:
        cohort: the dataset.
        rows: which of its cases.
        settings: size of a region.
        simulated: futures to simulate a case.
        dynamics: simulates them.
        assistant: labels true and simulated CTs.
        folder: where the files lie; they take about 0.2 MB a case and future and can be deleted after training.
        seed: of the simulated futures.
        report: called with cases done and cases in all.

    Raises:
        InputError: an image is missing or damaged, or the files cannot be written.
    """
    names = [row.case_id for row in rows]
    models = [(model.name, getattr(model, "sha256", None)) for model in (dynamics, assistant)]
    content = [table_hash(cohort), names, asdict(settings), simulated, models, seed, NUMBERS]
    key = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]
    parts: dict[str, tuple[type, tuple[int, ...]]] = {
        "ct": (np.int16, (2 + simulated, *settings.shape)),
        "lesion": (np.uint8, settings.shape),
        "labels": (np.uint8, (2 + simulated, len(LABELS), *settings.shape)),
        "numbers": (np.float32, (2 + simulated, len(NUMBERS))),
        "measured": (np.float32, (len(MEASURED),)),
    }
    try:
        files = open_arrays(folder, key, len(rows), parts)
        _fill(cohort, rows, settings, simulated, dynamics, assistant, seed, files, report or (lambda done, total: None))
    except OSError as error:
        raise InputError(
            f"The regions of {len(rows)} cases cannot be written to {folder} ({error.strerror or error}); free some "
            "space or choose another folder."
        ) from error
    return FutureRegions(
        rows, files["ct"], files["lesion"], files["labels"], np.array(files["numbers"]), np.array(files["measured"])
    )


def future_seeds(seed: int, case_id: str, count: int) -> list[int]:
    """Return the seeds of a case's simulated futures, the same whatever other cases there are."""
    digest = hashlib.sha256(f"{seed}:{case_id}".encode()).digest()
    return [int(word) for word in np.random.SeedSequence(list(digest[:8])).generate_state(count)]


def _fill(
    cohort: Cohort,
    rows: Sequence[CohortRow],
    settings: RegionSettings,
    simulated: int,
    dynamics: DynamicsModel,
    assistant: AssistantModel,
    seed: int,
    files: dict[str, np.ndarray],
    report: Callable[[int, int], None],
) -> None:
    missing = np.flatnonzero(files["done"] == 0)
    stopped = threading.Event()

    def write(k: int) -> None:
        if stopped.is_set():
            return
        case = cohort.load(rows[k])
        region = case_region(case.roi, settings)
        files["ct"][k, 0], files["lesion"][k] = region.ct, region.lesion
        for place, (ct, tissue) in enumerate(_futures(case, simulated, dynamics, assistant, seed)):
            files["ct"][k, max(place, 1)], files["labels"][k, place] = future_region(region, ct, tissue, settings)
            numbers = case_numbers(case.roi, tissue, case.row.protocol)
            files["numbers"][k, place] = [np.nan if numbers[name] is None else numbers[name] for name in NUMBERS]
        found = described(case.roi)
        files["measured"][k] = [found[name] for name in MEASURED]
        files["done"][k] = 1

    with ThreadPoolExecutor(2) as pool:
        try:
            for done, _ in enumerate(pool.map(write, missing.tolist()), len(rows) - len(missing) + 1):
                report(done, len(rows))
        finally:
            stopped.set()
    for file in files.values():
        file.flush()  # type: ignore[attr-defined]


def _futures(
    case: CohortCase, simulated: int, dynamics: DynamicsModel, assistant: AssistantModel, seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return CT and labels of every future in the order of :data:`MARKED` and so on."""
    read = assistant.segment(case.roi, case.post_ct)
    found = [(case.post_ct, read if case.tissue is None else case.tissue), (case.post_ct, read)]
    if simulated:
        seeds = future_seeds(seed, case.row.case_id, simulated)
        found += [(ct, assistant.segment(case.roi, ct)) for ct in dynamics.simulate(case.roi, case.row.protocol, seeds)]
    return found
