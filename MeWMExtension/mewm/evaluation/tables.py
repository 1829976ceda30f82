"""Results as CSV for programs, Markdown for readers and JSON for everything."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mewm.evaluation.intervals import Estimate

Row = Mapping[str, Any]


def write_table(rows: Sequence[Row], path: Path, title: str = "") -> tuple[Path, Path]:
    """Write a table as ``path`` with the endings ``.csv`` and ``.md``.

    An :class:`Estimate` becomes one cell "value (low to high)" in Markdown and the columns ``x``, ``x_low``,
    ``x_high`` in CSV, with ``x_p`` where there is a p.

    Args:
        rows: one mapping a row; columns in the order in which they first occur.
        path: without ending.
        title: heading of the Markdown file.

    Returns:
        The two files.
    """
    columns = list(dict.fromkeys(key for row in rows for key in row))
    flat = [_flat(row) for row in rows]
    header = list(dict.fromkeys(key for row in flat for key in row))
    csv_path, markdown_path = path.with_suffix(".csv"), path.with_suffix(".md")
    with csv_path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, header, lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: _cell(value) for key, value in row.items()} for row in flat)
    lines = [f"# {title}", ""] if title else []
    lines += ["| " + " | ".join(columns) + " |", "| " + " | ".join("---" for _ in columns) + " |"]
    lines += ["| " + " | ".join(_words(row.get(column)) for column in columns) + " |" for row in rows]
    markdown_path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return csv_path, markdown_path


def write_json(value: Any, path: Path) -> Path:
    """Write any result as JSON: dataclasses as objects, arrays as lists, what is not a finite number as null."""
    path.write_text(json.dumps(plain(value), indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    return path


def plain(value: Any) -> Any:
    """Return a value as JSON knows it."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value


def _flat(row: Row) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in row.items():
        if isinstance(value, Estimate):
            flat |= {key: value.value, f"{key}_low": value.low, f"{key}_high": value.high}
            if value.p is not None:
                flat[f"{key}_p"] = value.p
        else:
            flat[key] = value
    return flat


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _words(value: Any) -> str:
    if isinstance(value, Estimate):
        words = _number(value.value)
        if math.isfinite(value.low):
            words += f" ({_number(value.low)} to {_number(value.high)})"
        return words if value.p is None else f"{words}, p {_probability(value.p)}"
    if isinstance(value, float):
        return _number(value)
    return "" if value is None else str(value).replace("|", "\\|")


def _number(value: float) -> str:
    if not math.isfinite(value):
        return "–" if math.isnan(value) else "∞"
    if value != 0 and abs(value) < 0.01:
        return f"{value:.2g}"
    return f"{value:.3f}" if abs(value) < 100 else f"{value:.0f}"


def _probability(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
