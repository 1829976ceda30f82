"""Tokens of a clause of a report: names of agents and what else takes an amount, misspelt names, vials times dose."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

from mewm.actions.base import load_action_base, normalise_name
from mewm.actions.lexicon import MASS_MG, SIZE_UM, VOLUME_ML
from mewm.actions.names import Entry, Names
from mewm.actions.tokens import Quantity, Token, tokenise
from mewm.reports.words import (
    ABBREVIATIONS,
    CARRIERS,
    FOREIGN,
    FOREIGN_BEADS,
    FORMS,
    GENERIC_BEADS,
    NUMBER_WORDS,
    OFTEN,
    PARTICLES,
    PLAIN,
    SUPPORTIVE,
)

_MOST_VIALS = 13
_VIALS = r"(?:vials?|amp(?:oule|ule)?s?|bottles?|box(?:es)?|flasks?)"
# How many vials of an amount: by a number behind "x", or by a number before "vials".
_TIMES = re.compile(
    rf"\s*(?:/\s*)?(?:{_VIALS}\s*)?[x*]\s*(\d{{1,2}})\b(?!\s*[.,:]?\d)(?!\s*(?:mm|cm|µm|um|h|min|d|days?|weeks?)\b)"
    rf"|\s*,?\s*(two|three|four|five|six)\s+{_VIALS}\b",
    re.IGNORECASE,
)
_TIMES_BEHIND_NAME = re.compile(
    r"\s*(?:of\s+)?[^\W\d]{3,}(?:[ -][^\W\d]{3,})?\s+(?P<by>[x*])\s*([2-6])\b"
    r"(?!\s*[.,:]?\d|\s*(?:mm|cm|mg|ml|cc|µm|um)\b)",
    re.IGNORECASE,
)
_COUNT = r"(\d|two|three|four|five|six)"
_COUNTED = re.compile(rf"\b{_COUNT} (?:{_VIALS}|x )[^;]{{0,120}}?\beach\b")
_PER = re.compile(rf" per (?:nodule|lesion|tumou?r|feeder|branch)\W+{_COUNT} (?:nodul|lesion|tumou?r|feeder|branch)")
_REDUCED = re.compile(
    r"\b(?:halved|reduced|lowered|adjusted|decreased|cut)(?: by [^,;]{1,9})? ?(?:to|\()(?: only| about)? ?[\d.]+ ?mg"
)
_ACTUAL = re.compile(
    r"\b(?:drawn up|prepared)\b[^;]*?\b([\d.]+ ?(?:mg|ml|cc)) (?:was |were |actually |only )*"
    r"(?:administered|given|injected|infused|delivered|used)\b"
)
_MIXED = re.compile(r"\bmix|emuls|suspen|\+")
_FUZZY_FROM = 7
_SHORTEST_SPONGE = 5
_PLACE_COLON = re.compile(
    r"(\b(?:seg\w*\.?|lesion|nodule|tumou?r|branch|target|feeder|no\.?)? ?[sa]?\d[ab]?):"
    r"(?= \d[\d.]*(?: ?- ?\d[\d.]*)? ?(?:mg|ml|cc|µm|um|micron|mm)\b)",
    re.IGNORECASE,
)
_RATE = re.compile(
    r"\s*(?:/\s*|per )(?:d?l|ml|kg|day|d|h|hr|hour|min|minute|week|month)\b"
    rf"|\s*(?:(?:once|twice|thrice|three times) )?(?:{'|'.join(sorted(OFTEN - {'stat'}))})\b",
    re.IGNORECASE,
)
_UNITS = {
    word: (unit, factor)
    for unit, factors in (("mg", MASS_MG), ("ml", VOLUME_ML), ("µm", SIZE_UM))
    for word, factor in factors.items()
}


@lru_cache(maxsize=1)
def _names() -> Names:
    base = load_action_base()
    names = Names()
    for name, agent in (*base.names.items(), *ABBREVIATIONS.items()):
        names.add([name], Entry("agent", agent, base.agents[agent].kind))
    names.add((*base.unresolved, *FOREIGN), Entry("unknown", kind="unknown"))
    names.add(FOREIGN_BEADS, Entry("unknown", kind="bead"))
    names.add(SUPPORTIVE, Entry("supportive"))
    names.add(CARRIERS, Entry("carrier"))
    names.add(PARTICLES, Entry("particles", kind="unknown"))
    return names


def is_listed(name: str) -> bool:
    """Return whether a name is one of the action base or of the known agents it lacks."""
    return name in _names()


@lru_cache(maxsize=1)
def _long_names() -> Mapping[str, Entry]:
    """Return the long one-word names of agents of the action base, for misspelt words."""
    return {w: e for w, e in _names().single_words().items() if e.sort == "agent" and len(w) >= _FUZZY_FROM}


def read_names(clause: str) -> list[Token]:
    """Cut a clause into tokens and mark those that stand for an agent, a carrier or a supportive drug."""
    # "Segment 7: 100-300 µm" is no ratio.
    told = _PLACE_COLON.sub(lambda m: f"{m[1]},", clause)
    marked = _names().mark(_each(_multiplied(_number_words(tokenise(told), clause), clause), clause), clause)
    marked = _formed(_sponges(marked, clause), clause)
    for i, token in enumerate(marked):
        word = token.lower
        if token.sort == "word":
            if len(word) >= _FUZZY_FROM and word not in PLAIN:
                _respell(token)
            elif word == "contour" and i + 1 < len(marked) and _sizes(marked[i + 1]):
                # The make of particles; elsewhere a word of radiology.
                token.sort, token.agent, token.kind = "agent", "pva", "embolic"
        elif token.kind == "bead":
            token.generic = normalise_name(token.text) in GENERIC_BEADS
        elif word == "gs" and i and marked[i - 1].text.endswith("%"):
            # Glucose solution; alone it stands for gelatin sponge.
            token.sort, token.agent, token.kind = "carrier", "", ""
        elif word in ("liquid", "fluid") and i and marked[i - 1].lower in ("-", "ultra", "super"):
            # Of "ultra-liquid" with an oil that is misspelt.
            token.sort = "word"
    return marked


def _sponges(marked: list[Token], clause: str) -> list[Token]:
    """Read "gelatin" with a misspelt "sponge" behind it as one name."""
    read: list[Token] = []
    for token in marked:
        last = read[-1] if read else None
        if last is not None and token.sort == "word" and last.lower in ("gelatin", "gelatine") and _is_sponge(token):
            text = clause[last.start : token.end]
            read[-1] = replace(last, text=text, end=token.end, misspelt=True)
        else:
            read.append(token)
    return read


def _is_sponge(token: Token) -> bool:
    return token.lower[0] == "s" and len(token.lower) >= _SHORTEST_SPONGE and _slips(token.lower, "sponge", 1)


def _formed(marked: list[Token], clause: str) -> list[Token]:
    """Join a listed drug that the action base lacks with the form named behind it: "Paclitaxel Liposome"."""
    read: list[Token] = []
    for token in marked:
        last = read[-1] if read else None
        if last is not None and last.sort == "unknown" and token.lower in FORMS and token.start - last.end == 1:
            text = clause[last.start : token.end]
            read[-1] = replace(last, text=text, end=token.end, agent=text)
        else:
            read.append(token)
    return read


def _sizes(token: Token) -> bool:
    return token.quantity is not None and (token.quantity.unit == "µm" or token.quantity.low < token.quantity.high)


def _respell(token: Token) -> None:
    """Make a long word that is a slip or two of the pen away from an agent of the action base that agent."""
    word = token.lower
    if not word.isalpha():
        return
    for name, entry in _long_names().items():
        allowed = 2 if len(name) >= 11 else 1
        if name[0] == word[0] and abs(len(name) - len(word)) <= allowed and _slips(word, name, allowed):
            token.sort, token.agent, token.kind, token.misspelt = entry.sort, entry.agent, entry.kind, True
            return


def _slips(a: str, b: str, allowed: int) -> bool:
    """Return whether ``a`` becomes ``b`` by at most ``allowed`` slips: a letter more, less, other, or two swapped."""
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        older, before, row = before, row, [i]
        for j, y in enumerate(b, 1):
            row.append(min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (x != y)))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                row[j] = min(row[j], older[j - 2] + 1)
        if min(row) > allowed:
            return False
    return row[-1] <= allowed


def _multiplied(tokens: list[Token], clause: str) -> list[Token]:
    """Read "10 mg vial x 4", "2 x 10 mg" and "20 mg, two vials" as the product."""
    read: list[Token] = []
    i = 0
    while i < len(tokens):
        token = tokens[i]
        i += 1
        quantity = token.quantity
        if quantity is None or quantity.unit not in ("mg", "ml"):
            read.append(token)
            continue
        if _RATE.match(clause, token.end):
            # A laboratory value, an infusion rate, a dose by weight or a daily dose.
            read.append(replace(token, quantity=replace(quantity, unit="vague")))
            continue
        factor, end, used = 1, token.end, 0
        if name := _TIMES_BEHIND_NAME.match(clause, token.end):
            # "5 ml Lipiodol x 2"
            read.append(_times(token, int(name[2])))
            read += [t for t in tokens[i:] if t.end <= name.start("by")]
            i += sum(t.start < name.end() for t in tokens[i:])
            continue
        behind = _TIMES.match(clause, token.end)
        if behind:
            factor = int(behind[1]) if behind[1] else NUMBER_WORDS.get(behind[2].lower(), 1)
            end = behind.end()
            used = sum(t.start < end for t in tokens[i:])
        elif len(read) > 1 and read[-1].lower in ("x", "*") and read[-2].quantity and read[-2].quantity.unit is None:
            count = read[-2].quantity.low
            factor = int(count) if count in range(1, _MOST_VIALS) else 1
            if factor > 1:
                token = replace(token, start=read[-2].start)
                del read[-2:]
        if factor > 1:
            text = clause[token.start : end]
            product = replace(quantity, low=quantity.low * factor, high=quantity.high * factor, text=text)
            token = replace(token, text=text, end=end, quantity=product)
        read.append(token)
        i += used
    return read


def _each(tokens: list[Token], clause: str) -> list[Token]:
    """Read "two vials, each loaded with 75 mg", "two vials of 50 mg each" and "5 ml per nodule, two nodules"."""
    lower = clause.lower()
    if turn := _REDUCED.search(lower):
        # "60 mg was reduced to 30 mg" gives 30 mg.
        return [t for t in tokens if not (_has_dose(t) and t.end <= turn.start())]
    if "drawn" in lower or "prepared" in lower:
        tokens = _actual(tokens, lower)
    if " each" not in lower and " per " not in lower:
        return tokens
    if per := _PER.search(lower):
        count = NUMBER_WORDS.get(per[1]) or int(per[1])
        return [_times(t, count) if t.start < per.start() else t for t in tokens]
    vials = _COUNTED.search(lower)
    if vials is None:
        return tokens
    count, each = NUMBER_WORDS.get(vials[1]) or int(vials[1]), vials.end() - len("each")
    before = [t for t in tokens if _has_dose(t) and t.end <= each and not clause[t.end : each].strip(" (,")]
    after = [t for t in tokens if t.start > each and _has_dose(t)]
    chosen = (before or after)[:1] or [t for t in tokens if t.start < each and _has_dose(t)][-1:]
    return [_times(t, count) if t in chosen else t for t in tokens]


def _actual(tokens: list[Token], lower: str) -> list[Token]:
    """Read "50 mg was drawn up, 35 mg administered" as 35 mg; what was mixed is counted as mixed."""
    given = _ACTUAL.search(lower)
    if given is None or _MIXED.search(lower):
        return tokens
    return [t for t in tokens if not (_has_dose(t) and t.end <= given.start(1))]


def _has_dose(token: Token) -> bool:
    return token.quantity is not None and token.quantity.unit in ("mg", "ml")


def _times(token: Token, count: int) -> Token:
    quantity = token.quantity
    if quantity is None or not _has_dose(token):
        return token
    return replace(token, quantity=replace(quantity, low=quantity.low * count, high=quantity.high * count))


def _number_words(tokens: list[Token], clause: str) -> list[Token]:
    """Read ``"ten mg"`` as an amount."""
    read: list[Token] = []
    for token in tokens:
        unit_word = token.sort == "word" and token.lower in _UNITS
        if unit_word and read and (number := NUMBER_WORDS.get(read[-1].lower)):
            first = read.pop()
            unit, factor = _UNITS[token.lower]
            amount = number * factor
            text = clause[first.start : token.end]
            quantity = Quantity(amount, amount, unit, text)
            token = Token("quantity", text, first.start, token.end, quantity=quantity)
        read.append(token)
    return read
