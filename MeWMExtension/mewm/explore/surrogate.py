"""A belief about the risk of every protocol, learned from the few that were simulated.

The risk of replica ``t`` of a protocol is modelled as a sum: a level, one effect per agent, one per pair of agents,
one for each number of drugs, of embolics and of pairs, and a rest of the protocol's own; and all of these once more
for each replica's random numbers (where luck kills more cells, it does so under every protocol). All effects are
independent Gaussians, so the risks are jointly Gaussian (Rasmussen & Williams, Gaussian Processes for Machine
Learning, MIT Press 2006, chapter 2). How far the effects of a kind spread is fitted to the simulations. Bliss
independence makes log viable volume additive over agents and toxicity adds up, hence this form.

Where a sketch of each future is at hand (:mod:`mewm.dynamics.sketch`), the risk is besides a linear function of it,
with weights learned from the simulations, and the effects above are what the sketch leaves to explain.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations

import numpy as np

from mewm.actions.protocol import Protocol
from mewm.roles import Proposal

# Spread of each kind of effect, relative to the spread of the simulated risks, before they say more.
_FITTED = {
    "drug": 0.7,
    "embolic": 0.7,
    "drug-drug": 0.1,
    "drug-embolic": 0.2,
    "embolic-embolic": 0.3,
    "rest": 0.07,
    "replica drug": 0.05,
    "replica embolic": 0.3,
    "replica drug-drug": 0.03,
    "replica drug-embolic": 0.05,
    "replica embolic-embolic": 0.15,
    "replica rest": 0.03,
}
# A case has one of each of these, from which no spread can be learned.
_FIXED = {
    "level": 3.0,
    "bead": 1.0,
    "drugs": 0.7,
    "embolics": 0.7,
    "drug-drugs": 0.2,
    "drug-embolics": 0.3,
    "embolic-embolics": 0.3,
    "replica": 0.3,
    "replica bead": 0.7,
    "replica drugs": 0.1,
    "replica embolics": 0.3,
    "replica drug-drugs": 0.03,
    "replica drug-embolics": 0.3,
    "replica embolic-embolics": 0.3,
    "none": 0.0,
}
_COUNTS = ["drugs", "embolics", "drug-drugs", "drug-embolics", "embolic-embolics"]
_PRIOR_LOG_SD = 1.0
# The same where a sketch explains most of the risk: what it left in simulated patients outside the benchmark.
_FITTED_LEFT = {
    "drug": 0.03,
    "embolic": 0.05,
    "drug-drug": 0.02,
    "drug-embolic": 0.03,
    "embolic-embolic": 0.04,
    "rest": 0.07,
    "replica drug": 0.02,
    "replica embolic": 0.08,
    "replica drug-drug": 0.01,
    "replica drug-embolic": 0.03,
    "replica embolic-embolic": 0.06,
    "replica rest": 0.06,
}
_FIXED_LEFT = {
    **dict.fromkeys(_FIXED, 0.06),
    "level": 3.0,
    "bead": 0.3,
    "replica": 0.1,
    "replica bead": 0.3,
    "none": 0.0,
}
# Spread of the weight of each standardised column of a sketch, relative to the spread of the risks.
_SKETCH = 1.0
# The effects that decide what need not be simulated; a belief too sure of them would skip too much.
_CAUTIOUS = tuple(kind for kind in _FITTED if kind not in ("drug", "embolic"))
# Keeps the matrix of nearly equal observations positive definite, far below differences that matter.
_JITTER = 1e-8
_STEP, _SWEEPS = 2.0**0.5, 2


class RiskSurrogate:
    """Joint Gaussian belief about the mean risk over T replicas of each node of a search space."""

    def __init__(
        self,
        proposal: Proposal,
        protocol: Callable[[int], Protocol],
        *,
        replicas: int,
        draws: int,
        rng: np.random.Generator,
        sketch: Callable[[int], np.ndarray] | None = None,
    ) -> None:
        """Begin without observations.

        Args:
            proposal: the agents that occur.
            protocol: protocol of a node.
            replicas: T.
            draws: number of joint draws from the belief.
            rng: source of the draws; the same draws are conditioned on more and more observations.
            sketch: what may explain the risk of each replica of a node, ``(replicas, columns)``.
        """
        self._effects = _Effects(proposal)
        self._protocol = protocol
        self._replicas = replicas
        self._rng = rng
        # Index 0 is the part common to all replicas, t + 1 that of replica t.
        self._normal = rng.standard_normal((1 + replicas, len(self._effects.common), draws))
        self._rest: dict[int, np.ndarray] = {}
        self._row: dict[int, np.ndarray] = {}
        self._sketch = sketch
        self._sketches: dict[int, np.ndarray] = {}
        self._start, self._fixed = (_FITTED, _FIXED) if sketch is None else (_FITTED_LEFT, _FIXED_LEFT)
        self._weights: np.ndarray | None = None
        # A sketch leaves little, from which a spread is guessed worse than from other patients.
        self._prior_log_sd = _PRIOR_LOG_SD if sketch is None else 0.3
        self._spread = dict(self._start)
        self._nodes: list[int] = []
        self._times: list[int] = []
        self._risks: list[float] = []
        self._mean: dict[int, float] = {}

    def learn(self, node: int, replica: int, risk: float) -> None:
        """Add the risk of one replica of a node; call :meth:`update` before the next question."""
        self._nodes.append(node)
        self._times.append(replica)
        self._risks.append(risk)

    def update(self, caution: float = 1.0) -> None:
        """Fit the spreads to the observations and condition the draws on them.

        Args:
            caution: factor on the fitted spreads of interactions, rests and replica effects.
        """
        risks, times = np.array(self._risks), np.array(self._times)
        self._centre = float(risks.mean())
        self._scale = float(risks.std()) or 1.0
        values = (risks - self._centre) / self._scale
        self._observed, self._observed_nodes = self._rows(self._nodes), np.array(self._nodes)
        together = (times[:, None] == times[None, :]).astype(float)
        same = (self._observed_nodes[:, None] == self._observed_nodes[None, :]).astype(float)
        terms = self._effects.covariances(self._observed, together, same, self._fixed)
        self._look_at_sketches()
        terms["fixed"] = terms["fixed"] + self._explained @ self._explained.T
        self._spread = fit_spreads(terms, values, self._spread, self._start, self._prior_log_sd)
        used = {kind: s * (caution if kind in _CAUTIOUS else 1.0) for kind, s in self._spread.items()}
        self._used = used | self._fixed
        self._scales = tuple(
            np.array([self._used[kind] for kind in kinds]) for kinds in (self._effects.common, self._effects.replica)
        )
        covariance = _total(terms, used) + _JITTER * np.eye(len(values))
        prior = np.empty((len(values), self._normal.shape[2]))
        for time in np.unique(times):
            those = np.flatnonzero(times == time)
            prior[those] = self._prior([self._nodes[i] for i in those], [int(time)])
        prior += self._explained @ self._sketch_weights
        solved = np.linalg.solve(covariance, np.column_stack([values, values[:, None] - prior]))
        self._mean_weights, self._draw_weights = solved[:, 0], solved[:, 1:]
        self._mean.clear()

    def mean(self, node: int) -> float:
        """Return the expected mean risk of a node over T replicas."""
        if node not in self._mean:
            expected = float((self._cross([node]) @ self._mean_weights)[0])
            self._mean[node] = self._centre + self._scale * expected
        return self._mean[node]

    def draws(self, nodes: Sequence[int]) -> np.ndarray:
        """Return the mean risk of nodes over T replicas in each joint draw, ``(nodes, draws)``."""
        # Matheron's rule: draws from the prior, moved by what the observations say about them
        # (Wilson et al., ICML 2020, arXiv 2002.09309).
        drawn = self._prior(nodes, list(range(self._replicas))) + self._cross(nodes) @ self._draw_weights
        drawn += self._mean_sketches(nodes) @ self._sketch_weights
        return self._centre + self._scale * drawn

    def _look_at_sketches(self) -> None:
        """Standardise the sketches of what was observed; ``(observations, columns)`` in units of prior weight."""
        raw = np.array([self._sketch_of(node)[time] for node, time in zip(self._nodes, self._times, strict=True)])
        self._sketch_centre = raw.mean(axis=0)
        spread = raw.std(axis=0)
        self._sketch_scale = np.divide(_SKETCH, spread, out=np.zeros_like(spread), where=spread > 1e-9)
        self._explained = (raw - self._sketch_centre) * self._sketch_scale
        if self._weights is None:
            self._weights = self._rng.standard_normal((raw.shape[1], self._normal.shape[2]))

    @property
    def _sketch_weights(self) -> np.ndarray:
        assert self._weights is not None
        return self._weights

    def _sketch_of(self, node: int) -> np.ndarray:
        if node not in self._sketches:
            self._sketches[node] = np.zeros((self._replicas, 0)) if self._sketch is None else self._sketch(node)
        return self._sketches[node]

    def _mean_sketches(self, nodes: Sequence[int]) -> np.ndarray:
        """Return the standardised sketch of each node's mean over replicas, ``(nodes, columns)``."""
        raw = np.array([self._sketch_of(node).mean(axis=0) for node in nodes])
        return (raw - self._sketch_centre) * self._sketch_scale

    def _rows(self, nodes: Sequence[int]) -> np.ndarray:
        for node in nodes:
            if node not in self._row:
                self._row[node] = self._effects.row(self._protocol(node))
        return np.array([self._row[node] for node in nodes])

    def _cross(self, nodes: Sequence[int]) -> np.ndarray:
        """Return the covariance of the nodes' means with the observations, ``(nodes, observations)``."""
        common, replica = self._scales
        rows = self._rows(nodes)
        same = np.array(nodes)[:, None] == self._observed_nodes[None, :]
        between = (rows * (common**2 + replica**2 / self._replicas)) @ self._observed.T
        between += self._mean_sketches(nodes) @ self._explained.T
        return between + same * (self._used["rest"] ** 2 + self._used["replica rest"] ** 2 / self._replicas)

    def _prior(self, nodes: Sequence[int], replicas: list[int]) -> np.ndarray:
        """Return the nodes' mean risk over the given replicas before any observation, ``(nodes, draws)``."""
        for node in nodes:
            if node not in self._rest:
                self._rest[node] = self._rng.standard_normal((1 + self._replicas, self._normal.shape[2]))
        common, replica = self._scales
        those = [t + 1 for t in replicas]
        effects = common[:, None] * self._normal[0] + replica[:, None] * self._normal[those].mean(axis=0)
        rest = np.array([self._rest[node] for node in nodes])
        own = self._used["rest"] * rest[:, 0] + self._used["replica rest"] * rest[:, those].mean(axis=1)
        return self._rows(nodes) @ effects + own


