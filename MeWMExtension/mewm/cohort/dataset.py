"""The cohort's files: one table, one folder of images a case, the truth kept apart. Described in docs/cohort.md."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from mewm.actions.protocol import Protocol
from mewm.actions.text import parse_protocol
from mewm.clinical import ClinicalFacts
from mewm.errors import InputError
from mewm.image_write import write_image as write_volume
from mewm.roi import GRID, Roi, feather

SCHEMA = "mewm-cohort/1"
SPLITS = ("train", "val", "test")
IMAGES = ("pre_ct", "post_ct", "lesion", "liver", "tissue")
OPTIONAL_IMAGES = ("tissue",)
"""Images that a cohort may lack: nobody marked the follow-up of an imported one."""
PHASES = ("unenhanced", "arterial", "portal")
RESPONSES = ("CR", "PR", "SD", "PD")
_FACT_TYPES: dict[str, type] = {
    "age": float,
    "albumin_g_dl": float,
    "bilirubin_mg_dl": float,
    "creatinine_mg_dl": float,
    "afp_ng_ml": float,
    "tumour_burden_percent": float,
    "ecog": int,
    "tumour_number": int,
    "encephalopathy": bool,
    "jaundice": bool,
    "hepatorenal_syndrome": bool,
    "extrahepatic_spread": bool,
    "bile_duct_obstruction": bool,
    "untreated_varices": bool,
}
FACTS = tuple(f.name for f in fields(ClinicalFacts) if f.name != "allergies")
COLUMNS: dict[str, type] = {
    "case_id": str,
    "split": str,
    "phase": str,
    "spacing_mm": float,
    "lesion_ml": float,
    "lesion_diameter_mm": float,
    **{name: _FACT_TYPES.get(name, str) for name in FACTS},
    "protocol": str,
    "follow_up_weeks": float,
    "mrecist": str,
    "os_weeks": float,
    "event": int,
}
"""Columns of ``cases.csv`` and their types; an empty cell means not stated."""
EXTRA_COLUMNS: dict[str, type] = {"patient_id": str, "new_lesion": bool, "vascular_invasion": bool, "note": str}
"""Columns that a table may have besides."""


@dataclass(frozen=True)
class CohortRow:
    """One line of ``cases.csv``.

    Attributes:
        case_id: name of the case's folder under ``cases``.
        split: ``"train"``, ``"val"`` or ``"test"``.
        phase: contrast phase of the first CT, ``"unenhanced"``, ``"arterial"`` or ``"portal"``; ``None`` where it
            could not be measured.
        facts: clinical facts as recorded.
        protocol: the as-treated protocol.
        mrecist: ``"CR"``, ``"PR"``, ``"SD"``, ``"PD"`` or ``None``.
        os_weeks: observed overall survival in weeks.
        event: whether the patient died (otherwise censored).
        values: every column by name, those of :data:`EXTRA_COLUMNS` where the table has them.
    """

    case_id: str
    split: str
    phase: str | None
    facts: ClinicalFacts
    protocol: Protocol
    mrecist: str | None
    os_weeks: float
    event: bool
    values: Mapping[str, Any]

    @property
    def patient(self) -> str:
        """Who it is: ``patient_id`` where the table has one, else the case is a patient of its own."""
        return self.values.get("patient_id") or self.case_id


@dataclass(frozen=True, eq=False)
class CohortCase:
    """Images of one case on its model grid.

    Attributes:
        row: its line in the table.
        roi: pre-treatment CT, lesion, liver and facts.
        post_ct: CT after treatment, float32 HU, (96, 96, 96).
        tissue: labels of that CT (:class:`mewm.roles.Tissue`), uint8, same shape; ``None`` where nobody marked it.
    """

    row: CohortRow
    roi: Roi
    post_ct: np.ndarray
    tissue: np.ndarray | None


@dataclass(frozen=True)
class Cohort:
    """A dataset on disk.

    Attributes:
        folder: where it lies.
        info: contents of ``cohort.json``.
        rows: its cases in order.
    """

    folder: Path
    info: Mapping[str, Any]
    rows: tuple[CohortRow, ...]

    def split(self, *names: str) -> tuple[CohortRow, ...]:
        """Return the rows of the named splits."""
        return tuple(row for row in self.rows if row.split in names)

    def load(self, row: CohortRow) -> CohortCase:
        """Read the images of one case; see :func:`load_case`."""
        return load_case(self.folder, row)


def load_case(folder: Path, row: CohortRow) -> CohortCase:
    """Read the images of one case of the cohort in ``folder``; a cohort without truth may lack ``tissue.nrrd``.

    Raises:
        InputError: an image is missing, damaged or on another grid.
    """
    images = load_images(folder, row.case_id)
    arrays = {name: sitk.GetArrayFromImage(image) for name, image in images.items()}
    lesion = arrays["lesion"] > 0
    spacing = float(images["pre_ct"].GetSpacing()[0])
    roi = Roi(
        ct=arrays["pre_ct"].astype(np.float32),
        lesion=lesion,
        liver=(arrays["liver"] > 0) | lesion,
        inside=np.ones(lesion.shape, dtype=bool),
        feather=feather(lesion, spacing),
        spacing=spacing,
        origin=images["pre_ct"].GetOrigin(),
        facts=row.facts,
    )
    return CohortCase(row, roi, arrays["post_ct"].astype(np.float32), arrays.get("tissue"))


def load_images(folder: Path, case_id: str) -> dict[str, sitk.Image]:
    """Read the images of one case by name; a cohort without truth may lack ``tissue``.

    Raises:
        InputError: an image is missing, damaged or on another grid.
    """
    paths = {name: folder / "cases" / case_id / f"{name}.nrrd" for name in IMAGES}
    return {n: _read(path) for n, path in paths.items() if n not in OPTIONAL_IMAGES or path.is_file()}


def read_cohort(folder: Path) -> Cohort:
    """Read a cohort's table.

    Args:
        folder: what :func:`mewm.cohort.simulate.simulate_cohort` wrote.

    Raises:
        InputError: the folder holds no complete cohort, or the table is damaged.
    """
    info = read_info(folder)
    table = folder / "cases.csv"
    if info.get("status") != "complete" or not table.is_file():
        raise InputError(f"The cohort in {folder} is incomplete; run the same simulation again to finish it.")
    with table.open(newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream)
        if missing := set(COLUMNS) - set(reader.fieldnames or ()):
            raise InputError(f"The table {table} lacks the column {sorted(missing)[0]!r}.")
        rows = tuple(_parse_row(line, f"{table}, line {number}") for number, line in enumerate(reader, 2))
    if not rows:
        raise InputError(f"The table {table} holds no case.")
    return Cohort(folder, info, rows)


def read_info(folder: Path) -> dict[str, Any]:
    """Read ``cohort.json``.

    Raises:
        InputError: there is none, or it is of another schema.
    """
    path = folder / "cohort.json"
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{folder} holds no cohort (no cohort.json); simulate or import one first.") from None
    except (OSError, ValueError) as error:
        raise InputError(f"The file {path} cannot be read ({error}).") from error
    if not isinstance(info, dict) or info.get("schema") != SCHEMA:
        raise InputError(f"The file {path} is not of the schema {SCHEMA}; write the cohort anew.")
    return info


def write_table(path: Path, columns: Iterable[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write a CSV at once: a reader sees the old table or the whole new one."""
    partial = path.with_suffix(".partial")
    with partial.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(columns), lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({k: _cell(v) for k, v in row.items()})
    partial.replace(path)


