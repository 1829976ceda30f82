"""Beads and particles: the trade name before them, and the drug they carry."""

from __future__ import annotations

import re
from dataclasses import replace

from mewm.actions.tokens import Token
from mewm.reports.names import is_listed
from mewm.reports.words import PLAIN

_LOADING = re.compile(r"load|elut|impregnat|carrying|containing|bound|charged|soaked")
_TECHNIQUE = re.compile(r"\bdeb\W{0,2}tace\b|\bdeb\b.{0,20}\bchemoemboli", re.IGNORECASE)
_PACKED = re.compile(r"vial|bottle|amp|syringe", re.IGNORECASE)
_PLACE = re.compile(r"[A-Za-z]{1,3}\d{1,2}[a-z]?$")
_NAME_WORDS = 3


def could_be_name(piece: Token) -> bool:
    """Return whether a word could be, or be part of, the name of an agent."""
    word = piece.lower
    return (
        piece.sort == "word"
        and len(word) > 1
        and word not in PLAIN
        and word.removesuffix("'s") not in PLAIN
        # "Chemoperfusion", "chemoinfusion": what is done, not what is given.
        and not word.startswith("chemo")
        and not _PLACE.match(piece.text)
    )


def is_amount(piece: Token) -> bool:
    """Return whether a token is a dose or a size."""
    quantity = piece.quantity
    if quantity is None:
        return False
    if quantity.unit == "vague":
        return bool(_PACKED.search(quantity.text))
    return quantity.unit in ("mg", "ml", "µm", "mg/m2", "mg/m²", "mg/kg", "g/m2")


def name_particles(found: list[Token], clause: str) -> list[Token]:
    """Join a trade name nobody lists with the "microspheres" behind it, where these are sized or loaded."""
    if not any(t.sort == "particles" for t in found):
        return found
    named: list[Token] = []
    for i, token in enumerate(found):
        start = _brand(named) if token.sort == "particles" else len(named)
        if start == len(named) or not any(
            is_amount(t) or _LOADING.search(t.lower) for t in (*named[max(start - 1, 0) : start], *found[i + 1 : i + 5])
        ):
            named.append(token)
            continue
        first, last = named[start], named[-1]
        name = clause[first.start : last.end]
        del named[start:]
        text = clause[first.start : token.end]
        named.append(Token("unknown", text, first.start, token.end, name, "bead"))
    return named


def _brand(before: list[Token]) -> int:
    """Return where the capitalised words at the end of ``before`` begin, if one of them is no common word."""
    start, end = len(before), len(before)
    while start > 0 and end - start < _NAME_WORDS and _capital(before[start - 1]):
        start -= 1
    while start < end and before[start].sort == "word" and not could_be_name(before[start]):
        start += 1
    return start


def _capital(token: Token) -> bool:
    return token.text[:1].isupper() and (
        (token.sort == "word" and not _PLACE.match(token.text))
        or (token.sort == "unknown" and token.kind == "unknown" and not is_listed(token.text))
    )


def join_beads(found: list[Token], clause: str) -> list[Token]:
    """Join each bead with the drug it carries into one piece, in either order."""
    if _LOADING.search(clause):
        found = [replace(t, kind="bead") if _loaded_brand(found, i) else t for i, t in enumerate(found)]
    if not any(is_bead(t) for t in found):
        return found
    technique = bool(_TECHNIQUE.search(clause))
    joined: list[Token] = []
    i = 0
    while i < len(found):
        end = _partner(found, i, loading=technique)
        if end is None:
            joined.append(found[i])
            i += 1
            continue
        first, last = found[i], found[end]
        between = found[i + 1 : end]
        joined.append(_pair(first, last, between, clause[first.start : last.end]))
        i = end + 1
    return joined


def _loaded_brand(found: list[Token], i: int) -> bool:
    """Return whether a name nobody lists is loaded with a drug: "Tandem 100 µm loaded with irinotecan"."""
    if found[i].sort != "unknown" or is_listed(found[i].text):
        return False
    behind = [p for p in found[i + 1 : i + 4] if p.quantity is None]
    return [p.lower for p in behind[:2]] == ["loaded", "with"]


def is_bead(piece: Token) -> bool:
    """Return whether a token names beads or particles."""
    return piece.kind == "bead" or (piece.sort == "particles" and piece.lower not in ("particulate", "particulates"))


def _is_drug(piece: Token) -> bool:
    return piece.given and piece.kind in ("drug", "unknown")


def _partner(found: list[Token], i: int, *, loading: bool) -> int | None:
    """Return where the partner of the bead or drug at ``i`` stands, if the words between say that it is loaded."""
    first = found[i]
    if not first.holds or not (is_bead(first) or _is_drug(first)):
        return None
    weak = False
    for j in range(i + 1, min(i + 14, len(found))):
        piece = found[j]
        if piece.holds:
            if not ((is_bead(first) and _is_drug(piece)) or (_is_drug(first) and is_bead(piece))):
                return None
            bead, drug = (first, piece) if is_bead(first) else (piece, first)
            between = found[i + 1 : j]
            beside = all(p.sort == "quantity" or p.lower in ("(", ")", "of") for p in between)
            # "Doxorubicin (75 mg) on 2 ml CalliSpheres"
            on = bead is piece and any(p.lower in ("on", "onto") for p in between[-3:]) and _only_amounts(between)
            if drug.kind == "unknown" and not (loading or (on and is_listed(drug.lower))):
                return None
            if loading or (bead.kind == "bead" and (j == i + 1 or on or (bead is first and (weak or beside)))):
                return j
            return None
        if piece.sort == "word":
            loading = loading or bool(_LOADING.search(piece.lower))
            weak = weak or piece.lower == "with"
        if piece.lower in ("and", "+", "then", "followed"):
            return None
    return None


def _only_amounts(between: list[Token]) -> bool:
    """Return whether only amounts and small words stand between two pieces."""
    small = ("(", ")", "of", "on", "onto", "the", "a", "one", "two", "vial", "vials")
    return all(p.sort == "quantity" or p.lower in small for p in between)


def _pair(first: Token, last: Token, between: list[Token], text: str) -> Token:
    bead, drug = (first, last) if is_bead(first) else (last, first)
    # A volume, and a mass before "loaded", is that of the beads, no dose of the drug.
    loading = next((k for k, p in enumerate(between) if _LOADING.search(p.lower)), 0) if bead is first else 0
    loaded = tuple(
        p
        for k, p in enumerate(between)
        if p.quantity and (p.quantity.unit == "µm" or (p.quantity.unit == "mg" and k >= loading))
    )
    pair = replace(bead, start=first.start, end=last.end, text=text, loaded=loaded, generic=False)
    if drug.agent == "doxorubicin" and (bead.sort == "particles" or bead.agent == "doxorubicin_eluting_beads"):
        return replace(pair, sort="agent", agent="doxorubicin_eluting_beads", kind="bead")
    short = bead is last and not loaded and len([p for p in between if p.sort == "word"]) <= 1
    name = text if short else f"{bead.text} loaded with {drug.text}"
    return replace(pair, sort="unknown", agent=name, kind="unknown")
