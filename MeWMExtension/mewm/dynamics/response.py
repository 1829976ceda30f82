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

from dataclasses import dataclass

import numpy as np

from mewm.actions.protocol import Protocol
from mewm.dynamics.delivery import NON_ENHANCING_LOG_KILL, deliver, logistic
from mewm.dynamics.effects import dose_factor, drug_class, drug_effect
from mewm.dynamics.fields import RandomFields
from mewm.dynamics.phenotype import Phenotype
from mewm.dynamics.sensitivities import Sensitivities
from mewm.dynamics.space import LesionSpace
from mewm.voxels import drop_islands

# Oil stays for good only where the tissue died; living tumour washes most of it out within weeks, which is why
# retained oil and necrosis go together (CVIR 2015, 10.1007/s00270-015-1129-9). Share kept by wholly living tissue
# and steepness over the log-kill are assumptions.
OIL_KEPT_ALIVE = 0.15
WASHOUT_SHARPNESS = 8.0
# Living tissue in smaller clumps has no supply of its own and does not show on CT, ml.
SMALLEST_REST_ML = 0.11
LARGE_RESISTANCE = 0.06  # loss of log-kill per 50 mm above 50 mm
# Doubling time of untreated HCC: pooled 4.6 months (Nathani et al., Gut 2021 70:401); spread is an assumption.
DOUBLING_DAYS = 140.0
DOUBLING_LOG_SD = 1.1
FOLLOW_UP_DAYS = 35.0
# Linear shrinkage of a wholly necrotic lesion by 4–6 weeks (assumption: necrosis is absorbed slowly).
SHRINKAGE = 0.06
LARGEST_GROWTH = 1.28


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
        surviving_ml: tumour that lives on at follow-up, rests too small to show on CT included.
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
    surviving_ml: float
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
    delivery = deliver(phenotype, space, protocol, sensitivities, fields)
    kill = delivery.log_kill(drug_log_kill(phenotype, protocol, sensitivities))
    surviving = delivery.enhancing & (kill < NON_ENHANCING_LOG_KILL)
    alive = surviving
    if kill.any():
        smallest = SMALLEST_REST_ML * 1000 / space.spacing**3
        alive = drop_islands(_scatter(space, surviving), smallest).ravel()[space.inner]
    oil = kept_oil(delivery.oil, kill)
    flow, ratio = delivery.flow, delivery.oil_ratio
    treated = bool(protocol.actions)
    living = int(np.count_nonzero(surviving))
    scale = lesion_scale(sensitivities, fields, delivery.living_before, living) if treated else 1.0
    return ResponseField(
        log_kill=_scatter(space, kill.astype(np.float32)),
        viable=_scatter(space, alive),
        necrosis=_scatter(space, ~alive),
        oil=_scatter(space, oil),
        oil_density=_oil_density(float(oil.mean()), flow.retention, fields),
        spill=float(np.clip(ratio * (0.35 + 0.5 * flow.open_shunt) * (1.2 - oil.mean()), 0, 2)) if ratio else 0.0,
        gas=fields.gas < flow.gas,
        scale=scale,
        surviving_ml=living * (space.spacing * scale) ** 3 / 1000,
        treated=treated,
    )


def drug_log_kill(phenotype: Phenotype, protocol: Protocol, sensitivities: Sensitivities) -> float:
    """Return the summed decimal log-kill of all drugs where fully delivered.

    Raises:
        InputError: the protocol holds a drug without a known effect.
    """
    total = 0.0
    for action in protocol.drugs:
        effect = drug_effect(action)
        total += effect.log_kill * dose_factor(action) * sensitivities.drug_class.get(drug_class(action.agent), 1.0)
    loss = LARGE_RESISTANCE * max(phenotype.diameter_mm - 50, 0) / 50
    return max(total * (1 - loss), 0.0)


def kept_oil(oil: np.ndarray, log_kill: np.ndarray) -> np.ndarray:
    """Return the share of each voxel that oil still fills at follow-up: living tissue washes most of it out.

    Args:
        oil: share filled at once, 0–1.
        log_kill: decimal log-kill of the voxel.
    """
    kept = logistic(WASHOUT_SHARPNESS * (log_kill - NON_ENHANCING_LOG_KILL))
    return (oil * (OIL_KEPT_ALIVE + (1 - OIL_KEPT_ALIVE) * kept)).astype(np.float32)


def _oil_density(coverage: float, retention: float, fields: RandomFields) -> float:
    """HU that filled tissue gains; dense, complete retention exceeds 365 HU (CVIR 1993 16:209)."""
    return float(np.clip((260 + 240 * coverage + 160 * retention) * np.exp(0.22 * fields.luck["dense"]), 150, 1100))


def lesion_scale(sensitivities: Sensitivities, fields: RandomFields, before: int, living: int) -> float:
    """Return the linear size at follow-up over that before: necrosis is absorbed a little, what survives grows on.

    Args:
        sensitivities: the lesion's growth.
        fields: the random part.
        before: living voxels before treatment.
        living: living voxels after it, those too few to show included.
    """
    left = living / max(before, 1)
    # Fast growth and resistance go together: the same luck serves both.
    luck = 0.7 * fields.luck["growth"] - 0.7 * fields.luck["kill"]
    doubling = DOUBLING_DAYS * np.exp(-DOUBLING_LOG_SD * luck) / max(sensitivities.growth, 0.05)
    growth = 2 ** (FOLLOW_UP_DAYS / (3 * doubling))
    shrink = 1 - SHRINKAGE * (1 - left) * np.exp(0.35 * fields.luck["shrink"])
    return float(np.clip(shrink * growth**left, 0.8, LARGEST_GROWTH))


def _scatter(space: LesionSpace, values: np.ndarray) -> np.ndarray:
    """Put values of the lesion's voxels back on the box, 0 elsewhere."""
    out = np.zeros(space.lesion.size, values.dtype)
    out[space.inner] = values
    return out.reshape(space.lesion.shape)
