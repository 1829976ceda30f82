"""What becomes of a lesion as a whole, drawn before its picture is.

How much of a lesion stays viable is a few numbers among a hundred thousand latents: a denoiser hardly hears of them in
its loss, and its futures come out surer of them than it can be. So they are drawn first, from their own distribution
given lesion and protocol, and the denoiser is told them, as a prior and a decoder share the work in hierarchical
diffusion (arXiv 2204.06125). Not in the MeWM paper.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from mewm.dynamics.diffusion.action_encoder import Actions
from mewm.dynamics.diffusion.lesion_statistics import PER_CHANNEL, lesion_statistics
from mewm.roi import Roi
from mewm.roles import Tissue

OUTCOMES = 3
"""Numbers of an outcome (:func:`lesion_outcome`)."""
_LEAST_RATIO, _MOST_RATIO = 0.05, 8.0
# Presence, dose and size of each agent.
_PER_AGENT = 3
_STREAM = 0x0C0E


def lesion_outcome(roi: Roi, tissue: np.ndarray) -> tuple[float, float, float]:
    """Return what became of a lesion: shares of viable tumour and of lipiodol, and the volume.

    Shares are those of the lesion after treatment, as arcsin √share: 0 to π/2, of about equal spread everywhere. The
    volume is the logarithm of that after over that before, not below log 0.05; a lesion that vanished has no shares.

    Args:
        roi: the lesion before treatment.
        tissue: labels after it (:class:`Tissue`), uint8, the grid of ``roi``.
    """
    counts = np.bincount(tissue.ravel(), minlength=len(Tissue))
    viable, oil = int(counts[Tissue.VIABLE]), int(counts[Tissue.LIPIODOL])
    lesion = viable + oil + int(counts[Tissue.NECROSIS])
    viable_angle, oil_angle = (math.asin(math.sqrt(part / lesion)) if lesion else 0.0 for part in (viable, oil))
    ratio = lesion / max(int(np.count_nonzero(roi.lesion)), 1)
    return viable_angle, oil_angle, math.log(max(ratio, _LEAST_RATIO))


def outcome_noise(seeds: Sequence[int]) -> torch.Tensor:
    """Return the noise of some seeds' outcomes, (len(seeds), 3) on CPU: the same for every protocol and lesion."""
    generators = [torch.Generator().manual_seed((seed ^ _STREAM) % 2**63) for seed in seeds]
    return torch.stack([torch.randn(OUTCOMES, generator=generator) for generator in generators])


class OutcomeHead(nn.Module):
    """Lesion and protocol → a normal distribution of outcomes, whose spread depends on them too.

    The protocol is read as data, agents with dose and size, so that its words cannot change an outcome.

    Args:
        agents: how many agents there are.
        channels: channels of a latent voxel.
        numbers: count of numbers that describe a case.
        width: of the fully connected layers.
        dropout: while learning.

    Attributes:
        centre, spread: (F,) of what is known of lesion and protocol, over the training cases.
        outcome_centre, outcome_spread: (3,) of the outcomes.
        temperature: what the spread is multiplied by, so that it is honest on cases not learnt from.
    """

    centre: torch.Tensor
    spread: torch.Tensor
    outcome_centre: torch.Tensor
    outcome_spread: torch.Tensor
    temperature: torch.Tensor

    def __init__(self, agents: int, channels: int, numbers: int, width: int = 128, dropout: float = 0.5) -> None:
        super().__init__()
        self.agents = agents
        features = PER_CHANNEL * channels + numbers + _PER_AGENT * agents
        self.register_buffer("centre", torch.zeros(features))
        self.register_buffer("spread", torch.ones(features))
        self.register_buffer("outcome_centre", torch.zeros(OUTCOMES))
        self.register_buffer("outcome_spread", torch.ones(OUTCOMES))
        self.register_buffer("temperature", torch.ones(()))
        self.layers = nn.Sequential(
            nn.Linear(features, width),
            nn.SiLU(),
            nn.Dropout(dropout),
            nn.Linear(width, width),
            nn.SiLU(),
            nn.Dropout(dropout),
            nn.Linear(width, OUTCOMES + OUTCOMES * (OUTCOMES + 1) // 2),
        )

    def features(
        self, pre: torch.Tensor, lesion: torch.Tensor, numbers: torch.Tensor, actions: Actions
    ) -> torch.Tensor:
        """Return what is known of N lesions and protocols, (N, F).

        Args:
            pre, lesion, numbers: of :class:`mewm.dynamics.diffusion.model.CaseConditions`.
            actions: what is given.
        """
        amounts = actions.amounts.to(pre.dtype)
        said = torch.cat([torch.ones_like(amounts[..., :1]), amounts[..., 1::2]], dim=-1)
        table = said.new_zeros(len(said), self.agents + 1, _PER_AGENT)
        table.scatter_add_(1, actions.agents[..., None].expand_as(said), said)
        return torch.cat([lesion_statistics(pre, lesion), numbers, table[:, 1:].flatten(1)], dim=1)

    def standardised(self, outcomes: torch.Tensor) -> torch.Tensor:
        """Return outcomes (N, 3) in units of their spread, as the denoiser is told them."""
        return (outcomes - self.outcome_centre) / self.outcome_spread

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return mean (N, 3) and Cholesky factor (N, 3, 3) of the precision, in units of the outcomes' spread."""
        said = self.layers((features - self.centre) / self.spread).float()
        mean, logs, below = said.split([OUTCOMES, OUTCOMES, said.shape[1] - 2 * OUTCOMES], dim=1)
        factor = torch.diag_embed(logs.exp())
        row, column = torch.tril_indices(OUTCOMES, OUTCOMES, offset=-1, device=said.device)
        factor[:, row, column] = below
        return mean, factor

    @torch.no_grad()
    def draw(self, noise: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        """Return outcomes in units of their spread, (N, 3), one for each row of noise (N, 3); shares stay possible."""
        learning = self.training
        # Dropout belongs to learning; a future is drawn by the whole network.
        self.eval()
        try:
            mean, factor = self(features)
        finally:
            self.train(learning)
        luck = torch.linalg.solve_triangular(factor, noise[..., None], upper=False)[..., 0]
        ends = noise.new_tensor([[0.0, 0.0, math.log(_LEAST_RATIO)], [math.pi / 2, math.pi / 2, math.log(_MOST_RATIO)]])
        least, most = self.standardised(ends)
        return torch.minimum(torch.maximum(mean + self.temperature * luck, least), most)
