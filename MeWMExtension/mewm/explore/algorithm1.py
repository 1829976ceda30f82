"""The paper's search, with every candidate of every beam scored by all T replicas."""

from __future__ import annotations

from mewm.actions.formulary import Formulary
from mewm.explore.evaluator import Evaluator
from mewm.explore.finish import cost, ranking, search_space
from mewm.explore.result import SearchResult
from mewm.explore.walk import describe, simulations_needed, walk, winner
from mewm.roles import PolicyModel

_WORDS = {"drugs": "drugs", "embolics": "embolic agents", "look back": "with one agent less"}


def explore_algorithm1(evaluator: Evaluator, policy: PolicyModel, formulary: Formulary, goal: str = "") -> SearchResult:
    """Search as the paper does (arXiv 2506.02327, Algorithm 1).

    The paper simulates a protocol again for every beam that meets it. Here its replicas share their seeds and
    would come out the same, so each is run once; ``cost.paper`` counts what the paper would run and
    ``cost.run`` what was run.

    Args:
        evaluator: the case, the roles, the settings, the callback and the cancel token.
        policy: proposes the actions.
        formulary: agents that can be given.
        goal: the user's goal in words, for the policy.

    Raises:
        Cancelled: the user cancelled.
    """
    space = search_space(evaluator, policy, formulary, goal)
    run_before = evaluator.simulations_run

    def risk(node: int) -> float:
        return evaluator.run(space.protocols[space.given(node)])

    def replicas(node: int) -> int:
        return evaluator.replicas_of(space.protocols[space.given(node)])

    def announce(step: int, beams: list[int]) -> None:
        options = {option for beam in beams for option in space.options(step, beam)}
        missing = sum(evaluator.replicas - replicas(option) for option in options)
        message = f"Step {step + 1} of {evaluator.settings.steps}: {_WORDS[space.phase(step)]}"
        evaluator.stage(message, evaluator.simulations_run + missing)

    moves = walk(space, risk, announce)
    best = winner(space, risk, moves)
    protocol = None if best is None else space.protocols[best]
    return SearchResult(
        method="algorithm1",
        winner=None if protocol is None else evaluator.scored(protocol),
        ranking=ranking(evaluator, formulary, protocol),
        steps=describe(space, risk, replicas, moves),
        proposal=space.proposal,
        cost=cost(evaluator, space, run_before, simulations_needed(space, moves)),
        settings=evaluator.settings,
    )
