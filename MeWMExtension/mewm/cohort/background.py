"""Real CTs as the anatomy of simulated patients: find them, and find a place in the liver where a lesion fits.

The folder holds one sub-folder a scan with ``ct`` and ``liver`` and, where the patient has tumours, ``tumour`` (any
format that MeWM reads); or a file ``backgrounds.json``, a list of objects with the keys of :class:`Scan`, for label
maps and files that state no geometry. Whatever licence the scans have, a cohort drawn on them inherits.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from mewm.case import check_ct
from mewm.errors import InputError
from mewm.file_checks import file_suffix
from mewm.image_io import SUFFIXES, read_image
from mewm.masks import onto_grid, select_label
from mewm.resampling import inside_scan, sample_smoothly
from mewm.roi import AIR_HU, LOWEST_HU

PHASES = ("unenhanced", "arterial", "portal")
TUMOUR_MARGIN_MM = 5.0
"""A simulated lesion keeps this distance from the scan's own tumours."""
MAP_MM = 3.0
"""Voxel edge of the map in which a place for the lesion is looked for."""
# A liver of 55 HU is unenhanced and one of 105 HU portal-venous; between them the late arterial phase lies
# (usual ranges at 120 kVp, assumption).
UNENHANCED_BELOW_HU, PORTAL_FROM_HU = 65.0, 88.0
_FILES = ("ct", "liver", "tumour")
_LEAST_LIVER_ML = 300.0


@dataclass(frozen=True)
class Scan:
    """One real CT with its liver mask.

    Attributes:
        name: what the cohort calls it; it must not identify a patient.
        ct, liver: files.
        liver_label: value of the liver in a label map.
        tumour: file of the scan's own tumours, ``None`` where it has none.
        tumour_label: their value in a label map.
        spacing, orientation: for files that state no geometry, as for :func:`mewm.image_io.read_image`.
        phase: ``"unenhanced"``, ``"arterial"`` or ``"portal"``; ``None`` lets the liver's density tell.
    """

    name: str
    ct: Path
    liver: Path
    liver_label: int | None = None
    tumour: Path | None = None
    tumour_label: int | None = None
    spacing: tuple[float, float, float] | None = None
    orientation: str | None = None
    phase: str | None = None


@dataclass(frozen=True, eq=False)
class Background:
    """A scan, ready to be cut.

    Attributes:
        scan: where it is from.
        ct: Hounsfield units, any orientation, LPS.
        liver: liver with its tumours on the grid of ``ct``, uint8.
        tumour: the scan's own tumours on that grid, uint8, perhaps empty.
        phase: contrast phase.
        liver_hu: median density of healthy liver.
        slice_mm, plane_mm: largest and smallest edge of a voxel.
        places: LPS points of healthy liver in mm ``(n, 3)``.
        clearance: distance of each from the liver's surface, the tumours and the end of the scan, mm ``(n,)``.
    """

    scan: Scan
    ct: sitk.Image
    liver: sitk.Image
    tumour: sitk.Image
    phase: str
    liver_hu: float
    slice_mm: float
    plane_mm: float
    places: np.ndarray
    clearance: np.ndarray


@dataclass(frozen=True, eq=False)
class BackgroundPatch:
    """What lies on the model grid.

    Attributes:
        ct: Hounsfield units, float32, ``(size, size, size)`` in (z, y, x), air beyond the scan.
        liver_distance: mm to the liver's surface, positive inside, float32.
        healthy: liver away from the scan's own tumours, bool.
    """

    ct: np.ndarray
    liver_distance: np.ndarray
    healthy: np.ndarray


