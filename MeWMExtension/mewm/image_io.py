"""Read a volume from NIfTI, NRRD, MetaImage, MRC or a DICOM series folder, or say in one sentence why not.

World space is LPS in mm (ITK). Everything that could name a patient is dropped while reading.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from mewm.dicom import series_files
from mewm.errors import InputError
from mewm.file_checks import check_mrc, check_nifti, file_suffix, states_spacing
from mewm.volume_checks import check_geometry, check_shape, quiet, strip_metadata, times

SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd", ".mrc", ".dcm", ".ima")
FORMATS = "NIfTI, NRRD, MHA/MHD, MRC or a folder with one DICOM series"


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
    image = _read_folder(path, name) if path.is_dir() else _read_file(path, name)
    if not states_spacing(path):
        if spacing is None:
            raise InputError(f"The {name} file {path.name} states no voxel spacing; give it in mm as spacing x, y, z.")
        _check_spacing(spacing)
        image.SetSpacing([float(s) for s in spacing])
        image.SetDirection(_direction(orientation or "LPS"))
    strip_metadata(image)
    check_geometry(image, name)
    return image


def _check_spacing(spacing: tuple[float, float, float]) -> None:
    if len(spacing) != 3 or not all(np.isfinite(s) and 0.05 <= s <= 20 for s in spacing):
        raise InputError(f"The spacing {spacing} is not three lengths between 0.05 and 20 mm; give x, y, z in mm.")


def _direction(orientation: str) -> tuple[float, ...]:
    """Return the direction cosines (row-major 3×3) of axes that point as named."""
    axes = orientation.upper()
    if len(axes) != 3 or sorted({"R": "L", "A": "P", "I": "S"}.get(a, a) for a in axes) != ["L", "P", "S"]:
        raise InputError(
            f"The orientation '{orientation}' does not name three axes; give one letter each of L/R, P/A and "
            "S/I, such as LPS."
        )
    return tuple(sitk.DICOMOrientImageFilter.GetDirectionCosinesFromOrientation(axes))


def _read_folder(folder: Path, name: str) -> sitk.Image:
    with quiet():
        try:
            files = series_files(folder, name)
            if len(files) == 1:
                return _read_file(Path(files[0]), name)
            reader = sitk.ImageSeriesReader()
            reader.SetFileNames(files)
            return reader.Execute()
        except RuntimeError:
            raise InputError(
                f"The {name} folder {folder.name} has a DICOM slice that is damaged or cut short; export it again."
            ) from None


def _read_file(path: Path, name: str) -> sitk.Image:
    suffix = file_suffix(path)
    if suffix not in SUFFIXES and not _is_dicom(path):
        raise InputError(
            f"The {name} file {path.name} has the unsupported ending '{suffix or 'none'}'; give {FORMATS}."
        )
    if not os.access(path, os.R_OK):
        raise InputError(f"The {name} file {path.name} may not be read; change its permissions.")
    if path.stat().st_size == 0:
        raise InputError(f"The {name} file {path.name} is empty (0 bytes); export or copy it again.")
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    with quiet():
        try:
            reader.ReadImageInformation()
            _check_header(reader, path, name)
            image = reader.Execute()
        except RuntimeError as error:
            raise InputError(_unreadable(path, name, str(error))) from None
        except MemoryError:
            raise InputError(
                f"The {name} file {path.name} with {times(reader.GetSize())} voxels does not fit in memory; "
                "crop it to the liver or use a machine with more memory."
            ) from None
    if image.GetDimension() == 4:  # one time point, see check_shape
        image = image[:, :, :, 0]
    return image


def _check_header(reader: sitk.ImageFileReader, path: Path, name: str) -> None:
    """Check what the header tells, before any voxel is loaded."""
    if reader.HasMetaDataKey("0008|0060"):  # DICOM's modality
        modality = reader.GetMetaData("0008|0060").strip()
        if modality != "CT":
            raise InputError(
                f"The {name} file {path.name} is DICOM of modality {modality}; give a CT series, or a mask "
                "saved as NIfTI or NRRD."
            )
        if len(reader.GetSize()) > 2 and reader.GetSize()[2] == 1:
            raise InputError(
                f"The {name} file {path.name} is one DICOM slice; give the folder that holds the whole series."
            )
    pixel = sitk.GetPixelIDValueAsString(reader.GetPixelID()).lower()
    check_shape(name, reader.GetSize(), reader.GetNumberOfComponents(), complex="complex" in pixel)
    voxels = math.prod(reader.GetSize())
    if file_suffix(path) in (".nii", ".nii.gz"):
        check_nifti(path, name, voxels)
    elif file_suffix(path) == ".mrc":
        check_mrc(path, name, voxels, sitk.Image([1, 1, 1], reader.GetPixelID()).GetSizeOfPixelComponent())


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
    # ITK's NIfTI reader does not say that memory ran out; that the file is whole was checked before.
    if "allocat" in text or "nifti_image_load failed" in text:
        return f"The {name} file {path.name} does not fit in memory; crop it to the liver."
    if "spacing" in text:
        return (
            f"The {name} file {path.name} has a voxel spacing of zero or less; correct its header or export it again."
        )
    return f"The {name} file {path.name} is damaged, cut short or not {FORMATS}; export or copy it again."
