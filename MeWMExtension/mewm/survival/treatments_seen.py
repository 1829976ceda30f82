"""Does a treatment lie within what a survival model has seen? Where it does not, one sentence says so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mewm.actions.base import load_action_base
from mewm.actions.protocol import Action, Protocol
from mewm.actions.text import render_protocol
from mewm.survival.covariates import treatment_load

_TOLD = {
    "drugs": ("{value:.0f} drugs", "{low:.0f} to {high:.0f}"),
    "embolics": ("{value:.0f} embolic agents", "{low:.0f} to {high:.0f}"),
    "dose": ("an agent at {value:.2g} times its usual dose", "{low:.2g} to {high:.2g} times"),
    "load": (
        "a total load of {value:.1f}",
        "{low:.1f} to {high:.1f}, where one usual drug in Lipiodol makes about 0.8",
    ),
}
# A value beyond the last one seen by less than this share is no news.
_SLACK = 0.005


@dataclass(frozen=True, eq=False)
class TreatmentsSeen:
    """What the training cases of a survival model were treated with.

    Attributes:
        ranges: lowest and highest value by name, see :func:`treatment_values`.
    """

    ranges: Mapping[str, tuple[float, float]]

    @classmethod
    def of(cls, protocols: Iterable[Protocol]) -> TreatmentsSeen:
        """Learn from the protocols of training cases.

        Raises:
            InputError: a protocol holds an agent without a known effect.
        """
        seen: dict[str, list[float]] = {name: [] for name in _TOLD}
        for protocol in protocols:
            for name, values in treatment_values(protocol).items():
                seen[name] += values
        return cls({name: (min(values), max(values)) for name, values in seen.items() if values})

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> TreatmentsSeen:
        """Read what :meth:`to_dict` wrote."""
        return cls({name: (float(low), float(high)) for name, (low, high) in data.items()})

    def to_dict(self) -> dict[str, list[float]]:
        """Return plain JSON values."""
        return {name: list(ends) for name, ends in self.ranges.items()}

    def warnings(self, protocols: Sequence[Protocol]) -> tuple[str, ...]:
        """Return one sentence for all protocols of a run that are beyond what was seen; none where none is.

        Args:
            protocols: those that were scored, best first.

        Raises:
            InputError: a protocol holds an agent without a known effect.
        """
        beyond = {n: found for n, protocol in enumerate(protocols) if (found := self._beyond(protocol))}
        if not beyond:
            return ()
        told = []
        for name, (low, high) in self.ranges.items():
            if values := [found[name] for found in beyond.values() if name in found]:
                value = max(values, key=lambda value: max(value - high, low - value))
                given, seen = (words.format(value=value, low=low, high=high) for words in _TOLD[name])
                told.append(f"{given} (its training cases: {seen})")
        first = render_protocol(protocols[next(iter(beyond))])
        whose = f"of {first}" if len(beyond) == 1 else f"of {len(beyond)} protocols, such as {first},"
        return (
            f"The survival model has never seen {' or '.join(told)}; risk and survival {whose} are an extrapolation.",
        )

    def _beyond(self, protocol: Protocol) -> dict[str, float]:
        """Return by name the value that lies farthest outside what was seen."""
        found = {}
        for name, values in treatment_values(protocol).items():
            if name not in self.ranges or not values:
                continue
            low, high = self.ranges[name]
            away, value = max((max(value - high, low - value), value) for value in values)
            if away > _SLACK * (high - low + abs(value)):
                found[name] = value
        return found


def treatment_values(protocol: Protocol) -> dict[str, list[float]]:
    """Return what is looked at in a treatment.

    Returns:
        ``drugs`` and ``embolics``: their number, drug-eluting beads in both; ``dose``: that of each agent over its
        usual dose, where it has one; ``load``: :func:`mewm.survival.covariates.treatment_load`.

    Raises:
        InputError: the protocol holds an agent without a known effect.
    """
    return {
        "drugs": [float(len(protocol.drugs))],
        "embolics": [float(len(protocol.embolics))],
        "dose": [dose for action in protocol.actions if (dose := _dose(action)) is not None],
        "load": [treatment_load(protocol)],
    }


def _dose(action: Action) -> float | None:
    agent = load_action_base().agents.get(action.agent)
    if agent is None or not agent.usual_dose or not action.dose or action.unit not in (None, agent.unit):
        return None
    return action.dose / agent.usual_dose
