"""Write the report of a cohort: what it looks like beside reality, in one document with tables and figures."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mewm
from mewm.actions.base import load_action_base
from mewm.cohort.dataset import Cohort, read_cohort
from mewm.cohort.frame import read_frame
from mewm.errors import InputError
from mewm.evaluation.cohort_report import charts, published, statistics
from mewm.evaluation.cohort_report.case_values import Progress, case_values
from mewm.evaluation.cohort_report.published import Published
from mewm.evaluation.cohort_report.real_table import RealTable, find_real, read_real
from mewm.evaluation.cohort_report.words import NAMES, NOTE_NECROTIC
from mewm.evaluation.figures import save
from mewm.evaluation.intervals import Estimate
from mewm.evaluation.tables import write_json

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

SCHEMA = "mewm-cohort-report/1"


@dataclass(frozen=True)
class Line:
    """One figure of the cohort beside the published one.

    Attributes:
        section: heading it stands under.
        key: its name in the JSON.
        name: its name in the document.
        found: the cohort's figure with its interval.
        published: what it is held against.
    """

    section: str
    key: str
    name: str
    found: Estimate
    published: Published

    @property
    def met(self) -> bool | None:
        """Whether the figure lies in the range aimed at; ``None`` where there is none."""
        target = self.published.target
        return None if target is None else bool(target[0] <= self.found.value <= target[1])


def report_cohort(
    folder: str | Path,
    out: str | Path | None = None,
    *,
    real: str | Path | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
    seed: int = 0,
) -> list[Line]:
    """Measure a cohort and write ``report.md``, ``report.json`` and the figures as PNG and SVG.

    Args:
        folder: the dataset, simulated or imported.
        out: where to write; ``report`` within the dataset by default. An earlier report there is replaced.
        real: folder of real data for whole distributions; else the environment's ``MEWM_REAL_DATA``, else only
            published figures are shown.
        workers: processes that read images; ``None`` for one a core.
        progress: called with cases read and cases in all.
        seed: of the bootstrap.

    Returns:
        Every figure in the order of the document.

    Raises:
        InputError: the cohort cannot be read, ``real`` has no clinical table, or ``out`` cannot be written.
        ResourceError: matplotlib or pandas is not installed.
    """
    folder = Path(folder)
    out = folder / "report" if out is None else Path(out)
    place = find_real(real)
    real_rows = None if place is None else read_real(place)
    cohort, frame = read_cohort(folder), read_frame(folder)
    values = case_values(cohort, workers=workers, progress=progress)
    lines = list(_lines(frame, values, seed))
    drawn = dict(_figures(frame, values, lines, real_rows))
    partial = out.with_name(f".{out.name}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for name, figure in drawn.items():
            save(figure, partial / name)
        write_json(_content(cohort, lines, real_rows), partial / "report.json")
        (partial / "report.md").write_text(_document(cohort, lines, list(drawn), real_rows), encoding="utf-8")
        shutil.rmtree(out, ignore_errors=True)
        partial.rename(out)
    except OSError as error:
        raise InputError(
            f"The report cannot be written to {out} ({error.strerror or error}); free space or choose another folder."
        ) from error
    return lines


def _lines(frame: pd.DataFrame, values: pd.DataFrame, seed: int) -> Iterator[Line]:
    parts: list[tuple[str, Mapping[str, Published], statistics.Figures]] = [
        ("Survival", published.SURVIVAL, statistics.survival_figures(frame, seed)),
        ("Response", published.RESPONSE, statistics.response_figures(frame, seed)),
        ("Clinical facts", published.FACTS, statistics.fact_figures(frame, seed)),
        ("Densities", published.DENSITY, statistics.density_figures(frame, values, seed)),
        ("Deposition, necrosis and response", published.RELATIONS, statistics.relation_figures(frame, values, seed)),
    ]
    for section, known, found in parts:
        for key, source in known.items():
            if key in found:
                yield Line(section, key, NAMES[key], found[key], source)
    base, shares = load_action_base(), statistics.agent_shares(frame, tuple(published.AGENTS), seed)
    for (agent, counts), pooled in zip(published.AGENTS.items(), charts.pooled_shares(), strict=True):
        margin = published.AGENT_TOLERANCE
        text = f"{pooled:.0f} % ({counts[0]} of 154 texts, {counts[1]} of 88 patients)"
        target = (max(pooled - margin, 0.0), min(pooled + margin, 100.0))
        source = Published(pooled, text, f"{published.ACTIONS}; {published.COLLECTION}", target)
        yield Line("Agents", f"agent_{agent}_percent", f"{base.display_name(agent)}, %", shares[agent], source)


def _figures(
    frame: pd.DataFrame, values: pd.DataFrame, lines: list[Line], real: RealTable | None
) -> Iterator[tuple[str, Figure]]:
    found = {line.key: line.found for line in lines}
    yield "survival", charts.survival_chart(frame, real, published.SURVIVAL)
    if "cr_percent" in found:
        yield "response", charts.response_chart(found, published.RESPONSE)
    yield "facts", charts.fact_chart(found, published.FACTS, NAMES)
    yield "densities", charts.density_chart(frame, values, published.DENSITY)
    oiled = statistics.oiled_cases(frame, values)
    if oiled.sum() > 2:
        yield "deposition", charts.relation_chart(frame, values, oiled)
    base = load_action_base()
    shares = {agent: found[f"agent_{agent}_percent"] for agent in published.AGENTS}
    yield "agents", charts.agent_chart(shares, {agent: base.display_name(agent) for agent in published.AGENTS})


_CAPTIONS = {
    "survival": (
        "Survival",
        "Left: Kaplan–Meier curves with 95 % bands. Right: each patient; volume tells little, as in life.",
    ),
    "response": ("Response", "Shares with 95 % intervals, and the range aimed at."),
    "facts": ("Clinical facts", "Shares among patients who state the fact, with 95 % intervals."),
    "densities": (
        "Densities",
        "Medians of patients: box to the quartiles, whiskers to 1.5 times their distance.",
    ),
    "deposition": ("Deposition, necrosis and response", NOTE_NECROTIC),
    "agents": (
        "Agents",
        "The two real series treat differently. The clinician of the simulation draws from both together; the dots are "
        "what the rules left of it.",
    ),
}


def _document(cohort: Cohort, lines: list[Line], drawn: list[str], real: RealTable | None) -> str:
    aimed = [line for line in lines if line.met is not None]
    missed = [line for line in aimed if not line.met]
    text = [
        "# How close this cohort comes to reality",
        "",
        f"{cohort.info.get('notice', '')}",
        "",
        f"{len(cohort.rows)} cases, kind `{cohort.info.get('kind')}`, seed {cohort.info.get('seed')}, "
        f"MeWM {cohort.info.get('mewm')}. Intervals are 95 % bootstrap intervals over cases. "
        + ("Whole real distributions are drawn where shown." if real else "Only published figures were at hand."),
        "",
        f"**{len(aimed) - len(missed)} of {len(aimed)} aims met.**"
        + (" Missed: " + "; ".join(f"{m.name} ({_value(m.found)})" for m in missed) + "." if missed else ""),
        "",
    ]
    for section in dict.fromkeys(line.section for line in lines):
        text += [f"## {section}", ""]
        for name in drawn:
            if _CAPTIONS[name][0] == section:
                text += [f"![{section}]({name}.png)", "", f"{_CAPTIONS[name][1]}", ""]
        text += ["| figure | this cohort | published | aim | met | source |", "| --- | --- | --- | --- | --- | --- |"]
        text += [_row(line) for line in lines if line.section == section]
        text.append("")
    if cohort.info.get("kind") == "simulated":
        text += ["## What is not realistic", "", *[f"- {sentence}" for sentence in published.NOT_REALISTIC], ""]
    return "\n".join(text)


def _row(line: Line) -> str:
    target = line.published.target
    aim = "" if target is None else f"{_plain(target[0])} to {_plain(target[1])}"
    met = {None: "", True: "yes", False: "**no**"}[line.met]
    return f"| {line.name} | {_value(line.found)} | {line.published.text} | {aim} | {met} | {line.published.source} |"


def _value(found: Estimate) -> str:
    interval = f" ({_plain(found.low)} to {_plain(found.high)})" if found.low == found.low else ""
    return f"{_plain(found.value)}{interval}"


def _plain(value: float) -> str:
    if value != value:
        return "–"
    text = f"{value:.2f}" if 0 < abs(value) < 1.995 else f"{value:.1f}".removesuffix(".0")
    return text.replace("-", "−")


def _content(cohort: Cohort, lines: list[Line], real: RealTable | None) -> dict[str, Any]:
    aimed = [line for line in lines if line.met is not None]
    return {
        "schema": SCHEMA,
        "mewm": mewm.__version__,
        "cohort": {key: cohort.info.get(key) for key in ("kind", "seed", "cases", "mewm")},
        "cases": len(cohort.rows),
        "real_rows": None if real is None else len(real.weeks),
        "aims": len(aimed),
        "aims_met": sum(bool(line.met) for line in aimed),
        "figures": [
            {
                "section": line.section,
                "key": line.key,
                "name": line.name,
                "value": line.found.value,
                "low": line.found.low,
                "high": line.found.high,
                "cases": line.found.cases,
                "published": line.published.text,
                "source": line.published.source,
                "aim": line.published.target,
                "met": line.met,
            }
            for line in lines
        ],
        "not_realistic": list(published.NOT_REALISTIC),
    }
