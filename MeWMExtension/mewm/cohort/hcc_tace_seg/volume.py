"""Read the slices of a volume and put them on a grid with axes at right angles."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import pydicom
import SimpleITK as sitk
from scipy import ndimage

from mewm.cohort.hcc_tace_seg.curation import LeftOut
from mewm.cohort.hcc_tace_seg.headers import Header
from mewm.cohort.hcc_tace_seg.series import MIN_SLICES, Stack
from mewm.volume_checks import quiet

LOWEST_HU = -1024
HIGHEST_HU = 32767
EVEN_MM = 0.1
"""Gaps that differ by less are even: rounding of the position tags."""
MAX_GAP_MM = 10.5
"""Two slices farther apart do not tell what lies between them."""
MAX_FILLED_SHARE = 0.1
"""Largest share of slices that may be filled in between their neighbours."""
MAX_TILT_DEGREES = 30.0
"""Scanners tilt their gantry by 30° at most."""


def read_ct(stack: Stack) -> tuple[sitk.Image, list[str]]:
    """Read a stack as a CT in Hounsfield units, int16.

    A tilted gantry is straightened by shifting every slice within its plane; single missing slices and uneven
    gaps are filled linearly between neighbours.

    Returns:
        The volume in LPS without metadata, and what was repaired.

    Raises:
        LeftOut: a slice cannot be read, too many are missing, or their arrangement is no volume.
    """
    readable: list[tuple[Header, np.ndarray]] = []
    for header in stack.headers:
        plane = None if header.cut_short else _pixels(header)
        if plane is not None:
            readable.append((header, plane))
    total = len(stack.headers)
    damaged = f"{total - len(readable)} of {total} slices are cut short or cannot be read (partial download?)"
    if len(readable) < MIN_SLICES:
        raise LeftOut(damaged)
    first = readable[0][0]
    assert first.orientation is not None and first.spacing is not None
    positions = np.array([h.position for h, _ in readable], dtype=float)
    try:
        image, notes = assemble(
            [plane for _, plane in readable], positions, first.orientation, first.spacing, outside=LOWEST_HU
        )
    except LeftOut as reason:
        raise LeftOut(f"{reason}; {damaged}" if len(readable) < total else str(reason)) from None
    return image, [damaged, *notes] if len(readable) < total else notes


def assemble(
    planes: Sequence[np.ndarray],
    positions: np.ndarray,
    orientation: Sequence[float],
    spacing: Sequence[float],
    *,
    outside: int = 0,
    mask: bool = False,
) -> tuple[sitk.Image, list[str]]:
    """Put parallel planes on a right-angled, even grid.

    Args:
        planes: pixels, ``(rows, columns)`` each, sorted along the normal (row × column direction).
        positions: LPS of the first pixel of every plane in mm, ``(n, 3)``.
        orientation: direction cosines along a row, then along a column.
        spacing: distance of rows, then of columns, in mm.
        outside: value where a straightened tilt leaves nothing.
        mask: take the nearest value instead of interpolating.

    Returns:
        The volume and what was repaired, one phrase each.

    Raises:
        LeftOut: slices shift unevenly, tilt beyond any gantry, or leave gaps that cannot be filled.
    """
    along_row, along_column = np.array(orientation[:3]), np.array(orientation[3:])
    direction = np.stack([along_row, along_column, np.cross(along_row, along_column)], axis=1)
    if np.abs(direction.T @ direction - np.eye(3)).max() > 1e-3:
        raise LeftOut("rows and columns of the slices are not at right angles")
    place = (positions - positions[0]) @ direction
    depth = place[:, 2]
    tilt = _tilt(place)
    notes = []
    volume = np.stack(planes)
    origin = np.zeros(3)
    if tilt is not None:
        volume, origin[:2] = _straighten(volume, place[:, :2], spacing, outside, mask)
        notes.append(f"a gantry tilt of {tilt:.1f}° was straightened")
    gap = float(np.median(np.diff(depth)))
    if np.abs(np.diff(depth) - gap).max() > EVEN_MM:
        volume, filled = _fill(volume, depth, gap, mask)
        notes.append(filled)
    image = sitk.GetImageFromArray(np.ascontiguousarray(volume))
    image.SetSpacing([float(spacing[1]), float(spacing[0]), gap])
    image.SetDirection(direction.ravel().tolist())
    image.SetOrigin((positions[0] + direction @ origin).tolist())
    return image, notes


def _tilt(place: np.ndarray) -> float | None:
    """Return the gantry tilt in degrees, ``None`` where there is none; ``place`` is along row, column, normal."""
    depth = place[:, 2]
    drift = np.linalg.lstsq(depth[:, None], place[:, :2], rcond=None)[0][0]
    rest = float(np.abs(place[:, :2] - depth[:, None] * drift).max())
    if rest > 0.5:
        raise LeftOut(f"the slices shift sideways unevenly by up to {rest:.1f} mm")
    tilt = float(np.degrees(np.arctan(np.linalg.norm(drift))))
    if tilt > MAX_TILT_DEGREES:
        raise LeftOut(f"the slices are sheared by {tilt:.0f}°, more than a gantry can tilt")
    shift = float(np.linalg.norm(drift)) * float(depth[-1])
    return tilt if shift > 0.5 else None


def _straighten(
    volume: np.ndarray, shifts: np.ndarray, spacing: Sequence[float], outside: int, mask: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Shift every plane within itself by its own ``(along row, along column)`` mm; return the origin's shift."""
    pixels = shifts[:, ::-1] / np.array(spacing)  # rows, columns
    low = np.floor(pixels.min(axis=0)).astype(int)
    high = np.ceil(pixels.max(axis=0)).astype(int)
    room = [(0, int(n)) for n in high - low]
    out = np.empty((len(volume), *np.array(volume.shape[1:]) + high - low), volume.dtype)
    for k, plane in enumerate(volume):
        wide = np.pad(plane, room, constant_values=outside)
        shifted = ndimage.shift(wide.astype(np.float32), pixels[k] - low, order=0 if mask else 1, cval=outside)
        out[k] = np.rint(shifted).astype(volume.dtype)
    origin = low * np.array(spacing)
    return out, origin[::-1]


