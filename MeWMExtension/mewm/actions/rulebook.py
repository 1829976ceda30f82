"""The rules as data: ``Resources/ActionBase/rules.json`` read, checked for contradictions, and cached.

A rule names agents by selectors: an agent's identifier, ``class:platinum``, ``kind:bead`` or
``occlusion:permanent``. A condition looks at one clinical fact (``at_least``, ``above``, ``at_most``, ``in``)
or at several (``any``, ``all``). A fact that is not stated fulfils no condition.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

from mewm.actions.base import ActionBase, load_action_base, read_data_file
from mewm.clinical import ClinicalFacts
from mewm.errors import ResourceError

_TYPES = ("at_most_one", "excludes", "alone", "requires", "forbids", "caution", "contraindication")
_COMPARISONS = ("at_least", "above", "at_most", "in")
_DERIVED = ("child_pugh_points", "lesion_diameter_mm")


@dataclass(frozen=True)
class Rule:
    """One rule of the data file.

    Attributes:
        id: identifier shown with every finding.
        type: ``at_most_one`` of ``agents``; ``excludes`` (``agents`` not with ``partners``); ``alone``
            (``agents`` with nothing else); ``requires`` (``agents`` need one of ``partners``); ``forbids``;
            ``caution`` (allowed, the user is told); ``contraindication`` of TACE itself.
        severity: ``"excluded"``, ``"warning"`` or ``"note"``.
        message: sentence with the fields ``{agent}``, ``{other}``, ``{options}`` and ``{value}``.
        source: citations.
        agents, partners: agent identifiers the selectors stand for.
        condition: when the rule applies; ``None`` is always.
        level: ``"absolute"`` or ``"relative"`` for a contraindication, else empty.
    """

    id: str
    type: str
    severity: str
    message: str
    source: str
    agents: frozenset[str] = frozenset()
    partners: frozenset[str] = frozenset()
    condition: Mapping[str, Any] | None = None
    level: str = ""


@lru_cache(maxsize=1)
def load_rules() -> tuple[Rule, ...]:
    """Read and check the shipped rules (cached).

    Raises:
        ResourceError: the file is missing or damaged, or its rules contradict each other.
    """
    return build_rules(read_data_file("rules.json"), load_action_base())


def build_rules(data: Mapping[str, Any], base: ActionBase) -> tuple[Rule, ...]:
    """Build the rules from the contents of ``rules.json``.

    Raises:
        ResourceError: a rule is damaged, names an unknown agent, fact or source, or contradicts another.
    """
    rules = tuple(_build_rule(entry, base) for entry in data["rules"])
    ids = [r.id for r in rules]
    if repeated := next((i for i in ids if ids.count(i) > 1), None):
        raise ResourceError(f"rules.json defines the rule {repeated!r} twice.")
    check_contradictions(rules, base)
    return rules


def select(selectors: list[str], base: ActionBase) -> frozenset[str]:
    """Return the agent identifiers that selectors stand for.

    Raises:
        ResourceError: a selector stands for no agent.
    """
    found: set[str] = set()
    for selector in selectors:
        what, _, value = selector.rpartition(":")
        match what:
            case "":
                chosen = {a.id for a in base.agents.values() if a.id == value}
            case "class":
                chosen = {a.id for a in base.agents.values() if a.drug_class == value}
            case "kind":
                chosen = {a.id for a in base.agents.values() if a.kind == value}
            case "occlusion":
                chosen = {a.id for a in base.agents.values() if a.occlusion == value}
            case _:
                chosen = set()
        if not chosen:
            raise ResourceError(f"rules.json selects {selector!r}, which stands for no agent.")
        found |= chosen
    return frozenset(found)


def check_contradictions(rules: tuple[Rule, ...], base: ActionBase) -> None:
    """Check that no rule demands what another forbids for the same agents under the same condition.

    Raises:
        ResourceError: names the two rules and the agent that could never be given.
    """
    for need in (r for r in rules if r.type == "requires" and r.severity == "excluded"):
        for agent in sorted(need.agents - need.partners):
            if any(r.type == "alone" and agent in r.agents for r in rules):
                raise ResourceError(
                    f"rules.json contradicts itself: {need.id!r} requires another agent beside "
                    f"{base.display_name(agent)}, which another rule allows only alone."
                )
            blockers = {o: _blocker(rules, agent, o, need.condition) for o in need.partners}
            if all(blockers.values()):
                names = sorted({b for b in blockers.values() if b})
                raise ResourceError(
                    f"rules.json contradicts itself: {need.id!r} requires for {base.display_name(agent)} "
                    f"what {' and '.join(map(repr, names))} forbids."
                )


def _blocker(rules: tuple[Rule, ...], agent: str, option: str, condition: Mapping[str, Any] | None) -> str | None:
    """Return the rule that keeps ``option`` from ``agent`` whenever ``condition`` holds, if there is one."""
    for rule in rules:
        if rule.severity != "excluded" or rule.condition not in (None, condition):
            continue
        pair = {agent, option}
        blocked = (
            (rule.type == "at_most_one" and len(pair) == 2 and pair <= rule.agents)
            or (rule.type == "excludes" and excludes(rule, agent, option))
            or (rule.type == "alone" and bool(pair & rule.agents))
            or (rule.type == "forbids" and option in rule.agents)
        )
        if blocked:
            return rule.id
    return None


def excludes(rule: Rule, a: str, b: str) -> bool:
    """Return whether an ``excludes`` rule keeps two agents apart."""
    return (a in rule.agents and b in rule.partners) or (b in rule.agents and a in rule.partners)


def _build_rule(entry: Mapping[str, Any], base: ActionBase) -> Rule:
    name = entry.get("id")
    try:
        if unknown := [k for k in entry["sources"] if k not in base.references]:
            raise ResourceError(f"The rule {name!r} cites {unknown[0]!r}, which references.json lacks.")
        rule = Rule(
            id=entry["id"],
            type=entry["type"],
            severity=entry["severity"],
            message=entry["message"],
            source=base.cite(entry["sources"]),
            agents=select(entry.get("agents", []), base),
            partners=select(entry.get("one_of", entry.get("with", [])), base),
            condition=entry.get("if"),
            level=entry.get("level", ""),
        )
        rule.message.format(agent="", other="", options="", value="")
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise ResourceError(f"The rule {name!r} of rules.json is damaged ({type(error).__name__}: {error}).") from error
    complete = (
        rule.type in _TYPES
        and rule.severity in ("excluded", "warning", "note")
        and bool(rule.message and rule.source)
        and (bool(rule.agents) != (rule.type == "contraindication"))
        and (bool(rule.partners) == (rule.type in ("excludes", "requires")))
        and (rule.level in ("absolute", "relative")) == (rule.type == "contraindication")
    )
    if not complete:
        raise ResourceError(f"The rule {name!r} of rules.json is incomplete or of an unknown type.")
    _check_condition(rule.condition, rule.id)
    return rule


def _check_condition(condition: Mapping[str, Any] | None, rule: str) -> None:
    if condition is None:
        return
    for part in (*condition.get("any", ()), *condition.get("all", ())):
        _check_condition(part, rule)
    if "any" in condition or "all" in condition:
        return
    facts = {f.name for f in fields(ClinicalFacts)} | set(_DERIVED)
    if condition.get("fact") not in facts or not any(c in condition for c in _COMPARISONS):
        raise ResourceError(f"The rule {rule!r} of rules.json looks at an unknown fact {condition.get('fact')!r}.")
    if extra := set(condition) - {"fact", *_COMPARISONS}:
        raise ResourceError(f"The rule {rule!r} of rules.json compares in an unknown way {sorted(extra)[0]!r}.")


def known_facts(facts: ClinicalFacts, lesion_diameter_mm: float | None = None) -> dict[str, Any]:
    """Return the stated facts and those derived from them, by name.

    ``child_pugh_points`` comes from ``"B8"``; the class ``"C"`` alone stands for its smallest score, 10. The
    classes ``"A"`` and ``"B"`` alone give no points: A never reaches a limit, B is reported by its own rule.
    """
    known = {f.name: getattr(facts, f.name) for f in fields(facts)}
    known["lesion_diameter_mm"] = lesion_diameter_mm
    score = (facts.child_pugh or "").strip().upper()
    known["child_pugh"] = score or None
    digits = score[1:].strip()
    known["child_pugh_points"] = int(digits) if digits.isdigit() else 10 if score == "C" else None
    return {k: v for k, v in known.items() if v is not None}


def holds(condition: Mapping[str, Any] | None, known: Mapping[str, Any]) -> bool:
    """Return whether a condition is fulfilled by the known facts."""
    if condition is None:
        return True
    if "any" in condition:
        return any(holds(c, known) for c in condition["any"])
    if "all" in condition:
        return all(holds(c, known) for c in condition["all"])
    value = known.get(condition["fact"])
    if value is None:
        return False
    return (
        ("at_least" not in condition or value >= condition["at_least"])
        and ("above" not in condition or value > condition["above"])
        and ("at_most" not in condition or value <= condition["at_most"])
        and ("in" not in condition or value in condition["in"])
    )


def condition_value(condition: Mapping[str, Any] | None, known: Mapping[str, Any]) -> str:
    """Return the value of the fact a condition looks at, as text for a message."""
    if condition is None:
        return ""
    for part in (*condition.get("any", ()), *condition.get("all", ())):
        if holds(part, known):
            return condition_value(part, known)
    value = known.get(condition.get("fact", ""), "")
    return f"{value:g}" if isinstance(value, float) else str(value)
