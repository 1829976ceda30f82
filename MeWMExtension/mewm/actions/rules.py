"""Which agents may be given together, to whom, and when a protocol is complete.

The rules themselves are data (:mod:`mewm.actions.rulebook`); this module applies them to a protocol, to the
next step of a search and to a case. Every answer is a :class:`~mewm.roles.Finding` with its reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

from mewm.actions.base import Agent, load_action_base, normalise_name
from mewm.actions.formulary import Formulary
from mewm.actions.plausible import plausibility
from mewm.actions.protocol import Action, Protocol
from mewm.actions.rulebook import Rule, condition_value, excludes, holds, known_facts, load_rules
from mewm.clinical import ClinicalFacts
from mewm.errors import InputError
from mewm.roles import Finding


def is_complete(protocol: Protocol) -> bool:
    """Return whether a protocol is a whole TACE: Lipiodol with a drug, or drug-eluting beads alone."""
    kinds = [a.kind for a in protocol.actions]
    if "bead" in kinds:
        return kinds == ["bead"]
    return "drug" in kinds and "lipiodol" in protocol.agents


def check(
    protocol: Protocol,
    facts: ClinicalFacts,
    formulary: Formulary,
    max_drugs: int | None = None,
    max_embolics: int | None = None,
) -> tuple[Finding, ...]:
    """Return everything the rules say about a finished protocol, exclusions first.

    Args:
        protocol: the protocol; the empty one is the untreated patient.
        facts: the patient.
        formulary: the agents available.
        max_drugs, max_embolics: horizons H_d and H_e; ``None`` for no limit. Beads count as a drug.
    """
    base = load_action_base()
    if not protocol.actions:
        return (Finding("untreated", "note", "The protocol is empty: the untreated patient.", "MeWM"),)
    findings: list[Finding] = []
    known: list[str] = []
    for action in protocol.actions:
        if action.agent not in base.agents:
            message = f"{action.agent} is not in the action base and cannot be simulated."
            findings.append(Finding("unknown-agent", "excluded", message, "MeWM", (action.agent,)))
        elif action.agent in known:
            message = f"{base.display_name(action.agent)} is listed twice; give one total dose."
            findings.append(Finding("listed-twice", "excluded", message, "MeWM", (action.agent,)))
        else:
            findings += _alone_findings(facts, formulary).get(action.agent, ())
            findings += [f for other in known for f in _pair_findings(other, action.agent)]
            findings += plausibility(action)
            known.append(action.agent)
    findings += [_unmet(rule, known, ()) for rule in _unmet_rules(frozenset(known), facts)]
    findings += _horizon(protocol, max_drugs, max_embolics)
    if known and not protocol.drugs:
        message = "No drug of the action base is given: this is embolization without chemotherapy, not TACE."
        findings.append(Finding("no-drug", "warning", message, "MeWM"))
    order = ("excluded", "warning", "note")
    return tuple(sorted(dict.fromkeys(findings), key=lambda f: order.index(f.severity)))


def extensions(
    protocol: Protocol,
    candidates: Iterable[Action],
    facts: ClinicalFacts,
    formulary: Formulary,
    steps_left: int,
) -> tuple[tuple[Action, ...], tuple[Finding, ...]]:
    """Return the candidates that may come next and the findings for those that may not.

    Args:
        protocol: what has been chosen so far.
        candidates: actions of one phase (drugs and beads, or embolics), best first; the order is kept.
        facts: the patient.
        formulary: the agents available.
        steps_left: this step and the embolic steps that remain after it. A candidate that would leave no step
            for an agent the protocol still needs (its Lipiodol) is cut.

    Returns:
        The allowed actions, and one finding a cut candidate and rule. Agents already in the protocol are left
        out without a finding.
    """
    allowed: list[Action] = []
    findings: list[Finding] = []
    present = protocol.agents
    alone = _alone_findings(facts, formulary)
    for action in candidates:
        if action.agent in present:
            continue
        cut = [f for f in alone.get(action.agent, (_unknown(action),)) if f.severity == "excluded"]
        cut += [f for other in present for f in _pair_findings(other, action.agent)]
        cut = cut or _unreachable(frozenset((*present, action.agent)), action, facts, formulary, steps_left)
        if cut:
            findings += cut
        else:
            allowed.append(action)
    return tuple(allowed), tuple(dict.fromkeys(findings))


def contraindications(facts: ClinicalFacts, lesion_diameter_mm: float | None = None) -> tuple[Finding, ...]:
    """Return the warnings where TACE itself is contraindicated, absolute ones first.

    Args:
        facts: the patient; facts that are not stated give no warning.
        lesion_diameter_mm: longest diameter of the target lesion.
    """
    known = known_facts(facts, lesion_diameter_mm)
    rules = [r for r in load_rules() if r.type == "contraindication" and holds(r.condition, known)]
    return tuple(
        Finding(
            r.id,
            r.severity,
            f"{r.level.capitalize()} contraindication: {_fill(r, value=condition_value(r.condition, known))}",
            r.source,
        )
        for r in sorted(rules, key=lambda r: r.level)
    )


def agent_findings(agent_id: str, facts: ClinicalFacts, formulary: Formulary) -> tuple[Finding, ...]:
    """Return what speaks against one agent by itself: formulary, allergies, limits of organ function."""
    return _alone_findings(facts, formulary).get(agent_id, ())


def allergy_notes(facts: ClinicalFacts) -> tuple[Finding, ...]:
    """Return a warning for each stated allergy that the action base cannot match with an agent."""
    return tuple(
        Finding(
            "allergy-unmatched",
            "warning",
            f"The allergy to {name!r} matches no agent of the action base; check the protocols yourself.",
            "MeWM",
        )
        for name in facts.allergies
        if not any(_allergic(agent, name) for agent in load_action_base().agents.values())
    )


def require_admissible(facts: ClinicalFacts, formulary: Formulary, max_drugs: int = 2, max_embolics: int = 2) -> None:
    """Check that at least one complete protocol is left to this patient with this formulary.

    Raises:
        InputError: none is; the sentence says what is missing.
    """
    base = load_action_base()
    blocked = _alone_findings(facts, formulary)
    reasons: dict[str, None] = {}
    for agent in base.agents.values():
        if agent.kind == "embolic" or max_drugs < 1:
            continue
        if _forbidden(blocked, agent.id):
            continue
        if agent.kind == "bead":
            return
        cost = _completion_cost(frozenset((agent.id,)), facts, formulary)
        if cost is not None and cost <= max_embolics:
            return
        reasons.update((f.message, None) for f in _unmet_chain(frozenset((agent.id,)), facts, formulary))
        if cost is not None:
            reasons[f"It needs {cost} embolic agents and at most {max_embolics} may be given."] = None
    everything = all(a in formulary for a in base.agents)
    what = "With these clinical facts the rules leave" if everything else "The formulary leaves"
    why = " ".join(reasons) or "No drug or bead is available to this patient."
    raise InputError(f"{what} no complete protocol: {why}")


@lru_cache(maxsize=256)
def _alone_findings(facts: ClinicalFacts, formulary: Formulary) -> dict[str, tuple[Finding, ...]]:
    base = load_action_base()
    known = known_facts(facts)
    rules = [r for r in load_rules() if r.type in ("forbids", "caution") and holds(r.condition, known)]
    found: dict[str, tuple[Finding, ...]] = {}
    for agent in base.agents.values():
        findings = []
        if agent.id not in formulary:
            message = f"{agent.name}: not in the formulary."
            findings.append(Finding("formulary", "excluded", message, "The institution's formulary", (agent.id,)))
        for name in facts.allergies:
            if _allergic(agent, name):
                message = f"{agent.name}: not given because of the allergy to {name}."
                findings.append(Finding("allergy", "excluded", message, "Stated allergies", (agent.id,)))
        for rule in rules:
            if agent.id in rule.agents:
                value = condition_value(rule.condition, known)
                message = _fill(rule, agent=agent.name, value=value)
                findings.append(Finding(rule.id, rule.severity, message, rule.source, (agent.id,)))
        found[agent.id] = tuple(findings)
    return found


@lru_cache(maxsize=4096)
def _pair_findings(present: str, new: str) -> tuple[Finding, ...]:
    base = load_action_base()
    findings = []
    for rule in load_rules():
        apart = (
            (rule.type == "at_most_one" and {present, new} <= rule.agents)
            or (rule.type == "excludes" and excludes(rule, present, new))
            or (rule.type == "alone" and bool({present, new} & rule.agents))
        )
        if apart:
            message = _fill(rule, agent=base.display_name(new), other=base.display_name(present))
            findings.append(Finding(rule.id, rule.severity, message, rule.source, (new, present)))
    return tuple(findings)


@lru_cache(maxsize=4096)
def _unmet_rules(present: frozenset[str], facts: ClinicalFacts) -> tuple[Rule, ...]:
    open_rules = [r for r in _requirements() if present & r.agents and not present & r.partners]
    known = known_facts(facts) if open_rules else {}
    return tuple(r for r in open_rules if holds(r.condition, known))


@lru_cache(maxsize=1)
def _requirements() -> tuple[Rule, ...]:
    return tuple(r for r in load_rules() if r.type == "requires")


@lru_cache(maxsize=4096)
def _completion_cost(present: frozenset[str], facts: ClinicalFacts, formulary: Formulary) -> int | None:
    """Return how many agents must be added to meet every requirement; ``None`` if that cannot be."""
    unmet = _unmet_rules(present, facts)
    if not unmet:
        return 0
    costs = [
        _completion_cost(present | {option}, facts, formulary)
        for option in _open_options(unmet[0], present, facts, formulary)
    ]
    return min((1 + c for c in costs if c is not None), default=None)


def _open_options(rule: Rule, present: frozenset[str], facts: ClinicalFacts, formulary: Formulary) -> list[str]:
    blocked = _alone_findings(facts, formulary)
    return [
        option
        for option in sorted(rule.partners)
        if not _forbidden(blocked, option)
        and not any(f.severity == "excluded" for p in present for f in _pair_findings(p, option))
    ]


def _unreachable(
    present: frozenset[str], action: Action, facts: ClinicalFacts, formulary: Formulary, steps_left: int
) -> list[Finding]:
    cost = _completion_cost(present, facts, formulary)
    if cost is None:
        return _unmet_chain(present, facts, formulary)
    if cost > steps_left - 1:
        base = load_action_base()
        needs = [" or ".join(map(base.display_name, sorted(r.partners))) for r in _unmet_rules(present, facts)]
        message = (
            f"{base.display_name(action.agent)} would leave no step for what the protocol still needs "
            f"({'; '.join(needs)})."
        )
        return [Finding("horizon", "excluded", message, "MeWM (arXiv 2506.02327, horizons)", (action.agent,))]
    return []


def _unmet_chain(present: frozenset[str], facts: ClinicalFacts, formulary: Formulary) -> list[Finding]:
    """Return findings for the requirements that cannot be met, following those that others bring along."""
    findings = []
    for rule in _unmet_rules(present, facts):
        options = _open_options(rule, present, facts, formulary)
        if not options:
            blocked = _alone_findings(facts, formulary)
            reasons = [f.message for o in sorted(rule.partners) for f in blocked[o] if f.severity == "excluded"]
            findings.append(_unmet(rule, sorted(present), reasons))
        for option in options:
            findings += _unmet_chain(present | {option}, facts, formulary)
    return list(dict.fromkeys(findings))


def _unmet(rule: Rule, present: Sequence[str], reasons: Sequence[str]) -> Finding:
    base = load_action_base()
    options = " or ".join(base.display_name(a) for a in base.agents if a in rule.partners)
    agents = tuple(a for a in present if a in rule.agents)
    message = " ".join([_fill(rule, options=options), *dict.fromkeys(reasons)])
    return Finding(rule.id, rule.severity, message, rule.source, agents)


def _horizon(protocol: Protocol, max_drugs: int | None, max_embolics: int | None) -> list[Finding]:
    findings = []
    embolics = [a for a in protocol.actions if a.kind == "embolic"]
    for what, given, limit in (
        ("drugs", protocol.drugs, max_drugs),
        ("embolic agents", embolics, max_embolics),
    ):
        if limit is not None and len(given) > limit:
            message = f"The protocol has {len(given)} {what}; at most {limit} may be given."
            source = "MeWM (arXiv 2506.02327, horizons)"
            findings.append(Finding("horizon", "excluded", message, source, tuple(a.agent for a in given)))
    return findings


def _forbidden(blocked: dict[str, tuple[Finding, ...]], agent_id: str) -> bool:
    return any(f.severity == "excluded" for f in blocked[agent_id])


def _unknown(action: Action) -> Finding:
    message = f"{action.agent} is not in the action base and cannot be simulated."
    return Finding("unknown-agent", "excluded", message, "MeWM", (action.agent,))


def _allergic(agent: Agent, name: str) -> bool:
    words = normalise_name(name)
    resolved = load_action_base().resolve(name)
    classes = {agent.drug_class, f"{agent.drug_class}s"} if agent.drug_class else set()
    first = words.split(" ")[0] if words else ""
    if resolved is not None and (resolved.id == agent.id or _carries(agent, resolved)):
        return True
    return first in {normalise_name(c) for c in classes if c} or words in map(normalise_name, agent.allergens)


def _carries(agent: Agent, drug: Agent) -> bool:
    """Return whether a bead carries a drug: its identifier starts with the drug's."""
    return agent.kind == "bead" and agent.id.startswith(drug.id)


def _fill(rule: Rule, agent: str = "", other: str = "", options: str = "", value: str = "") -> str:
    return rule.message.format(agent=agent, other=other, options=options, value=value)
