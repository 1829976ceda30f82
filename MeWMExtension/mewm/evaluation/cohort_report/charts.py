"""The figures of a cohort report. Needs matplotlib (extra ``evaluation``); opens no window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mewm.evaluation.cohort_report.published import AGENT_PATIENTS, AGENT_TEXTS, AGENTS, Published
from mewm.evaluation.cohort_report.real_table import RealTable
from mewm.evaluation.cohort_report.statistics import WEEKS_A_YEAR, Figures, km_curve
from mewm.evaluation.figures import COLOURS, new_figure
from mewm.evaluation.intervals import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, RED, GREEN, ORANGE = COLOURS[0], COLOURS[1], COLOURS[2], COLOURS[4]
GREY = "0.45"
MEDIAN_WEEKS = 104.0
RESPONSES = ("CR", "PR", "SD", "PD")


def survival_chart(frame: pd.DataFrame, real: RealTable | None, published: Mapping[str, Published]) -> Figure:
    """Draw survival of the cohort beside the real one and the published points, and volume against survival."""
    figure, axes = new_figure(10.0, 4.2, 1, 2)
    left, right = axes[0]
    weeks, died = frame["os_weeks"].to_numpy(float), frame["event"].to_numpy(bool)
    _curve(left, weeks, died, BLUE, f"this cohort ({len(weeks)} patients)")
    if real is not None:
        _curve(left, real.weeks, real.died, RED, f"HCC-TACE-Seg ({len(real.weeks)} of 105 patients)")
    left.plot([MEDIAN_WEEKS], [0.5], marker="D", color=RED, ls="none", ms=6, label="HCC-TACE-Seg, published median")
    years = [y for y in (1, 2, 3, 5) if f"alive_{y}y_percent" in published]
    values = [(published[f"alive_{y}y_percent"].value or 0) / 100 for y in years]
    left.plot([y * WEEKS_A_YEAR for y in years], values, "o", color=GREEN, ms=6, label="Lencioni 2016, 10,108 patients")
    left.set(xlim=(0, 320), ylim=(0, 1.02), xlabel="weeks", ylabel="alive", title="Overall survival")
    left.legend(fontsize=8, frameon=False)
    volume = frame["lesion_ml"].to_numpy(float)
    for event, colour, marker, label in ((True, BLUE, "o", "died"), (False, ORANGE, "^", "censored")):
        part = died == event
        right.scatter(volume[part], weeks[part], s=12, color=colour, marker=marker, alpha=0.5, lw=0, label=label)
    right.set(xscale="log", xlabel="lesion volume, ml", ylabel="weeks", title="Lesion volume against survival")
    right.set_ylim(0, float(np.quantile(weeks, 0.995)) * 1.1)
    right.legend(fontsize=8, frameon=False)
    _clean(axes)
    return figure


def response_chart(found: Figures, published: Mapping[str, Published]) -> Figure:
    """Draw the mRECIST-like categories beside the real ones."""
    figure, axes = new_figure(5.6, 3.8)
    ax = axes[0, 0]
    at = np.arange(len(RESPONSES))
    keys = [f"{name.lower()}_percent" for name in RESPONSES]
    _bars(ax, at - 0.2, [found.get(key) for key in keys], BLUE, "this cohort")
    ax.bar(at + 0.2, [published[key].value or 0 for key in keys], 0.36, color=RED, alpha=0.75, label="HCC-TACE-Seg")
    for x, key in zip(at, keys, strict=True):
        target = published[key].target
        if target:
            ax.fill_between([x - 0.42, x + 0.42], *target, color=GREEN, alpha=0.25, lw=0, zorder=0)
    ax.fill_between([], [], [], color=GREEN, alpha=0.25, label="aim: within 5 points")
    ax.set_xticks(at, RESPONSES)
    ax.set(ylabel="% of patients", title="mRECIST-like response of the target lesion")
    ax.legend(fontsize=8, frameon=False)
    _clean(axes)
    return figure


def fact_chart(found: Figures, published: Mapping[str, Published], names: Mapping[str, str]) -> Figure:
    """Draw the shares of the clinical facts beside the real ones."""
    keys = [key for key in published if key in found and key.endswith("percent")]
    figure, axes = new_figure(7.2, 0.36 * len(keys) + 1.2)
    ax = axes[0, 0]
    at = np.arange(len(keys))[::-1]
    for y, key in zip(at, keys, strict=True):
        target = published[key].target
        if target:
            ax.plot(target, [y, y], color=GREEN, alpha=0.25, lw=9, solid_capstyle="butt")
    _points(ax, at, [found[key] for key in keys], BLUE, "this cohort")
    ax.plot([published[key].value or 0 for key in keys], at, "D", color=RED, ms=5, label="HCC-TACE-Seg")
    ax.plot([], [], color=GREEN, alpha=0.25, lw=9, label="aim")
    ax.set_yticks(at, [names[key].removesuffix(", %") for key in keys])
    ax.set(xlim=(-1, 100), xlabel="% of patients who state it", title="Clinical facts")
    ax.legend(fontsize=8, frameon=False, loc="lower right")
    _clean(axes)
    return figure


def density_chart(frame: pd.DataFrame, values: pd.DataFrame, published: Mapping[str, Published]) -> Figure:
    """Draw the spread over patients of the tissues' densities with the ranges of the sources."""
    figure, axes = new_figure(10.5, 4.2, 1, 2)
    axes[0, 0].get_gridspec().set_width_ratios([2.4, 1])
    phase = frame["phase"].astype(object)
    groups = [
        ("liver\nportal", "liver_before", "portal", "liver_portal_hu"),
        ("liver\narterial", "liver_before", "arterial", "liver_arterial_hu"),
        ("lesion\nbefore\nportal", "lesion_before", "portal", None),
        ("lesion\nbefore\narterial", "lesion_before", "arterial", None),
        ("viable\nafter\nportal", "viable_hu", "portal", "viable_portal_hu"),
        ("viable\nafter\narterial", "viable_hu", "arterial", "viable_arterial_hu"),
        ("necrosis\nafter", "necrosis_hu", None, "necrosis_hu"),
    ]
    groups = [g for g in groups if g[1] in values]
    for ax, chosen in ((axes[0, 0], groups), (axes[0, 1], [("lipiodol", "oil_hu", None, "oil_hu")])):
        drawn = [g for g in chosen if g[1] in values]
        if not drawn:
            # Nobody marked the follow-up: there is no oil to show.
            ax.set_visible(False)
            continue
        parts = []
        for x, (_, column, only, key) in enumerate(drawn):
            part = values[column] if only is None else values[column][(phase == only).to_numpy()]
            parts.append(part.dropna().to_numpy(float))
            target = published[key].target if key else None
            if target:
                ax.fill_between([x - 0.4, x + 0.4], *target, color=GREEN, alpha=0.2, lw=0)
        ax.boxplot(parts, positions=range(len(parts)), widths=0.45, showfliers=False, **_box_style(BLUE))
        ax.set_xticks(range(len(drawn)), [g[0] for g in drawn], fontsize=8)
        ax.set_ylabel("median of a patient, HU")
    axes[0, 0].set_title("Tissues (green: range of the source)")
    axes[0, 1].set_title("Oil and lesion after oily TACE")
    after = values.get("lesion_after_median_hu")
    if after is not None:
        part = after.dropna().to_numpy(float)
        axes[0, 1].boxplot([part], positions=[1], widths=0.45, showfliers=False, **_box_style(BLUE))
        axes[0, 1].set_xticks([0, 1], ["lipiodol", "whole lesion"], fontsize=8)
        axes[0, 1].axhline(365, color=RED, lw=1, ls="--")
        axes[0, 1].annotate("365 HU", (-0.55, 372), color=RED, fontsize=8, ha="left", va="bottom")
        axes[0, 1].set_xlim(-0.6, 1.6)
    _clean(axes)
    return figure


