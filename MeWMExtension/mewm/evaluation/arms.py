"""Contenders that choose a protocol for a case, from chance to the truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol as Interface

import numpy as np

from mewm.actions import rules
from mewm.actions.base import load_action_base
from mewm.actions.formulary import Formulary
from mewm.actions.protocol import Action, Protocol
from mewm.cohort.hazards import admissible, best_of
from mewm.evaluation.world import TrueCase
from mewm.explore.settings import ExploreSettings
from mewm.policy.policy_only import PolicyOnly
from mewm.roi import Roi
from mewm.roles import PolicyModel


@dataclass(frozen=True, eq=False)
class ArmCase:
    """What an arm is given.

    Attributes:
        roi: the case.
        seed: chance of this case.
        settings: horizons and size of a search.
        truth: only the oracle and the search on true hazards look at it; ``None`` for real cases.
    """

    roi: Roi
    seed: int
    settings: ExploreSettings
    truth: TrueCase | None = None


class ProtocolArm(Interface):
    """A way to choose a protocol."""

    name: str

    def choose(self, case: ArmCase) -> Protocol | None:
        """Return the choice; ``None`` where the arm finds none."""
        ...


class RandomArm:
    """Any protocol that the rules admit, all equally likely, at usual doses."""

    name = "random under rules"

    def choose(self, case: ArmCase) -> Protocol | None:
        """Return a random admissible protocol."""
        protocols = admissible(case.roi, case.settings)
        rng = np.random.default_rng(np.random.SeedSequence([case.seed, 1]))
        return protocols[int(rng.integers(len(protocols)))]


class FrequentArm:
    """The combination of agents most often given in the training split that the rules admit, at usual doses.

    Args:
        treated: as-treated protocols of the training split.
    """

    name = "most frequent combination"

    def __init__(self, treated: Sequence[Protocol]):
        counts = Counter(tuple(sorted(protocol.agents)) for protocol in treated)
        # Equal counts in alphabetical order, so that the order of the table does not matter.
        self._sets = [agents for agents, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]

    def choose(self, case: ArmCase) -> Protocol | None:
        """Return the most frequent admissible combination."""
        base = load_action_base()
        for agents in self._sets:
            protocol = Protocol(tuple(base.usual(agent) for agent in agents))
            if _allowed(protocol, case.roi):
                return protocol
        return None


class EverythingArm:
    """All agents that the rules allow together, the policy's order first, without a limit on their number.

    Args:
        policy: orders the agents.
    """

    name = "all allowed agents"

    def __init__(self, policy: PolicyModel):
        self._policy = policy

    def choose(self, case: ArmCase) -> Protocol | None:
        """Return the greedy union of agents; drug-eluting beads, which exclude all others, are left out."""
        proposal = self._policy.propose(case.roi, "", Formulary.everything(), 99, 99)
        drugs = [action for action in proposal.drugs if action.kind == "drug"]
        return _greedy(drugs, proposal.embolics, case.roi, len(drugs), len(proposal.embolics))


class PolicyArm:
    """The policy alone: its first drug with its first embolics that the rules allow together; no simulation.

    Args:
        policy: proposes the agents.
        drugs, embolics: how many at most.
    """

    def __init__(self, policy: PolicyModel, drugs: int = 1, embolics: int = 2):
        self.name = f"{policy.name} policy alone"
        self._policy, self._drugs, self._embolics = policy, drugs, embolics

    def choose(self, case: ArmCase) -> Protocol | None:
        """Return the top of the policy's lists as a protocol."""
        settings = case.settings
        proposal = self._policy.propose(case.roi, "", Formulary.everything(), settings.drugs, settings.embolics)
        return _greedy(proposal.drugs, proposal.embolics, case.roi, self._drugs, self._embolics)


class EndpointArm:
    """A chat model alone, asked for a whole protocol over the network; no simulation.

    Args:
        policy: the model.

    Attributes:
        failure: why the last case got no answer; empty where it got one.
    """

    def __init__(self, policy: PolicyOnly):
        self.name, self.failure = policy.name, ""
        self._policy = policy

    def choose(self, case: ArmCase) -> Protocol | None:
        """Return what the rules leave of the model's choice."""
        choice = self._policy.choose(case.roi)
        self.failure = choice.failure
        return choice.protocol


class OracleArm:
    """The admissible protocol of lowest true expected hazard: the ceiling."""

    name = "oracle"

    def choose(self, case: ArmCase) -> Protocol | None:
        """Return the best protocol; ``None`` where the truth is unknown."""
        if case.truth is None:
            return None
        protocols = admissible(case.roi, case.settings)
        return best_of(case.truth.hazards(protocols), protocols)


def _greedy(
    drugs: Sequence[Action], embolics: Sequence[Action], roi: Roi, most_drugs: int, most_embolics: int
) -> Protocol | None:
    """Add agents in their order as long as the rules allow them; ``None`` if no complete protocol comes of it."""
    everything, protocol = Formulary.everything(), Protocol()
    for phase, most in ((drugs, most_drugs), (embolics, most_embolics)):
        added, later = 0, most_embolics if phase is drugs else 0
        while added < most:
            allowed, _ = rules.extensions(protocol, phase, roi.facts, everything, most - added + later)
            if not allowed:
                break
            protocol, added = protocol.with_action(allowed[0]), added + 1
    return protocol if rules.is_complete(protocol) else None


def _allowed(protocol: Protocol, roi: Roi) -> bool:
    findings = rules.check(protocol, roi.facts, Formulary.everything())
    return rules.is_complete(protocol) and not any(f.severity == "excluded" for f in findings)
