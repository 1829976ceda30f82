"""A page of random cases for looking: before and after treatment in a liver window, beside real CTs where given."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import SimpleITK as sitk

from mewm.cohort.background import Background, cut_background, find_scans, load_background
from mewm.cohort.dataset import Cohort, CohortRow, load_images, read_cohort
from mewm.errors import InputError
from mewm.evaluation.figures import new_figure
from mewm.roi import GRID

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LIVER_WINDOW_HU = (-40.0, 200.0)
"""Level 80, width 240: a usual liver window."""
_PAIRS = 4
_REAL_MM = 1.3
_REAL_EACH = 2
_DPI = 110


@dataclass(frozen=True, eq=False)
class Picture:
    """One axial slice.

    Attributes:
        hu: ``(y, x)``, Hounsfield units.
        title: what it is, without anything that identifies a patient.
        spacing: edge of a pixel in mm.
    """

    hu: np.ndarray
    title: str
    spacing: float


def write_pictures(
    folder: str | Path, out: str | Path, *, cases: int = 20, seed: int = 0, backgrounds: str | Path | None = None
) -> Path:
    """Write the page as PNG.

    Args:
        folder: the dataset.
        out: PNG to write.
        cases: how many cases, drawn at random.
        seed: of the draw.
        backgrounds: folder of real CTs with liver masks; two places of each are shown last.

    Returns:
        ``out``.

    Raises:
        InputError: the cohort or a scan cannot be read, no case is asked for, or ``out`` cannot be written.
        ResourceError: matplotlib is not installed.
    """
    if cases < 1:
        raise InputError(f"{cases} cases cannot be shown; ask for at least 1.")
    cohort = read_cohort(Path(folder))
    rng = np.random.default_rng(seed)
    chosen = np.sort(rng.choice(len(cohort.rows), min(cases, len(cohort.rows)), replace=False))
    shown = [_pair(cohort, cohort.rows[i]) for i in chosen]
    real = [] if backgrounds is None else _real(Path(backgrounds), rng)
    figure = picture_page(shown, real)
    path = Path(out)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=_DPI)
    except OSError as error:
        raise InputError(f"The pictures cannot be written to {path} ({error.strerror or error}).") from error
    return path


def picture_page(pairs: list[tuple[Picture, Picture]], real: list[Picture]) -> Figure:
    """Draw pairs before | after, four in a row, and real CTs below."""
    columns = 2 * min(_PAIRS, len(pairs))
    upper = -(-2 * len(pairs) // columns)
    lower = -(-len(real) // columns)
    figure, axes = new_figure(1.75 * columns, 1.95 * (upper + lower), upper + lower, columns)
    for ax in axes.flat:
        ax.set_axis_off()
    figure.set_facecolor("black")
    for ax, picture in zip(axes[:upper].flat, [p for pair in pairs for p in pair], strict=False):
        _show(ax, picture, "white")
    for ax, picture in zip(axes[upper:].flat, real, strict=False):
        _show(ax, picture, "#E69F00")
    return figure


def _show(ax: Axes, picture: Picture, colour: str) -> None:
    low, high = LIVER_WINDOW_HU
    ax.imshow(picture.hu, cmap="gray", vmin=low, vmax=high, interpolation="bilinear")
    ax.set_title(picture.title, fontsize=6.5, color=colour, pad=2)


def _pair(cohort: Cohort, row: CohortRow) -> tuple[Picture, Picture]:
    images = load_images(cohort.folder, row.case_id)
    lesion = sitk.GetArrayViewFromImage(images["lesion"])
    slice_ = int(lesion.sum(axis=(1, 2)).argmax())
    spacing = float(images["pre_ct"].GetSpacing()[0])
    size = row.values["lesion_diameter_mm"]
    before, after = (sitk.GetArrayFromImage(images[name])[slice_] for name in ("pre_ct", "post_ct"))
    return (
        Picture(before, f"{row.case_id}, {size:.0f} mm, {row.phase or 'phase not known'}", spacing),
        Picture(after, f"after: {row.mrecist or 'not stated'}", spacing),
    )


def _real(folder: Path, rng: np.random.Generator) -> list[Picture]:
    found = []
    for scan in find_scans(folder):
        background = load_background(scan)
        deep = background.places[background.clearance >= np.quantile(background.clearance, 0.8)]
        for place in deep[rng.choice(len(deep), _REAL_EACH, replace=False)]:
            found.append(_real_slice(background, place))
    return found


def _real_slice(background: Background, place: np.ndarray) -> Picture:
    corner = place - _REAL_MM * (GRID - 1) / 2
    patch = cut_background(background, (float(corner[0]), float(corner[1]), float(corner[2])), _REAL_MM, GRID)
    return Picture(patch.ct[GRID // 2], f"real: {background.scan.name}, {background.phase}", _REAL_MM)
