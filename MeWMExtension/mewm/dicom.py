"""Read the one CT series of a DICOM folder, with its slices checked and without its tags."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from mewm.errors import InputError
from mewm.volume_checks import check_shape

_CT_IMAGE_STORAGE = b"1.2.840.10008.5.1.4.1.1.2\0"
_TAG_MODALITY = "0008|0060"
_TAG_POSITION = "0020|0032"
_TAG_ORIENTATION = "0020|0037"

SPACING_TOLERANCE_MM = 0.05
"""Largest difference between gaps of neighbouring slices that counts as uniform (rounding of tags)."""


def series_files(folder: Path, name: str = "CT") -> list[str]:
    """Return the files of the only DICOM series in a folder, from the first to the last slice.

    Args:
        folder: its files (not those of its subfolders) are the slices of one series.
        name: what the volume is, for the message when it cannot be read.

    Raises:
        InputError: no series, several series, another modality, slices missing, doubled, uneven or shifted.
    """
    series = sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder))
    if not series:
        raise InputError(f"The {name} folder {folder.name} holds no DICOM series; give the folder with the slices.")
    files = [list(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), uid)) for uid in series]
    lost = _unlisted_ct_slices(folder, {file for part in files for file in part})
    if lost:
        raise InputError(
            f"The {name} folder {folder.name} has {lost} DICOM slices that are damaged or cut short; export the "
            "series again."
        )
    if len(files) > 1:
        counts = ", ".join(f"series {i} with {len(f)} slices" for i, f in enumerate(files, 1))
        raise InputError(
            f"The {name} folder {folder.name} holds {len(files)} DICOM series ({counts}); move the one to use "
            "into a folder of its own."
        )
    if len(files[0]) == 1:
        return files[0]
    return _sorted_slices(files[0], name)


def _unlisted_ct_slices(folder: Path, listed: set[str]) -> int:
    """Count files that call themselves CT slices but were passed over because they cannot be parsed.

    One at either end of the series would leave no gap behind.
    """
    names = {Path(file).name for file in listed}
    lost = 0
    for path in folder.iterdir():
        if path.is_file() and path.name not in names:
            with path.open("rb") as file:
                head = file.read(1024)
            lost += head[128:132] == b"DICM" and _CT_IMAGE_STORAGE in head
    return lost


def _sorted_slices(files: list[str], name: str) -> list[str]:
    """Return the files from first to last along the slice normal after checking that the gaps are uniform."""
    positions, orientations, sizes = [], [], set()
    for file in files:
        reader = sitk.ImageFileReader()
        reader.SetFileName(file)
        reader.ReadImageInformation()
        modality = _tag(reader, _TAG_MODALITY)
        if modality and modality != "CT":
            raise InputError(f"The {name} folder holds a DICOM series of modality {modality}; give a CT series.")
        position, orientation = _tag(reader, _TAG_POSITION), _tag(reader, _TAG_ORIENTATION)
        if not position or not orientation:
            raise InputError(
                f"The {name} folder has a DICOM slice without position or orientation; export the original "
                "axial series."
            )
        positions.append([float(v) for v in position.split("\\")])
        orientations.append([float(v) for v in orientation.split("\\")])
        sizes.add(reader.GetSize()[:2])
        check_shape(name, (*reader.GetSize()[:2], len(files)), reader.GetNumberOfComponents())
    if len(sizes) > 1 or np.ptp(np.array(orientations), axis=0).max() > 1e-3:
        raise InputError(
            f"The {name} folder has DICOM slices of different size or orientation in one series; give the "
            "axial series alone."
        )
    row, column = np.array(orientations[0][:3]), np.array(orientations[0][3:])
    normal = np.cross(row, column)
    place = np.array(positions)
    order = np.argsort(place @ normal)
    steps = np.diff(place[order], axis=0)
    gaps = steps @ normal
    usual = float(np.median(gaps))
    if gaps.min() < SPACING_TOLERANCE_MM:
        doubled = int((gaps < SPACING_TOLERANCE_MM).sum())
        raise InputError(
            f"The {name} folder has {doubled} DICOM slices at the place of another one (several phases in "
            "one series?); give one phase."
        )
    if np.abs(gaps - usual).max() > SPACING_TOLERANCE_MM:
        worst = int(np.argmax(np.abs(gaps - usual)))
        raise InputError(
            f"The {name} folder has a gap of {gaps[worst]:.4g} mm after slice {worst + 1} where the others "
            f"are {usual:.4g} mm apart (slices missing or uneven); export the whole series again."
        )
    tilt = np.linalg.norm(steps - gaps[:, None] * normal, axis=1).max()
    if tilt > SPACING_TOLERANCE_MM:
        raise InputError(
            f"The {name} folder holds slices that shift sideways by {tilt:.3g} mm each (tilted gantry); "
            "resample the series to straight slices."
        )
    return [files[i] for i in order]


def _tag(reader: sitk.ImageFileReader, key: str) -> str:
    return str(reader.GetMetaData(key)).strip() if reader.HasMetaDataKey(key) else ""
