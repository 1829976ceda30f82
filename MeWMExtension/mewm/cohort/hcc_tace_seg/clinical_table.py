"""The collection's clinical table (xlsx as TCIA delivers it, or csv) as facts and outcomes."""

from __future__ import annotations

import csv
import math
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mewm.clinical import ClinicalFacts, read_facts
from mewm.errors import InputError, MewmError

PATIENT_ID = re.compile(r"HCC_\d{1,4}")
"""Patient ids of the collection; any other id could name a patient and is never used."""
ID = "TCIA_ID"
DEATH = "Death_1_StillAliveorLostToFU_0"
_NEEDED = (ID, DEATH, "OS", "chemotherapy", "Interval_FU")
_PS = "PS_bclc_0_0_1-2_1_3-4_3"
_RESPONSES = {1: "CR", 2: "PR", 3: "SD", 4: "PD"}


@dataclass(frozen=True)
class ClinicalRow:
    """One patient of the table.

    Attributes:
        case_id: public pseudonym.
        facts: what the table states in the terms of :class:`mewm.clinical.ClinicalFacts`.
        os_weeks: overall survival in weeks; ``None`` where not stated.
        event: whether the patient died; ``None`` where not stated.
        interval_weeks: weeks between the examinations around TACE; ``None`` where not stated.
        chemotherapy: the cell as written.
        mrecist: response by the first reader, ``None`` where not stated.
        vascular_invasion: yes or no; ``None`` where not stated.
        notes: what was assumed or could not be used.
    """

    case_id: str
    facts: ClinicalFacts
    os_weeks: float | None
    event: bool | None
    interval_weeks: float | None
    chemotherapy: str
    mrecist: str | None
    vascular_invasion: bool | None
    notes: tuple[str, ...]


def read_clinical(path: Path) -> dict[str, ClinicalRow]:
    """Read the clinical table.

    Raises:
        InputError: the file cannot be read, lacks a needed column, or states a patient twice.
    """
    if not path.is_file():
        raise InputError(f"The clinical table {path} does not exist; give TCIA's clinical xlsx or a csv of it.")
    rows: dict[str, ClinicalRow] = {}
    for line in _lines(path):
        if missing := [name for name in _NEEDED if name not in line]:
            raise InputError(f"The clinical table {path.name} lacks the column {missing[0]!r}; give TCIA's own table.")
        case_id = _text(line[ID])
        if not PATIENT_ID.fullmatch(case_id):
            continue
        if case_id in rows:
            raise InputError(f"The clinical table {path.name} states {case_id} twice; remove one of the rows.")
        rows[case_id] = _row(case_id, line)
    if not rows:
        raise InputError(f"The clinical table {path.name} holds no patient HCC_...; give TCIA's own table.")
    return rows


def _lines(path: Path) -> Iterator[Mapping[str, Any]]:
    suffix = path.suffix.lower()
    if suffix == ".csv":
        try:
            with path.open(newline="", encoding="utf-8-sig") as stream:
                reader = csv.DictReader(stream)
                for line in reader:
                    # An unquoted comma would shift every later cell, a torn download would shorten a survival time.
                    if None in line or None in line.values():
                        raise InputError(
                            f"Line {reader.line_num} of the clinical table {path.name} has another number of cells "
                            "than the first line; the file is cut short or badly exported, get it again."
                        )
                    yield line
        except UnicodeDecodeError:
            raise InputError(f"The clinical table {path.name} is not text in UTF-8; export it again.") from None
        return
    if suffix != ".xlsx":
        raise InputError(f"The clinical table {path.name} is neither xlsx nor csv; give TCIA's own table.")
    from openpyxl import load_workbook  # type: ignore[import-untyped]
    from openpyxl.utils.exceptions import InvalidFileException  # type: ignore[import-untyped]

    try:
        book = load_workbook(path, read_only=True, data_only=True)
    except (InvalidFileException, zipfile.BadZipFile, KeyError, OSError):
        raise InputError(f"The clinical table {path.name} is damaged or no xlsx file; download it again.") from None
    for sheet in book.worksheets:
        lines = sheet.iter_rows(values_only=True)
        names = [_text(v) for v in next(lines, ())]
        # The workbook also has a glossary sheet.
        if ID in names and DEATH in names:
            for line in lines:
                yield dict(zip(names, line, strict=False))
            return
    raise InputError(f"The clinical table {path.name} has no sheet with the columns {ID} and {DEATH}.")


def _row(case_id: str, line: Mapping[str, Any]) -> ClinicalRow:
    notes: list[str] = []
    death = _flag(line[DEATH])
    weeks = _number(line["OS"])
    response = _number(line.get("1_mRECIST"))
    return ClinicalRow(
        case_id=case_id,
        facts=_facts(line, notes),
        os_weeks=weeks if weeks is not None and weeks > 0 else None,
        event=death,
        interval_weeks=_number(line["Interval_FU"]),
        chemotherapy=_text(line["chemotherapy"]),
        mrecist=_RESPONSES.get(int(response)) if response is not None else None,
        vascular_invasion=_flag(line.get("Vascular invasion")),
        notes=tuple(notes),
    )


def _facts(line: Mapping[str, Any], notes: list[str]) -> ClinicalFacts:
    values: dict[str, Any] = {
        "age": _number(line.get("age")),
        "sex": {"1": "male", "2": "female"}.get(_text(line.get("Sex")).removesuffix(".0")),
        "child_pugh": _text(line.get("CPS")) or None,
        "afp_ng_ml": _number(line.get("AFP")),
        "bclc": _text(line.get("BCLC")).upper().removeprefix("STAGE").strip("- ") or None,
        "ecog": _number(line.get(_PS)),
        "tumour_number": {"uninodular": 1, "multinodular": 2}.get(_text(line.get("tumor_nodul")).lower()),
        "portal_vein_thrombosis": {True: "branch", False: "none", None: None}[
            _flag(line.get("Portal Vein Thrombosis"))
        ],
        "extrahepatic_spread": _any(_flag(line.get("Metastasis")), _flag(line.get("Lymphnodes"))),
    }
    facts: dict[str, Any] = {}
    for name, value in values.items():
        try:
            read_facts({name: value})
        except MewmError:
            notes.append(f"the table's value {value!r} for {name} cannot be used")
        else:
            facts[name] = value
    # The table gives classes where the facts want one value; the lowest of the class stands for it.
    if facts.get("ecog") in (1, 3):
        notes.append(
            f"performance status {facts['ecog']:g} stands for the table's {facts['ecog']:g}-{facts['ecog'] + 1:g}"
        )
    if facts.get("tumour_number") == 2:
        notes.append("2 tumours stand for the table's 'multinodular'")
    if facts.get("portal_vein_thrombosis") == "branch":
        notes.append("the table does not say which portal vein is thrombosed; a branch is assumed")
    return read_facts(facts)


def _any(*flags: bool | None) -> bool | None:
    if True in flags:
        return True
    return None if None in flags else False


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()


def _number(value: Any) -> float | None:
    """Return a cell as a number; text like ``"NOT STATED"`` and empty cells are ``None``."""
    try:
        number = float(_text(value))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _flag(value: Any) -> bool | None:
    number = _number(value)
    return None if number not in (0, 1) else number == 1
