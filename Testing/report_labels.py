"""Reports with hand-made labels, and how well a reading fits them."""

import hashlib
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

LABELS = Path(__file__).resolve().parent / "engine" / "reports"
_AGENT = re.compile(r"(\??)(.*?)(?:\s+([\d.]+) (mg|ml))?(?:\s+([\d.]+)-([\d.]+) um)?$")


@dataclass(frozen=True)
class Labelled:
    """A report and what a reader found in it: agent → (dose, unit, size), unknown names in lower case."""

    text: str
    agents: dict
    unknown: frozenset
    level: int | None
    deposition: str | None
    shunt: str | None
    not_given: frozenset


def published_texts(folder):
    """Return the labelled published descriptions; the texts are found by their hashes in the file of the source."""
    lines = (folder / "tace_actions" / "actions.txt").read_text(encoding="utf-8").splitlines()
    texts = {hashlib.sha256(line.encode()).hexdigest()[:12]: line for line in lines if line.strip()}
    rows = (LABELS / "labels_tace_actions.txt").read_text(encoding="utf-8").splitlines()
    labels = [row.split("|") for row in rows if not row.startswith("#")]
    return [_labelled(texts[sha], [*fields, ""]) for _, sha, *fields in labels]


def own_texts(name):
    """Return the labelled reports of one file of invented texts."""
    blocks = (LABELS / f"{name}.txt").read_text(encoding="utf-8").split("\n====\n")[1:]
    return [_labelled(text, label.strip("\n").split("|")) for text, _, label in (b.rpartition("\n@ ") for b in blocks)]


def _labelled(text, fields):
    agents, unknown = {}, set()
    for part in filter(None, (p.strip() for p in fields[0].split(";"))):
        mark, name, dose, unit, low, high = _AGENT.match(part).groups()
        name = name.lower() if mark else name
        agents[name] = (float(dose) if dose else None, unit, (float(low), float(high)) if low else None)
        unknown |= {name} if mark else set()
    level, deposition, shunt = (None if f == "-" else f for f in fields[1:4])
    not_given = frozenset(filter(None, fields[4].split(";")))
    return Labelled(text, agents, frozenset(unknown), int(level) if level else None, deposition, shunt, not_given)


def score(labelled, read):
    """Return counts and shares: F1 of agents and of agents with their dose, and shares of the rest."""
    counts = Counter()
    for report in labelled:
        reading = read(report.text)
        found = {a.agent.lower() if a.kind == "unknown" else a.agent: a for a in reading.protocol.actions}
        both = [name for name in report.agents if name in found]
        counts["both"] += len(both)
        counts["all"] += len(report.agents) + len(found)
        counts["dose"] += sum((found[n].dose, found[n].unit) == report.agents[n][:2] for n in both)
        counts["size"] += sum(found[n].size_um == report.agents[n][2] for n in both)
        counts["unknown"] += len(report.unknown)
        counts["unknown found"] += sum(n in found for n in report.unknown)
        counts["order"] += both == [n for n in found if n in report.agents]
        counts["level"] += reading.level == report.level
        counts["deposition"] += reading.deposition == report.deposition
        counts["shunt"] += reading.shunt == report.shunt
        counts["leaked"] += sum(n in found for n in report.not_given if n not in report.agents)
    n = len(labelled)
    return {
        "reports": n,
        "agents F1": 2 * counts["both"] / counts["all"],
        "agent and dose F1": 2 * counts["dose"] / counts["all"],
        "sizes": counts["size"] / counts["both"],
        "order": counts["order"] / n,
        "level": counts["level"] / n,
        "deposition": counts["deposition"] / n,
        "shunt": counts["shunt"] / n,
        "unknown reported": counts["unknown found"] / max(counts["unknown"], 1),
        "leaked": counts["leaked"],
    }
