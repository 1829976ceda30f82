"""The walk of Algorithm 1: beams that take their best candidate, the worst replaced by the best."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mewm.explore.result import Branch, Candidate, Step
from mewm.explore.space import ROOT, SearchSpace


@dataclass(frozen=True)
class Move:
    """Nodes of the beams around one step; fields as in :class:`mewm.explore.result.Step`."""

    before: tuple[int, ...]
    taken: tuple[int, ...]
    replaced: int | None
    after: tuple[int, ...]


def walk(
    space: SearchSpace, risk: Callable[[int], float], on_step: Callable[[int, list[int]], None] | None = None
) -> list[Move]:
    """Follow the beams through all steps (arXiv 2506.02327, Algorithm 1).

    All beams start empty. At each step a beam takes its candidate of lowest risk; beams that hold the same
    protocol take its candidates in order of risk, the first the best, the next the second best, beginning
    again where there are fewer candidates than beams. (The paper's beams differ by sampling noise; here the
    random numbers are shared, and without this rule all beams would be one.) A beam without candidates drops
    out. Then the worst beam is replaced by the best. Ties are settled by the protocol's sort key.

    Args:
        space: the admissible protocols.
        risk: mean risk of a node.
        on_step: called before each step with its index and the beams' nodes.

    Returns:
        One move per step; fewer if all beams dropped out.
    """

    def rank(node: int) -> tuple[float, tuple]:
        return risk(node), space.order(node)

    beams = [ROOT] * space.settings.beams
    moves = []
    for step in range(space.settings.steps):
        if on_step is not None:
            on_step(step, beams)
        ranked = {node: sorted(space.options(step, node), key=rank) for node in dict.fromkeys(beams)}
        turn = dict.fromkeys(ranked, 0)
        taken = []
        for node in beams:
            if ranked[node]:
                taken.append(ranked[node][turn[node] % len(ranked[node])])
                turn[node] += 1
        replaced = None
        after = list(taken)
        if len(set(taken)) > 1:
            # The last of equally bad beams goes, so that lower indices keep their history.
            replaced = max(range(len(taken)), key=lambda i: (*rank(taken[i]), i))
            after[replaced] = min(taken, key=rank)
        moves.append(Move(tuple(beams), tuple(taken), replaced, tuple(after)))
        beams = after
        if not beams:
            break
    return moves


def winner(space: SearchSpace, risk: Callable[[int], float], moves: list[Move]) -> int | None:
    """Return the complete node of lowest risk held by the final beams, or ``None``."""
    held = [node for node in moves[-1].after if space.is_complete(node)]
    return min(held, key=lambda node: (risk(node), space.order(node)), default=None)


def simulations_needed(space: SearchSpace, moves: list[Move]) -> int:
    """Return how many simulations Algorithm 1 runs on this path: each new candidate of each beam, T times."""
    new = sum(
        option != node
        for step, move in enumerate(moves)
        for node in move.before
        for option in space.options(step, node)
    )
    return new * space.settings.replicas


def describe(
    space: SearchSpace, risk: Callable[[int], float], replicas: Callable[[int], int], moves: list[Move]
) -> tuple[Step, ...]:
    """Return the walk as the search tree that is shown to the user."""
    return tuple(_describe(space, risk, replicas, step, move) for step, move in enumerate(moves))


def _describe(
    space: SearchSpace, risk: Callable[[int], float], replicas: Callable[[int], int], step: int, move: Move
) -> Step:
    branches = []
    for node in dict.fromkeys(move.before):
        options = sorted(space.options(step, node), key=lambda option: (risk(option), space.order(option)))
        holders = tuple(beam for beam, held in enumerate(move.before) if held == node)
        candidates = tuple(
            Candidate(
                space.protocols[option],
                space.protocols[space.given(option)],
                risk(option),
                replicas(option),
                rank < len(holders),
            )
            for rank, option in enumerate(options)
        )
        branches.append(Branch(space.protocols[node], holders, candidates, space.cut(step, node)))
    return Step(
        phase=space.phase(step),
        before=tuple(space.protocols[node] for node in move.before),
        branches=tuple(branches),
        taken=tuple(space.protocols[node] for node in move.taken),
        replaced=move.replaced,
        after=tuple(space.protocols[node] for node in move.after),
    )