def relation_chart(frame: pd.DataFrame, values: pd.DataFrame, oiled: np.ndarray) -> Figure:
    """Draw deposition against necrosis, response and arterial enhancement, in cases with oil."""
    figure, axes = new_figure(10.5, 8.0, 2, 2)
    table, image = frame[oiled], values[oiled]
    dead = image["oil_ml"] + image["necrosis_ml"]
    _dots(axes[0, 0], dead, image["oil_ml"], "necrotic volume, ml", "oil, ml", "Oil volume against necrotic volume")
    top = float(max(dead.max(), 1.0))
    axes[0, 0].plot([0.1, top], [0.1, top], color="0.7", lw=1, ls="--")
    axes[0, 0].set(xscale="log", yscale="log", xlim=(0.1, top * 1.2), ylim=(0.1, top * 1.2))
    _dots(
        axes[0, 1],
        100 * image["necrotic_share"],
        100 * image["coverage"],
        "necrotic, % of the lesion",
        "oil, % of the lesion",
        "Oil share against necrotic share",
    )
    axes[0, 1].set(xlim=(-2, 102), ylim=(-2, 102))
    groups = [100 * image["coverage"][(table["mrecist"] == name).to_numpy(bool, na_value=False)] for name in RESPONSES]
    ax = axes[1, 0]
    ax.boxplot(
        [g.to_numpy(float) for g in groups],
        positions=range(4),
        widths=0.5,
        **_box_style(BLUE),
        flierprops={"marker": ".", "ms": 3, "mec": BLUE},
    )
    ax.set_xticks(range(4), [f"{n}\n({len(g)})" for n, g in zip(RESPONSES, groups, strict=True)])
    ax.set(ylabel="oil, % of the lesion", title="Coverage by response", ylim=(-2, 102))
    arterial = (table["phase"] == "arterial").to_numpy(bool, na_value=False)
    _dots(
        axes[1, 1],
        image["enhancing_before"][arterial],
        100 * image["coverage"][arterial],
        "enhancing part before TACE, late arterial, HU",
        "oil, % of the lesion",
        "Arterial enhancement against deposition",
    )
    _clean(axes)
    return figure


