"""Write an export: a folder or a zip, complete or not there at all."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from mewm.errors import InputError
from mewm.export.chosen import SCHEMA, Chosen, choose
from mewm.run import require_writable
from mewm.run_files import write_json

PAGE = "protocol.pdf"
# By the name of its module: the package that brings it. MeWM computes without them, so an export may have to.
_OPTIONAL = {"fpdf": "fpdf2", "defusedxml": "defusedxml", "fontTools": "fonttools", "PIL": "pillow"}


@dataclass(frozen=True)
class Export:
    """What was written.

    Attributes:
        out: the folder or zip.
        files: its files, relative, in alphabetical order.
        page: the PDF among them, ``None`` where a package for it is not installed.
        missing: what had to be left out and how to get it, one sentence each.
    """

    out: Path
    files: tuple[str, ...]
    page: str | None
    missing: tuple[str, ...]


def export_protocol(
    run: Path,
    out: Path,
    *,
    rank: int | None = None,
    protocol_id: str | None = None,
    pictures: Sequence[tuple[Path, str]] = (),
    patient_name: str = "",
    overwrite: bool = False,
) -> Export:
    """Export one protocol of a run with numbers, pictures, provenance and a page to read.

    Where a Python package for the page or the pictures is not installed, the rest is written.

    Args:
        run: a complete run folder.
        out: a folder, or a file that ends in ``.zip``.
        rank: the protocol's place in the ranking; or
        protocol_id: its identifier.
        pictures: PNG files with captions; without any, slices are drawn where the run kept the volumes.
        patient_name: printed on the page and written nowhere else; nothing by default.
        overwrite: replace an earlier export.

    Raises:
        InputError: no such run, protocol or picture, or ``out`` must not be written.
        OSError: the disk is full or not writable.
    """
    chosen = choose(Path(run), rank=rank, protocol_id=protocol_id)
    out = Path(out)
    if out.suffix.lower() == ".pdf":
        raise InputError(f"{out} names a PDF, but an export is a folder or a zip with {PAGE} in it; name one of these.")
    _require_free(out, overwrite)
    require_writable(out, "export")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as temporary:
        folder = Path(temporary) / "export"
        missing = _fill(folder, chosen, pictures, patient_name)
        files = tuple(sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()))
        if out.suffix.lower() == ".zip":
            packed = Path(temporary) / "export.zip"
            with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
                for name in files:
                    archive.write(folder / name, f"{out.stem}/{name}")
            packed.replace(out)
        else:
            if out.exists():
                shutil.rmtree(out)
            folder.replace(out)
    return Export(out, files, PAGE if PAGE in files else None, missing)


def _fill(folder: Path, chosen: Chosen, pictures: Sequence[tuple[Path, str]], patient_name: str) -> tuple[str, ...]:
    """Write the files and return what had to be left out, in words."""
    draws = chosen.volumes is not None and not pictures
    only = ", the only place of the patient's name," if patient_name else ""
    drawing, no_pictures = _part("mewm.export.pictures", "The pictures are") if draws else (None, "")
    page, no_page = _part("mewm.export.page", f"The page {PAGE}{only} is")
    missing = tuple(sentence for sentence in (no_pictures, no_page) if sentence)

    (folder / "pictures").mkdir(parents=True)
    if drawing is not None:
        kept = drawing.draw_pictures(chosen, folder / "pictures")
    else:
        kept = _take_pictures(pictures, folder / "pictures")
    listed = [{"file": path.relative_to(folder).as_posix(), "caption": caption} for path, caption in kept]
    write_json(folder / "protocol.json", chosen.protocol())
    write_json(folder / "manifest.json", chosen.provenance(listed, missing, page is not None and bool(patient_name)))
    shutil.copyfile(chosen.run / "ranking.csv", folder / "ranking.csv")
    if page is not None:
        page.write_page(chosen, kept, folder / PAGE, patient_name=patient_name)
    return missing


def _part(module: str, told: str) -> tuple[Any, str]:
    """Return a module of the export and no words, or ``None`` and why it is missing."""
    try:
        return import_module(module), ""
    except ModuleNotFoundError as error:
        package = _OPTIONAL.get((error.name or "").split(".")[0])
        if package is None:
            raise
        why = f"because the Python package {package} is not installed"
        return None, f"{told} missing, {why}; install it (pip install {package}) and export again."


def _take_pictures(given: Sequence[tuple[Path, str]], folder: Path) -> list[tuple[Path, str]]:
    kept = []
    for number, (path, caption) in enumerate(given, start=1):
        path = Path(path)
        if path.suffix.lower() != ".png" or not path.is_file():
            raise InputError(f"The picture {path} is no PNG file; give PNG files.")
        # A number instead of the caller's file name, which may name the patient.
        kept.append((Path(shutil.copyfile(path, folder / f"picture_{number}.png")), caption))
    return kept


def _require_free(out: Path, overwrite: bool) -> None:
    if not out.exists():
        return
    earlier = _is_export(out)
    if out.is_dir() and not any(out.iterdir()):
        return
    if not earlier:
        raise InputError(f"{out} exists and is not an export of MeWM; choose another name.")
    if not overwrite:
        raise InputError(f"The export {out} exists; choose another name or allow it to be replaced.")


def _is_export(out: Path) -> bool:
    marks = f'"schema": "{SCHEMA}"'
    try:
        if out.is_dir():
            return marks in (out / "manifest.json").read_text(encoding="utf-8")
        with zipfile.ZipFile(out) as archive:
            names = [name for name in archive.namelist() if name.count("/") == 1 and name.endswith("/manifest.json")]
            return any(marks in archive.read(name).decode("utf-8", "replace") for name in names)
    except (OSError, ValueError, zipfile.BadZipFile):
        return False
