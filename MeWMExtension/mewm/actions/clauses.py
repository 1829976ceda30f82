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
from mewm.actions.tokens import Quantity, Token, tokenise

_CLAUSE = re.compile(r"[;\n\r|•。；]+|(?<!\d)\.(?=\s|$)|(?<=\d)\.(?=\s|$)")
_ENUMERATION = re.compile(r"^\s*(?:\(?\d{1,2}[.)]\s|[-*]\s)\s*")
_DASHES = str.maketrans(dict.fromkeys("‐‑‒–—−~〜～－", "-") | {"μ": "µ", "’": "'", "`": "'"})
_LONGEST_NAME = 6
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
    text = unicodedata.normalize("NFKC", text).translate(_DASHES)
    start = 0
    for match in [*_CLAUSE.finditer(text), None]:
        piece = text[start : match.start() if match else len(text)]
        piece = _ENUMERATION.sub("", piece).strip()
        if piece:
            yield Clause(piece, tuple(_items(piece)))
        start = match.end() if match else start


def _items(clause: str) -> Iterator[tuple[Mention, ...]]:
    if OTHER_ORGANS.search(clause):
        return
    tokens = _loaded_beads(_name_agents(tokenise(clause), clause), clause)
    is_list = not any(t.kind == "word" and t.lower in SENTENCE_WORDS for t in tokens)
    previous: tuple[Mention, ...] = ()
    for item, bracketed in _split(tokens):
        agents = [t for t in item if t.kind == "agent"]
        if not agents and bracketed and previous and all(t.kind == "quantity" for t in item):
            previous[-1].quantities.extend(t.quantity for t in item if t.quantity)
            continue
        mentions = _given(item) if agents else _unknown(item, clause, is_list and not bracketed)
        if mentions:
            yield mentions
        previous = mentions


def _name_agents(tokens: list[Token], clause: str) -> list[Token]:
    """Replace the longest runs of words that name an agent by one token each."""
    base = load_action_base()
    unresolved = {n.lower() for n in base.unresolved}
    named: list[Token] = []
    i = 0
    while i < len(tokens):
        run = _longest_name(tokens, i)
        if run:
            agent, count = run
            first, last = tokens[i], tokens[i + count - 1]
            named.append(Token("agent", clause[first.start : last.end], first.start, last.end, agent))
            i += count
        else:
            token = tokens[i]
            if token.kind == "word" and token.lower in unresolved:
                token = Token("agent", token.text, token.start, token.end, token.text)
            named.append(token)
            i += 1
    return named


@lru_cache(maxsize=1)
def _first_words() -> dict[str, dict[tuple[str, ...], str]]:
    """Return names of agents as tuples of words, by their first word."""
    names: dict[str, dict[tuple[str, ...], str]] = {}
    for name, agent in load_action_base().names.items():
        words = tuple(name.split(" "))
        names.setdefault(words[0], {})[words] = agent
    return names


def _longest_name(tokens: list[Token], start: int) -> tuple[str, int] | None:
    names = _first_words()
    parts: list[str] = []
    best = None
    for count, token in enumerate(tokens[start : start + 2 * _LONGEST_NAME], 1):
        if token.kind == "mark" and token.text == "-" and parts:
            continue
        number = token.kind == "quantity" and bool(parts) and token.quantity and token.quantity.unit is None
        if token.kind != "word" and not number:
            break
        parts += re.findall(r"[^\W_]+", token.lower)
        known = names.get(parts[0])
        if known is None:
            break
        words = tuple(parts)
        agent = known.get(words) or known.get((*words[:-1], words[-1].removesuffix("s")))
        if agent:
            best = (agent, count)
    return best


def _loaded_beads(tokens: list[Token], clause: str) -> list[Token]:
    """Join a bead with the drug it is said to be loaded with, which may not be the drug of the action base."""
    base = load_action_base()
    joined = list(tokens)
    for i, token in enumerate(joined):
        if token.kind != "word" or token.lower not in _LOADED:
            continue
        left = next((k for k in range(i - 1, -1, -1) if joined[k].kind == "agent"), None)
        right = next((k for k in range(i + 1, len(joined)) if joined[k].kind == "agent"), None)
        if left is None or right is None:
            continue
        kinds = [getattr(base.agents.get(joined[k].agent), "kind", "drug") for k in (left, right)]
        if sorted(kinds) != ["bead", "drug"]:
            continue
        bead, drug = (left, right) if kinds[0] == "bead" else (right, left)
        carried = joined[bead].agent.startswith(joined[drug].agent)
        if token.lower == "with" and not carried:
            continue
        name = f"{joined[bead].text} loaded with {joined[drug].text}"
        agent = joined[bead].agent if carried else name
        whole = Token("agent", name, joined[left].start, joined[right].end, agent)
        between = [t for t in joined[left + 1 : right] if t.kind == "quantity"]
        return [*joined[:left], whole, *between, *_loaded_beads(joined[right + 1 :], clause)]
    return joined


