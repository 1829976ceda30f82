"""What an export tells about one protocol of a run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mewm import __version__
from mewm.errors import InputError
from mewm.run import read_manifest
from mewm.run_files import read_ranking

SCHEMA = "mewm-export/1"


@dataclass(frozen=True)
class Chosen:
    """One protocol of a complete run.

    Attributes:
        run: the run folder.
        manifest: the run's manifest.
        rows: the run's ranking, best first, fields as in docs/worker.md.
        row: the row of the protocol.
        numbers: content of the protocol's own ``protocol.json``; empty where the run kept no volumes of it.
    """

    run: Path
    manifest: dict[str, Any]
    rows: list[dict[str, Any]]
    row: dict[str, Any]
    numbers: dict[str, Any]

    @property
    def volumes(self) -> tuple[Path, Path] | None:
        """Simulated CT and tissue labels on the CT's grid, ``None`` where the run did not keep them."""
        if not self.row["folder"]:
            return None
        folder = self.run / self.row["folder"]
        return folder / "simulated_ct.nrrd", folder / "tissue.nrrd"

    def protocol(self) -> dict[str, Any]:
        """Return the content of the export's ``protocol.json``."""
        told = {key: value for key, value in self.row.items() if key != "folder"}
        return {
            "schema": SCHEMA,
            "notice": self.manifest["synthetic_notice"],
            "case_name": self.manifest["case_name"],
            "of": len(self.rows),
            **told,
            "actions": self.numbers.get("protocol", {}).get("actions", []),
            "risks": self.numbers.get("risks", []),
            "measurements": self.numbers.get("measurements", {}),
        }

    def provenance(self, pictures: list[dict[str, str]], missing: Sequence[str], named: bool) -> dict[str, Any]:
        """Return the content of the export's ``manifest.json``.

        Args:
            pictures: file and caption of each picture.
            missing: what had to be left out and how to get it, one sentence each.
            named: whether the page carries a patient's name, which stands nowhere else.
        """
        run = self.manifest
        kept = ("seed", "versions", "models", "model_hashes", "device", "parameters", "goal", "formulary", "inputs")
        return {
            "schema": SCHEMA,
            "notice": run["synthetic_notice"],
            "made_by": f"mewm {__version__}",
            "run_created": run["created"],
            "case_name": run["case_name"],
            **{key: run.get(key) for key in kept},
            "rank": self.row["rank"],
            "overrides": overrides(self.row),
            "warnings": run["warnings"],
            "outlook": run.get("outlook"),
            "pictures": pictures,
            "missing": list(missing),
            "page_names_patient": named,
        }


def overrides(row: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rules that forbid a protocol, which the user wanted all the same."""
    return [finding for finding in row["findings"] if finding["severity"] == "excluded"]


def choose(run: Path, *, rank: int | None = None, protocol_id: str | None = None) -> Chosen:
    """Find one protocol in a run.

    Args:
        run: a complete run folder.
        rank: its place in the ranking, 1 is the lowest risk; or
        protocol_id: its identifier.

    Raises:
        InputError: no such run or protocol, or not exactly one of ``rank`` and ``protocol_id``.
    """
    if (rank is None) == (protocol_id is None):
        raise InputError("Name the protocol to export by its rank or by its identifier, one of the two.")
    manifest = read_manifest(run)
    rows = read_ranking(run)
    found = [row for row in rows if row["rank"] == rank or row["protocol_id"] == protocol_id]
    if not found:
        wanted = f"of rank {rank}" if protocol_id is None else repr(protocol_id)
        raise InputError(f"The run {run} has no protocol {wanted}; its ranks go from 1 to {len(rows)}.")
    row = found[0]
    numbers: dict[str, Any] = {}
    if row["folder"]:
        path = run / row["folder"] / "protocol.json"
        try:
            numbers = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"{path} is missing or damaged; run the case again.") from error
    return Chosen(run, manifest, rows, row, numbers)
