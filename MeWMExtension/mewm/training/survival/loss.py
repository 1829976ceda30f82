"""The multi-task loss: the order of deaths, and when they came; both know that a censored patient lived on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.nn import functional

from mewm.survival.attention.network import SurvivalNetwork
from mewm.training.learner import Step
from mewm.training.survival.config import Objective


def partial_likelihood(risk: torch.Tensor, weeks: torch.Tensor, died: torch.Tensor) -> torch.Tensor:
    """Return Cox's negative log partial likelihood a death, Breslow's way with ties; 0 where nobody died.

    The risk set is the batch: censored patients are in it until they are lost.

    Args:
        risk: log hazards, (N,).
        weeks: observed times, (N,).
        died: whether the time ended in death, bool, (N,).
    """
    # Whoever is seen at least as long is at risk, equal times included.
    at_risk = weeks[None, :] >= weeks[:, None]
    spread = risk[None, :].expand(len(risk), -1).masked_fill(~at_risk, float("-inf")).logsumexp(dim=1)
    return ((spread - risk) * died).sum() / died.sum().clamp_min(1)


def longevity_error(predicted: torch.Tensor, observed: torch.Tensor, died: torch.Tensor) -> torch.Tensor:
    """Return the error of log survival; a censored time is a lower bound and costs only where it is not reached.

    Args:
        predicted: logarithm of survival, (N,).
        observed: logarithm of the observed time on the same zero, (N,).
        died: whether the time ended in death, bool, (N,).
    """
    missed = predicted - observed
    return functional.smooth_l1_loss(
        torch.where(died, missed, missed.clamp_max(0.0)), torch.zeros_like(missed), beta=1.0
    )


def survival_loss(
    network: SurvivalNetwork, objective: Objective, median_weeks: float
) -> Callable[[Mapping[str, Any], Step], dict[str, torch.Tensor]]:
    """Return the loss of a batch of :func:`mewm.training.survival.examples.future_draws`.

    Args:
        network: what learns.
        objective: weights of the two tasks.
        median_weeks: median observed survival of the training cases, the zero of the regression.
    """

    def loss(batch: Mapping[str, Any], step: Step) -> dict[str, torch.Tensor]:
        risk, longevity = (value.float() for value in network(batch["regions"], batch["numbers"]))
        weeks, died = batch["weeks"], batch["died"]
        hazard = partial_likelihood(risk, weeks, died)
        error = longevity_error(longevity, torch.log(weeks.clamp_min(0.1) / median_weeks), died)
        return {
            "loss": objective.hazard * hazard + objective.longevity * error,
            "hazard": hazard,
            "longevity": error,
        }

    return loss
