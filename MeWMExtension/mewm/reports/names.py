"""Which words of a clause take an amount: agents, unknown names, carriers and supportive drugs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Literal

from mewm.actions.base import load_action_base, normalise_name
from mewm.actions.lexicon import MASS_MG, SIZE_UM, VOLUME_ML
from mewm.actions.tokens import Quantity, Token, tokenise
from mewm.reports.words import (
    ABBREVIATIONS,
    CARRIERS,
    FOREIGN,
    FOREIGN_BEADS,
    GENERIC_BEADS,
    NUMBER_WORDS,
    PARTICLES,
    PLAIN,
    SUPPORTIVE,
)

Sort = Literal["agent", "unknown", "carrier", "supportive", "particles", "quantity", "word", "mark"]
_WORDS = re.compile(r"[^\W_]+")
_LONGEST = 6
_MOST_VIALS = 13
_VIALS = r"(?:vials?|amp(?:oule|ule)?s?|bottles?|box(?:es)?|flasks?)"
# How many vials of an amount: by a number behind "x", or by a number before "vials".
_TIMES = re.compile(
    rf"\s*(?:/\s*)?(?:{_VIALS}\s*)?[x*]\s*(\d{{1,2}})\b(?!\s*[.,:]?\d)(?!\s*(?:mm|cm|µm|um|h|min|d|days?|weeks?)\b)"
    rf"|\s*,?\s*(two|three|four|five|six)\s+{_VIALS}\b",
    re.IGNORECASE,
)
_FUZZY_FROM = 7
_RATE = re.compile(
    r"\s*(?:/\s*|per )(?:d?l|ml|kg|day|d|h|hr|hour|min|minute|week|month)\b|\s*(?:bid|tid|qd|daily)\b", re.IGNORECASE
)
_UNITS = {
    word: (unit, factor)
    for unit, factors in (("mg", MASS_MG), ("ml", VOLUME_ML), ("µm", SIZE_UM))
    for word, factor in factors.items()
}


# Compared by identity and not frozen: one is made for every word, and both would cost a third of the time.
@dataclass(eq=False, slots=True)
class Piece:
    """A word, amount, mark or name of a clause.

    Attributes:
        sort: what it is; ``"agent"`` is in the action base, ``"unknown"`` an agent that is not.
        text: as written.
        start, end: its place in the clause.
        agent: the agent's identifier, or its name as written.
        kind: ``"drug"``, ``"embolic"``, ``"bead"`` or ``"unknown"`` for agents.
        quantity: the amount, for sort ``"quantity"``.
        generic: whether the name stands for any bead.
        misspelt: whether the name was read in spite of its spelling.
        loaded: amounts that came with a joined pair of bead and drug.
        lower: the text in lower case.
    """

    sort: Sort
    text: str
    start: int
    end: int
    agent: str = ""
    kind: str = ""
    quantity: Quantity | None = None
    generic: bool = False
    misspelt: bool = False
    loaded: tuple[Piece, ...] = field(default=())
    lower: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.lower = self.text.lower()

    @property
    def given(self) -> bool:
        """Whether it names an agent, known or not."""
        return self.sort in ("agent", "unknown")

    @property
    def holds(self) -> bool:
        """Whether an amount can belong to it."""
        return self.sort not in ("word", "mark", "quantity")


_Entry = tuple[Sort, str, str]
_Index = dict[str, dict[tuple[str, ...], _Entry]]


@lru_cache(maxsize=1)
def _index() -> _Index:
    """Return every name as a tuple of words with what it means, by its first word."""
    base = load_action_base()
    index: _Index = {}

    def add(names: Iterable[str], entry: _Entry) -> None:
        for name in names:
            words = tuple(normalise_name(name).split())
            index.setdefault(words[0], {}).setdefault(words, entry)

    for name, agent in base.names.items():
        add([name], ("agent", agent, base.agents[agent].kind))
    for name, agent in ABBREVIATIONS.items():
        add([name], ("agent", agent, base.agents[agent].kind))
    add(base.unresolved, ("unknown", "", "unknown"))
    add(FOREIGN, ("unknown", "", "unknown"))
    add(FOREIGN_BEADS, ("unknown", "", "bead"))
    add(SUPPORTIVE, ("supportive", "", ""))
    add(CARRIERS, ("carrier", "", ""))
    add(PARTICLES, ("particles", "", "unknown"))
    return index


def is_listed(name: str) -> bool:
    """Return whether a name is one of the action base or of the known agents it lacks."""
    words = tuple(normalise_name(name).split())
    return bool(words) and words in _index().get(words[0], {})


@lru_cache(maxsize=1)
def _one_word_names() -> Mapping[str, _Entry]:
    """Return the long one-word names of agents of the action base, for misspelt words."""
    named = {words[0]: entry for names in _index().values() for words, entry in names.items() if len(words) == 1}
    return {w: e for w, e in named.items() if e[0] == "agent" and len(w) >= _FUZZY_FROM}


def pieces(clause: str) -> list[Piece]:
    """Cut a clause into pieces and name those that stand for an agent, a carrier or a supportive drug."""
    tokens = _multiplied(_number_words(tokenise(clause), clause), clause)
    found: list[Piece] = []
    i = 0
    while i < len(tokens):
        run = _longest(tokens, i)
        if run and not _only_part(tokens, i, run[1]):
            (sort, agent, kind), count = run
            first, last = tokens[i], tokens[i + count - 1]
            text = clause[first.start : last.end]
            generic = normalise_name(text) in GENERIC_BEADS
            found.append(Piece(sort, text, first.start, last.end, agent or text, kind, generic=generic))
            i += count
            continue
        token = tokens[i]
        if token.kind == "quantity":
            found.append(Piece("quantity", token.text, token.start, token.end, quantity=token.quantity))
        else:
            found.append(
                _misspelt(token)
                or Piece("word" if token.kind == "word" else "mark", token.text, token.start, token.end)
            )
        i += 1
    return found


def _only_part(tokens: list[Token], start: int, count: int) -> bool:
    """Return whether ``"oil"`` belongs to "water-in-oil" or "oil-in-water"."""
    if tokens[start].lower != "oil" or count > 1:
        return False
    sides = [t.text for t in (*tokens[max(start - 1, 0) : start], *tokens[start + 1 : start + 2])]
    return "-" in sides


def _longest(tokens: list[Token], start: int) -> tuple[_Entry, int] | None:
    """Return the longest name that begins at a token, and of how many tokens it is made."""
    index = _index()
    word = tokens[start].lower
    if tokens[start].kind != "word":
        return None
    known = index.get(word) if word.isalnum() else index.get((_WORDS.findall(word) or [""])[0])
    if known is None:
        return None
    best = None
    parts: list[str] = []
    for count, token in enumerate(tokens[start : start + 2 * _LONGEST], 1):
        if token.kind == "mark" and token.text == "-" and parts:
            continue
        number = token.kind == "quantity" and bool(parts) and token.quantity and token.quantity.unit is None
        if token.kind != "word" and not number:
            break
        parts += _WORDS.findall(token.lower)
        if len(parts) > _LONGEST:
            break
        words = tuple(parts)
        entry = known.get(words) or known.get((*words[:-1], words[-1].removesuffix("s")))
        if entry:
            best = (entry, count)
    return best


def _misspelt(token: Token) -> Piece | None:
    """Read a long word that is one slip of the pen away from exactly one agent of the action base."""
    word = token.lower
    if token.kind != "word" or len(word) < _FUZZY_FROM or word in PLAIN or not word.isalpha():
        return None
    for name, (sort, agent, kind) in _one_word_names().items():
        allowed = 2 if len(name) >= 11 else 1
        if name[0] == word[0] and abs(len(name) - len(word)) <= allowed and _slips(word, name, allowed):
            return Piece(sort, token.text, token.start, token.end, agent, kind, misspelt=True)
    return None


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


def _number_words(tokens: list[Token], clause: str) -> list[Token]:
    """Read ``"ten mg"`` as an amount."""
    read: list[Token] = []
    for token in tokens:
        unit_word = token.kind == "word" and token.lower in _UNITS
        if unit_word and read and (number := NUMBER_WORDS.get(read[-1].lower)):
            first = read.pop()
            unit, factor = _UNITS[token.lower]
            amount = number * factor
            text = clause[first.start : token.end]
            quantity = Quantity(amount, amount, unit, text)
            token = Token("quantity", text, first.start, token.end, quantity=quantity)
        read.append(token)
    return read
