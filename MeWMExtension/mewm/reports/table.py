"""Reports from files: one text, or a table with a column of texts; readings as rows."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from mewm.actions.text import render_protocol
from mewm.errors import InputError
from mewm.reports.extract import extract
from mewm.reports.extraction import ReportExtraction

COLUMNS = ("report", "protocol", "unknown", "not_given", "level", "deposition", "shunt", "notes", "problem")
TEXT_COLUMNS = ("text", "report", "report_text", "findings", "description", "protocol")
_TABLES = (".csv", ".tsv", ".xlsx")
_DOCUMENTS = (".pdf", ".docx", ".doc", ".xls", ".ods", ".rtf", ".odt")
_FOREIGN = re.compile(r"[\x80-\uffff]{2}")
_LARGEST_BYTES = 500_000_000


def is_table(path: Path) -> bool:
    """Return whether a file is a table of reports, by its ending."""
    return path.suffix.lower() in _TABLES


def read_text(path: Path) -> str:
    """Read a text file.

    Raises:
        InputError: the file is missing, a folder, a document of another program, too large or no text.
    """
    if not path.is_file():
        what = "is a folder; name one file in it" if path.is_dir() else "does not exist; check the name"
        raise InputError(f"The report file {path} {what}.")
    if path.suffix.lower() in _DOCUMENTS:
        raise InputError(f"{path.name} is no plain text but a document; save it as text, CSV or xlsx first.")
    if path.stat().st_size > _LARGEST_BYTES:
        raise InputError(f"{path.name} has {path.stat().st_size / 1e6:.0f} MB; split it into files below 500 MB.")
    raw = path.read_bytes()
    for encoding in ("utf-16",) if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "cp1252"):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        # Two letters outside ASCII side by side: an East Asian encoding, not Western European.
        if "\x00" not in text and not (encoding == "cp1252" and _FOREIGN.search(text)):
            return text
    raise InputError(f"{path.name} is no text in UTF-8; save the report as UTF-8 text or CSV.")


def read_table(path: Path, column: str | None = None, name: str | None = None) -> list[tuple[str, str]]:
    """Read the reports of a table.

    Args:
        path: CSV, TSV or xlsx file (its first sheet) with a header.
        column: the column of the texts; ``None`` takes the first of :data:`TEXT_COLUMNS` there is.
        name: a column that names the reports; ``None`` numbers them.

    Returns:
        Name and text of each report.

    Raises:
        InputError: the file cannot be read, has no rows, or lacks the column.
    """
    rows = _sheet(path) if path.suffix.lower() == ".xlsx" else _lines(path)
    if len(rows) < 2:
        raise InputError(f"The table {path.name} has no reports; it needs a header and one row a report.")
    header = [h.strip() for h in rows[0]]
    at = _column(path, header, column)
    named = None if name is None else _column(path, header, name)
    return [
        (row[named] if named is not None and named < len(row) else str(i), row[at] if at < len(row) else "")
        for i, row in enumerate(rows[1:], 1)
        if any(cell.strip() for cell in row)
    ]


def _lines(path: Path) -> list[list[str]]:
    csv.field_size_limit(10_000_000)
    text = read_text(path)
    first = text.split("\n", 1)[0]
    separator = max(",;\t", key=first.count) if any(mark in first for mark in ",;\t") else ","
    try:
        return list(csv.reader(text.splitlines(keepends=True), delimiter=separator))
    except csv.Error as error:
        raise InputError(f"The table {path.name} is damaged ({error}).") from error


def _sheet(path: Path) -> list[list[str]]:
    if not path.is_file():
        raise InputError(f"The report file {path} does not exist; check the name.")
    try:
        from openpyxl import load_workbook
        from openpyxl.utils.exceptions import InvalidFileException
    except ImportError:
        raise InputError(f"Reading {path.name} needs openpyxl; `pip install openpyxl` or save it as CSV.") from None
    try:
        book = load_workbook(path, read_only=True, data_only=True)
    except (InvalidFileException, BadZipFile, KeyError, ValueError, OSError):
        raise InputError(f"The table {path.name} is damaged or no xlsx file; save it again or as CSV.") from None
    try:
        rows = book.worksheets[0].iter_rows(values_only=True)
        return [["" if cell is None else str(cell) for cell in row] for row in rows]
    finally:
        book.close()


def _column(path: Path, header: Sequence[str], wanted: str | None) -> int:
    lower = [h.lower() for h in header]
    if wanted is not None:
        if wanted.lower() in lower:
            return lower.index(wanted.lower())
        raise InputError(f"The table {path.name} has no column {wanted!r}; it has {', '.join(header)}.")
    found = [lower.index(c) for c in TEXT_COLUMNS if c in lower]
    if found:
        return found[0]
    if len(header) == 1:
        return 0
    raise InputError(
        f"The table {path.name} has the columns {', '.join(header)}; name the one with the texts by --column."
    )


def extract_all(
    reports: Sequence[tuple[str, str]], progress: Callable[[int, int], None] = lambda done, of: None
) -> Iterator[tuple[str, ReportExtraction | None, str]]:
    """Read reports one after the other.

    Yields:
        Name, reading and problem; the reading is ``None`` where the report could not be read, and the problem says why.
    """
    for done, (name, text) in enumerate(reports, 1):
        try:
            yield name, extract(text), ""
        except InputError as error:
            yield name, None, str(error)
        progress(done, len(reports))


def row(name: str, reading: ReportExtraction | None, problem: str = "") -> dict[str, Any]:
    """Return a reading as one row of :data:`COLUMNS`."""
    if reading is None:
        return {**dict.fromkeys(COLUMNS, ""), "report": name, "problem": problem}
    return {
        "report": name,
        "protocol": render_protocol(reading.protocol),
        "unknown": "; ".join(reading.unknown),
        "not_given": "; ".join(f"{n.text} ({n.reason})" for n in reading.not_given),
        "level": "" if reading.level is None else reading.level,
        "deposition": reading.deposition or "",
        "shunt": reading.shunt or "",
        "notes": " ".join(reading.notes),
        "problem": problem,
    }