def _fill(volume: np.ndarray, depth: np.ndarray, gap: float, mask: bool) -> tuple[np.ndarray, str]:
    steps = np.diff(depth)
    if steps.max() > MAX_GAP_MM:
        raise LeftOut(f"slices are missing: a gap of {steps.max():.1f} mm where {gap:.2f} mm are usual")
    count = round(float(depth[-1]) / gap) + 1
    wanted = np.arange(count) * gap
    upper = np.clip(np.searchsorted(depth, wanted, side="left"), 1, len(depth) - 1)
    weight = np.clip((wanted - depth[upper - 1]) / (depth[upper] - depth[upper - 1]), 0.0, 1.0)
    filled = int(np.sum((weight > 0.05) & (weight < 0.95)))
    missing = count - len(depth)
    uneven = bool(np.abs(steps / gap - np.round(steps / gap)).max() > 0.1)
    if not uneven and missing > max(1, MAX_FILLED_SHARE * count):
        raise LeftOut(f"{missing} of {count} slices are missing")
    if mask:
        weight = np.round(weight)
    out = np.empty((count, *volume.shape[1:]), volume.dtype)
    for k, (index, w) in enumerate(zip(upper, weight, strict=True)):
        out[k] = np.rint((1 - w) * volume[index - 1].astype(np.float32) + w * volume[index])
    what = f"uneven gaps from {steps.min():.2f} to {steps.max():.2f} mm" if uneven else f"{missing} missing slices"
    return out, f"{what}: {filled} of {count} slices were filled in between their neighbours"


def _pixels(header: Header) -> np.ndarray | None:
    """Return one slice in Hounsfield units, int16; ``None`` where the file is damaged."""
    try:
        with warnings.catch_warnings(), quiet():
            warnings.simplefilter("ignore")
            data = pydicom.dcmread(header.path)
            if data.file_meta.TransferSyntaxUID.is_compressed:
                hounsfield = sitk.GetArrayFromImage(sitk.ReadImage(str(header.path)))[0].astype(np.float32)
            else:
                stored = data.pixel_array.astype(np.float32)
                slope, intercept = data.get("RescaleSlope", 1), data.get("RescaleIntercept", 0)
                hounsfield = stored * float(slope) + float(intercept)
    except (OSError, EOFError, ValueError, AttributeError, RuntimeError, NotImplementedError):
        # What a cut or damaged file raises depends on where the damage is; the caller counts it as missing.
        return None
    if hounsfield.shape != header.shape:
        return None
    return np.clip(np.rint(hounsfield), LOWEST_HU, HIGHEST_HU).astype(np.int16)
