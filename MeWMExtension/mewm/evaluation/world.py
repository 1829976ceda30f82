"""The truth behind a simulated cohort: what any protocol would have done to a case, and the hazard it would carry."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from mewm.actions.protocol import Action, Protocol
from mewm.clinical import ClinicalFacts, read_facts
from mewm.cohort.dataset import Cohort
from mewm.cohort.hazards import expected_log_hazards, read_hazards
from mewm.cohort.parameters import OutcomeParameters
from mewm.cohort.truth import TrueFuture, true_future
from mewm.dynamics.effects import EMBOLICS
from mewm.dynamics.phenotype import SHUNT_GRADE
from mewm.dynamics.sensitivities import Sensitivities
from mewm.errors import InputError
from mewm.roi import Roi

HAZARDS = "hazards.csv"


@dataclass(frozen=True, eq=False)
class TrueCase:
    """What is hidden of one simulated case.

    Attributes:
        roi: pre-treatment images and the facts as recorded.
        sensitivities: true answer of the lesion to treatment.
        facts: what is true of the patient.
        outcome: coefficients of the world's hazard.
        log_hazard: what the case's own treatment and chance led to.
        known: expected log-hazards by protocol key, as stored with the cohort; others are computed when asked for.
    """

    roi: Roi
    sensitivities: Sensitivities
    facts: ClinicalFacts
    outcome: OutcomeParameters
    log_hazard: float
    known: dict[tuple[Action, ...], float] = field(default_factory=dict)

    def future(self, protocol: Protocol, seed: int) -> TrueFuture:
        """Return what a protocol truly does under one draw of chance."""
        return true_future(self.roi, protocol, self.sensitivities, seed)

    def expected_log_hazard(self, protocol: Protocol) -> float:
        """Return the true log-hazard of a protocol, averaged over chance; the same chance for every protocol."""
        return self.hazards([protocol])[protocol.key]

    def hazards(self, protocols: Iterable[Protocol]) -> dict[tuple[Action, ...], float]:
        """Return the expected log-hazard of each protocol by its key."""
        wanted = list(protocols)
        missing = [protocol for protocol in wanted if protocol.key not in self.known]
        if missing:
            found = expected_log_hazards(self.roi, missing, self.sensitivities, self.facts, self.outcome)
            self.known.update(found)
        return {protocol.key: self.known[protocol.key] for protocol in wanted}


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


def true_case(roi: Roi, line: Mapping[str, str], info: Mapping[str, Any], folder: Path | None = None) -> TrueCase:
    """Build the hidden truth of one case.

    Args:
        roi: the case as loaded.
        line: its line of ``truth.csv``.
        info: contents of ``cohort.json``; its parameters are the world's.
        folder: the case's folder; where it holds ``hazards.csv``, those hazards need not be computed.

    Raises:
        InputError: the line, the parameters or the hazards are not those of a simulated cohort.
    """
    stored = folder / HAZARDS if folder is not None else None
    known = read_hazards(stored) if stored is not None and stored.is_file() else {}
    try:
        classes = {e.removeprefix("sensitivity_"): float(v) for e, v in line.items() if e.startswith("sensitivity_")}
        sensitivities = Sensitivities(
            drug_class={k: v for k, v in classes.items() if k not in EMBOLICS},
            embolic={k: v for k, v in classes.items() if k in EMBOLICS},
            retention=float(line["oil_retention"]),
            shunt=SHUNT_GRADE[line["phenotype_shunt"]],
            growth=float(line["growth"]),
        )
        names = {f.name for f in fields(OutcomeParameters)}
        given = info["parameters"]["outcome"]
        listed: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in given.items() if k in names}
        outcome: OutcomeParameters = replace(OutcomeParameters(), **listed)
        hazard = float(line["log_hazard"])
    except (KeyError, ValueError, TypeError) as error:
        raise InputError(
            f"The truth of {line.get('case_id')} cannot be read ({error}); simulate the cohort with this version."
        ) from error
    by_key = {protocol.key: value for protocol, value in known.items()}
    return TrueCase(roi, sensitivities, _facts(line), outcome, hazard, by_key)


def _facts(line: Mapping[str, str]) -> ClinicalFacts:
    facts: dict[str, Any] = {}
    for column, text in line.items():
        name = column.removeprefix("true_")
        if name == column or text == "":
            continue
        facts[name] = text == "true" if text in ("true", "false") else text
    numbers = ("age", "albumin_g_dl", "bilirubin_mg_dl", "creatinine_mg_dl", "afp_ng_ml", "ecog", "tumour_number")
    for name in (*numbers, "tumour_burden_percent"):
        if name in facts:
            facts[name] = float(facts[name])
    return read_facts(facts)
