"""Protocol and phenotype → what dies, what stays viable, and where the oil stays.

The chain, voxel by voxel in the lesion: oil reaches perfused territories as far as its amount allows and stays
where embolics keep it from washing out; drugs act mostly where the oil carries them; occlusion starves what
portal and collateral vessels do not feed. Drug kills and ischaemia combine as independent effects (Bliss): their
log-kills add. Tissue of which about seven eighths died no longer enhances.

Sources of the calibration (Testing/engine checks them on phantoms): oil retained in 72 ± 23 % of the tumour (JVIR
2013, 10.1016/j.jvir.2013.08.017); deposition follows arterial and not portal perfusion, r = 0.77 (JVIR 2010 21:1841);
oil and necrosis R² 0.96–0.98 (CVIR 2015, 10.1007/s00270-015-1129-9); mRECIST CR 22, PR 42, SD 30, PD 6 % (HCC-TACE-Seg,
10.7937/TCIA.5FNA-0924). Where no source is named, a constant is an assumption fitted to these figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from mewm.actions.protocol import Protocol
from mewm.clinical import ClinicalFacts
from mewm.dynamics.effects import distal_reach, dose_factor, drug_class, drug_effect, embolic_effect
from mewm.dynamics.fields import RandomFields
from mewm.dynamics.phenotype import Phenotype, shunt_grade
from mewm.dynamics.space import LesionSpace
from mewm.voxels import drop_islands

# Customary dose of oil: 1 ml per cm of diameter, at most about 15 ml (CIRSE standards of practice).
OIL_ML_PER_CM = 1.0
# Log-odds that oil fills a voxel: base, and slopes per unit of each cause.
OIL_BASE = 0.85
OIL_DOSE = 1.1  # per natural logarithm of the dose over the customary dose
OIL_PERFUSION = 5.0  # per unit of mean perfusion above PERFUSION_TYPICAL
OIL_LOCAL_PERFUSION = 2.5  # per unit of perfusion above the lesion's mean
OIL_RETENTION = 2.2  # per unit of retention by embolics
OIL_LARGE = 0.7  # per 50 mm of diameter above 50 mm
OIL_IRREGULAR = 1.2  # per unit of irregularity
OIL_SHUNT = 1.8  # per unit of open shunt
OIL_LUCK = 0.65
PERFUSION_TYPICAL = 0.85
# How unevenly territories fill, and how ragged the filled parts' edges are.
TERRITORY_SPREAD = 1.1
CLUSTER_SPREAD = 0.45
GRAIN_SPREAD = 0.35
OIL_SIDE = 0.7  # less oil where portal and collateral vessels share the supply
OIL_RIM = 2.2  # the outermost sinusoids wash out first, unevenly: a ragged border
OIL_RIM_MM = 1.2
OIL_RIM_RAGGED_MM = 1.0
EDGE_SHARPNESS = 4.0
# The drug spreads further than the oil that carried it: a softer edge.
DRUG_SHARPNESS = 1.6
# The same for a bead's drug; the slope is per unit of distal reach.
BEAD_BASE = -0.6
BEAD_REACH = 1.6
# Share of a drug that acts without oil to hold it there.
FREE_DRUG_SHARE = 0.20
# Oil stays for good only where the tissue died; living tumour washes most of it out within weeks, which is why
# retained oil and necrosis go together (CVIR 2015, 10.1007/s00270-015-1129-9). Share kept by wholly living tissue
# and steepness over the log-kill are assumptions.
OIL_KEPT_ALIVE = 0.15
WASHOUT_SHARPNESS = 8.0
# Log-kill of complete, lasting arterial occlusion; depth in mm over which portal and collateral supply reaches in.
ISCHAEMIC_LOG_KILL = 0.9
PORTAL_DEPTH_MM = 3.0
PORTAL_RELIEF = 1.1
# Living tissue in smaller clumps has no supply of its own and does not show on CT, ml.
SMALLEST_REST_ML = 0.05
NON_ENHANCING_LOG_KILL = 0.88
KILL_LUCK = 0.22
LARGE_RESISTANCE = 0.12  # loss of log-kill per 50 mm above 50 mm
# Doubling time of untreated HCC: pooled 4.6 months (Nathani et al., Gut 2021 70:401); spread is an assumption.
DOUBLING_DAYS = 140.0
DOUBLING_LOG_SD = 1.1
FOLLOW_UP_DAYS = 35.0
# Linear shrinkage of a wholly necrotic lesion by 4–6 weeks (assumption: necrosis is absorbed slowly).
SHRINKAGE = 0.06
LARGEST_GROWTH = 1.28


@dataclass(frozen=True)
class Sensitivities:
    """How this lesion answers to treatment; 1 is the average lesion.

    The baseline estimates them from what the CT shows; a simulated world may hide true ones.

    Attributes:
        drug_class: multiplier of the log-kill by drug class (``"platinum"``, ``"anthracycline"``,
            ``"antimetabolite"``, ``"mitomycin"``, ``"topoisomerase-I"``); 1 where absent.
        embolic: multiplier of the occlusion by embolic agent; 1 where absent.
        retention: multiplier of the odds that oil stays in a voxel.
        shunt: arteriovenous shunt, 0 none to 1 severe.
        growth: multiplier of the growth rate of what survives.
    """

    drug_class: Mapping[str, float] = field(default_factory=dict)
    embolic: Mapping[str, float] = field(default_factory=dict)
    retention: float = 1.0
    shunt: float = 0.0
    growth: float = 1.0


@dataclass(frozen=True, eq=False)
class ResponseField:
    """What a protocol does to a lesion, on the lesion's box in pre-treatment position, ``(z, y, x)``.

    Attributes:
        log_kill: decimal log-kill, float32; the surviving fraction is ``10 ** -log_kill``.
        viable: bool, still enhancing.
        necrosis: bool, not enhancing, with or without oil.
        oil: share of the voxel that oil fills, float32 0–1.
        oil_density: attenuation that completely filled tissue gains, HU.
        spill: relative amount of oil outside the lesion, about 0–2.
        gas: whether small gas bubbles are left.
        scale: linear size of the lesion after treatment over before.
        treated: False for the empty protocol.
    """

    log_kill: np.ndarray
    viable: np.ndarray
    necrosis: np.ndarray
    oil: np.ndarray
    oil_density: float
    spill: float
    gas: bool
    scale: float
    treated: bool

    @property
    def coverage(self) -> float:
        """Share of the lesion that oil fills."""
        lesion = self.viable | self.necrosis
        return float((self.oil[lesion] > 0.5).mean())

    @property
    def viable_fraction(self) -> float:
        """Share of the lesion that still enhances."""
        return float(self.viable.sum() / max((self.viable | self.necrosis).sum(), 1))


def estimate_sensitivities(phenotype: Phenotype, facts: ClinicalFacts) -> Sensitivities:
    """Estimate a lesion's sensitivities from what the CT shows. The directions are argued, the sizes assumed.

    Anthracyclines and platinum need arterial supply, anthracyclines more; platinum holds up in heterogeneous
    lesions; the antimetabolite works best in small, even lesions; mitomycin is activated in hypoxic tissue and gains
    with a necrotic core; topoisomerase inhibition gains with proliferation, read as a bright rim. Alcohol and NBCA
    reach further in large lesions; small lesions do well with gelatin sponge.
    """
    perfused = phenotype.perfusion_scale - PERFUSION_TYPICAL
    uneven = float(np.clip(phenotype.heterogeneity, 0, 1)) - 0.3
    large = float(np.clip((phenotype.diameter_mm - 50) / 50, -0.8, 1.0))
    core = float(np.clip(phenotype.necrotic_fraction, 0, 0.6))
    rim = float(np.clip(phenotype.rim_enhancement, -0.5, 0.5))
    drugs = {
        "anthracycline": 1 + 0.9 * perfused - 0.25 * uneven,
        "platinum": 1 + 0.3 * perfused + 0.20 * uneven,
        "antimetabolite": 1 - 0.20 * large - 0.30 * uneven,
        "mitomycin": 1 - 0.4 * perfused + 0.35 * core,
        "topoisomerase-I": 1 + 0.30 * rim,
    }
    embolics = {
        "gelatin_sponge": 1 - 0.15 * large,
        "pva": 1.0 + 0.05 * large,
        "absolute_alcohol": 1 + 0.10 * large,
        "nbca": 1 + 0.10 * large,
        "kmg_microspheres": 1 - 0.05 * large,
        "embosphere": 1 + 0.05 * large,
        "doxorubicin_eluting_beads": 1 - 0.10 * large,
    }
    shunt = max(shunt_grade(facts), phenotype.shunt)
    return Sensitivities({k: float(np.clip(v, 0.6, 1.4)) for k, v in drugs.items()}, embolics, 1.0, shunt)


def respond(
    phenotype: Phenotype,
    space: LesionSpace,
    protocol: Protocol,
    sensitivities: Sensitivities,
    fields: RandomFields,
) -> ResponseField:
    """Let a lesion respond to a protocol.

    Args:
        phenotype: what is true (or believed) of the lesion; usually ``space.phenotype``.
        space: the lesion, its perfusion and distances (:func:`mewm.dynamics.space.lesion_space`).
        protocol: the treatment; the order of its actions does not matter, the empty protocol changes nothing.
        sensitivities: estimated or hidden true ones.
        fields: the random part (:func:`mewm.dynamics.fields.random_fields`).

    Raises:
        InputError: the protocol holds an agent whose effect is unknown.
    """
    for action in protocol.actions:
        dose_factor(action)  # an agent without a known effect must not be passed over in silence
    inner = space.inner
    perfusion = space.perfusion.ravel()[inner]
    enhancing = space.smooth.ravel()[inner] >= phenotype.viable_threshold_hu
    flow = _occlusion(protocol, sensitivities)
    depth = -space.distance.ravel()[inner]
    oil, carried, ratio = _oil(phenotype, space, protocol, sensitivities, fields, flow, perfusion, depth)
    reached = np.maximum(carried, _bead_reach(space, protocol, fields, flow, perfusion))
    drug = _drug_log_kill(phenotype, protocol, sensitivities)
    # Portal and collateral vessels feed the rim, one side more than the other; distal occlusion cuts them off.
    portal = np.exp(-depth / PORTAL_DEPTH_MM) * (0.55 + 0.45 * fields.side.ravel()[inner])
    supply = PORTAL_RELIEF * portal * (1 - 0.7 * flow.distal)
    starved = flow.lasting * np.maximum(1 - supply, 0) + flow.oil_block * carried
    kill = drug * (FREE_DRUG_SHARE + (1 - FREE_DRUG_SHARE) * reached) * (1 - 0.35 * supply)
    kill = kill + ISCHAEMIC_LOG_KILL * starved
    # A lesion that takes up little oil tends to resist in other ways too.
    luck = 0.6 * fields.luck["oil"] + 0.8 * fields.luck["kill"]
    kill = kill * np.exp(KILL_LUCK * luck + 0.08 * fields.cluster.ravel()[inner])
    alive = enhancing & (kill < NON_ENHANCING_LOG_KILL)
    if kill.any():
        smallest = SMALLEST_REST_ML * 1000 / space.spacing**3
        alive = drop_islands(_scatter(space, alive), smallest).ravel()[inner]
    kept = _logistic(WASHOUT_SHARPNESS * (kill - NON_ENHANCING_LOG_KILL))
    oil = (oil * (OIL_KEPT_ALIVE + (1 - OIL_KEPT_ALIVE) * kept)).astype(np.float32)
    treated = bool(protocol.actions)
    return ResponseField(
        log_kill=_scatter(space, kill.astype(np.float32)),
        viable=_scatter(space, alive),
        necrosis=_scatter(space, ~alive),
        oil=_scatter(space, oil),
        oil_density=_oil_density(float(oil.mean()), flow.retention, fields),
        spill=float(np.clip(ratio * (0.35 + 0.5 * flow.open_shunt) * (1.2 - oil.mean()), 0, 2)) if ratio else 0.0,
        gas=fields.gas < flow.gas,
        scale=_scale(sensitivities, fields, enhancing, alive) if treated else 1.0,
        treated=treated,
    )


@dataclass(frozen=True)
class _Flow:
    """Combined action of all embolics: occlusion after weeks, distal reach, oil retention, shunt left open."""

    lasting: float
    distal: float
    retention: float
    open_shunt: float
    gas: float
    oil_block: float


def _occlusion(protocol: Protocol, sensitivities: Sensitivities) -> _Flow:
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
    return _Flow(1 - patent, distal, 1 - unretained, sensitivities.shunt * shunt, gas, oil_block)


def _oil(
    phenotype: Phenotype,
    space: LesionSpace,
    protocol: Protocol,
    sensitivities: Sensitivities,
    fields: RandomFields,
    flow: _Flow,
    perfusion: np.ndarray,
    depth: np.ndarray,
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
    cluster = fields.cluster.ravel()[inner]
    rim = np.exp(-np.maximum(depth + OIL_RIM_RAGGED_MM * cluster, 0) / OIL_RIM_MM)
    local = reach + CLUSTER_SPREAD * cluster + GRAIN_SPREAD * fields.grain.ravel()[inner] - OIL_RIM * rim
    # Necrosis without vessels takes up no oil.
    vessels = np.clip(perfusion / (0.35 * phenotype.perfusion_scale), 0, 1)
    oil = vessels * _logistic(EDGE_SHARPNESS * local)
    return oil.astype(np.float32), _logistic(DRUG_SHARPNESS * reach).astype(np.float32), ratio


def _bead_reach(
    space: LesionSpace, protocol: Protocol, fields: RandomFields, flow: _Flow, perfusion: np.ndarray
) -> np.ndarray | float:
    """Share of a bead's drug that reaches each voxel; 0 without beads."""
    beads = [a for a in protocol.actions if a.kind == "bead"]
    if not beads:
        return 0.0
    reach = max(distal_reach(a) for a in beads)
    local = (
        BEAD_BASE + BEAD_REACH * reach + OIL_PERFUSION * (perfusion - PERFUSION_TYPICAL) - OIL_SHUNT * flow.open_shunt
    ) + TERRITORY_SPREAD * fields.territory.ravel()[space.inner]
    return _logistic(DRUG_SHARPNESS * (local + OIL_LUCK * fields.luck["oil"]))


