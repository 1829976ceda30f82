"""Everything that is measured on one case, as plain values: cases run in parallel and are written as they are done."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from mewm.actions.protocol import Protocol
from mewm.actions.text import render_protocol
from mewm.assistant.choose import choose_assistant
from mewm.assistant.without import LesionAssistant
from mewm.cohort.dataset import Cohort, CohortCase, CohortRow
from mewm.evaluation.arms import (
    ArmCase,
    EndpointArm,
    EverythingArm,
    FrequentArm,
    OracleArm,
    PolicyArm,
    ProtocolArm,
    RandomArm,
)
from mewm.evaluation.config import EvaluationConfig
from mewm.evaluation.radiomics import radiomics
from mewm.evaluation.registry import WITHOUT_CONTRASTIVE, Registry
from mewm.evaluation.search_arms import SearchArm, TrueHazardArm, TrueResponseArm
from mewm.evaluation.synthesis_measures import synthesis_values
from mewm.evaluation.world import TrueCase, true_case
from mewm.policy.policy_only import PolicyOnly, accept_all
from mewm.policy.presets import find_endpoint
from mewm.roles import AssistantModel, SurvivalModel
from mewm.survival.choose import choose_survival
from mewm.survival.clinical import ClinicalCox, clinical_covariates

TREATED = "as treated"
CONTRASTIVE_ARM = "without the contrastive loss"


@dataclass(frozen=True, eq=False)
class Context:
    """What all cases share.

    Attributes:
        cohort: the dataset.
        config: the settings.
        registry: the models that the settings name.
        truth: lines of ``truth.csv`` by case; empty for real patients.
        treated: as-treated protocols of the training split.
    """

    cohort: Cohort
    config: EvaluationConfig
    registry: Registry
    truth: Mapping[str, Mapping[str, str]]
    treated: tuple[Protocol, ...]

    @cached_property
    def survival(self) -> SurvivalModel:
        """The survival model of the full method."""
        return choose_survival(self.config.survival)

    @cached_property
    def assistant(self) -> AssistantModel:
        """What reads CTs after treatment; weights are loaded once."""
        return choose_assistant(self.config.assistant)

    @cached_property
    def arms(self) -> list[ProtocolArm]:
        """The contenders that choose a protocol; those that need the truth only where it is known."""
        registry, config = self.registry, self.config
        policies = {name: registry.policies[name]() for name in config.policies}
        first, survival, assistant = policies[config.policies[0]], self.survival, self.assistant
        dynamics = registry.dynamics[config.dynamics[0]]()
        arms: list[ProtocolArm] = [RandomArm()]
        # A cohort without a training split has no habits to follow.
        arms += [FrequentArm(self.treated)] if self.treated else []
        arms += [EverythingArm(first), *(PolicyArm(policy) for policy in policies.values())]
        # What may be sent was settled with the settings.
        arms += [EndpointArm(PolicyOnly(find_endpoint(name), accept_all)) for name in config.endpoints]
        arms.append(SearchArm(first, dynamics, LesionAssistant(), survival, "without the assistant"))
        if not registry.why_no_ablation(config):
            plain = registry.dynamics[WITHOUT_CONTRASTIVE]()
            arms.append(SearchArm(first, plain, assistant, survival, CONTRASTIVE_ARM))
        arms.append(SearchArm(first, dynamics, assistant, survival))
        if self.truth:
            arms += [TrueResponseArm(first, assistant, survival, true_tissue=told) for told in (False, True)]
            arms += [TrueHazardArm(first), TrueHazardArm(), OracleArm()]
        return arms


def measure_case(context: Context, row: CohortRow) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Measure one case.

    Returns:
        Plain values for JSON, and the slices that the feature networks and the page of cases look at.
    """
    config, case = context.config, context.cohort.load(row)
    truth = None
    if row.case_id in context.truth:
        folder = context.cohort.folder / "cases" / row.case_id
        truth = true_case(case.roi, context.truth[row.case_id], context.cohort.info, folder)
    record: dict[str, Any] = {"case_id": row.case_id, "os_weeks": row.os_weeks, "event": bool(row.event)}
    arrays: dict[str, np.ndarray] = {}
    seed = case_seed(row.case_id, config.seed)
    if "survival" in config.parts:
        record["survival"] = survival_values(case, truth, context.assistant, context.survival)
    if row.split == config.split:
        if "synthesis" in config.parts:
            models = {name: context.registry.dynamics[name]() for name in config.dynamics}
            record["synthesis"], arrays = synthesis_values(case, truth, models, config, seed, context.assistant)
        if "protocols" in config.parts:
            record["protocols"] = _protocols(case, truth, context, seed)
    return record, arrays


def survival_values(
    case: CohortCase, truth: TrueCase | None, assistant: AssistantModel, survival: SurvivalModel
) -> dict[str, Any]:
    """Return the features of the Cox baselines and the risks of the survival models, on the true CT."""
    roi = case.roi
    tissue = assistant.segment(roi, case.post_ct)
    return {
        "radiomics": radiomics(roi.ct, case.post_ct, roi.lesion, roi.spacing),
        "clinical": clinical_covariates(roi.facts),
        "method_risk": survival.score(roi, case.post_ct, tissue, case.row.protocol).risk,
        "series_risk": ClinicalCox.load().outlook(roi.facts).risk,
        "true_log_hazard": None if truth is None else truth.log_hazard,
    }


def case_seed(case_id: str, seed: int) -> int:
    """Return the seed of a case: the same whatever other cases are measured."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{case_id}".encode()).digest()[:4], "little")


def _protocols(case: CohortCase, truth: TrueCase | None, context: Context, seed: int) -> dict[str, Any]:
    arm_case = ArmCase(case.roi, seed, context.config.search, truth)
    record: dict[str, Any] = {TREATED: _told(case.row.protocol, truth), "arms": {}}
    for arm in context.arms:
        record["arms"][arm.name] = _told(arm.choose(arm_case), truth)
        if isinstance(arm, EndpointArm) and arm.failure:
            record["arms"][arm.name]["failure"] = arm.failure
    return record


def _told(protocol: Protocol | None, truth: TrueCase | None) -> dict[str, Any]:
    return {
        "protocol": None if protocol is None else render_protocol(protocol),
        "agents": [] if protocol is None else list(protocol.agents),
        "log_hazard": None if protocol is None or truth is None else truth.expected_log_hazard(protocol),
    }