def _split(tokens: list[Token]) -> Iterator[tuple[list[Token], bool]]:
    """Cut a clause into listed items, each with whether it stood in brackets."""
    item: list[Token] = []
    depth = 0
    for token in tokens:
        bracket = token.text in ("(", "[", ")", "]")
        if bracket or (token.lower in SEPARATORS and token.kind in ("word", "mark")):
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
    words = [t.lower for t in item if t.kind == "word"]
    amounts = any(t.kind == "quantity" and t.quantity and t.quantity.unit in ("mg", "ml", "µm") for t in item)
    if not amounts and set(words) & OUTCOME_WORDS and not set(words) & ACTION_WORDS:
        return ()
    agents = [i for i, t in enumerate(item) if t.kind == "agent"]
    mentions: dict[int, Mention] = {}
    for i in agents:
        before = [t.lower for t in item[max(i - 3, 0) : i] if t.kind != "mark"]
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
    after_agent = item[agents[0]].start < next((t.start for t in item if t.kind == "quantity"), -1)
    for i, token in enumerate(item):
        if token.kind != "quantity" or token.quantity is None or (mixture and i < agents[0]):
            continue
        if token.quantity.unit == "ml" and _belongs_to_carrier(item, i):
            continue
        sides = [k for k in mentions if k < i][::-1], [k for k in mentions if k > i]
        nearest = sides[0] + sides[1] if after_agent else sides[1] + sides[0]
        beside = nearest[0] in (i - 1, i + 1)
        if token.quantity.unit is not None or beside:
            mentions[nearest[0]].quantities.append(token.quantity)
    for i, mention in mentions.items():
        follower = item[i + 1] if i + 1 < len(item) else None
        if follower is not None and follower.kind == "word" and follower.lower in ("nan", "inf", "infinity"):
            mention.quantities.append(Quantity(math.nan, math.nan, "nan", follower.text))
    return tuple(mentions.values())


def _belongs_to_carrier(item: list[Token], i: int) -> bool:
    """Return whether the amount at ``i`` is one of solution, emulsion or contrast medium."""
    for token in item[i + 1 : i + 5]:
        if token.kind != "word" or token.lower not in PLAIN_WORDS | CARRIERS:
            return False
        if token.lower in CARRIERS:
            return True
    return False


def _unknown(item: list[Token], clause: str, is_list: bool) -> tuple[Mention, ...]:
    """Return the unknown agent an item names, recognised by its amount or by its place in a list."""
    quantities = [t.quantity for t in item if t.quantity is not None and t.quantity.unit is not None]
    words = [t for t in item if t.kind == "word"]
    if any(t.lower in CARRIERS for t in words):
        return ()
    if quantities:
        at = [i for i, t in enumerate(item) if t.kind == "quantity"]
        run = _name_run(item[at[-1] + 1 :]) or _name_run(item[: at[0]][::-1])[::-1]
        run = run or _name_run(item[at[0] + 1 :])
    else:
        run = words if is_list and len(words) == len([t for t in item if t.kind != "mark"]) else []
        plain = any(t.lower in PLAIN_WORDS for t in run)
        run = [] if plain or len(run) > 4 else run
    if not run or (quantities and all(q.vague for q in quantities)):
        return ()
    return (Mention(clause[run[0].start : run[-1].end], quantities),)


def _name_run(tokens: list[Token]) -> list[Token]:
    """Return the words at the start of ``tokens`` that could be a name, skipping leading articles."""
    run: list[Token] = []
    for token in tokens:
        if token.kind == "mark" and token.text == "-" and run:
            continue
        if token.kind != "word":
            break
        if token.lower in PLAIN_WORDS:
            if not run and token.lower in ("of", "the", "a", "an"):
                continue
            break
        run.append(token)
    return run if len(run) <= 4 else []
