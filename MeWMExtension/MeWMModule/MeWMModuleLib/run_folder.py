"""Read and check a run folder (schema ``mewm-run/1``) before anything is shown of it."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mewm.errors import InputError
from mewm.run import read_manifest


@dataclass(frozen=True)
class KeptProtocol:
    """A protocol whose simulated volumes the run kept.

    Attributes:
        rank: place in the ranking, 1 is the lowest predicted risk.
        text: the protocol in words, e.g. ``"Lobaplatin 30 mg; Lipiodol 10 ml"``.
        folder: folder with ``simulated_ct.nrrd`` and ``tissue.nrrd``.
        row: its row of ``ranking.csv``, column name to text.
    """

    rank: int
    text: str
    folder: Path
    row: dict[str, str]

    @property
    def simulated_ct(self) -> Path:
        """The simulated post-TACE CT on the input's grid, HU."""
        return self.folder / "simulated_ct.nrrd"

    @property
    def tissue(self) -> Path:
        """Tissue labels on the input's grid: 1 liver, 2 viable tumour, 3 necrosis, 4 lipiodol."""
        return self.folder / "tissue.nrrd"


@dataclass(frozen=True)
class RunFolder:
    """A complete run on disk.

    Attributes:
        path: the folder.
        case_name: name of the case, never a patient's.
        created: ISO 8601 time at which the run was written.
        notice: sentence that says the volumes are synthetic and for research only.
        centre_lps: centre of the target lesion, LPS mm.
        diameter_mm: longest diameter of the target lesion.
        protocols: kept protocols in the order of their rank.
        ranking: all rows of ``ranking.csv``, column name to text.
        manifest: everything else the manifest says.
    """

    path: Path
    case_name: str
    created: str
    notice: str
    centre_lps: tuple[float, float, float]
    diameter_mm: float
    protocols: tuple[KeptProtocol, ...]
    ranking: tuple[dict[str, str], ...]
    manifest: dict[str, Any]

    @property
    def pre_ct(self) -> Path:
        """The pre-treatment CT, HU."""
        return self.path / "pre_ct.nrrd"

    @property
    def lesion(self) -> Path:
        """Mask of the target lesion."""
        return self.path / "lesion.nrrd"

    @property
    def identifier(self) -> str:
        """What tells this run's nodes from another's in one scene."""
        return f"{self.case_name} {self.created}"


def read_run(folder: str | Path) -> RunFolder:
    """Read a run folder and make sure that every volume it names is there.

    Args:
        folder: folder written by ``mewm explore`` or ``mewm simulate``.

    Raises:
        InputError: the folder is no run, is incomplete, of another schema, or lacks a file.
    """
    path = Path(folder)
    if not path.is_dir():
        raise InputError(f"There is no run folder {path}; give the folder that `mewm explore` wrote.")
    manifest = read_manifest(path)
    ranking = _read_ranking(path)
    by_folder = {row.get("folder", ""): row for row in ranking}
    try:
        protocols = tuple(
            KeptProtocol(
                int(entry["rank"]), str(entry["text"]), path / entry["folder"], by_folder.get(entry["folder"], {})
            )
            for entry in manifest["protocols"]
        )
        lesion = manifest["lesion"]
        x, y, z = (float(value) for value in lesion["centre_lps"])
        run = RunFolder(
            path=path,
            case_name=str(manifest["case_name"]),
            created=str(manifest["created"]),
            notice=str(manifest["synthetic_notice"]),
            centre_lps=(x, y, z),
            diameter_mm=float(lesion["diameter_mm"]),
            protocols=tuple(sorted(protocols, key=lambda protocol: protocol.rank)),
            ranking=ranking,
            manifest=manifest,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"The manifest of the run {path} cannot be used ({type(error).__name__}: {error}); run the case again."
        ) from error
    _check_files(run)
    return run


def _read_ranking(path: Path) -> tuple[dict[str, str], ...]:
    file = path / "ranking.csv"
    if not file.is_file():
        raise InputError(f"The run {path} has no ranking.csv; run the case again.")
    with file.open(newline="", encoding="utf-8") as stream:
        return tuple(csv.DictReader(stream))


def _check_files(run: RunFolder) -> None:
    wanted = [run.pre_ct, run.lesion]
    for protocol in run.protocols:
        if not protocol.folder.resolve().is_relative_to(run.path.resolve()):
            raise InputError(
                f"The run {run.path} names a folder outside itself, {protocol.folder}; run the case again."
            )
        wanted += [protocol.simulated_ct, protocol.tissue]
    for file in wanted:
        if not file.is_file():
            raise InputError(f"The run {run.path} lacks {file.relative_to(run.path)}; run the case again.")
