"""Simulate, segment and score protocols, each future once, and remember what may be shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from mewm.actions import rules
from mewm.actions.protocol import Action, Protocol
from mewm.explore.events import CancelToken, Event, EventKind, OnEvent, stop_if_cancelled
from mewm.explore.result import Future, ScoredProtocol
from mewm.explore.settings import ExploreSettings
from mewm.measure import Measurements, measure
from mewm.roi import Roi
from mewm.roles import AssistantModel, DynamicsModel, Finding, RiskScore, SurvivalModel
from mewm.survival.explanation import Explanation


@dataclass(frozen=True)
class _Replica:
    score: RiskScore
    measurements: Measurements


class Evaluator:
    """Scores protocols of one case by T replicas that share their random numbers.

    Replica ``t`` of every protocol has the same seed, so that protocols differ by treatment and not by luck.
    Replicas of a protocol are always run in order, and never twice. The first one's volumes are kept, so
    that a protocol can be shown without a second simulation.
    """

    def __init__(
        self,
        roi: Roi,
        dynamics: DynamicsModel,
        assistant: AssistantModel,
        survival: SurvivalModel,
        settings: ExploreSettings,
        *,
        on_event: OnEvent | None = None,
        cancel: CancelToken | None = None,
        keep_mb: float = 256.0,
    ) -> None:
        """Prepare the evaluation of one case.

        Args:
            roi: the case on the model grid.
            dynamics: simulates post-treatment CTs.
            assistant: segments them.
            survival: scores them.
            settings: number of replicas and their seed, and the horizons of the searches that use it.
            on_event: receives an :class:`~mewm.explore.events.Event` for every piece of news.
            cancel: asked before every simulation and every score.
            keep_mb: memory for the kept volumes; beyond it the incomplete protocols' and then the
                riskiest protocols' volumes are dropped.
        """
        self.roi = roi
        self.settings = settings
        self.replicas = settings.replicas
        # The first k seeds do not depend on T, so a later search with more replicas agrees with this one.
        self.seeds = tuple(int(word) for word in np.random.SeedSequence(settings.seed).generate_state(self.replicas))
        self.simulations_run = 0
        self.expected_simulations = 0
        self._dynamics = dynamics
        self._assistant = assistant
        self._survival = survival
        self._on_event = on_event
        self._cancel = cancel
        self._keep_bytes = keep_mb * 2**20
        self._replicas: dict[tuple[Action, ...], list[_Replica]] = {}
        self._futures: dict[tuple[Action, ...], Future] = {}
        self._protocols: dict[tuple[Action, ...], Protocol] = {}
        self._explanations: dict[tuple[Action, ...], Explanation] = {}

    def stage(self, message: str, expected_simulations: int | None = None) -> None:
        """Tell the caller what happens next and how many simulations are expected in all."""
        if expected_simulations is not None:
            self.expected_simulations = expected_simulations
        self._emit("stage", message)

    def replicas_of(self, protocol: Protocol) -> int:
        """Return how many replicas of a protocol were run."""
        return len(self._replicas.get(protocol.key, ()))

    def risks(self, protocol: Protocol) -> tuple[float, ...]:
        """Return the risk of each replica run so far."""
        return tuple(replica.score.risk for replica in self._replicas.get(protocol.key, ()))

    def run(self, protocol: Protocol, replicas: int | None = None) -> float:
        """Make sure the first ``replicas`` (default: all T) replicas are simulated; return the mean risk.

        Raises:
            Cancelled: the user cancelled.
        """
        wanted = self.replicas if replicas is None else min(replicas, self.replicas)
        done = self._replicas.setdefault(protocol.key, [])
        if len(done) < wanted:
            self._protocols.setdefault(protocol.key, protocol)
            self._simulate(protocol, wanted)
            self._emit("scored", "Scored a protocol", scored=self.scored(protocol))
        return float(np.mean([replica.score.risk for replica in done]))

    def _simulate(self, protocol: Protocol, wanted: int) -> None:
        stop_if_cancelled(self._cancel)
        done = self._replicas[protocol.key]
        # Agents in a fixed order: the path on which a search found a protocol must not change its future.
        treatment = Protocol(protocol.key)
        first = len(done)
        explain = getattr(self._survival, "explain", None)
        cts = self._dynamics.simulate(self.roi, treatment, self.seeds[first:wanted])
        for replica, ct in enumerate(cts, start=first):
            stop_if_cancelled(self._cancel)
            tissue = self._assistant.segment(self.roi, ct)
            score = self._survival.score(self.roi, ct, tissue, treatment)
            done.append(_Replica(score, measure(self.roi, tissue)))
            if replica == 0 and explain is not None:
                self._explanations[protocol.key] = explain(self.roi, ct, tissue, treatment)
            self.simulations_run += 1
            if replica == 0:
                future = Future(_as_int16(ct), np.asarray(tissue, dtype=np.uint8))
                self._futures[protocol.key] = future
                self._emit("simulated", "Simulated a protocol", protocol=protocol, future=future)
        self._forget_beyond_limit()

    def scored(self, protocol: Protocol, findings: tuple[Finding, ...] = (), correction: float = 0.0) -> ScoredProtocol:
        """Return the numbers of a protocol that has at least one replica.

        Args:
            protocol: the protocol.
            findings: rules it violates.
            correction: added to the mean risk (see :attr:`ScoredProtocol.risk`).
        """
        done = self._replicas[protocol.key]
        risks = tuple(float(replica.score.risk) for replica in done)
        weeks = float(np.mean([replica.score.median_weeks for replica in done]))
        two_years = float(np.mean([replica.score.survival_2y for replica in done]))
        return ScoredProtocol(
            protocol=protocol,
            risk=float(np.mean(risks)) + correction,
            risk_sd=float(np.std(risks, ddof=1)) if len(risks) > 1 else None,
            risks=risks,
            survival_1y=float(np.mean([replica.score.survival_1y for replica in done])),
            median_weeks=weeks if np.isfinite(weeks) else None,
            measurements=_mean([replica.measurements for replica in done]),
            complete=rules.is_complete(protocol),
            findings=findings,
            survival_2y=two_years if np.isfinite(two_years) else None,
            explanation=self._explanations.get(protocol.key, Explanation()),
        )

    def complete_protocols(self) -> list[Protocol]:
        """Return the complete protocols that have at least one replica, in the order they were run."""
        return [p for p in self._protocols.values() if self.replicas_of(p) and rules.is_complete(p)]

    def future(self, protocol: Protocol) -> Future:
        """Return the first replica's volumes; simulates it again only if memory made the evaluator drop it."""
        if protocol.key not in self._futures:
            if not self.replicas_of(protocol):
                self.run(protocol, 1)
            else:
                stop_if_cancelled(self._cancel)
                ct = self._dynamics.simulate(self.roi, Protocol(protocol.key), self.seeds[:1])[0]
                self.simulations_run += 1
                tissue = self._assistant.segment(self.roi, ct)
                return Future(_as_int16(ct), np.asarray(tissue, dtype=np.uint8))
        return self._futures[protocol.key]

    def _forget_beyond_limit(self) -> None:
        size = sum(future.ct.nbytes + future.tissue.nbytes for future in self._futures.values())
        while size > self._keep_bytes and len(self._futures) > 1:
            worst = max(self._futures, key=self._reluctance)
            dropped = self._futures.pop(worst)
            size -= dropped.ct.nbytes + dropped.tissue.nbytes

    def _reluctance(self, key: tuple[Action, ...]) -> tuple[bool, float]:
        return not rules.is_complete(self._protocols[key]), self._replicas[key][0].score.risk

    def _emit(self, kind: EventKind, message: str, **news: Any) -> None:
        if self._on_event is not None:
            total = max(self.expected_simulations, self.simulations_run)
            self._on_event(Event(kind, message, self.simulations_run, total, **news))


