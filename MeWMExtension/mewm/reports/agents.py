"""Agents of a clause: names no list holds are recognised by their place, beads are joined with their drug."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from mewm.actions.base import load_action_base
from mewm.actions.tokens import Token
from mewm.reports.beads import could_be_name, is_amount, is_bead, join_beads, name_particles
from mewm.reports.names import read_names
from mewm.reports.words import DRUG_ENDINGS, GIVING


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SEPARATORS = frozenset(
    [",", "+", "&", "/", "and", "plus", "with", "or", "then", "by", "using", "containing", "followed"]
)
# Small words before the first name of a list: "an emulsion of A and B".
_LEADS = _SEPARATORS | {"of", "the", "a", "an", "both"}
_NAME_WORDS = 3
_SMALLEST_UM, _LARGEST_UM = 40, 2000
_SHORTEST = 3
# What may stand between a name and its amount.
_BEFORE_AMOUNT = _words(
    "( - was at = injection for powder hydrochloride sulfate given cubes cube strips pledgets granules slurry foam"
)
# Names of what is given, before or behind which a name stands.
_SORTS = _words("agent agents drug drugs embolic embolics cytostatic chemotherapeutic")
# What a trade name may be of that is no agent.
_DEVICES = _words(
    "catheter microcatheter wire guidewire microwire sheath technique method system balloon needle device set kit"
)
_INTO_VESSELS = _words("infused injected dissolved emulsified perfused")
_PACKS = _words("vial vials ampoule ampoules ampule ampules bottle bottles syringe syringes box emulsion")
# Endings of English words that no agent is written with, small.
_ENGLISH = tuple(_words("ing tion sion ly ness ment ed ous al ary ery ity ic ies ance ence"))


def read_agents(clause: str) -> list[Token]:
    """Return the pieces of a clause with every agent named, known or not."""
    found = _without_techniques(read_names(clause))
    return join_beads(_bare_sizes(name_particles(_name_unknown(found, clause), clause)), clause)


def _without_techniques(found: list[Token]) -> list[Token]:
    """Take ``DEB-TACE`` and the like for words, unless nothing else in the clause says what a drug was loaded on."""
    if not any(piece.generic for piece in found):
        return found
    agents = {piece.agent for piece in found if piece.given}
    alone = "doxorubicin" in agents and "lipiodol" not in agents and sum(map(is_bead, found)) == 1
    kept = list(found)
    for i, piece in enumerate(found):
        if piece.generic and not alone and [p.lower for p in found[i + 1 : i + 3] if p.lower != "-"][:1] == ["tace"]:
            kept[i] = replace(piece, sort="word")
    return kept


def _bare_sizes(found: list[Token]) -> list[Token]:
    """Read a bare range right beside an agent with particle sizes as µm: "PVA 300-500", "300-500 Embosphere"."""
    read = list(found)
    for i, piece in enumerate(found):
        quantity = piece.quantity
        if quantity is None or quantity.unit is not None:
            continue
        before = [p for p in found[max(i - 2, 0) : i] if p.sort != "particles"][-1:]
        if _SMALLEST_UM <= quantity.low < quantity.high <= _LARGEST_UM and any(
            _sized(p) for p in (*before, *found[i + 1 : i + 2])
        ):
            read[i] = replace(piece, quantity=replace(quantity, unit="µm"))
    return read


def _has_size(piece: Token) -> bool:
    return piece.quantity is not None and piece.quantity.unit == "µm"


def _sized(piece: Token) -> bool:
    """Return whether a name is one of particles or beads."""
    agent = load_action_base().agents.get(piece.agent)
    return piece.given and (piece.kind == "bead" or (agent is not None and agent.size_range_um is not None))


def _name_unknown(found: list[Token], clause: str) -> list[Token]:
    named: list[Token] = []
    i = 0
    for start, end in [*_runs(found), (len(found), len(found))]:
        named += found[i:start]
        i = end
        if start == end:
            break
        text = clause[found[start].start : found[end - 1].end]
        if _is_agent(found, start, end, text, clause):
            named.append(Token("unknown", text, found[start].start, found[end - 1].end, text, "unknown"))
        else:
            named += found[start:end]
    return named


def _runs(found: list[Token]) -> Iterator[tuple[int, int]]:
    """Yield runs of words that could be a name, joined by dashes."""
    i = 0
    while i < len(found):
        if found[i].sort != "word" or not could_be_name(found[i]):
            i += 1
            continue
        end = i + 1
        while end < len(found):
            dash = found[end].lower == "-" and end + 1 < len(found) and found[end + 1].start == found[end].end
            if dash and (found[end + 1].sort == "word" or _numbers(found[i], found[end + 1])):
                end += 2
            elif could_be_name(found[end]) and found[end].start - found[end - 1].end <= 1:
                end += 1
            else:
                break
        yield i, end
        i = end


def _numbers(word: Token, piece: Token) -> bool:
    """Return whether a number behind a dash belongs to a code name: "ZX-201"."""
    return word.text.isupper() and piece.quantity is not None and piece.quantity.unit is None and piece.text.isdigit()


def _is_agent(found: list[Token], start: int, end: int, text: str, clause: str) -> bool:
    words = [p for p in found[start:end] if p.sort == "word"]
    gap = clause[found[end - 1].end : found[end].start] if end < len(found) else ""
    completes = end < len(found) and found[end].holds and found[end].sort != "particles" and "\n" not in gap
    titles = completes and start == 0 and clause[found[end - 1].end :].lstrip().startswith(":")
    described = end < len(found) and found[end].sort == "particles" and start > 0 and found[start - 1].given
    shaped = end < len(found) and _has_size(found[end]) and start > 0 and _sized(found[start - 1]) and text.islower()
    if (
        described
        or shaped
        or titles
        or len(words) > _NAME_WORDS
        or (completes and found[end].start - found[end - 1].end <= 1)
    ):
        return False
    if end < len(found) and found[end].lower in ("trial", "study", "registry"):
        return False
    if _is_gloss(found, start, end):
        dosed = end + 1 < len(found) and is_amount(found[end + 1])
        return len(text) > _SHORTEST and (text[0].isupper() or (dosed and not text.endswith(_ENGLISH)))
    if _besideis_amount(found, start, end, clause):
        return True
    like_drug = any(w.lower.endswith(DRUG_ENDINGS) for w in words)
    if like_drug:
        return True
    bare = all(p.lower in _SEPARATORS or p.sort != "word" or p in words for p in found)
    if len(text) <= _SHORTEST:
        return False
    if not (text[0].isupper() or bare):
        # Written small it could be any word: only where nothing but an agent can stand.
        return not text.endswith(_ENGLISH) and _must_be(found, start, end)
    begins = ":" in clause[found[start - 1].end if start else 0 : found[start].start]
    return _listed(found, start, end, begins=begins) or _is_given(found, start, end, begins=begins)


def _is_gloss(found: list[Token], start: int, end: int) -> bool:
    """Return whether the words stand alone in brackets right behind an agent, as a trade name does."""
    return (
        start > 1
        and end < len(found)
        and found[start - 1].lower == "("
        and found[end].lower == ")"
        and found[start - 2].given
    )


def _besideis_amount(found: list[Token], start: int, end: int, clause: str) -> bool:
    """Return whether a dose or size stands right beside the words and belongs to no other name."""
    i = end
    while i < len(found) and (found[i].lower in _BEFORE_AMOUNT or found[i].sort == "particles"):
        i += 1
    if i < len(found) and is_amount(found[i]):
        after = [p for p in found[i + 1 : i + 3] if p.lower not in ("of", "the")]
        if after and "\n" in clause[found[i].end : after[0].start]:
            return True
        if not (after and after[0].holds) or (start > 0 and found[start - 1].lower in _SEPARATORS):
            return True
    i = start - 1
    while i >= 0 and found[i].lower in ("of", "the", "a", "an", ")", "drug"):
        i -= 1
    if i >= 0 and is_amount(found[i]):
        if i and found[i - 1].lower == "(" and all(p.lower != ")" for p in found[i:start]):
            return True
        before = [p for p in found[:i] if p.lower not in ("(", "-") and p.sort != "quantity"]
        return not (before and before[-1].holds and found[i].lower != ")")
    return False


def _listed(found: list[Token], start: int, end: int, *, begins: bool) -> bool:
    """Return whether the words are an item of a list that names another agent right before or after."""
    before = found[start - 1] if start and not begins else None
    after = found[end] if end < len(found) else None
    sides = []
    if _joined(found, start, end):
        return True
    if before is not None and before.lower in _SEPARATORS:
        sides.append(found[:start][::-1])
    if after is not None and after.lower in _SEPARATORS:
        sides.append(found[end:])
    if not sides or (before is not None and before.lower not in _LEADS and before.sort == "word"):
        return False
    closed = after is None or after.lower in _SEPARATORS or after.lower in ("was", "were", "(", ")")
    for side in sides:
        near = [p for p in side if p.lower not in _SEPARATORS and p.sort != "quantity"]
        if near and near[0].given and closed:
            return True
    return False


def _joined(found: list[Token], start: int, end: int) -> bool:
    """Return whether a dash joins the words with an agent: "Xelvatan-Lipiodol emulsion"."""
    behind = found[end + 1 : end + 2] if end < len(found) and found[end].lower == "-" else []
    ahead = found[start - 2 : start - 1] if start > 1 and found[start - 1].lower == "-" else []
    return found[start].text[:1].isupper() and any(p.given for p in (*behind, *ahead))


def _must_be(found: list[Token], start: int, end: int) -> bool:
    """Return whether nothing but an agent can stand here: "mixed with ...", "... was infused", "A, ..., and B"."""
    before = [p.lower for p in found[max(start - 2, 0) : start]]
    after = found[end] if end < len(found) else None
    closed = after is None or after.lower in _SEPARATORS or after.lower in ("was", "were", "(", ")")
    if not closed and not (after is not None and after.lower == "as"):
        return False
    if before[-2:] == ["mixed", "with"] or (before[-1:] and before[-1] in _SORTS):
        return True
    if before[-1:] == ["of"] and before[0] in _PACKS:
        return True
    left, right = _nearest(found[:start][::-1]), _nearest(found[end:])
    if after is not None and after.lower in ("was", "were") and (not before or left):
        return any(p.lower in _INTO_VESSELS for p in found[end + 1 : end + 3])
    if after is not None and after.lower == "as":
        return any(p.lower in _SORTS for p in found[end + 1 : end + 5])
    return bool(before) and ((before[-1] in (",", "+") and left and right) or (before[-1] == "of" and right))


def _nearest(side: list[Token]) -> bool:
    near = next((p for p in side if p.lower not in _SEPARATORS and p.sort != "quantity"), None)
    return near is not None and near.given


def _is_given(found: list[Token], start: int, end: int, *, begins: bool) -> bool:
    """Return whether the words are what was infused, injected, mixed or used."""
    behind = found[end].lower if end < len(found) else ""
    if behind in _DEVICES:
        return False
    closed = behind in ("", ",", "and", "+", "(", ")", "was", "were", "as", "for", "until", "to", "with")
    ahead = found[start - 1].lower if start else ""
    if closed and (ahead in _SORTS or (ahead in GIVING and ahead.endswith(("ed", "gave")) and not begins)):
        return True
    if behind == "for" and any(p.lower.startswith(("embol", "chemoembol")) for p in found[end + 1 : end + 4]):
        return True
    after = [p.lower for p in found[end : end + 4] if p.sort == "word"]
    if after[:2] == ["loaded", "with"] and any(p.given for p in found[end + 2 : end + 4]):
        return True
    if after[:1] and after[0] in ("was", "were") and any(w in GIVING for w in after[1:3]):
        return True
    before = [p.lower for p in found[max(start - 3, 0) : start]]
    return bool(before) and (
        before[-1] == "using" or (before[-1] in ("of", "with") and any(w in GIVING for w in before[:-1]))
    )
