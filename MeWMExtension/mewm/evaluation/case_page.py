"""A page of representative cases for looking: pre-treatment, simulated and true post-treatment CT."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mewm.errors import InputError
from mewm.evaluation.figures import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LIVER_WINDOW_HU = (-40.0, 200.0)
"""Level 80, width 240: a usual liver window; oil saturates, as it does for a radiologist."""


@dataclass(frozen=True, eq=False)
class PageCase:
    """One row of the page; volumes ``(z, y, x)`` on one grid.

    Attributes:
        title: what the case and its protocol are, without anything that identifies a patient.
        pre: pre-treatment CT, HU.
        columns: heading → post-treatment CT, HU: the simulations and the truth.
        lesion: pre-treatment lesion, bool; its largest axial slice is shown.
        spacing: edge of a voxel in mm.
    """

    title: str
    pre: np.ndarray
    columns: dict[str, np.ndarray]
    lesion: np.ndarray
    spacing: float


def case_page(cases: Sequence[PageCase], window: tuple[float, float] = LIVER_WINDOW_HU) -> Figure:
    """Draw the cases in a liver window, one a row.

    Args:
        cases: the rows; all with the same columns.
        window: attenuation shown as black and white.

    Raises:
        InputError: there is no case or the columns differ.
    """
    if not cases or any(list(case.columns) != list(cases[0].columns) for case in cases):
        raise InputError("The page of cases needs at least one case and the same columns in all of them.")
    headings = ["before", *cases[0].columns]
    figure, axes = new_figure(2.3 * len(headings), 2.55 * len(cases), len(cases), len(headings))
    for row, case in zip(axes, cases, strict=True):
        slice_ = int(case.lesion.sum(axis=(1, 2)).argmax())
        height, width = (n * case.spacing for n in case.pre.shape[1:])
        for ax, heading, volume in zip(row, headings, (case.pre, *case.columns.values()), strict=True):
            ax.imshow(volume[slice_], cmap="gray", vmin=window[0], vmax=window[1], extent=(0, width, height, 0))
            ax.set_title(heading, fontsize=8)
            ax.set(xticks=[], yticks=[])
        row[0].contour(
            case.lesion[slice_], levels=[0.5], colors="#E69F00", linewidths=0.7, extent=(0, width, 0, height)
        )
        row[0].set_ylabel(case.title, fontsize=6.5)
    return figure


def representative(errors: np.ndarray, count: int) -> np.ndarray:
    """Return indices of cases from the best to the worst simulated, evenly spaced by rank, both ends included.

    Args:
        errors: how far each case's simulation lies from the truth ``(n,)``.
        count: how many cases.
    """
    order = np.argsort(errors, kind="stable")
    return order[np.unique(np.linspace(0, len(order) - 1, min(count, len(order))).round().astype(int))]
