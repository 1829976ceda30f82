"""Where oil, the drug it carries and starvation act in a lesion.

Oil reaches perfused territories as far as its amount allows and stays where embolics keep it from washing out;
drugs act mostly where the oil carries them; occlusion starves what portal and collateral vessels do not feed.
Sources of the calibration: :mod:`mewm.dynamics.response`; a constant without a source is an assumption fitted to it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mewm.actions.protocol import Protocol
from mewm.dynamics.effects import distal_reach, dose_factor, embolic_effect
from mewm.dynamics.fields import RandomFields
from mewm.dynamics.phenotype import Phenotype
from mewm.dynamics.sensitivities import PERFUSION_TYPICAL, Sensitivities
from mewm.dynamics.space import LesionSpace

# Customary dose of oil: 1 ml per cm of diameter, at most about 15 ml (CIRSE standards of practice).
OIL_ML_PER_CM = 1.0
# Log-odds that oil fills a voxel: base, and slopes per unit of each cause.
OIL_BASE = 1.8
OIL_DOSE = 0.9  # per natural logarithm of the dose over the customary dose
OIL_PERFUSION = 5.0  # per unit of mean perfusion above PERFUSION_TYPICAL
OIL_LOCAL_PERFUSION = 2.5  # per unit of perfusion above the lesion's mean
OIL_RETENTION = 2.2  # per unit of retention by embolics
OIL_LARGE = 0.4  # per 50 mm of diameter above 50 mm
OIL_IRREGULAR = 1.2  # per unit of irregularity
OIL_SHUNT = 1.8  # per unit of open shunt
OIL_LUCK = 0.4
# How unevenly territories fill, and how ragged the filled parts' edges are.
TERRITORY_SPREAD = 1.7
CLUSTER_SPREAD = 0.45
GRAIN_SPREAD = 0.35
OIL_SIDE = 0.7  # less oil where portal and collateral vessels share the supply
OIL_RIM = 1.4  # the outermost sinusoids wash out first, unevenly: a ragged border
OIL_RIM_MM = 1.2
OIL_RIM_RAGGED_MM = 1.0
EDGE_SHARPNESS = 4.0
# The drug spreads further than the oil that carried it: a softer edge.
DRUG_SHARPNESS = 2.2
# The same for a bead's drug; the slope is per unit of distal reach.
BEAD_BASE = -0.6
BEAD_REACH = 1.6
# Share of a drug that acts without oil to hold it there.
FREE_DRUG_SHARE = 0.1
# Log-kill of complete, lasting arterial occlusion; depth in mm over which portal and collateral supply reaches in.
ISCHAEMIC_LOG_KILL = 0.9
PORTAL_DEPTH_MM = 3.0
PORTAL_RELIEF = 1.1
# Decimal log-kill from which tissue no longer enhances: about seven eighths of it died.
NON_ENHANCING_LOG_KILL = 0.88
KILL_LUCK = 0.15


@dataclass(frozen=True, eq=False)
class Delivery:
    """What reaches each voxel of the lesion (flat, in the order of ``space.inner``) before any free drug acts.

    Attributes:
        enhancing: bool, living tissue before treatment.
        gain: log-kill a unit of drug log-kill.
        base: log-kill by starvation alone.
        oil: share of the voxel that oil fills at once, 0–1.
        oil_ratio: dose of oil over the customary dose.
        flow: combined action of all embolics.
    """

    enhancing: np.ndarray
    gain: np.ndarray
    base: np.ndarray
    oil: np.ndarray
    oil_ratio: float
    flow: Flow

    def log_kill(self, drug: float) -> np.ndarray:
        """Return the decimal log-kill where the drugs would kill ``drug`` decades if fully delivered."""
        return drug * self.gain + self.base

    @property
    def living_before(self) -> int:
        """Voxels of living tissue before treatment."""
        return int(np.count_nonzero(self.enhancing))

    def critical_drug(self) -> np.ndarray:
        """Return, sorted, the drug log-kill from which each living voxel dies; 0 where starvation is enough."""
        short = np.maximum(NON_ENHANCING_LOG_KILL - self.base[self.enhancing], 0)
        return np.sort(short / np.maximum(self.gain[self.enhancing], 1e-9))


def deliver(
    phenotype: Phenotype,
    space: LesionSpace,
    protocol: Protocol,
    sensitivities: Sensitivities,
    fields: RandomFields,
    *,
    deposit: bool = True,
) -> Delivery:
    """Work out where oil, the drug it carries and starvation act; free drugs change none of it.

    Arguments and errors as in :func:`respond`.

    Args:
        deposit: whether the oil that lies in each voxel is worked out too; what dies does not depend on it, and
            without it ``oil`` is 0 everywhere.
    """
    for action in protocol.actions:
        dose_factor(action)  # an agent without a known effect must not be passed over in silence
    inner = space.inner
    perfusion = space.perfusion.ravel()[inner]
    flow = _occlusion(protocol, sensitivities)
    depth = -space.distance.ravel()[inner]
    oil, carried, ratio = _oil(phenotype, space, protocol, sensitivities, fields, flow, perfusion, depth, deposit)
    reached = np.maximum(carried, _bead_reach(space, protocol, fields, flow, perfusion))
    # Portal and collateral vessels feed the rim, one side more than the other; distal occlusion cuts them off.
    portal = np.exp(-depth / PORTAL_DEPTH_MM) * (0.55 + 0.45 * fields.side.ravel()[inner])
    supply = PORTAL_RELIEF * portal * (1 - 0.7 * flow.distal)
    starved = flow.lasting * np.maximum(1 - supply, 0) + flow.oil_block * carried
    # A lesion that takes up little oil tends to resist in other ways too.
    luck = 0.6 * fields.luck["oil"] + 0.8 * fields.luck["kill"]
    chance = np.exp(KILL_LUCK * luck + 0.08 * fields.cluster.ravel()[inner])
    return Delivery(
        enhancing=space.smooth.ravel()[inner] >= phenotype.viable_threshold_hu,
        gain=(FREE_DRUG_SHARE + (1 - FREE_DRUG_SHARE) * reached) * (1 - 0.35 * supply) * chance,
        base=ISCHAEMIC_LOG_KILL * starved * chance,
        oil=oil,
        oil_ratio=ratio,
        flow=flow,
    )


@dataclass(frozen=True)
class Flow:
    """Combined action of all embolics: occlusion after weeks, distal reach, oil retention, shunt left open."""

    lasting: float
    distal: float
    retention: float
    open_shunt: float
    gas: float
    oil_block: float


def _occlusion(protocol: Protocol, sensitivities: Sensitivities) -> Flow:
    """Combine embolics as independent obstacles: the flow each leaves open multiplies."""
    patent = unretained = shunt = 1.0
    distal = gas = oil_block = 0.0
    for action in protocol.embolics:
        effect = embolic_effect(action)
        shunt *= 1 - effect.shunt_closure
        gas = max(gas, effect.gas)
        if action.agent == "lipiodol":
            oil_block = effect.occlusion
            continue
        reach = distal_reach(action)
        strength = effect.occlusion * effect.permanence * sensitivities.embolic.get(action.agent, 1.0)
        strength = float(np.clip(strength * dose_factor(action) ** 0.5, 0, 0.97))
        patent *= 1 - strength * (0.75 + 0.25 * reach)
        unretained *= 1 - effect.retention
        distal = 1 - (1 - distal) * (1 - strength * reach)
    return Flow(1 - patent, distal, 1 - unretained, sensitivities.shunt * shunt, gas, oil_block)


def _oil(
    phenotype: Phenotype,
    space: LesionSpace,
    protocol: Protocol,
    sensitivities: Sensitivities,
    fields: RandomFields,
    flow: Flow,
    perfusion: np.ndarray,
    depth: np.ndarray,
    deposit: bool,
) -> tuple[np.ndarray, np.ndarray, float]:
    """Oil and the drug it carried in each voxel of the lesion (0–1), and the dose over the customary dose."""
    inner = space.inner
    given = [a for a in protocol.embolics if a.agent == "lipiodol"]
    if not given:
        nothing = np.zeros(inner.size, np.float32)
        return nothing, nothing, 0.0
    dose = sum(a.dose if a.dose and a.unit in (None, "ml") else 10.0 for a in given)
    ratio = min(dose / (OIL_ML_PER_CM * max(phenotype.diameter_mm / 10, 1.0)), 2.5)
    mean = float(perfusion.mean())
    odds = (
        OIL_BASE
        + OIL_DOSE * np.log(ratio)
        + OIL_PERFUSION * (mean - PERFUSION_TYPICAL)
        + OIL_RETENTION * (flow.retention - 0.5)
        - OIL_LARGE * max(phenotype.diameter_mm - 50, 0) / 50
        - OIL_IRREGULAR * max(phenotype.irregularity - 0.2, 0)
        - OIL_SHUNT * flow.open_shunt
        + np.log(max(sensitivities.retention, 1e-3))
        + OIL_LUCK * fields.luck["oil"]
    )
    reach = (
        odds
        + OIL_LOCAL_PERFUSION * (perfusion - mean)
        + TERRITORY_SPREAD * fields.territory.ravel()[inner]
        - OIL_SIDE * fields.side.ravel()[inner]
    )
    carried = logistic(DRUG_SHARPNESS * reach).astype(np.float32)
    if not deposit:
        return np.zeros(inner.size, np.float32), carried, ratio
    cluster = fields.cluster.ravel()[inner]
    rim = np.exp(-np.maximum(depth + OIL_RIM_RAGGED_MM * cluster, 0) / OIL_RIM_MM)
    local = reach + CLUSTER_SPREAD * cluster + GRAIN_SPREAD * fields.grain.ravel()[inner] - OIL_RIM * rim
    # Necrosis without vessels takes up no oil.
    vessels = np.clip(perfusion / (0.35 * phenotype.perfusion_scale), 0, 1)
    oil = vessels * logistic(EDGE_SHARPNESS * local)
    return oil.astype(np.float32), carried, ratio


def _bead_reach(
    space: LesionSpace, protocol: Protocol, fields: RandomFields, flow: Flow, perfusion: np.ndarray
) -> np.ndarray | float:
    """Share of a bead's drug that reaches each voxel; 0 without beads."""
    beads = [a for a in protocol.actions if a.kind == "bead"]
    if not beads:
        return 0.0
    reach = max(distal_reach(a) for a in beads)
    local = (
        BEAD_BASE + BEAD_REACH * reach + OIL_PERFUSION * (perfusion - PERFUSION_TYPICAL) - OIL_SHUNT * flow.open_shunt
    ) + TERRITORY_SPREAD * fields.territory.ravel()[space.inner]
    return logistic(DRUG_SHARPNESS * (local + OIL_LUCK * fields.luck["oil"]))


def logistic(x: np.ndarray) -> np.ndarray:
    """Return the logistic function of ``x``."""
    return 1 / (1 + np.exp(-np.clip(x, -30, 30)))