def agent_chart(found: Figures, names: Mapping[str, str]) -> Figure:
    """Draw how often each agent is given beside both real series and both together."""
    figure, axes = new_figure(7.6, 0.34 * len(AGENTS) + 1.2)
    ax = axes[0, 0]
    at = np.arange(len(AGENTS))[::-1]
    texts = [100 * count / AGENT_TEXTS for count, _ in AGENTS.values()]
    patients = [100 * count / AGENT_PATIENTS for _, count in AGENTS.values()]
    _points(ax, at, [found[agent] for agent in AGENTS], BLUE, "this cohort")
    ax.plot(pooled_shares(), at, "D", color=RED, ms=5, label="both series together")
    ax.plot(texts, at, "|", color=GREY, ms=9, label="154 action texts")
    ax.plot(patients, at, "x", color=GREY, ms=5, label="88 patients of HCC-TACE-Seg")
    ax.set_yticks(at, [names[agent] for agent in AGENTS])
    ax.set(xlim=(-1, 101), xlabel="% of protocols", title="Agents given")
    ax.legend(fontsize=8, frameon=False, loc="lower right")
    _clean(axes)
    return figure


def pooled_shares() -> list[float]:
    """Return the percent of both real series together in which each agent was given."""
    of = AGENT_TEXTS + AGENT_PATIENTS
    return [100 * (texts + patients) / of for texts, patients in AGENTS.values()]


def _curve(ax: Axes, weeks: np.ndarray, died: np.ndarray, colour: str, label: str) -> None:
    from lifelines import KaplanMeierFitter

    time, curve = km_curve(weeks, died)
    ax.step(np.concatenate([[0], time]), np.concatenate([[1], curve]), where="post", color=colour, label=label)
    band = KaplanMeierFitter().fit(weeks, died).confidence_interval_
    ax.fill_between(
        band.index, band.iloc[:, 0], band.iloc[:, 1], step="post", color=colour, alpha=0.15, lw=0, rasterized=False
    )


def _bars(ax: Axes, at: np.ndarray, found: Sequence[Estimate | None], colour: str, label: str) -> None:
    heights = np.array([np.nan if e is None else e.value for e in found])
    error = np.array([[0, 0] if e is None else [e.value - e.low, e.high - e.value] for e in found]).T
    ax.bar(at, heights, 0.36, color=colour, alpha=0.85, label=label)
    ax.errorbar(at, heights, np.maximum(np.nan_to_num(error), 0), fmt="none", ecolor="0.2", elinewidth=1)


def _points(ax: Axes, at: np.ndarray, found: Sequence[Estimate], colour: str, label: str) -> None:
    value = np.array([e.value for e in found])
    error = np.array([[e.value - e.low, e.high - e.value] for e in found]).T
    error = np.maximum(np.nan_to_num(error), 0)
    ax.errorbar(value, at, xerr=error, fmt="o", color=colour, ms=5, elinewidth=1.2, capsize=2, label=label)


def _dots(ax: Axes, x: pd.Series, y: pd.Series, xlabel: str, ylabel: str, title: str) -> None:
    ax.scatter(x.to_numpy(float), y.to_numpy(float), s=12, color=BLUE, alpha=0.45, lw=0)
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title)


def _box_style(colour: str) -> dict[str, Any]:
    return {
        "patch_artist": True,
        "boxprops": {"facecolor": colour, "alpha": 0.45, "edgecolor": colour},
        "medianprops": {"color": "black"},
        "whiskerprops": {"color": colour},
        "capprops": {"color": colour},
    }


def _clean(axes: np.ndarray) -> None:
    for ax in axes.flat:
        ax.spines[["top", "right"]].set_visible(False)
