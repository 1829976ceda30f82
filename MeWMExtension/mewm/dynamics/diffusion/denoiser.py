"""The denoiser: a 3D U-Net with attention on the 24³ latents.

The 24³ volume is first folded into patches of 2³, so that the costly convolutions work at 12³ and 6³. Time, size of the
lesion and the whole protocol steer every block; the sub-actions are attended to at the coarse levels. It is plain
torch: MONAI's ``DiffusionModelUNet`` of these widths has three times the weights (two blocks and an attention at every
level on the way up), and importing MONAI takes five seconds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from mewm.errors import InputError

_GROUPS = 8


class Denoiser(nn.Module):
    """Noisy latents, conditions and time → what :class:`mewm.dynamics.diffusion.noise.NoiseProcess` asks for.

    Args:
        channels: noisy channels and channels of the conditions that lie beside them.
        out_channels: channels of the answer.
        widths: channels at each level, the finest first; each level has half the edge of the one before.
        blocks: residual blocks at each level, on the way down and once more on the way up.
        attention: which levels attend to themselves and to the sub-actions.
        patch: edge of a patch at the finest level.
        fine: channels of a residual block on the latents as they are, before the answer; 0 leaves it out. Patches of 2³
            latents of 8 channels bring 64 noisy numbers, more than a level of some 100 channels can keep apart beside
            the conditions; what it loses it cannot take out.
        token_dim: size of an action token.
        numbers: count of numbers that describe the case.
        head_dim: channels of an attention head.

    Raises:
        InputError: the lists have different lengths, or a width cannot be shared by its groups or heads.

    Attributes:
        parts: what the edge of a volume must be a multiple of.
    """

    def __init__(
        self,
        channels: int,
        out_channels: int,
        widths: Sequence[int] = (96, 144),
        blocks: Sequence[int] = (1, 2),
        attention: Sequence[bool] = (False, True),
        patch: int = 2,
        token_dim: int = 96,
        numbers: int = 2,
        head_dim: int = 48,
        fine: int = 0,
    ) -> None:
        super().__init__()
        if not len(widths) == len(blocks) == len(attention):
            raise InputError(
                f"The denoiser has {len(widths)} widths, {len(blocks)} counts of blocks and {len(attention)} words on "
                "attention; give one of each a level."
            )
        for width, attended in zip(widths, attention, strict=True):
            heads = _heads(width, head_dim) if attended else 1
            if width % _GROUPS or width % heads:
                raise InputError(
                    f"A level of the denoiser has {width} channels, which {_GROUPS} groups and {heads} heads cannot "
                    "share evenly; choose a multiple of both."
                )
        self.patch, steer = patch, 2 * widths[0]
        self.parts = patch * 2 ** (len(widths) - 1)
        self.frequencies = widths[0]
        self.steer = nn.Sequential(
            nn.Linear(widths[0] + token_dim + numbers, steer), nn.SiLU(), nn.Linear(steer, steer), nn.SiLU()
        )
        self.enter = nn.Conv3d(channels, widths[0], patch, stride=patch)

        def block(into: int, out: int) -> ResidualBlock:
            return ResidualBlock(into, out, steer)

        def attend(level: int) -> nn.Module | None:
            return AttentionBlock(widths[level], token_dim, head_dim) if attention[level] else None

        self.down = nn.ModuleList()
        self.shrink = nn.ModuleList()
        for level, (width, count) in enumerate(zip(widths, blocks, strict=True)):
            self.down.append(_Level([block(width, width) for _ in range(count)], attend(level)))
            if level + 1 < len(widths):
                self.shrink.append(nn.Conv3d(width, widths[level + 1], 3, stride=2, padding=1))
        self.up = nn.ModuleList()
        self.grow = nn.ModuleList()
        for level in reversed(range(len(widths) - 1)):
            # Mixing channels before the volume grows costs an eighth of mixing them after.
            self.grow.append(nn.Conv3d(widths[level + 1], widths[level], 1))
            into = [2 * widths[level]] + [widths[level]] * (blocks[level] - 1)
            self.up.append(_Level([block(i, widths[level]) for i in into], attend(level)))
        self.norm = nn.GroupNorm(_GROUPS, widths[0])
        # The fine block mixes neighbours again, so that one voxel is enough here: a 27th of the multiplications.
        self.leave = (
            nn.Conv3d(widths[0], fine * patch**3, 1)
            if fine
            else nn.Conv3d(widths[0], out_channels * patch**3, 3, padding=1)
        )
        self.fine = _Fine(channels, fine, out_channels, steer) if fine else None
        last = self.leave if self.fine is None else self.fine.leave
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def forward(
        self,
        noisy: torch.Tensor,
        beside: torch.Tensor,
        t: torch.Tensor,
        numbers: torch.Tensor,
        tokens: torch.Tensor,
        whole: torch.Tensor,
    ) -> torch.Tensor:
        """Return the answer (N, out_channels, d, h, w).

        Args:
            noisy: (N, C, d, h, w); edges divide by the patch and by 2 at every level after it.
            beside: conditions on the same grid, (N, C', d, h, w).
            t: time in [0, 1], (N,).
            numbers: (N, numbers), of about unit size.
            tokens: (N, K, token_dim) action tokens.
            whole: (N, token_dim) the whole protocol.
        """
        steer = self.steer(torch.cat([_time_waves(t, self.frequencies), whole, numbers], dim=1).to(tokens.dtype))
        # Channels last: a third less time for the convolutions on CPU.
        seen = torch.cat([noisy, beside], dim=1).contiguous(memory_format=torch.channels_last_3d)
        x = self.enter(seen)
        kept: list[torch.Tensor] = []
        for level, stage in enumerate(self.down):
            x = stage(x, steer, tokens)
            if level < len(self.shrink):
                kept.append(x)
                x = self.shrink[level](x)
        for grow, stage in zip(self.grow, self.up, strict=True):
            x = functional.interpolate(grow(x), scale_factor=2.0, mode="nearest")
            x = stage(torch.cat([x, kept.pop()], dim=1), steer, tokens)
        said = _unpatch(self.leave(functional.silu(self.norm(x))), self.patch)
        return said if self.fine is None else self.fine(said, seen, steer)


class ResidualBlock(nn.Module):
    """Two normalised 3³ convolutions beside a skip; ``steer`` scales and shifts between them."""

    def __init__(self, into: int, out: int, steer: int) -> None:
        super().__init__()
        self.first_norm, self.first = nn.GroupNorm(_GROUPS, into), nn.Conv3d(into, out, 3, padding=1)
        self.second_norm, self.second = nn.GroupNorm(_GROUPS, out), nn.Conv3d(out, out, 3, padding=1)
        self.steer = nn.Linear(steer, 2 * out)
        self.skip = nn.Identity() if into == out else nn.Conv3d(into, out, 1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)

    def forward(self, x: torch.Tensor, steer: torch.Tensor) -> torch.Tensor:
        """Return a volume of the same grid."""
        h = self.first(functional.silu(self.first_norm(x)))
        scale, shift = self.steer(steer)[..., None, None, None].chunk(2, dim=1)
        h = self.second_norm(h) * (1 + scale) + shift
        return self.skip(x) + self.second(functional.silu(h))


class AttentionBlock(nn.Module):
    """Voxels attend to one another, then to the sub-actions; both begin as the identity."""

    def __init__(self, width: int, token_dim: int, head_dim: int) -> None:
        super().__init__()
        self.heads = _heads(width, head_dim)
        self.norm = nn.GroupNorm(_GROUPS, width)
        self.own, self.own_out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.token_norm, self.query_norm = nn.LayerNorm(token_dim), nn.LayerNorm(width)
        self.query, self.pairs = nn.Linear(width, width), nn.Linear(token_dim, 2 * width)
        self.action_out = nn.Linear(width, width)
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        for last in (self.own_out, self.action_out, self.mlp[2]):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def forward(self, x: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        """Return a volume of the same shape."""
        shape = x.shape
        normed = self.norm(x).flatten(2).transpose(1, 2)
        rows = x.flatten(2).transpose(1, 2)
        rows = rows + self.own_out(self._attend(*self.own(normed).chunk(3, dim=-1)))
        given = self.pairs(self.token_norm(tokens)).chunk(2, dim=-1)
        rows = rows + self.action_out(self._attend(self.query(self.query_norm(rows)), *given))
        rows = rows + self.mlp(self.mlp_norm(rows))
        return rows.transpose(1, 2).reshape(shape)

    def _attend(self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        n, _, width = query.shape
        split = [part.view(n, -1, self.heads, width // self.heads).transpose(1, 2) for part in (query, key, value)]
        found = functional.scaled_dot_product_attention(*split)
        return found.transpose(1, 2).reshape(n, -1, width)


class _Fine(nn.Module):
    """What the U-Net says, joined at every latent voxel with what it was given."""

    def __init__(self, channels: int, width: int, out_channels: int, steer: int) -> None:
        super().__init__()
        self.enter = nn.Conv3d(channels, width, 3, padding=1)
        self.block = ResidualBlock(width, width, steer)
        self.norm, self.leave = nn.GroupNorm(_GROUPS, width), nn.Conv3d(width, out_channels, 3, padding=1)

    def forward(self, said: torch.Tensor, seen: torch.Tensor, steer: torch.Tensor) -> torch.Tensor:
        x = self.block(said + self.enter(seen), steer)
        return self.leave(functional.silu(self.norm(x)))


class _Level(nn.Module):
    def __init__(self, blocks: Sequence[nn.Module], attention: nn.Module | None) -> None:
        super().__init__()
        self.blocks, self.attention = nn.ModuleList(blocks), attention

    def forward(self, x: torch.Tensor, steer: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        for number, block in enumerate(self.blocks):
            x = block(x, steer)
            if number == 0 and self.attention is not None:
                x = self.attention(x, tokens)
        return x


def _heads(width: int, head_dim: int) -> int:
    return max(width // head_dim, 1)


def _time_waves(t: torch.Tensor, count: int) -> torch.Tensor:
    """Return sines and cosines of time, (N, count), as in arXiv 2006.11239 with t · 1000 for steps."""
    rates = torch.exp(-math.log(10_000) * torch.arange(count // 2, device=t.device) / (count // 2))
    angles = 1000.0 * t.float()[:, None] * rates
    return torch.cat([torch.sin(angles), torch.cos(angles)], dim=1)


def _unpatch(x: torch.Tensor, patch: int) -> torch.Tensor:
    """Spread channels over patches: (N, C · p³, d, h, w) → (N, C, p d, p h, p w)."""
    if patch == 1:
        return x
    n, c, d, h, w = x.shape
    x = x.reshape(n, c // patch**3, patch, patch, patch, d, h, w).permute(0, 1, 5, 2, 6, 3, 7, 4)
    return x.reshape(n, c // patch**3, patch * d, patch * h, patch * w)
