"""Which agents an institution has."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mewm.actions.base import load_action_base
from mewm.errors import InputError


@dataclass(frozen=True)
class Formulary:
    """The agents that can be given at this institution.

    Attributes:
        available: agent identifiers of the action base.
    """

    available: frozenset[str]

    def __contains__(self, agent_id: object) -> bool:
        """Return whether the agent of that identifier is available."""
        return agent_id in self.available

    @classmethod
    def everything(cls) -> Formulary:
        """Return the formulary that has every agent of the action base."""
        return cls(frozenset(load_action_base().agents))

    @classmethod
    def without(cls, names: Iterable[str]) -> Formulary:
        """Return every agent but the named ones (identifiers, display names or aliases).

        Raises:
            InputError: a name is unknown, or nothing is left.
        """
        return cls._checked(frozenset(load_action_base().agents) - _resolve(names))

    @classmethod
    def only(cls, names: Iterable[str]) -> Formulary:
        """Return the formulary of exactly the named agents.

        Raises:
            InputError: a name is unknown, or none is given.
        """
        return cls._checked(_resolve(names))

    @classmethod
    def _checked(cls, available: frozenset[str]) -> Formulary:
        if not available:
            raise InputError("The formulary is empty; name at least one drug and Lipiodol, or drug-eluting beads.")
        return cls(available)


def _resolve(names: Iterable[str]) -> frozenset[str]:
    if isinstance(names, str):
        names = names.split(",")
    base = load_action_base()
    found = set()
    for name in names:
        if not name.strip():
            continue
        agent = base.resolve(name)
        if agent is None:
            raise InputError(f"The formulary names an unknown agent {name.strip()!r}; {base.suggest(name)}")
        found.add(agent.id)
    return frozenset(found)
