"""What a protocol would leave alive, sketched without drawing a CT: a hint for the search, never a result.

A sketch runs the mechanistic response on a sample of the lesion's voxels with the random numbers of each replica and
counts what survives. It costs about a hundredth of a simulated, segmented and measured future, for which it is
no substitute: it sees no CT and knows no learned model. The search regresses simulated risks on it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mewm.actions.protocol import Action, Protocol
from mewm.dynamics.delivery import deliver
from mewm.dynamics.effects import protocol_toxicity
from mewm.dynamics.fields import random_fields
from mewm.dynamics.response import drug_log_kill, lesion_scale
from mewm.dynamics.sensitivities import estimate_sensitivities
from mewm.dynamics.space import lesion_space
from mewm.roi import Roi

VOXELS = 4000


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
        self._critical: dict[tuple[Action, ...], list[np.ndarray]] = {}

    def __call__(self, protocol: Protocol) -> np.ndarray:
        """Return what may explain the risk of each replica, ``(replicas, 4)``.

        Columns: log(1 + ml) of surviving tumour, its share of the lesion, systemic and hepatic toxicity.

        Raises:
            InputError: the protocol holds an agent whose effect is unknown.
        """
        drug = drug_log_kill(self._space.phenotype, protocol, self._sensitivities)
        toxicity = protocol_toxicity(protocol)
        rows = []
        for seed, critical in zip(self._seeds, self._critical_drug(protocol), strict=True):
            living = critical.size - int(np.searchsorted(critical, drug, side="right"))
            scale = lesion_scale(self._sensitivities, random_fields(self._whole, seed), critical.size, living)
            share = living / self._space.inner.size * scale**3
            rows.append((np.log1p(share * self._lesion_ml), share, toxicity.systemic, toxicity.hepatic))
        return np.array(rows)

    def _critical_drug(self, protocol: Protocol) -> list[np.ndarray]:
        carriers = tuple(a for a in protocol.key if a.kind != "drug")
        if carriers not in self._critical:
            space, phenotype = self._space, self._space.phenotype
            self._critical[carriers] = [
                deliver(
                    phenotype, space, Protocol(carriers), self._sensitivities, random_fields(self._whole, seed)
                ).critical_drug()
                for seed in self._seeds
            ]
        return self._critical[carriers]
