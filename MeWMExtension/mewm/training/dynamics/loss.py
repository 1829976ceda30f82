"""The loss of the denoiser: equation (2), and equation (3) with its weight."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch.nn import functional

from mewm.dynamics.diffusion.model import ActionDiffusion, CaseConditions
from mewm.dynamics.diffusion.noise import shifted
from mewm.dynamics.diffusion.outcome import OUTCOMES
from mewm.training.dynamics.config import Contrastive, Objective
from mewm.training.dynamics.contrastive import combo_loss, future_features
from mewm.training.dynamics.examples import actions_of, conditions_of, outcomes_of
from mewm.training.learner import Loss, Step

_LARGEST_CHANGE = 8.0
COARSE_EDGES = (2, 4)
"""Edges of the blocks of the coarse loss, in latent voxels: 8 and 16 voxels of the CT."""


def diffusion_loss(model: ActionDiffusion, objective: Objective, contrastive: Contrastive) -> Loss:
    """Return the loss of a batch of :func:`mewm.training.dynamics.examples.pair_draws`."""

    def loss(batch: Mapping[str, Any], step: Step) -> dict[str, torch.Tensor]:
        case, post = conditions_of(batch)
        given, others = actions_of(batch)
        clean = model.to_target(post, case)
        t = draw_times(len(clean), objective.times, step.generator, objective.shift)
        noise = torch.empty_like(clean).normal_(generator=step.generator)
        noisy = model.process.mix(clean, noise, t)
        known = torch.rand(len(clean), generator=step.generator, device=clean.device) >= objective.hide_action
        outcome = None
        if model.outcome is not None:
            hidden = torch.rand(len(clean), generator=step.generator, device=clean.device) < objective.hide_outcome
            outcome = model.outcome.standardised(outcomes_of(batch)).masked_fill(hidden[:, None], torch.nan)
        # The text tower is frozen; dropout of the whole protocol teaches what guidance needs.
        said = model(noisy, t, case, model.encode_action(given, known), outcome)
        wanted, weight = model.process.target(clean, noise, t), model.process.weight(t)
        figures = {"denoising": weighted_error(said, wanted, weight, case, objective.outside)}
        total = figures["denoising"]
        if objective.coarse:
            figures["coarse"] = coarse_error(said, wanted, weight, case)
            total = total + objective.coarse * figures["coarse"]
        if contrastive.weight and step.number % contrastive.every == 0:
            half = len(clean) // 2
            anchors = CaseConditions(*(part[:half] for part in case))
            # What would have become of the anchor nobody knows; the head says what might have.
            luck = torch.empty(half, OUTCOMES, device=clean.device).normal_(generator=step.generator)
            refusal = model.draw_outcome(anchors, others, luck)
            denied = model(noisy[:half], t[:half], anchors, model.encode_action(others, known[:half]), refusal)
            futures = model.process.clean(said, noisy, t)
            refused = model.process.clean(denied, noisy[:half], t[:half])
            features = future_features(_change(model, futures, case), case.lesion, contrastive.view)
            negative = future_features(_change(model, refused, anchors), anchors.lesion, contrastive.view)
            usable = batch["same"] & batch["other"] & known[:half] & known[half:]
            figures["contrastive"] = combo_loss(
                features[:half],
                features[half:],
                negative,
                usable,
                contrastive.temperature,
                decoupled=contrastive.decoupled,
            )
            total = total + contrastive.weight * figures["contrastive"]
        return {"loss": total, **figures}

    return loss


def weighted_error(
    said: torch.Tensor, wanted: torch.Tensor, weight: torch.Tensor, case: CaseConditions, outside: float
) -> torch.Tensor:
    """Return the mean squared error, a scalar; every case counts the same, whatever the size of its lesion.

    Args:
        said, wanted: (N, C, d, h, w).
        weight: (N, 1, 1, 1, 1) of each case's time (:meth:`mewm.dynamics.diffusion.noise.NoiseProcess.weight`).
        case: says where a treatment can change something.
        outside: weight of a voxel where none can.
    """
    place = outside + (1 - outside) * case.gate
    error = weight * (said - wanted).square().mean(dim=1, keepdim=True)
    per_case = (error * place).sum(dim=(1, 2, 3, 4)) / place.sum(dim=(1, 2, 3, 4))
    return per_case.mean()


def coarse_error(said: torch.Tensor, wanted: torch.Tensor, weight: torch.Tensor, case: CaseConditions) -> torch.Tensor:
    """Return the mean squared error of block means where a treatment can change something, a scalar.

    Noise averages out over a block and what a protocol does to a lesion does not: voxel by voxel the first drowns the
    second (multiscale loss, Hoogeboom et al. 2023, arXiv 2301.11093).
    """
    difference = weight.sqrt() * (said - wanted) * case.gate
    total = difference.new_zeros(())
    for edge in COARSE_EDGES:
        gate = functional.avg_pool3d(case.gate, edge)
        error = functional.avg_pool3d(difference, edge).square().mean(dim=1, keepdim=True)
        # A block that is half outside counts half: error and weight both hold the share that is inside.
        per_case = error.sum(dim=(1, 2, 3, 4)) / gate.square().sum(dim=(1, 2, 3, 4)).clamp_min(1e-6)
        total = total + per_case.mean() / len(COARSE_EDGES)
    return total


def draw_times(count: int, how: str, generator: torch.Generator, shift: float = 1.0) -> torch.Tensor:
    """Return training times in (0, 1], (count,): uniform, or mostly the logistic function of a normal number.

    A ``shift`` above 1 moves them towards the noise (arXiv 2403.03206, section 5.3.2): neighbouring latents are alike,
    so what a lesion becomes as a whole is settled while single voxels are still noise.
    """
    return shifted(_unshifted_times(count, how, generator), shift)


def _unshifted_times(count: int, how: str, generator: torch.Generator) -> torch.Tensor:
    uniform = torch.rand(count, generator=generator, device=generator.device).clamp(1e-3, 1.0)
    if how == "uniform":
        return uniform
    middle = torch.sigmoid(torch.randn(count, generator=generator, device=generator.device) + 0.3)
    # Every future begins at time 1, which the logistic function hardly reaches.
    ends = torch.rand(count, generator=generator, device=generator.device) < 0.3
    return torch.where(ends, uniform, middle)


def _change(model: ActionDiffusion, clean: torch.Tensor, case: CaseConditions) -> torch.Tensor:
    change = clean if model.target == "change" else clean - case.pre
    # Near pure noise an estimate made of a predicted noise knows no bounds.
    return change.clamp(-_LARGEST_CHANGE, _LARGEST_CHANGE)
