"""The trained part of the learned dynamics as one module: action encoder, denoiser, and the size of a change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import nn

from mewm.dynamics.diffusion.action_encoder import ActionEncoder, Actions, ActionTokens
from mewm.dynamics.diffusion.action_text import TowerSettings
from mewm.dynamics.diffusion.denoiser import Denoiser
from mewm.dynamics.diffusion.noise import NoiseProcess
from mewm.dynamics.diffusion.outcome import OUTCOMES, OutcomeHead
from mewm.errors import InputError

TARGETS = ("change", "post")
NUMBERS = 2


class CaseConditions(NamedTuple):
    """What is known of the case before treatment, on the latent grid; the first axis is the case.

    Attributes:
        pre: (N, C, d, h, w) latents of the CT as it is.
        masked: (N, C, d, h, w) latents of the CT whose lesion was taken out, E(m₀′ ⊙ x₀).
        lesion: (N, 1, d, h, w) share of each latent voxel that is lesion.
        gate: (N, 1, d, h, w) 1 where a treatment can change something (the feather), else 0.
        numbers: (N, 2) :func:`mewm.dynamics.diffusion.condition.case_numbers`.
    """

    pre: torch.Tensor
    masked: torch.Tensor
    lesion: torch.Tensor
    gate: torch.Tensor
    numbers: torch.Tensor

    def repeat(self, count: int) -> CaseConditions:
        """Return the same case ``count`` times."""
        return CaseConditions(*(part.expand(count, *part.shape[1:]) for part in self))


class ActionDiffusion(nn.Module):
    """Denoiser with its conditions (arXiv 2506.02327, equation (2)).

    Args:
        agents: identifiers of the agents that the action encoder knows.
        tower: sizes of the text tower (:class:`TowerSettings`).
        latent_channels: channels of a latent voxel.
        prediction: what the denoiser says (:data:`mewm.dynamics.diffusion.noise.PREDICTIONS`).
        target: what is noised: ``"post"``, the post-treatment latents as in the paper, or ``"change"``, post minus pre
            in units of its spread. A change is 0 wherever nothing was treated, so that a small network spends nothing
            on anatomy that it is given anyway.
        see_lesion: whether the denoiser also sees the latents of the CT as it is. The paper shows it the CT without the
            lesion; but how a lesion enhances tells how it will answer.
        action: ``"full"``, ``"text"`` (no concept embeddings) or ``"none"`` (the protocol is hidden: mask-only
            diffusion).
        token_dim, places: size and number of action tokens.
        widths, blocks, attention, patch, fine: of :class:`Denoiser`.
        outcome: sizes of an :class:`OutcomeHead`, whose draws the denoiser is then told; ``None`` for none.

    Attributes:
        outcome: the head, or ``None``.
        process: the noise process.
        spread: (C,) spread of a change in each channel, 1 for the target ``"post"``.

    Raises:
        InputError: an argument is not among those named.
    """

    spread: torch.Tensor

    def __init__(
        self,
        agents: Sequence[str],
        tower: Mapping[str, Any] | None = None,
        latent_channels: int = 8,
        prediction: str = "flow",
        target: str = "change",
        see_lesion: bool = True,
        action: str = "full",
        token_dim: int = 96,
        places: int = 10,
        widths: Sequence[int] = (96, 144),
        blocks: Sequence[int] = (1, 2),
        attention: Sequence[bool] = (False, True),
        patch: int = 2,
        fine: int = 0,
        outcome: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if target not in TARGETS or action not in ("full", "text", "none"):
            raise InputError(
                f"The dynamics model knows no target {target!r} with action {action!r}; choose a target among "
                f"{', '.join(TARGETS)} and an action among full, text, none."
            )
        self.process, self.target, self.see_lesion = NoiseProcess(prediction), target, see_lesion
        self.knows_action, self.latent_channels = action != "none", latent_channels
        self.action = ActionEncoder(
            agents, TowerSettings(**(tower or {})), token_dim, places, concepts=action == "full"
        )
        # Frozen: it is trained before the denoiser, which then learns what its draws mean.
        self.outcome = (
            None
            if outcome is None
            else OutcomeHead(len(agents), latent_channels, NUMBERS, **outcome).requires_grad_(False)
        )
        beside = latent_channels * (2 if see_lesion else 1) + 2
        numbers = NUMBERS + (0 if outcome is None else OUTCOMES + 1)
        self.denoiser = Denoiser(
            latent_channels + beside, latent_channels, widths, blocks, attention, patch, token_dim, numbers, fine=fine
        )
        self.register_buffer("spread", torch.ones(latent_channels))

    def encode_action(self, actions: Actions, known: torch.Tensor | None = None) -> ActionTokens:
        """Return τ(a); where this model knows no action, or ``known`` (N,) is False, the token for "not told"."""
        if not self.knows_action:
            known = torch.zeros(len(actions.agents), dtype=torch.bool, device=actions.agents.device)
        return self.action(actions, known)

    def draw_outcome(self, case: CaseConditions, actions: Actions, noise: torch.Tensor) -> torch.Tensor | None:
        """Return an outcome for each row of noise (N, 3), in units of its spread; ``None`` where there is no head."""
        if self.outcome is None:
            return None
        return self.outcome.draw(noise, self.outcome.features(case.pre, case.lesion, case.numbers, actions))

    def forward(
        self,
        noisy: torch.Tensor,
        t: torch.Tensor,
        case: CaseConditions,
        action: ActionTokens,
        outcome: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Return what the noise process asks for, (N, C, d, h, w) float32.

        Args:
            noisy: (N, C, d, h, w).
            t: (N,).
            case, action: N of each.
            outcome: (N, 3) as :meth:`draw_outcome` gives it, NaN in a row that is not told; ``None`` tells none.
        """
        seen = [case.masked, case.pre] if self.see_lesion else [case.masked]
        beside = torch.cat([*seen, 2 * case.lesion - 1, 2 * case.gate - 1], dim=1)
        numbers = case.numbers
        if self.outcome is not None:
            told = numbers.new_full((len(noisy), OUTCOMES), torch.nan) if outcome is None else outcome
            numbers = torch.cat([numbers, told.nan_to_num(0.0), told[:, :1].isfinite().to(numbers.dtype)], dim=1)
        return self.denoiser(noisy, beside, t, numbers, action.tokens, action.whole).float()

    def to_target(self, post: torch.Tensor, case: CaseConditions) -> torch.Tensor:
        """Return post-treatment latents as the clean volume that is noised."""
        return (post - case.pre) / self._spread if self.target == "change" else post

    def from_target(self, clean: torch.Tensor, case: CaseConditions) -> torch.Tensor:
        """Return the post-treatment latents of a clean volume; those of before where nothing can change."""
        post = case.pre + clean * self._spread if self.target == "change" else clean
        return torch.where(case.gate > 0, post, case.pre)

    @property
    def _spread(self) -> torch.Tensor:
        return self.spread.view(1, -1, 1, 1, 1)
