"""A treatment as data: one action per agent, an ordered protocol of actions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Kind = Literal["drug", "embolic", "bead", "unknown"]


@dataclass(frozen=True)
class Action:
    """One agent given once.

    Attributes:
        agent: identifier in the action base (``"lobaplatin"``), or the verbatim words for an unknown agent.
        kind: ``drug`` (cytotoxic), ``embolic``, ``bead`` (drug-eluting bead: carries its drug and occludes)
            or ``unknown`` (a name the action base cannot resolve, kept as written).
        dose: amount in ``unit``; ``None`` where the text gives none.
        unit: ``"mg"`` or ``"ml"``.
        size_um: smallest and largest particle diameter in µm, embolics and beads only.
    """

    agent: str
    kind: Kind
    dose: float | None = None
    unit: str | None = None
    size_um: tuple[float, float] | None = None


@dataclass(frozen=True)
class Protocol:
    """Actions in the order they are given. The empty protocol is the untreated patient.

    Attributes:
        actions: the actions, at most one per agent once :meth:`merged` was called.
    """

    actions: tuple[Action, ...] = ()

    def with_action(self, action: Action) -> Protocol:
        """Return this protocol followed by ``action``."""
        return replace(self, actions=(*self.actions, action))

    @property
    def agents(self) -> tuple[str, ...]:
        """Agent identifiers in the order given."""
        return tuple(a.agent for a in self.actions)

    @property
    def drugs(self) -> tuple[Action, ...]:
        """Actions that deliver a drug: free drugs and drug-eluting beads."""
        return tuple(a for a in self.actions if a.kind in ("drug", "bead"))

    @property
    def embolics(self) -> tuple[Action, ...]:
        """Actions that occlude: embolic agents and drug-eluting beads."""
        return tuple(a for a in self.actions if a.kind in ("embolic", "bead"))

    @property
    def key(self) -> tuple[Action, ...]:
        """Identity of the treatment regardless of the order in which the search found its actions."""
        return tuple(sorted(self.actions, key=lambda a: (a.kind, a.agent, a.dose or 0.0, a.size_um or (0, 0))))

    def merged(self) -> Protocol:
        """Return this protocol with one action per agent, in order of first appearance.

        Doses in the same unit add up; an open dose adds nothing to a stated one. Particle sizes join to the
        range that holds them all. An agent stated in mg and in ml keeps the unit it came with first.
        """
        merged: dict[str, Action] = {}
        for action in self.actions:
            have = merged.setdefault(action.agent, action)
            if have is action:
                continue
            dose, unit = have.dose, have.unit
            if dose is None:
                dose, unit = action.dose, action.unit
            elif action.dose is not None and action.unit == unit:
                dose += action.dose
            sizes = [s for s in (have.size_um, action.size_um) if s is not None]
            size = (min(s[0] for s in sizes), max(s[1] for s in sizes)) if sizes else None
            merged[action.agent] = replace(have, dose=dose, unit=unit, size_um=size)
        return Protocol(tuple(merged.values()))
