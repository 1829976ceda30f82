"""Contenders that search over simulated futures, and the same search with one role after the other told the truth."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

from mewm.actions.formulary import Formulary
from mewm.actions.protocol import Protocol
from mewm.cohort.hazards import every_agent
from mewm.dynamics.mechanistic import MechanisticDynamics
from mewm.dynamics.sketch import ResponseSketch
from mewm.evaluation.arms import ArmCase
from mewm.explore.evaluator import Evaluator
from mewm.explore.fast import explore_fast
from mewm.explore.space import SearchSpace
from mewm.explore.walk import walk, winner
from mewm.roi import Roi
from mewm.roles import AssistantModel, DynamicsModel, PolicyModel, SurvivalModel


class SearchArm:
    """The full method: search over simulated, segmented and scored futures (fast search).

    Args:
        policy, dynamics, assistant, survival: the four roles.
        name: how tables call it.
    """

    def __init__(
        self,
        policy: PolicyModel,
        dynamics: DynamicsModel,
        assistant: AssistantModel,
        survival: SurvivalModel,
        name: str = "full method",
    ):
        self.name = name
        self._policy, self._dynamics, self._assistant, self._survival = policy, dynamics, assistant, survival

    def choose(self, case: ArmCase) -> Protocol | None:
        """Return the search's winner."""
        evaluator = Evaluator(case.roi, self._dynamics, self._assistant, self._survival, case.settings)
        sketch = ResponseSketch(case.roi, evaluator.seeds)
        found = explore_fast(evaluator, self._policy, Formulary.everything(), sketch=sketch)
        return None if found.winner is None else found.winner.protocol


class TrueResponseArm:
    """The full method, told how the lesion truly answers to treatment; chance stays unknown.

    Args:
        policy, assistant, survival: roles of the full method.
        true_tissue: whether it is also told the true labels of each simulated future.
    """

    def __init__(
        self, policy: PolicyModel, assistant: AssistantModel, survival: SurvivalModel, *, true_tissue: bool = False
    ):
        self.name = "full method, true response and tissue" if true_tissue else "full method, true response"
        self._policy, self._assistant, self._survival = policy, assistant, survival
        self._true_tissue = true_tissue

    def choose(self, case: ArmCase) -> Protocol | None:
        """Return the search's winner; ``None`` where the truth is unknown."""
        if case.truth is None:
            return None
        world = _Labelled(MechanisticDynamics(case.truth.sensitivities))
        dynamics, assistant = (world, world) if self._true_tissue else (world.dynamics, self._assistant)
        return SearchArm(self._policy, dynamics, assistant, self._survival).choose(case)


class TrueHazardArm:
    """Algorithm 1 with the true expected hazards in place of simulation, assistant and survival model.

    Args:
        policy: proposes the agents; ``None`` proposes every agent. How far the search falls short of the oracle with
            every agent is what its beams lose; what it loses further with a policy's agents, the proposal loses.
    """

    def __init__(self, policy: PolicyModel | None = None):
        self.name = "search on true hazards" if policy is None else "search on true hazards, policy's agents"
        self._policy = policy

    def choose(self, case: ArmCase) -> Protocol | None:
        """Return the search's winner; ``None`` where the truth is unknown."""
        truth, settings, formulary = case.truth, case.settings, Formulary.everything()
        if truth is None:
            return None
        proposal = every_agent()
        if self._policy is not None:
            proposal = self._policy.propose(case.roi, "", formulary, settings.drugs, settings.embolics)
        space = SearchSpace(proposal, case.roi.facts, formulary, settings)

        def hazard(node: int) -> float:
            return truth.expected_log_hazard(space.protocols[space.given(node)])

        best = winner(space, hazard, walk(space, hazard))
        return None if best is None else space.protocols[best]


class _Labelled:
    """Dynamics and assistant at once: remembers the true labels of the futures it drew."""

    name = "true labels"

    def __init__(self, dynamics: MechanisticDynamics):
        self.dynamics = dynamics
        self._labels: dict[int, np.ndarray] = {}

    def simulate(self, roi: Roi, protocol: Protocol, seeds: Sequence[int]) -> np.ndarray:
        futures = self.dynamics.simulate(roi, protocol, seeds)
        # Only the last call's: the evaluator segments what it has just simulated.
        self._labels = {
            _checksum(ct): self.dynamics.tissue(roi, protocol, seed) for ct, seed in zip(futures, seeds, strict=True)
        }
        return futures

    def segment(self, roi: Roi, ct: np.ndarray) -> np.ndarray:
        return self._labels[_checksum(ct)]


def _checksum(ct: np.ndarray) -> int:
    return zlib.crc32(ct.tobytes())
