"""What the images of every case say: densities, volumes and deposition."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from mewm.cohort.dataset import Cohort, CohortRow, load_images
from mewm.masks import bounding_box
from mewm.pool import case_pool
from mewm.roles import Tissue

if TYPE_CHECKING:
    import pandas as pd

Progress = Callable[[int, int], None]
UNENHANCED_HU = 45.0
"""Soft tissue before contrast medium: what the arterial phase adds to it is perfusion."""
_AWAY_VOXELS = 4
_STEP = 2
"""Every second voxel of the liver along each axis is enough for a median."""
_LEAST_VOXELS = 30


def case_values(cohort: Cohort, *, workers: int | None = None, progress: Progress | None = None) -> pd.DataFrame:
    """Measure the images of every case.

    Args:
        cohort: simulated or imported.
        workers: processes; ``None`` for one a core.
        progress: called with cases done and cases in all.

    Returns:
        One row a case, indexed by ``case_id``; NaN where a tissue is too small or not marked. Densities are medians
        in HU, volumes ml, coverage the share of the lesion after treatment that holds oil.

    Raises:
        InputError: an image is missing or damaged.
    """
    import pandas as pd

    report = progress or (lambda done, total: None)
    rows: Sequence[CohortRow] = cohort.rows
    found = []
    count = min(workers or os.cpu_count() or 1, len(rows))
    with case_pool(count) as pool:
        for done, values in enumerate(pool.map(partial(_values, cohort.folder), rows, chunksize=4), 1):
            found.append(values)
            report(done, len(rows))
    return pd.DataFrame(found, index=pd.Index([row.case_id for row in rows], name="case_id"), dtype=float)


def _values(folder: Path, row: CohortRow) -> dict[str, float]:
    images = load_images(folder, row.case_id)
    spacing = float(images["pre_ct"].GetSpacing()[0])
    arrays = {name: sitk.GetArrayViewFromImage(image) for name, image in images.items()}
    before, after, lesion = arrays["pre_ct"], arrays["post_ct"], arrays["lesion"] > 0
    thin = (slice(None, None, _STEP),) * 3
    ill = ndimage.binary_dilation(lesion[thin], iterations=_AWAY_VOXELS // _STEP)
    healthy = ndimage.binary_erosion((arrays["liver"][thin] > 0) & ~ill, iterations=_AWAY_VOXELS // _STEP)
    values = {
        "liver_before": _median(before[thin], healthy),
        "liver_noise": _spread(before[thin], healthy),
        "lesion_before": _median(before, lesion),
        # Perfusion is read beside a necrotic core, not in it.
        "enhancing_before": float(np.quantile(before[lesion], 0.75)) if lesion.any() else float("nan"),
        "liver_after": _median(after[thin], healthy),
        "lesion_ml": float(lesion.sum()) * spacing**3 / 1000,
    }
    if "tissue" in arrays:
        values |= _after(after, arrays["tissue"], spacing)
    return values


def _after(ct: np.ndarray, tissue: np.ndarray, spacing: float) -> dict[str, float]:
    voxel_ml = spacing**3 / 1000
    if not (tissue >= Tissue.VIABLE).any():
        return {}
    box = bounding_box(tissue >= Tissue.VIABLE)
    ct, tissue = ct[box], tissue[box]
    parts = {name: tissue == label for name, label in _TISSUES.items()}
    whole = tissue >= Tissue.VIABLE
    volume = {f"{name}_ml": float(part.sum()) * voxel_ml for name, part in parts.items()}
    lesion = sum(volume.values())
    return {
        # A label's border holds a mixture with its neighbour.
        **{f"{name}_hu": _median(ct, ndimage.binary_erosion(part)) for name, part in parts.items()},
        **volume,
        "lesion_after_ml": lesion,
        "lesion_after_hu": float(ct[whole].mean()),
        "lesion_after_median_hu": _median(ct, whole),
        "coverage": volume["oil_ml"] / lesion,
        "necrotic_share": (volume["oil_ml"] + volume["necrosis_ml"]) / lesion,
    }


_TISSUES = {"viable": Tissue.VIABLE, "necrosis": Tissue.NECROSIS, "oil": Tissue.LIPIODOL}


def _median(ct: np.ndarray, mask: np.ndarray) -> float:
    values = ct[mask]
    return float(np.median(values)) if values.size >= _LEAST_VOXELS else float("nan")


def _spread(ct: np.ndarray, mask: np.ndarray) -> float:
    """Noise as a standard deviation that vessels hardly move."""
    values = ct[mask]
    return float(np.diff(np.quantile(values, [0.25, 0.75]))[0] / 1.349) if values.size >= _LEAST_VOXELS else np.nan
