"""Check a whole dataset: table, images, masks, splits and truth, every problem in one sentence."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mewm.cohort.check_images import check_images
from mewm.cohort.check_table import Problem, check_columns, check_line, check_splits, read_lines
from mewm.cohort.check_truth import check_case_file, check_truth, check_truth_table, read_truth_lines
from mewm.cohort.dataset import read_info
from mewm.errors import InputError
from mewm.pool import case_pool

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class CheckReport:
    """What a check found.

    Attributes:
        folder: the dataset.
        cases: how many cases its table names.
        problems: everything that is wrong, by case; empty for a sound dataset.
    """

    folder: Path
    cases: int
    problems: tuple[Problem, ...]

    def content(self) -> dict[str, Any]:
        """Return the report as JSON knows it."""
        return {
            "folder": str(self.folder),
            "cases": self.cases,
            "ok": not self.problems,
            "problems": [asdict(problem) for problem in self.problems],
        }


@dataclass(frozen=True)
class _Task:
    folder: Path
    line: dict[str, str]
    truth: dict[str, str] | None
    simulated: bool


def check_cohort(folder: Path, *, workers: int | None = None, progress: Progress | None = None) -> CheckReport:
    """Check a dataset.

    Args:
        folder: the dataset (docs/cohort.md), simulated or imported.
        workers: processes; ``None`` for one a core.
        progress: called with cases done and cases in all.

    Raises:
        InputError: the folder holds no cohort of this schema, so that nothing can be checked.
    """
    folder = Path(folder)
    info = read_info(folder)
    if not (folder / "cases.csv").is_file():
        raise InputError(f"The cohort in {folder} has no cases.csv; run the same simulation or import again.")
    try:
        lines, columns = read_lines(folder)
        truth = read_truth_lines(folder)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"A table of the cohort in {folder} cannot be read ({error}).") from error
    problems = list(_whole(folder, info, lines, bool(truth)))
    problems += check_columns(columns)
    for number, line in enumerate(lines, 2):
        problems += check_line(line, number)
    problems += check_splits(lines)
    if truth:
        problems += check_truth_table(lines, truth)
    known = {line.get("case_id", ""): line for line in truth}
    tasks = [
        _Task(folder, line, known.get(line["case_id"]), info.get("kind") == "simulated")
        for line in lines
        if line.get("case_id")
    ]
    found, scans = _run(tasks, workers or os.cpu_count() or 1, progress)
    problems += found
    problems += _shared_scans(lines, scans)
    return CheckReport(folder, len(lines), tuple(dict.fromkeys(sorted(problems))))


def _run(
    tasks: list[_Task], workers: int, progress: Progress | None
) -> tuple[list[Problem], list[tuple[str, str | None]]]:
    report = progress or (lambda done, total: None)
    problems: list[Problem] = []
    scans: list[tuple[str, str | None]] = []
    report(0, len(tasks))
    workers = min(workers, max(len(tasks), 1))
    with case_pool(workers) as pool:
        for done, (task, (found, scan)) in enumerate(zip(tasks, pool.map(_case, tasks, chunksize=4), strict=True), 1):
            problems += found
            scans.append((task.line["case_id"], scan))
            report(done, len(tasks))
    return problems, scans


def _case(task: _Task) -> tuple[list[Problem], str | None]:
    line = task.line
    case = line["case_id"]
    if not (task.folder / "cases" / case).is_dir():
        return [Problem(case, "cases", f"Case {case} stands in cases.csv, but has no folder.")], None
    problems, scan = check_images(
        task.folder, case, _number(line.get("spacing_mm")), _number(line.get("lesion_ml")), task.simulated
    )
    problems += check_case_file(task.folder, line)
    if task.truth is not None:
        problems += check_truth(task.folder, line, task.truth)
    return problems, scan


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _whole(folder: Path, info: dict[str, Any], lines: list[dict[str, str]], truth: bool) -> list[Problem]:
    problems = []
    if info.get("status") != "complete":
        problems.append(
            Problem(
                "", "cohort.json", f"The cohort's status is {info.get('status')!r}; run the same command to finish it."
            )
        )
    if not lines:
        problems.append(Problem("", "cases.csv", "The table cases.csv holds no case."))
    if info.get("cases") != len(lines):
        problems.append(
            Problem(
                "", "cohort.json", f"The file cohort.json counts {info.get('cases')} cases, cases.csv {len(lines)}."
            )
        )
    if info.get("kind") == "simulated" and not truth:
        problems.append(Problem("", "truth.csv", "The cohort is simulated, but has no truth.csv."))
    if (folder / "cases").is_dir():
        named = {line.get("case_id") for line in lines}
        for path in sorted((folder / "cases").iterdir()):
            if path.is_dir() and not path.name.startswith(".") and path.name not in named:
                problems.append(
                    Problem(path.name, "cases", f"The folder cases/{path.name} belongs to no case of cases.csv.")
                )
    return problems


def _shared_scans(lines: list[dict[str, str]], scans: list[tuple[str, str | None]]) -> list[Problem]:
    """Find one patient under two names: the same first CT in two splits."""
    split = {line.get("case_id", ""): line.get("split") for line in lines}
    first: dict[str, str] = {}
    problems = []
    for case, scan in scans:
        if scan is None:
            continue
        other = first.setdefault(scan, case)
        if other != case and split.get(other) != split.get(case):
            problems.append(
                Problem(
                    case,
                    "split",
                    f"Case {case} ({split.get(case)}) has the same first CT as case {other} ({split.get(other)}).",
                )
            )
    return problems


def report_json(report: CheckReport) -> str:
    """Return the report as text for programs."""
    return json.dumps(report.content(), indent=1, ensure_ascii=False)
