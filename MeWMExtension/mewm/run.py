"""A run on disk: manifest, ranking, search tree and the simulated volumes of the best protocols.

The folder is written beside its final place under a name that ends in ``.partial`` and renamed when it is
complete; its manifest says ``incomplete`` until then. Nothing in it names the patient: voxels and geometry of
the CT are stored, not its file name, path or header fields.
"""

from __future__ import annotations

import csv
import hashlib
import json
import platform
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mewm import __version__
from mewm.errors import InputError

if TYPE_CHECKING:
    import SimpleITK as sitk

    from mewm.exploration import Exploration

SCHEMA = "mewm-run/1"
NOTICE = (
    "SYNTHETIC: the post-TACE volumes are simulations, made with demonstration models. "
    "Research use only; not a medical device."
)
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
)


def prepare_run_folder(folder: Path | None, name: str, *, overwrite: bool = False) -> Path:
    """Choose the run folder and refuse one that must not be written, before any work is done.

    Args:
        folder: the wished folder; ``None`` names one in ``runs/`` after the case and the time.
        name: name of the case.
        overwrite: allow an existing run folder to be replaced.

    Raises:
        InputError: the folder exists and is no run, or is one and ``overwrite`` is false; the name is no
            plain file name.
    """
    if not re.fullmatch(r"[\w.-]{1,60}", name):
        raise InputError(f"The case name {name!r} is not usable; take up to 60 letters, digits, '_', '-' or '.'.")
    if folder is None:
        folder = Path("runs") / f"{name}-{datetime.now():%Y%m%d-%H%M%S}"
    if folder.exists():
        is_run = (folder / "manifest.json").is_file()
        empty = folder.is_dir() and not any(folder.iterdir())
        if not is_run and not empty:
            raise InputError(f"{folder} exists and is not a run of MeWM; name another folder with --out.")
        if is_run and not overwrite:
            raise InputError(f"The run {folder} exists; add --overwrite to replace it or name another with --out.")
    return folder


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
        _fill(exploration, partial, name, keep)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    if folder.exists():
        shutil.rmtree(folder)
    partial.rename(folder)
    return folder


def _fill(exploration: Exploration, folder: Path, name: str, keep: int) -> None:
    manifest = _manifest(exploration, name)
    _write_json(folder / "manifest.json", manifest | {"status": "incomplete"})
    case = exploration.case
    _write_image(case.ct, folder / "pre_ct.nrrd")
    _write_image(case.lesion, folder / "lesion.nrrd")
    if case.liver is not None:
        _write_image(case.liver, folder / "liver.nrrd")
    rows = exploration.rows()
    for scored, row in zip(exploration.ranking, rows, strict=True):
        kept = row["rank"] <= keep or row["origin"] == "yours"
        row["folder"] = _write_protocol(exploration, scored, row, folder) if kept else ""
    _write_csv(folder / "ranking.csv", rows)
    tree = exploration.search.to_dict() if exploration.search else {"method": "none", "steps": []}
    _write_json(folder / "search.json", tree)
    (folder / "figures").mkdir()
    manifest["protocols"] = [
        {"rank": row["rank"], "folder": row["folder"], "text": row["protocol"]} for row in rows if row["folder"]
    ]
    _write_json(folder / "manifest.json", manifest | {"status": "complete"})


def _write_protocol(exploration: Exploration, scored: Any, row: Mapping[str, Any], folder: Path) -> str:
    from mewm.roi import paste_ct, paste_tissue

    slug = "_".join(re.sub(r"[^a-z0-9]+", "-", agent.lower()).strip("-") for agent in scored.protocol.agents)
    relative = f"protocols/{row['rank']:02d}_{slug[:80]}"
    target = folder / relative
    target.mkdir(parents=True)
    future = exploration.evaluator.future(scored.protocol)
    case, roi = exploration.case, exploration.roi
    _write_image(paste_ct(case, roi, future.ct.astype("float32")), target / "simulated_ct.nrrd")
    _write_image(paste_tissue(case, roi, future.tissue), target / "tissue.nrrd")
    _write_json(target / "protocol.json", scored.to_dict() | {"text": row["protocol"], "notice": NOTICE})
    return relative


def _manifest(exploration: Exploration, name: str) -> dict[str, Any]:
    import numpy as np
    import SimpleITK as sitk

    case, roi = exploration.case, exploration.roi
    inputs = {"ct": case.ct, "lesion": case.lesion} | ({"liver": case.liver} if case.liver is not None else {})
    shape = sitk.LabelShapeStatisticsImageFilter()
    shape.ComputeFeretDiameterOff()
    shape.Execute(case.lesion)
    best = exploration.ranking[0].measurements
    details = exploration.to_dict()
    return {
        "schema": SCHEMA,
        "kind": exploration.kind,
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "case_name": name,
        "synthetic_notice": NOTICE,
        "seed": exploration.settings.seed,
        "inputs": {key: {"voxels_sha256": _hash(image)} for key, image in inputs.items()},
        "facts": {key: value for key, value in asdict(case.facts).items() if value not in (None, ())},
        "lesion": {
            "volume_ml": round(shape.GetPhysicalSize(1) / 1000, 3),
            "centre_lps": [round(value, 3) for value in shape.GetCentroid(1)],
            "diameter_mm": round(best.baseline_mm, 2),
        },
        "model_grid": {
            "shape": list(np.shape(roi.ct)),
            "spacing_mm": roi.spacing,
            "origin_lps": list(roi.origin),
        },
        "versions": _versions(),
        "models": details["models"],
        "model_hashes": _model_hashes(exploration),
        "device": "cpu",
        "timings": exploration.timings,
        "parameters": asdict(exploration.settings),
        "simulations": details["simulations"],
        "warnings": list(exploration.warnings),
        "protocols": [],
    }


def _versions() -> dict[str, str]:
    packages = {name: metadata.version(name) for name in ("numpy", "scipy", "SimpleITK")}
    return {"mewm": __version__, "python": platform.python_version(), "system": platform.system(), **packages}


def _model_hashes(exploration: Exploration) -> dict[str, str]:
    roles = ("policy", "dynamics", "assistant", "survival")
    found = {role: getattr(getattr(exploration.models, role), "sha256", None) for role in roles}
    return {role: value for role, value in found.items() if value}


def _hash(image: sitk.Image) -> str:
    """Hash voxels and geometry, so that the same scan has one hash in any file format."""
    import SimpleITK as sitk

    digest = hashlib.sha256(sitk.GetArrayViewFromImage(image).tobytes())
    geometry = (image.GetSpacing(), image.GetOrigin(), image.GetDirection())
    digest.update(json.dumps([[round(value, 6) for value in part] for part in geometry]).encode())
    return digest.hexdigest()


def _write_image(image: sitk.Image, path: Path) -> None:
    import SimpleITK as sitk

    try:
        sitk.WriteImage(image, str(path), useCompression=True, compressionLevel=1)
    except RuntimeError as error:
        raise OSError(None, "the volume could not be written; is the disk full", path.name) from error


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def _write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        for row in rows:
            writer.writerow({key: _cell(row[key]) for key in COLUMNS})


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