def evaluate_protocol(evaluator: Evaluator, protocol: Protocol, findings: Sequence[Finding] = ()) -> ScoredProtocol:
    """Score a protocol that the user wrote, with all T replicas.

    Args:
        evaluator: the evaluator of the case; what it already simulated is used again.
        protocol: any protocol, complete or not.
        findings: what :func:`mewm.actions.rules.check` says about it; the caller knowingly goes on.

    Raises:
        Cancelled: the user cancelled.
    """
    missing = evaluator.replicas - evaluator.replicas_of(protocol)
    evaluator.stage("Simulating your protocol", evaluator.simulations_run + missing)
    evaluator.run(protocol)
    return evaluator.scored(protocol, tuple(findings))


def _as_int16(ct: np.ndarray) -> np.ndarray:
    limits = np.iinfo(np.int16)
    return np.clip(np.rint(ct), limits.min, limits.max).astype(np.int16)


def _mean(replicas: list[Measurements]) -> Measurements:
    means: dict[str, Any] = {}
    for field in fields(Measurements):
        values = [getattr(replica, field.name) for replica in replicas]
        if isinstance(values[0], str):
            means[field.name] = Counter(values).most_common(1)[0][0]
        else:
            means[field.name] = float(np.mean(values))
    return Measurements(**means)
