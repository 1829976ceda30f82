"""Read the collection's DICOM SEG and bring its structures onto the CT's grid.

The collection's segments are labelled Liver, Mass, Portal vein and Abdominal aorta. Frames may refer to slices of
several acquisitions at the same places, so a frame belongs to its place and not to the slice it names.
"""

from __future__ import annotations

import re
import warnings
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
import pydicom
import SimpleITK as sitk

from mewm.cohort.hcc_tace_seg.curation import LeftOut
from mewm.cohort.hcc_tace_seg.headers import Header
from mewm.cohort.hcc_tace_seg.volume import assemble
from mewm.masks import same_grid
from mewm.resampling import IDENTITY

STRUCTURES = ("liver", "tumour", "portal_vein", "aorta")
MIN_INSIDE = 0.98
"""Share of liver and tumour that must lie within the CT."""
FAT_HU = -50
MAX_FAT_SHARE = 0.10
"""A liver mask with more fat and air in it than this lies beside the liver."""
MAX_HOLES = 0.1
"""Largest share of slices within the liver that may lack a frame."""
# Tumour before liver: "liver tumour" is a tumour.
_WORDS = (
    ("tumour", re.compile(r"mass|tumou?r|lesion|neoplas|carcinoma|\bhcc\b", re.I)),
    ("portal_vein", re.compile(r"portal", re.I)),
    ("aorta", re.compile(r"aorta", re.I)),
    ("liver", re.compile(r"liver|hepar", re.I)),
)
# SNOMED CT, and the older SRT codes that tools of 2020 wrote.
_CODES = {
    "10200004": "liver",
    "T-62000": "liver",
    "4147007": "tumour",
    "M-03000": "tumour",
    "108369006": "tumour",
    "M-80003": "tumour",
    "32764006": "portal_vein",
    "T-48810": "portal_vein",
    "7832008": "aorta",
    "T-42500": "aorta",
}


@dataclass(frozen=True)
class Reference:
    """What a SEG was drawn on: series and slices by uid, and the frame of reference."""

    series: frozenset[str]
    slices: frozenset[str]
    frame_of_reference: str


@dataclass(frozen=True, eq=False)
class Segmentation:
    """A decoded SEG.

    Attributes:
        reference: what it was drawn on.
        masks: structure → uint8 mask on the SEG's own grid, all on the same one.
        notes: what is unusual about it.
    """

    reference: Reference
    masks: dict[str, sitk.Image]
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Structures:
    """Masks on the CT's grid, uint8; the liver holds the tumour. Vessels are ``None`` where not marked."""

    liver: sitk.Image
    tumour: sitk.Image
    portal_vein: sitk.Image | None
    aorta: sitk.Image | None
    notes: tuple[str, ...]


def structure_of(label: str, code: str = "", meaning: str = "") -> str | None:
    """Name the structure of a segment by its label, its property type's code value, or that code's meaning."""
    for text in (label, meaning):
        for name, words in _WORDS:
            if words.search(text):
                return name
        if code in _CODES:
            return _CODES[code]
    return None


def read_segmentation(header: Header) -> Segmentation:
    """Read and decode a DICOM SEG file.

    Raises:
        LeftOut: the file is damaged, not a binary or fractional SEG, or lacks liver or tumour.
    """
    data, frames = _decode(header)
    segments: dict[int, str] = {}
    for item in data.SegmentSequence:
        codes = item.get("SegmentedPropertyTypeCodeSequence") or [pydicom.Dataset()]
        name = structure_of(
            str(item.get("SegmentLabel", "")), str(codes[0].get("CodeValue", "")), str(codes[0].get("CodeMeaning", ""))
        )
        if name is not None:
            segments[int(item.SegmentNumber)] = name
    for needed in ("liver", "tumour"):
        if needed not in segments.values():
            raise LeftOut(f"the segmentation marks no {needed}")
    orientation, spacing, thickness = _geometry(data)
    by_structure: dict[str, list[tuple[np.ndarray, np.ndarray]]] = defaultdict(list)
    try:
        for group, pixels in zip(data.PerFrameFunctionalGroupsSequence, frames, strict=True):
            number = int(group.SegmentIdentificationSequence[0].ReferencedSegmentNumber)
            position = np.array(group.PlanePositionSequence[0].ImagePositionPatient, dtype=float)
            if number in segments:
                by_structure[segments[number]].append((position, pixels))
    except (AttributeError, IndexError, ValueError) as error:
        raise LeftOut("the segmentation has frames without a segment or a place") from error
    for needed in ("liver", "tumour"):
        if not any(pixels.any() for _, pixels in by_structure[needed]):
            raise LeftOut(f"the segmentation's {needed} is empty")
    masks, notes = _masks(by_structure, orientation, spacing, thickness)
    return Segmentation(_reference(data), masks, tuple(notes))


