"""A model's suggestion read against the action base and what the rules left of it for this patient.

The models' words are shown as theirs and never followed. An agent that the action base does not know, or that
the rules exclude here, is reported and left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mewm.actions.base import load_action_base
from mewm.actions.formulary import Formulary
from mewm.actions.protocol import Action
from mewm.actions.rules import require_admissible
from mewm.clinical import ClinicalFacts
from mewm.errors import InputError
from mewm.policy.answer_text import plain
from mewm.policy.exchange import ChatError
from mewm.roles import Finding, Proposal

if TYPE_CHECKING:
    from mewm.policy.shapes import Candidate, Suggestion

LIPIODOL = "lipiodol"
_MOST_WARNINGS = 8
_MOST_ENTRIES = 50
_LONGEST_REASON = 300
_LONGEST_NAME = 60


@dataclass(frozen=True)
class Reading:
    """What a suggestion comes to.

    Attributes:
        model: name of the endpoint.
        drugs, embolics: identifiers the rules leave, best first, each once.
        reasons: identifier → the model's words, marked as its own.
        findings: what was left out, and what the model warns of.
    """

    model: str
    drugs: tuple[str, ...]
    embolics: tuple[str, ...]
    reasons: dict[str, str] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()

    def with_finding(self, finding: Finding) -> Reading:
        """Return this reading with one finding more."""
        return replace(self, findings=(finding, *self.findings))


def read_suggestion(suggestion: Suggestion, available: Proposal, model: str) -> Reading:
    """Look up a suggestion's names among the agents available to this patient.

    Args:
        suggestion: the model's answer.
        available: every agent the rules leave, with the findings about the others.
        model: how to call it.
    """
    base = load_action_base()
    allowed = {a.agent: a.kind for a in (*available.drugs, *available.embolics)}
    chosen: dict[str, str] = {}
    findings: dict[Finding, None] = {}
    for candidate in (*suggestion.drugs[:_MOST_ENTRIES], *suggestion.embolics[:_MOST_ENTRIES]):
        agent = base.resolve(candidate.agent[:200])
        if agent is None:
            findings[_unknown(model, candidate.agent)] = None
        elif agent.id not in allowed:
            findings.update(dict.fromkeys(_overruled(model, agent.id, available)))
        elif agent.id not in chosen:
            chosen[agent.id] = _reason(model, agent.name, candidate)
    for warning in suggestion.contraindications[:_MOST_WARNINGS]:
        agent = base.resolve(warning.agent[:200])
        about = agent.name if agent else plain(warning.agent, _LONGEST_NAME) or "TACE"
        words = plain(warning.reason, _LONGEST_REASON)
        if words:
            message = f"{model} warns about {about}, unchecked: {words}"
            source = plain(warning.guideline, 100) or "no source named"
            findings[Finding("policy-warning", "warning", message, source, (agent.id,) if agent else ())] = None
    return Reading(
        model,
        tuple(a for a in chosen if allowed[a] != "embolic"),
        tuple(a for a in chosen if allowed[a] == "embolic"),
        chosen,
        tuple(findings),
    )


def narrowed(wide: Reading, finer: Reading) -> Reading:
    """Return what both models stand behind: the finer reading without agents the first did not propose."""
    beyond = [a for a in (*finer.drugs, *finer.embolics) if a not in wide.reasons]
    base = load_action_base()
    dropped = tuple(
        Finding(
            "policy-beyond",
            "note",
            f"{finer.model} added {base.display_name(a)}, which was no candidate; it was left out.",
            "MeWM policy model",
            (a,),
        )
        for a in beyond
    )
    return Reading(
        f"{wide.model} + {finer.model}",
        tuple(a for a in finer.drugs if a not in beyond),
        tuple(a for a in finer.embolics if a not in beyond),
        {a: f"{wide.reasons[a]} {words}" for a, words in finer.reasons.items() if a not in beyond},
        tuple(dict.fromkeys((*wide.findings, *finer.findings, *dropped))),
    )


def settle(reading: Reading, available: Proposal, facts: ClinicalFacts, drugs: int, embolics: int) -> Proposal:
    """Return the proposal: at most D and E agents at their usual doses, Lipiodol among them, with every finding.

    Args:
        reading: what the models propose.
        available: every agent the rules leave, with their findings.
        facts: the patient.
        drugs, embolics: D and E.

    Raises:
        ChatError: the rules allow no whole protocol of what was proposed.
    """
    base = load_action_base()
    usual = {a.agent: a for a in (*available.drugs, *available.embolics)}
    reasons = dict(reading.reasons)
    findings = list(reading.findings)
    second = reading.embolics
    if LIPIODOL in usual and LIPIODOL not in second and any(usual[a].kind == "drug" for a in reading.drugs):
        second = _with_lipiodol(second)
        reasons[LIPIODOL] = available.reasons[LIPIODOL]
        message = f"Lipiodol was added by rule: conventional TACE is built on it, and {reading.model} left it out."
        findings.append(Finding("policy-lipiodol", "note", message, base.cite(["debaere2016"]), (LIPIODOL,)))
    kept_drugs = reading.drugs[: max(drugs, 0)]
    kept_embolics = _lipiodol_kept(second, max(embolics, 0))
    _require_protocol(reading, (*kept_drugs, *kept_embolics), facts)
    for agent in usual:
        if agent not in kept_drugs and agent not in kept_embolics:
            message = f"{base.display_name(agent)}: not among the candidates of {reading.model}."
            findings.append(Finding("ranked-lower", "note", message, "MeWM policy model", (agent,)))
    # What the offline policy could not read of the goal was read by the model.
    findings += [f for f in available.findings if f.rule != "goal-unread"]
    kept = (*kept_drugs, *kept_embolics)
    return Proposal(
        _actions(kept_drugs, usual),
        _actions(kept_embolics, usual),
        tuple(dict.fromkeys(findings)),
        {agent: reasons[agent] for agent in kept},
    )


def _require_protocol(reading: Reading, agents: tuple[str, ...], facts: ClinicalFacts) -> None:
    if not reading.drugs:
        raise ChatError(f"{reading.model} proposed no drug or beads that may be given here.", "empty")
    try:
        require_admissible(facts, Formulary(frozenset(agents)))
    except InputError:
        raise ChatError(f"{reading.model} proposed agents that make no whole protocol here.", "empty") from None


def _actions(agents: Iterable[str], usual: dict[str, Action]) -> tuple[Action, ...]:
    return tuple(usual[agent] for agent in agents)


def _with_lipiodol(embolics: tuple[str, ...]) -> tuple[str, ...]:
    return embolics if LIPIODOL in embolics else (LIPIODOL, *embolics)


def _lipiodol_kept(embolics: tuple[str, ...], most: int) -> tuple[str, ...]:
    """Cut to the number wished without cutting off Lipiodol, which every conventional protocol needs."""
    if LIPIODOL in embolics[most:] and most > 0:
        return (*embolics[: most - 1], LIPIODOL)
    return embolics[:most]


def _reason(model: str, name: str, candidate: Candidate) -> str:
    words = plain(candidate.reason, _LONGEST_REASON) or "no reason given"
    cited = plain(candidate.guideline, 150)
    return f"{name}: {model} says, unchecked: {words}" + (f" ({cited})" if cited else "")


def _unknown(model: str, name: str) -> Finding:
    shown = plain(name, _LONGEST_NAME)
    message = f"{model} proposed {shown!r}, which is not in the action base; it was left out."
    return Finding("policy-unknown-agent", "warning", message, "MeWM policy model")


def _overruled(model: str, agent_id: str, available: Proposal) -> list[Finding]:
    name = load_action_base().display_name(agent_id)
    against = [f for f in available.findings if agent_id in f.agents and f.severity == "excluded"]
    return [
        Finding("policy-overruled", "warning", f"{model} proposed {name}, but: {f.message}", f.source, (agent_id,))
        for f in against
    ]
