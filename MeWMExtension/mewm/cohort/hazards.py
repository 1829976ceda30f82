"""The expected hazard of every protocol that a simulated patient could have had: the referee of any proposal."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from mewm.actions.base import load_action_base
from mewm.actions.formulary import Formulary
from mewm.actions.protocol import Action, Protocol
from mewm.actions.rulebook import holds, known_facts, load_rules
from mewm.actions.text import parse_protocol, render_protocol
from mewm.clinical import ClinicalFacts
from mewm.cohort.outcome import log_hazard, tumour_log_hazard
from mewm.cohort.parameters import OutcomeParameters
from mewm.dynamics.delivery import deliver
from mewm.dynamics.effects import DRUGS, EMBOLICS
from mewm.dynamics.fields import random_fields
from mewm.dynamics.response import drug_log_kill, lesion_scale
from mewm.dynamics.sensitivities import Sensitivities
from mewm.dynamics.space import lesion_space
from mewm.errors import InputError
from mewm.explore.settings import ExploreSettings
from mewm.explore.space import SearchSpace
from mewm.roi import Roi
from mewm.roles import Proposal

DRAWS = 4
"""Draws of chance over which an expected log-hazard is averaged; the same for every protocol."""
_MOST_PROTOCOLS = 5000
_VOXELS = 12_000
_HEADER = ("protocol", "log_hazard")

_WALKS: dict[tuple[frozenset[str], tuple[str, ...], Formulary, ExploreSettings], tuple[Protocol, ...]] = {}

Hazards = Mapping[tuple[Action, ...], float]


def every_agent() -> Proposal:
    """Return all agents whose effect is known, at their usual doses."""
    base = load_action_base()
    known = [agent.id for agent in base.agents.values() if agent.id in DRUGS or agent.id in EMBOLICS]
    usual = [base.usual(agent) for agent in known]
    return Proposal(
        tuple(a for a in usual if a.kind in ("drug", "bead")), tuple(a for a in usual if a.kind == "embolic")
    )


def admissible(roi: Roi, settings: ExploreSettings, formulary: Formulary | None = None) -> tuple[Protocol, ...]:
    """Return every complete protocol of usual doses that the rules admit for a case within the horizons.

    Raises:
        InputError: there are too many or none.
    """
    formulary = formulary or Formulary.everything()
    # Facts count only by the rules that they bring into force, and few combinations of those occur.
    known = known_facts(roi.facts)
    binding = frozenset(r.id for r in load_rules() if r.type in ("forbids", "requires") and holds(r.condition, known))
    key = (binding, roi.facts.allergies, formulary, settings)
    if key not in _WALKS:
        _WALKS[key] = _walk(roi.facts, settings, formulary)
    return _WALKS[key]


def _walk(facts: ClinicalFacts, settings: ExploreSettings, formulary: Formulary) -> tuple[Protocol, ...]:
    space = SearchSpace(every_agent(), facts, formulary, settings)
    nodes = space.complete_protocols(_MOST_PROTOCOLS)
    if not nodes:
        why = (
            "more than can be compared; shorten the horizons" if nodes is None else "none; the case cannot be measured"
        )
        raise InputError(f"The number of admissible protocols is {why}.")
    return tuple(space.protocols[node] for node in nodes)


def expected_log_hazards(
    roi: Roi,
    protocols: Iterable[Protocol],
    sensitivities: Sensitivities,
    facts: ClinicalFacts,
    outcome: OutcomeParameters,
    draws: int = DRAWS,
) -> dict[tuple[Action, ...], float]:
    """Return the true log-hazard of each protocol by its key, averaged over chance.

    The average of :func:`mewm.cohort.outcome.log_hazard` over simulated futures with the seeds 0 to ``draws`` − 1, at a
    fraction of the cost: protocols that differ in free drugs only share where the drugs get to, and of a lesion of
    more than 12,000 voxels an even sample is looked at.

    Args:
        roi: pre-treatment CT and lesion.
        protocols: what to compare.
        sensitivities: the lesion's hidden answer to treatment.
        facts: what is true of the patient.
        outcome: coefficients of the world's hazard.
        draws: draws of chance.

    Raises:
        InputError: a protocol holds an agent without a known effect.
    """
    whole = lesion_space(roi)
    space = whole.thinned(_VOXELS)
    lesion_ml = float(np.count_nonzero(roi.lesion)) * roi.spacing**3 / 1000
    same_delivery: dict[tuple[Action, ...], list[Protocol]] = {}
    for protocol in protocols:
        carriers = tuple(a for a in protocol.key if a.kind != "drug")
        same_delivery.setdefault(carriers, []).append(Protocol(protocol.key))
    hazards: dict[tuple[Action, ...], float] = {}
    for carriers, group in same_delivery.items():
        surviving = np.zeros((draws, len(group)))
        levels = np.array([drug_log_kill(space.phenotype, protocol, sensitivities) for protocol in group])
        for seed in range(draws):
            fields = random_fields(whole, seed)
            delivery = deliver(space.phenotype, space, Protocol(carriers), sensitivities, fields, deposit=False)
            critical = delivery.critical_drug()
            living = critical.size - np.searchsorted(critical, levels, side="right")
            for k, voxels in enumerate(living):
                scale = lesion_scale(sensitivities, fields, critical.size, int(voxels)) if group[k].actions else 1.0
                surviving[seed, k] = lesion_ml * voxels / space.inner.size * scale**3
        tumour = np.mean(tumour_log_hazard(surviving, lesion_ml, outcome), axis=0)
        for protocol, of_tumour in zip(group, tumour, strict=True):
            hazards[protocol.key] = float(of_tumour) + log_hazard(0.0, lesion_ml, protocol, facts, outcome)
    return hazards


def best_of(hazards: Hazards, protocols: Iterable[Protocol]) -> Protocol:
    """Return the protocol of lowest expected log-hazard; ties go to the one listed first."""
    return min(protocols, key=lambda protocol: hazards[protocol.key])


def write_hazards(hazards: Hazards, protocols: Iterable[Protocol], path: Path) -> None:
    """Write one line a protocol: its text and its expected log-hazard, lowest first."""
    ranked = sorted(protocols, key=lambda protocol: hazards[protocol.key])
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(_HEADER)
        writer.writerows((render_protocol(p), f"{hazards[p.key]:.5f}") for p in ranked)


def read_hazards(path: Path) -> dict[Protocol, float]:
    """Read what :func:`write_hazards` wrote, lowest hazard first.

    Raises:
        InputError: the file is missing or damaged.
    """
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            return {
                parse_protocol(line["protocol"]).protocol: float(line["log_hazard"]) for line in csv.DictReader(stream)
            }
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"The hazards in {path} cannot be read ({error}); simulate the cohort again.") from error
