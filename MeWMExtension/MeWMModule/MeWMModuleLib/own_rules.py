"""What the rules and the action base say about a protocol that the user types or picks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from mewm.actions import rules
from mewm.actions.base import load_action_base
from mewm.actions.plausible import require_plausible
from mewm.actions.protocol import Protocol
from mewm.actions.text import parse_protocol
from mewm.clinical import read_facts
from mewm.errors import InputError
from MeWMModuleLib.request import facts_of, formulary_of

_SENTENCE_WORDS = {
    *("the", "a", "an", "in", "into", "of", "by", "via", "through", "before", "then", "after", "followed", "using"),
    *("with", "without", "no", "not", "none", "was", "were", "is", "are", "been", "because", "due", "patient", "he"),
    *("she", "we", "received", "given", "gave", "administered", "injected", "injection", "infused", "infusion"),
    *("embolized", "embolised", "performed", "tace", "chemoembolization", "chemoembolisation", "mixed", "emulsion"),
}


@dataclass(frozen=True)
class Verdict:
    """A reading of the user's protocol.

    Attributes:
        protocol: what was understood; ``None`` if nothing.
        problem: one sentence on why it cannot be simulated at all; empty if it can.
        excluded: sentences of the rules that forbid it; the user may override them knowingly.
        warnings: what the user must know beside that.
        notes: what the reader of the text left open.
    """

    protocol: Protocol | None = None
    problem: str = ""
    excluded: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def is_sentence(text: str) -> bool:
    """Whether a text is a sentence, as of a report, whose agents are looked for with more care than those of a list.

    In a sentence a trade name may stand where a list has none, and an agent may be named that was not given.
    """
    words = {word.strip(".,;:()").lower() for word in text.split()}
    return not words.isdisjoint(_SENTENCE_WORDS)


def judge(text: str, parameters: Any) -> Verdict:
    """Read a protocol and check it against the rules, the facts and the formulary of the panel.

    Args:
        text: as typed.
        parameters: the panel's choices.
    """
    if not text.strip():
        return Verdict(problem="Pick agents or type a protocol.")
    if is_sentence(text):
        return Verdict(problem="This is a sentence and no list of agents; press 'Read this text' and check the result.")
    try:
        parsed = parse_protocol(text)
        protocol = parsed.protocol
        if parsed.unknown:
            names = ", ".join(parsed.unknown)
            return Verdict(protocol, f"{names}: not in the action base and cannot be simulated; use the generic name.")
        require_plausible(protocol)
        facts = read_facts(facts_of(parameters))
        found = (*rules.check(protocol, facts, formulary_of(parameters)), *rules.contraindications(facts))
    except InputError as error:
        return Verdict(problem=str(error))
    by_severity = {
        severity: tuple(dict.fromkeys(f.message for f in found if f.severity == severity))
        for severity in ("excluded", "warning", "note")
    }
    notes = (*parsed.notes, *by_severity["note"])
    return Verdict(protocol, "", by_severity["excluded"], by_severity["warning"], notes)


def picked_text(picks: Iterable[tuple[str, str, str]]) -> str:
    """Write picked agents as the text of a protocol.

    Args:
        picks: identifier, dose and particle size in µm, the last two as typed and perhaps empty.
    """
    agents = load_action_base().agents
    parts = []
    for identifier, dose, size in picks:
        agent = agents[identifier]
        words = [agent.name]
        if dose.strip():
            words += [dose.strip(), agent.unit or ""]
        if size.strip():
            words += [size.strip(), "µm"]
        parts.append(" ".join(word for word in words if word))
    return "; ".join(parts)


def usual_amounts(identifier: str) -> tuple[str, str]:
    """Return the usual dose and particle size of an agent as text, empty where it has none."""
    agent = load_action_base().agents[identifier]
    dose = f"{agent.usual_dose:g}" if agent.usual_dose is not None else ""
    return dose, size_text(agent.usual_sizes_um[0]) if agent.usual_sizes_um else ""


def size_text(size: tuple[float, float] | None) -> str:
    """Write a range of particle diameters in µm."""
    if size is None:
        return ""
    low, high = size
    return f"{low:g}" if low == high else f"{low:g}-{high:g}"
