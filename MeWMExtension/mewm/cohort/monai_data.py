"""A cohort as a MONAI dataset. Building the list needs nothing; the transforms need ``monai`` (extra ``training``)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mewm.actions.text import render_protocol
from mewm.cohort.dataset import COLUMNS, FACTS, IMAGES, OPTIONAL_IMAGES, read_cohort
from mewm.errors import InputError, ResourceError, how_to_install

if TYPE_CHECKING:
    from monai.transforms import Compose

CT_WINDOW_HU = (-200.0, 1000.0)
"""Scaled to 0 and 1: soft tissue, contrast medium and most oil; air and denser oil are cut off."""
CT_KEYS = ("pre_ct", "post_ct")
LABEL_KEYS = ("lesion", "liver", "tissue")


def monai_items(folder: str | Path, *splits: str) -> list[dict[str, Any]]:
    """Return one dict a case for ``monai.data.Dataset``.

    Every dict has the paths of the images by name (``tissue`` where all asked cases have one), ``case_id``, ``split``,
    ``phase``, ``protocol`` as text, ``os_weeks``, ``event`` (0 or 1) and every clinical fact. So that cases can be
    collated into a batch, numbers and yes/no facts are floats with NaN where not stated, and text is empty there.

    Args:
        folder: the dataset (docs/cohort.md).
        splits: which splits, such as ``"train"``; all where none is named.

    Raises:
        InputError: the folder holds no complete cohort, a split has no case, or an image is missing.
    """
    cohort = read_cohort(Path(folder))
    rows = cohort.split(*splits) if splits else cohort.rows
    if not rows:
        raise InputError(f"The cohort {folder} has no case in the split {' or '.join(splits)}; choose another split.")
    paths = {row.case_id: _paths(cohort.folder, row.case_id) for row in rows}
    for case_id, found in paths.items():
        for name in IMAGES:
            if name not in found and name not in OPTIONAL_IMAGES:
                raise InputError(f"Case {case_id} has no image {name}.nrrd; run mewm cohort check.")
    # A batch needs the same keys in every case.
    shared = [name for name in IMAGES if all(name in found for found in paths.values())]
    return [
        {
            "case_id": row.case_id,
            "split": row.split,
            "phase": row.phase or "",
            **{name: str(paths[row.case_id][name]) for name in shared},
            "protocol": render_protocol(row.protocol),
            "os_weeks": row.os_weeks,
            "event": int(row.event),
            **{name: _collatable(row.values[name], COLUMNS[name]) for name in FACTS},
        }
        for row in rows
    ]


def example_transforms(keys: Sequence[str], *, augment: bool = True) -> Compose:
    """Return transforms that load a case for training a network on the pair of CTs.

    Images come out as ``(1, 96, 96, 96)`` tensors in MONAI's axis order (x, y, z), CTs scaled to 0 and 1 over
    :data:`CT_WINDOW_HU`, masks and labels as they are.

    Args:
        keys: the image names of the items, such as ``("pre_ct", "post_ct", "lesion")``.
        augment: shift and scale the density at random. No flips: the liver has a side.

    Raises:
        ResourceError: monai is not installed.
    """
    try:
        from monai.transforms import (
            Compose,
            EnsureChannelFirstd,
            LoadImaged,
            RandScaleIntensityd,
            RandShiftIntensityd,
            ScaleIntensityRanged,
        )
    except ImportError as error:
        raise ResourceError(
            f"The transforms need monai, which is not installed; {how_to_install('training')}."
        ) from error
    images = [key for key in keys if key in IMAGES]
    cts = [key for key in images if key in CT_KEYS]
    low, high = CT_WINDOW_HU
    steps: list[Any] = [
        LoadImaged(images, reader="NrrdReader"),
        EnsureChannelFirstd(images, channel_dim="no_channel"),
        ScaleIntensityRanged(cts, a_min=low, a_max=high, b_min=0.0, b_max=1.0, clip=True),
    ]
    if augment:
        steps += [RandShiftIntensityd(cts, offsets=0.02, prob=0.5), RandScaleIntensityd(cts, factors=0.05, prob=0.5)]
    return Compose(steps)


def _collatable(value: Any, kind: type) -> str | float:
    if kind is str:
        return value or ""
    return float("nan") if value is None else float(value)


def _paths(folder: Path, case_id: str) -> dict[str, Path]:
    paths = {name: folder / "cases" / case_id / f"{name}.nrrd" for name in IMAGES}
    return {name: path for name, path in paths.items() if path.is_file()}