def _drug_log_kill(phenotype: Phenotype, protocol: Protocol, sensitivities: Sensitivities) -> float:
    """Summed log-kill of all drugs where fully delivered."""
    total = 0.0
    for action in protocol.drugs:
        effect = drug_effect(action)
        total += effect.log_kill * dose_factor(action) * sensitivities.drug_class.get(drug_class(action.agent), 1.0)
    loss = LARGE_RESISTANCE * max(phenotype.diameter_mm - 50, 0) / 50
    return max(total * (1 - loss), 0.0)


def _oil_density(coverage: float, retention: float, fields: RandomFields) -> float:
    """HU that filled tissue gains; dense, complete retention exceeds 365 HU (CVIR 1993 16:209)."""
    return float(np.clip((260 + 240 * coverage + 160 * retention) * np.exp(0.22 * fields.luck["dense"]), 150, 1100))


def _scale(sensitivities: Sensitivities, fields: RandomFields, enhancing: np.ndarray, alive: np.ndarray) -> float:
    """Linear size after 4–6 weeks: necrosis is absorbed a little, what survives grows on."""
    left = float(alive.sum() / max(enhancing.sum(), 1))
    # Fast growth and resistance go together: the same luck serves both.
    luck = 0.7 * fields.luck["growth"] - 0.7 * fields.luck["kill"]
    doubling = DOUBLING_DAYS * np.exp(-DOUBLING_LOG_SD * luck) / max(sensitivities.growth, 0.05)
    growth = 2 ** (FOLLOW_UP_DAYS / (3 * doubling))
    shrink = 1 - SHRINKAGE * (1 - left) * np.exp(0.35 * fields.luck["shrink"])
    return float(np.clip(shrink * growth**left, 0.8, LARGEST_GROWTH))


def _logistic(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(x, -30, 30)))


def _scatter(space: LesionSpace, values: np.ndarray) -> np.ndarray:
    """Put values of the lesion's voxels back on the box, 0 elsewhere."""
    out = np.zeros(space.lesion.size, values.dtype)
    out[space.inner] = values
    return out.reshape(space.lesion.shape)
