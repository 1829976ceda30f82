"""What is measured on the simulated futures of one case: volumes, looks, and whether its own protocol is recognised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mewm.actions.protocol import Protocol
from mewm.actions.text import render_protocol
from mewm.assistant.intensity import IntensityAssistant
from mewm.cohort.dataset import CohortCase
from mewm.cohort.hazards import admissible
from mewm.dynamics.mechanistic import MechanisticDynamics
from mewm.evaluation.config import EvaluationConfig
from mewm.evaluation.feature_networks import FilterBank, lesion_slices, windowed
from mewm.evaluation.truth_metrics import quantities
from mewm.evaluation.world import TrueCase
from mewm.measure import measure
from mewm.roles import AssistantModel, DynamicsModel

REDRAWN = "truth re-drawn (ceiling)"
MARKED = "marked labels"
"""Whence the labels of the true follow-up come where they were drawn with the cohort or by a person."""


def synthesis_values(
    case: CohortCase,
    truth: TrueCase | None,
    models: Mapping[str, DynamicsModel],
    config: EvaluationConfig,
    seed: int,
    assistant: AssistantModel | None = None,
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Simulate a case's as-treated protocol with every model and measure the futures.

    Args:
        case: images and protocol; where nobody marked the follow-up, the assistant reads it as it reads simulations.
        truth: the hidden truth, or ``None``: then there is no re-drawn truth and no protocol retrieval.
        models: arm → dynamics model.
        config: number of replicas and of candidate protocols.
        seed: chance of this case.
        assistant: reads the futures; the intensity assistant without one.

    Returns:
        Plain values for JSON, and the slices that the feature networks and the page of cases look at.
    """
    roi, protocol = case.roi, case.row.protocol
    seeds = [int(s) for s in np.random.SeedSequence([seed, 2]).generate_state(config.replicas)]
    arms = dict(models) | ({REDRAWN: MechanisticDynamics(truth.sensitivities)} if truth is not None else {})
    assistant, shown = assistant or IntensityAssistant(), lesion_slices(roi.lesion)
    labels = assistant.segment(roi, case.post_ct) if case.tissue is None else case.tissue
    largest = int(roi.lesion.sum(axis=(1, 2)).argmax())
    record: dict[str, Any] = {
        "protocol": render_protocol(protocol),
        "spacing": roi.spacing,
        "reference": f"{assistant.name} assistant" if case.tissue is None else MARKED,
        "true": _measured(case, labels),
        "arms": {},
    }
    arrays = {"true": windowed(case.post_ct[shown]), "page_true": case.post_ct[largest].astype(np.int16)}
    arrays |= {"page_before": roi.ct[largest].astype(np.int16), "page_lesion": roi.lesion[largest]}
    candidates = _candidates(case, config, seed) if truth is not None else []
    truths = _features([truth.future(p, seed % 2**31).ct for p in candidates], shown) if truth is not None else None
    for number, (name, model) in enumerate(arms.items()):
        replicas = []
        for replica in seeds:
            ct = model.simulate(roi, protocol, [replica])[0]
            replicas.append(_measured(case, assistant.segment(roi, ct)))
            if replica == seeds[0]:
                arrays[f"arm_{number}"] = windowed(ct[shown])
                arrays[f"page_{number}"] = ct[largest].astype(np.int16)
        record["arms"][name] = {"replicas": replicas}
        if truths is not None:
            mine = _features([model.simulate(roi, p, seeds[:1])[0] for p in candidates], shown)
            record["arms"][name]["retrieval"] = scaled_distances(mine, truths).tolist()
            record["arms"][name]["retrieval_centred"] = scaled_distances(centred(mine), centred(truths)).tolist()
    return record, arrays


def centred(features: np.ndarray) -> np.ndarray:
    """Return features less their mean over the protocols, (n, d).

    What a model gets wrong in the same way under every protocol, such as the sharpness of a decoded CT, does not
    count then; what is left is what the protocol changes.
    """
    return features - features.mean(axis=0)


def scaled_distances(simulated: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Return distances for protocol retrieval ``(n, n)``: simulation i against truth j.

    Features are divided by their spread over the truths, so that the anatomy, which no protocol changes, does not
    count. A feature that no protocol changes is left out.

    Args:
        simulated, true: features under the same protocols in the same order ``(n, d)``.
    """
    spread = true.std(axis=0)
    used = spread > 1e-9 * max(float(spread.max(initial=0.0)), 1e-12)
    a, b = simulated[:, used] / spread[used], true[:, used] / spread[used]
    return np.sqrt(((a[:, None] - b[None]) ** 2).sum(axis=2))


def _measured(case: CohortCase, tissue: np.ndarray) -> dict[str, Any]:
    found = measure(case.roi, tissue)
    return {**quantities(found), "response": found.response}


def _candidates(case: CohortCase, config: EvaluationConfig, seed: int) -> list[Protocol]:
    """Return the as-treated protocol and random others of the case, all with different agents."""
    treated = case.row.protocol
    others = [p for p in admissible(case.roi, config.search) if set(p.agents) != set(treated.agents)]
    rng = np.random.default_rng(np.random.SeedSequence([seed, 3]))
    picked = rng.choice(len(others), size=min(config.candidates - 1, len(others)), replace=False)
    return [treated, *(others[i] for i in picked)]


def _features(volumes: Sequence[np.ndarray], shown: np.ndarray) -> np.ndarray:
    """Return one feature vector a volume: its slices' features one after another, ``(n, slices · d)``."""
    stack = np.concatenate([windowed(ct[shown]) for ct in volumes])
    return FilterBank().features(stack).reshape(len(volumes), -1)