def write_image(array: np.ndarray, spacing: float, origin: tuple[float, float, float], path: Path) -> None:
    """Write an array on the model grid, (z, y, x) with axes along LPS, as compressed NRRD."""
    image = sitk.GetImageFromArray(array)
    image.SetSpacing([spacing] * 3)
    image.SetOrigin(origin)
    write_volume(image, path)


def _read(path: Path) -> sitk.Image:
    if not path.is_file():
        raise InputError(f"The cohort's image {path} is missing; delete the case's folder and write the cohort again.")
    try:
        image = sitk.ReadImage(str(path))
    except RuntimeError as error:
        raise InputError(
            f"The cohort's image {path} is damaged; delete its folder and write the cohort again."
        ) from error
    if image.GetSize() != (GRID,) * 3:
        raise InputError(f"The cohort's image {path} has {image.GetSize()} voxels instead of {GRID} a side.")
    return image


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _parse_row(line: Mapping[str, str], where: str) -> CohortRow:
    try:
        values = {name: parse_cell(line[name], kind) for name, kind in COLUMNS.items()}
        values |= {name: parse_cell(line[name], kind) for name, kind in EXTRA_COLUMNS.items() if name in line}
    except ValueError as error:
        raise InputError(f"A value in {where} is not of its column's type ({error}).") from None
    parsed = parse_protocol(values["protocol"] or "")
    if parsed.unknown or not parsed.protocol.actions:
        raise InputError(f"The protocol {values['protocol']!r} in {where} is not in the action base's words.")
    if values["split"] not in SPLITS or values["os_weeks"] is None or values["event"] not in (0, 1):
        raise InputError(f"The split, os_weeks or event in {where} is missing or not allowed.")
    return CohortRow(
        case_id=values["case_id"],
        split=values["split"],
        phase=values["phase"],
        facts=ClinicalFacts(**{name: values[name] for name in FACTS}),
        protocol=parsed.protocol,
        mrecist=values["mrecist"],
        os_weeks=values["os_weeks"],
        event=bool(values["event"]),
        values=values,
    )


def parse_cell(text: str | None, kind: type) -> Any:
    """Return a cell of ``cases.csv`` in its column's type; ``None`` where it is empty.

    Raises:
        ValueError: the text is not of that type.
    """
    if text is None or text == "":
        return None
    if kind is bool:
        if text not in ("true", "false"):
            raise ValueError(f"{text!r} is neither true nor false")
        return text == "true"
    return kind(text)
