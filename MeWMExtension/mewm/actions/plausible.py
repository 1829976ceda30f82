"""Whether doses and particle sizes of a protocol are plausible."""

from __future__ import annotations

import math

from mewm.actions.base import load_action_base
from mewm.actions.protocol import Action, Protocol
from mewm.errors import InputError
from mewm.roles import Finding


def plausibility(action: Action) -> list[Finding]:
    """Return findings for a dose or particle size outside what the action base holds for plausible.

    An unknown agent has no range and gives no finding. A drug without a dose gives a note.
    """
    base = load_action_base()
    agent = base.agents.get(action.agent)
    if agent is None:
        return []
    source = "; ".join(agent.references)
    findings = []
    if action.dose is not None:
        allowed = agent.dose_range
        if allowed is None or action.unit != agent.unit:
            message = (
                f"{agent.name} {action.dose:g} {action.unit or 'without a unit'}: "
                f"its dose is given in {agent.unit or 'no unit, to effect'}."
            )
            findings.append(Finding("dose-unit", "excluded", message, source, (agent.id,)))
        elif not (math.isfinite(action.dose) and allowed[0] <= action.dose <= allowed[1]):
            message = (
                f"{agent.name} {action.dose:g} {action.unit} is outside the plausible range "
                f"{allowed[0]:g} to {allowed[1]:g} {agent.unit}; check the dose."
            )
            findings.append(Finding("dose-range", "excluded", message, source, (agent.id,)))
        else:
            findings += [
                Finding(
                    "dose-caution",
                    "warning",
                    f"{agent.name} {action.dose:g} {action.unit}: {caution.message[0].lower()}{caution.message[1:]}",
                    caution.source,
                    (agent.id,),
                )
                for caution in agent.cautions
                if caution.above_dose is not None and action.dose > caution.above_dose
            ]
    elif agent.usual_dose is not None:
        message = f"{agent.name} has no dose; its usual {agent.usual_dose:g} {agent.unit} is meant."
        findings.append(Finding("dose-open", "note", message, source, (agent.id,)))
    if action.size_um is not None:
        limits = agent.size_range_um
        low, high = action.size_um
        size = f"{low:g} µm" if low == high else f"{low:g}-{high:g} µm"
        if limits is None:
            message = f"{agent.name} has no particle size, but {size} is given; leave the size out."
            findings.append(Finding("size-range", "excluded", message, source, (agent.id,)))
        elif not limits[0] <= low <= high <= limits[1]:
            message = (
                f"{agent.name} {size} is outside the plausible particle size "
                f"{limits[0]:g} to {limits[1]:g} µm; check the size."
            )
            findings.append(Finding("size-range", "excluded", message, source, (agent.id,)))
    return findings


def require_plausible(protocol: Protocol) -> None:
    """Check the doses and particle sizes a user typed.

    Raises:
        InputError: a dose or size is implausible; the sentence names agent, value and range.
    """
    for action in protocol.actions:
        for finding in plausibility(action):
            if finding.severity == "excluded":
                raise InputError(finding.message)
