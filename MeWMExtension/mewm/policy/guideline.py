"""Guideline policy: candidates from the action base, the rules and what the CT shows, without a network.

Every agent gets a score: the logarithm of how often published series used it, plus steps for what the case
asks for. Drugs are then taken one class at a time, so that the search sees different mechanisms before it sees
two drugs of one class. The steps are expert weights, not fitted numbers; each carries the source of its
direction.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from mewm.actions.base import ActionBase, Agent, load_action_base
from mewm.actions.formulary import Formulary
from mewm.actions.protocol import Action
from mewm.actions.rules import agent_findings, allergy_notes, contraindications, require_admissible
from mewm.dynamics.phenotype import Phenotype, read_phenotype
from mewm.errors import InputError
from mewm.policy.goal import Wish, read_goal
from mewm.roi import Roi
from mewm.roles import Finding, Proposal

# Counts of zero stay possible: half a treatment is added to every agent.
_PSEUDO_COUNT = 0.5
# A further drug of a class already chosen waits behind drugs of new classes.
_CLASS_STEP = -1.5
_WARNING_STEP = -1.0
_GOAL_STEP = 6.0
_LARGE_MM = 70.0
_SMALL_MM = 30.0


@dataclass(frozen=True)
class _Step:
    """One reason to move an agent up or down: when, which agents, how far, why, on whose word."""

    when: Callable[[Roi, Phenotype], bool]
    agents: tuple[str, ...]
    step: float
    why: str
    source: str


_STEPS = (
    _Step(
        lambda roi, seen: roi.facts.arteriovenous_shunt == "severe",
        ("pva", "absolute_alcohol", "nbca"),
        3.0,
        "a severe arteriovenous shunt is closed before the oil",
        "huang2004",
    ),
    _Step(
        lambda roi, seen: roi.facts.arteriovenous_shunt == "mild",
        ("pva", "gelatin_sponge"),
        1.0,
        "an arteriovenous shunt is closed before the oil",
        "kim2007",
    ),
    _Step(
        lambda roi, seen: roi.facts.portal_vein_thrombosis in ("branch", "main", "main_without_collaterals"),
        ("gelatin_sponge",),
        1.0,
        "with portal-vein thrombosis a temporary occlusion spares the artery the liver lives on",
        "luo2011",
    ),
    _Step(
        lambda roi, seen: roi.facts.portal_vein_thrombosis in ("branch", "main", "main_without_collaterals"),
        ("oxaliplatin", "raltitrexed"),
        0.7,
        "arterial oxaliplatin and raltitrexed were given with portal-vein tumour thrombus",
        "zhu2018",
    ),
    _Step(
        lambda roi, seen: seen.diameter_mm >= _LARGE_MM,
        ("doxorubicin_eluting_beads",),
        0.7,
        "beads spare the liver in large tumours",
        "miyayama2020",
    ),
    _Step(
        lambda roi, seen: (roi.facts.child_pugh or "").upper().startswith("B"),
        ("doxorubicin_eluting_beads",),
        0.7,
        "beads are gentler to the liver than oil in Child-Pugh B",
        "lammer2010",
    ),
    _Step(
        lambda roi, seen: seen.diameter_mm <= _SMALL_MM,
        ("gelatin_sponge",),
        0.5,
        "a small tumour is treated superselectively with oil and gelatin sponge",
        "miyayama2020",
    ),
    _Step(
        lambda roi, seen: seen.relative_enhancement < 0.6,
        ("absolute_alcohol",),
        0.7,
        "a poorly enhancing lesion takes up little oil, and ethanol with oil was used where oil alone had failed",
        "gu2010",
    ),
    _Step(
        lambda roi, seen: seen.relative_enhancement >= 1.0,
        ("idarubicin",),
        0.3,
        "an enhancing lesion takes up the oil, in which idarubicin dissolves well",
        "favelier2013",
    ),
)


class GuidelinePolicy:
    """The plain policy: action base and rules as data, offline and deterministic."""

    name = "guideline"

    def propose(self, roi: Roi, goal: str, formulary: Formulary, drugs: int, embolics: int) -> Proposal:
        """Propose at most ``drugs`` drugs (or beads) and ``embolics`` embolic agents, best first.

        Lipiodol leads the embolics wherever it may be given. Agents the formulary, the allergies or the organ
        limits forbid are left out with a finding; contraindications of TACE itself are warnings. The goal in
        words is read for agents and classes to avoid or to prefer, and a note says what was understood.

        Args:
            roi: the case on the model grid; facts that are not stated change nothing.
            goal: the user's goal in words, may be empty.
            formulary: the agents available.
            drugs, embolics: the largest numbers of candidates, D and E.

        Returns:
            Candidates at their usual doses, findings, and one reason an agent.

        Raises:
            InputError: formulary, facts and goal together leave no complete protocol.
        """
        base = load_action_base()
        seen = read_phenotype(roi)
        wish = read_goal(goal, base)
        require_admissible(roi.facts, formulary)
        _require_goal_feasible(wish, roi, formulary)
        findings = [*contraindications(roi.facts, seen.diameter_mm), *allergy_notes(roi.facts), *wish.findings]
        scores: dict[str, float] = {}
        reasons: dict[str, str] = {}
        for agent in base.agents.values():
            against = list(agent_findings(agent.id, roi.facts, formulary))
            if agent.id in wish.avoid:
                message = f"{agent.name}: left out, the goal asks to avoid it."
                against.append(Finding("goal", "excluded", message, "The stated goal", (agent.id,)))
            findings += against
            if any(f.severity == "excluded" for f in against):
                continue
            scores[agent.id], reasons[agent.id] = _score(agent, base, roi, seen, wish.prefer, against)
        first = [a for a in scores if base.agents[a].kind != "embolic"]
        chosen = _diverse(first, scores, base)[: max(drugs, 0)]
        second = sorted(
            (a for a in scores if base.agents[a].kind == "embolic"),
            key=lambda a: (a != "lipiodol", -scores[a], a),
        )[: max(embolics, 0)]
        for agent_id in (*first, *(a for a in scores if base.agents[a].kind == "embolic")):
            if agent_id not in chosen and agent_id not in second:
                message = f"{base.agents[agent_id].name}: ranked behind the candidates asked for."
                source = "MeWM guideline policy"
                findings.append(Finding("ranked-lower", "note", message, source, (agent_id,)))
        kept = [*chosen, *second]
        return Proposal(
            tuple(_usual(a, base, seen) for a in chosen),
            tuple(_usual(a, base, seen) for a in second),
            tuple(dict.fromkeys(findings)),
            {a: reasons[a] for a in kept},
        )


def _require_goal_feasible(wish: Wish, roi: Roi, formulary: Formulary) -> None:
    left = Formulary(formulary.available - wish.avoid)
    try:
        require_admissible(roi.facts, left)
    except InputError as error:
        raise InputError(f"The goal asks to avoid agents that every protocol left needs. {error}") from error


def _score(
    agent: Agent,
    base: ActionBase,
    roi: Roi,
    seen: Phenotype,
    prefer: frozenset[str],
    against: list[Finding],
) -> tuple[float, str]:
    treatments = sum(base.series.values())
    given = sum(agent.counts.values())
    score = math.log((given + _PSEUDO_COUNT) / (treatments + 2 * _PSEUDO_COUNT))
    series = base.cite(k for k in base.series if k in agent.counts)
    words = [f"given in {given} of {treatments} published treatments ({series})"]
    if agent.id == "lipiodol":
        words.append(f"conventional TACE is built on it ({base.cite(['debaere2016'])})")
    for step in _STEPS:
        if agent.id in step.agents and step.when(roi, seen):
            score += step.step
            words.append(f"{step.why} ({base.cite([step.source])})")
    for finding in against:
        score += _WARNING_STEP
        words.append(f"caution: {finding.message}")
    if agent.id in prefer:
        score += _GOAL_STEP
        words.append("the goal prefers it")
    return score, f"{agent.name}: {'; '.join(words)}"


def _diverse(agents: list[str], scores: dict[str, float], base: ActionBase) -> list[str]:
    """Order agents by score, each further one of a drug class (and arm) a step lower than the one before."""
    left = sorted(agents, key=lambda a: (-scores[a], a))
    taken: dict[tuple[str, str | None], int] = {}
    ordered = []
    while left:
        best = min(left, key=lambda a: (-scores[a] - _CLASS_STEP * taken.get(_group(a, base), 0), a))
        taken[_group(best, base)] = taken.get(_group(best, base), 0) + 1
        ordered.append(best)
        left.remove(best)
    return ordered


def _group(agent_id: str, base: ActionBase) -> tuple[str, str | None]:
    agent = base.agents[agent_id]
    return agent.kind, agent.drug_class


def _usual(agent_id: str, base: ActionBase, seen: Phenotype) -> Action:
    """Return the usual action, PVA larger in a large tumour or where a shunt must not let it pass (assumption)."""
    action = base.usual(agent_id)
    if agent_id == "pva" and (seen.diameter_mm >= _LARGE_MM or seen.shunt >= 1.0):
        return Action(action.agent, action.kind, action.dose, action.unit, (500.0, 700.0))
    return action
