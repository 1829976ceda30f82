"""Figures of an evaluation, as PNG and SVG. Needs matplotlib (extra ``evaluation``); opens no window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mewm.errors import ResourceError
from mewm.evaluation.intervals import Estimate
from mewm.evaluation.risk_map import RiskMap
from mewm.evaluation.survival_calibration import CalibrationPoint
from mewm.evaluation.survival_metrics import RiskGroups

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe & Ito's palette: told apart with any colour vision.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_DPI = 150


def new_figure(width: float, height: float, rows: int = 1, columns: int = 1) -> tuple[Figure, np.ndarray]:
    """Return an empty figure in inches and its axes ``(rows, columns)``.

    Raises:
        ResourceError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ResourceError(
            "Figures need matplotlib, which is not installed; install it with pip install 'mewm[evaluation]'."
        ) from error
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)


def save(figure: Figure, path: Path) -> tuple[Path, Path]:
    """Write a figure as ``path`` with the endings ``.png`` and ``.svg`` and return both."""
    png, svg = path.with_suffix(".png"), path.with_suffix(".svg")
    figure.savefig(png, dpi=_DPI)
    # Without a date the same figure is the same file.
    figure.savefig(svg, metadata={"Date": None})
    return png, svg


def kaplan_meier(groups: Mapping[str, RiskGroups]) -> Figure:
    """Draw the survival of risk groups, one panel a model (paper's figure 5)."""
    figure, axes = new_figure(4.2 * len(groups), 3.6, 1, len(groups))
    for ax, (model, found) in zip(axes[0], groups.items(), strict=True):
        for group, colour in zip(found.groups, COLOURS, strict=False):
            label = f"{group.name} ({len(group.members)} patients, {group.deaths} deaths)"
            ax.step(group.weeks, group.survival, where="post", color=colour, label=label)
            ax.fill_between(group.weeks, group.low, group.high, step="post", color=colour, alpha=0.15, lw=0)
        p = "p < 0.001" if found.logrank_p < 0.001 else f"p = {found.logrank_p:.3f}"
        ax.set(title=f"{model}\nlog-rank {p}", xlabel="weeks", ylabel="overall survival", ylim=(0, 1.02))
        ax.set_xlim(0, None)
        ax.legend(fontsize=7, frameon=False)
        _clean(ax)
    return figure


def calibration(points: Mapping[str, Sequence[CalibrationPoint]], week: float) -> Figure:
    """Draw predicted against observed mortality at one time, one line a model."""
    figure, axes = new_figure(4.2, 4.0)
    ax = axes[0, 0]
    ax.plot([0, 1], [0, 1], color="0.7", lw=1, ls="--")
    for (model, found), colour in zip(points.items(), COLOURS, strict=False):
        x, y = np.array([p.predicted for p in found]), np.array([p.observed for p in found])
        error = np.maximum(np.array([[p.observed - p.low, p.high - p.observed] for p in found]).T, 0)
        ax.errorbar(x, y, error, marker="o", ms=4, lw=1.2, capsize=2, color=colour, label=model)
    ax.set(xlim=(0, 1), ylim=(0, 1), xlabel="predicted mortality", ylabel="observed mortality (Kaplan–Meier)")
    ax.set_title(f"Calibration at {week:g} weeks")
    ax.legend(fontsize=8, frameon=False)
    _clean(ax)
    return figure


def risk_maps(maps: Mapping[str, RiskMap]) -> Figure:
    """Draw predicted beside observed cumulative hazard of risk groups over time (paper's figure 6)."""
    figure, axes = new_figure(4.4 * (len(maps) + 1), 2.9, 1, len(maps) + 1)
    first = next(iter(maps.values()))
    panels = [("Nelson–Aalen", first.weeks, first.observed)]
    panels += [(f"{name}\nMSE {found.mse:.3f}", found.weeks, found.predicted) for name, found in maps.items()]
    top = float(np.nanmax(first.observed))
    for ax, (title, weeks, hazard) in zip(axes[0], panels, strict=True):
        rows = np.arange(len(hazard) + 1) + 0.5
        edges = np.concatenate([weeks - 1, weeks[-1:]])
        image = ax.pcolormesh(edges, rows, np.ma.masked_invalid(hazard), cmap="magma_r", vmin=0, vmax=top)
        ax.set(title=title, xlabel="weeks", yticks=np.arange(len(hazard)) + 1)
        ax.set_facecolor("0.9")
    axes[0, 0].set_ylabel("group, lowest to highest risk")
    figure.colorbar(image, ax=axes[0], label="cumulative hazard", extend="max")
    return figure


def scatter(values: Mapping[str, tuple[np.ndarray, np.ndarray]], notes: Mapping[str, str]) -> Figure:
    """Draw simulated against true values, one panel a quantity.

    Args:
        values: quantity → simulated and true values ``(n,)`` each.
        notes: quantity → what to print in its panel, such as the correlation.
    """
    columns = min(3, len(values))
    rows = -(-len(values) // columns)
    figure, axes = new_figure(3.3 * columns, 3.2 * rows, rows, columns)
    for ax in axes.flat[len(values) :]:
        ax.set_visible(False)
    for ax, (name, (simulated, true)) in zip(axes.flat, values.items(), strict=False):
        low, high = float(min(simulated.min(), true.min(), 0)), float(max(simulated.max(), true.max())) * 1.05 or 1.0
        ax.plot([low, high], [low, high], color="0.7", lw=1, ls="--")
        ax.scatter(true, simulated, s=10, alpha=0.6, color=COLOURS[0], lw=0)
        ax.set(xlim=(low, high), ylim=(low, high), xlabel="true", ylabel="simulated", title=name)
        ax.text(0.04, 0.94, notes.get(name, ""), transform=ax.transAxes, va="top", fontsize=8)
        _clean(ax)
    return figure


def bars(values: Mapping[str, Mapping[str, Estimate]], ylabel: str) -> Figure:
    """Draw metrics of arms as bars with their intervals.

    Args:
        values: arm → metric → figure.
        ylabel: label of the value axis.
    """
    metrics = list(dict.fromkeys(metric for row in values.values() for metric in row))
    figure, axes = new_figure(max(5.0, 1.1 + 0.23 * len(metrics) * (len(values) + 1)), 3.8)
    ax, width = axes[0, 0], 0.8 / len(values)
    for number, (arm, row) in enumerate(values.items()):
        found = [row.get(metric) for metric in metrics]
        at = np.arange(len(metrics)) - 0.4 + (number + 0.5) * width
        heights = np.array([np.nan if e is None else e.value for e in found])
        error = np.array([[0, 0] if e is None else [e.value - e.low, e.high - e.value] for e in found]).T
        colour = COLOURS[number % len(COLOURS)]
        hatch = "" if number < len(COLOURS) else "//"
        ax.bar(at, heights, width, color=colour, hatch=hatch, edgecolor="white", lw=0.3, label=arm)
        ax.errorbar(at, heights, np.maximum(np.nan_to_num(error), 0), fmt="none", ecolor="0.25", elinewidth=0.8)
    ax.set_xticks(np.arange(len(metrics)), metrics)
    ax.set_ylabel(ylabel)
    ax.legend(fontsize=7, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    _clean(ax)
    return figure


def _clean(ax: Axes | Any) -> None:
    ax.spines[["top", "right"]].set_visible(False)
