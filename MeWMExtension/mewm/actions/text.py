"""Protocol as text and text as protocol.

``render_protocol`` writes ``"Lobaplatin 30 mg; Lipiodol 10 ml; Gelatin Sponge 350 µm"`` and ``parse_protocol``
reads that back exactly. It also reads free angiography reports. What it decides there:

- An agent given twice (infusion and emulsion) becomes one action with the total dose; the parts are kept.
- A volume stated for a drug ("100 ml Oxaliplatin") is a volume of solution: the dose stays open and is noted.
- Lipiodol counts as mixed; how much of the emulsion was injected is not read.
- What angiography showed ("staining disappeared") is outcome, never action. Embolization of another organ
  (splenic artery) is no part of the protocol. Both go to ``ignored``.
- A name that the action base does not know stays as written, as an action of kind ``"unknown"``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from mewm.actions.base import load_action_base
from mewm.actions.clauses import Clause, Mention, read_clauses
from mewm.actions.lexicon import FOREIGN_UNITS
from mewm.actions.protocol import Action, Protocol
from mewm.actions.tokens import Quantity
from mewm.errors import InputError

MAX_CHARACTERS = 20_000


@dataclass(frozen=True)
class ParsedProtocol:
    """What a text says.

    Attributes:
        protocol: one action per agent in order of first mention, total doses.
        unknown: names the action base cannot resolve, as written, each once.
        ignored: clauses that name nothing given: outcomes, other organs, technique.
        notes: amounts that could not become a dose or size, one sentence each.
        parts: every mention as an action of its own, in the order of the text.
    """

    protocol: Protocol
    unknown: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    parts: tuple[Action, ...] = ()


def render_protocol(protocol: Protocol) -> str:
    """Write a protocol as text; the empty protocol becomes the empty string."""
    return "; ".join(render_action(a) for a in protocol.actions)


def render_action(action: Action) -> str:
    """Write one action as ``name dose unit size``, e.g. ``"Doxorubicin-eluting Beads 75 mg 100-300 µm"``."""
    words = [load_action_base().display_name(action.agent)]
    if action.dose is not None:
        words.append(_number(action.dose))
        words += [action.unit] if action.unit else []
    if action.size_um is not None:
        low, high = action.size_um
        words.append(f"{_number(low)} µm" if low == high else f"{_number(low)}-{_number(high)} µm")
    return " ".join(words)


def parse_protocol(text: str) -> ParsedProtocol:
    """Read a typed protocol or an angiography report.

    Units of mass and volume are converted to mg and ml, sizes to µm; a decimal comma is read as a point.

    Raises:
        InputError: the text is empty or too long, names no agent, or a dose has no unit, an unknown unit, is not
            above zero or not a single number.
    """
    if not isinstance(text, str) or not text.strip():
        raise InputError("The protocol text is empty; write agents and doses, e.g. 'Lobaplatin 30 mg; Lipiodol 10 ml'.")
    if len(text) > MAX_CHARACTERS:
        raise InputError(f"The protocol text has {len(text)} characters; a protocol has at most {MAX_CHARACTERS}.")
    parts: list[Action] = []
    ignored: list[str] = []
    notes: list[str] = []
    for clause in read_clauses(text):
        actions = _clause_actions(clause, notes)
        parts += actions
        if not actions and any(c.isalpha() for c in clause.text):
            ignored.append(clause.text)
    if not parts:
        shown = " ".join(text.split())
        shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
        raise InputError(f"No drug or embolic agent was found in the protocol text {shown!r}.")
    parts = _one_spelling(parts)
    for agent in dict.fromkeys(a.agent for a in parts):
        units = list(dict.fromkeys(a.unit for a in parts if a.agent == agent and a.unit))
        if len(units) > 1:
            name = load_action_base().display_name(agent)
            notes.append(f"{name} is stated in {' and in '.join(units)}; only the {units[0]} are added up.")
    unknown = dict.fromkeys(a.agent for a in parts if a.kind == "unknown")
    merged = Protocol(tuple(parts)).merged()
    return ParsedProtocol(merged, tuple(unknown), tuple(ignored), tuple(notes), tuple(parts))


def _clause_actions(clause: Clause, notes: list[str]) -> list[Action]:
    actions: list[Action] = []
    for mentions in clause.items:
        actions += [_action(m, notes) for m in mentions]
    return actions


def _action(mention: Mention, notes: list[str]) -> Action:
    """Turn a mention and its quantities into an action."""
    agent = load_action_base().agents.get(mention.agent)
    kind = "unknown" if agent is None else agent.kind
    action = Action(mention.agent, kind)
    name = mention.agent if agent is None else agent.name
    sized = agent is None or agent.size_range_um is not None
    units = ("mg", "ml") if agent is None else (agent.unit,) if agent.unit else ()
    for quantity in mention.quantities:
        _refuse_unusable(quantity, name, "µm" if agent and sized and agent.kind != "bead" else " or ".join(units))
        if quantity.unit == "µm" and sized and action.size_um is None:
            action = replace(action, size_um=(quantity.low, quantity.high))
        elif quantity.unit in units and action.dose is None:
            if quantity.low != quantity.high:
                raise InputError(f"{name} {quantity.text}: give one dose, not a range.")
            action = replace(action, dose=quantity.low, unit=quantity.unit)
        elif quantity.unit == "ml" and kind == "drug":
            if not any(q.unit == "mg" for q in mention.quantities):
                notes.append(f"{name}: {quantity.text} is a volume of solution; the dose in mg stays open.")
        elif not quantity.vague:
            notes.append(f"{name}: {quantity.text} was not understood and is left out.")
    return action


def _refuse_unusable(quantity: Quantity, name: str, units: str) -> None:
    if quantity.unit is None:
        raise InputError(f"{name} {quantity.text} has no unit that is known; give it in {units}.")
    if quantity.unit in FOREIGN_UNITS:
        raise InputError(f"{name} {quantity.text}: the unit {quantity.unit!r} cannot be used; give it in {units}.")
    if quantity.unit == "nan" or not quantity.finite:
        raise InputError(f"{name} {quantity.text}: this is not a number; give the amount in {units}.")
    if not quantity.vague and quantity.low <= 0:
        raise InputError(f"{name} {quantity.text}: the amount must be above zero.")


def _one_spelling(parts: list[Action]) -> list[Action]:
    """Give an unknown name that comes in several cases its first spelling."""
    first: dict[str, str] = {}
    return [
        replace(a, agent=first.setdefault(a.agent.casefold(), a.agent)) if a.kind == "unknown" else a for a in parts
    ]


def _number(value: float) -> str:
    """Write a number exactly, without exponent and without a needless decimal point."""
    text = format(Decimal(repr(float(value))), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
