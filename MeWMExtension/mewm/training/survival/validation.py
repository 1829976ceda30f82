"""What is measured on held-out patients while the network learns, and what its risks rest on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from mewm.survival.attention.network import SurvivalNetwork
from mewm.training.survival.examples import plain_example
from mewm.training.survival.futures import READ, FutureRegions
from mewm.training.survival.loss import partial_likelihood

_BATCH = 16


@torch.no_grad()
def predicted(
    network: SurvivalNetwork, regions: FutureRegions, cases: Sequence[int], place: int, device: torch.device
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return raw risks (n,), logarithms of survival (n,) and pooled features (n, dim) of one future of each case.

    Args:
        network: in evaluation mode, on ``device``.
        regions: of the cohort.
        cases: which of them.
        place: which of their futures.
        device: where to compute.
    """
    found: list[tuple[np.ndarray, ...]] = []
    for first in range(0, len(cases), _BATCH):
        examples = [plain_example(regions, case, place, network.names) for case in cases[first : first + _BATCH]]
        seen, numbers = (torch.stack(part).to(device) for part in zip(*examples, strict=True))
        before, after = network.encode(seen[:, 0], after=False), network.encode(seen[:, 1], after=True)
        risk, longevity = network.predict(before, after, numbers)
        pooled, _ = network.pooled(before, after, numbers)
        found.append(tuple(part.float().cpu().numpy() for part in (risk, longevity, pooled)))
    risks, longevities, features = (np.concatenate(part) for part in zip(*found, strict=True))
    return risks, longevities, features


def validation_figures(
    network: SurvivalNetwork, regions: FutureRegions, cases: Sequence[int], device: torch.device
) -> dict[str, float]:
    """Return figures by name, on the true CT with the assistant's labels.

    ``likelihood``: negative log partial likelihood a death, by which the best checkpoint is chosen (a c-index of some
    hundred patients changes more by chance than from checkpoint to checkpoint); ``c_index`` of the risk;
    ``c_longevity``: c-index of the regressed survival; ``spread``: standard deviation of the raw risk;
    ``c_simulated``: c-index of the risk of the first simulated future; ``bias``: its mean risk less that of the true
    CT, in units of ``spread``.

    Args:
        network: in evaluation mode, on ``device``.
        regions: of the cohort.
        cases: held-out cases.
        device: where to compute.
    """
    risk, longevity, _ = predicted(network, regions, cases, READ, device)
    spread = float(risk.std())
    rows = [regions.rows[case] for case in cases]
    weeks, died = (torch.tensor(column) for column in zip(*((row.os_weeks, row.event) for row in rows), strict=True))
    figures = {
        "likelihood": float(partial_likelihood(torch.from_numpy(risk), weeks, died.bool())),
        "c_index": concordance(regions, cases, risk),
        "c_longevity": concordance(regions, cases, -longevity),
        "spread": spread,
    }
    if regions.simulated:
        simulated, _, _ = predicted(network, regions, cases, regions.simulated[0], device)
        figures["c_simulated"] = concordance(regions, cases, simulated)
        figures["bias"] = float((simulated - risk).mean()) / max(spread, 1e-6)
    return figures


def concordance(regions: FutureRegions, cases: Sequence[int], risk: np.ndarray) -> float:
    """Return Harrell's c-index of risks of some cases; 0.5 where no two of them can be compared."""
    from lifelines.utils import concordance_index

    rows = [regions.rows[case] for case in cases]
    try:
        return float(concordance_index([r.os_weeks for r in rows], -risk, [r.event for r in rows]))
    except ZeroDivisionError:
        return 0.5
