"""The single files of a run folder: JSON, the ranking; each appears whole or not at all."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mewm.errors import InputError
from mewm.run_manifest import NOTICE

if TYPE_CHECKING:
    from mewm.explore.result import ScoredProtocol

COLUMNS = (
    "rank",
    "protocol",
    "risk",
    "risk_sd",
    "replicas",
    "survival_1y",
    "median_weeks",
    "volume_change_percent",
    "viable_fraction",
    "lipiodol_coverage",
    "response",
    "origin",
    "violations",
    "folder",
    "protocol_id",
    "survival_2y",
    "risk_parts",
)


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write one JSON object in place of what is there."""
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def write_protocol_json(folder: Path, scored: ScoredProtocol, text: str) -> None:
    """Write the numbers of one protocol beside its volumes."""
    write_json(folder / "protocol.json", scored.to_dict() | {"text": text, "notice": NOTICE})


def write_ranking(folder: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write ``ranking.json`` (every field of every row) and ``ranking.csv`` (the columns a reader wants)."""
    write_json(folder / "ranking.json", {"rows": rows})
    partial = folder / "ranking.csv.partial"
    with partial.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        for row in rows:
            writer.writerow({key: _cell(row.get(key)) for key in COLUMNS})
    partial.replace(folder / "ranking.csv")


def read_ranking(folder: Path) -> list[dict[str, Any]]:
    """Return the rows of a run, best first, with the fields of docs/worker.md.

    Raises:
        InputError: the file is missing or damaged.
    """
    path = folder / "ranking.json"
    try:
        rows: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["rows"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is missing or damaged; run the case again.") from error
    return rows


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
