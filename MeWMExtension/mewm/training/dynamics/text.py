"""Train the bundled text tower on phrases of actions: CLIP's contrast, between two ways to say the same.

Besides, a linear reading of the features has to name agent, dose and size, so that nothing that matters is forgotten.
It takes a minute or two on two cores and sees neither images nor outcomes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from mewm.dynamics.diffusion.action_encoder import AMOUNTS, amounts
from mewm.dynamics.diffusion.action_text import OWN, TowerSettings, load_clip_text, text_dim, text_tower, tokenise
from mewm.errors import InputError
from mewm.training.config import require_from
from mewm.training.dynamics.phrases import phrase, random_action


@dataclass(frozen=True)
class TextTraining:
    """How the tower is trained.

    Attributes:
        weights: file of CLIP weights to take in place of a training; empty to train.
        steps, batch: updates, and actions in each.
        learning_rate: at its highest.
        temperature: of the contrast.
    """

    weights: str = ""
    steps: int = 900
    batch: int = 96
    learning_rate: float = 2e-3
    temperature: float = 0.1

    def __post_init__(self) -> None:
        require_from(self, "text", steps=1, batch=1, temperature=1e-3)


def trained_tower(
    settings: TowerSettings,
    training: TextTraining,
    agents: tuple[str, ...],
    seed: int,
    tell: Callable[[int, int], None] | None = None,
) -> nn.Module:
    """Return the text tower, trained or with the user's CLIP weights, in evaluation mode.

    Args:
        settings: its size.
        training: how to train it, or where its weights lie.
        agents: identifiers of the action base.
        seed: of weights and phrases.
        tell: called with steps done and steps in all.

    Raises:
        InputError: CLIP's tower is wanted without weights, or the weights do not fit.
    """
    torch.manual_seed(seed)
    tower = text_tower(settings)
    if training.weights:
        load_clip_text(tower, Path(training.weights))
        return tower.eval()
    if settings.tower != OWN:
        raise InputError(
            f"The text tower {settings.tower} has to come with weights; name their file in text, weights, or take "
            f"{OWN!r}."
        )
    reader = nn.Linear(text_dim(settings), len(agents) + AMOUNTS)
    parameters = [*tower.parameters(), *reader.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=training.learning_rate, weight_decay=0.01)
    for step in range(training.steps):
        rng = np.random.default_rng([seed, 4, step])
        rate = min(1.0, (step + 1) / 50) * (1 - step / training.steps)
        for group in optimizer.param_groups:
            group["lr"] = training.learning_rate * max(rate, 0.02)
        actions = [random_action(rng, agents) for _ in range(training.batch)]
        texts = [phrase(action, rng) for _ in range(2) for action in actions]
        features = tower(tokenise(texts, settings))
        named = torch.tensor([agents.index(action.agent) for action in actions] * 2)
        told = torch.tensor([amounts(action) for action in actions] * 2)
        loss = _contrast(features, told, named, training.temperature)
        read = reader(functional.normalize(features, dim=-1) * features.shape[1] ** 0.5)
        loss = loss + functional.cross_entropy(read[:, : len(agents)], named)
        loss = loss + functional.smooth_l1_loss(read[:, len(agents) :], told)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        if tell is not None:
            tell(step + 1, training.steps)
    return tower.eval()


def _contrast(features: torch.Tensor, told: torch.Tensor, named: torch.Tensor, temperature: float) -> torch.Tensor:
    """Return CLIP's symmetric loss; phrases of equal actions in a batch are not held against each other."""
    first, second = functional.normalize(features, dim=-1).chunk(2)
    likeness = first @ second.T / temperature
    half = len(first)
    same = (named[:half, None] == named[None, :half]) & (told[:half, None] == told[None, :half]).all(dim=-1)
    target = torch.arange(half)
    likeness = likeness.masked_fill(same & ~torch.eye(half, dtype=torch.bool), -1e4)
    return 0.5 * (functional.cross_entropy(likeness, target) + functional.cross_entropy(likeness.T, target))
