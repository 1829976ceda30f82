"""Pictures of a run from Slicer's own slice views: pre-treatment | simulated | difference, with captions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from mewm.rows import spread_words
from MeWMModuleLib import appearance
from MeWMModuleLib.canvas import Canvas, text_width, wrapped
from MeWMModuleLib.comparison import (
    DIFFERENCE_VIEW,
    PRE_VIEW,
    SIMULATED_VIEW,
    Orientation,
    compare,
    field_of_view,
    snapped_centre,
)

if TYPE_CHECKING:
    from MeWMModuleLib.scene import LoadedRun, ProtocolNodes

PANEL = 600
_GAP = 8
_EDGE = 20
_PAPER = (0.09, 0.09, 0.10)
_INK = (0.95, 0.95, 0.95)
_GREY = (0.68, 0.68, 0.70)
_AMBER = (1.0, 0.72, 0.15)
_DOT = "  \u00b7  "
_STAMP = "SIMULATED \u2013 research use only"
# Letters at the left, right, upper and lower edge; the patient's right is on the screen's left.
_LETTERS: dict[Orientation, tuple[str, str, str, str]] = {
    "Axial": ("R", "L", "A", "P"),
    "Coronal": ("R", "L", "S", "I"),
    "Sagittal": ("A", "P", "S", "I"),
}

Capture = Callable[[str], np.ndarray]


def protocol_figure(loaded: LoadedRun, chosen: ProtocolNodes, orientation: Orientation, capture: Capture) -> Canvas:
    """Compose one protocol: pre-treatment CT, simulated CT and difference on one slice through the lesion.

    Args:
        loaded: the run in a scene whose slice views are ``PANEL`` pixels square.
        chosen: one of ``loaded.protocols``.
        orientation: plane of the slice.
        capture: renders the slice view of a name and returns ``(PANEL, PANEL, 3)`` uint8.
    """
    compare(loaded.pre.GetScene(), loaded, chosen, orientation)
    width = 2 * _EDGE + 3 * PANEL + 2 * _GAP
    canvas = Canvas(width, PANEL + 216, _PAPER)
    title = f"{loaded.run.case_name}  \u00b7  protocol {chosen.protocol.rank}:  {_ascii_safe(chosen.protocol.text)}"
    figures = _DOT.join(part for part in _numbers(chosen.protocol.row) if part)
    _heading(canvas, title, f"Predicted: {figures}" if figures else "")

    top = 136
    panels = (
        (PRE_VIEW, "Pre-treatment CT"),
        (SIMULATED_VIEW, "Simulated CT after TACE"),
        (DIFFERENCE_VIEW, "Difference: simulated \u2212 pre-treatment"),
    )
    lefts = [_EDGE + index * (PANEL + _GAP) for index in range(3)]
    for left, (view, name) in zip(lefts, panels, strict=True):
        canvas.text(left, top - 34, name, 22, _INK)
        canvas.paste(left, top, capture(view))
        _marks(canvas, left, top, PANEL, orientation, field_of_view(loaded))
    for left in lefts[1:]:
        canvas.text(left + PANEL - 12, top + 10, "SIMULATED", 20, _AMBER, anchor=1.0, bold=True, halo=True)

    below = top + PANEL + 14
    window, level = appearance.ABDOMEN
    _legend(canvas, lefts[0], below, [appearance.LESION])
    canvas.text(
        lefts[0],
        below + 36,
        f"{_place(loaded, orientation)}  \u00b7  window {window:.0f} HU, level {level:.0f} HU",
        19,
        _GREY,
    )
    shown = [tissue for tissue in appearance.TISSUES.values() if tissue[0] != appearance.HIDDEN_TISSUE]
    _legend(canvas, lefts[1], below, shown)
    canvas.text(lefts[1], below + 36, "Same slice, field of view and window", 19, _GREY)
    _difference_scale(canvas, lefts[2], below, PANEL)
    return canvas


def overview_figure(loaded: LoadedRun, chosen: Sequence[ProtocolNodes], capture: Capture) -> Canvas:
    """Compose the pre-treatment CT and the simulated CT of several protocols, best first, on one axial slice."""
    count = len(chosen) + 1
    columns = count if count <= 4 else math.ceil(count / math.ceil(count / 4))
    rows = math.ceil(count / columns)
    caption, top = 128, 106
    width = 2 * _EDGE + columns * PANEL + (columns - 1) * _GAP
    canvas = Canvas(width, top + rows * (PANEL + caption) + 46, _PAPER)
    heading = f"{loaded.run.case_name}  \u00b7  protocols ranked by predicted risk"
    window, level = appearance.ABDOMEN
    _heading(canvas, heading, f"{_place(loaded, 'Axial')}  \u00b7  window {window:.0f} HU, level {level:.0f} HU")

    for index in range(count):
        left = _EDGE + index % columns * (PANEL + _GAP)
        upper = top + index // columns * (PANEL + caption)
        nodes = chosen[max(index - 1, 0)]
        compare(loaded.pre.GetScene(), loaded, nodes, "Axial")
        canvas.paste(left, upper, capture(SIMULATED_VIEW if index else PRE_VIEW))
        _marks(canvas, left, upper, PANEL, "Axial", field_of_view(loaded))
        below = upper + PANEL + 10
        if index == 0:
            canvas.text(left, below, "Pre-treatment CT", 22, _INK, bold=True)
            continue
        canvas.text(left + PANEL - 12, upper + 10, "SIMULATED", 20, _AMBER, anchor=1.0, bold=True, halo=True)
        parts = f"{nodes.protocol.rank}.  {_ascii_safe(nodes.protocol.text)}".split("; ")
        for line in wrapped(parts, "; ", 20, PANEL)[:2]:
            canvas.text(left, below, line, 20, _INK)
            below += 28
        for line in _numbers(nodes.protocol.row):
            canvas.text(left, below, line, 18, _GREY)
            below += 25
    shown = [appearance.LESION, *(t for t in appearance.TISSUES.values() if t[0] != appearance.HIDDEN_TISSUE)]
    _legend(canvas, _EDGE, canvas.pixels.shape[0] - 40, shown)
    return canvas


def _heading(canvas: Canvas, title: str, subtitle: str) -> None:
    width = canvas.pixels.shape[1]
    box = text_width(_STAMP, 22, bold=True) + 28
    canvas.rectangle(width - _EDGE - box, 18, box, 40, _AMBER)
    canvas.text(width - _EDGE - box + 14, 26, _STAMP, 22, (0.0, 0.0, 0.0), bold=True)
    size = next((s for s in (28, 24, 21, 18) if text_width(title, s, True) < width - box - 3 * _EDGE), 16)
    canvas.text(_EDGE, 20, title, size, _INK, bold=True)
    canvas.text(_EDGE, 60, subtitle, 20, _GREY)


def _marks(canvas: Canvas, left: int, top: int, size: int, orientation: Orientation, extent_mm: float) -> None:
    """Orientation letters at the four edges and a scale bar of 20 mm."""
    middle = size // 2
    first, second, upper, lower = _LETTERS[orientation]
    canvas.text(left + 10, top + middle - 12, first, 22, _INK, bold=True, halo=True)
    canvas.text(left + size - 10, top + middle - 12, second, 22, _INK, bold=True, anchor=1.0, halo=True)
    canvas.text(left + middle, top + 8, upper, 22, _INK, bold=True, anchor=0.5, halo=True)
    canvas.text(left + middle, top + size - 34, lower, 22, _INK, bold=True, anchor=0.5, halo=True)
    length = round(20 / extent_mm * size)
    canvas.rectangle(left + 13, top + size - 17, length + 2, 6, (0.0, 0.0, 0.0))
    canvas.rectangle(left + 14, top + size - 16, length, 4, _INK)
    canvas.text(left + 14, top + size - 44, "20 mm", 18, _INK, halo=True)


def _legend(canvas: Canvas, left: int, top: int, entries: Sequence[tuple[str, appearance.Colour]]) -> None:
    for name, colour in entries:
        canvas.rectangle(left, top + 4, 22, 16, colour)
        canvas.rectangle(left + 3, top + 7, 16, 10, _PAPER)
        left += 30
        left += canvas.text(left, top, name, 20, _INK) + 28


def _difference_scale(canvas: Canvas, left: int, top: int, width: int) -> None:
    half = appearance.DIFFERENCE_WINDOW / 2
    for column in range(width):
        hu = (column + 0.5) / width * 2 * half - half
        *colour, opacity = appearance.difference_colour(hu)
        red, green, blue = colour
        canvas.rectangle(left + column, top + 2, 1, 18, (red, green, blue) if opacity else (0.35, 0.35, 0.35))
    words = (
        f"\u2264 \u2212{half:.0f} HU",
        f"within \u00b1{appearance.DIFFERENCE_NOISE:.0f} HU: not coloured",
        f"\u2265 +{half:.0f} HU",
    )
    for anchor, line in zip((0.0, 0.5, 1.0), words, strict=True):
        canvas.text(left + round(anchor * width), top + 28, line, 19, _GREY, anchor=anchor)


def _place(loaded: LoadedRun, orientation: Orientation) -> str:
    r, a, s = snapped_centre(loaded)
    value, letters = {"Axial": (s, "SI"), "Coronal": (a, "AP"), "Sagittal": (r, "RL")}[orientation]
    return f"{orientation} slice {letters[0 if value >= 0 else 1]} {abs(value):.0f} mm"


def _numbers(row: dict[str, str]) -> tuple[str, str]:
    """Prognosis and response predicted in a row of ``ranking.csv``, in words, without what it does not state."""
    spread = spread_words(float(row["risk_sd"])) if row.get("risk_sd") else ""
    prognosis = _worded(row, (("risk", 1, "risk {:.2f}" + spread), ("survival_1y", 100, "1-year survival {:.0f} %")))
    response = _worded(
        row,
        (
            ("viable_fraction", 100, "viable {:.0f} %"),
            ("lipiodol_coverage", 100, "Lipiodol {:.0f} %"),
            ("volume_change_percent", 1, "volume {:+.0f} %"),
        ),
    )
    if row.get("response"):
        response.append(f"{row['response']} (mRECIST-like)")
    return _DOT.join(prognosis), _DOT.join(response)


def _worded(row: dict[str, str], pattern: Sequence[tuple[str, int, str]]) -> list[str]:
    given = [(float(row[column]) * factor, words) for column, factor, words in pattern if row.get(column)]
    # A value that rounds to nothing has no sign.
    lines = [words.format(value if abs(value) >= 0.5 or words.startswith("risk") else 0) for value, words in given]
    return [line.replace(" -", " \u2212").replace("+0 ", "0 ") for line in lines]


def _ascii_safe(text: str) -> str:
    """VTK's font has the micro sign but no Greek mu."""
    return text.replace("\u03bc", "\u00b5")