class _Effects:
    """The effects of a proposal: which a protocol has, and of which kind each is."""

    def __init__(self, proposal: Proposal) -> None:
        kinds = {action.agent: action.kind for action in (*proposal.drugs, *proposal.embolics)}
        self._agents = list(kinds)
        self._kinds = kinds
        pairs = list(combinations(self._agents, 2))
        self._pairs = {frozenset(pair): i for i, pair in enumerate(pairs)}
        self.common = ["level", *kinds.values(), *(self._pair_kind(*pair) for pair in pairs)]
        self.common += _COUNTS
        noise = [f"replica {kind}" for kind in kinds.values()]
        self.replica = ["replica", *noise, *(self._noise_kind(*pair) for pair in pairs)]
        self.replica += [f"replica {count}" for count in _COUNTS]

    def _pair_kind(self, one: str, two: str) -> str:
        kind = "-".join(sorted((self._kinds[one], self._kinds[two])))
        return "none" if "bead" in kind else kind

    def _noise_kind(self, one: str, two: str) -> str:
        kind = self._pair_kind(one, two)
        return kind if kind == "none" else f"replica {kind}"

    def row(self, protocol: Protocol) -> np.ndarray:
        """Return how often a protocol has each effect."""
        agents = protocol.agents
        has = np.array([agent in agents for agent in self._agents], dtype=float)
        pairs = np.zeros(len(self._pairs))
        pairs[[self._pairs[frozenset(pair)] for pair in combinations(agents, 2)]] = 1.0
        d = sum(self._kinds[agent] == "drug" for agent in agents)
        e = sum(self._kinds[agent] == "embolic" for agent in agents)
        return np.array([1.0, *has, *pairs, d, e, d * (d - 1) / 2, d * e, e * (e - 1) / 2])

    def covariances(
        self, rows: np.ndarray, together: np.ndarray, same: np.ndarray, fixed: Mapping[str, float]
    ) -> dict[str, np.ndarray]:
        """Return the covariance of observations by fitted kind for spread 1, and that of all fixed kinds.

        Args:
            rows: effects of each observation, ``(n, effects)``.
            together: 1 where two observations share their replica, else 0, ``(n, n)``.
            same: 1 where they are of the same node, else 0.
            fixed: spread of each kind that is not fitted.
        """
        terms = {"rest": same, "replica rest": same * together, "fixed": np.zeros_like(same)}
        for kinds, mask in ((self.common, np.ones_like(same)), (self.replica, together)):
            for kind in dict.fromkeys(kinds):
                columns = rows[:, [name == kind for name in kinds]]
                covariance = columns @ columns.T * mask
                if kind in fixed:
                    terms["fixed"] = terms["fixed"] + fixed[kind] ** 2 * covariance
                else:
                    terms[kind] = covariance
        return terms


