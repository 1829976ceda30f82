"""The admissible protocols of a case as numbered nodes, found while a search walks over them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from mewm.actions import rules
from mewm.actions.base import load_action_base
from mewm.actions.formulary import Formulary
from mewm.actions.protocol import Action, Protocol
from mewm.clinical import ClinicalFacts
from mewm.explore.settings import ExploreSettings
from mewm.roles import Finding, Proposal

Phase = Literal["drugs", "embolics", "look back"]
ROOT = 0
# Conventional TACE: the drug in Lipiodol, then one embolic agent.
USUAL_EMBOLICS = 2


class SearchSpace:
    """Protocols reachable from the empty one within the horizons; equal treatments are one node.

    Attributes:
        proposal: the policy's actions.
        protocols: protocol of each node found so far, in the order first found; node 0 is empty.
    """

    def __init__(
        self, proposal: Proposal, facts: ClinicalFacts, formulary: Formulary, settings: ExploreSettings
    ) -> None:
        self.proposal = proposal
        self.settings = settings
        self.protocols: list[Protocol] = []
        self._facts = facts
        self._formulary = formulary
        self._nodes: dict[tuple[Action, ...], int] = {}
        self._complete: list[bool] = []
        self._order: list[tuple] = []
        self._given: dict[int, int] = {}
        self._options: dict[tuple[int, int], tuple[tuple[int, ...], tuple[Finding, ...]]] = {}
        self.node(Protocol())

    def node(self, protocol: Protocol) -> int:
        """Return the number of a protocol, adding it if it is new."""
        key = protocol.key
        if key not in self._nodes:
            self._nodes[key] = len(self.protocols)
            self.protocols.append(_in_order_of_giving(protocol))
            self._complete.append(rules.is_complete(protocol))
            self._order.append(tuple((a.kind, a.agent, a.dose or 0.0, a.size_um or (0.0, 0.0)) for a in key))
        return self._nodes[key]

    def given(self, node: int) -> int:
        """Return the node of the treatment by which a protocol is judged.

        A protocol that can be given as it is, is judged by itself. One under construction is judged as the policy would
        go on: its first admissible embolic agents are added, Lipiodol and one embolic agent as conventional TACE has
        them (de Baere et al. 2016), as far as the horizon goes. Drugs alone wash out and are no TACE; what they do
        without oil and occlusion says little about the protocols that begin with them.
        """
        if node not in self._given:
            self._given[node] = self._completed(node)
        return self._given[node]

    def _completed(self, node: int) -> int:
        if self._complete[node] or not self.protocols[node].drugs or not self.settings.complete_partial:
            return node
        protocol = self.protocols[node]
        horizon = self.settings.embolic_horizon
        while len(protocol.embolics) < horizon and (
            len(protocol.embolics) < USUAL_EMBOLICS or not rules.is_complete(protocol)
        ):
            left = horizon - len(protocol.embolics)
            allowed, _ = rules.extensions(protocol, self.proposal.embolics, self._facts, self._formulary, left)
            if not allowed:
                break
            protocol = protocol.with_action(allowed[0])
        return self.node(protocol)

    def is_complete(self, node: int) -> bool:
        """Return whether the protocol can be given as it is."""
        return self._complete[node]

    def order(self, node: int) -> tuple:
        """Return a sort key that settles ties of risk the same way in every search."""
        return self._order[node]

    def phase(self, step: int) -> Phase:
        """Return what the step (0 is the first) does: add drugs, add embolics, or look back."""
        if step < self.settings.drug_horizon:
            return "drugs"
        return "embolics" if step < self.settings.drug_horizon + self.settings.embolic_horizon else "look back"

    def options(self, step: int, node: int) -> tuple[int, ...]:
        """Return what a beam may hold after ``step``: each admissible extension, then "no further agent".

        Staying is an option once the protocol has a drug (drug phase) or is complete (embolic phase). Looking back, the
        extensions are what is left without one agent, where that can still be given.
        """
        return self._expand(step, node)[0]

    def cut(self, step: int, node: int) -> tuple[Finding, ...]:
        """Return the findings of the rules that removed extensions at this step."""
        return self._expand(step, node)[1]

    def _expand(self, step: int, node: int) -> tuple[tuple[int, ...], tuple[Finding, ...]]:
        if (step, node) not in self._options:
            protocol = self.protocols[node]
            phase = self.phase(step)
            if phase == "look back":
                self._options[step, node] = self._fewer(node)
                return self._options[step, node]
            if phase == "drugs":
                # This step itself counts, and after the drugs all embolic steps are still to come.
                actions, steps_left = self.proposal.drugs, 1 + self.settings.embolic_horizon
                may_stay = bool(protocol.drugs)
            else:
                actions = self.proposal.embolics
                steps_left = self.settings.drug_horizon + self.settings.embolic_horizon - step
                may_stay = self.is_complete(node)
            allowed, findings = rules.extensions(protocol, actions, self._facts, self._formulary, steps_left)
            nodes = [self.node(protocol.with_action(action)) for action in allowed]
            self._options[step, node] = (*nodes, *([node] if may_stay else [])), findings
        return self._options[step, node]

    def _fewer(self, node: int) -> tuple[tuple[int, ...], tuple[Finding, ...]]:
        """Return the complete protocols with one agent less, then the node itself, and what the rules cut of them."""
        actions = self.protocols[node].actions
        fewer: list[int] = []
        cut: list[Finding] = []
        for left_out in actions:
            without = Protocol(tuple(action for action in actions if action != left_out))
            if not rules.is_complete(without):
                continue
            findings = [f for f in rules.check(without, self._facts, self._formulary) if f.severity == "excluded"]
            cut += findings
            fewer += [] if findings else [self.node(without)]
        return (*fewer, *([node] if self.is_complete(node) else [])), tuple(cut)

    def complete_protocols(self, at_most: int) -> list[int] | None:
        """Return every complete node reachable within the horizons, or ``None`` above ``at_most`` nodes."""
        level = [ROOT]
        for step in range(self.settings.steps):
            level = list(dict.fromkeys(self._reachable(step, level)))
            if len(level) > at_most:
                return None
        return [node for node in level if self.is_complete(node)]

    def _reachable(self, step: int, level: list[int]) -> Iterator[int]:
        for node in level:
            yield from self.options(step, node)


def _in_order_of_giving(protocol: Protocol) -> Protocol:
    """Return the protocol with drugs and oil before what closes the vessel, however the search came upon them."""
    agents = load_action_base().agents

    def closes(action: Action) -> bool:
        agent = agents.get(action.agent)
        return action.kind == "embolic" and agent is not None and agent.occlusion != "none"

    return Protocol(tuple(sorted(protocol.actions, key=closes)))
