"""A split's latents in one memory-mapped file: every CT is encoded once, not once an epoch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from mewm.assistant.intensity import IntensityAssistant
from mewm.cohort.dataset import Cohort, CohortCase, CohortRow
from mewm.dynamics.autoencoder.network import REDUCTION
from mewm.dynamics.diffusion.condition import Codec, case_numbers, lesion_and_gate, without_lesion
from mewm.dynamics.diffusion.model import NUMBERS
from mewm.dynamics.diffusion.outcome import OUTCOMES, lesion_outcome
from mewm.errors import InputError
from mewm.roi import GRID
from mewm.training.dynamics.attenuation import RESPONSE_LEVELS, attenuate, report_level
from mewm.training.dynamics.config import Attenuation
from mewm.training.on_disk import OnDisk, open_arrays
from mewm.training.volumes import table_hash

PRE, MASKED, ATTENUATED, POST = range(4)
"""Places along the second axis of :attr:`Latents.volumes`."""


@dataclass(frozen=True, eq=False)
class Latents(OnDisk):
    """Latents of some cases of a cohort.

    Attributes:
        rows: the cases.
        volumes: (cases, 4, C, d, h, w) float16 on disk: before treatment, the same without the lesion, the same without
            the attenuated lesion (equal to the second where the level is not known), after treatment.
        masks: (cases, 2, d, h, w) float16 on disk: share of lesion, and whether anything can change.
        numbers: (cases, 2) :func:`mewm.dynamics.diffusion.condition.case_numbers`.
        outcomes: (cases, 3) float32 :func:`mewm.dynamics.diffusion.outcome.lesion_outcome`, of the cohort's labels or,
            where nobody marked the CT after treatment, of those of the intensity assistant.
    """

    rows: Sequence[CohortRow]
    volumes: np.ndarray
    masks: np.ndarray
    numbers: np.ndarray
    outcomes: np.ndarray

    def first(self, count: int) -> Latents:
        """Return the first ``count`` cases."""
        some = slice(count)
        return Latents(self.rows[some], self.volumes[some], self.masks[some], self.numbers[some], self.outcomes[some])


def open_latents(
    cohort: Cohort,
    rows: Sequence[CohortRow],
    codec: Codec,
    attenuation: Attenuation,
    folder: Path,
    report: Callable[[int, int], None] | None = None,
    warn: Callable[[str], None] | None = None,
) -> Latents:
    """Open the latents of some cases, and compute first what is not there; what an interrupted call computed is kept.

    Args:
        cohort: the dataset.
        rows: which of its cases.
        codec: the autoencoder.
        attenuation: where the attenuation level comes from.
        folder: where the files lie; they take 1 MB a case and can be deleted after training.
        report: called with cases done and cases in all while they are computed.
        warn: called with a sentence where masks should be attenuated and no case says how much.

    Raises:
        InputError: an image or a report is missing or damaged, or the files cannot be written.
    """
    levels = [case_level(cohort, row, attenuation) for row in rows]
    if warn is not None and attenuation.share and not any(levels):
        warn(
            "No case has an attenuation level, so no mask is attenuated; put report.txt into the cases' folders, or "
            "set without_report to response."
        )
    names = [row.case_id for row in rows]
    content = [table_hash(cohort), names, codec.sha256, levels]
    key = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]
    grid = (GRID // REDUCTION,) * 3
    parts: dict[str, tuple[type, tuple[int, ...]]] = {
        "latents": (np.float16, (4, codec.channels, *grid)),
        "masks": (np.float16, (2, *grid)),
        "outcomes": (np.float32, (OUTCOMES,)),
        "numbers": (np.float32, (NUMBERS,)),
    }
    try:
        files = open_arrays(folder, key, len(rows), parts)
        _fill(cohort, rows, levels, codec, files, report or (lambda done, total: None))
    except OSError as error:
        raise InputError(
            f"The latents of {len(rows)} cases cannot be written to {folder} ({error.strerror or error}); free "
            "some space or choose another folder."
        ) from error
    return Latents(rows, files["latents"], files["masks"], np.array(files["numbers"]), np.array(files["outcomes"]))


def case_level(cohort: Cohort, row: CohortRow, attenuation: Attenuation) -> int | None:
    """Return the attenuation level of a case: of ``report.txt`` in its folder, else as the settings say.

    Raises:
        InputError: the report has no words, too many, or is no text.
    """
    path = cohort.folder / "cases" / row.case_id / "report.txt"
    if not path.is_file():
        return RESPONSE_LEVELS.get(row.mrecist or "") if attenuation.without_report == "response" else None
    try:
        return report_level(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise InputError(f"The report {path} is no UTF-8 text; save it as UTF-8 or take it away.") from error
    except InputError as error:
        raise InputError(f"The report {path} cannot be read: {error}") from error


def spread_of_change(latents: Latents, cases: int = 128) -> torch.Tensor:
    """Return the spread of the change in each channel where something can change, (C,) float32."""
    squares, weights = [], []
    for k in range(min(cases, len(latents.rows))):
        gate = latents.masks[k, 1].astype(np.float32)
        change = latents.volumes[k, POST].astype(np.float32) - latents.volumes[k, PRE].astype(np.float32)
        squares.append((np.square(change) * gate).sum(axis=(1, 2, 3)))
        weights.append(gate.sum())
    mean = np.sum(squares, axis=0) / max(float(np.sum(weights)), 1.0)
    return torch.from_numpy(np.sqrt(np.maximum(mean, 1e-6)).astype(np.float32))


def _fill(
    cohort: Cohort,
    rows: Sequence[CohortRow],
    levels: Sequence[int | None],
    codec: Codec,
    files: dict[str, np.ndarray],
    report: Callable[[int, int], None],
) -> None:
    missing = np.flatnonzero(files["done"] == 0)
    assistant = IntensityAssistant()
    for done, k in enumerate(missing.tolist(), len(rows) - len(missing) + 1):
        case = cohort.load(rows[k])
        files["latents"][k], files["masks"][k] = _encode(case, levels[k], codec)
        files["numbers"][k] = case_numbers(case.roi)
        tissue = assistant.segment(case.roi, case.post_ct) if case.tissue is None else case.tissue
        files["outcomes"][k] = lesion_outcome(case.roi, tissue)
        files["done"][k] = 1
        report(done, len(rows))
    for file in files.values():
        file.flush()  # type: ignore[attr-defined]


def _encode(case: CohortCase, level: int | None, codec: Codec) -> tuple[np.ndarray, np.ndarray]:
    before, after = (torch.from_numpy(np.ascontiguousarray(ct))[None, None] for ct in (case.roi.ct, case.post_ct))
    lesion = torch.from_numpy(case.roi.lesion.astype(np.float32)).to(codec.device)
    before, after = before.to(codec.device), after.to(codec.device)
    attenuated = lesion if level is None else attenuate(lesion, level)
    seen = [before, without_lesion(before, lesion[None, None]), without_lesion(before, attenuated[None, None]), after]
    latents = codec.encode(torch.cat(seen)).cpu().numpy().astype(np.float16)
    return latents, torch.cat(lesion_and_gate(case.roi), dim=1)[0].numpy().astype(np.float16)
