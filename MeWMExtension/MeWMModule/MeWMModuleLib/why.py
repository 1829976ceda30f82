"""Why a protocol stands where it does: its path through the search, what the rules cut, why it was proposed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from mewm.actions.base import load_action_base
from mewm.actions.protocol import Action, Protocol
from mewm.actions.text import parse_protocol, render_action, render_protocol
from mewm.errors import InputError
from mewm.rows import spread_words


@dataclass(frozen=True)
class Move:
    """One step of the search on the way to a protocol.

    Attributes:
        number: of the step, from 1.
        added: the agent in words, or ``"no further agent"``, or what was left out again.
        risk: of the protocol after the move, in words: a search judges what it has not simulated by an estimate.
        place: place among the candidates of this step by risk, from 1.
        candidates: how many there were.
        best: text and risk of the best candidate in words.
        taken: whether a beam went on from here.
        cut: findings of the rules that removed candidates at this step.
        judged: the finished treatment in words that stands for an unfinished protocol, else empty.
    """

    number: int
    added: str
    risk: str
    place: int
    candidates: int
    best: tuple[str, str]
    taken: bool
    cut: tuple[Mapping[str, Any], ...]
    judged: str = ""


def path_of(protocol: str, search: Mapping[str, Any]) -> tuple[list[Move], bool]:
    """Return the moves of the search towards a protocol, first step first, and whether they lead all the way.

    Beams can leave a protocol behind half-way; the moves then end where they did.

    Args:
        protocol: in words, as in the ranking.
        search: content of ``search.json``.
    """
    try:
        whole = parse_protocol(protocol).protocol.key
    except InputError:
        return [], False
    wanted: tuple | None = None
    first: tuple = ()
    moves: list[Move] = []
    for number, step in reversed(list(enumerate(search.get("steps", []), start=1))):
        found = _move(number, step, whole, wanted)
        if found is not None:
            move, reached, wanted = found
            first = first or reached
            moves.insert(0, move)
    return moves, first == whole


def why_html(row: Mapping[str, Any], search: Mapping[str, Any]) -> str:
    """Return the explanation of a row of the ranking as simple HTML.

    Args:
        row: of the ranking.
        search: content of ``search.json``, empty for a run without a search.
    """
    parts = [f"<b>{escape(_title(row))}</b>"]
    if row.get("violations"):
        parts.append(f"<p><b>Rules it breaks:</b> {escape(row['violations'])}</p>")
    if row.get("risk_parts"):
        parts.append(_risk_html(str(row["risk_parts"])))
    moves, complete = path_of(row["protocol"], search)
    telling = [move for move in moves if move.candidates > 1]
    if row.get("origin") == "yours":
        parts.append("<p>You entered this protocol.</p>")
    if telling:
        parts += ["<p><b>Path of the search</b></p><ul>", *(_move_html(move) for move in telling), "</ul>"]
        if not complete:
            parts.append("<p>The beams went other ways from here; the whole protocol was scored beside them.</p>")
    elif not search.get("steps"):
        parts.append("<p>This run has no search tree.</p>")
    elif row.get("origin") != "yours":
        parts.append("<p>It was scored beside the path of the search.</p>")
    cut = [finding for move in moves for finding in move.cut] if moves else _all_cuts(search)
    if cut:
        parts += ["<p><b>What the rules cut on the way</b></p><ul>", *_cuts_html(cut), "</ul>"]
    reasons = _reasons(row["protocol"], search)
    if reasons:
        parts.append("<p><b>Why these agents were proposed</b></p><ul>")
        parts += [f"<li>{escape(reason)}</li>" for reason in reasons]
        parts.append("</ul>")
    return "".join(parts)


def _move(number: int, step: Mapping[str, Any], whole: tuple, wanted: tuple | None) -> tuple[Move, tuple, tuple] | None:
    """Return the move of a step onto the protocol wanted, or onto any part of the whole one while none is."""
    for branch in step["branches"]:
        # Candidates whose risk is not known (null) come last.
        candidates = sorted(branch["candidates"], key=lambda c: (c["risk"] is None, c["risk"] or 0.0))
        for place, candidate in enumerate(candidates, start=1):
            protocol = _protocol(candidate["protocol"])
            part = bool(protocol.actions) and set(protocol.actions) <= set(whole)
            if candidate["risk"] is None or (protocol.key != wanted if wanted is not None else not part):
                continue
            parent = _protocol(branch["protocol"])
            words = [render_action(action) for action in protocol.actions if action not in parent.actions]
            words += [f"without {render_action(a)}" for a in parent.actions if a not in protocol.actions]
            best = candidates[0]
            judged = _protocol(candidate.get("judged", candidate["protocol"]))
            move = Move(
                number,
                "; ".join(words) or "no further agent",
                _risk_words(candidate),
                place,
                len(candidates),
                (render_protocol(_protocol(best["protocol"])), _risk_words(best)),
                bool(candidate["taken"]),
                tuple(branch["cut"]),
                "" if judged.key == protocol.key else render_protocol(judged),
            )
            return move, protocol.key, parent.key
    return None


def _risk_words(candidate: Mapping[str, Any]) -> str:
    estimated = "" if candidate.get("replicas", 1) else " (estimated, not simulated)"
    return f"{_signed(candidate['risk'])}{estimated}"


def _move_html(move: Move) -> str:
    words = f"Step {move.number}, {escape(move.added)}: risk {move.risk}, "
    words += f"{_ordinal(move.place)} of {move.candidates} candidates"
    if move.place > 1:
        words += f" (best: {escape(move.best[0])}, {move.best[1]})"
    if move.judged:
        words += f", judged by what the policy would make of it: {escape(move.judged)}"
    return f"<li>{words}{'' if move.taken else '; no beam took it'}</li>"


def _risk_html(told: str) -> str:
    """Which volumes drove the risk; what stands after the semicolon says by what method that was found."""
    shares, _, method = told.partition("; ")
    items = "".join(f"<li>{escape(share.replace('-', chr(0x2212)))}</li>" for share in shares.split(", "))
    how = f"<small>Method: {escape(method)}. The risk above is the mean of all simulated futures.</small>"
    return f"<p><b>What the risk is made of</b> (log hazard; plus raises it)</p><ul>{items}</ul><p>{how}</p>"


def _cuts_html(cut: list[Mapping[str, Any]]) -> list[str]:
    """One line a rule: its first sentence in full, then the other agents it cut."""
    by_rule: dict[str, list[Mapping[str, Any]]] = {}
    for finding in cut:
        by_rule.setdefault(finding["rule"], []).append(finding)
    name = load_action_base().display_name
    lines = []
    for findings in by_rule.values():
        first = findings[0]
        others = dict.fromkeys(
            " with ".join(map(name, f["agents"])) for f in findings if f["agents"] != first["agents"]
        )
        more = f" Likewise: {escape(', '.join(others))}." if others else ""
        lines.append(f"<li>{escape(first['message'])}{more} <i>{escape(first['source'])}</i></li>")
    return lines


def _title(row: Mapping[str, Any]) -> str:
    rank = f"{row['rank']}. " if row.get("rank") else ""
    futures = f"{row['replicas']} simulated future{'s' if row['replicas'] != 1 else ''}"
    return f"{rank}{row['protocol']}: risk {_signed(row['risk'])}{spread_words(row.get('risk_sd'))} over {futures}"


def _all_cuts(search: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [finding for step in search.get("steps", []) for branch in step["branches"] for finding in branch["cut"]]


def _reasons(protocol: str, search: Mapping[str, Any]) -> list[str]:
    reasons = search.get("proposal", {}).get("reasons", {})
    names = load_action_base()
    return [text for agent, text in reasons.items() if names.display_name(agent).lower() in protocol.lower()]


def _protocol(data: Mapping[str, Any]) -> Protocol:
    return Protocol(
        tuple(
            Action(a["agent"], a["kind"], a["dose"], a["unit"], tuple(a["size_um"]) if a["size_um"] else None)
            for a in data["actions"]
        )
    )


def _ordinal(place: int) -> str:
    return {1: "best", 2: "2nd", 3: "3rd"}.get(place, f"{place}th")


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "\u2212")
