"""What one run found out about one case, and with which models."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from mewm.assistant.intensity import IntensityAssistant
from mewm.dynamics.mechanistic import MechanisticDynamics
from mewm.policy.guideline import GuidelinePolicy
from mewm.rows import protocol_row, survival_values
from mewm.survival.clinical import ClinicalCox
from mewm.survival.cox import CoxSurvival

if TYPE_CHECKING:
    from mewm.actions.formulary import Formulary
    from mewm.case import Case
    from mewm.explore.evaluator import Evaluator
    from mewm.explore.result import ScoredProtocol, SearchResult
    from mewm.explore.settings import ExploreSettings
    from mewm.roi import Roi
    from mewm.roles import AssistantModel, DynamicsModel, PolicyModel, SurvivalModel


@dataclass(frozen=True)
class Models:
    """The four roles of the world model; the plain baselines by default."""

    policy: PolicyModel = field(default_factory=GuidelinePolicy)
    dynamics: DynamicsModel = field(default_factory=MechanisticDynamics)
    assistant: AssistantModel = field(default_factory=IntensityAssistant)
    survival: SurvivalModel = field(default_factory=CoxSurvival.load)

    @property
    def names(self) -> dict[str, str]:
        """Role → name of its implementation."""
        return {role: getattr(self, role).name for role in ("policy", "dynamics", "assistant", "survival")}

    @property
    def devices(self) -> list[str]:
        """Where the learned models among them compute, such as ``"cuda"``; everything else runs on the CPU."""
        found = (getattr(model, "device", None) for model in (self.dynamics, self.assistant, self.survival))
        return sorted({str(device) for device in found if device is not None})

    @property
    def cautions(self) -> list[str]:
        """What a user must know of what reads the tissue: trained on what, and whether the risk was learned from it."""
        reader, risk = self.assistant, self.survival
        notice = getattr(reader, "notice", "")
        told = [f"Tissue is read by {reader.name}. {notice}"] if notice else []
        learned_from = getattr(risk, "reader", reader.name)
        if learned_from != reader.name:
            told.append(
                f"The survival model {risk.name} learned from tissue as the assistant {learned_from} reads it; as "
                f"{reader.name} reads it, its risks are less sure."
            )
        return told


@dataclass(frozen=True, eq=False)
class Exploration:
    """Everything one run found out about one case.

    Attributes:
        case: the case as read.
        roi: its target lesion on the model grid.
        models: the four roles that were used.
        settings: settings of the search.
        evaluator: holds the simulated volumes.
        ranking: every scored complete protocol, best first, with the user's own among them.
        own: keys of the protocols that the user wrote.
        search: the search's result, ``None`` where one protocol was simulated.
        warnings: what the user must know about the case and the treatment.
        timings: seconds by stage.
        kind: ``"explore"`` or ``"simulate"``.
        formulary: agents that could be given.
        goal: the goal in words.
    """

    case: Case
    roi: Roi
    models: Models
    settings: ExploreSettings
    evaluator: Evaluator
    ranking: tuple[ScoredProtocol, ...]
    own: frozenset[tuple]
    search: SearchResult | None
    warnings: tuple[str, ...]
    timings: dict[str, float]
    kind: Literal["explore", "simulate"]
    formulary: Formulary
    goal: str = ""

    def rows(self) -> list[dict[str, Any]]:
        """Return the ranking as plain values, one dictionary a protocol; see :func:`mewm.rows.protocol_row`."""
        return [
            protocol_row(scored, rank=rank, own=scored.protocol.key in self.own)
            for rank, scored in enumerate(self.ranking, start=1)
        ]

    @cached_property
    def outlook(self) -> dict[str, Any] | None:
        """What the patient's clinical facts alone predict; see :meth:`mewm.survival.clinical.Outlook.to_dict`.

        ``None`` where no fact that predicts anything is stated: the series' median patient is not this one.
        """
        clinical = ClinicalCox.load()
        found = clinical.outlook(self.case.facts)
        return None if len(found.not_stated) == len(clinical.model.coefficients) else found.to_dict()

    @property
    def simulations(self) -> dict[str, int | None]:
        """Return how many simulations ran in all, how many the search took and what its peers would need."""
        counts: dict[str, int | None] = {"run": self.evaluator.simulations_run}
        if self.search is not None:
            cost = self.search.cost
            counts |= {"search": cost.run, "algorithm1": cost.paper, "exhaustive": cost.exhaustive}
        return counts

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values: ranking, simulations, warnings, timings."""
        return {
            "kind": self.kind,
            "ranking": [
                row | survival_values(self.models.survival, scored.risks)
                for row, scored in zip(self.rows(), self.ranking, strict=True)
            ],
            "outlook": self.outlook,
            "simulations": self.simulations,
            "warnings": list(self.warnings),
            "models": self.models.names,
            "timings": self.timings,
        }
