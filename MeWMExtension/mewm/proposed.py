"""Masks that a network proposed: how they are marked, and how the mark is found again whatever reads them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import SimpleITK as sitk

PREFIX = "proposed_"
"""Begins the name of every file and segment that a network proposed."""
KEY = "mewm_proposed"
"""In the header of an NRRD file: the first digits of the SHA-256 of the network's weights."""
UNKNOWN = "unknown"
_DIGITS = 16


def mark_proposed(mask: sitk.Image, sha256: str) -> None:
    """Write into an image's header that a network with these weights proposed it."""
    mask.SetMetaData(KEY, sha256[:_DIGITS])


def proposed_by(path: Path) -> str | None:
    """Return by which weights a mask file was proposed: digits of their SHA-256 or ``"unknown"``; ``None`` if by none.

    The header tells, or else the name of the file: formats other than NRRD keep no mark.
    """
    import SimpleITK as sitk

    found = UNKNOWN if path.name.casefold().startswith(PREFIX) else None
    if path.is_file() and path.suffix == ".nrrd":
        reader = sitk.ImageFileReader()
        reader.SetFileName(str(path))
        reader.ReadImageInformation()
        value = reader.GetMetaData(KEY) if reader.HasMetaDataKey(KEY) else None
        if value is not None:
            return value if re.fullmatch(rf"[0-9a-f]{{{_DIGITS}}}", value) else UNKNOWN
    return found


def proposed_sentence(what: str, by: str) -> str:
    """Return what a user must know of a proposed mask, e.g. of the ``"lesion mask"``."""
    weights = "" if by == UNKNOWN else f" (weights {by})"
    return f"The {what} was proposed by a network{weights} and not drawn by a person; check its outline."
