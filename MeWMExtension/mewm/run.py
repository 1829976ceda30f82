"""A run on disk: manifest, ranking, search tree and the simulated volumes of the best protocols.

The manifest says ``incomplete`` until everything else is written. The command line writes beside the final
place under a name that ends in ``.partial`` and renames it; the engine process, whose reader looks at volumes
while the search runs, writes in place. Nothing in a run names the patient: voxels and geometry of the CT are
stored, not its file name, path or header fields.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mewm.errors import InputError
from mewm.image_write import write_image
from mewm.rows import survival_values
from mewm.run_files import write_json, write_protocol_json, write_ranking
from mewm.run_manifest import SCHEMA, first_lines, make_manifest

if TYPE_CHECKING:
    from mewm.exploration import Exploration
    from mewm.explore.result import ScoredProtocol

OnVolume = Callable[[int, int], None]
"""Called before each protocol's volumes are written, with how many are done and how many there are."""


def prepare_run_folder(folder: Path | None, name: str, *, overwrite: bool = False) -> Path:
    """Choose the run folder and refuse one that must not be written, before any work is done.

    Args:
        folder: the wished folder; ``None`` names one in ``runs/`` after the case and the time.
        name: name of the case.
        overwrite: allow an existing run folder to be replaced.

    Raises:
        InputError: the folder exists and is no run, or is one and ``overwrite`` is false; it cannot be made
            there; the name is no plain file name.
    """
    check_name(name)
    if folder is None:
        folder = Path("runs") / f"{name}-{datetime.now():%Y%m%d-%H%M%S}"
    require_writable(folder)
    if folder.exists():
        is_run = (folder / "manifest.json").is_file()
        empty = folder.is_dir() and not any(folder.iterdir())
        if not is_run and not empty:
            raise InputError(f"{folder} exists and is not a run of MeWM; name another folder with --out.")
        if is_run and not overwrite:
            raise InputError(f"The run {folder} exists; add --overwrite to replace it or name another with --out.")
    return folder


def require_writable(folder: Path, what: str = "run folder") -> None:
    """Make sure that a file or folder can be made at a place.

    Args:
        folder: the place.
        what: what would be made there, in words.

    Raises:
        InputError: what lies above it is a file or may not be written to.
    """
    above = next(parent for parent in folder.absolute().parents if parent.exists())
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        why = "may not be written to" if above.is_dir() else "is not a folder"
        raise InputError(f"The {what} {folder} cannot be made because {above} {why}; name another with --out.")


def check_name(name: str) -> None:
    """Make sure that the name of a case is a plain file name.

    Raises:
        InputError: it is not.
    """
    if not re.fullmatch(r"[\w.-]{1,60}", name):
        raise InputError(f"The case name {name!r} is not usable; take up to 60 letters, digits, '_', '-' or '.'.")


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of a complete run.

    Raises:
        InputError: there is no run, it is incomplete, damaged or of another schema.
    """
    path = folder / "manifest.json"
    if not path.is_file():
        raise InputError(f"{folder} is not a run of MeWM: it has no manifest.json; make one with mewm explore.")
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        schema, status = manifest["schema"], manifest["status"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is damaged; run mewm explore again.") from error
    if schema != SCHEMA:
        raise InputError(f"{folder} has the schema {schema!r}, this version reads {SCHEMA!r}; run the case again.")
    if status != "complete":
        raise InputError(f"The run {folder} is {status}; run the case again.")
    return manifest


def write_run(
    exploration: Exploration, folder: Path, *, name: str = "case", keep: int = 5, overwrite: bool = False
) -> Path:
    """Write a run folder and return its path.

    Args:
        exploration: result of :func:`mewm.api.explore` or :func:`mewm.api.simulate`.
        folder: where to write; its parent is made if needed.
        name: name of the case; never a patient's.
        keep: how many protocols, best first, keep their volumes; the user's own always do.
        overwrite: replace an existing run.

    Raises:
        InputError: see :func:`prepare_run_folder`.
    """
    folder = prepare_run_folder(Path(folder), name, overwrite=overwrite)
    partial = folder.with_name(folder.name + ".partial")
    if partial.exists():
        shutil.rmtree(partial)
    partial.mkdir(parents=True)
    try:
        fill_run(exploration, partial, name, keep)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    if folder.exists():
        shutil.rmtree(folder)
    partial.rename(folder)
    return folder


def begin_run(folder: Path, kind: str, name: str) -> None:
    """Make a run folder that says it is incomplete.

    Args:
        folder: new or empty; see :func:`prepare_run_folder`.
        kind: ``"explore"`` or ``"simulate"``.
        name: name of the case.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "manifest.json", first_lines(kind, name) | {"status": "incomplete"})


