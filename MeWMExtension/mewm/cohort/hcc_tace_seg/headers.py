"""Find every DICOM file of a download by its header; folder and file names mean nothing."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pydicom
from pydicom.errors import InvalidDicomError

from mewm.cohort.hcc_tace_seg.clinical_table import PATIENT_ID
from mewm.errors import InputError

_TAGS = [
    "PatientID",
    "StudyInstanceUID",
    "StudyDate",
    "SeriesInstanceUID",
    "SeriesDescription",
    "SOPInstanceUID",
    "SOPClassUID",
    "Modality",
    "ImageType",
    "AcquisitionNumber",
    "AcquisitionTime",
    "ContentTime",
    "InstanceNumber",
    "FrameOfReferenceUID",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "Rows",
    "Columns",
    "BitsAllocated",
    "SamplesPerPixel",
    "NumberOfFrames",
]


@dataclass(frozen=True)
class Header:
    """What the import needs of one DICOM file.

    Attributes:
        path: the file.
        sop_uid, sop_class: identity and kind of the object.
        image_type: values of ImageType, upper case.
        acquisition: AcquisitionNumber as text, empty where not stated.
        time: AcquisitionTime (else ContentTime) in seconds of the day; ``None`` where not stated.
        instance: InstanceNumber, 0 where not stated.
        frame_of_reference: FrameOfReferenceUID, empty where not stated.
        position: LPS of the first pixel's centre in mm.
        orientation: direction cosines along a row, then along a column.
        spacing: distance of rows, then of columns, in mm.
        shape: rows, columns.
        size: bytes of the file.
        cut_short: whether the file holds fewer bytes than its pixels need.
    """

    path: Path
    sop_uid: str
    sop_class: str
    image_type: tuple[str, ...]
    acquisition: str
    time: float | None
    instance: int
    frame_of_reference: str
    position: tuple[float, ...] | None
    orientation: tuple[float, ...] | None
    spacing: tuple[float, ...] | None
    shape: tuple[int, int]
    size: int
    cut_short: bool


@dataclass
class Series:
    """One DICOM series.

    Attributes:
        uid: SeriesInstanceUID.
        modality: ``"CT"``, ``"SEG"``, ...
        description: SeriesDescription.
        headers: its files by SOPInstanceUID, so that a file downloaded twice counts once.
    """

    uid: str
    modality: str
    description: str
    headers: dict[str, Header] = field(default_factory=dict)


@dataclass
class Study:
    """One examination.

    Attributes:
        uid: StudyInstanceUID.
        date: StudyDate (shifted by TCIA, the intervals are true); ``None`` where not stated.
        series: by SeriesInstanceUID.
    """

    uid: str
    date: date | None
    series: dict[str, Series] = field(default_factory=dict)

    def of(self, modality: str) -> list[Series]:
        """Return the series of one modality, ordered by uid."""
        return [s for _, s in sorted(self.series.items()) if s.modality == modality]


@dataclass
class Patient:
    """One patient of the collection; ``studies`` by StudyInstanceUID."""

    case_id: str
    studies: dict[str, Study] = field(default_factory=dict)


@dataclass
class Download:
    """What a download holds.

    Attributes:
        patients: by public pseudonym.
        unreadable: count of files that claim to be DICOM and cannot be read.
        foreign: count of DICOM files whose patient is not of the collection.
    """

    patients: dict[str, Patient] = field(default_factory=dict)
    unreadable: int = 0
    foreign: int = 0


def read_download(folder: Path) -> Download:
    """Read the headers of every DICOM file under a folder, in any layout.

    Raises:
        InputError: the folder does not exist or holds no DICOM file of the collection.
    """
    if not folder.is_dir():
        raise InputError(
            f"The TCIA folder {folder} does not exist; give the folder that the NBIA Data Retriever filled."
        )
    found = Download()
    for path in _files(folder):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                data = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(_TAGS))
                _add(found, path, data)
        except InvalidDicomError:
            found.unreadable += path.suffix.lower() in (".dcm", ".ima")
        except (OSError, EOFError, ValueError, TypeError, KeyError, AttributeError):
            # A header that is cut short or damaged fails in any of these ways; its slice is missing then.
            found.unreadable += 1
    if not found.patients:
        hint = f", only {found.foreign} of patients with other ids" if found.foreign else ""
        raise InputError(
            f"The TCIA folder {folder} holds no DICOM file of HCC-TACE-Seg{hint}; give the folder that the NBIA "
            "Data Retriever filled."
        )
    return found


def _files(folder: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            if not name.startswith("."):
                yield Path(root) / name


def _add(found: Download, path: Path, data: Any) -> None:
    case_id = str(data.PatientID).strip()
    if not PATIENT_ID.fullmatch(case_id):
        found.foreign += 1
        return
    header = _header(path, data)
    study_uid, series_uid = str(data.StudyInstanceUID), str(data.SeriesInstanceUID)
    patient = found.patients.setdefault(case_id, Patient(case_id))
    study = patient.studies.setdefault(study_uid, Study(study_uid, _date(data)))
    description = str(data.get("SeriesDescription", "") or "").strip()
    series = study.series.setdefault(series_uid, Series(series_uid, str(data.Modality), description))
    have = series.headers.get(header.sop_uid)
    if have is None or (have.cut_short and not header.cut_short):
        series.headers[header.sop_uid] = header


def _header(path: Path, data: Any) -> Header:
    rows, columns = int(data.get("Rows") or 0), int(data.get("Columns") or 0)
    frames = int(data.get("NumberOfFrames") or 1)
    bits = int(data.get("BitsAllocated") or 0) * int(data.get("SamplesPerPixel") or 1)
    size = path.stat().st_size
    syntax = data.file_meta.get("TransferSyntaxUID")
    plain = syntax is None or not (syntax.is_compressed or syntax.is_deflated)
    return Header(
        path=path,
        sop_uid=str(data.SOPInstanceUID),
        sop_class=str(data.get("SOPClassUID", "")),
        image_type=tuple(str(v).upper() for v in data.get("ImageType", None) or ()),
        acquisition="" if data.get("AcquisitionNumber") is None else str(data.AcquisitionNumber),
        time=_seconds(data.get("AcquisitionTime") or data.get("ContentTime")),
        instance=int(data.get("InstanceNumber") or 0),
        frame_of_reference=str(data.get("FrameOfReferenceUID", "") or ""),
        position=_numbers(data.get("ImagePositionPatient"), 3),
        orientation=_numbers(data.get("ImageOrientationPatient"), 6),
        spacing=_numbers(data.get("PixelSpacing"), 2),
        shape=(rows, columns),
        size=size,
        cut_short=plain and size < rows * columns * frames * bits // 8,
    )


def _numbers(value: Any, count: int) -> tuple[float, ...] | None:
    numbers = tuple(float(v) for v in value) if value is not None else ()
    return numbers if len(numbers) == count else None


def _seconds(value: Any) -> float | None:
    """Return a DICOM time ``HHMMSS.ffffff`` in seconds of the day."""
    match = re.fullmatch(r"(\d{2})(\d{2})(\d{2}(?:\.\d+)?)", str(value or "").replace(":", "").strip())
    return 3600.0 * int(match[1]) + 60.0 * int(match[2]) + float(match[3]) if match else None


def _date(data: Any) -> date | None:
    text = str(data.get("StudyDate", "") or "").strip()
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8]))
    except ValueError:
        return None
