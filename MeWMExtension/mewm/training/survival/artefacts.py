"""Is the network fooled by simulated CTs? Two questions to cases that it did not learn from.

Does it give a simulated future of the protocol that was given another risk than the true CT, on average? And can the
features that it scores by tell simulated from true CTs?
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from mewm.evaluation.intervals import Estimate, bootstrap, bootstrap_mean
from mewm.survival.attention.network import SurvivalNetwork
from mewm.training.calibration import Calibration
from mewm.training.survival.futures import READ, FutureRegions
from mewm.training.survival.validation import predicted

# Ridge penalty of the discriminant, as a share of the features' mean variance.
_RIDGE = 0.1


@dataclass(frozen=True)
class Artefacts:
    """What simulated futures do to the network.

    Attributes:
        bias: mean over cases of the risk of simulated futures (their mean) less that of the true CT, log hazard.
        spread: standard deviation of that difference: chance of the future and ignorance of the lesion's sensitivity.
        told_apart: area under the curve of a linear discriminant between features of simulated and of true CTs, fitted
            on the cases learned from; 0.5 says that they cannot be told apart.
    """

    bias: Estimate
    spread: float
    told_apart: Estimate


def artefacts(
    network: SurvivalNetwork,
    regions: FutureRegions,
    learning: list[int],
    held: list[int],
    calibration: Calibration,
    device: torch.device,
) -> Artefacts:
    """Measure both on held-out cases with the assistant's labels.

    Args:
        network: in evaluation mode, on ``device``.
        regions: of the cohort, with simulated futures.
        learning, held: cases that were learned from, and the others.
        calibration: of the risks.
        device: where to compute.
    """
    raw, _, true = predicted(network, regions, held, READ, device)
    simulated = [predicted(network, regions, held, place, device) for place in regions.simulated]
    risks = np.mean([calibration.log_hazard(found[0]) for found in simulated], axis=0)
    gap = risks - calibration.log_hazard(raw)
    first = regions.simulated[0]
    told = discriminant(*(predicted(network, regions, learning, place, device)[2] for place in (READ, first)))
    apart = told_apart(true @ told, simulated[0][2] @ told)
    return Artefacts(bootstrap_mean(gap), float(gap.std(ddof=1)) if len(gap) > 1 else 0.0, apart)


def discriminant(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """Return the direction (dim,) along which two sets of features (n, dim) differ most (Fisher, with a ridge)."""
    within = sum(np.cov(side, rowvar=False) for side in (one, two)) / 2
    within = within + np.eye(one.shape[1]) * (_RIDGE * np.trace(within) / one.shape[1] + 1e-9)
    return np.linalg.solve(within, two.mean(axis=0) - one.mean(axis=0))


def told_apart(one: np.ndarray, two: np.ndarray) -> Estimate:
    """Return the chance that a value of the second set exceeds one of the first, both of the same cases, (n,) each."""

    def area(index: np.ndarray) -> float:
        a, b = one[index], two[index]
        return float(np.mean((b[:, None] > a[None]) + 0.5 * (b[:, None] == a[None])))

    return bootstrap(area, len(one))
