"""A page of representative cases for looking: pre-treatment, simulated and true post-treatment CT."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mewm.errors import InputError
from mewm.evaluation.figures import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LIVER_WINDOW_HU = (-40.0, 200.0)
"""Level 80, width 240: a usual liver window, for the CT before treatment."""
OIL_WINDOW_HU = (-100.0, 700.0)
"""Level 300, width 800: wide enough that oil does not saturate and viable tumour still differs from necrosis."""
_MARGIN_MM = 15.0
_LEAST_MM = 60.0
_BAR_MM = 20.0
# Inches: with many arms columns get narrower, so that the letters do not get tiny where the page is fitted to a screen.
_PAGE_WIDE, _COLUMN = 16.0, (1.6, 2.35)
# Points.
_HEADING, _CAPTION, _TITLE = 8.5, 7.0, 6.5


@dataclass(frozen=True, eq=False)
class PageColumn:
    """One CT after treatment: its slice ``(y, x)`` in HU, and a line to print below it."""

    ct: np.ndarray
    caption: str = ""


@dataclass(frozen=True, eq=False)
class PageCase:
    """One row of the page; slices ``(y, x)`` on one grid.

    Attributes:
        title: what the case and its protocol are, without anything that identifies a patient.
        pre: pre-treatment CT, HU.
        columns: heading → CT after treatment: the simulations and the truth.
        lesion: pre-treatment lesion, bool.
        spacing: edge of a voxel in mm.
    """

    title: str
    pre: np.ndarray
    columns: Mapping[str, PageColumn]
    lesion: np.ndarray
    spacing: float


def case_page(
    cases: Sequence[PageCase],
    before: tuple[float, float] = LIVER_WINDOW_HU,
    after: tuple[float, float] = OIL_WINDOW_HU,
) -> Figure:
    """Draw the cases one a row, cut to the lesion with a margin, the drawn lesion outlined in every column.

    Args:
        cases: the rows; all with the same columns.
        before, after: attenuation shown as black and white before and after treatment.

    Raises:
        InputError: there is no case or the columns differ.
    """
    if not cases or any(list(case.columns) != list(cases[0].columns) for case in cases):
        raise InputError("The page of cases needs at least one case and the same columns in all of them.")
    names = list(cases[0].columns)
    wide = float(np.clip(_PAGE_WIDE / (len(names) + 1), *_COLUMN))
    headings = [_wrapped(name, wide, _HEADING) for name in ("before", *names)]
    lines = max(heading.count("\n") for heading in headings)
    high = (wide + 0.25) * len(cases) + 0.4 + lines * 1.3 * _HEADING / 72
    figure, axes = new_figure(wide * (len(names) + 1) + 0.6, high, len(cases), len(names) + 1)
    # Made for pictures of a fixed shape; the usual layout cuts the first line of headings of three lines.
    figure.set_layout_engine("compressed")
    for number, (row, case) in enumerate(zip(axes, cases, strict=True)):
        shown = _around(case.lesion, case.spacing)
        for ax, ct, window, caption in (
            (row[0], case.pre, before, ""),
            *((ax, c.ct, after, c.caption) for ax, c in zip(row[1:], case.columns.values(), strict=True)),
        ):
            _slice(ax, ct[shown], case.lesion[shown], window, case.spacing)
            ax.set_xlabel(_wrapped(caption, wide, _CAPTION), fontsize=_CAPTION)
        row[0].set_ylabel(_wrapped(case.title, wide, _TITLE), fontsize=_TITLE)
        _scale_bar(row[0], case.lesion[shown].shape, case.spacing)
        if number == 0:
            for ax, heading in zip(row, headings, strict=True):
                ax.set_title(heading, fontsize=_HEADING)
    first, then = (f"{w[0]:g} to {w[1]:g} HU" for w in (before, after))
    words = f"before: {first}; after: {then}; outline: lesion before treatment; bar: {_BAR_MM:g} mm"
    figure.supxlabel(_wrapped(words, wide * (len(names) + 1), _CAPTION), fontsize=_CAPTION)
    return figure


def representative(errors: np.ndarray, count: int) -> np.ndarray:
    """Return indices of cases from the best to the worst simulated, evenly spaced by rank, both ends included.

    Args:
        errors: how far each case's simulation lies from the truth ``(n,)``.
        count: how many cases.
    """
    order = np.argsort(errors, kind="stable")
    return order[np.unique(np.linspace(0, len(order) - 1, min(count, len(order))).round().astype(int))]


def _around(lesion: np.ndarray, spacing: float) -> tuple[slice, slice]:
    """Return the square around the lesion with a margin, at least 60 mm wide, within the slice."""
    filled = np.argwhere(lesion)
    centre = (filled.min(axis=0) + filled.max(axis=0)) / 2 if len(filled) else np.array(lesion.shape) / 2
    extent = float(np.ptp(filled, axis=0).max()) * spacing if len(filled) else 0.0
    edge = round(max(extent + 2 * _MARGIN_MM, _LEAST_MM) / spacing)
    edge = min(edge, *lesion.shape)
    start = [int(np.clip(round(c - edge / 2), 0, n - edge)) for c, n in zip(centre, lesion.shape, strict=True)]
    return slice(start[0], start[0] + edge), slice(start[1], start[1] + edge)


def _wrapped(words: str, inches: float, points: float) -> str:
    """Return words in lines that fit a width; a letter of matplotlib's font is some 0.6 of its height wide."""
    fitting = int(0.92 * inches * 72 / (0.6 * points))
    return "\n".join(textwrap.fill(line, fitting) for line in words.split("\n"))


def _slice(ax: Any, ct: np.ndarray, lesion: np.ndarray, window: tuple[float, float], spacing: float) -> None:
    height, width = (n * spacing for n in ct.shape)
    ax.imshow(ct, cmap="gray", vmin=window[0], vmax=window[1], extent=(0, width, height, 0), interpolation="bilinear")
    centres = [(np.arange(n) + 0.5) * spacing for n in (ct.shape[1], ct.shape[0])]
    if lesion.any():
        ax.contour(*centres, lesion.astype(float), levels=[0.5], colors="#E69F00", linewidths=0.6)
    ax.set(xticks=[], yticks=[])


def _scale_bar(ax: Any, shape: tuple[int, ...], spacing: float) -> None:
    height = shape[0] * spacing
    ax.plot([4, 4 + _BAR_MM], [height - 4, height - 4], color="white", lw=2, solid_capstyle="butt")
