"""What is measured on held-out cases while the denoiser learns: not only how well it denoises, but what it knows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from mewm.actions.protocol import Protocol
from mewm.dynamics.diffusion.model import ActionDiffusion, CaseConditions
from mewm.dynamics.diffusion.outcome import outcome_noise
from mewm.dynamics.diffusion.sampler import sample, seeded_noise
from mewm.training.dynamics.config import FIGURES, DynamicsConfig
from mewm.training.dynamics.latents import MASKED, POST, PRE, Latents
from mewm.training.dynamics.loss import weighted_error

_TIMES = (0.2, 0.5, 0.8, 1.0)
_BATCH = 8


@torch.no_grad()
def validation_figures(
    model: ActionDiffusion, latents: Latents, config: DynamicsConfig, device: torch.device
) -> dict[str, float]:
    """Return figures by name.

    ``loss``: denoising error at fixed times and noise. ``loss_other``: the same when every case is told its neighbour's
    protocol (and an outcome drawn for it); no more than ``loss`` means that the model ignores protocols. ``change``:
    correlation over cases and channels of the simulated mean change in the lesion with the true one. ``spread``: how
    much two seeds differ relative to how much cases differ.

    Args:
        model: in evaluation mode, on ``device``.
        latents: held-out cases.
        config: noise level weights and sampler.
        device: where to compute.
    """
    protocols = [row.protocol for row in latents.rows]
    losses: list[float] = []
    losses_other: list[float] = []
    simulated: list[np.ndarray] = []
    again: list[np.ndarray] = []
    true: list[np.ndarray] = []
    for first in range(0, len(protocols), _BATCH):
        places = list(range(first, min(first + _BATCH, len(protocols))))
        case, post = held_out(latents, places, device)
        told = [protocols[k] for k in places]
        wrong = [protocols[(k + 1) % len(protocols)] for k in places]
        action, other = (model.encode_action(model.action.read(p).to(device)) for p in (told, wrong))
        clean = model.to_target(post, case)
        noise = _noise(places, clean)
        happened = _true_outcome(model, latents, places, device)
        might_have = _drawn_outcome(model, case, wrong, places)
        for time in _TIMES:
            t = torch.full((len(places),), time, device=device)
            noisy, wanted = model.process.mix(clean, noise, t), model.process.target(clean, noise, t)
            weight = model.process.weight(t)
            for tokens, outcome, kept in ((action, happened, losses), (other, might_have, losses_other)):
                said = model(noisy, t, case, tokens, outcome)
                kept.append(float(weighted_error(said, wanted, weight, case, config.objective.outside)))
        untold = None
        if config.sampler.guidance != 1.0:
            hidden = torch.zeros(len(places), dtype=torch.bool, device=device)
            untold = model.encode_action(model.action.read(told).to(device), hidden)
        for shift, kept_change in ((0, simulated), (10_000, again)):
            seeds = [k + shift for k in places]
            outcome = _drawn_outcome(model, case, told, seeds)
            drawn = sample(model, case, action, _noise(seeds, clean), config.sampler, untold, outcome)
            kept_change.append(_lesion_change(drawn, case))
        true.append(_lesion_change(post, case))
    one, two, truth = (np.concatenate(found) for found in (simulated, again, true))
    spread = float(np.abs(one - two).mean() / max(np.abs(truth - truth.mean(axis=0)).mean(), 1e-6))
    found = (float(np.mean(losses)), float(np.mean(losses_other)), _correlation(one, truth), spread)
    return dict(zip(FIGURES, found, strict=True))


def held_out(latents: Latents, places: list[int], device: torch.device) -> tuple[CaseConditions, torch.Tensor]:
    """Return conditions of cases as they are in use (lesion wholly taken out), and post-treatment latents."""
    volumes = torch.from_numpy(latents.volumes[places].astype(np.float32)).to(device)
    masks = torch.from_numpy(latents.masks[places].astype(np.float32)).to(device)
    numbers = torch.from_numpy(latents.numbers[places]).to(device)
    case = CaseConditions(volumes[:, PRE], volumes[:, MASKED], masks[:, :1], masks[:, 1:], numbers)
    return case, volumes[:, POST]


def _true_outcome(
    model: ActionDiffusion, latents: Latents, places: list[int], device: torch.device
) -> torch.Tensor | None:
    if model.outcome is None:
        return None
    return model.outcome.standardised(torch.from_numpy(latents.outcomes[places]).to(device))


def _drawn_outcome(
    model: ActionDiffusion, case: CaseConditions, protocols: Sequence[Protocol], seeds: list[int]
) -> torch.Tensor | None:
    device = case.pre.device
    return model.draw_outcome(case, model.action.read(protocols).to(device), outcome_noise(seeds).to(device))


def _noise(seeds: list[int], like: torch.Tensor) -> torch.Tensor:
    return torch.stack([seeded_noise(seed, like.shape[1], like.shape[2]) for seed in seeds]).to(like.device)


def _lesion_change(post: torch.Tensor, case: CaseConditions) -> np.ndarray:
    """Return the mean change of each channel in the lesion, (N, C)."""
    weight = case.lesion / case.lesion.sum(dim=(2, 3, 4), keepdim=True).clamp_min(1e-3)
    return ((post - case.pre) * weight).sum(dim=(2, 3, 4)).cpu().numpy()


def _correlation(simulated: np.ndarray, true: np.ndarray) -> float:
    """Return the correlation over cases, mean over channels weighted by how much they vary."""
    a, b = simulated - simulated.mean(axis=0), true - true.mean(axis=0)
    spread = b.std(axis=0)
    each = (a * b).mean(axis=0) / np.maximum(a.std(axis=0) * spread, 1e-9)
    return float((each * spread).sum() / max(spread.sum(), 1e-9))
