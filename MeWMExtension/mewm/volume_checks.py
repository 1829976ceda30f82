"""Check that a volume is one scalar 3D image of plausible size, and drop what could name a patient."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import SimpleITK as sitk

from mewm.errors import InputError

MIN_VOXELS = 8
"""Fewest voxels along an axis."""
MIN_EXTENT_MM = 20.0
"""Shortest edge of a volume in mm."""
MAX_EXTENT_MM = 3000.0
"""Longest edge of a volume in mm; a longer one means that the spacing is not in mm."""
MAX_VOXELS = 1_500_000_000
"""Most voxels of a volume: 512 × 512 × 5722, 3 GB as 16-bit integers."""

# Keys that describe geometry only. Free text (descrip, intent_name, NRRD key/value pairs, DICOM tags) may
# carry a patient's name, so what is not listed is dropped.
_KEPT_METADATA = re.compile(r"(qform|sform)_code(_name)?|NRRD_space|NRRD_kinds\[\d\]|NRRD_space units\[\d\]")


@contextmanager
def quiet() -> Iterator[None]:
    """Silence ITK's warnings, which would quote file contents beside our own sentence."""
    before = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(before)


def times(size: tuple[int, ...]) -> str:
    """Return a size as text, e.g. ``512×512×80``."""
    return "×".join(map(str, size))


def check_shape(name: str, size: tuple[int, ...], components: int, *, complex: bool = False) -> None:
    """Check what the header alone tells, before any voxel is loaded."""
    if components != 1 or complex:
        found = "complex numbers" if complex else f"{components} values a voxel (colour or vector image)"
        raise InputError(f"The {name} holds {found} instead of one; give a grey-value volume.")
    if len(size) == 4 and size[3] > 1:
        raise InputError(f"The {name} is 4D with {size[3]} time points or phases; give one 3D phase.")
    if len(size) < 3:
        raise InputError(f"The {name} is a {len(size)}D picture of {times(size)}; give a 3D volume.")
    if min(size[:3]) < MIN_VOXELS:
        raise InputError(f"The {name} has {times(size[:3])} voxels; it needs at least {MIN_VOXELS} along every axis.")
    if np.prod(size[:3], dtype=float) > MAX_VOXELS:
        raise InputError(
            f"The {name} has {times(size[:3])} voxels, more than the limit of "
            f"{MAX_VOXELS / 1e9:g} billion; crop it to the liver."
        )


def check_geometry(image: sitk.Image, name: str) -> None:
    """Check that a volume is scalar, 3D, of a plausible size and on axes at right angles.

    Raises:
        InputError: it is not.
    """
    pixel = image.GetPixelIDTypeAsString().lower()
    check_shape(name, image.GetSize(), image.GetNumberOfComponentsPerPixel(), complex="complex" in pixel)
    spacing, origin = np.array(image.GetSpacing()), np.array(image.GetOrigin())
    direction = np.array(image.GetDirection()).reshape(3, 3)
    if not (np.isfinite(spacing).all() and (spacing > 0).all()):
        raise InputError(f"The {name} has the voxel spacing {_mm(spacing)}; correct its header or export it again.")
    if not np.isfinite(origin).all():
        raise InputError(f"The {name} has the origin {_mm(origin)}; correct its header or export it again.")
    if not (np.isfinite(direction).all() and np.abs(direction.T @ direction - np.eye(3)).max() < 1e-3):
        raise InputError(
            f"The {name} has axes that are not at right angles (sheared or degenerate direction); resample "
            "it onto a regular grid."
        )
    extent = spacing * np.array(image.GetSize())
    if extent.min() < MIN_EXTENT_MM:
        raise InputError(
            f"The {name} measures {_mm(extent)}; it needs at least {MIN_EXTENT_MM:g} mm along every axis, "
            "check that the spacing is in mm."
        )
    if extent.max() > MAX_EXTENT_MM:
        raise InputError(
            f"The {name} measures {_mm(extent)}, more than {MAX_EXTENT_MM:g} mm; check that the spacing is in mm."
        )


def _mm(values: np.ndarray) -> str:
    return " × ".join(f"{v:.4g}" for v in values) + " mm"


def strip_metadata(image: sitk.Image) -> None:
    """Remove everything but geometry codes from an image's dictionary; images it was copied from keep theirs."""
    keys = image.GetMetaDataKeys()
    kept = {key: image.GetMetaData(key) for key in keys if _KEPT_METADATA.fullmatch(key)}
    if len(kept) == len(keys):
        return
    # Erasing reaches through SimpleITK's copy on write, and a copy made unique has lost its dictionary.
    image.MakeUnique()
    for key in image.GetMetaDataKeys():
        image.EraseMetaData(key)
    for key, value in kept.items():
        image.SetMetaData(key, value)
