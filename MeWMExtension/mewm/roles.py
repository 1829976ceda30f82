"""The four roles of the Medical World Model as typed interfaces (arXiv 2506.02327, section 3).

Each role has a plain baseline here and a learned implementation beside it; the search knows only these
interfaces. Volumes are on the model grid of :mod:`mewm.roi`: ``(96, 96, 96)`` in ``(z, y, x)`` order,
isotropic, axes along LPS, Hounsfield units.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np

    from mewm.actions.formulary import Formulary
    from mewm.actions.protocol import Action
    from mewm.actions.protocol import Protocol as TaceProtocol
    from mewm.roi import Roi


class Tissue(IntEnum):
    """Values of a tissue label volume."""

    BACKGROUND = 0
    LIVER = 1
    VIABLE = 2
    NECROSIS = 3
    LIPIODOL = 4


@dataclass(frozen=True)
class Finding:
    """A sentence for the user with the rule and the source it rests on.

    Attributes:
        rule: identifier of the rule, e.g. ``"one-platinum"``.
        severity: ``"excluded"`` (the rule forbids), ``"warning"`` (the user must know), ``"note"``.
        message: one plain sentence.
        source: citation of the guideline or paper.
        agents: the agents it concerns, empty if it concerns the case.
    """

    rule: str
    severity: str
    message: str
    source: str
    agents: tuple[str, ...] = ()


@dataclass(frozen=True)
class Proposal:
    """What a policy proposes: candidate drugs and embolics, best first, and why others were left out."""

    drugs: tuple[Action, ...]
    embolics: tuple[Action, ...]
    findings: tuple[Finding, ...] = ()
    reasons: dict[str, str] = field(default_factory=dict)


class PolicyModel(Protocol):
    """π: case and goal → candidate actions (section 3.1)."""

    name: str

    def propose(self, roi: Roi, goal: str, formulary: Formulary, drugs: int, embolics: int) -> Proposal:
        """Propose at most ``drugs`` drug (or bead) actions and ``embolics`` embolic actions, best first."""
        ...


class DynamicsModel(Protocol):
    """f_DM: pre-treatment CT and protocol → post-treatment CTs (section 3.2)."""

    name: str

    def simulate(self, roi: Roi, protocol: TaceProtocol, seeds: Sequence[int]) -> np.ndarray:
        """Return ``(len(seeds), 96, 96, 96)`` float32 HU, one future a seed.

        The same seed gives every protocol the same random numbers, so that protocols differ by treatment
        and not by luck.
        """
        ...


class AssistantModel(Protocol):
    """H_seg: post-treatment CT → tissue labels (section 3.3)."""

    name: str

    def segment(self, roi: Roi, ct: np.ndarray) -> np.ndarray:
        """Label one post-treatment CT ``(96, 96, 96)`` with :class:`Tissue` values, uint8."""
        ...


@dataclass(frozen=True)
class RiskScore:
    """Prediction of a survival model for one future.

    Attributes:
        risk: log partial hazard relative to the training cohort's mean; lower is better.
        survival_1y: predicted probability to live one year.
        median_weeks: predicted median overall survival in weeks; ``inf`` if the curve stays above one half.
        contributions: covariate → its share of ``risk``; empty where a model is no sum of covariates.
        survival_2y: predicted probability to live two years.
    """

    risk: float
    survival_1y: float
    median_weeks: float
    contributions: dict[str, float] = field(default_factory=dict)
    survival_2y: float = float("nan")


class SurvivalModel(Protocol):
    """H_surv: pre and post CT, masks, clinical facts → risk (section 3.3).

    The paper's model sees images only. The toxicity of a protocol does not show on CT, so this interface
    also receives the protocol; without it more drugs would always look better.

    A model may also have: ``survival_curve(risk)`` and ``survival_band(risks)``, weekly curves; ``explain``, with the
    arguments of :meth:`score`, which returns a :class:`mewm.survival.explanation.Explanation`; and
    ``unfamiliar(roi, protocols)``, sentences about what sets a case and the scored protocols, best first, apart from
    the training cases.
    """

    name: str

    def score(self, roi: Roi, post_ct: np.ndarray, tissue: np.ndarray, protocol: TaceProtocol) -> RiskScore:
        """Score one simulated future."""
        ...
