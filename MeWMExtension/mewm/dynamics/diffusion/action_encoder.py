"""τ(a) of equation (1): what is given, as tokens that the denoiser attends to.

Every sub-action is read twice: as text by the CLIP tower, and as data by a learnable concept embedding of its agent
that moves with dose and particle size. Fully connected layers join the two. The encoder sees a protocol and nothing
else, so no outcome of an angiography can reach it, and the order in which agents are named does not matter.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional

from mewm.actions.base import load_action_base
from mewm.actions.protocol import Action, Protocol
from mewm.actions.text import render_action
from mewm.dynamics.diffusion.action_text import TowerSettings, text_dim, text_tower, tokenise
from mewm.errors import InputError

AMOUNTS = 4
REFERENCE_SIZE_UM = 350.0


class Actions(NamedTuple):
    """Protocols as tensors; the first axis is the protocol, the second its sub-actions, unused places at the end.

    Attributes:
        tokens: (N, K, L) int64, words of each sub-action; 0 where there is none.
        agents: (N, K) int64, number of the agent from 1 on; 0 where there is none.
        amounts: (N, K, 4) float32: whether a dose is stated, log of dose over usual dose, whether a size is stated,
            log of size over 350 µm.
    """

    tokens: torch.Tensor
    agents: torch.Tensor
    amounts: torch.Tensor

    def to(self, device: torch.device) -> Actions:
        """Return the same on another device."""
        return Actions(*(part.to(device) for part in self))


class ActionTokens(NamedTuple):
    """The action condition.

    Attributes:
        tokens: (N, K + 1, dim), one a sub-action and one for the whole protocol.
        whole: (N, dim), the whole protocol again.
    """

    tokens: torch.Tensor
    whole: torch.Tensor


class ActionEncoder(nn.Module):
    """Protocols → :class:`ActionTokens`.

    Args:
        agents: identifiers of the action base that the encoder knows, in the order of its concept embeddings.
        tower: the text tower; frozen, it is trained before (:mod:`mewm.training.dynamics.text`).
        dim: size of a token.
        places: sub-actions a protocol may have.
        concepts: whether agents have concept embeddings besides their text.
    """

    def __init__(
        self, agents: Sequence[str], tower: TowerSettings, dim: int = 96, places: int = 10, *, concepts: bool = True
    ) -> None:
        super().__init__()
        self.agents, self.tower, self.places = tuple(agents), tower, places
        self.text = text_tower(tower).requires_grad_(False)
        self.project = nn.Linear(text_dim(tower), dim)
        # Place 0 stands for "no sub-action here".
        self.concept = nn.Embedding(len(self.agents) + 1, dim) if concepts else None
        self.dose_slope = nn.Embedding(len(self.agents) + 1, dim)
        self.size_slope = nn.Embedding(len(self.agents) + 1, dim)
        self.stated = nn.Linear(2, dim, bias=False)
        for slope in (self.dose_slope, self.size_slope):
            nn.init.normal_(slope.weight, std=0.3)
        self.fuse = nn.Sequential(nn.Linear(2 * dim, 2 * dim), nn.SiLU(), nn.Linear(2 * dim, dim))
        self.whole = nn.Sequential(nn.Linear(dim, 2 * dim), nn.SiLU(), nn.Linear(2 * dim, dim))
        self.no_action = nn.Parameter(torch.zeros(dim))
        self.unknown = nn.Parameter(torch.randn(dim) * 0.02)

    def read(self, protocols: Sequence[Protocol], phrases: Sequence[Sequence[str]] | None = None) -> Actions:
        """Turn protocols into tensors.

        Args:
            protocols: what is given.
            phrases: other words for the sub-actions of each protocol; MeWM's own words by default.

        Raises:
            InputError: an agent is unknown to this model, or there are too many.
        """
        return read_actions(protocols, self.agents, self.tower, self.places, phrases)

    def forward(self, actions: Actions, known: torch.Tensor | None = None) -> ActionTokens:
        """Encode protocols.

        Args:
            actions: from :meth:`read`.
            known: (N,) bool, False where the action is to be hidden (classifier-free guidance).
        """
        present = actions.agents > 0
        text = self.project(self.text_features(actions.tokens, present))
        joined = torch.cat([text, self._concepts(actions)], dim=-1)
        tokens = torch.where(present[..., None], self.fuse(joined), self.no_action)
        # A sum: a second drug adds to the first.
        whole = self.whole((tokens * present[..., None]).sum(dim=1) * 0.5)
        if known is not None:
            tokens = torch.where(known[:, None, None], tokens, self.unknown)
            whole = torch.where(known[:, None], whole, self.unknown)
        return ActionTokens(torch.cat([tokens, whole[:, None]], dim=1), whole)

    @torch.no_grad()
    def text_features(self, tokens: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        """Return φ, (N, K, text dim) of unit length, 0 where there is no sub-action."""
        found = self.text(tokens[present]) if bool(present.any()) else None
        size = text_dim(self.tower)
        features = torch.zeros(*present.shape, size, device=tokens.device, dtype=self.project.weight.dtype)
        if found is not None:
            features[present] = functional.normalize(found.float(), dim=-1).to(features.dtype) * math.sqrt(size)
        return features

    def _concepts(self, actions: Actions) -> torch.Tensor:
        if self.concept is None:
            return self.stated.weight.new_zeros(*actions.agents.shape, self.stated.out_features)
        amounts = actions.amounts.to(self.stated.weight.dtype)
        dose = self.dose_slope(actions.agents) * amounts[..., 1:2]
        size = self.size_slope(actions.agents) * amounts[..., 3:4]
        return self.concept(actions.agents) + dose + size + self.stated(amounts[..., ::2])


def read_actions(
    protocols: Sequence[Protocol],
    agents: Sequence[str],
    tower: TowerSettings,
    places: int,
    phrases: Sequence[Sequence[str]] | None = None,
) -> Actions:
    """Turn protocols into tensors; see :meth:`ActionEncoder.read`.

    Raises:
        InputError: an agent is not among ``agents``, or there are too many.
    """
    number = {agent: index for index, agent in enumerate(agents, 1)}
    count = len(protocols)
    tokens = tokenise([], tower).new_zeros(count, places, tokenise([], tower).shape[1])
    found = Actions(tokens, torch.zeros(count, places, dtype=torch.long), torch.zeros(count, places, AMOUNTS))
    for row, protocol in enumerate(protocols):
        actions = protocol.merged().actions
        if len(actions) > places:
            raise InputError(
                f"The protocol has {len(actions)} agents; the learned dynamics model takes at most {places}."
            )
        words = [render_action(action) for action in actions] if phrases is None else phrases[row]
        for place, action in enumerate(actions):
            if action.agent not in number:
                raise InputError(
                    f"The learned dynamics model was not trained on the agent {action.agent!r}; choose another agent "
                    "or the mechanistic simulator."
                )
            found.agents[row, place] = number[action.agent]
            found.amounts[row, place] = torch.tensor(amounts(action))
        if actions:
            found.tokens[row, : len(actions)] = tokenise(list(words), tower)
    return found


def amounts(action: Action) -> tuple[float, float, float, float]:
    """Return dose and size of an action as the encoder takes them (:class:`Actions`); open ones count as usual."""
    agent = load_action_base().agents.get(action.agent)
    dose = size = 0.0
    has_dose = agent is not None and action.dose is not None and action.unit in (None, agent.unit)
    if has_dose and agent is not None:
        usual = agent.usual_dose or (math.sqrt(math.prod(agent.dose_range)) if agent.dose_range else action.dose)
        dose = math.log(max(float(action.dose or 1.0), 1e-3) / float(usual or 1.0))
    if action.size_um is not None:
        size = math.log(0.5 * sum(action.size_um) / REFERENCE_SIZE_UM)
    return float(has_dose), dose, float(action.size_um is not None), size
