"""What can be wrong with the images of one case."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from mewm.case import check_ct
from mewm.cohort.check_table import Problem
from mewm.cohort.dataset import IMAGES, OPTIONAL_IMAGES
from mewm.errors import MewmError
from mewm.masks import bounding_box, same_grid
from mewm.roi import FEATHER_END_MM, GRID
from mewm.roles import Tissue
from mewm.volume_checks import quiet

LOWEST_HU, HIGHEST_HU = -1024, 4095
"""What 12 bits of a CT can hold; metal and oil may reach the upper end."""
_MASKS = ("lesion", "liver")
_VOLUME_TOLERANCE = 0.01
_MOVED = 0.05
"""Share of the liver that growth or shrinkage may carry over its old edge."""
_ENDINGS = {sitk.sitkInt16: "int16", sitk.sitkUInt8: "uint8"}


def check_images(
    folder: Path, case: str, spacing: float | None, lesion_ml: float | None, simulated: bool
) -> tuple[list[Problem], str | None]:
    """Check the images of one case.

    Args:
        folder: the cohort.
        case: the case's name.
        spacing, lesion_ml: what the table says, where it does.
        simulated: whether the cohort has a truth, so that ``tissue.nrrd`` must exist.

    Returns:
        The problems, and a hash of the first CT by which two cases of one scan are found.
    """
    problems: list[Problem] = []
    images: dict[str, sitk.Image] = {}
    for name in IMAGES:
        path = folder / "cases" / case / f"{name}.nrrd"
        if not path.is_file():
            if simulated or name not in OPTIONAL_IMAGES:
                problems.append(Problem(case, name, f"Case {case} has no image {name}.nrrd."))
            continue
        try:
            with quiet():
                images[name] = sitk.ReadImage(str(path))
        except RuntimeError:
            problems.append(Problem(case, name, f"Case {case} has a damaged or truncated image {name}.nrrd."))
    arrays: dict[str, np.ndarray] = {}
    for name, image in images.items():
        found = list(_grid_problems(case, name, image, images.get("pre_ct", image), spacing))
        problems += found
        if not found:
            arrays[name] = sitk.GetArrayViewFromImage(image)
    for name, array in arrays.items():
        problems += _ct_problems(case, name, images[name], array) if name.endswith("_ct") else []
        problems += _mask_problems(case, name, array) if name in _MASKS else []
    problems += _relation_problems(case, arrays, spacing, lesion_ml)
    if "pre_ct" not in images:
        return problems, None
    return problems, hashlib.sha256(sitk.GetArrayViewFromImage(images["pre_ct"]).tobytes()).hexdigest()


def _grid_problems(
    case: str, name: str, image: sitk.Image, first: sitk.Image, spacing: float | None
) -> Iterator[Problem]:
    wanted = sitk.sitkInt16 if name.endswith("_ct") else sitk.sitkUInt8
    if image.GetPixelID() != wanted:
        kind = image.GetPixelIDTypeAsString()
        yield Problem(case, name, f"Case {case} stores {name}.nrrd as {kind} instead of {_ENDINGS[wanted]}.")
    elif image.GetSize() != (GRID,) * 3:
        size = " × ".join(str(n) for n in image.GetSize())
        yield Problem(case, name, f"Case {case} has {size} voxels in {name}.nrrd instead of {GRID} a side.")
    elif not np.allclose(image.GetDirection(), np.eye(3).ravel(), atol=1e-6):
        yield Problem(case, name, f"Case {case} has turned axes in {name}.nrrd; the format's lie along LPS.")
    elif np.ptp(image.GetSpacing()) > 1e-4:
        step = " × ".join(f"{s:g}" for s in image.GetSpacing())
        yield Problem(case, name, f"Case {case} has voxels of {step} mm in {name}.nrrd, which are not cubes.")
    elif spacing is not None and abs(image.GetSpacing()[0] - spacing) > 1e-3:
        yield Problem(
            case,
            name,
            f"Case {case} has voxels of {image.GetSpacing()[0]:g} mm in {name}.nrrd, but spacing_mm is {spacing:g}.",
        )
    elif not same_grid(image, first):
        yield Problem(case, name, f"Case {case} has its {name}.nrrd at another place than its pre_ct.nrrd.")


def _ct_problems(case: str, name: str, image: sitk.Image, array: np.ndarray) -> Iterator[Problem]:
    low, high = int(array.min()), int(array.max())
    if low < LOWEST_HU or high > HIGHEST_HU:
        yield Problem(
            case,
            name,
            f"Case {case} has {low} to {high} HU in {name}.nrrd; a CT lies within {LOWEST_HU} and {HIGHEST_HU}.",
        )
    try:
        check_ct(image)
    except MewmError as error:
        yield Problem(case, name, f"Case {case} has a {name}.nrrd that is no CT: {error}")


def _mask_problems(case: str, name: str, array: np.ndarray) -> Iterator[Problem]:
    values = np.unique(array)
    if values[-1] > 1:
        yield Problem(case, name, f"Case {case} has the value {values[-1]} in {name}.nrrd, a mask of 0 and 1.")
    if values[-1] == 0:
        yield Problem(case, name, f"Case {case} has an empty {name}.nrrd.")


def _relation_problems(
    case: str, arrays: dict[str, np.ndarray], spacing: float | None, lesion_ml: float | None
) -> Iterator[Problem]:
    lesion, liver, tissue = (arrays.get(name) for name in ("lesion", "liver", "tissue"))
    if lesion is not None and liver is not None:
        outside = int(np.count_nonzero((lesion > 0) & (liver == 0)))
        if outside:
            yield Problem(case, "lesion", f"Case {case} has {outside} voxels of its lesion outside its liver.")
    if lesion is not None and lesion.any():
        if lesion[[0, -1]].any() or lesion[:, [0, -1]].any() or lesion[:, :, [0, -1]].any():
            yield Problem(case, "lesion", f"Case {case} has a lesion that the edge of the grid cuts off.")
        if spacing and lesion_ml:
            found = float(np.count_nonzero(lesion)) * spacing**3 / 1000
            # A table is written with six digits and the spacing with three decimals.
            if abs(found - lesion_ml) > _VOLUME_TOLERANCE * lesion_ml + 2 * spacing**3 / 1000:
                yield Problem(
                    case,
                    "lesion_ml",
                    f"Case {case} states {lesion_ml:g} ml for its lesion, but the mask has {found:g}.",
                )
    if tissue is not None:
        if tissue.max() > max(Tissue):
            yield Problem(
                case, "tissue", f"Case {case} has the label {tissue.max()} in tissue.nrrd; labels go to {max(Tissue)}."
            )
        if not (tissue > 0).any():
            yield Problem(case, "tissue", f"Case {case} has an empty tissue.nrrd.")
        elif liver is not None and lesion is not None:
            away = int(np.count_nonzero((tissue == Tissue.LIVER) & (liver == 0)))
            if away > _MOVED * np.count_nonzero(liver):
                yield Problem(
                    case, "tissue", f"Case {case} has {away} voxels of liver in tissue.nrrd outside its liver."
                )
            yield from _far_tumour(case, lesion, tissue, spacing)


def _far_tumour(case: str, lesion: np.ndarray, tissue: np.ndarray, spacing: float | None) -> Iterator[Problem]:
    tumour = tissue >= Tissue.VIABLE
    if not spacing or not lesion.any() or not tumour.any():
        return
    room = int(np.ceil(FEATHER_END_MM / spacing)) + 1
    box = tuple(slice(max(s.start - room, 0), s.stop + room) for s in bounding_box(lesion))
    away = int(np.count_nonzero(tumour)) - int(np.count_nonzero(tumour[box]))
    if away:
        yield Problem(
            case,
            "tissue",
            f"Case {case} has {away} voxels of tumour, necrosis or oil in tissue.nrrd more than "
            f"{FEATHER_END_MM:g} mm from its lesion.",
        )
