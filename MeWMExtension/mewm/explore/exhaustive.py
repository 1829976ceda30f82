"""The referee: every admissible complete protocol scored by all T replicas."""

from __future__ import annotations

from mewm.actions.formulary import Formulary
from mewm.errors import InputError
from mewm.explore.evaluator import Evaluator
from mewm.explore.finish import COUNTABLE_PROTOCOLS, cost, ranking, search_space
from mewm.explore.result import ScoredProtocol, SearchResult
from mewm.explore.walk import simulations_needed, walk
from mewm.roles import PolicyModel


def explore_exhaustive(evaluator: Evaluator, policy: PolicyModel, formulary: Formulary, goal: str = "") -> SearchResult:
    """Score every complete protocol that the rules admit within the horizons.

    Args:
        evaluator: the case, the roles, the settings, the callback and the cancel token.
        policy: proposes the actions.
        formulary: agents that can be given.
        goal: the user's goal in words, for the policy.

    Raises:
        InputError: there are too many protocols.
        Cancelled: the user cancelled.
    """
    space = search_space(evaluator, policy, formulary, goal)
    run_before = evaluator.simulations_run
    complete = space.complete_protocols(COUNTABLE_PROTOCOLS)
    if complete is None:
        raise InputError(
            f"The exhaustive search would score more than {COUNTABLE_PROTOCOLS} protocols; "
            "propose fewer agents or shorten the horizons."
        )
    missing = sum(evaluator.replicas - evaluator.replicas_of(space.protocols[node]) for node in complete)
    evaluator.stage("Scoring every admissible protocol", run_before + missing)
    risks = {node: evaluator.run(space.protocols[node]) for node in complete}
    best = min(complete, key=lambda node: (risks[node], space.order(node)), default=None)
    # The path of Algorithm 1 is unknown here; where its beams go in proposal order stands in for its size.
    position = {node: float(node) for node in range(len(space.protocols))}
    paper = simulations_needed(space, walk(space, position.__getitem__))
    return SearchResult(
        method="exhaustive",
        winner=None if best is None else evaluator.scored(space.protocols[best]),
        ranking=ranking(evaluator, formulary, None if best is None else space.protocols[best]),
        steps=(),
        proposal=space.proposal,
        cost=cost(evaluator, space, run_before, paper),
        settings=evaluator.settings,
    )


def regret(referee: SearchResult, winner: ScoredProtocol | None) -> float:
    """Return how much riskier a search's winner is than the best protocol there is.

    Args:
        referee: result of :func:`explore_exhaustive` on the same case and settings.
        winner: winner of another search, scored by all T replicas.

    Returns:
        Difference of log partial hazards, 0 for the best protocol; ``inf`` where the search found no
        protocol although there is one, 0 where there is none.
    """
    if referee.winner is None:
        return 0.0
    return float("inf") if winner is None else winner.risk - referee.winner.risk
