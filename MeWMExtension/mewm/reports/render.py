"""A reading written as words again: the structured action description, and the protocol offered for typing."""

from __future__ import annotations

from dataclasses import dataclass

from mewm.actions.protocol import Protocol
from mewm.actions.text import render_action, render_protocol
from mewm.reports.extract import extract
from mewm.reports.extraction import ReportExtraction, Span

_LEVELS = {
    1: "tumour staining unchanged on the final angiography",
    2: "tumour staining partially reduced on the final angiography",
    3: "tumour staining mostly disappeared on the final angiography",
    4: "tumour staining disappeared on the final angiography",
}
_SHUNTS = {
    "absent": "no arteriovenous shunt was seen",
    "present": "an arteriovenous shunt is still present",
    "reduced": "the arteriovenous shunt was reduced",
    "closed": "the arteriovenous shunt disappeared",
}


def describe(reading: ReportExtraction) -> str:
    """Write a reading as the structured action description, which :func:`~mewm.reports.extract.extract` reads back.

    Args:
        reading: its protocol, level, deposition and shunt are written.

    Returns:
        e.g. ``"Lobaplatin 30 mg; Lipiodol 10 ml; Lipiodol deposition was good; tumour staining disappeared on the
        final angiography"``; the empty string for an empty reading.
    """
    parts = []
    for action in reading.protocol.actions:
        bare = action.kind == "unknown" and action.dose is None and action.size_um is None
        parts.append(f"{action.agent} was given" if bare else render_action(action))
    if reading.deposition is not None:
        parts.append(f"Lipiodol deposition was {reading.deposition}")
    if reading.shunt is not None:
        parts.append(_SHUNTS[reading.shunt])
    if reading.level is not None:
        parts.append(_LEVELS[reading.level])
    return "; ".join(parts)


@dataclass(frozen=True)
class SuggestedProtocol:
    """A protocol to offer where the user types one.

    Attributes:
        text: the agents of the action base as protocol text, for the user to check and change.
        unknown: names in the report that the action base does not know; they are not in ``text``.
        hints: what stayed open or was left out, one sentence each.
        places: for each agent in ``text`` or ``unknown``, its name and the places in the report to show.
    """

    text: str
    unknown: tuple[str, ...]
    hints: tuple[str, ...]
    places: tuple[tuple[str, Span], ...]


def suggest_protocol(report: str) -> SuggestedProtocol:
    """Read a report that a user pasted and offer its protocol; fast, offline, loads nothing heavy.

    Raises:
        InputError: the report is empty or too long.
    """
    reading = extract(report)
    known = Protocol(tuple(a for a in reading.protocol.actions if a.kind != "unknown"))
    hints = [f"{name} is not in the action base and is left out." for name in reading.unknown]
    hints += [f"{n.text} is named, but not as given ({n.reason})." for n in reading.not_given if n.reason != "seen"]
    places = tuple((m.agent, m.span) for m in reading.mentions)
    return SuggestedProtocol(render_protocol(known), reading.unknown, (*hints, *reading.notes), places)
