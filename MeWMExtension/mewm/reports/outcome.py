"""What angiography showed at the end: attenuation level, state of a shunt, deposition of Lipiodol.

The paper (arXiv 2506.02327) attenuates the lesion by the occlusion words of the report, in four steps. Its public code
tells staining that disappeared, feeding arteries that were occluded, a reduction and everything else apart. Here the
four levels are ordered by how much of the arterial supply is gone, which is what these words mean to the operator:

====== ============== ==========================================================================================
level  meaning        words
====== ============== ==========================================================================================
4      complete       staining disappeared, vanished, gone, absent, no (residual) blush; feeding arteries occluded or
                      blocked; (complete) stasis; devascularised; flow ceased; reduced by 100 %
3      nearly         any of these with mostly, nearly, almost, basically, largely, near, subtotal; marked, significant,
                      obvious reduction or improvement; complete with slight residual; 70 % and more
2      partial        partial, slight or moderate reduction or occlusion; reduced without a degree; slow or
                      sluggish flow; residual or
                      remaining blush; complete in one feeder and unchanged in another; 10 % and more
1      unchanged      no (significant) change or reduction, unchanged, persistent or still present, patent feeders,
                      occlusion failed
====== ============== ==========================================================================================

A stated SACE level (subjective angiographic chemoembolization endpoint, Lewandowski et al. 2007, I to IV) is the level.
Staining decides over feeding arteries and flow, because staining shows the tumour itself; a later statement decides
over an earlier one; within a sentence the worst part of the tumour decides. Without such words there is no level: a
shunt that closed or dense Lipiodol says nothing about it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import cast

from mewm.reports.context import section
from mewm.reports.outcome_values import changes, level, quality, state, worst
from mewm.reports.outcome_words import degrees, negations, places, subjects, syntax, times
from mewm.reports.text import Clause

# A part so long that says nothing of change begins another topic.
_LONG = 40
# "No change." as a sentence of its own is what was seen.
_SHORT = 12


@dataclass(frozen=True)
class Reading:
    """One part of a clause and what it says.

    Attributes:
        about: ``"staining"``, ``"supply"``, ``"vessels"`` of no stated use, ``"shunt"`` or ``"deposition"``.
        value: level 1 to 4, state or quality.
        start, end: its place in the clean text.
        where: sides, segments or vessels of which it speaks.
        final: whether it is said to be the last thing seen.
        first: whether it is what an angiogram showed, and not said to be a later one.
        diagnostic: whether it is said of the angiogram of a certain vessel, as one looks for what feeds the tumour.
        slight: whether all it says is that a slight rest is left.
    """

    about: str
    value: int | str
    start: int
    end: int
    where: frozenset[str] = frozenset()
    final: bool = False
    first: bool = False
    diagnostic: bool = False
    slight: bool = False


@dataclass(frozen=True)
class _Part:
    """A part of a clause, with the topic it has or keeps from the part before."""

    about: str
    start: int
    end: int
    text: str


def read_outcomes(clauses: Iterable[Clause], title: str) -> list[Reading]:
    """Read every statement of a report about staining, supply, shunt and deposition.

    Args:
        clauses: the clauses of the report.
        title: its first words; in a report of CT or MRI enhancement is no staining on angiography.
    """
    found: list[Reading] = []
    imaging = bool(times.CROSS_SECTION.search(title)) and not times.ANGIOGRAPHY.search(title)
    topic = ""
    place: frozenset[str] = frozenset()
    for clause in clauses:
        if section(clause.heading) in ("history", "plan"):
            continue
        place = _place(clause, place)
        goes_on = (
            syntax.PRONOUN.search(clause.lower)
            or places.HERE.match(clause.lower)
            or syntax.ELLIPSIS.match(clause.lower)
            or degrees.TRACE.match(clause.lower)
        )
        start = topic if goes_on else ""
        told = start or subjects.TOPIC.search(clause.lower) or times.RESULT.search(clause.heading)
        if not told and len(clause.lower) > _SHORT:
            continue
        parts = _parts(clause, start)
        found += (r if r.where else replace(r, where=place) for r in _read(clause, parts, imaging))
        topic = next((p.about for p in reversed(parts) if p.about), topic)
    return found


def _place(clause: Clause, place: frozenset[str]) -> frozenset[str]:
    """Return the place of which a clause speaks unless it names another: the one before the last colon."""
    head = places.HEAD.match(clause.lower)
    if head:
        return frozenset(places.WHERE.findall(head[0]))
    return frozenset() if clause.heading or times.LATER.search(clause.lower) else place


def _read(clause: Clause, parts: list[_Part], imaging: bool) -> Iterator[Reading]:
    end = clause.start + len(clause.lower)
    if sace := degrees.SACE.search(clause.lower):
        yield Reading("staining", degrees.SACE_LEVEL[sace[1].lower()], clause.start, end)
        return
    past = times.PAST.search(clause.lower)
    compared = past and clause.lower[: past.start()].endswith(times.COMPARED)
    if times.BOTH_TIMES.search(clause.lower):
        return
    if past and not compared:
        # "Blush before embolization, traces after": what is told of later.
        parts = [p for p in parts if p.start >= past.end() and times.AFTERWARDS.search(p.text)]
    before = ""
    for part, following in pairwise([*parts, _Part("", 0, 0, "")]):
        if part.about == "shunt" and (subjects.SHUNT.search(part.text) or changes(part.text)):
            value = state(part.text)
            if value == "present" and following.about in ("staining", "supply", ""):
                # "The shunt and the staining disappeared", not "a shunt and faint staining were seen".
                behind = subjects.STAIN.search(following.text) or subjects.SUPPLY.search(following.text)
                said = following.text[behind.end() :] if behind else following.text
                value = state(said) if changes(said) else value
            if subjects.SHUT_SHUNT.search(clause.lower):
                value = "closed"
            if before == "reduced" and negations.NOT_GONE.search(part.text):
                value = before
            before = value
            yield Reading("shunt", value, clause.start + part.start, clause.start + part.end)
        deposits = part.about == "deposition" or (part.about == "shunt" and subjects.DEPOSIT.search(part.text))
        if deposits and (stated := quality(part.text) or quality(following.text)):
            yield Reading("deposition", stated, clause.start + part.start, clause.start + part.end)
    cross = times.CROSS_SECTION.search(clause.heading or clause.lower) and not times.ANGIOGRAPHIC.search(clause.lower)
    if not (imaging or cross):
        for about, reached, slight in _levels(clause.lower, parts):
            where = frozenset(places.WHERE.findall(clause.lower))
            if not where and degrees.SOME_OF.search(clause.lower):
                # "Two of the three feeders" are not "the third" of the next sentence.
                where = frozenset(["some"])
            final = bool(times.FINAL.search(clause.lower))
            first = bool(times.SHOWN.search(clause.lower)) and not times.LATER.search(clause.lower)
            diagnostic = first and bool(times.DIAGNOSTIC.search(clause.lower))
            yield Reading(about, reached, clause.start, end, where, final, first, diagnostic, slight)


def _levels(text: str, parts: list[_Part]) -> Iterator[tuple[str, int, bool]]:
    """Yield the level of staining and of supply that a clause comes to, and whether only a slight rest is told."""
    levels: dict[str, list[int]] = {"supply": [], "staining": [], "vessels": []}
    residual = {"supply": False, "staining": False, "vessels": False}
    for part, following in pairwise([*parts, _Part("", 0, 0, "")]):
        if part.about not in levels:
            continue
        said = part.text
        value, rest = level(said, part.about == "staining")
        if (
            value is None
            and not rest
            and following.about not in ("", "deposition")
            and not syntax.VERB.search(part.text)
        ):
            # Two subjects share the predicate behind the second: "arteries and staining disappeared".
            said = following.text
            value, rest = level(said, part.about == "staining")
        if rest and any(_elsewhere(part, p) for p in parts) and not degrees.SLIGHT_REST.search(said):
            # What is left of another part of the tumour is no small rest of this one.
            value, rest = 2, False
        if value is not None and times.SEQUENCE.search(part.text):
            # "Residual blush, after gelatin sponge no blush": the rest is no longer there.
            residual[part.about] = False
        residual[part.about] |= rest
        levels[part.about] += [] if value is None else [value]
    if levels["supply"] or residual["supply"]:
        levels["supply"] += levels["vessels"]
    for about, values in levels.items():
        value = worst(values, residual[about])
        if len(values) > 1 and times.SEQUENCE.search(text):
            value = values[-1]
        if 4 in values and syntax.OTHERWISE.search(text):
            value = 3
        if about == "staining" and 4 in levels["supply"]:
            # Feeders occluded: staining that is left is slight, staining unchanged is another feeder's.
            value = 3 if value == 2 and not values else 2 if value == 1 else value
        if value is not None:
            yield about, value, not values and residual[about] and bool(degrees.SLIGHT_REST.search(text))


def _elsewhere(part: _Part, other: _Part) -> bool:
    """Return whether two parts speak of different sides, segments or vessels."""
    here, there = places.WHERE.findall(part.text), places.WHERE.findall(other.text)
    return bool(here and there) and not set(here) & set(there) and other.about == part.about


def _parts(clause: Clause, about: str) -> list[_Part]:
    """Cut a clause into parts, each with what it is about; a part without a subject keeps the one before."""
    text = clause.lower
    edges = [0, *(m.start() for m in syntax.PARTS.finditer(text)), len(text)]
    filled = subjects.FILLED.search(text)
    unchanged = negations.NO_CHANGE.search(text) and (times.EXAMINED.search(text) or len(text) <= _SHORT)
    if not about and (unchanged or times.RESULT.search(clause.heading)):
        about = "supply"
    parts: list[_Part] = []
    earlier = about
    for start, end in pairwise(edges):
        part = text[start:end]
        if part.startswith(("nor", "or")) and parts and negations.NO.search(parts[-1].text):
            # "No stain or shunt" denies both.
            part = f"no{part[part.index('r') + 1 :]}"
        if named := _topic(part, text, bool(filled), about):
            about = named
        elif about in ("staining", "supply", "vessels") and len(part) > _LONG and not changes(part):
            about = ""
        elif not about and syntax.ELLIPSIS.search(part):
            about = earlier
        earlier = about or earlier
        if end > start:
            parts.append(_Part(about, start, end, part))
    return parts


def _topic(part: str, text: str, filled: bool, about: str) -> str:
    """Return what a part of a clause is about by its own words, ``""`` if they do not say; ``about`` it was so far."""
    if subjects.SHUNT.search(part) or (about == "shunt" and subjects.LESS_FLOW.match(part)):
        return "shunt"
    deposited = subjects.DEPOSITED.search(part) or (subjects.DEPOSIT.search(part) and subjects.OIL.search(text))
    if deposited or (filled and ("fill" in part or "saturat" in part)):
        return "deposition"
    if subjects.STAIN.search(part):
        return "staining"
    if subjects.SUPPLY.search(part):
        return "supply"
    return "vessels" if subjects.VESSELS.search(part) and not subjects.OTHER_VESSELS.search(part) else ""


def final_level(found: list[Reading], given: int | None) -> list[Reading]:
    """Return the readings the level rests on, the deciding one last.

    Args:
        found: all readings.
        given: where the report first tells of something given, ``None`` if it never does; a look before it is no result
            where another follows, or where it was one of a vessel on the way to the tumour.
    """
    if given is not None:
        later = any(r.start >= given and r.about in ("staining", "supply") for r in found)
        found = [r for r in found if not (r.end <= given and ((later and r.first) or r.diagnostic))]
    staining = [r for r in found if r.about == "staining"]
    supply = [r for r in found if r.about == "supply"]
    if not (staining and supply):
        return _places(staining or supply or [r for r in found if r.about == "vessels" and r.value != 1])
    last, fed = _places(staining)[-1], _places(supply)[-1]
    if last.value == 1 and fed.value == 4:
        # Staining unchanged beside occluded feeders: an earlier look, or what another vessel feeds.
        later = fed.start > last.start and fed.final and not last.final
        return [*staining, *supply, fed if later else replace(last, value=2)]
    return _places(staining)


def _places(found: list[Reading]) -> list[Reading]:
    """Return readings, the deciding one last: the last, or the worst of the last ones of different places."""
    if not found or not found[-1].where:
        return found
    last = {found[-1].where: found[-1]}
    for reading in found[-2::-1]:
        if not reading.where:
            break
        if all(not reading.where & where for where in last):
            last[reading.where] = reading
    values = [cast("int", r.value) for r in last.values()]
    if max(values) > 2:
        values = [3 if r.slight else cast("int", r.value) for r in last.values()]
    value = worst(values, False)
    return found if value is None else [*found, replace(found[-1], value=value)]


def final_shunt(found: list[Reading]) -> list[Reading]:
    """Return the readings about a shunt, the deciding one last; one no longer there had been closed."""
    shunts = [r for r in found if r.about == "shunt"]
    if len(shunts) > 1 and shunts[-1].value == "absent" and shunts[0].value != "absent":
        shunts[-1] = Reading("shunt", "closed", shunts[-1].start, shunts[-1].end)
    return shunts
