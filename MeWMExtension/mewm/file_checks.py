"""What ITK leaves unsaid about an image file: data cut short, a voxel spacing that nobody stated."""

from __future__ import annotations

import gzip
import math
import re
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np

from mewm.errors import InputError

_HEADER_BYTES = 65536
_NIFTI_FLOATS = (16, 64)
"""NIfTI's codes of 32- and 64-bit floats."""


def file_suffix(path: Path) -> str:
    """Return the lower-case suffix, with ``.nii.gz`` as one."""
    name = path.name.lower()
    return ".nii.gz" if name.endswith(".nii.gz") else path.suffix.lower()


def states_spacing(path: str | Path) -> bool:
    """Whether the file says how large a voxel is.

    MRC is a microscopy format whose unit is the ångström; files exported from CT carry voxel counts there.
    In NRRD and MetaImage the field is optional and ITK would silently assume 1 mm.
    """
    path = Path(path)
    suffix = file_suffix(path)
    if suffix == ".mrc":
        return False
    if suffix in (".nrrd", ".nhdr", ".mha", ".mhd"):
        with path.open("rb") as file:
            head = file.read(_HEADER_BYTES)
        field = rb"space directions|spacings" if suffix in (".nrrd", ".nhdr") else rb"Element(?:Spacing|Size)"
        return re.search(rb"^(?:" + field + rb")\s*[:=]", head, re.MULTILINE | re.IGNORECASE) is not None
    return True


def check_nifti(path: Path, name: str, voxels: int) -> None:
    """Check what ITK's NIfTI reader mends in silence.

    A spacing of zero becomes 1 mm, values that are not numbers become 0, and the voxels of a file that ends
    early are left to chance.

    Args:
        path: the file, compressed or not.
        name: what the volume is, for the message.
        voxels: how many the header promises.

    Raises:
        InputError: the file has one of these faults.
    """
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    try:
        with gzip.open(path) if packed else path.open("rb") as file:
            head = file.read(540)
            order = "<" if struct.unpack_from("<i", head)[0] in (348, 540) else ">"
            first = struct.unpack_from(order + "i", head)[0] == 348
            spacing = struct.unpack_from(order + ("3f" if first else "3d"), head, 80 if first else 112)
            kind, bits = struct.unpack_from(order + "2h", head, 70 if first else 12)
            start = int(struct.unpack_from(order + ("f" if first else "q"), head, 108 if first else 168)[0])
            file.seek(start)
            found, odd = _scan(file, np.dtype(f"{order}f{bits // 8}") if kind in _NIFTI_FLOATS else None)
    except (EOFError, gzip.BadGzipFile, zlib.error, struct.error):
        found, odd, bits, spacing = 0, 0, 8, (1.0, 1.0, 1.0)
    if not all(math.isfinite(v) and v != 0 for v in spacing):
        raise InputError(
            f"The {name} file {path.name} has the voxel spacing {' × '.join(f'{v:g}' for v in spacing)} mm; "
            "correct its header or export it again."
        )
    if found < voxels * bits // 8:
        raise InputError(_cut_short(path, name))
    if odd:
        raise InputError(
            f"The {name} file {path.name} holds {odd} voxels that are not numbers (NaN or infinite); replace "
            "them, in a CT by -1024."
        )


def _scan(file: gzip.GzipFile | BinaryIO, floats: np.dtype | None) -> tuple[int, int]:
    """Return how many bytes follow and how many values among them are not finite."""
    found = odd = 0
    while chunk := file.read(1 << 20):
        found += len(chunk)
        if floats is not None:
            values = np.frombuffer(chunk, floats, count=len(chunk) // floats.itemsize)
            odd += values.size - int(np.count_nonzero(np.isfinite(values)))
    return found, odd


def check_mrc(path: Path, name: str, voxels: int, voxel_bytes: int) -> None:
    """Check that an MRC file holds all its voxels; ITK leaves missing ones to chance.

    Raises:
        InputError: it does not.
    """
    with path.open("rb") as file:
        head = file.read(1024)
    order = ">" if head[212:213] == b"\x11" else "<"
    (extended,) = struct.unpack_from(order + "i", head, 92)
    if path.stat().st_size < 1024 + extended + voxels * voxel_bytes:
        raise InputError(_cut_short(path, name))


def _cut_short(path: Path, name: str) -> str:
    return (
        f"The {name} file {path.name} is damaged or cut short (it ends before its last voxel); export or copy it again."
    )
