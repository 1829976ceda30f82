"""What can be wrong with ``cases.csv``: columns, types, allowed values, names and splits."""

from __future__ import annotations

import csv
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mewm.actions.text import parse_protocol
from mewm.clinical import read_facts
from mewm.cohort.dataset import COLUMNS, EXTRA_COLUMNS, FACTS, PHASES, RESPONSES, SPLITS, parse_cell
from mewm.errors import MewmError
from mewm.roi import COARSEST_MM, FINEST_MM

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_CHOICES: dict[str, tuple[Any, ...]] = {"split": SPLITS, "phase": PHASES, "mrecist": RESPONSES, "event": (0, 1)}
_NEEDED = ("case_id", "split", "spacing_mm", "lesion_ml", "lesion_diameter_mm", "protocol", "os_weeks", "event")
_LIMITS = {
    # The header of the images rounds the spacing.
    "spacing_mm": (FINEST_MM - 1e-3, COARSEST_MM + 1e-3, "mm"),
    "lesion_ml": (1e-3, 7000.0, "ml"),
    "lesion_diameter_mm": (1.0, 200.0, "mm"),
    "follow_up_weeks": (0.0, 520.0, "weeks"),
    "os_weeks": (0.0, 2600.0, "weeks"),
}


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong with a cohort.

    Attributes:
        case: the case's name, empty where it concerns the whole cohort.
        what: the column, image or file.
        sentence: what is wrong, with the value found.
    """

    case: str
    what: str
    sentence: str


def read_lines(folder: Path) -> tuple[list[dict[str, str]], list[str]]:
    """Return the lines of ``cases.csv`` as text, and its columns."""
    with (folder / "cases.csv").open(newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream)
        return [dict(line) for line in reader], list(reader.fieldnames or ())


def check_columns(columns: Sequence[str]) -> Iterator[Problem]:
    """Yield what is wrong with the header of the table."""
    for name in COLUMNS:
        if name not in columns:
            yield Problem("", name, f"The table cases.csv lacks the column {name!r}.")
    for name, count in Counter(columns).items():
        if count > 1:
            yield Problem("", name, f"The table cases.csv has the column {name!r} {count} times.")
        if name not in COLUMNS and name not in EXTRA_COLUMNS:
            yield Problem("", name, f"The table cases.csv has the column {name!r}, which the format does not know.")


def check_line(line: Mapping[Any, Any], number: int) -> Iterator[Problem]:
    """Yield what is wrong with one line of the table.

    Args:
        line: cells by column, as read.
        number: of the line in the file, for a line whose case has no usable name.
    """
    case = line.get("case_id") or ""
    if not _NAME.fullmatch(case):
        yield Problem("", "case_id", f"Line {number} of cases.csv has the case_id {case!r}, which cannot be a folder.")
        case = f"line {number}"
    if None in line:
        yield Problem(case, "cases.csv", f"Case {case} has {len(line[None])} cells more than the table has columns.")
    values: dict[str, Any] = {}
    for name, kind in {**COLUMNS, **EXTRA_COLUMNS}.items():
        if name not in line:
            continue
        if line[name] is None:
            yield Problem(case, name, f"Case {case} has fewer cells than the table has columns; {name} is missing.")
            continue
        try:
            values[name] = parse_cell(line[name], kind)
        except ValueError:
            told = {float: "a number", int: "a whole number", bool: "true or false"}[kind]
            yield Problem(case, name, f"Case {case} has the {name} {line[name]!r}, which is not {told}.")
    for name, value in values.items():
        sentence = _wrong(name, value)
        if sentence:
            yield Problem(case, name, f"Case {case} {sentence}")


def check_splits(lines: Sequence[Mapping[str, str]]) -> Iterator[Problem]:
    """Yield cases that are named twice and patients who are in more than one split."""
    for case, count in Counter(line.get("case_id") for line in lines).items():
        if case and count > 1:
            yield Problem(case, "case_id", f"Case {case} stands {count} times in cases.csv.")
    splits: dict[str, dict[str, str]] = {}
    for line in lines:
        patient, case = line.get("patient_id") or line.get("case_id") or "", line.get("case_id") or ""
        found = splits.setdefault(patient, {})
        for split, other in found.items():
            if split != line.get("split"):
                yield Problem(
                    case,
                    "split",
                    f"Case {case} is in the split {line.get('split')!r}, but case {other} of the same patient "
                    f"{patient} is in {split!r}.",
                )
        found.setdefault(line.get("split") or "", case)


def _wrong(name: str, value: Any) -> str:
    """Return the rest of a sentence about a typed value, or an empty string."""
    if value is None:
        return f"states no {name}." if name in _NEEDED else ""
    if isinstance(value, float) and not math.isfinite(value):
        return f"has the {name} {value}, which is not a number."
    if name in _CHOICES and value not in _CHOICES[name]:
        return f"has the {name} {value!r}; allowed are {', '.join(str(v) for v in _CHOICES[name])}."
    if name in _LIMITS:
        low, high, unit = _LIMITS[name]
        return "" if low <= value <= high else f"has the {name} {value:g}, outside {low:g} to {high:g} {unit}."
    if name in FACTS:
        try:
            read_facts({name: value})
        except MewmError as error:
            return f"is wrong in one fact: {error}"
    if name == "protocol":
        try:
            parsed = parse_protocol(value)
        except MewmError as error:
            return f"has an unusable protocol: {error}"
        if parsed.unknown:
            return f"has the agent {parsed.unknown[0]!r} in its protocol, which the action base does not know."
    return ""
