"""Everything that is measured on one case, as plain values: cases run in parallel and are written as they are done."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mewm.actions.protocol import Protocol
from mewm.actions.text import render_protocol
from mewm.assistant.intensity import IntensityAssistant
from mewm.cohort.dataset import Cohort, CohortCase, CohortRow
from mewm.dynamics.cellular_automaton import CellularAutomaton
from mewm.dynamics.mechanistic import MechanisticDynamics
from mewm.dynamics.procedural_texture import ProceduralTexture
from mewm.evaluation.arms import (
    ArmCase,
    EverythingArm,
    FrequentArm,
    LesionAssistant,
    OracleArm,
    PolicyArm,
    ProtocolArm,
    RandomArm,
    SearchArm,
    TrueHazardArm,
)
from mewm.evaluation.config import EvaluationConfig
from mewm.evaluation.feature_networks import FeatureNetwork, FilterBank, lesion_slices, windowed
from mewm.evaluation.radiomics import radiomics
from mewm.evaluation.truth_metrics import quantities
from mewm.evaluation.world import TrueCase, admissible, true_case
from mewm.measure import measure
from mewm.policy.guideline import GuidelinePolicy
from mewm.roles import DynamicsModel
from mewm.survival.clinical import clinical_covariates
from mewm.survival.cox import CoxSurvival

REDRAWN = "truth re-drawn (ceiling)"
_DYNAMICS: dict[str, type] = {m.name: m for m in (MechanisticDynamics, ProceduralTexture, CellularAutomaton)}


@dataclass(frozen=True, eq=False)
class Context:
    """What all cases share.

    Attributes:
        cohort: the dataset.
        config: the settings.
        truth: lines of ``truth.csv`` by case; empty for real patients.
        treated: as-treated protocols of the training split.
    """

    cohort: Cohort
    config: EvaluationConfig
    truth: Mapping[str, Mapping[str, str]]
    treated: tuple[Protocol, ...]


def measure_case(context: Context, row: CohortRow) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Measure one case.

    Returns:
        Plain values for JSON, and the slices that the feature networks and the page of cases look at.
    """
    config, case = context.config, context.cohort.load(row)
    truth = None
    if row.case_id in context.truth:
        truth = true_case(case.roi, context.truth[row.case_id], context.cohort.info, config.luck)
    record: dict[str, Any] = {"case_id": row.case_id, "os_weeks": row.os_weeks, "event": bool(row.event)}
    arrays: dict[str, np.ndarray] = {}
    if "survival" in config.parts:
        record["survival"] = survival_values(case, truth)
    if row.split == config.split:
        if "synthesis" in config.parts:
            record["synthesis"], arrays = _synthesis(case, truth, config)
        if "protocols" in config.parts:
            record["protocols"] = _protocols(case, truth, context)
    return record, arrays


def survival_values(case: CohortCase, truth: TrueCase | None) -> dict[str, Any]:
    """Return the features of the Cox baselines and the risk of the method's survival model on the true CT."""
    roi = case.roi
    tissue = IntensityAssistant().segment(roi, case.post_ct)
    return {
        "radiomics": radiomics(roi.ct, case.post_ct, roi.lesion, roi.spacing),
        "clinical": clinical_covariates(roi.facts),
        "method_risk": CoxSurvival.load().score(roi, case.post_ct, tissue, case.row.protocol).risk,
        "true_log_hazard": None if truth is None else truth.log_hazard,
    }


