"""Read a volume from NIfTI, NRRD, MetaImage, MRC or a DICOM series folder, or say in one sentence why not.

World space is LPS in mm (ITK). Everything that could name a patient is dropped while reading.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from mewm.errors import InputError

SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd", ".mrc", ".dcm", ".ima")
FORMATS = "NIfTI, NRRD, MHA/MHD, MRC or a folder with one DICOM series"

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
def _quiet() -> Iterator[None]:
    """Silence ITK's warnings, which would quote file contents beside our own sentence."""
    before = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(before)


def file_suffix(path: Path) -> str:
    """Return the lower-case suffix, with ``.nii.gz`` as one."""
    name = path.name.lower()
    return ".nii.gz" if name.endswith(".nii.gz") else path.suffix.lower()


def states_spacing(path: str | Path) -> bool:
    """Whether the file says how large a voxel is.

    MRC is a microscopy format whose unit is the ångström; files exported from CT carry voxel counts there. In
    NRRD and MetaImage the field is optional and ITK would silently assume 1 mm.
    """
    path = Path(path)
    suffix = file_suffix(path)
    if suffix == ".mrc":
        return False
    if suffix in (".nrrd", ".nhdr", ".mha", ".mhd"):
        with path.open("rb") as file:
            head = file.read(65536)
        if suffix in (".nrrd", ".nhdr"):
            return (
                re.search(rb"^(space directions|spacings)\s*:", head, re.MULTILINE | re.IGNORECASE)
                is not None
            )
        return re.search(rb"^Element(Spacing|Size)\s*=", head, re.MULTILINE) is not None
    return True


