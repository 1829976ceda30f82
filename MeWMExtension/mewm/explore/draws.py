"""The walk of Algorithm 1 on many tables of risk at once; each ends as :func:`mewm.explore.walk.walk` would."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mewm.explore.space import ROOT, SearchSpace

NOBODY = -1


class DrawTable:
    """Risk of each node in each draw, filled as the walks ask for it.

    Attributes:
        nodes: nodes in the order of their rows.
        risks: ``(nodes, draws)``.
    """

    def __init__(self, draw: Callable[[Sequence[int]], np.ndarray], draws: int) -> None:
        """Begin empty; ``draw`` returns the risks ``(n, draws)`` of n nodes."""
        self.nodes: list[int] = []
        self.risks = np.empty((0, draws))
        self._draw = draw
        self._row: dict[int, int] = {}

    def rows(self, nodes: Sequence[int]) -> list[int]:
        """Return the rows of some nodes, drawing the missing ones."""
        missing = [node for node in dict.fromkeys(nodes) if node not in self._row]
        if missing:
            self._row.update({node: len(self.nodes) + i for i, node in enumerate(missing)})
            self.nodes.extend(missing)
            self.risks = np.concatenate([self.risks, self._draw(missing)])
        return [self._row[node] for node in nodes]

    def of(self, node: int) -> np.ndarray:
        """Return a node's risk in each draw, ``(draws,)``."""
        # The row first: drawing a missing node makes a new ``risks``.
        row = self.rows([node])[0]
        return self.risks[row]


@dataclass(frozen=True)
class Played:
    """Beams of every draw: ``taken`` and ``after`` the replacement of each step, ``(draws, beams)``; winners."""

    taken: list[np.ndarray]
    after: list[np.ndarray]
    winners: np.ndarray


def play_draws(space: SearchSpace, table: DrawTable, draws: int) -> Played:
    """Walk through all steps on every draw; node -1 stands for a beam that dropped out and for no winner."""
    beams = np.full((draws, space.settings.beams), ROOT)
    taken, after = [], []
    for step in range(space.settings.steps):
        taken.append(_take(space, table, step, beams))
        beams = _replace_worst(space, table, taken[-1])
        after.append(beams)
    complete = np.isin(beams, [node for node in np.unique(beams) if _complete(space, node)])
    risk, order = _ranks(space, table, beams)
    best = beams[np.arange(draws), _first(risk, order, complete)]
    return Played(taken, after, np.where(complete.any(axis=1), best, NOBODY))


def _complete(space: SearchSpace, node: int) -> bool:
    return node != NOBODY and space.is_complete(int(node))


def _take(space: SearchSpace, table: DrawTable, step: int, beams: np.ndarray) -> np.ndarray:
    """Return the beams ``(draws, beams)`` after each took its turn's candidate."""
    held, position = np.unique(beams, return_inverse=True)
    position = position.reshape(beams.shape)
    # In sort-key order, so that a stable sort settles ties as the plain walk does.
    options = [sorted(space.options(step, int(node)), key=space.order) if node != NOBODY else [] for node in held]
    counts = np.array([len(nodes) for nodes in options])
    padded = np.full((len(held), max(int(counts.max()), 1)), NOBODY)
    rows = np.zeros_like(padded)
    for i, nodes in enumerate(options):
        padded[i, : len(nodes)] = nodes
        rows[i, : len(nodes)] = table.rows(nodes)
    each = np.arange(len(beams))
    taken = np.empty_like(beams)
    for beam in range(beams.shape[1]):
        here = position[:, beam]
        risks = np.where(padded[here] == NOBODY, np.inf, table.risks[rows[here], each[:, None]])
        ranked = np.argsort(risks, axis=1, kind="stable")
        turn = (beams[:, :beam] == beams[:, beam : beam + 1]).sum(axis=1)
        choice = ranked[each, turn % np.maximum(counts[here], 1)]
        taken[:, beam] = padded[here, choice]
    return taken


def _replace_worst(space: SearchSpace, table: DrawTable, beams: np.ndarray) -> np.ndarray:
    risk, order = _ranks(space, table, beams)
    alive = beams != NOBODY
    each = np.arange(len(beams))
    best = _first(risk, order, alive)
    # Of equally bad beams the last goes, as in the plain walk.
    worst = beams.shape[1] - 1 - _first(-risk[:, ::-1], -order[:, ::-1], alive[:, ::-1])
    after = beams.copy()
    after[each, worst] = beams[each, best]
    return after


def _ranks(space: SearchSpace, table: DrawTable, beams: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return risk and place in sort-key order of each beam's node."""
    held, position = np.unique(beams, return_inverse=True)
    position = position.reshape(beams.shape)
    alive = [int(node) for node in held if node != NOBODY]
    place = {node: i for i, node in enumerate(sorted(alive, key=space.order))}
    rows = dict(zip(alive, table.rows(alive), strict=True))
    order = np.array([place.get(int(node), 0) for node in held])[position]
    row = np.array([rows.get(int(node), 0) for node in held])[position]
    return table.risks[row, np.arange(len(beams))[:, None]], order


def _first(risk: np.ndarray, order: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Return the index of the lowest risk per row, ties by order and then by index."""
    risk = np.where(among, risk, np.inf)
    tied = among & (risk == risk.min(axis=1, keepdims=True))
    place = np.where(tied, order.astype(float), np.inf)
    return np.argmin(place, axis=1)