def case_seed(case_id: str, seed: int) -> int:
    """Return the seed of a case: the same whatever other cases are measured."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{case_id}".encode()).digest()[:4], "little")


def _synthesis(
    case: CohortCase, truth: TrueCase | None, config: EvaluationConfig
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    roi, row = case.roi, case.row
    base = case_seed(row.case_id, config.seed)
    seeds = [int(s) for s in np.random.SeedSequence([base, 2]).generate_state(config.replicas)]
    arms: dict[str, DynamicsModel] = {name: _DYNAMICS[name]() for name in config.dynamics}
    if truth is not None:
        arms[REDRAWN] = MechanisticDynamics(truth.sensitivities)
    assistant, shown = IntensityAssistant(), lesion_slices(roi.lesion)
    largest = int(roi.lesion.sum(axis=(1, 2)).argmax())
    candidates = _candidates(case, truth, config, base)
    # Where nobody marked the follow-up, the assistant reads it, as it reads the simulations.
    tissue = assistant.segment(roi, case.post_ct) if case.tissue is None else case.tissue
    record: dict[str, Any] = {"true": _measured(case, tissue), "arms": {}}
    arrays = {"true": windowed(case.post_ct[shown]), "page_true": case.post_ct[largest].astype(np.int16)}
    arrays |= {"page_before": roi.ct[largest].astype(np.int16), "page_lesion": roi.lesion[largest]}
    truths = _candidate_features([truth.future(p, base % 2**31).ct for p in candidates], shown) if truth else None
    for number, (name, model) in enumerate(arms.items()):
        replicas = []
        for seed in seeds:
            ct = model.simulate(roi, row.protocol, [seed])[0]
            replicas.append(_measured(case, assistant.segment(roi, ct)))
            if seed == seeds[0]:
                arrays[f"arm_{number}"] = windowed(ct[shown])
                arrays[f"page_{number}"] = ct[largest].astype(np.int16)
        record["arms"][name] = {"replicas": replicas}
        if truths is not None:
            mine = _candidate_features([model.simulate(roi, p, seeds[:1])[0] for p in candidates], shown)
            record["arms"][name]["retrieval"] = scaled_distances(mine, truths).tolist()
    record["spacing"] = roi.spacing
    record["protocol"] = render_protocol(row.protocol)
    return record, arrays


def _measured(case: CohortCase, tissue: np.ndarray) -> dict[str, Any]:
    found = measure(case.roi, tissue)
    return {**quantities(found), "response": found.response}


def _candidates(case: CohortCase, truth: TrueCase | None, config: EvaluationConfig, base: int) -> list[Protocol]:
    """Return the as-treated protocol and random others of the case, all with different agents."""
    if truth is None:
        return []
    treated = case.row.protocol
    others = [p for p in admissible(case.roi, config.search) if set(p.agents) != set(treated.agents)]
    rng = np.random.default_rng(np.random.SeedSequence([base, 3]))
    picked = rng.choice(len(others), size=min(config.candidates - 1, len(others)), replace=False)
    return [treated, *(others[i] for i in picked)]


def _candidate_features(
    volumes: Sequence[np.ndarray], shown: np.ndarray, network: FeatureNetwork | None = None
) -> np.ndarray:
    """Return one feature vector a volume: its slices' features one after another, ``(n, slices · d)``."""
    stack = np.concatenate([windowed(ct[shown]) for ct in volumes])
    return (network or FilterBank()).features(stack).reshape(len(volumes), -1)


def scaled_distances(simulated: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Return distances for protocol retrieval ``(n, n)``: simulation i against truth j.

    Features are divided by their spread over the truths, so that the anatomy, which no protocol changes, does not
    count. A feature that no protocol changes is left out.

    Args:
        simulated, true: features under the same protocols in the same order ``(n, d)``.
    """
    spread = true.std(axis=0)
    used = spread > 1e-9 * max(float(spread.max(initial=0.0)), 1e-12)
    a, b = simulated[:, used] / spread[used], true[:, used] / spread[used]
    return np.sqrt(((a[:, None] - b[None]) ** 2).sum(axis=2))


def _protocols(case: CohortCase, truth: TrueCase | None, context: Context) -> dict[str, Any]:
    config, row = context.config, case.row
    arm_case = ArmCase(case.roi, case_seed(row.case_id, config.seed), config.search, truth)
    record: dict[str, Any] = {"as treated": _told(row.protocol, truth), "arms": {}}
    for arm in protocol_arms(context):
        record["arms"][arm.name] = _told(arm.choose(arm_case), truth)
    return record


def protocol_arms(context: Context) -> list[ProtocolArm]:
    """Return the contenders; those that need the truth only where it is known."""
    policy, survival = GuidelinePolicy(), CoxSurvival.load()
    dynamics = _DYNAMICS[context.config.dynamics[0]]()
    arms: list[ProtocolArm] = [
        RandomArm(),
        FrequentArm(context.treated),
        EverythingArm(policy),
        PolicyArm(policy),
        SearchArm(policy, dynamics, LesionAssistant(), survival, "without the assistant"),
        SearchArm(policy, dynamics, IntensityAssistant(), survival),
    ]
    return [*arms, TrueHazardArm(policy), OracleArm()] if context.truth else arms


def _told(protocol: Protocol | None, truth: TrueCase | None) -> dict[str, Any]:
    return {
        "protocol": None if protocol is None else render_protocol(protocol),
        "agents": [] if protocol is None else list(protocol.agents),
        "log_hazard": None if protocol is None or truth is None else truth.expected_log_hazard(protocol),
    }
