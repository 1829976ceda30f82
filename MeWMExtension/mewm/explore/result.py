"""What a search returns: scored protocols, the tree that led to them, and what it cost."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mewm.explore.settings import ExploreSettings
from mewm.roles import Finding, Proposal
from mewm.survival.explanation import Explanation

if TYPE_CHECKING:
    from mewm.actions.protocol import Protocol
    from mewm.explore.space import Phase
    from mewm.measure import Measurements


@dataclass(frozen=True, eq=False)
class Future:
    """One simulated future, kept to be shown.

    Attributes:
        ct: simulated post-treatment CT on the model grid in HU, int16.
        tissue: its :class:`mewm.roles.Tissue` labels, uint8.
    """

    ct: np.ndarray
    tissue: np.ndarray


@dataclass(frozen=True)
class ScoredProtocol:
    """A protocol with its numbers so far.

    Attributes:
        protocol: the treatment.
        risk: mean log partial hazard over the replicas (equation 4); lower is better. Where the search spent
            fewer than T replicas it is corrected by how the winner's first replicas differ from its T.
        risk_sd: sample standard deviation of ``risks``; ``None`` for one replica.
        risks: risk of each replica, in the order of their seeds.
        survival_1y: mean predicted probability to live one year.
        median_weeks: mean predicted median survival; ``None`` if a replica's curve stays above one half.
        measurements: means over the replicas, and the most frequent response.
        complete: whether the protocol can be given as it is (:func:`mewm.actions.rules.is_complete`).
        findings: rules that it violates; empty for what the search itself proposes.
        survival_2y: mean predicted probability to live two years; ``None`` where the model does not say.
        explanation: what made the risk of the first simulated future; empty where the model does not say.
    """

    protocol: Protocol
    risk: float
    risk_sd: float | None
    risks: tuple[float, ...]
    survival_1y: float
    median_weeks: float | None
    measurements: Measurements
    complete: bool
    findings: tuple[Finding, ...] = ()
    survival_2y: float | None = None
    explanation: Explanation = field(default_factory=Explanation)

    @property
    def replicas(self) -> int:
        """Number of simulated futures behind the numbers."""
        return len(self.risks)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {**plain(asdict(self)), "replicas": self.replicas}


@dataclass(frozen=True)
class Candidate:
    """A protocol that a beam could take at one step.

    Attributes:
        protocol: the beam's protocol with one more agent, or unchanged ("no further agent").
        judged: the treatment that was simulated for it, where it stands for one that is not finished.
        risk: its risk as known at the end of the search.
        replicas: simulated futures behind ``risk``; 0 where the fast search only estimated it.
        taken: whether a beam took it.
    """

    protocol: Protocol
    judged: Protocol
    risk: float
    replicas: int
    taken: bool


@dataclass(frozen=True)
class Branch:
    """One distinct protocol held by beams before a step, and what became of it.

    Attributes:
        protocol: the protocol held.
        beams: indices of the beams that held it.
        candidates: its extensions in order of risk; empty where the beams dropped out.
        cut: rules that removed extensions, with their reasons.
    """

    protocol: Protocol
    beams: tuple[int, ...]
    candidates: tuple[Candidate, ...]
    cut: tuple[Finding, ...]


@dataclass(frozen=True)
class Step:
    """One step of the search.

    Attributes:
        phase: which agents were added, or whether one was left out again.
        before: protocol of each beam before the step.
        branches: the distinct protocols among them with their candidates.
        taken: protocol of each beam after taking a candidate; beams that dropped out are missing.
        replaced: index in ``taken`` of the worst beam, which became a copy of the best; ``None`` if all
            beams hold the same protocol.
        after: protocol of each beam after the replacement.
    """

    phase: Phase
    before: tuple[Protocol, ...]
    branches: tuple[Branch, ...]
    taken: tuple[Protocol, ...]
    replaced: int | None
    after: tuple[Protocol, ...]


@dataclass(frozen=True)
class Cost:
    """Simulations (one protocol, one replica) of this search and of its peers.

    Attributes:
        run: simulations this search ran.
        paper: simulations Algorithm 1 needs on its path: every candidate of every beam, T times.
        exhaustive: simulations of every admissible complete protocol, T times; ``None`` if too many to count.
    """

    run: int
    paper: int
    exhaustive: int | None


@dataclass(frozen=True)
class SearchResult:
    """Outcome of a search.

    Attributes:
        method: which search.
        winner: complete protocol of lowest risk held by the final beams; ``None`` if there is none.
        ranking: every scored complete protocol, lowest risk first. Its first entry can be better than
            ``winner`` where a greedy beam left a better protocol behind.
        steps: the search tree; empty for the exhaustive search.
        proposal: what the policy proposed and why.
        cost: simulations run and needed.
        settings: settings of the search.
        agreement: share of the fast search's beliefs in which Algorithm 1 has this winner; ``None`` for the
            other searches, which know.
    """

    method: Literal["algorithm1", "fast", "exhaustive"]
    winner: ScoredProtocol | None
    ranking: tuple[ScoredProtocol, ...]
    steps: tuple[Step, ...]
    proposal: Proposal
    cost: Cost
    settings: ExploreSettings
    agreement: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values: no numpy types, infinities as ``None``."""
        return {
            "method": self.method,
            "winner": None if self.winner is None else self.winner.to_dict(),
            "ranking": [scored.to_dict() for scored in self.ranking],
            "steps": plain([asdict(step) for step in self.steps]),
            "proposal": plain(asdict(self.proposal)),
            "simulations": plain(asdict(self.cost)),
            "settings": asdict(self.settings),
            "agreement": self.agreement,
        }


def plain(value: Any) -> Any:
    """Return ``value`` as JSON knows it: numpy scalars as Python's, tuples as lists, non-finite as ``None``."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
