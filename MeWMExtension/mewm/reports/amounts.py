"""Which amount of a clause belongs to which agent.

Every amount goes to the name nearest to it that can take it; names are agents, but also carriers ("9 ml of the
emulsion", "in 40 ml glucose") and supportive drugs, which so keep their amounts to themselves. A name takes one dose
and one size. Where an amount stands between two names, the order of the clause decides: "A 10 mg B 20 mg" reads on,
"10 mg A 20 mg B" reads ahead.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import takewhile

from mewm.actions.base import load_action_base
from mewm.actions.lexicon import FOREIGN_UNITS
from mewm.actions.tokens import Token
from mewm.reports.portions import both_sides, delivered_part, further_portions
from mewm.reports.words import LEFT_OVER, LIMITS, MIXED, TOTALS

_FARTHEST = 9.0
# So many pieces apart nothing belongs together; without this a long list takes the cube of its length.
_APART = 40
_GLOSS = 6.0
_BREAKS = {
    ",": 2.0,
    "and": 2.0,
    "+": 2.5,
    "&": 2.5,
    "/": 1.5,
    "plus": 2.5,
    "with": 1.5,
    "then": 3.0,
    "followed": 3.0,
    "by": 1.0,
}
_LIGHT = {"(": 0.4, ")": 0.4, "[": 0.4, "]": 0.4, "-": 0.1, "of": 0.0, "the": 0.1, "a": 0.1, "an": 0.1, "was": 0.2}


@dataclass
class Held:
    """A name with its amounts.

    Attributes:
        piece: the name.
        dose: the amount in mg or ml.
        size: the particle size.
        others: amounts it was given that are neither, e.g. a dose per body surface.
        total: whether the dose is said to be a total.
    """

    piece: Token
    dose: Token | None = None
    size: Token | None = None
    others: list[Token] = field(default_factory=list)
    total: bool = False


def assign(found: list[Token]) -> tuple[list[Held], list[Token]]:
    """Give the amounts of a clause to its names.

    Returns:
        The names in the order of the text, and the amounts that no name of the clause takes.
    """
    holders = [i for i, p in enumerate(found) if p.holds and not _swallowed(found, i)]
    # "Particles" that only complete a name stand between it and its size as any word does.
    holding = set(holders)
    found = [replace(p, sort="word") if p.sort == "particles" and i not in holding else p for i, p in enumerate(found)]
    held = {i: Held(found[i]) for i in holders}
    for i in holders:
        for quantity in found[i].loaded:
            _give(held[i], quantity)
    free = [i for i, p in enumerate(found) if p.quantity is not None and _usable(found, i)]
    free = _mixtures(found, held, free)
    free = _lists(found, held, free)
    holders = [h for h in holders if h in held]
    reads_on = {slot: _reads_on(found, holders, free, slot) for slot in ("dose", "size", "other")}
    pairs = sorted(
        (cost, abs(q - h), q, h)
        for q in free
        for h in holders
        if abs(q - h) <= _APART
        and (slot := _slot(found[h], found[q]))
        and not _contents(found, h, q)
        and (cost := _cost(found, q, h, reads_on[slot], slot)) < _FARTHEST
    )
    taken: set[int] = set()
    for _, _, q, h in pairs:
        if q not in taken and _give(held[h], found[q]):
            taken.add(q)
            held[h].total = held[h].total or _is_total(found, q)
    if _sums(found):
        for item in held.values():
            item.total = item.dose is not None
    left = [found[q] for q in free if q not in taken]
    sized = [h.piece for h in held.values() if h.size is not None]
    # A second size of the only particles of the clause: "beads (100-300 µm and 300-500 µm)".
    further = [Held(sized[0], size=p) for p in left if len(sized) == 1 and _is_size(p)]
    doses = {h: held[h].dose for h in holders if not held[h].total}
    spare = [q for q in free if q not in taken]
    portions = further_portions(found, {h: d for h, d in doses.items() if d is not None and found[h].given}, spare)
    spare = [q for q in spare if all(q != p for _, p in portions)]
    spare = [q for q in spare if not _delivers(found, held, q)]
    left = [found[q] for q in spare if not _is_size(found[q])]
    more = [Held(found[h], dose=found[q]) for h, q in portions]
    return [*(held[i] for i in holders), *further, *more], left


def _reads_on(found: list[Token], holders: list[int], free: list[int], slot: str) -> bool:
    """Return whether names stand before their doses, or before their sizes: "A 10 mg, B 20 mg"."""
    taking = [(h, q) for q in free for h in holders if _slot(found[h], found[q]) == slot]
    return bool(taking) and min(h for h, _ in taking) < min(q for _, q in taking)


def _contents(found: list[Token], h: int, q: int) -> bool:
    """Return whether an amount is of what a carrier is made of: "an emulsion of 8 ml Lipiodol"."""
    if found[h].sort != "carrier" or h > q:
        return False
    if found[h + 1].lower == "(":
        # "Emulsion (8 ml Lipiodol, 20 mg epirubicin)": the brackets hold what it is made of.
        close = next((k for k in range(h + 1, len(found)) if found[k].lower == ")"), len(found))
        if q < close and any(p.given for p in found[h + 2 : close]):
            return True
    return any(p.lower in ("of", "containing", "with", "from", "using", "made", "consisting") for p in found[h + 1 : q])


def _is_size(amount: Token) -> bool:
    return amount.quantity is not None and amount.quantity.unit == "µm"


def _usable(found: list[Token], i: int) -> bool:
    quantity = found[i].quantity
    if quantity is None or quantity.unit is None or quantity.vague or not quantity.finite:
        return False
    before = [p.lower for p in found[max(i - 3, 0) : i] if p.sort == "word"]
    after = [p.lower for p in takewhile(lambda p: p.sort != "quantity", found[i + 1 : i + 4]) if p.sort == "word"]
    return not (set(before[-2:]) & LIMITS or set(after[:2]) & LEFT_OVER)


def _swallowed(found: list[Token], i: int) -> bool:
    """Return whether a carrier or "particles" only completes the name right before it, as in "Lipiodol emulsion"."""
    piece = found[i]
    if piece.sort not in ("particles", "carrier"):
        return False
    reach = 5 if piece.sort == "particles" else 3
    before = [p for p in found[max(i - reach, 0) : i] if p.sort not in ("quantity", "mark")]
    after = [p for p in found[i + 1 : i + 4] if p.sort != "quantity"]
    if piece.sort == "particles" and len(after) > 1 and after[0].lower == "(" and after[1].given:
        return True
    if piece.sort == "particles":
        return any(p.given and p.kind in ("embolic", "bead", "unknown") for p in before[-2:])
    if piece.sort == "carrier" and piece.lower in MIXED and before and before[-1].given and found[i - 1] is before[-1]:
        return not _group(found, i)
    return False


def _group(found: list[Token], end: int) -> list[int]:
    """Return the names of a group such as "NBCA-Lipiodol" that ends right before ``end``; empty for a single name."""
    names: list[int] = []
    i = end - 1
    while i >= 0 and (found[i].given or found[i].lower in ("-", "/", "+", "and", "&")):
        if found[i].given:
            names.insert(0, i)
        i -= 1
    return names if len(names) > 1 else []


def _mixtures(found: list[Token], held: dict[int, Held], free: list[int]) -> list[int]:
    """Take away the amount of a mixture: "2 ml of the NBCA-Lipiodol mixture"."""
    for i, piece in enumerate([*found, Token("mark", "", 0, 0)]):
        mixed = piece.sort == "carrier" and piece.lower in MIXED
        names = _group(found, i) if mixed or (i and found[i - 1].given and not piece.given) else []
        if not names or not (mixed or _two_liquids(found, names)):
            continue
        if _spelt_out(found, names):
            for n in names:
                held.pop(n, None)
            continue
        before = [q for q in free if q < names[0] and all(_filler(p) for p in found[q + 1 : names[0]])]
        inside = [q for q in free if names[0] < q < names[-1]]
        after = [q for q in free if q > names[-1] and all(_filler(p) for p in found[names[-1] + 1 : q])]
        if before and not inside:
            free = [q for q in free if q not in before]
        elif len(after) == 1 and not (mixed or inside) and not any(p.given for p in found[after[0] + 1 : after[0] + 2]):
            free = [q for q in free if q not in after]
    return free


def _spelt_out(found: list[Token], names: list[int]) -> bool:
    """Return whether the brackets behind a mixture name its parts again: "NBCA-Lipiodol (NBCA 1 ml, Lipiodol 3 ml)"."""
    start = names[-1] + 1
    while start < len(found) and found[start].sort == "carrier":
        start += 1
    if start == len(found) or found[start].lower != "(":
        return False
    close = next((k for k in range(start, len(found)) if found[k].lower == ")"), len(found))
    return {found[n].agent for n in names} <= {p.agent for p in found[start:close] if p.given}


def _two_liquids(found: list[Token], names: list[int]) -> bool:
    """Return whether names joined by dashes are two liquids, whose amount is that of both: "1.5 ml NBCA-Lipiodol"."""
    agents = {found[n].agent for n in names}
    between = [p.lower for p in found[names[0] + 1 : names[-1]]]
    known = load_action_base().agents
    return len(agents) == 2 and between in (["-"], ["/"]) and all(a in known and known[a].unit == "ml" for a in agents)


def _filler(piece: Token) -> bool:
    return piece.lower in ("of", "a", "an", "the", "ultra", "liquid", "(", ")", "total") or piece.sort == "quantity"


def _lists(found: list[Token], held: dict[int, Held], free: list[int]) -> list[int]:
    """Read "A and B, 10 mg and 20 mg respectively", "A and B 10 mg each" and "A-B emulsion (10 ml/20 mg)"."""
    for q in list(free):
        if q not in free:
            continue
        if found[q - 1].lower == "(" and (names := _bracketed(found, held, free, q)):
            doses = [f for f in free if f >= q][: len(names)]
            for h, f in zip(names, doses, strict=True):
                _give(held[h], found[f])
            free = [f for f in free if f not in doses]
            continue
        each = any(p.lower in ("each", "respectively") for p in found[q + 1 : q + 3])
        if not each:
            continue
        if found[q + 1].lower == "each":
            names = [h for h in held if h < q and _slot(found[h], found[q]) == "dose" and held[h].piece.given]
            if len(names) == 1 and both_sides(found[q + 2 : q + 16]):
                # "20 mg each into the right and the left hepatic artery"
                _give(held[names[0]], _doubled(found[q]))
                free = [f for f in free if f != q]
                continue
            between = [p for h in names for p in found[h + 1 : q] if p.sort == "quantity"]
            if len(names) > 1 and not between:
                for h in names:
                    _give(held[h], found[q])
                free = [f for f in free if f != q]
            continue
        doses = [f for f in free if f <= q]
        names = [h for h in held if held[h].piece.given and h < doses[0]][-len(doses) :]
        if len(names) == len(doses) and all(_slot(found[h], found[f]) for h, f in zip(names, doses, strict=True)):
            for h, f in zip(names, doses, strict=True):
                _give(held[h], found[f])
            free = [f for f in free if f > q]
    return free


def _doubled(amount: Token) -> Token:
    quantity = amount.quantity
    if quantity is None:
        return amount
    return replace(amount, quantity=replace(quantity, low=2 * quantity.low, high=2 * quantity.high))


def _delivers(found: list[Token], held: dict[int, Held], q: int) -> bool:
    """Put what was delivered in the place of the dose that was loaded: "75 mg ..., of which 45 mg was injected"."""
    before = [h for h in held if h < q and held[h].dose is not None and _slot(found[h], found[q]) == "dose"]
    item = held[before[-1]] if before else None
    if item is None or item.dose is None or item.dose.quantity is None or not _single(found[q]):
        return False
    amount = found[q].quantity
    beads = item.piece.kind == "bead" or " loaded with " in item.piece.agent
    if amount is None or amount.unit != "mg" or amount.low >= item.dose.quantity.low:
        return False
    if not delivered_part(found, q, loaded=beads):
        return False
    item.dose = found[q]
    return True


def _bracketed(found: list[Token], held: dict[int, Held], free: list[int], q: int) -> list[int]:
    """Return the names of a group whose doses stand in the same order in the brackets that open before ``q``."""
    end = q - 1
    while end > 0 and found[end - 1].sort == "carrier":
        end -= 1
    names = _group(found, end)
    close = next((k for k in range(q, len(found)) if found[k].lower == ")"), len(found))
    doses = [f for f in free if q <= f < close]
    named = any(p.given for p in found[q:close])
    fits = (
        not named
        and len(names) == len(doses)
        and all(h in held and _slot(found[h], found[f]) == "dose" for h, f in zip(names, doses, strict=True))
    )
    return names if fits else []


def _slot(name: Token, amount: Token) -> str:
    """Return which place of a name an amount can take: ``"dose"``, ``"size"``, ``"other"`` or none."""
    quantity = amount.quantity
    if quantity is None:
        return ""
    unit = quantity.unit or ""
    if name.sort == "supportive":
        return "other"
    if name.sort == "carrier":
        return "other" if unit == "ml" else ""
    agent = load_action_base().agents.get(name.agent) if name.sort == "agent" else None
    if unit == "µm":
        return "size" if agent is None or agent.size_range_um is not None else ""
    if unit in FOREIGN_UNITS:
        return "other" if agent is None or agent.kind == "drug" else ""
    if agent is None and unit == "ml" and " loaded with " in name.agent:
        return ""
    if agent is None:
        return "dose" if unit in ("mg", "ml") else ""
    if agent.unit == unit:
        return "dose"
    return "other" if agent.kind in ("drug", "bead") and unit == "ml" else ""


def _give(held: Held, amount: Token) -> bool:
    """Put an amount into its place; return whether the place was free."""
    slot = _slot(held.piece, amount)
    if slot == "size" and held.size is None:
        held.size = amount
    elif slot == "dose" and held.dose is None and _single(amount):
        held.dose = amount
    elif slot == "other" or (slot == "dose" and not _single(amount)):
        held.others.append(amount)
    else:
        return False
    return True


def _single(amount: Token) -> bool:
    return amount.quantity is not None and amount.quantity.low == amount.quantity.high


def _cost(found: list[Token], q: int, h: int, reads_on: bool, slot: str) -> float:
    """Return how far apart an amount and a name are, in units of a plain word's tenth or so."""
    low, high = min(q, h), max(q, h)
    between = found[low + 1 : high]
    ahead = q < h
    cost = _GLOSS if _is_gloss(found, h) and q > h else 0.0
    for piece in between:
        if piece.holds and _is_gloss(found, found.index(piece)):
            cost += 0.2
        elif piece.holds:
            cost += 5.0 if _slot(piece, found[q]) in ("dose", "size") else 3.0
        elif piece.sort == "quantity":
            cost += 2.0 if piece.quantity and piece.quantity.unit == found[q].quantity.unit else 0.2  # type: ignore[union-attr]
        else:
            cost += _BREAKS.get(piece.lower, _LIGHT.get(piece.lower, 0.5))
    if ahead and between and between[0].lower == "of":
        cost -= 1.5
    if not ahead and between and between[0].lower == "(":
        cost -= 1.0
    if ahead == reads_on:
        cost += 1.0
    name = found[h]
    if slot == "other":
        cost += 5.0 if name.given else 0.3
    if name.sort == "unknown" and found[q].quantity.unit == "ml":  # type: ignore[union-attr]
        cost += 1.2
    return cost


def _is_gloss(found: list[Token], h: int) -> bool:
    """Return whether a name only explains the one before, in brackets: "oxaliplatin (Eloxatin) 100 mg"."""
    return 1 < h < len(found) - 1 and found[h - 1].lower == "(" and found[h + 1].lower == ")" and found[h - 2].given


def _sums(found: list[Token]) -> bool:
    """Return whether a clause is a list of totals: "Total doses: ..."."""
    first = [p.lower for p in found[:4] if p.sort == "word"]
    return bool(set(first) & TOTALS) and any(w in ("doses", "amounts", "drugs", "given", "used") for w in first)


def _is_total(found: list[Token], q: int) -> bool:
    near = [p.lower for p in found[max(q - 5, 0) : q + 3] if p.sort == "word"]
    return bool(set(near) & TOTALS)
