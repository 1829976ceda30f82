"""Names of agents among the words of a clause: the longest run of words that a list of names holds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from mewm.actions.base import normalise_name
from mewm.actions.tokens import Sort, Token

_WORDS = re.compile(r"[^\W_]+")
_LONGEST = 6


class Entry(NamedTuple):
    """What a name stands for.

    Attributes:
        sort: the sort of token it becomes.
        agent: identifier in the action base; empty where the name as written is all there is.
        kind: ``"drug"``, ``"embolic"``, ``"bead"``, ``"unknown"`` or empty.
    """

    sort: Sort
    agent: str = ""
    kind: str = ""


class Names:
    """A list of names, found in a clause however they are hyphenated, in upper or lower case and in the plural."""

    def __init__(self) -> None:
        # By the first word, so that most words of a clause cost one look-up.
        self._first: dict[str, dict[tuple[str, ...], Entry]] = {}

    def add(self, names: Iterable[str], entry: Entry) -> None:
        """Add names; one that is listed already keeps its meaning."""
        for name in names:
            words = tuple(normalise_name(name).split())
            self._first.setdefault(words[0], {}).setdefault(words, entry)

    def __contains__(self, name: str) -> bool:
        """Return whether a name is listed."""
        words = tuple(normalise_name(name).split())
        return bool(words) and words in self._first.get(words[0], {})

    def single_words(self) -> dict[str, Entry]:
        """Return the names that are one word."""
        return {w[0]: entry for names in self._first.values() for w, entry in names.items() if len(w) == 1}

    def mark(self, tokens: list[Token], clause: str) -> list[Token]:
        """Return the tokens of a clause with each longest name as one token of its entry's sort."""
        marked: list[Token] = []
        i = 0
        while i < len(tokens):
            token = tokens[i]
            known = None
            if token.sort == "word":
                word = token.lower
                known = self._first.get(word if word.isalnum() else (_WORDS.findall(word) or [""])[0])
            run = _longest(known, tokens, i) if known and not _is_phase(tokens, i) else None
            if run is None:
                marked.append(token)
                i += 1
                continue
            entry, count = run
            last = tokens[i + count - 1]
            text = clause[token.start : last.end]
            marked.append(Token(entry.sort, text, token.start, last.end, entry.agent or text, entry.kind))
            i += count
        return marked


def _longest(known: Mapping[tuple[str, ...], Entry], tokens: list[Token], start: int) -> tuple[Entry, int] | None:
    """Return what the longest of the known names that begins at a token means, and of how many tokens it is made."""
    best = None
    parts: list[str] = []
    for count, token in enumerate(tokens[start : start + 2 * _LONGEST], 1):
        if token.sort == "mark" and token.text == "-" and parts:
            continue
        number = token.quantity is not None and token.quantity.unit is None and bool(parts)
        if token.sort != "word" and not number:
            break
        parts += _WORDS.findall(token.lower)
        if len(parts) > _LONGEST:
            break
        words = tuple(parts)
        entry = known.get(words) or known.get((*words[:-1], words[-1].removesuffix("s")))
        if entry:
            best = (entry, count)
    return best


def _is_phase(tokens: list[Token], i: int) -> bool:
    """Return whether ``"oil"`` belongs to "water-in-oil" or "oil-in-water"."""
    if tokens[i].lower != "oil":
        return False
    sides = [*tokens[max(i - 1, 0) : i], *tokens[i + 1 : i + 2]]
    return any(t.text == "-" for t in sides)