def find_scans(folder: str | Path) -> tuple[Scan, ...]:
    """Return the scans of a folder in the order of their names.

    Raises:
        InputError: the folder or its list cannot be used.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"The folder of backgrounds {folder} does not exist; give one with CTs and liver masks.")
    listed = folder / "backgrounds.json"
    scans = _listed(listed) if listed.is_file() else _laid_out(folder)
    if not scans:
        raise InputError(
            f"The folder {folder} holds no background; put ct and liver of each patient into a sub-folder or list them "
            "in backgrounds.json."
        )
    names = [scan.name for scan in scans]
    if len(set(names)) < len(names):
        raise InputError(f"Two backgrounds in {folder} have the same name; names must differ.")
    return tuple(sorted(scans, key=lambda scan: scan.name))


def fingerprints(scans: tuple[Scan, ...]) -> dict[str, str]:
    """Return the SHA-256 of the files of every scan by its name, which a cohort records."""
    return {scan.name: _digest(scan) for scan in scans}


@lru_cache(maxsize=8)
def load_background(scan: Scan) -> Background:
    """Read a scan and prepare it; kept in memory for the next case of this process.

    Raises:
        InputError: an image cannot be used, or there is too little healthy liver.
    """
    ct = read_image(scan.ct, name=f"CT of {scan.name}", spacing=scan.spacing, orientation=scan.orientation)
    check_ct(ct)
    liver = _mask(scan, scan.liver, scan.liver_label, "liver mask", ct)
    tumour = sitk.Image(ct.GetSize(), sitk.sitkUInt8)
    tumour.CopyInformation(ct)
    if scan.tumour is not None:
        tumour = _mask(scan, scan.tumour, scan.tumour_label, "tumour mask", ct)
    liver = sitk.Or(liver, tumour)
    grid = _coarse_grid(ct)
    organ = sample_smoothly(liver, grid, outside=0.0) >= 0.5
    ill = sample_smoothly(tumour, grid, outside=0.0) >= 0.25
    if ill.any():
        ill = ndimage.distance_transform_edt(~ill, sampling=MAP_MM) <= TUMOUR_MARGIN_MM
    # Beyond the map the liver goes on, but nothing can be painted there.
    healthy = np.pad(organ & ~ill & inside_scan(ct, grid), 1)
    clearance = ndimage.distance_transform_edt(healthy, sampling=MAP_MM)[1:-1, 1:-1, 1:-1].astype(np.float32)
    index = np.argwhere(clearance > 0)
    if len(index) * MAP_MM**3 / 1000 < _LEAST_LIVER_ML:
        raise InputError(
            f"The background {scan.name} has {len(index) * MAP_MM**3 / 1000:.0f} ml of healthy liver; "
            f"{_LEAST_LIVER_ML:.0f} ml are needed. Check its masks or leave it out."
        )
    smooth = sample_smoothly(ct, grid, outside=AIR_HU)
    hu = float(np.median(smooth[clearance > 2 * MAP_MM]))
    return Background(
        scan=scan,
        ct=ct,
        liver=liver,
        tumour=tumour,
        phase=scan.phase or phase_of(hu),
        liver_hu=hu,
        slice_mm=float(max(ct.GetSpacing())),
        plane_mm=float(min(ct.GetSpacing())),
        places=np.array(grid.GetOrigin()) + index[:, ::-1] * MAP_MM,
        clearance=clearance[tuple(index.T)],
    )


def phase_of(liver_hu: float) -> str:
    """Return the contrast phase that a liver's density suggests."""
    if liver_hu < UNENHANCED_BELOW_HU:
        return "unenhanced"
    return "portal" if liver_hu >= PORTAL_FROM_HU else "arterial"


def choose_place(scans: tuple[Scan, ...], depth_mm: float, rng: np.random.Generator) -> tuple[Background, np.ndarray]:
    """Draw a scan and a place in its healthy liver that is deep enough.

    Scans are tried in an order drawn anew for each patient. Where none is deep enough, the deepest of all is taken at
    one of its deepest places: a large lesion then fills the lobe.

    Args:
        scans: all backgrounds.
        depth_mm: how far from the liver's surface and other tumours the centre must be.
        rng: source of randomness.

    Returns:
        The background and a point in LPS mm ``(3,)``.

    Raises:
        InputError: a scan cannot be used.
    """
    chosen: Background | None = None
    for number in rng.permutation(len(scans)):
        found = load_background(scans[number])
        if chosen is None or found.clearance.max() > chosen.clearance.max():
            chosen = found
        if chosen.clearance.max() >= depth_mm:
            break
    if chosen is None:
        raise InputError("There is no background to choose from; give a folder of real CTs with liver masks.")
    enough = np.flatnonzero(chosen.clearance >= min(depth_mm, float(chosen.clearance.max()) - MAP_MM))
    jitter = rng.uniform(-0.5, 0.5, 3) * MAP_MM
    return chosen, chosen.places[int(rng.choice(enough))] + jitter


def cut_background(
    background: Background, origin: tuple[float, float, float], spacing: float, size: int
) -> BackgroundPatch:
    """Cut the model grid out of a scan.

    Args:
        background: the scan.
        origin: centre of the first voxel, LPS mm.
        spacing: edge of a voxel in mm.
        size: voxels a side.
    """
    grid = sitk.Image([size] * 3, sitk.sitkUInt8)
    grid.SetSpacing([spacing] * 3)
    grid.SetOrigin(origin)
    inside = inside_scan(background.ct, grid)
    ct = np.maximum(sample_smoothly(background.ct, grid, outside=AIR_HU), LOWEST_HU).astype(np.float32)
    ct[~inside] = AIR_HU
    share = sample_smoothly(background.liver, grid, outside=0.0)
    liver = share >= 0.5
    ill = sample_smoothly(background.tumour, grid, outside=0.0) >= 0.25
    distance = _signed_distance(liver, spacing)
    healthy = liver & inside
    if ill.any():
        healthy &= ndimage.distance_transform_edt(~ill, sampling=spacing) > TUMOUR_MARGIN_MM
    return BackgroundPatch(ct, distance, healthy)


