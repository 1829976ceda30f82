"""What a protocol would leave alive, sketched without drawing a CT: a hint for the search, never a result.

A sketch runs the mechanistic response on a sample of the lesion's voxels with the random numbers of each replica and
counts what survives. It costs about a hundredth of a simulated, segmented and measured future, for which it is
no substitute: it sees no CT and knows no learned model. The search regresses simulated risks on it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mewm.actions.protocol import Action, Protocol
from mewm.dynamics.delivery import NON_ENHANCING_LOG_KILL, Delivery, deliver, logistic
from mewm.dynamics.effects import protocol_toxicity
from mewm.dynamics.fields import random_fields
from mewm.dynamics.response import drug_log_kill, kept_oil, lesion_scale
from mewm.dynamics.sensitivities import estimate_sensitivities
from mewm.dynamics.space import lesion_space
from mewm.roi import Roi

VOXELS = 4000


# Oil above this share of a voxel hides what lives in it; above the lower one it blurs it.
_HIDES, _BLURS = 0.5, 0.15
# Voxels near the threshold of death count in part, so that protocols differ where both leave nothing.
_SOFTNESS = 8.0


class ResponseSketch:
    """Sketches of one case; protocols that differ in free drugs only share where the drugs get to."""

    def __init__(self, roi: Roi, seeds: Sequence[int]) -> None:
        """Prepare the sketches of a case.

        Args:
            roi: pre-treatment CT and lesion.
            seeds: seeds of the replicas.
        """
        self._whole = lesion_space(roi)
        self._space = self._whole.thinned(VOXELS)
        self._seeds = tuple(seeds)
        self._lesion_ml = self._whole.inner.size * self._whole.spacing**3 / 1000
        self._sensitivities = estimate_sensitivities(self._whole.phenotype, roi.facts)
        self._deliveries: dict[tuple[Action, ...], list[Delivery]] = {}

    def __call__(self, protocol: Protocol) -> np.ndarray:
        """Return what may explain the risk of each replica, ``(replicas, 10)``.

        Columns: log(1 + ml) of surviving tumour and its share of the lesion; the same of what survives in sight, not
        under oil; surviving tumour blurred by oil; how much is near death; oil-filled share and mean filling; systemic
        and hepatic toxicity.

        Raises:
            InputError: the protocol holds an agent whose effect is unknown.
        """
        drug = drug_log_kill(self._space.phenotype, protocol, self._sensitivities)
        toxicity = protocol_toxicity(protocol)
        rows = []
        for seed, delivery in zip(self._seeds, self._delivered(protocol), strict=True):
            kill = delivery.log_kill(drug)
            oil = kept_oil(delivery.oil, kill)
            living = delivery.enhancing & (kill < NON_ENHANCING_LOG_KILL)
            fields = random_fields(self._whole, seed)
            scale = lesion_scale(self._sensitivities, fields, delivery.living_before, int(living.sum())) ** 3
            share, seen = living.mean() * scale, (living & (oil <= _HIDES)).mean() * scale
            near = logistic(_SOFTNESS * (NON_ENHANCING_LOG_KILL - kill[delivery.enhancing])).sum() / kill.size
            rows.append(
                (
                    np.log1p(share * self._lesion_ml),
                    share,
                    np.log1p(seen * self._lesion_ml),
                    seen,
                    (living & (oil > _BLURS)).mean(),
                    near,
                    (oil > _HIDES).mean(),
                    oil.mean(),
                    toxicity.systemic,
                    toxicity.hepatic,
                )
            )
        return np.array(rows)

    def _delivered(self, protocol: Protocol) -> list[Delivery]:
        carriers = tuple(a for a in protocol.key if a.kind != "drug")
        if carriers not in self._deliveries:
            space = self._space
            self._deliveries[carriers] = [
                deliver(
                    space.phenotype, space, Protocol(carriers), self._sensitivities, random_fields(self._whole, seed)
                )
                for seed in self._seeds
            ]
        return self._deliveries[carriers]
