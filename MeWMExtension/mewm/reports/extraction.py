"""What a report says, as data; every item knows the characters it was read from."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from mewm.actions.protocol import Kind, Protocol

Span = tuple[int, int]
Deposited = Literal["good", "moderate", "poor"]
ShuntState = Literal["absent", "present", "reduced", "closed"]


@dataclass(frozen=True)
class Mention:
    """One agent named as given, at one place of the text.

    Attributes:
        agent: identifier in the action base, or the name as written where the base does not know it.
        kind: ``"drug"``, ``"embolic"``, ``"bead"`` or ``"unknown"``.
        text: the name as written.
        span: first character and the one after the last, in the report.
        dose, unit: the amount in ``"mg"`` or ``"ml"``; ``None`` where the text gives none that can be used.
        dose_span: where the amount stands.
        size_um: smallest and largest particle diameter in µm.
        size_span: where the size stands.
        total: whether the amount is said to be the total of the session.
        repeats: whether this place only says again what the report says elsewhere, so that it adds no dose.
    """

    agent: str
    kind: Kind
    text: str
    span: Span
    dose: float | None = None
    unit: str | None = None
    dose_span: Span | None = None
    size_um: tuple[float, float] | None = None
    size_span: Span | None = None
    total: bool = False
    repeats: bool = False


@dataclass(frozen=True)
class NotGiven:
    """An agent that the report names without giving it.

    Attributes:
        agent: identifier in the action base, or the name as written.
        reason: ``"negated"``, ``"history"``, ``"plan"``, ``"allergy"``, ``"other organ"``, ``"other use"``,
            ``"seen"`` (e.g. deposited Lipiodol) or ``"instruction"`` (words to the reader of the report).
        text: the name as written.
        span: its characters in the report.
    """

    agent: str
    reason: str
    text: str
    span: Span


@dataclass(frozen=True)
class Statement:
    """A phrase of the report and the value read from it.

    Attributes:
        value: attenuation level 1 to 4, deposition quality or state of a shunt.
        text: the words as written.
        span: their characters in the report.
    """

    value: int | str
    text: str
    span: Span


@dataclass(frozen=True)
class ReportExtraction:
    """Everything read from one report.

    Attributes:
        mentions: agents given, in the order of the text.
        protocol: one action per agent in order of first mention, with the dose of the session.
        unknown: names of agents the action base cannot resolve, as written, each once.
        not_given: agents named as denied, earlier, planned or seen.
        level: attenuation level 1 (unchanged) to 4 (complete), see :mod:`mewm.reports.outcome`; ``None`` if unstated.
        outcome: the statements the level rests on, the deciding one last.
        deposition: ``"good"``, ``"moderate"`` or ``"poor"`` deposition of Lipiodol; ``None`` if unstated.
        deposition_statements: where that stands.
        shunt: final state of an arteriovenous or arterioportal shunt; ``None`` if none is mentioned.
        shunt_statements: where that stands.
        notes: amounts that could not become a dose, readings of misspelt names, one sentence each.
    """

    mentions: tuple[Mention, ...] = ()
    protocol: Protocol = field(default_factory=Protocol)
    unknown: tuple[str, ...] = ()
    not_given: tuple[NotGiven, ...] = ()
    level: int | None = None
    outcome: tuple[Statement, ...] = ()
    deposition: Deposited | None = None
    deposition_statements: tuple[Statement, ...] = ()
    shunt: ShuntState | None = None
    shunt_statements: tuple[Statement, ...] = ()
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the extraction as plain JSON values; spans are ``[first, after last]``."""
        from mewm.actions.text import render_protocol

        return {"protocol_text": render_protocol(self.protocol), **asdict(self)}
