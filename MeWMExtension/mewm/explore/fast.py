"""The fast search: the winner of Algorithm 1 from a tenth of its simulations.

Algorithm 1 needs the risk of hundreds of protocols only to decide which beam takes what. The fast search keeps
a belief about all risks (:mod:`mewm.explore.surrogate`), plays Algorithm 1 on joint draws from it, which costs
no simulation, and simulates next what tells most about where the draws' winners differ. It stops when all
draws agree on the winner (Bayesian algorithm execution: Neiswanger, Wang & Ermon, ICML 2021, arXiv
2104.09460). Replicas share their random numbers, so that one replica of each contender compares them well;
further replicas go only to protocols whose difference is still in doubt.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np

from mewm.actions.formulary import Formulary
from mewm.actions.protocol import Protocol
from mewm.explore.draws import NOBODY, DrawTable, Played, play_draws
from mewm.explore.evaluator import Evaluator
from mewm.explore.finish import cost, ranking, search_space
from mewm.explore.result import SearchResult
from mewm.explore.space import ROOT, SearchSpace
from mewm.explore.surrogate import RiskSurrogate
from mewm.explore.walk import Move, describe, simulations_needed, walk, winner
from mewm.roles import PolicyModel

# Share of Algorithm 1's simulations that may be spent to settle the winner, and on caution and contenders: a tenth,
# less what the expected path may misjudge of Algorithm 1's cost.
BUDGET, CAREFUL_BUDGET = 0.0955, 0.095
# Small searches may spend this many even so; most of them end up fully simulated.
SMALL_BUDGET = 30
DRAWS = 128
# Of the draws that do not have the favourite winning, how many are asked why.
VOTERS = 48
# One simulation says much of a protocol never simulated, a further replica less, and next to nothing of two
# protocols that did not differ so far.
REPLICA_WEIGHT, TIE_WEIGHT = 0.3, 0.03
AGREEMENT = 0.99
# Drugs simulated alone at the outset where sketches tell the rest of them apart.
FIRST_LOOKS = 4
# The draws must agree first as the fitted belief has them, then, while the budget lasts, ever more cautiously.
CAUTIONS = (1.0, 1.5, 2.0, 3.0)
# Percentile of Algorithm 1's cost over the draws that the budget is a share of: the path may turn out cheap.
CHEAP_PATH = 5
# Complete protocols that get all replicas where the budget allows, the winner among them.
CONTENDERS = 8


Sketch = Callable[[Protocol], np.ndarray]


def explore_fast(
    evaluator: Evaluator, policy: PolicyModel, formulary: Formulary, goal: str = "", sketch: Sketch | None = None
) -> SearchResult:
    """Find the winner of :func:`mewm.explore.algorithm1.explore_algorithm1` with few simulations.

    The winner always has all T replicas, the next best complete protocols as far as a tenth of Algorithm 1's
    simulations allows. That the winner is the same is probable, not certain: it rests on the belief.

    Args:
        evaluator: the case, the roles, the settings, the callback and the cancel token.
        policy: proposes the actions.
        formulary: agents that can be given.
        goal: the user's goal in words, for the policy.
        sketch: what may explain the risk of each replica of a protocol, ``(replicas, columns)``, at a small part of a
            simulation's cost (:class:`mewm.dynamics.sketch.ResponseSketch`); the belief regresses on it.

    Raises:
        Cancelled: the user cancelled.
    """
    space = search_space(evaluator, policy, formulary, goal)
    run_before = evaluator.simulations_run
    search = _Search(evaluator, space, sketch)
    best = search.find_winner()
    agreement = None if best is None else search.agreement(best)
    moves = walk(space, search.risk)
    protocol = None if best is None else space.protocols[best]
    return SearchResult(
        method="fast",
        winner=None if protocol is None else evaluator.scored(protocol),
        ranking=ranking(evaluator, formulary, protocol),
        steps=describe(space, search.risk, search.replicas, moves),
        proposal=space.proposal,
        cost=cost(evaluator, space, run_before, simulations_needed(space, moves)),
        settings=evaluator.settings,
        agreement=agreement,
    )


class _Search:
    def __init__(self, evaluator: Evaluator, space: SearchSpace, sketch: Sketch | None) -> None:
        self._evaluator = evaluator
        self._space = space
        self._seen: dict[int, int] = {}
        self._run_before = evaluator.simulations_run
        self._announced: tuple[str, int] | None = None
        self._sketched = sketch is not None
        self._least_needed = float("inf")
        self._belief = RiskSurrogate(
            space.proposal,
            space.protocols.__getitem__,
            replicas=evaluator.replicas,
            draws=DRAWS,
            rng=np.random.default_rng(evaluator.settings.seed),
            sketch=None if sketch is None else lambda node: sketch(space.protocols[node]),
        )

    def replicas(self, node: int) -> int:
        return self._evaluator.replicas_of(self._treatment(node))

    def risk(self, node: int) -> float:
        """Return the mean risk where all replicas are known, else the expectation."""
        risks = self._evaluator.risks(self._treatment(node))
        return (
            float(np.mean(risks))
            if len(risks) == self._evaluator.replicas
            else self._belief.mean(self._space.given(node))
        )

    def _treatment(self, node: int) -> Protocol:
        return self._space.protocols[self._space.given(node)]

    def find_winner(self) -> int | None:
        """Simulate until the draws agree on the winner or the budget is spent; return the winner."""
        first = [node for node in self._space.options(0, ROOT) if node != ROOT]
        if not first:
            return None
        if self._sketched:
            first = first[:: max(len(first) // FIRST_LOOKS, 1)][:FIRST_LOOKS]
        self._stage("Simulating first drugs" if self._sketched else "Simulating each drug once", len(first))
        for node in first:
            # Beads are complete: a beam that holds them keeps them, and every step compares others with them.
            whole = self._space.is_complete(node) and not self._sketched
            self._simulate(node, self._evaluator.replicas if whole else 1)
        cautions = list(CAUTIONS)
        while True:
            self._belief.update(cautions[0])
            moves = walk(self._space, self.risk)
            favourite = winner(self._space, self.risk, moves)
            if favourite is None:
                return None
            careful = cautions[0] != CAUTIONS[0]
            spare = self._spare(moves, favourite, CAREFUL_BUDGET if careful else BUDGET)
            self._stage("Racing the contenders", sum(self._seen.values()) + max(spare, 0))
            disputed = None if spare <= 0 else self._most_disputed(moves, favourite)
            if disputed is not None:
                self._simulate(disputed, self.replicas(disputed) + 1)
            elif spare > 0 and len(cautions) > 1:
                cautions.pop(0)
            elif careful:
                # What is confirmed and returned rests on the belief as fitted.
                cautions = [CAUTIONS[0]]
            elif spare < 0 and self.replicas(favourite) < self._evaluator.replicas and self._confirmed():
                # Confirming one favourite made another, which there is no budget to confirm.
                return min(self._confirmed(), key=lambda node: (self.risk(node), self._space.order(node)))
            elif not (self._simulate(favourite, self._evaluator.replicas) or self._confirm_contender(moves, favourite)):
                return favourite

    def agreement(self, favourite: int) -> float:
        """Return the share of the belief's draws, without extra caution, in which Algorithm 1 ends so."""
        self._belief.update()
        played = play_draws(self._space, DrawTable(self._draw, DRAWS), DRAWS)
        return float((played.winners == favourite).mean())

    def _stage(self, message: str, expected: int) -> None:
        if (message, expected) != self._announced:
            self._announced = (message, expected)
            self._evaluator.stage(message, self._run_before + expected)

    def _spare(self, moves: list[Move], favourite: int, share: float) -> int:
        """Return how many simulations a share of Algorithm 1's leaves beside the favourite's missing replicas."""
        needed = min(simulations_needed(self._space, moves), self._least_needed)
        budget = max(int(share * needed), SMALL_BUDGET)
        missing = self._evaluator.replicas - self.replicas(favourite)
        return budget - sum(self._seen.values()) - missing

    def _needed(self, played: Played) -> np.ndarray:
        """Return how many simulations Algorithm 1 would run on the path of each draw."""
        needed = np.zeros(len(played.winners))
        before = np.full_like(played.after[0], ROOT)
        for step, after in enumerate(played.after):
            held, position = np.unique(before, return_inverse=True)
            new = [sum(o != n for o in self._space.options(step, int(n))) if n != NOBODY else 0 for n in held]
            needed += np.array(new)[position.reshape(before.shape)].sum(axis=1)
            before = after
        return needed * self._evaluator.replicas

    def _draw(self, nodes: Sequence[int]) -> np.ndarray:
        risks = self._belief.draws([self._space.given(node) for node in nodes])
        for row, node in enumerate(nodes):
            if self.replicas(node) == self._evaluator.replicas:
                risks[row] = self.risk(node)
        return risks

    def _most_disputed(self, moves: list[Move], favourite: int) -> int | None:
        """Return the node that would settle most of the draws whose winner is not the favourite.

        ``None`` where the draws agree or all disputed nodes are fully known.
        """
        table = DrawTable(self._draw, DRAWS)
        played = play_draws(self._space, table, DRAWS)
        self._least_needed = float(np.percentile(self._needed(played), CHEAP_PATH))
        if (played.winners == favourite).mean() >= AGREEMENT:
            return None
        votes: dict[int, float] = defaultdict(float)
        for draw in np.flatnonzero(played.winners != favourite)[:VOTERS]:
            for pair in self._disputes(table, played, int(draw), moves, favourite):
                node = min(pair, key=lambda n: (self.replicas(n), -self._variance(table, n), n))
                if self.replicas(node) < self._evaluator.replicas:
                    votes[node] += self._weight(*pair)
        return max(votes, key=lambda node: (votes[node], -node), default=None)

    def _weight(self, one: int, two: int) -> float:
        """Return how much a simulation promises to settle about the order of two nodes."""
        first, second = (self._evaluator.risks(self._treatment(node)) for node in (one, two))
        shared = min(len(first), len(second))
        if not shared:
            return 1.0
        return TIE_WEIGHT if first[:shared] == second[:shared] else REPLICA_WEIGHT

    def _variance(self, table: DrawTable, node: int) -> float:
        return float(table.of(node).var())

    def _disputes(
        self, table: DrawTable, played: Played, draw: int, moves: list[Move], favourite: int
    ) -> set[tuple[int, int]]:
        """Return the pairs of nodes whose order keeps the favourite from winning in this draw.

        Where the draw first parts from the expected walk on the way to either winner, and the two winners if the
        draw has the favourite behind.
        """

        def drawn(node: int) -> float:
            return float(table.of(node)[draw])

        rival = int(played.winners[draw])
        if rival == NOBODY:
            return set()
        pairs = {(rival, favourite)} if drawn(rival) < drawn(favourite) else set()
        expected_taken = [move.taken for move in moves]
        expected_after = [move.after for move in moves]
        drawn_taken = [tuple(taken[draw].tolist()) for taken in played.taken]
        drawn_after = [tuple(after[draw].tolist()) for after in played.after]
        to_favourite = self._path(expected_after, favourite)
        to_rival = self._path(drawn_after, rival)
        for step in range(len(moves)):
            if to_rival[step] not in expected_after[step]:
                return pairs | {(to_rival[step], self._preferred(to_rival, step, expected_taken[step], self.risk))}
            if to_favourite[step] not in drawn_after[step]:
                return pairs | {(to_favourite[step], self._preferred(to_favourite, step, drawn_taken[step], drawn))}
        return pairs

    def _path(self, after: list[tuple[int, ...]], end: int) -> list[int]:
        """Return nodes that were held after each step and lead to ``end``."""
        path = [end]
        for step in range(len(after) - 1, 0, -1):
            held = (node for node in after[step - 1] if node != NOBODY)
            path.append(next(node for node in held if path[-1] in self._space.options(step, node)))
        return path[::-1]

    def _preferred(self, path: list[int], step: int, taken: tuple[int, ...], risk: Callable[[int], float]) -> int:
        """Return the node that kept ``path[step]`` out of the beams: taken instead of it, or not replaced."""
        others = set(taken) - {path[step], NOBODY}
        if path[step] not in taken:
            others &= set(self._space.options(step, path[step - 1] if step else ROOT))
        return max(others, key=risk)

    def _simulate(self, node: int, replicas: int) -> bool:
        """Run a node up to a number of replicas and learn from it; return whether anything was new."""
        node = self._space.given(node)
        protocol = self._space.protocols[node]
        self._evaluator.run(protocol, replicas)
        risks = self._evaluator.risks(protocol)
        known = self._seen.get(node, 0)
        for replica in range(known, len(risks)):
            self._belief.learn(node, replica, risks[replica])
        self._seen[node] = len(risks)
        return len(risks) > known

    def _confirmed(self) -> list[int]:
        """Return the complete nodes that have all replicas."""
        return [n for n in self._seen if self._space.is_complete(n) and self.replicas(n) == self._evaluator.replicas]

    def _confirm_contender(self, moves: list[Move], favourite: int) -> bool:
        """Give the next of the best complete protocols its missing replicas; return whether the budget let it."""
        known = set(self._seen)
        if self._sketched:
            last = len(moves) - 1
            known.update(n for held in moves[last - 1].after for n in self._space.options(last, held))
        complete = (node for node in known if self._space.is_complete(node) and node != favourite)
        contenders = sorted(complete, key=self.risk)[: CONTENDERS - 1]
        missing = [node for node in contenders if self.replicas(node) < self._evaluator.replicas]
        if not missing or self._spare(moves, missing[0], CAREFUL_BUDGET) < 0:
            return False
        self._simulate(missing[0], self._evaluator.replicas)
        return True