def _total(terms: dict[str, np.ndarray], spread: dict[str, float]) -> np.ndarray:
    total = terms["fixed"].copy()
    for kind, covariance in terms.items():
        if kind != "fixed":
            total += spread[kind] ** 2 * covariance
    return total


def fit_spreads(
    terms: dict[str, np.ndarray],
    values: np.ndarray,
    before: dict[str, float],
    start: dict[str, float],
    log_sd: float = _PRIOR_LOG_SD,
) -> dict[str, float]:
    """Return a more probable spread of each kind of effect, by small steps, one kind at a time.

    Args:
        terms: covariance of each kind for spread 1, ``(n, n)``, and that of the fixed kinds.
        values: standardised risks ``(n,)``.
        before: spreads fitted to fewer observations.
        start: spreads before any observation.
        log_sd: how far the logarithm of a spread may lie from the start's.
    """
    spread = max((dict(before), dict(start)), key=lambda s: _log_posterior(terms, s, values, start, log_sd))
    best = _log_posterior(terms, spread, values, start, log_sd)
    for _ in range(_SWEEPS):
        for kind in start:
            for factor in (1 / _STEP, _STEP):
                trial = {**spread, kind: spread[kind] * factor}
                probability = _log_posterior(terms, trial, values, start, log_sd)
                if probability > best:
                    spread, best = trial, probability
                    break
    return spread


def _log_posterior(
    terms: dict[str, np.ndarray], spread: dict[str, float], values: np.ndarray, start: dict[str, float], log_sd: float
) -> float:
    covariance = _total(terms, spread) + _JITTER * np.eye(len(values))
    lower = np.linalg.cholesky(covariance)
    white = np.linalg.solve(lower, values)
    likelihood = -0.5 * white @ white - np.log(np.diag(lower)).sum()
    prior = sum((np.log(spread[kind] / start[kind]) / log_sd) ** 2 for kind in start)
    return float(likelihood - 0.5 * prior)
