"""Figures of an evaluation, as PNG and SVG. Needs matplotlib (extra ``evaluation``); opens no window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mewm.errors import ResourceError, how_to_install
from mewm.evaluation.intervals import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe & Ito's palette: told apart with any colour vision.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_DPI = 150
# What the columns of a table are called where they stand alone.
_TITLES = {
    "f1": "F1",
    "jaccard": "Jaccard",
    "precision": "precision",
    "recall": "recall",
    "regret": "regret (log-hazard), lower is better",
    "best_found": "share with the best protocol",
    "nearly_best": "share within 2 % of its hazard",
}
_OUTLIER = 4.0


def new_figure(width: float, height: float, rows: int = 1, columns: int = 1) -> tuple[Figure, np.ndarray]:
    """Return an empty figure in inches and its axes ``(rows, columns)``.

    Raises:
        ResourceError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ResourceError(
            f"Figures need matplotlib, which is not installed; {how_to_install('evaluation')}."
        ) from error
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)


def panels(count: int, width: float, height: float, columns: int = 3) -> tuple[Figure, list[Axes]]:
    """Return a figure with so many panels of a size in inches, a few beside each other, and their axes in order."""
    columns = min(columns, count)
    rows = -(-count // columns)
    figure, axes = new_figure(width * columns, height * rows, rows, columns)
    for ax in axes.flat[count:]:
        ax.set_visible(False)
    return figure, list(axes.flat[:count])


def save(figure: Figure, path: Path) -> tuple[Path, Path]:
    """Write a figure as ``path`` with the endings ``.png`` and ``.svg`` and return both."""
    from matplotlib import rc_context

    png, svg = path.with_suffix(".png"), path.with_suffix(".svg")
    figure.savefig(png, dpi=_DPI)
    # Without a date and with a fixed salt of its identifiers the same figure is the same file.
    with rc_context({"svg.hashsalt": "mewm"}):
        figure.savefig(svg, metadata={"Date": None})
    return png, svg


def clean(ax: Axes | Any) -> None:
    """Take away the frame's upper and right line."""
    ax.spines[["top", "right"]].set_visible(False)


def scatter(values: Mapping[str, tuple[np.ndarray, np.ndarray]], notes: Mapping[str, str]) -> Figure:
    """Draw simulated against true values, one panel a quantity; volumes on a logarithmic axis.

    Args:
        values: quantity → simulated and true values ``(n,)`` each; quantities that end in ``_ml`` are volumes.
        notes: quantity → what to print in its panel, such as the correlation.
    """
    figure, axes = panels(len(values), 3.3, 3.3)
    for ax, (name, (simulated, true)) in zip(axes, values.items(), strict=True):
        top = max(float(simulated.max()), float(true.max())) or 1.0
        title = name.replace("_ml", " (ml)").replace("_fraction", " share of the lesion").replace("_", " ")
        ax.set(xlabel="true", ylabel="simulated", title=title)
        if name.endswith("_ml"):
            # Volumes span four decades and can be nil: linear below a tenth of a millilitre.
            ax.set_xscale("symlog", linthresh=0.1)
            ax.set_yscale("symlog", linthresh=0.1)
            low, high = -0.02, top * 2
        else:
            low, high = -0.03 * top, 1.05 * top
        ax.plot([max(low, 0), high], [max(low, 0), high], color="0.7", lw=1, ls="--", zorder=0)
        ax.scatter(true, simulated, s=14, alpha=0.6, color=COLOURS[0], lw=0, clip_on=False)
        ax.set(xlim=(low, high), ylim=(low, high), aspect="equal")
        ax.text(0.04, 0.95, notes.get(name, ""), transform=ax.transAxes, va="top", fontsize=8)
        clean(ax)
    return figure


def dots(values: Mapping[str, Mapping[str, Estimate]], title: str = "") -> Figure:
    """Draw metrics of arms as points with their intervals, one panel a metric, one line an arm.

    A panel that one arm would squeeze is cut off, and the arm's value printed at its edge.

    Args:
        values: arm → metric → figure.
        title: above all panels.
    """
    metrics = list(dict.fromkeys(metric for row in values.values() for metric in row))
    arms = list(values)
    columns = min(4, len(metrics))
    rows = -(-len(metrics) // columns)
    figure, axes = new_figure(2.1 + 2.2 * columns, rows * (0.7 + 0.24 * len(arms)), rows, columns)
    for number, ax in enumerate(axes.flat):
        if number >= len(metrics):
            ax.set_visible(False)
            continue
        found = [values[arm].get(metrics[number]) for arm in arms]
        _points(ax, found, share=metrics[number] != "regret")
        ax.set_title(_TITLES.get(metrics[number], metrics[number]), fontsize=8)
        ax.set_yticks(range(len(arms)), arms if number % columns == 0 else [""] * len(arms), fontsize=7.5)
        ax.set_ylim(len(arms) - 0.5, -0.5)
        ax.tick_params(axis="x", labelsize=7)
        ax.grid(axis="y", color="0.92", lw=0.8)
        ax.set_axisbelow(True)
        clean(ax)
    figure.suptitle(title, fontsize=10)
    return figure


def _points(ax: Any, found: Sequence[Estimate | None], share: bool) -> None:
    known = [(at, e) for at, e in enumerate(found) if e is not None and np.isfinite(e.value)]
    tops = sorted(e.high if np.isfinite(e.high) else e.value for _, e in known)
    edge = 1.02 if share else tops[-1] * 1.08
    if not share and len(tops) > 2 and tops[-1] > _OUTLIER * max(tops[-2], 1e-9):
        edge = tops[-2] * 1.3
    low = min([0.0, *(e.low for _, e in known if np.isfinite(e.low))])
    for at, estimate in known:
        if estimate.value > edge:
            ax.text(edge, at, f"{estimate.value:.2f} →", ha="right", va="center", fontsize=6.5, color=COLOURS[1])
            continue
        error = None
        if np.isfinite(estimate.low):
            error = [[max(estimate.value - estimate.low, 0)], [max(estimate.high - estimate.value, 0)]]
        ax.errorbar(estimate.value, at, xerr=error, fmt="o", ms=4, color=COLOURS[0], elinewidth=1.1, capsize=2)
    ax.set_xlim(low - 0.02 * (edge - low), max(edge, 1e-6))
