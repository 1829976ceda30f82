"""Train the outcome head: what becomes of a lesion as a whole, from what is known of it and of the protocol."""

from __future__ import annotations

import copy

import torch

from mewm.dynamics.diffusion.model import ActionDiffusion
from mewm.dynamics.diffusion.outcome import OutcomeHead
from mewm.errors import InputError
from mewm.training.dynamics.config import OutcomeTraining
from mewm.training.dynamics.latents import PRE, Latents

_LEAST_SPREAD = 1e-3
_BATCH = 64


def trained_head(
    model: ActionDiffusion, training: OutcomeTraining, learning: Latents, held: Latents, seed: int
) -> tuple[OutcomeHead, dict[str, float]]:
    """Return the trained head in evaluation mode, and its loss on held-out cases with the step it was reached at.

    Args:
        model: untrained, with a head to train.
        training: how.
        learning: the train split.
        held: cases of the validation split, which choose when to stop and how wide the spread must be.
        seed: of order and dropout.

    Raises:
        InputError: the model has no head.
    """
    if model.outcome is None:
        raise InputError("The configuration's network has no outcome head to train; name its sizes under outcome.")
    head = copy.deepcopy(model.outcome).requires_grad_(True)
    known, outcomes = _features(model, learning), torch.from_numpy(learning.outcomes)
    for values, centre, spread in (
        (known, head.centre, head.spread),
        (outcomes, head.outcome_centre, head.outcome_spread),
    ):
        centre.copy_(values.mean(dim=0))
        spread.copy_(values.std(dim=0, correction=0).clamp_min(_LEAST_SPREAD))
    answers = head.standardised(outcomes)
    held_known, held_answers = _features(model, held), head.standardised(torch.from_numpy(held.outcomes))
    optimizer = torch.optim.AdamW(head.parameters(), training.learning_rate, weight_decay=training.weight_decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, training.steps)
    best, best_step, kept = float("inf"), 0, copy.deepcopy(head.state_dict())
    generator = torch.Generator().manual_seed(seed)
    # Dropout draws from the global generator.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for step in range(1, training.steps + 1):
            some = torch.randint(len(known), (training.batch,), generator=generator)
            loss = _unlikelihood(head.train(), known[some], answers[some])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            if step % training.validate_every == 0 or step == training.steps:
                with torch.no_grad():
                    found = float(_unlikelihood(head.eval(), held_known, held_answers))
                if found < best:
                    best, best_step, kept = found, step, copy.deepcopy(head.state_dict())
    head.load_state_dict(kept)
    head.requires_grad_(False).eval()
    mean, factor = head(held_known)
    head.temperature.copy_(_luck(mean, factor, held_answers).square().mean().sqrt())
    return head, {"loss": best, "step": float(best_step), "temperature": float(head.temperature)}


def _unlikelihood(head: OutcomeHead, known: torch.Tensor, answers: torch.Tensor) -> torch.Tensor:
    """Return the mean negative log likelihood up to a constant, a scalar."""
    mean, factor = head(known)
    size = factor.diagonal(dim1=1, dim2=2).log().sum(dim=1)
    return (0.5 * _luck(mean, factor, answers).square().sum(dim=1) - size).mean()


def _luck(mean: torch.Tensor, factor: torch.Tensor, answers: torch.Tensor) -> torch.Tensor:
    """Return what noise would give the answers, (N, 3): standard normal where the head is honest."""
    return (factor @ (answers - mean)[..., None])[..., 0]


def _features(model: ActionDiffusion, latents: Latents) -> torch.Tensor:
    """Return what is known of each case and its protocol, (cases, F)."""
    assert model.outcome is not None
    found = []
    for first in range(0, len(latents.rows), _BATCH):
        some = slice(first, first + _BATCH)
        pre, lesion = torch.tensor(latents.volumes[some, PRE]), torch.tensor(latents.masks[some, :1])
        actions = model.action.read([row.protocol for row in latents.rows[some]])
        found.append(
            model.outcome.features(pre.float(), lesion.float(), torch.from_numpy(latents.numbers[some]), actions)
        )
    return torch.cat(found)
