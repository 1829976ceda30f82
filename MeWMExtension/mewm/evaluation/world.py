"""The truth behind a simulated cohort: what any protocol would have done to a case, and the hazard it would carry."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from mewm.actions.base import load_action_base
from mewm.actions.formulary import Formulary
from mewm.actions.protocol import Action, Protocol
from mewm.clinical import ClinicalFacts, read_facts
from mewm.cohort.dataset import Cohort
from mewm.cohort.outcome import log_hazard
from mewm.cohort.parameters import OutcomeParameters
from mewm.cohort.truth import TrueFuture, true_future
from mewm.dynamics.effects import DRUGS, EMBOLICS
from mewm.dynamics.mechanistic import MechanisticDynamics
from mewm.dynamics.phenotype import SHUNT_GRADE
from mewm.dynamics.response import Sensitivities
from mewm.errors import InputError
from mewm.explore.settings import ExploreSettings
from mewm.explore.space import SearchSpace
from mewm.measure import measure
from mewm.roi import Roi
from mewm.roles import Proposal

LUCK = 3
"""Draws of chance over which the expected log-hazard of a protocol is averaged."""
_MOST_PROTOCOLS = 5000


@dataclass(frozen=True, eq=False)
class TrueCase:
    """What is hidden of one simulated case.

    Attributes:
        roi: pre-treatment images and the facts as recorded.
        sensitivities: true answer of the lesion to treatment.
        facts: what is true of the patient.
        outcome: coefficients of the world's hazard.
        log_hazard: what the case's own treatment and chance led to.
        luck: draws of chance for an expectation.
    """

    roi: Roi
    sensitivities: Sensitivities
    facts: ClinicalFacts
    outcome: OutcomeParameters
    log_hazard: float
    luck: int = LUCK
    _known: dict[tuple[Action, ...], float] = field(default_factory=dict)

    def future(self, protocol: Protocol, seed: int) -> TrueFuture:
        """Return what a protocol truly does under one draw of chance."""
        return true_future(self.roi, protocol, self.sensitivities, seed)

    def expected_log_hazard(self, protocol: Protocol) -> float:
        """Return the true log-hazard of a protocol, averaged over chance; the same chance for every protocol."""
        if protocol.key not in self._known:
            treatment = Protocol(protocol.key)
            world = MechanisticDynamics(self.sensitivities)
            tissues = [world.tissue(self.roi, treatment, seed) for seed in range(self.luck)]
            after = [measure(self.roi, tissue) for tissue in tissues]
            hazards = [log_hazard(m.viable_ml, m.baseline_ml, treatment, self.facts, self.outcome) for m in after]
            self._known[protocol.key] = float(np.mean(hazards))
        return self._known[protocol.key]

    def hazards(self, protocols: tuple[Protocol, ...]) -> dict[tuple[Action, ...], float]:
        """Return the expected log-hazard of each protocol by its key."""
        return {protocol.key: self.expected_log_hazard(protocol) for protocol in protocols}


def read_truth(cohort: Cohort) -> dict[str, Mapping[str, str]]:
    """Read ``truth.csv`` by case; empty where the cohort has no known truth.

    Raises:
        InputError: the table lacks a case.
    """
    path = Path(cohort.folder) / "truth.csv"
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8") as stream:
        truth: dict[str, Mapping[str, str]] = {line["case_id"]: line for line in csv.DictReader(stream)}
    if missing := [row.case_id for row in cohort.rows if row.case_id not in truth]:
        raise InputError(f"The truth of {missing[0]} is missing in {path}; simulate the cohort again.")
    return truth


def true_case(roi: Roi, line: Mapping[str, str], info: Mapping[str, Any], luck: int = LUCK) -> TrueCase:
    """Build the hidden truth of one case.

    Args:
        roi: the case as loaded.
        line: its line of ``truth.csv``.
        info: contents of ``cohort.json``; its parameters are the world's.
        luck: draws of chance for an expectation.

    Raises:
        InputError: the line or the parameters are not those of a simulated cohort.
    """
    try:
        classes = {e.removeprefix("sensitivity_"): float(v) for e, v in line.items() if e.startswith("sensitivity_")}
        sensitivities = Sensitivities(
            drug_class={k: v for k, v in classes.items() if k not in EMBOLICS},
            embolic={k: v for k, v in classes.items() if k in EMBOLICS},
            retention=float(line["oil_retention"]),
            shunt=SHUNT_GRADE[line["phenotype_shunt"]],
            growth=float(line["growth"]),
        )
        known = {f.name for f in fields(OutcomeParameters)}
        given = info["parameters"]["outcome"]
        listed: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in given.items() if k in known}
        outcome: OutcomeParameters = replace(OutcomeParameters(), **listed)
        return TrueCase(roi, sensitivities, _facts(line), outcome, float(line["log_hazard"]), luck)
    except (KeyError, ValueError, TypeError) as error:
        raise InputError(
            f"The truth of {line.get('case_id')} cannot be read ({error}); simulate the cohort with this version."
        ) from error


def admissible(roi: Roi, settings: ExploreSettings, formulary: Formulary | None = None) -> tuple[Protocol, ...]:
    """Return every complete protocol of usual doses that the rules admit for a case within the horizons.

    Raises:
        InputError: there are too many or none.
    """
    base = load_action_base()
    known = [agent.id for agent in base.agents.values() if agent.id in DRUGS or agent.id in EMBOLICS]
    usual = [base.usual(agent) for agent in known]
    proposal = Proposal(
        tuple(a for a in usual if a.kind in ("drug", "bead")), tuple(a for a in usual if a.kind == "embolic")
    )
    space = SearchSpace(proposal, roi.facts, formulary or Formulary.everything(), settings)
    nodes = space.complete_protocols(_MOST_PROTOCOLS)
    if not nodes:
        why = (
            "more than can be compared; shorten the horizons" if nodes is None else "none; the case cannot be measured"
        )
        raise InputError(f"The number of admissible protocols is {why}.")
    return tuple(space.protocols[node] for node in nodes)


def best_of(hazards: Mapping[tuple[Action, ...], float], protocols: tuple[Protocol, ...]) -> Protocol:
    """Return the protocol of lowest expected log-hazard; ties go to the one listed first."""
    return min(protocols, key=lambda protocol: hazards[protocol.key])


def _facts(line: Mapping[str, str]) -> ClinicalFacts:
    facts: dict[str, Any] = {}
    for column, text in line.items():
        name = column.removeprefix("true_")
        if name == column or text == "":
            continue
        if text in ("true", "false"):
            facts[name] = text == "true"
        else:
            facts[name] = text
    numbers = ("age", "albumin_g_dl", "bilirubin_mg_dl", "creatinine_mg_dl", "afp_ng_ml", "ecog", "tumour_number")
    for name in (*numbers, "tumour_burden_percent"):
        if name in facts:
            facts[name] = float(facts[name])
    return read_facts(facts)