def structures_on(segmentation: Segmentation, ct: sitk.Image) -> Structures:
    """Bring the masks onto a CT's grid and check that they fit it.

    Raises:
        LeftOut: liver or tumour lie outside the CT, vanish on its grid, or cover fat and air.
    """
    notes = list(segmentation.notes)
    masks: dict[str, sitk.Image] = {}
    for name, mask in segmentation.masks.items():
        if not same_grid(mask, ct):
            notes.append("the segmentation lies on another grid and was resampled onto the CT's")
        moved = sitk.Resample(mask, ct, IDENTITY, sitk.sitkNearestNeighbor, 0)
        before, after = _ml(mask), _ml(moved)
        if name in ("liver", "tumour") and after < MIN_INSIDE * before:
            # Nearest neighbours can thin a small mask; only what lies beyond the CT is a misfit.
            share = _share_inside(mask, ct)
            if share < MIN_INSIDE:
                raise LeftOut(f"only {100 * share:.0f} % of the segmentation's {name} lies inside the CT")
            if after == 0:
                raise LeftOut(f"the segmentation's {name} of {before:.2f} ml vanishes between the CT's voxels")
        if after > 0:
            masks[name] = moved
    liver = sitk.Or(masks["liver"], masks["tumour"])
    values = sitk.GetArrayViewFromImage(ct)[sitk.GetArrayViewFromImage(liver) > 0]
    fat = float(np.mean(values < FAT_HU))
    if fat > MAX_FAT_SHARE:
        raise LeftOut(f"the segmentation does not fit the CT: {100 * fat:.0f} % of the liver mask is fat or air")
    return Structures(liver, masks["tumour"], masks.get("portal_vein"), masks.get("aorta"), tuple(dict.fromkeys(notes)))


def _decode(header: Header) -> tuple[Any, np.ndarray]:
    """Return the data set and its frames ``(n, rows, columns)`` as 0 and 1."""
    if header.cut_short:
        raise LeftOut("the segmentation file is cut short (partial download)")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            data = pydicom.dcmread(header.path)
            kind = str(data.get("SegmentationType", ""))
            frames = data.pixel_array
    except (OSError, EOFError, ValueError, AttributeError, RuntimeError, NotImplementedError) as error:
        raise LeftOut("the segmentation file is damaged or cut short") from error
    if kind not in ("BINARY", "FRACTIONAL"):
        raise LeftOut(f"the segmentation is of type {kind or 'unknown'}; binary or fractional is needed")
    frames = frames[None] if frames.ndim == 2 else frames
    threshold = 1 if kind == "BINARY" else (int(data.get("MaximumFractionalValue", 1)) + 1) // 2
    return data, (frames >= threshold).astype(np.uint8)


def _reference(data: Any) -> Reference:
    series, slices = set(), set()
    for item in data.get("ReferencedSeriesSequence") or []:
        series.add(str(item.SeriesInstanceUID))
        for instance in item.get("ReferencedInstanceSequence") or []:
            slices.add(str(instance.ReferencedSOPInstanceUID))
    for group in data.PerFrameFunctionalGroupsSequence:
        for derivation in group.get("DerivationImageSequence") or []:
            for source in derivation.get("SourceImageSequence") or []:
                slices.add(str(source.ReferencedSOPInstanceUID))
    return Reference(frozenset(series), frozenset(slices), str(data.get("FrameOfReferenceUID", "") or ""))