def read_image(
    path: str | Path,
    *,
    name: str = "CT",
    spacing: tuple[float, float, float] | None = None,
    orientation: str | None = None,
) -> sitk.Image:
    """Read one scalar 3D volume.

    Args:
        path: an image file (NIfTI, NRRD, MHA/MHD, MRC) or a folder that holds one DICOM series.
        name: what the volume is, for the message when it cannot be read.
        spacing: voxel edges in mm in (x, y, z) order, for a file that states none; ignored otherwise.
        orientation: where the x, y and z axes of such a file point, e.g. ``"LPS"`` (left, posterior,
            superior; the default); ignored otherwise.

    Returns:
        The volume in LPS with the file's pixel type, without any metadata beyond geometry.

    Raises:
        InputError: the path cannot be read as one 3D volume with a usable geometry.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"The {name} file {path} does not exist; check the path.")
    if path.is_dir():
        from mewm.dicom import read_dicom_folder

        image = read_dicom_folder(path, name)
    else:
        image = _read_file(path, name)
        if not states_spacing(path):
            if spacing is None:
                raise InputError(
                    f"The {name} file {path.name} states no voxel spacing; give it in mm as spacing x, y, z."
                )
            _check_spacing(spacing)
            image.SetSpacing([float(s) for s in spacing])
            image.SetDirection(_direction(orientation or "LPS"))
    strip_metadata(image)
    check_geometry(image, name)
    return image


def _check_spacing(spacing: tuple[float, float, float]) -> None:
    if len(spacing) != 3 or not all(np.isfinite(s) and 0.05 <= s <= 20 for s in spacing):
        raise InputError(
            f"The spacing {spacing} is not three lengths between 0.05 and 20 mm; give x, y, z in mm."
        )


def _direction(orientation: str) -> tuple[float, ...]:
    """Return the direction cosines (row-major 3×3) of axes that point as named."""
    axes = orientation.upper()
    if len(axes) != 3 or sorted({"R": "L", "A": "P", "I": "S"}.get(a, a) for a in axes) != ["L", "P", "S"]:
        raise InputError(
            f"The orientation '{orientation}' does not name three axes; give one letter each of L/R, P/A and "
            "S/I, such as LPS."
        )
    return tuple(sitk.DICOMOrientImageFilter.GetDirectionCosinesFromOrientation(axes))


def _read_file(path: Path, name: str) -> sitk.Image:
    suffix = file_suffix(path)
    if suffix not in SUFFIXES and not _is_dicom(path):
        raise InputError(
            f"The {name} file {path.name} has the unsupported ending '{suffix or 'none'}'; give {FORMATS}."
        )
    if path.stat().st_size == 0:
        raise InputError(f"The {name} file {path.name} is empty (0 bytes); export or copy it again.")
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    with _quiet():
        try:
            reader.ReadImageInformation()
            _check_shape(
                name,
                reader.GetSize(),
                reader.GetNumberOfComponents(),
                complex="complex" in _pixel_text(reader),
            )
            image = reader.Execute()
        except RuntimeError as error:
            raise InputError(_unreadable(path, name, str(error))) from None
        except MemoryError:
            raise InputError(
                f"The {name} file {path.name} with {'×'.join(map(str, reader.GetSize()))} voxels does not "
                "fit in memory; crop it to the liver or use a machine with more memory."
            ) from None
    if image.GetDimension() == 4:  # one time point, see _check_shape
        image = image[:, :, :, 0]
    return image


def _pixel_text(reader: sitk.ImageFileReader) -> str:
    return str(sitk.GetPixelIDValueAsString(reader.GetPixelID())).lower()


def _is_dicom(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


def _unreadable(path: Path, name: str, error: str) -> str:
    text = error.lower()
    if "orthonormal" in text or "orthogonal" in text or "determinant" in text or "direction cosines" in text:
        return (
            f"The {name} file {path.name} has axes that are not at right angles (sheared or degenerate "
            "direction); resample it onto a regular grid."
        )
    if "spacing" in text:
        return (
            f"The {name} file {path.name} has a voxel spacing of zero or less; correct its header or export "
            "it again."
        )
    return f"The {name} file {path.name} is damaged, cut short or not {FORMATS}; export or copy it again."


def _check_shape(name: str, size: tuple[int, ...], components: int, *, complex: bool = False) -> None:
    """Check what the header alone tells, before any voxel is loaded."""
    if components != 1 or complex:
        found = "complex numbers" if complex else f"{components} values a voxel (colour or vector image)"
        raise InputError(f"The {name} holds {found} instead of one; give a grey-value volume.")
    if len(size) == 4 and size[3] > 1:
        raise InputError(f"The {name} is 4D with {size[3]} time points or phases; give one 3D phase.")
    if len(size) < 3:
        raise InputError(
            f"The {name} is a {len(size)}D picture of {'×'.join(map(str, size))}; give a 3D volume."
        )
    if min(size[:3]) < MIN_VOXELS:
        raise InputError(
            f"The {name} has {'×'.join(map(str, size[:3]))} voxels; it needs at least {MIN_VOXELS} along "
            "every axis."
        )
    if np.prod(size[:3], dtype=float) > MAX_VOXELS:
        raise InputError(
            f"The {name} has {'×'.join(map(str, size[:3]))} voxels, more than the limit of "
            f"{MAX_VOXELS / 1e9:g} billion; crop it to the liver."
        )


def check_geometry(image: sitk.Image, name: str) -> None:
    """Check that a volume is scalar, 3D, of a plausible size and on axes at right angles.

    Raises:
        InputError: it is not.
    """
    pixel = image.GetPixelIDTypeAsString().lower()
    _check_shape(name, image.GetSize(), image.GetNumberOfComponentsPerPixel(), complex="complex" in pixel)
    spacing, origin = np.array(image.GetSpacing()), np.array(image.GetOrigin())
    direction = np.array(image.GetDirection()).reshape(3, 3)
    if not (np.isfinite(spacing).all() and (spacing > 0).all()):
        raise InputError(
            f"The {name} has the voxel spacing {_mm(spacing)}; correct its header or export it again."
        )
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
            f"The {name} measures {_mm(extent)}, more than {MAX_EXTENT_MM:g} mm; check that the spacing is "
            "in mm."
        )


def _mm(values: np.ndarray) -> str:
    return " × ".join(f"{v:.4g}" for v in values) + " mm"


def strip_metadata(image: sitk.Image) -> None:
    """Remove everything but geometry codes from the image's dictionary, in place."""
    for key in image.GetMetaDataKeys():
        if not _KEPT_METADATA.fullmatch(key):
            image.EraseMetaData(key)