def fill_run(
    exploration: Exploration, folder: Path, name: str, keep: int, on_volume: OnVolume | None = None
) -> dict[str, Any]:
    """Write everything into a run folder and declare it complete; return its manifest.

    Args:
        exploration: what was found.
        folder: exists; whatever else lies in it stays.
        name: name of the case.
        keep: how many protocols, best first, keep their volumes; the user's own always do.
        on_volume: called before each protocol's volumes; may raise to stop.
    """
    manifest = make_manifest(exploration, name)
    write_json(folder / "manifest.json", manifest | {"status": "incomplete"})
    case = exploration.case
    write_image(case.ct, folder / "pre_ct.nrrd")
    write_image(case.lesion, folder / "lesion.nrrd")
    if case.liver is not None:
        write_image(case.liver, folder / "liver.nrrd")
    rows = ranking_rows(exploration)
    kept = [is_kept(row, keep) for row in rows]
    for scored, row, wanted in zip(exploration.ranking, rows, kept, strict=True):
        if wanted:
            if on_volume is not None:
                on_volume(sum(1 for other in rows if other["folder"]), sum(kept))
            row["folder"] = write_protocol(exploration, scored, row, folder)
    write_ranking(folder, rows)
    tree = exploration.search.to_dict() if exploration.search else {"method": "none", "steps": []}
    write_json(folder / "search.json", tree)
    write_exchange = getattr(exploration.models.policy, "write_exchange", None)
    if write_exchange is not None:
        write_exchange(folder / "policy")
    (folder / "figures").mkdir(exist_ok=True)
    manifest |= {"protocols": kept_protocols(rows), "status": "complete"}
    write_json(folder / "manifest.json", manifest)
    return manifest


def ranking_rows(exploration: Exploration) -> list[dict[str, Any]]:
    """Return the rows of a run with their survival curves, none of them with volumes yet."""
    survival = exploration.models.survival
    return [
        row | survival_values(survival, scored.risks) | {"folder": ""}
        for scored, row in zip(exploration.ranking, exploration.rows(), strict=True)
    ]


def is_kept(row: dict[str, Any], keep: int) -> bool:
    """Whether a row's volumes are written."""
    return row["rank"] <= keep or row["origin"] == "yours"


def kept_protocols(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the manifest's list of the protocols whose volumes are in the run."""
    return [{"rank": row["rank"], "folder": row["folder"], "text": row["protocol"]} for row in rows if row["folder"]]


def write_protocol(exploration: Exploration, scored: ScoredProtocol, row: dict[str, Any], folder: Path) -> str:
    """Write the volumes and numbers of one protocol; return their folder, relative to the run."""
    from mewm.roi import paste_ct, paste_tissue

    slug = "_".join(re.sub(r"[^a-z0-9]+", "-", agent.lower()).strip("-") for agent in scored.protocol.agents)
    # The rank is the one at this time; the identifier keeps two doses of the same agents apart.
    relative = f"protocols/{row['rank']:02d}_{slug[:80]}_{row['protocol_id'][:6]}"
    target = folder / relative
    target.mkdir(parents=True, exist_ok=True)
    future = exploration.evaluator.future(scored.protocol)
    case, roi = exploration.case, exploration.roi
    write_image(paste_ct(case, roi, future.ct.astype("float32")), target / "simulated_ct.nrrd")
    write_image(paste_tissue(case, roi, future.tissue), target / "tissue.nrrd")
    write_protocol_json(target, scored, row["protocol"])
    return relative
