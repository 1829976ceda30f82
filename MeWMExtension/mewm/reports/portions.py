"""Doses told in portions: split over vessels, given again, or loaded in full and delivered in part."""

from __future__ import annotations

import re

from mewm.actions.tokens import Token
from mewm.reports.words import LEFT_OVER, MIXED


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_AGAIN = _words("further another additional more extra again second")
_BEFORE = _words("a an the by then followed with of")
_SEPARATORS = _words(", and / + & ) then by plus")
# Between a dose and an amount these say that the amount is a part of the dose.
_PART_OF = _words("which including included thereof namely ie total i.e. containing remaining rest remainder only")
_PLACES = _words(
    "right left both segment segments seg segmental lobe lobes branch branches artery arteries vessel vessels feeder "
    "feeders side lesion nodule nodules anterior posterior medial lateral caudate phrenic middle rha lha mha cha pha "
    "raha rpha sma trunk collateral collaterals dome"
)
_PLACE = re.compile(r"(?:[sa]-?\d[ab]?|s(?:i{1,3}|iv|vi{0,3})[ab]?)$")
_MIXING = _words("emulsified mixed dissolved suspended stirred shaken blended emulsion suspension")
_MIXES = re.compile(r"\b(?:mix|emuls|suspen|shak|stir|blend)")
_AT_PLACE = re.compile(
    r"(?:right|left|rha|lha|mha|seg(?:ment)?s?\b|[sa]-?\d|lesion|nodule|tumou?r|target|branch|feeder|via|into)\b[^:;]{0,30}:"
)
_DELIVERED = _words("delivered administered injected given infused instilled used")
_REST = _words("rest remainder remaining balance only thrown unadministered") | LEFT_OVER
# So many pieces behind an amount tell where it went.
_REACH = 10


def further_portions(found: list[Token], doses: dict[int, Token], free: list[int]) -> list[tuple[int, int]]:
    """Find amounts that are a second portion of an agent's dose.

    "Cisplatin 50 mg in RHA, 30 mg in LHA", "... infused, another 20 mg ...", "... and 20 mg was emulsified with ...".

    Args:
        found: the pieces of a clause.
        doses: the doses of its names by the place of the name.
        free: places of the amounts that no name took.

    Returns:
        Place of the name and of the amount.
    """
    portions: list[tuple[int, int]] = []
    ends = {h: max(h, _index(found, d, h)) for h, d in doses.items()} if free else {}
    for q in free:
        fitting = [(ends[h], h) for h, d in doses.items() if h < q and _same_unit(d, found[q])]
        end, h = max(((e, h) for e, h in fitting if e < q), default=(-1, -1))
        ahead = [h for h, d in doses.items() if found[q + 2 : q + 3] == [d] and h > q and _same_unit(d, found[q])]
        if h >= 0 and _is_portion(found, end, q):
            portions.append((h, q))
        elif ahead and found[q + 1].lower in ("and", "+"):
            # "4 ml and 2 ml of Lipiodol"
            portions.append((ahead[0], q))
    kept = []
    for h, q in portions:
        behind = [f for f in free if f > h and q > h and _same_unit(doses[h], found[f])]
        whole = len(behind) > 1 and abs(sum(map(_low, (found[f] for f in behind))) - _low(doses[h])) < 1e-6
        # "50 mg: 30 mg infused and 20 mg emulsified" only tells how the 50 mg were split.
        if not (whole and not _placed(found, ends[h])):
            kept.append((h, q))
    return kept


def says_again(found: list[Token], q: int) -> bool:
    """Return whether an amount is said to come on top: "another 20 mg", "20 mg more"."""
    k = q - 1
    while k >= 0 and found[k].lower in _BEFORE:
        k -= 1
    return (k >= 0 and found[k].lower in _AGAIN) or any(p.lower in ("more", "further") for p in found[q + 1 : q + 2])


def names_place(text: str) -> bool:
    """Return whether a clause in lower case begins with the place it tells of: "left lobe: 20 mg"."""
    return bool(_AT_PLACE.match(text))


def is_mixed(text: str) -> bool:
    """Return whether a text in lower case tells of an emulsion, whose volume is no dose of Lipiodol."""
    return bool(_MIXES.search(text))


def delivered_part(found: list[Token], q: int, *, loaded: bool) -> bool:
    """Return whether an amount is what was delivered of a dose told before, the rest being left over.

    Args:
        found: the pieces of a clause.
        q: place of the amount.
        loaded: whether the dose is that of loaded beads, which a stasis ends early.
    """
    near = [p.lower for p in (*found[max(q - 4, 0) : q], *found[q + 1 : q + 6]) if p.sort == "word"]
    if says_again(found, q) or not set(near) & _DELIVERED or "prepared" in near:
        return False
    words = {p.lower for p in found}
    return loaded or (bool(words & _REST) and not words & (MIXED | _MIXING))


def both_sides(behind: list[Token]) -> bool:
    """Return whether the words behind "each" name two vessels or lobes."""
    words = [p.lower for p in behind]
    return ("right" in words and "left" in words) or "both" in words


def _is_portion(found: list[Token], end: int, q: int) -> bool:
    between = [p.lower for p in found[end + 1 : q]]
    if set(between) & _PART_OF:
        return False
    oil = found[q].quantity is not None and found[q].quantity.unit == "ml"  # type: ignore[union-attr]
    mixed = any(p.lower in MIXED or p.lower in _MIXING for p in found[:q])
    again = says_again(found, q)
    if oil and mixed and not (again and found[q + 1 : q + 2] and found[q + 1].lower == "with"):
        # Of a mixture the volume that went into each vessel is no dose.
        return False
    if again:
        return True
    if found[q - 1].lower not in _SEPARATORS:
        return False
    if found[q - 1].lower in ("and", "+") and end == q - 2 and found[end].quantity is not None:
        # "Lipiodol 4 ml + 4 ml"
        return True
    return (_placed(found, end) and _placed(found, q)) or (not oil and _goes_into_oil(found, q))


def _placed(found: list[Token], i: int) -> bool:
    """Return whether a vessel, lobe or segment is named right behind a piece."""
    for piece in found[i + 1 : i + 1 + _REACH]:
        if piece.holds or piece.sort == "quantity" or piece.lower == ",":
            return False
        if piece.lower in _PLACES or _PLACE.match(piece.lower):
            return True
    return False


def _goes_into_oil(found: list[Token], q: int) -> bool:
    """Return whether an amount is told to have been mixed: "20 mg was emulsified with 10 ml Lipiodol"."""
    words = [p.lower for p in found[q + 1 : q + 4] if p.sort == "word"]
    return bool(set(words) & _MIXING) and words[0] in ("was", "were", "then", *_MIXING)


def _same_unit(dose: Token, amount: Token) -> bool:
    a, b = dose.quantity, amount.quantity
    return a is not None and b is not None and a.unit == b.unit and a.unit in ("mg", "ml") and b.low == b.high


def _low(amount: Token) -> float:
    return amount.quantity.low if amount.quantity else 0.0


def _index(found: list[Token], dose: Token, name: int) -> int:
    """Return the place of a dose, which came with its name where a bead and its drug were joined."""
    return next((i for i, p in enumerate(found) if p is dose), name)
