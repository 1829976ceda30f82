"""Free text cut into clauses, and in each clause the agents named and the amounts beside them."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from mewm.actions.base import load_action_base
from mewm.actions.lexicon import (
    ACTION_WORDS,
    CARRIERS,
    MIXTURES,
    NEGATIONS,
    OTHER_ORGANS,
    OUTCOME_WORDS,
    PLAIN_WORDS,
    SEEN_WORDS,
    SENTENCE_WORDS,
    SEPARATORS,
)
from mewm.actions.names import Entry, Names
from mewm.actions.tokens import Quantity, Token, tokenise

_CLAUSE = re.compile(r"[;\n\r|•。；]+|(?<!\d)\.(?=\s|$)|(?<=\d)\.(?=\s|$)")
_ENUMERATION = re.compile(r"^\s*(?:\(?\d{1,2}[.)]\s|[-*]\s)\s*")
_DASHES = str.maketrans(dict.fromkeys("‐‑‒–—−~〜～－", "-") | {"μ": "µ", "’": "'", "`": "'"})
# An amount on a line of its own belongs to the line above.
_AMOUNT_LINE = re.compile(r"\s*[\r\n]+\s*(?=[\d.,]+(?:\s*-\s*[\d.,]+)?\s*[a-zµ]+\s*(?:[\r\n;]|$))", re.IGNORECASE)
_LONGEST_UNKNOWN = 60
_NOT_NUMBERS = ("nan", "inf", "infinity")
_LONE_UNITS = ("mg", "ml")
_LOADED = ("loaded", "eluting", "containing", "carrying", "with")


@dataclass
class Mention:
    """An agent named in the text with the amounts that belong to it.

    Attributes:
        agent: identifier in the action base, or the words as written for an unknown name.
        quantities: amounts in the order of the text.
    """

    agent: str
    quantities: list[Quantity] = field(default_factory=list)


@dataclass(frozen=True)
class Clause:
    """One clause.

    Attributes:
        text: as written, without surrounding blanks.
        items: the agents it gives, grouped as listed; empty if it gives none.
    """

    text: str
    items: tuple[tuple[Mention, ...], ...]


def read_clauses(text: str) -> Iterator[Clause]:
    """Cut a text into clauses at semicolons, line ends and full stops, and read each."""
    text = _AMOUNT_LINE.sub(" ", unicodedata.normalize("NFKC", text).translate(_DASHES))
    start = 0
    for match in [*_CLAUSE.finditer(text), None]:
        piece = text[start : match.start() if match else len(text)]
        piece = _ENUMERATION.sub("", piece).strip()
        if piece:
            yield Clause(piece, tuple(_items(piece)))
        start = match.end() if match else start


def _items(clause: str) -> Iterator[tuple[Mention, ...]]:
    if OTHER_ORGANS.search(clause.lower()):
        return
    tokens = _loaded_beads(_names().mark(tokenise(clause), clause))
    is_list = not any(t.sort == "word" and t.lower in SENTENCE_WORDS for t in tokens)
    previous: tuple[Mention, ...] = ()
    for item, bracketed in _split(tokens):
        agents = [t for t in item if t.sort == "agent"]
        alone = not agents and all(t.sort == "quantity" for t in item)
        if alone and previous and (bracketed or not previous[-1].quantities):
            previous[-1].quantities.extend(t.quantity for t in item if t.quantity)
            continue
        mentions = _given(item) if agents else _unknown(item, clause, is_list and not bracketed)
        if mentions:
            yield mentions
        previous = mentions


@lru_cache(maxsize=1)
def _names() -> Names:
    """Return the names of the action base; one that no source explains stands for itself."""
    base = load_action_base()
    names = Names()
    for name, agent in base.names.items():
        names.add([name], Entry("agent", agent, base.agents[agent].kind))
    names.add(base.unresolved, Entry("agent"))
    return names


def _loaded_beads(tokens: list[Token]) -> list[Token]:
    """Join a bead with the drug it is said to be loaded with, which may not be the drug of the action base."""
    joined: list[Token] = []
    pending: list[Token] = []
    bridge = ""
    for token in tokens:
        if token.sort != "agent":
            pending.append(token)
            if token.sort == "word" and token.lower in _LOADED and bridge in ("", "with"):
                bridge = token.lower
            continue
        whole = _loaded(joined[-1], token, bridge) if joined and bridge and joined[-1].sort == "agent" else None
        if whole is not None:
            joined[-1:] = [whole, *(t for t in pending if t.sort == "quantity")]
            # The pair is closed: what follows starts afresh.
            joined.append(Token("mark", "-", token.end, token.end))
        else:
            joined += [*pending, token]
        pending, bridge = [], ""
    return joined + pending


def _loaded(first: Token, second: Token, bridge: str) -> Token | None:
    """Return one token for a bead and its drug, in either order, or ``None`` if the two are not that."""
    base = load_action_base()
    kinds = [getattr(base.agents.get(t.agent), "kind", "drug") for t in (first, second)]
    if sorted(kinds) != ["bead", "drug"]:
        return None
    bead, drug = (first, second) if kinds[0] == "bead" else (second, first)
    carried = bead.agent.startswith(drug.agent)
    if bridge == "with" and not carried:
        return None
    name = f"{bead.text} loaded with {drug.text}"
    return Token("agent", name, first.start, second.end, bead.agent if carried else name)


def _split(tokens: list[Token]) -> Iterator[tuple[list[Token], bool]]:
    """Cut a clause into listed items, each with whether it stood in brackets."""
    item: list[Token] = []
    depth = 0
    for token in tokens:
        bracket = token.text in ("(", "[", ")", "]")
        if bracket or (token.lower in SEPARATORS and token.sort in ("word", "mark")):
            if item:
                yield item, depth > 0
            item = []
            if bracket:
                depth = depth + 1 if token.text in "([" else max(depth - 1, 0)
        else:
            item.append(token)
    if item:
        yield item, depth > 0


def _given(item: list[Token]) -> tuple[Mention, ...]:
    """Return the agents an item gives, with their amounts; none if it tells what was seen or denied."""
    words = [t.lower for t in item if t.sort == "word"]
    amounts = any(t.sort == "quantity" and t.quantity and t.quantity.unit in ("mg", "ml", "µm") for t in item)
    if not amounts and set(words) & OUTCOME_WORDS and not set(words) & ACTION_WORDS:
        return ()
    agents = [i for i, t in enumerate(item) if t.sort == "agent"]
    mentions: dict[int, Mention] = {}
    for i in agents:
        before = [t.lower for t in item[max(i - 3, 0) : i] if t.sort != "mark"]
        after = item[i + 1].lower if i + 1 < len(item) else ""
        seen = after in SEEN_WORDS or (len(before) > 1 and before[-1] == "of" and before[-2] in SEEN_WORDS)
        if not seen and not set(before) & NEGATIONS:
            mentions[i] = Mention(item[i].agent)
    if not mentions:
        return ()
    mixture = (
        len(agents) > 1
        and agents[-1] + 1 < len(item)
        and item[agents[-1] + 1].lower in MIXTURES
        and agents[-1] - agents[0] == 2 * (len(agents) - 1)
    )
    after_agent = item[agents[0]].start < next((t.start for t in item if t.sort == "quantity"), -1)
    for i, token in enumerate(item):
        if token.sort != "quantity" or token.quantity is None or (mixture and i < agents[0]):
            continue
        if token.quantity.unit == "ml" and _belongs_to_carrier(item, i):
            continue
        sides = [k for k in mentions if k < i][::-1], [k for k in mentions if k > i]
        nearest = sides[0] + sides[1] if after_agent else sides[1] + sides[0]
        beside = nearest[0] in (i - 1, i + 1)
        if token.quantity.unit is not None or beside:
            mentions[nearest[0]].quantities.append(token.quantity)
    for i, mention in mentions.items():
        following = [t for t in item[i + 1 : i + 3] if t.sort == "word"]
        if following and (following[0].lower in _NOT_NUMBERS or following[-1].lower in _LONE_UNITS):
            text = " ".join(t.text for t in following)
            mention.quantities.append(Quantity(math.nan, math.nan, "nan", text))
    return tuple(mentions.values())


def _belongs_to_carrier(item: list[Token], i: int) -> bool:
    """Return whether the amount at ``i`` is one of solution, emulsion or contrast medium."""
    for token in item[i + 1 : i + 5]:
        if token.sort != "word" or token.lower not in PLAIN_WORDS | CARRIERS:
            return False
        if token.lower in CARRIERS:
            return True
    return False


def _unknown(item: list[Token], clause: str, is_list: bool) -> tuple[Mention, ...]:
    """Return the unknown agent an item names, recognised by its amount or by its place in a list."""
    quantities = [t.quantity for t in item if t.quantity is not None and t.quantity.unit is not None]
    words = [t for t in item if t.sort == "word"]
    if any(t.lower in CARRIERS for t in words):
        return ()
    if quantities:
        at = [i for i, t in enumerate(item) if t.sort == "quantity"]
        run = _name_run(item[at[-1] + 1 :]) or _name_run(item[: at[0]][::-1])[::-1]
        run = run or _name_run(item[at[0] + 1 :])
    else:
        run = words if is_list and len(words) == len([t for t in item if t.sort != "mark"]) else []
        plain = any(t.lower in PLAIN_WORDS for t in run)
        run = [] if plain or len(run) > 4 else run
    name = clause[run[0].start : run[-1].end] if run else ""
    if not name or len(name) > _LONGEST_UNKNOWN or (quantities and all(q.vague for q in quantities)):
        return ()
    return (Mention(name, quantities),)


def _name_run(tokens: list[Token]) -> list[Token]:
    """Return the words at the start of ``tokens`` that could be a name, skipping leading articles."""
    run: list[Token] = []
    for token in tokens:
        if token.sort == "mark" and token.text == "-" and run:
            continue
        if token.sort != "word":
            break
        if token.lower in PLAIN_WORDS and token.lower not in ("loaded", "eluting"):
            if not run and token.lower in ("of", "the", "a", "an"):
                continue
            break
        run.append(token)
    return run if len(run) <= 4 else []
