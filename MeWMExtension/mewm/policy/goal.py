"""What the offline policy understands of a goal in words: agents and classes to avoid or to prefer."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mewm.actions.base import ActionBase, normalise_name
from mewm.roles import Finding

_SOURCE = "The stated goal"
_CLAUSE = re.compile(r"[.;!\n\r]+|\bbut\b", re.IGNORECASE)
_INTENT = re.compile(
    r"\b(?P<avoid>do not (?:use|give)|don'?t (?:use|give)|no|avoid(?:ing)?|without|not|never|exclud(?:e|ing)|"
    r"spare)\b|\b(?P<prefer>prefer(?:ably|red|ring)?|favou?r|use|give|with|try|choose)\b",
    re.IGNORECASE,
)
_LONGEST_NAME = 6


@dataclass(frozen=True)
class Wish:
    """What a goal asks for.

    Attributes:
        avoid: agent identifiers to leave out.
        prefer: agent identifiers to rank first.
        findings: notes that say what was understood and what was not.
    """

    avoid: frozenset[str]
    prefer: frozenset[str]
    findings: tuple[Finding, ...]


def read_goal(goal: str, base: ActionBase) -> Wish:
    """Read a goal such as ``"avoid platinum, prefer gelatin sponge"``.

    A word of avoidance or preference governs the names after it up to the next such word or the end of the
    sentence. An agent both avoided and preferred is avoided.

    Args:
        goal: free text; empty text asks for nothing.
        base: agents, their names and classes.
    """
    if not goal.strip():
        return Wish(frozenset(), frozenset(), ())
    avoid: set[str] = set()
    prefer: set[str] = set()
    rest: list[str] = []
    for clause in _CLAUSE.split(goal):
        marks = list(_INTENT.finditer(clause))
        rest.append(clause[: marks[0].start()] if marks else clause)
        ends = [m.start() for m in marks[1:]] + [len(clause)]
        for mark, end in zip(marks, ends, strict=False):
            words = clause[mark.end() : end]
            agents, left = _agents(words, base)
            (avoid if mark["avoid"] else prefer).update(agents)
            rest.append(" ".join(([] if agents else [mark.group()]) + left))
    prefer -= avoid
    findings = []
    for agents, verb in ((avoid, "avoid"), (prefer, "prefer")):
        if agents:
            names = ", ".join(base.agents[a].name for a in base.agents if a in agents)
            findings.append(Finding("goal", "note", f"The goal was understood as: {verb} {names}.", _SOURCE))
    unread = " ".join(" ".join(rest).split()).strip(" ,")
    if normalise_name(unread) not in ("", "and", "or", "please", "drugs", "agents"):
        message = f"The offline policy reads agents to avoid or prefer and nothing else of the goal: {unread!r}."
        findings.append(Finding("goal-unread", "note", message, _SOURCE))
    return Wish(frozenset(avoid), frozenset(prefer), tuple(findings))


def _agents(words: str, base: ActionBase) -> tuple[set[str], list[str]]:
    """Return the agents named in a piece of text and the words that name none."""
    tokens = re.findall(r"[^\W_]+", words)
    found: set[str] = set()
    left: list[str] = []
    i = 0
    while i < len(tokens):
        for count in range(min(_LONGEST_NAME, len(tokens) - i), 0, -1):
            agents = _named(" ".join(tokens[i : i + count]), base)
            if agents:
                found |= agents
                i += count
                break
        else:
            if tokens[i].lower() not in ("and", "or", "drugs", "agents", "any", "the", "a", "of"):
                left.append(tokens[i])
            i += 1
    return found, left


def _named(name: str, base: ActionBase) -> set[str]:
    agent = base.resolve(name)
    if agent is not None:
        return {agent.id}
    word = normalise_name(name).removesuffix("s")
    if word in ("bead", "drug eluting bead"):
        return {a.id for a in base.agents.values() if a.kind == "bead"}
    if word in ("permanent", "permanent occlusion", "permanent embolic"):
        return {a.id for a in base.agents.values() if a.occlusion == "permanent"}
    return {a.id for a in base.agents.values() if a.drug_class and normalise_name(a.drug_class) == word}