def _geometry(data: Any) -> tuple[list[float], list[float], float]:
    """Return orientation, pixel spacing and the stated distance of slices (0 where not stated)."""
    shared = (data.get("SharedFunctionalGroupsSequence") or [pydicom.Dataset()])[0]
    frames = data.PerFrameFunctionalGroupsSequence
    try:
        found = []
        for keyword, value in (
            ("PlaneOrientationSequence", "ImageOrientationPatient"),
            ("PixelMeasuresSequence", "PixelSpacing"),
        ):
            groups = [shared] if keyword in shared else list(frames)
            values = np.array([[float(v) for v in g[keyword][0][value].value] for g in groups])
            if np.ptp(values, axis=0).max() > 1e-3:
                raise LeftOut("the segmentation's frames differ in orientation or pixel spacing")
            found.append(values[0].tolist())
        measures = (shared if "PixelMeasuresSequence" in shared else frames[0]).PixelMeasuresSequence[0]
    except (AttributeError, KeyError, IndexError) as error:
        raise LeftOut("the segmentation states no orientation or pixel spacing") from error
    return found[0], found[1], float(measures.get("SpacingBetweenSlices") or 0.0)


def _masks(
    frames: dict[str, list[tuple[np.ndarray, np.ndarray]]],
    orientation: list[float],
    spacing: list[float],
    stated_gap: float,
) -> tuple[dict[str, sitk.Image], list[str]]:
    """Put the frames of every structure on one common grid; places without a frame are empty."""
    normal = np.cross(orientation[:3], orientation[3:])
    everything = np.array([position for items in frames.values() for position, _ in items])
    depth = everything @ normal
    places = np.unique(np.round(depth, 2))
    gaps = np.diff(places)
    gaps = gaps[gaps > 0.1]
    if gaps.size == 0:
        raise LeftOut("the segmentation has frames at one place only")
    gap = float(gaps.min())
    if stated_gap > 0 and abs(gap / stated_gap - round(gap / stated_gap)) < 0.02:
        gap = stated_gap
    slots = np.round((depth - depth.min()) / gap).astype(int)
    if np.abs((depth - depth.min()) / gap - slots).max() > 0.2:
        raise LeftOut("the segmentation's frames are unevenly spaced")
    count = int(slots.max()) + 1
    # A straight line through the places, so that a tilted gantry's drift goes on where frames are absent.
    fit = np.polynomial.polynomial.polyfit(slots, everything, 1)
    positions = fit[0] + np.arange(count)[:, None] * fit[1]
    masks, notes = {}, []
    for name, items in frames.items():
        shape = items[0][1].shape
        planes = np.zeros((count, *shape), np.uint8)
        for position, pixels in items:
            planes[round(float((position @ normal - depth.min()) / gap))] |= pixels
        masks[name], repaired = assemble(list(planes), positions, orientation, spacing, mask=True)
        notes += [f"segmentation: {note}" for note in repaired]
        if name == "liver":
            notes += _holes(planes)
    return masks, list(dict.fromkeys(notes))


def _holes(planes: np.ndarray) -> list[str]:
    marked = np.flatnonzero(planes.any(axis=(1, 2)))
    span = int(marked[-1] - marked[0]) + 1
    holes = span - marked.size
    if holes > MAX_HOLES * span:
        raise LeftOut(f"{holes} of {span} slices within the liver lack a frame of the segmentation")
    return [f"{holes} of {span} slices within the liver lack a frame of the segmentation"] if holes else []


def _ml(mask: sitk.Image) -> float:
    return float(np.count_nonzero(sitk.GetArrayViewFromImage(mask)) * np.prod(mask.GetSpacing()) / 1000)


def _share_inside(mask: sitk.Image, ct: sitk.Image) -> float:
    everywhere = sitk.Image(ct.GetSize(), sitk.sitkUInt8) + 1
    everywhere.CopyInformation(ct)
    inside = sitk.Resample(everywhere, mask, IDENTITY, sitk.sitkNearestNeighbor, 0)
    return _ml(sitk.And(mask, inside)) / _ml(mask)
