"""A case: one pre-treatment CT, one target lesion and what else is known, all of it checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from mewm.clinical import ClinicalFacts, read_facts
from mewm.errors import InputError
from mewm.file_checks import states_spacing
from mewm.image_io import read_image
from mewm.masks import bounding_box, onto_grid, select_component, select_label
from mewm.proposed import proposed_by, proposed_sentence
from mewm.volume_checks import check_geometry, strip_metadata

AIR_HU = -300.0
"""Below it a voxel is lung, bowel gas or outside the body."""
FAR_FROM_LIVER_MM = 10.0
"""A lesion farther than this from the liver mask is not a lesion of that liver."""


@dataclass(frozen=True, eq=False)
class Case:
    """One patient's pre-treatment CT and target lesion, checked and on one grid. It holds no identifiers.

    Attributes:
        ct: Hounsfield units, geometry and pixel type as read (LPS, mm).
        lesion: the target lesion on the CT's grid, uint8, 1 inside.
        liver: the liver including every marked lesion on the CT's grid, uint8; ``None`` when not given.
        facts: clinical facts.
        warnings: sentences the user must see.
        proposed: masks that a network proposed: ``"lesion"`` or ``"liver"`` → digits of its weights' SHA-256.
    """

    ct: sitk.Image
    lesion: sitk.Image
    liver: sitk.Image | None = None
    facts: ClinicalFacts = field(default_factory=ClinicalFacts)
    warnings: tuple[str, ...] = ()
    proposed: Mapping[str, str] = field(default_factory=dict)


def read_case(
    ct: str | Path,
    lesion: str | Path,
    *,
    lesion_label: int | None = None,
    liver: str | Path | None = None,
    liver_label: int | None = None,
    facts: ClinicalFacts | Mapping[str, Any] | str | Path | None = None,
    component: int | None = None,
    spacing: tuple[float, float, float] | None = None,
    orientation: str | None = None,
) -> Case:
    """Read and check a case.

    Args:
        ct: pre-treatment CT: NIfTI, NRRD, MHA/MHD, MRC, or a DICOM series folder.
        lesion: tumour mask or label map, on the CT's grid or another.
        lesion_label: value of the tumour in a label map.
        liver: liver mask or label map; ``None`` estimates the liver around the lesion later.
        liver_label: value of the liver; without ``liver`` it is looked up in the lesion's label map.
        facts: clinical facts, as a JSON file or ready made.
        component: which connected part of the tumour is the target, 1 = largest; ``None`` takes the largest
            and warns.
        spacing: voxel edges in mm (x, y, z) for files that state none, such as MRC.
        orientation: where the axes of such files point, e.g. ``"LPS"`` (default).

    Raises:
        InputError: anything that makes the case unusable, in one sentence.
    """
    paths = {"CT": Path(ct), "lesion mask": Path(lesion)}
    if liver is not None:
        paths["liver mask"] = Path(liver)
    images = {n: read_image(p, name=n, spacing=spacing, orientation=orientation) for n, p in paths.items()}
    silent = [n for n, p in paths.items() if not states_spacing(p)]
    if spacing is not None and not silent:
        raise InputError("The files state their own voxel spacing; leave the spacing out.")
    warnings: list[str] = []
    if spacing is not None:
        warnings.append(
            f"{_files_that_state(silent)} no geometry; a spacing of "
            f"{' × '.join(f'{s:g}' for s in spacing)} mm and axes pointing {(orientation or 'LPS').upper()} "
            "are assumed, so lengths and volumes are estimates."
        )
    proposed = {n: by for n, p in paths.items() if n != "CT" and (by := proposed_by(p)) is not None}
    warnings += [proposed_sentence(name, by) for name, by in proposed.items()]
    case = make_case(
        images["CT"],
        images["lesion mask"],
        lesion_label=lesion_label,
        liver_image=images.get("liver mask"),
        liver_label=liver_label,
        facts=facts,
        component=component,
        warnings=tuple(warnings),
    )
    return replace(case, proposed={name.removesuffix(" mask"): by for name, by in proposed.items()})


def _files_that_state(names: list[str]) -> str:
    if len(names) == 1:
        return f"The file of the {names[0]} states"
    return f"The files of the {', the '.join(names[:-1])} and the {names[-1]} state"


def make_case(
    ct_image: sitk.Image,
    lesion_image: sitk.Image,
    *,
    lesion_label: int | None = None,
    liver_image: sitk.Image | None = None,
    liver_label: int | None = None,
    facts: ClinicalFacts | Mapping[str, Any] | str | Path | None = None,
    component: int | None = None,
    warnings: tuple[str, ...] = (),
) -> Case:
    """Build a checked case from images in memory; the arguments are those of :func:`read_case`.

    The images given are not modified.

    Raises:
        InputError: as :func:`read_case`.
    """
    told = list(warnings)
    ct = sitk.Image(ct_image)
    strip_metadata(ct)
    told += check_ct(ct)
    codes = [ct.GetMetaData(k) for k in ("qform_code", "sform_code") if ct.HasMetaDataKey(k)]
    if codes and set(codes) == {"0"}:
        told.append("The CT's NIfTI header states no orientation; check that left and right are not swapped.")
    all_lesions, found = onto_grid(select_label(lesion_image, lesion_label, "lesion mask"), ct, "lesion mask")
    told += found
    lesion, found = select_component(all_lesions, component, "lesion mask")
    told += found
    told += _check_lesion(ct, lesion)
    liver = None
    source = lesion_image if liver_image is None and liver_label is not None else liver_image
    if source is not None:
        liver, found = onto_grid(select_label(source, liver_label, "liver mask"), ct, "liver mask")
        told += found
        _check_liver(liver, lesion)
        liver = sitk.Or(liver, all_lesions)
    else:
        told.append("No liver mask was given; the liver around the lesion is estimated from the CT.")
    return Case(ct, lesion, liver, read_facts(facts), tuple(dict.fromkeys(told)))


def check_ct(ct: sitk.Image) -> list[str]:
    """Check that a volume is a CT in Hounsfield units of the body; return warnings.

    Raises:
        InputError: it is not.
    """
    check_geometry(ct, "CT")
    array = sitk.GetArrayViewFromImage(ct)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        count = int(array.size - np.count_nonzero(np.isfinite(array)))
        raise InputError(f"The CT holds {count} voxels that are not numbers (NaN or infinite); replace them by -1024.")
    low, high = float(array.min()), float(array.max())
    if low == high:
        raise InputError(f"The CT has the same value {low:g} in every voxel; choose another file.")
    step = max(1, array.size // 1_000_000)
    sample = array.ravel()[::step] if array.flags.c_contiguous else array.reshape(-1)[::step]
    values = np.unique(sample)
    if values.size <= 150 and low >= 0 and np.array_equal(values, np.round(values)) and high <= 255:
        raise InputError(
            f"The CT holds only {values.size} whole values from {low:g} to {high:g}, like a label map; give "
            "the CT in Hounsfield units."
        )
    if high - low <= 20:
        raise InputError(
            f"The CT holds values from {low:.4g} to {high:.4g}, like a normalised image; give Hounsfield units."
        )
    if low > -50 or high < 50:
        raise InputError(
            f"The CT holds values from {low:.4g} to {high:.4g}, but Hounsfield units of a body reach from "
            "fat below -50 to vessels above 50; apply the rescale slope and intercept or export the CT again."
        )
    soft = float(np.mean((sample > -200) & (sample < 300)))
    if soft < 0.02:
        raise InputError(
            f"The CT has only {100 * soft:.1f} % of its voxels between -200 and 300 HU, where soft tissue "
            "lies; check that it is an abdominal CT in Hounsfield units."
        )
    if low > -300 or high < 300:
        return [
            f"The CT's values end at {low:.4g} and {high:.4g} HU; it seems to be clipped to a window, which "
            "can change how the tumour is read."
        ]
    return []


def _check_lesion(ct: sitk.Image, lesion: sitk.Image) -> list[str]:
    mask = sitk.GetArrayViewFromImage(lesion)
    box = bounding_box(mask)
    inside = mask[box] > 0
    share = np.count_nonzero(inside) / mask.size
    if share > 0.5:
        raise InputError(
            f"The lesion mask covers {100 * share:.0f} % of the scan, more than any tumour; check the label "
            "and whether it is inverted."
        )
    values = sitk.GetArrayViewFromImage(ct)[box][inside]
    median = float(np.median(values))
    if median < AIR_HU:
        raise InputError(
            f"The lesion mask lies in air (median {median:.0f} HU); check that it belongs to this CT and is "
            "not shifted."
        )
    air = float(np.mean(values < AIR_HU))
    warnings = []
    if air > 0.1:
        warnings.append(f"{100 * air:.0f} % of the lesion mask lies in air; check its outline.")
    if not -20 <= median <= 300:
        warnings.append(
            f"The median density of the lesion is {median:.0f} HU, unusual for a liver tumour before treatment."
        )
    return warnings


def _check_liver(liver: sitk.Image, lesion: sitk.Image) -> None:
    mask = sitk.GetArrayViewFromImage(lesion)
    spacing = np.array(lesion.GetSpacing())[::-1]
    pad = np.ceil(FAR_FROM_LIVER_MM / spacing).astype(int) + 1
    box = tuple(slice(max(0, s.start - int(p)), s.stop + int(p)) for s, p in zip(bounding_box(mask), pad, strict=True))
    near = ndimage.distance_transform_edt(mask[box] == 0, sampling=spacing) <= FAR_FROM_LIVER_MM
    if not (sitk.GetArrayViewFromImage(liver)[box][near] > 0).any():
        raise InputError(
            f"The target lesion lies more than {FAR_FROM_LIVER_MM:g} mm from the liver mask; check both labels."
        )
