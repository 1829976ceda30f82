"""Figures of the survival models: Kaplan–Meier curves, calibration, and risk beside the Nelson–Aalen estimate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mewm.evaluation.figures import COLOURS, clean, panels
from mewm.evaluation.intervals import Estimate
from mewm.evaluation.risk_map import RiskMap
from mewm.evaluation.risk_plane import RiskPlane
from mewm.evaluation.survival_calibration import CalibrationPoint
from mewm.evaluation.survival_metrics import RiskGroups

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_RISK_COLOURS = "magma_r"


def kaplan_meier(groups: Mapping[str, RiskGroups], c_indices: Mapping[str, Any] | None = None) -> Figure:
    """Draw the survival of risk groups with the numbers at risk, one panel a model (paper's figure 6).

    Args:
        groups: model → its groups.
        c_indices: model → its c-index (:class:`Estimate`), printed above the panel.
    """
    figure, axes = panels(len(groups), 4.3, 4.0)
    end = max(float(group.follow_up.max()) for found in groups.values() for group in found.groups)
    # Beyond this few patients are left and the curves say little.
    end = min(end, 260.0)
    ticks = np.arange(0.0, end + 1, 52.0)
    for ax, (model, found) in zip(axes, groups.items(), strict=True):
        for number, (group, colour) in enumerate(zip(found.groups, COLOURS, strict=False)):
            label = f"{group.name}, {group.deaths} deaths"
            ax.step(group.weeks, group.survival, where="post", color=colour, label=label)
            ax.fill_between(group.weeks, group.low, group.high, step="post", color=colour, alpha=0.15, lw=0)
            for tick in ticks:
                left = int((group.follow_up >= tick).sum())
                _below(ax, float(tick), number, str(left), color=colour, ha="center")
        known = (c_indices or {}).get(model)
        c = f"c-index {known.value:.2f}, " if isinstance(known, Estimate) else ""
        p = "p < 0.001" if found.logrank_p < 0.001 else f"p = {found.logrank_p:.3f}"
        ax.set_title(f"{model}\n{c}log-rank {p}", fontsize=9)
        ax.set(xlim=(0, end), ylim=(0, 1.02), xticks=ticks, ylabel="overall survival")
        _below(ax, 0.0, -1, "weeks, and patients at risk", ha="left")
        ax.legend(fontsize=7, frameon=False, loc="upper right")
        clean(ax)
    return figure


def calibration(points: Mapping[str, Mapping[float, Sequence[CalibrationPoint]]]) -> Figure:
    """Draw predicted against observed mortality, one panel a model, one line a time in weeks."""
    figure, axes = panels(len(points), 3.3, 3.4)
    for ax, (model, by_week) in zip(axes, points.items(), strict=True):
        ax.plot([0, 1], [0, 1], color="0.7", lw=1, ls="--", zorder=0)
        for (week, found), colour, marker in zip(by_week.items(), COLOURS, "os^v", strict=False):
            x, y = np.array([p.predicted for p in found]), np.array([p.observed for p in found])
            error = np.maximum(np.array([[p.observed - p.low, p.high - p.observed] for p in found]).T, 0)
            ax.errorbar(
                x,
                y,
                error,
                marker=marker,
                ms=4,
                lw=1.2,
                elinewidth=0.8,
                capsize=2,
                color=colour,
                label=f"{week:g} weeks",
            )
        ax.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", xlabel="predicted mortality", ylabel="observed mortality")
        ax.set_title(model, fontsize=9)
        ax.legend(fontsize=7, frameon=False, loc="lower right")
        clean(ax)
    return figure


def risk_maps(maps: Mapping[str, RiskMap]) -> Figure:
    """Draw predicted beside observed cumulative hazard of risk groups over time (after the paper's figure 5).

    Where the models' groups differ, each has its own observed panel.
    """
    first = next(iter(maps.values()))
    same = all(np.array_equal(found.observed, first.observed, equal_nan=True) for found in maps.values())
    shown = [("observed (Nelson–Aalen)", first.weeks, first.observed)] if same else []
    for name, found in maps.items():
        if not same:
            shown.append((f"observed, groups by\n{name}", found.weeks, found.observed))
        shown.append((f"{name}\nMSE {found.mse:.3f}", found.weeks, found.predicted))
    figure, axes = panels(len(shown), 3.6, 2.5, 3 if same else 2)
    top = max(float(np.nanmax(found.observed)) for found in maps.values())
    for ax, (title, weeks, hazard) in zip(axes, shown, strict=True):
        rows = np.arange(len(hazard) + 1) + 0.5
        edges = np.concatenate([weeks - 1, weeks[-1:]])
        image = ax.pcolormesh(
            edges, rows, np.ma.masked_invalid(hazard), cmap=_RISK_COLOURS, vmin=0, vmax=top, rasterized=True
        )
        ax.set_title(title, fontsize=9)
        ax.set(xlabel="weeks", yticks=np.arange(len(hazard)) + 1)
        ax.set_ylabel("group by risk, lowest first", fontsize=8)
        ax.set_facecolor("0.9")
    figure.colorbar(image, ax=axes, label="cumulative hazard", extend="max", shrink=0.7)
    return figure


def risk_planes(planes: Mapping[str, RiskPlane]) -> Figure:
    """Draw risk over a plane of patients: observed, predicted, and below each prediction its error (figure 5)."""
    first = next(iter(planes.values())).truth
    figure, axes = panels(2 * (len(planes) + 1), 2.7, 2.7, len(planes) + 1)
    top = float(np.nanmax(first.observed))
    gap = max(float(np.nanmax(np.abs(p.predicted - p.truth.observed))) for p in planes.values()) or 1.0
    upper, lower = axes[: len(planes) + 1], axes[len(planes) + 1 :]
    lower[0].set_visible(False)
    shown = [(f"observed at {first.week:g} weeks\n(Nelson–Aalen)", first.observed)]
    shown += [(name, found.predicted) for name, found in planes.items()]
    for ax, (title, hazard) in zip(upper, shown, strict=True):
        image = _plane(ax, first, hazard, title, cmap=_RISK_COLOURS, vmin=0, vmax=top)
    for ax, found in zip(lower[1:], planes.values(), strict=True):
        error = _plane(
            ax, first, found.predicted - first.observed, f"MSE {found.mse:.3f}", cmap="RdBu_r", vmin=-gap, vmax=gap
        )
    figure.colorbar(image, ax=upper, label="cumulative hazard", extend="max")
    figure.colorbar(error, ax=lower, label="predicted − observed")
    upper[0].set_ylabel("second component", fontsize=8)
    for ax in lower[1:]:
        ax.set_xlabel("first component", fontsize=8)
    return figure


def _plane(ax: Any, truth: Any, values: np.ndarray, title: str, **colours: Any) -> Any:
    image = ax.pcolormesh(truth.x, truth.y, np.ma.masked_invalid(values), shading="nearest", **colours)
    inside = (truth.patients >= [truth.x[0], truth.y[0]]).all(1) & (truth.patients <= [truth.x[-1], truth.y[-1]]).all(1)
    ax.plot(*truth.patients[inside].T, ".", color="0.25", ms=2, alpha=0.6)
    ax.set_title(title, fontsize=8)
    ax.set(xticks=[], yticks=[])
    ax.set_facecolor("0.9")
    return image


def _below(ax: Any, week: float, line: int, text: str, **style: Any) -> None:
    """Write below the time axis: line 0 is the first under the heading."""
    ax.text(week, -0.19 - 0.065 * line, text, transform=ax.get_xaxis_transform(), va="center", fontsize=7, **style)
