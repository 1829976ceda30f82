"""The mentions of a report put together: beads with their drug, one spelling a name, the dose of the session."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from mewm.actions.protocol import Action, Protocol
from mewm.reports.extraction import Mention, Span

_LOADED = " loaded with "
_BEADS = re.compile(r"(?:sphere|bead|pearl)s?$", re.IGNORECASE)


def merge(mentions: Sequence[Mention], ranks: Sequence[int], *, loaded: bool = False) -> tuple[list[Mention], Protocol]:
    """Put the mentions of a report together.

    Args:
        mentions: in the order of the text.
        ranks: for each, how likely it only repeats what the report says elsewhere (0 least).
        loaded: whether a sentence says that the beads were loaded with the drug.

    Returns:
        The mentions with repetitions marked, and the protocol: one action per agent with the dose of the session.
    """
    marked = [
        replace(m, repeats=True) if _repeats(m, r, mentions, ranks) else m for m, r in zip(mentions, ranks, strict=True)
    ]
    late = {m.span for m, r in zip(mentions, ranks, strict=True) if r > 0 or m.total}
    joined = _one_spelling(_fold_beads(_sized_beads(_total_on_beads(marked, late)), loaded=loaded))
    return joined, protocol_of(joined)


def protocol_of(mentions: Sequence[Mention]) -> Protocol:
    """Return one action per agent in order of first mention.

    Doses add up, a total stands for all, a repetition adds none.
    """
    actions = []
    for mention in mentions:
        dose = None if mention.repeats or mention.total else mention.dose
        actions.append(
            Action(mention.agent, mention.kind, dose, mention.unit if dose is not None else None, mention.size_um)
        )
    merged = Protocol(tuple(actions)).merged()
    totals = {m.agent: m for m in mentions if m.total and m.dose is not None and not m.repeats}
    return Protocol(tuple(_with_total(a, totals.get(a.agent)) for a in merged.actions))


def _repeats(mention: Mention, rank: int, mentions: Sequence[Mention], ranks: Sequence[int]) -> bool:
    """Return whether a part of the report that ranks lower gives the agent, or its dose where this place states one."""
    if rank == 0:
        return False
    others = [m for m, r in zip(mentions, ranks, strict=True) if r < rank and m.agent == mention.agent]
    return any(m.dose is not None for m in others) if mention.dose is not None else bool(others)


def _with_total(action: Action, total: Mention | None) -> Action:
    if total is None or total.dose is None:
        return action
    if action.dose is None or action.unit != total.unit or total.dose >= action.dose:
        return replace(action, dose=total.dose, unit=total.unit)
    return replace(action, dose=action.dose + total.dose)


def _sized_beads(mentions: list[Mention]) -> list[Mention]:
    """Give the size of "beads" of no make to the drug-eluting bead that the report names without a size."""
    kept: list[Mention] = []
    for mention in mentions:
        nameless = mention.kind == "unknown" and mention.agent.lower() in (
            "beads",
            "microspheres",
            "particles",
            "spheres",
        )
        unsized = [m for m in kept if m.kind == "bead" and m.size_um is None]
        if nameless and mention.dose is None and mention.size_um and len(unsized) == 1:
            at = kept.index(unsized[0])
            kept[at] = replace(unsized[0], size_um=mention.size_um, size_span=mention.size_span)
        else:
            kept.append(mention)
    return kept


def _total_on_beads(mentions: list[Mention], late: set[Span]) -> list[Mention]:
    """Read a drug that only a total or the conclusion names ("Total dose 75 mg doxorubicin") as that of the beads."""
    beads = {_drug_of(m): m for m in mentions if m.dose is not None and _drug_of(m)}
    named = {m.agent.lower() for m in mentions if m.span not in late and m.dose is not None}
    if beads and all(m.agent != "lipiodol" for m in mentions):
        # A title such as "Irinotecan beads" gives nothing on top.
        mentions = [m for m in mentions if m.dose is not None or m.agent.lower() not in beads]
    return [
        replace(m, agent=beads[m.agent.lower()].agent, kind=beads[m.agent.lower()].kind, total=True, repeats=False)
        if m.span in late and m.dose is not None and m.agent.lower() in beads and m.agent.lower() not in named
        else m
        for m in mentions
    ]


def _drug_of(mention: Mention) -> str:
    """Return the drug that a mention of beads says they carry, in lower case, ``""`` for anything else."""
    if mention.kind == "bead":
        return "doxorubicin"
    return mention.agent.lower().partition(_LOADED)[2]


def _fold_beads(mentions: list[Mention], *, loaded: bool) -> list[Mention]:
    """Join beads without a drug and a drug without oil that stand in different clauses; drop repeated generic names."""
    named = any(_LOADED in m.agent or ("beads" in m.agent.lower() and m.kind == "unknown") for m in mentions)
    if named:
        mentions = [m for m in mentions if not (m.kind == "bead" and m.dose is None and _generic(m))]
    beads = [m for m in mentions if m.kind == "bead" or (loaded and _BEADS.search(m.agent) and m.kind == "unknown")]
    drugs = [m for m in mentions if m.kind == "drug" and m.dose is not None]
    dosed = any(m.dose is not None for m in beads)
    if not beads or dosed or len({m.agent for m in drugs}) != 1 or any(m.agent == "lipiodol" for m in mentions):
        return mentions
    carrier, drug = beads[0], drugs[0]
    own = drug.agent == "doxorubicin" and carrier.kind == "bead"
    agent = carrier.agent if own else f"{carrier.text}{_LOADED}{drug.text}"
    first = replace(
        carrier,
        agent=agent,
        kind="bead" if own else "unknown",
        dose=drug.dose,
        unit=drug.unit,
        dose_span=drug.dose_span,
        total=drug.total,
        repeats=False,
    )
    rest = [
        replace(m, agent=agent, kind=first.kind)
        for m in mentions
        if m is not carrier and m is not drug and m in (*beads, *drugs)
    ]
    others = [m for m in mentions if m not in (*beads, *drugs)]
    return sorted([first, *rest, *others], key=lambda m: m.span)


def _generic(mention: Mention) -> bool:
    return bool(re.match(r"(?:deb|drug)", mention.text, re.IGNORECASE))


def _one_spelling(mentions: list[Mention]) -> list[Mention]:
    """Give an unknown name that comes in several cases its first spelling."""
    first: dict[str, str] = {}
    return [
        replace(m, agent=first[m.agent.casefold()])
        if m.kind == "unknown" and first.setdefault(m.agent.casefold(), m.agent) != m.agent
        else m
        for m in mentions
    ]
