"""From a CT series to the volumes in it: which slices belong together, and which series are none."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from mewm.cohort.hcc_tace_seg.headers import Header, Series

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
"""SOP class CT Image Storage, one slice a file; the collection holds no enhanced multi-frame CT."""
MIN_SLICES = 16
MIN_EXTENT_MM = 80.0
"""A volume with fewer slices or less height does not show a liver."""
AXIAL_COSINE = 0.8
"""Slices whose normal is closer to the body axis than this (37°, beyond any gantry tilt) are axial."""
SAME_PLACE_MM = 0.05
_LOCALIZER = re.compile(
    r"\b(scout|localizer|localiser|topogram|surview|scanogram|smart ?prep|monitoring|bolus)\b", re.I
)
_DERIVED = re.compile(r"\b(mip|minip|vrt?|3d|curved|screen ?save|dose|summary|sr|report)\b", re.I)


@dataclass(frozen=True)
class Stack:
    """The slices of one volume, sorted along their common normal.

    Attributes:
        series: the series that holds it.
        label: which acquisition of the series it is, empty where the series holds one only.
        headers: slices from first to last.
        axial: whether the slices lie across the body.
    """

    series: Series
    label: str
    headers: tuple[Header, ...]
    axial: bool

    @property
    def time(self) -> float | None:
        """Median acquisition time in seconds of the day."""
        times = [h.time for h in self.headers if h.time is not None]
        return float(np.median(times)) if times else None

    @property
    def frame_of_reference(self) -> str:
        """FrameOfReferenceUID, empty where not stated."""
        return self.headers[0].frame_of_reference

    @property
    def gap_mm(self) -> float:
        """Usual distance of neighbouring slices in mm."""
        return float(np.median(np.diff(distances(self.headers))))


def why_no_volume(series: Series) -> str | None:
    """Say why a series holds no CT volume of the body, from its headers alone; ``None`` if it may."""
    first = next(iter(series.headers.values()))
    kinds = {value for h in series.headers.values() for value in h.image_type}
    if series.modality != "CT":
        return f"modality {series.modality}"
    if "LOCALIZER" in kinds or _LOCALIZER.search(series.description):
        return "localizer or bolus tracking"
    if any(h.sop_class != CT_IMAGE for h in series.headers.values()):
        return "no plain CT images (secondary capture or enhanced)"
    if _DERIVED.search(series.description) or any("PROJECTION" in kind or "MIP" in kind for kind in kinds):
        return "derived images (projection, rendering or report)"
    if first.image_type[:1] == ("DERIVED",):
        return "derived images"
    return None


def stacks(series: Series) -> tuple[list[Stack], list[str]]:
    """Split a CT series into volumes.

    Slices of other orientation, size or pixel spacing are volumes of their own. Several slices at one place are
    several acquisitions (contrast phases), told apart by AcquisitionNumber, else by the order of their times.

    Returns:
        The volumes, and one plain reason for each part of the series that is none.
    """
    parts: dict[tuple[object, ...], list[Header]] = defaultdict(list)
    reasons = []
    for header in series.headers.values():
        if header.position is None or header.orientation is None or header.spacing is None:
            reasons.append("slices without position, orientation or pixel spacing")
        else:
            key = (tuple(np.round(header.orientation, 3) + 0.0), header.shape, tuple(np.round(header.spacing, 4)))
            parts[key].append(header)
    found = []
    for part in parts.values():
        try:
            groups = _acquisitions(part)
        except ValueError as error:
            reasons.append(str(error))
            continue
        for label, headers in groups:
            ordered = _sorted(headers)
            reason = _too_small(ordered)
            if reason:
                reasons.append(reason)
            else:
                found.append(Stack(series, label, tuple(ordered), abs(normal(ordered[0])[2]) >= AXIAL_COSINE))
    return found, list(dict.fromkeys(reasons))


def normal(header: Header) -> np.ndarray:
    """Return the unit normal of a slice, right-handed with its row and column directions (LPS)."""
    assert header.orientation is not None
    n = np.cross(header.orientation[:3], header.orientation[3:])
    return n / np.linalg.norm(n)


def distances(headers: tuple[Header, ...] | list[Header]) -> np.ndarray:
    """Return how far along the first slice's normal the slices lie, in mm."""
    return np.array([h.position for h in headers], dtype=float) @ normal(headers[0])


def _sorted(headers: list[Header]) -> list[Header]:
    return [headers[i] for i in np.argsort(distances(headers), kind="stable")]


def _has_doubles(headers: list[Header]) -> bool:
    return len(headers) > 1 and bool(np.diff(np.sort(distances(headers))).min() < SAME_PLACE_MM)


def _acquisitions(headers: list[Header]) -> list[tuple[str, list[Header]]]:
    """Return groups of slices without two at one place, with a label each.

    Raises:
        ValueError: slices at one place cannot be told apart.
    """
    if not _has_doubles(headers):
        return [("", headers)]
    groups: dict[str, list[Header]] = defaultdict(list)
    for header in headers:
        groups[header.acquisition].append(header)
    if not any(_has_doubles(group) for group in groups.values()):
        return [(f"acquisition {k}", groups[key]) for k, key in enumerate(sorted(groups, key=_number), 1)]
    places: dict[int, list[Header]] = defaultdict(list)
    for header, distance in zip(headers, distances(headers), strict=True):
        places[round(float(distance) / (2 * SAME_PLACE_MM))].append(header)
    counts = {len(place) for place in places.values()}
    if len(counts) > 1:
        raise ValueError("several slices at one place that cannot be told apart")
    passes: dict[int, list[Header]] = defaultdict(list)
    for place in places.values():
        for k, header in enumerate(sorted(place, key=lambda h: (h.time or 0.0, h.instance))):
            passes[k].append(header)
    return [(f"acquisition {k + 1}", passes[k]) for k in sorted(passes)]


def _number(text: str) -> tuple[int, str]:
    return (int(text), "") if text.lstrip("-").isdigit() else (0, text)


def _too_small(headers: list[Header]) -> str | None:
    if len(headers) < MIN_SLICES:
        return f"only {len(headers)} slices"
    extent = float(np.ptp(distances(headers)))
    return f"only {extent:.0f} mm high" if extent < MIN_EXTENT_MM else None
