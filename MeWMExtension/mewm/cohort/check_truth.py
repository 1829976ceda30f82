"""Whether the truth of a simulated cohort agrees with its table and its masks."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from mewm.actions.protocol import Protocol
from mewm.actions.text import parse_protocol
from mewm.cohort.check_table import Problem
from mewm.cohort.dataset import COLUMNS, FACTS, parse_cell
from mewm.errors import MewmError
from mewm.roles import Tissue

HAZARDS = "hazards.csv"
"""Expected log-hazard of every admissible protocol, in the folder of a simulated case."""
_VOLUMES = {"viable_ml": Tissue.VIABLE, "necrosis_ml": Tissue.NECROSIS, "lipiodol_ml": Tissue.LIPIODOL}
_POSITIVE = ("sensitivity_", "oil_retention", "growth", "death_weeks")


def read_truth_lines(folder: Path) -> list[dict[str, str]]:
    """Return the lines of ``truth.csv`` as text; empty where there is none."""
    path = folder / "truth.csv"
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as stream:
        return [dict(line) for line in csv.DictReader(stream)]


def check_truth_table(lines: Sequence[Mapping[str, str]], truth: Sequence[Mapping[str, str]]) -> Iterator[Problem]:
    """Yield cases without truth and truth without a case."""
    cases, known = [line.get("case_id", "") for line in lines], [line.get("case_id", "") for line in truth]
    for case in sorted(set(cases) - set(known)):
        yield Problem(case, "truth.csv", f"Case {case} has no line in truth.csv.")
    for case in sorted(set(known) - set(cases)):
        yield Problem(case, "truth.csv", f"Case {case} stands in truth.csv, but not in cases.csv.")
    for case in sorted({case for case in known if known.count(case) > 1}):
        yield Problem(case, "truth.csv", f"Case {case} stands {known.count(case)} times in truth.csv.")


def check_truth(folder: Path, line: Mapping[str, str], truth: Mapping[str, str]) -> list[Problem]:
    """Check the truth of one case against its line of the table, its masks and its hazards.

    Args:
        folder: the cohort.
        line: the case in ``cases.csv``.
        truth: the case in ``truth.csv``.
    """
    case = line["case_id"]
    numbers: dict[str, float] = {}
    problems: list[Problem] = []
    for name, text in truth.items():
        if name == "case_id" or name.startswith("true_") or not text:
            continue
        try:
            numbers[name] = float(text)
        except ValueError:
            continue
        if not math.isfinite(numbers[name]):
            problems.append(Problem(case, name, f"Case {case} has the {name} {text} in truth.csv, not a number."))
        elif name.startswith(_POSITIVE) and numbers[name] <= 0:
            problems.append(Problem(case, name, f"Case {case} has the {name} {text} in truth.csv; it must be above 0."))
    problems += _outcome(case, line, numbers)
    problems += _response(case, line, truth)
    problems += _facts(case, line, truth)
    problems += _volumes(folder, case, numbers)
    problems += _hazards(folder, case, line, truth)
    return problems


def check_case_file(folder: Path, line: Mapping[str, str]) -> list[Problem]:
    """Check that ``case.json`` says what the table says."""
    case, path = line["case_id"], folder / "cases" / line["case_id"] / "case.json"
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return [Problem(case, "case.json", f"Case {case} has no case.json.")]
    except ValueError:
        return [Problem(case, "case.json", f"Case {case} has a case.json that is not JSON.")]
    problems = []
    for name, kind in COLUMNS.items():
        try:
            told = parse_cell(line.get(name), kind)
        except ValueError:
            continue
        if not _same(told, content.get(name)):
            problems.append(
                Problem(
                    case,
                    name,
                    f"Case {case} has the {name} {told!r} in cases.csv, but {content.get(name)!r} in case.json.",
                )
            )
    return problems


def _outcome(case: str, line: Mapping[str, str], truth: Mapping[str, float]) -> Iterator[Problem]:
    try:
        weeks, died = float(line["os_weeks"]), int(line["event"])
    except (KeyError, ValueError):
        return
    death = truth.get("death_weeks")
    if death is None:
        return
    if died and abs(death - weeks) > 0.51:  # a death within the first days counts as half a week
        yield Problem(case, "os_weeks", f"Case {case} died after {weeks:g} weeks, but truth.csv says {death:g}.")
    if not died and death < weeks - 0.01:
        yield Problem(
            case, "event", f"Case {case} is censored at {weeks:g} weeks, but truth.csv has its death at {death:g}."
        )


def _response(case: str, line: Mapping[str, str], truth: Mapping[str, str]) -> Iterator[Problem]:
    target, told = truth.get("target_response"), line.get("mrecist")
    expected = "PD" if line.get("new_lesion") == "true" else target
    if target and told and told != expected:
        why = " with a new lesion" if line.get("new_lesion") == "true" else ""
        yield Problem(case, "mrecist", f"Case {case} has the mrecist {told}, but its target is {target}{why}.")


def _facts(case: str, line: Mapping[str, str], truth: Mapping[str, str]) -> Iterator[Problem]:
    for name in FACTS:
        told, true = line.get(name), truth.get(f"true_{name}")
        if told and true and told != true:
            yield Problem(case, name, f"Case {case} records the {name} {told}, but truth.csv says {true}.")


def _volumes(folder: Path, case: str, truth: Mapping[str, float]) -> Iterator[Problem]:
    path = folder / "cases" / case / "tissue.nrrd"
    try:
        image = sitk.ReadImage(str(path))
    except RuntimeError:
        return  # the check of the images names it
    voxel_ml = float(np.prod(image.GetSpacing())) / 1000
    for name, label in _VOLUMES.items():
        found = float(np.count_nonzero(sitk.GetArrayViewFromImage(image) == label)) * voxel_ml
        if name in truth and abs(found - truth[name]) > 0.01 * found + 2 * voxel_ml:
            yield Problem(
                case, name, f"Case {case} has {found:g} ml in tissue.nrrd, but the {name} {truth[name]:g} in truth.csv."
            )


def _hazards(folder: Path, case: str, line: Mapping[str, str], truth: Mapping[str, str]) -> Iterator[Problem]:
    """Check the expected hazards of all protocols, where the cohort has them."""
    path = folder / "cases" / case / HAZARDS
    if not path.is_file():
        return
    with path.open(newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream)
        columns = reader.fieldnames or ()
        column = next((name for name in columns if "log_hazard" in name), None)
        if "protocol" not in columns or column is None:
            yield Problem(case, HAZARDS, f"Case {case} has a {HAZARDS} without the columns protocol and log_hazard.")
            return
        found: dict[tuple[object, ...], float] = {}
        for number, row in enumerate(reader, 2):
            try:
                protocol, hazard = parse_protocol(row["protocol"]).protocol, float(row[column])
            except (MewmError, ValueError, TypeError):
                hazard = math.nan
            if not math.isfinite(hazard):
                yield Problem(case, HAZARDS, f"Case {case} has an unusable line {number} in {HAZARDS}.")
                return
            found[protocol.key] = hazard
    if not found:
        yield Problem(case, HAZARDS, f"Case {case} has an empty {HAZARDS}.")
        return
    count = truth.get("admissible_protocols")
    if count and count != str(len(found)):
        yield Problem(case, HAZARDS, f"Case {case} has {len(found)} protocols in {HAZARDS}, but {count} in truth.csv.")
    yield from _best(case, truth, found)


def _best(case: str, truth: Mapping[str, str], found: Mapping[tuple[object, ...], float]) -> Iterator[Problem]:
    lowest = min(found.values())
    told = truth.get("best_log_hazard")
    if told and abs(float(told) - lowest) > 1e-4 * max(abs(lowest), 1.0):
        yield Problem(
            case,
            "best_log_hazard",
            f"Case {case} has the best_log_hazard {told}, but the lowest of {HAZARDS} is {lowest:.6g}.",
        )
    name = truth.get("best_protocol")
    if name:
        best = found.get(_key(name))
        if best is None:
            yield Problem(case, "best_protocol", f"Case {case} has the best_protocol {name!r}, which {HAZARDS} lacks.")
        elif best > lowest + 1e-4 * max(abs(lowest), 1.0):
            yield Problem(
                case,
                "best_protocol",
                f"Case {case} has the best_protocol {name!r} of log-hazard {best:.6g}; the lowest is {lowest:.6g}.",
            )


def _key(text: str) -> tuple[object, ...]:
    try:
        protocol: Protocol = parse_protocol(text).protocol
    except MewmError:
        return ()
    return protocol.key


def _same(told: Any, stored: Any) -> bool:
    if told is None or stored is None:
        return told is stored or stored == ""
    if isinstance(told, bool) or isinstance(stored, bool) or isinstance(told, str):
        return bool(told == stored)
    try:
        return math.isclose(float(told), float(stored), rel_tol=1e-5, abs_tol=1e-6)
    except (TypeError, ValueError):
        return False
