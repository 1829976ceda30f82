"""What every search begins with and ends with."""

from __future__ import annotations

from mewm.actions import rules
from mewm.actions.formulary import Formulary
from mewm.actions.protocol import Protocol
from mewm.explore.evaluator import Evaluator
from mewm.explore.result import Cost, ScoredProtocol
from mewm.explore.space import SearchSpace
from mewm.roles import PolicyModel

# Enumerating more protocols than this only to report their number would delay the result noticeably.
COUNTABLE_PROTOCOLS = 5000


def search_space(evaluator: Evaluator, policy: PolicyModel, formulary: Formulary, goal: str) -> SearchSpace:
    """Ask the policy once for its proposal and open the space of protocols made of it."""
    settings = evaluator.settings
    evaluator.stage("Proposing drugs and embolic agents")
    proposal = policy.propose(evaluator.roi, goal, formulary, settings.drugs, settings.embolics)
    return SearchSpace(proposal, evaluator.roi.facts, formulary, settings)


def ranking(evaluator: Evaluator, formulary: Formulary, reference: Protocol | None) -> tuple[ScoredProtocol, ...]:
    """Return every complete protocol scored so far, lowest risk first.

    A protocol with fewer than T replicas is corrected by how the first replicas of ``reference`` (which has
    all T) differ from its T: the replicas share their seeds, so most of their luck is the same.
    """
    scored = []
    for protocol in evaluator.complete_protocols():
        findings = rules.check(protocol, evaluator.roi.facts, formulary)
        scored.append(evaluator.scored(protocol, findings, _correction(evaluator, protocol, reference)))
    return tuple(sorted(scored, key=lambda row: (row.risk, -row.replicas, repr(row.protocol.key))))


def confirmed_ranking(
    evaluator: Evaluator, formulary: Formulary, reference: Protocol, rows: int
) -> tuple[ScoredProtocol, ...]:
    """Return the ranking with all T replicas behind each of its first ``rows`` rows.

    A search spends replicas where they decide the winner. What a reader compares at the top of a table must
    rest on the same futures, so the top rows get what they lack, until the top no longer changes.

    Args:
        evaluator: what was scored so far.
        formulary: agents that can be given.
        reference: a protocol that has all T replicas, the search's winner.
        rows: how many rows to confirm.

    Raises:
        Cancelled: the user cancelled.
    """
    while True:
        ranked = ranking(evaluator, formulary, reference)
        lacking = [row.protocol for row in ranked[:rows] if row.replicas < evaluator.replicas]
        if not lacking:
            return ranked
        missing = sum(evaluator.replicas - evaluator.replicas_of(protocol) for protocol in lacking)
        evaluator.stage("Confirming the best protocols", evaluator.simulations_run + missing)
        for protocol in lacking:
            evaluator.run(protocol)


def _correction(evaluator: Evaluator, protocol: Protocol, reference: Protocol | None) -> float:
    replicas = evaluator.replicas_of(protocol)
    if reference is None or replicas == evaluator.replicas:
        return 0.0
    risks = evaluator.risks(reference)
    return sum(risks) / len(risks) - sum(risks[:replicas]) / replicas


def exhaustive_simulations(space: SearchSpace) -> int | None:
    """Return how many simulations the exhaustive search needs, or ``None`` if there are too many to count."""
    complete = space.complete_protocols(COUNTABLE_PROTOCOLS)
    return None if complete is None else len(complete) * space.settings.replicas


def cost(evaluator: Evaluator, space: SearchSpace, run_before: int, paper: int) -> Cost:
    """Return what a search ran since ``run_before`` beside what its peers need."""
    return Cost(evaluator.simulations_run - run_before, paper, exhaustive_simulations(space))
