"""Continue with a complete run on disk: its case again, one more protocol in its ranking, volumes of one more row."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mewm import __version__
from mewm.actions.formulary import Formulary
from mewm.actions.text import parse_protocol
from mewm.errors import InputError
from mewm.rows import protocol_id
from mewm.run import kept_protocols, ranking_rows, write_protocol
from mewm.run_files import read_ranking, write_json, write_protocol_json, write_ranking
from mewm.run_manifest import model_hashes

if TYPE_CHECKING:
    from mewm.actions.protocol import Protocol
    from mewm.case import Case
    from mewm.exploration import Exploration, Models


def case_of_run(folder: Path, manifest: dict[str, Any]) -> Case:
    """Read the case of a run from the run itself.

    Raises:
        InputError: a volume is missing or damaged.
    """
    from mewm.case import read_case

    liver = folder / "liver.nrrd"
    return read_case(
        folder / "pre_ct.nrrd",
        folder / "lesion.nrrd",
        liver=liver if liver.is_file() else None,
        facts=manifest.get("facts"),
    )


def formulary_of_run(manifest: dict[str, Any]) -> Formulary:
    """Return the formulary of a run.

    Raises:
        InputError: it names an agent that this version does not know.
    """
    names = manifest.get("formulary")
    return Formulary.everything() if names is None else Formulary.only(names)


def require_same_models(folder: Path, manifest: dict[str, Any], models: Models) -> None:
    """Make sure that a protocol scored now can be compared with those of a run.

    Raises:
        InputError: the run was made by another version or with other models.
    """
    made = str(manifest.get("versions", {}).get("mewm"))
    if made != __version__:
        raise InputError(f"The run {folder} was made by MeWM {made}, this is {__version__}; explore the case again.")
    # The policy chose what was searched; it has no part in how a protocol is simulated and scored.
    scoring = ("dynamics", "assistant", "survival")
    here = {role: (models.names[role], model_hashes(models).get(role)) for role in scoring}
    there = {
        role: (manifest.get("models", {}).get(role), manifest.get("model_hashes", {}).get(role)) for role in scoring
    }
    if here != there:
        raise InputError(f"The run {folder} was made with other models than those in use; explore the case again.")


def ranked_protocol(folder: Path, wanted: str) -> tuple[dict[str, Any], Protocol]:
    """Return the row of a protocol in a run and the protocol itself.

    Args:
        folder: a complete run.
        wanted: its ``protocol_id``.

    Raises:
        InputError: the ranking is damaged or has no such row.
    """
    for row in read_ranking(folder):
        if row["protocol_id"] == wanted:
            protocol = parse_protocol(row["protocol"]).protocol
            if protocol_id(protocol) != wanted:
                raise InputError(f"The ranking of {folder} was changed by hand at {row['protocol']!r}; run it again.")
            return row, protocol
    raise InputError(f"The run {folder} has no protocol {wanted!r}; take one of its ranking.")


def add_to_run(folder: Path, manifest: dict[str, Any], exploration: Exploration) -> dict[str, Any]:
    """Rank one simulated protocol of the user's own among those of a run.

    The volumes are written first and the manifest last, so that a crash in between leaves a complete run. A row
    of the same treatment is replaced: the new one rests on all replicas.

    Args:
        folder: a complete run.
        manifest: its manifest.
        exploration: of :func:`mewm.api.simulate`, with the run's case, seed and replicas.

    Returns:
        The new manifest.
    """
    (new,) = ranking_rows(exploration)
    (scored,) = exploration.ranking
    others = read_ranking(folder)
    before = next((row for row in others if row["protocol_id"] == new["protocol_id"]), None)
    rows = sorted([row for row in others if row is not before] + [new], key=lambda row: row["risk"])
    for rank, row in enumerate(rows, start=1):
        row["rank"] = rank
    if before is not None and before["folder"]:
        new["folder"] = before["folder"]
        write_protocol_json(folder / new["folder"], scored, new["protocol"])
    else:
        new["folder"] = write_protocol(exploration, scored, new, folder)
    return _declare(folder, manifest, rows)


def add_volumes(folder: Path, manifest: dict[str, Any], wanted: str, exploration: Exploration) -> dict[str, Any]:
    """Write the volumes of a ranked protocol that has none; return the new manifest.

    Args:
        folder: a complete run.
        manifest: its manifest.
        wanted: ``protocol_id`` of the row.
        exploration: of :func:`mewm.api.simulate` for that protocol, with the run's case and seed and its replicas.
    """
    rows = read_ranking(folder)
    row = next(row for row in rows if row["protocol_id"] == wanted)
    if not row["folder"]:
        # The ranking's risk may be corrected for the luck of few replicas.
        scored = replace(exploration.ranking[0], risk=row["risk"])
        row["folder"] = write_protocol(exploration, scored, row, folder)
    return _declare(folder, manifest, rows)


def _declare(folder: Path, manifest: dict[str, Any], rows: list[dict[str, Any]]) -> dict[str, Any]:
    write_ranking(folder, rows)
    manifest = manifest | {"protocols": kept_protocols(rows)}
    write_json(folder / "manifest.json", manifest)
    return manifest
