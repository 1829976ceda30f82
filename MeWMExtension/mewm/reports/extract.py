"""``extract``: one report in, agents with doses and sizes, outcome, shunt and deposition out; offline, by rules.

What it decides beyond :mod:`mewm.actions.text`, whose decisions on emulsions and other organs hold here too:

- Agents that the report denies, plans, names as history, as an allergy or as deposited are listed in ``not_given``.
- A dose called a total, or said again in the impression or a list of medication, is not added a second time.
- A bead named in one sentence and its drug in another are one action; a bead with another drug than the action
  base's stays unknown, under the words of the report.
- An amount that is a range, or per body surface or weight, opens the dose and is noted; nothing raises.
- "Dose: 50 mg" in a sentence of its own belongs to the drug named before it, if that has no dose yet.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import cast

from mewm.actions.base import load_action_base
from mewm.actions.tokens import Token
from mewm.errors import InputError
from mewm.reports.agents import read_agents
from mewm.reports.amounts import Held, assign
from mewm.reports.context import rank, section, why_not_given
from mewm.reports.extraction import Deposited, Mention, NotGiven, ReportExtraction, ShuntState, Span, Statement
from mewm.reports.merge import merge
from mewm.reports.outcome import Reading, final_level, final_shunt, read_outcomes
from mewm.reports.portions import delivered_part, is_mixed, names_place, says_again
from mewm.reports.text import Clause, Clean, clauses, clean, lower_case

MAX_CHARACTERS = 100_000
# The first line of a report says what examination it is of.
_TITLE = 80
_LETTERS = re.compile(r"[^\W\d_]")
_TODAY = re.compile(
    r"\b(?:today|this (?:(?:first|second|third|fourth) )?(?:time|session|tace|treatment|procedure)|current session|"
    r"present session)\b"
)
# "1st TACE:" heads an earlier session where another part of the report tells of today.
_NUMBERED = re.compile(
    r"(?:\d{1,2}(?:st|nd|rd|th)|first|second|third|fourth|initial) (?:tace|session|treatment|procedure)\b"
)
_AT_NUMBERED = re.compile(
    r"(?:at|in|during) (?:the |his |her )?(?:\d{1,2}(?:st|nd|rd|th)|first|initial|last) "
    r"(?:tace|session|treatment|procedure)\b"
)
# "TACE with idarubicin; the pharmacy had none in stock, ...": what was named before was not given.
_NONE_LEFT = re.compile(
    r"\b(?:had|has|there was) (?:none|no more|no stock|run out)\b|"
    r"\bnone (?:was |being )?(?:in stock|available|left in stock)\b|"
    r"\b(?:was|being) (?:out of stock|not in stock|not available|unavailable|sold out)\b"
)
# "The drug was loaded to the spheres" joins beads and a drug told apart.
_LOADED = re.compile(
    r"\b(?:drug|chemotherapeutic|agent|spheres|beads|microspheres|particles)\b[^;]{0,40}\bloaded\b|"
    r"\bloaded (?:on|onto|to|into|in) the (?:\w+ )?(?:spheres|beads|microspheres|particles)\b"
)
_INSTEAD = re.compile(r"\b(?:only|instead|reduced|actually|halved)\b")
# "Diagnostic angiography only", "TACE was therefore not performed", "embolization had to be abandoned".
_NOT_DONE = re.compile(
    r"\bdiagnostic (?:angiogra\w+|arteriogra\w+|dsa)(?: was performed)? only\b|"
    r"\b(?:tace|tae|(?:chemo)?emboli[sz]ation|treatment|procedure|intervention)\b[^.;\n]{0,30}"
    r"\b(?:not (?:performed|done|possible|carried out|undertaken|attempted)|abandoned|aborted|cancell?ed|deferred)\b|"
    r"\bno (?:tace|treatment|(?:chemo)?emboli[sz]ation|intervention) (?:was )?"
    r"(?:performed|done|carried out|undertaken)\b"
)
_OIL_VOLUME = re.compile(r"\b(?:dose|volume|amount|quantity)\b")


def extract(text: str) -> ReportExtraction:
    """Read a free-text TACE or radiology report.

    Args:
        text: the report, at most :data:`MAX_CHARACTERS` characters.

    Returns:
        What was given and what was seen, with the places in ``text``; empty where the report says nothing of it.

    Raises:
        InputError: the report is empty, too long or no text.
    """
    if not isinstance(text, str) or not _LETTERS.search(text):
        raise InputError("The report has no words; give the free text of a TACE or radiology report.")
    if len(text) > MAX_CHARACTERS:
        raise InputError(f"The report has {len(text)} characters; one report has at most {MAX_CHARACTERS}.")
    reader = _Reader(text, clean(text))
    parts = list(clauses(reader.cleaned.text))
    if any(_TODAY.search(clause.lower) for clause in parts):
        parts = [replace(c, heading=f"previous {c.heading}") if _earlier(c) else c for c in parts]
    for clause in parts:
        reader.read(clause)
    seen = read_outcomes(parts, lower_case(reader.cleaned.text[:_TITLE]))
    mentions, protocol = merge(reader.mentions, reader.ranks, loaded=reader.loaded)
    shunt = final_shunt(seen)
    level = [] if reader.untreated() else final_level(seen, reader.given if mentions else None)
    deposition = [r for r in seen if r.about == "deposition"]
    return ReportExtraction(
        mentions=tuple(mentions),
        protocol=protocol,
        unknown=tuple(dict.fromkeys(m.agent for m in mentions if m.kind == "unknown")),
        not_given=tuple(reader.not_given),
        level=cast("int", level[-1].value) if level else None,
        outcome=reader.statements(level),
        shunt=cast("ShuntState", shunt[-1].value) if shunt else None,
        shunt_statements=reader.statements(shunt),
        deposition=cast("Deposited", deposition[-1].value) if deposition else None,
        deposition_statements=reader.statements(deposition),
        notes=tuple(dict.fromkeys(reader.notes)),
    )


def _earlier(clause: Clause) -> bool:
    """Return whether a clause tells of a session by its number, in a report that tells of today elsewhere."""
    return bool(_NUMBERED.match(clause.heading) or _AT_NUMBERED.match(clause.lower))


@dataclass
class _Reader:
    """Collects what the clauses of a report say about agents."""

    text: str
    cleaned: Clean
    mentions: list[Mention] = field(default_factory=list)
    ranks: list[int] = field(default_factory=list)
    not_given: list[NotGiven] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    given: int = 0
    mixed: bool = False
    at_place: bool = False
    loaded: bool = False

    def read(self, clause: Clause) -> None:
        """Take what one clause says."""
        found = read_agents(clause.text)
        held, left = assign(found)
        earlier = len(self.mentions)
        if _NONE_LEFT.search(clause.lower):
            self._missed(clause, found)
            earlier = len(self.mentions)
        for item in held:
            self._take(item, clause, found)
        if self.mentions and not earlier:
            self.given = clause.start
        for amount in left:
            self._refer_back(amount, clause, earlier, found)
        if len(self.mentions) > earlier:
            self.at_place = names_place(clause.lower)
        self.mixed = self.mixed or is_mixed(clause.lower)
        self.loaded = self.loaded or bool(_LOADED.search(clause.lower))

    def _missed(self, clause: Clause, found: list[Token]) -> None:
        """Take back the agent named last, without a dose, of which the clause says that there was none."""
        if not self.mentions or self.mentions[-1].dose is not None or self.mentions[-1].size_um is not None:
            return
        before = _NONE_LEFT.search(clause.lower)
        if before and any(p.given and p.start < before.start() for p in found):
            return
        last = self.mentions.pop()
        self.ranks.pop()
        self.not_given.append(NotGiven(last.agent, "negated", last.text, last.span))

    def untreated(self) -> bool:
        """Return whether the report gives nothing and says so: what it saw is no outcome."""
        denied = any(n.reason == "negated" for n in self.not_given)
        return not self.mentions and (denied or bool(_NOT_DONE.search(lower_case(self.cleaned.text))))

    def statements(self, found: list[Reading]) -> tuple[Statement, ...]:
        """Return readings with their words and their places in the report."""
        spans = [self.cleaned.original(r.start, r.end) for r in found]
        return tuple(Statement(r.value, self.text[a:b], (a, b)) for r, (a, b) in zip(found, spans, strict=True))

    def _take(self, held: Held, clause: Clause, found: list[Token]) -> None:
        """Add what a clause says about one name to the mentions or to what was not given."""
        piece = held.piece
        dosed = held.size is not None or held.dose is not None
        if not piece.given and not (piece.sort == "particles" and dosed):
            return
        if piece.lower == "oil" and not dosed:
            return
        span = self._place(clause, piece)
        written = self.text[span[0] : span[1]]
        agent = piece.agent if piece.sort == "agent" else " ".join(piece.agent.split())
        if reason := why_not_given(clause, found, found.index(piece), dosed):
            self.not_given.append(NotGiven(agent, reason, written, span))
            return
        known = load_action_base().agents.get(piece.agent) if piece.sort == "agent" else None
        name = known.name if known else agent
        if piece.misspelt:
            self.notes.append(f"{written!r} is read as {name}.")
        self.notes += [_open_dose(name, a, known is not None and known.kind == "drug") for a in held.others]
        dose = held.dose.quantity if held.dose else None
        if dose is not None and dose.low <= 0:
            self.notes.append(f"{name}: {dose.text} is no dose.")
            if dose.low == 0 and held.size is None:
                self.not_given.append(NotGiven(agent, "negated", written, span))
                return
            dose = None
        size = held.size.quantity if held.size else None
        self.ranks.append(rank(clause))
        self.mentions.append(
            Mention(
                agent=agent,
                kind=known.kind if known else "unknown",
                text=written,
                span=span,
                dose=dose.low if dose else None,
                unit=dose.unit if dose else None,
                dose_span=self._place(clause, held.dose) if dose and held.dose else None,
                size_um=(size.low, size.high) if size else None,
                size_span=self._place(clause, held.size) if held.size else None,
                total=held.total,
            )
        )

    def _refer_back(self, amount: Token, clause: Clause, earlier: int, found: list[Token]) -> None:
        """Give an amount without a name to the agent named last before the clause, if that lacks a dose."""
        quantity = amount.quantity
        if quantity is None or quantity.low != quantity.high or quantity.low <= 0:
            return
        if self._portion(amount, clause, earlier, found):
            return
        for at in range(earlier - 1, max(earlier - 3, -1), -1):
            mention = self.mentions[at]
            drug = quantity.unit == "mg" and mention.kind in ("drug", "bead", "unknown")
            oil = quantity.unit == "ml" and mention.agent == "lipiodol" and _OIL_VOLUME.search(clause.lower)
            if mention.dose is None and (drug or oil):
                place = self._place(clause, amount)
                self.mentions[at] = replace(mention, dose=quantity.low, unit=quantity.unit, dose_span=place)
                return
            if drug:
                return
        planned = self.not_given[-1] if self.not_given and self.not_given[-1].reason == "plan" else None
        known = load_action_base().agents.get(planned.agent) if planned else None
        if planned and known and known.unit == quantity.unit and _INSTEAD.search(clause.lower):
            place = self._place(clause, amount)
            self.ranks.append(rank(clause))
            self.mentions.append(
                Mention(known.id, known.kind, planned.text, planned.span, quantity.low, quantity.unit, place)
            )

    def _portion(self, amount: Token, clause: Clause, earlier: int, found: list[Token]) -> bool:
        """Take an amount in a sentence of its own as what was given on top, or was delivered of what was loaded."""
        quantity, q = amount.quantity, found.index(amount)
        if quantity is None or section(clause.heading):
            return False
        dosed = [i for i, m in enumerate(self.mentions[:earlier]) if m.dose is not None and m.unit == quantity.unit]
        if not dosed:
            return False
        last = self.mentions[dosed[-1]]
        place = self._place(clause, amount)
        if says_again(found, q) or (self.at_place and names_place(clause.lower)):
            if quantity.unit == "ml" and (last.agent != "lipiodol" or self.mixed):
                return False
            self.ranks.append(rank(clause))
            self.mentions.append(replace(last, dose=quantity.low, dose_span=place, total=False))
            return True
        beads = last.kind == "bead" or " loaded with " in last.agent
        less = quantity.unit == "mg" and quantity.low < cast("float", last.dose) and last is self.mentions[earlier - 1]
        if not (less and delivered_part(found, q, loaded=beads)) or (self.mixed and not beads):
            return False
        self.mentions[dosed[-1]] = replace(last, dose=quantity.low, dose_span=place)
        return True

    def _place(self, clause: Clause, piece: Token) -> Span:
        return self.cleaned.original(clause.start + piece.start, clause.start + piece.end)


def _open_dose(name: str, amount: Token, drug: bool) -> str:
    quantity = amount.quantity
    if quantity and quantity.low != quantity.high:
        return f"{name}: {amount.text} is a range; the dose stays open."
    if quantity and quantity.unit == "ml" and drug:
        return f"{name}: {amount.text} is a volume of solution, no dose in mg."
    return f"{name}: {amount.text} cannot be turned into a dose without facts that the report does not give."
