"""What ITK leaves unsaid about an image file: data cut short, a voxel spacing that nobody stated."""

from __future__ import annotations

import gzip
import math
import re
import struct
import zlib
from pathlib import Path

import SimpleITK as sitk

_HEADER_BYTES = 65536
_GZIP = b"\x1f\x8b"
_BROKEN_GZIP = (EOFError, gzip.BadGzipFile, zlib.error)


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


def bad_nifti_spacing(path: Path) -> str | None:
    """Return the voxel spacing of a NIfTI file where it is zero or not a number, which ITK reads as 1 mm."""
    with path.open("rb") as file:
        packed = file.read(2) == _GZIP
    try:
        with gzip.open(path) if packed else path.open("rb") as file:
            head = file.read(540)
    except _BROKEN_GZIP:
        return None  # told as cut short
    for order in "<>":
        version = struct.unpack_from(order + "i", head)[0] if len(head) == 540 else 0
        if version in (348, 540):
            layout, offset = ("3f", 80) if version == 348 else ("3d", 112)
            values = struct.unpack_from(order + layout, head, offset)
            if not all(math.isfinite(v) and v != 0 for v in values):
                return " × ".join(f"{v:g}" for v in values)
    return None


def is_cut_short(path: Path, reader: sitk.ImageFileReader) -> bool:
    """Whether a NIfTI or MRC file ends before its last voxel or its compression is broken.

    ITK reads such a file without complaint and leaves the missing voxels to chance; the readers of the other
    formats notice by themselves.

    Args:
        path: the file.
        reader: has read the file's header.
    """
    suffix = file_suffix(path)
    voxels = math.prod(reader.GetSize())
    if suffix == ".mrc":
        pixel = sitk.Image([1, 1, 1], reader.GetPixelID()).GetSizeOfPixelComponent()
        with path.open("rb") as file:
            head = file.read(1024)
        order = ">" if head[212:213] == b"\x11" else "<"
        (extended,) = struct.unpack_from(order + "i", head, 92)
        return path.stat().st_size < 1024 + extended + voxels * pixel
    if suffix in (".nii", ".nii.gz"):
        needed = float(reader.GetMetaData("vox_offset")) + voxels * int(reader.GetMetaData("bitpix")) / 8
        return _uncompressed_size(path) < needed
    return False


def _uncompressed_size(path: Path) -> int:
    """Return the bytes in a file after decompression, 0 where that fails (the checksum is verified)."""
    with path.open("rb") as file:
        if file.read(2) != _GZIP:
            return path.stat().st_size
    size = 0
    try:
        with gzip.open(path) as stream:
            while chunk := stream.read(1 << 20):
                size += len(chunk)
    except _BROKEN_GZIP:
        return 0
    return size