def _signed_distance(mask: np.ndarray, spacing: float) -> np.ndarray:
    """Distance to a mask's surface in mm, positive inside, float32."""
    image = sitk.GetImageFromArray(mask.astype(np.uint8))
    image.SetSpacing([spacing] * 3)
    field = sitk.SignedMaurerDistanceMap(image, insideIsPositive=True, squaredDistance=False, useImageSpacing=True)
    # The filter measures from the outermost voxels inside, the surface lies half a voxel farther out.
    return np.asarray(sitk.GetArrayFromImage(field), dtype=np.float32) + np.float32(0.5 * spacing)


def _coarse_grid(ct: sitk.Image) -> sitk.Image:
    """Return an empty grid along LPS of ``MAP_MM`` voxels over the whole scan."""
    ends = [
        ct.TransformIndexToPhysicalPoint([int(b) * (n - 1) for b, n in zip(k, ct.GetSize(), strict=True)])
        for k in np.ndindex(2, 2, 2)
    ]
    low, high = np.min(ends, axis=0), np.max(ends, axis=0)
    grid = sitk.Image((np.floor((high - low) / MAP_MM).astype(int) + 1).tolist(), sitk.sitkUInt8)
    grid.SetSpacing([MAP_MM] * 3)
    grid.SetOrigin(low.tolist())
    return grid


def _mask(scan: Scan, path: Path, label: int | None, name: str, ct: sitk.Image) -> sitk.Image:
    title = f"{name} of {scan.name}"
    image = read_image(path, name=title, spacing=scan.spacing, orientation=scan.orientation)
    return onto_grid(select_label(image, label, title), ct, title)[0]


@lru_cache(maxsize=1024)
def _digest(scan: Scan) -> str:
    digest = hashlib.sha256(repr((scan.liver_label, scan.tumour_label, scan.spacing, scan.orientation)).encode())
    for path in (scan.ct, scan.liver, scan.tumour):
        if path is None:
            continue
        for file in sorted(path.iterdir()) if path.is_dir() else [path]:
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _laid_out(folder: Path) -> list[Scan]:
    scans = []
    for place in sorted(path for path in folder.iterdir() if path.is_dir()):
        found = {name: _file(place, name) for name in _FILES}
        ct, liver = found["ct"], found["liver"]
        if ct is None and liver is None:
            continue
        if ct is None or liver is None:
            raise InputError(f"The background {place.name} has no {'ct' if ct is None else 'liver'}; add or remove it.")
        scans.append(Scan(place.name, ct, liver, tumour=found["tumour"]))
    return scans


def _file(place: Path, name: str) -> Path | None:
    for path in sorted(place.iterdir()):
        suffix = file_suffix(path)
        if path.name.lower() == f"{name}{suffix}" and (suffix in SUFFIXES or path.is_dir()):
            return path
    return None


def _listed(path: Path) -> list[Scan]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"The list of backgrounds {path} cannot be read ({error}).") from error
    if not isinstance(content, list) or not all(isinstance(entry, dict) for entry in content):
        raise InputError(f"The list of backgrounds {path} is not a list of objects with name, ct and liver.")
    return [_scan(entry, path) for entry in content]


def _scan(entry: dict[str, Any], path: Path) -> Scan:
    known = set(Scan.__dataclass_fields__)
    for key in ("name", "ct", "liver"):
        if not isinstance(entry.get(key), str) or not entry[key]:
            raise InputError(f"An entry of {path} has no {key}; every background needs name, ct and liver.")
    if unknown := set(entry) - known:
        raise InputError(f"The background {entry['name']} in {path} has the unknown key {sorted(unknown)[0]!r}.")
    if entry.get("phase") not in (None, *PHASES):
        raise InputError(
            f"The background {entry['name']} has the phase {entry['phase']!r}; allowed are {', '.join(PHASES)}."
        )
    values = dict(entry)
    for key in ("ct", "liver", "tumour"):
        if values.get(key) is not None:
            values[key] = path.parent / values[key]
    if values.get("spacing") is not None:
        values["spacing"] = tuple(float(s) for s in values["spacing"])
    return Scan(**values)
