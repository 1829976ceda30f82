"""The network of the learned survival model: two CTs with their labels and some numbers in, risk and survival out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn
from torch.nn import functional

from mewm.survival.attention.encoder import Mc3Encoder
from mewm.survival.attention.transformer import AttentionAggregator, TwoWayBlock

CHANNELS = 6
"""Channels of a region, see :mod:`mewm.survival.attention.regions`."""


class SurvivalNetwork(nn.Module):
    """MC3-18 features of both CTs, two-way cross-attention, attention aggregator, fully connected head.

    What no CT shows comes as one token a group of numbers: clinical facts, the treatment's load, and the volumes
    behind the labels in ml, because a region is scaled to its lesion. A number that is not stated counts as the
    training mean and is marked as missing.

    Args:
        groups: names of the numbers by group; a group without names has no token.
        width: of the MC3 encoder; 64 is that of the paper.
        dim, heads, blocks: of the two-way attention.
        tokens: places along (z, y, x) to which the features of a CT are pooled.
        dropout: in attention and head.
        wide: a linear path from the numbers to risk and survival besides (Cheng et al., arXiv 1606.07792), so that the
            network need only learn what a Cox regression misses.
    """

    def __init__(
        self,
        groups: Mapping[str, Sequence[str]],
        width: int = 64,
        dim: int = 256,
        heads: int = 8,
        blocks: int = 2,
        tokens: Sequence[int] = (6, 3, 3),
        dropout: float = 0.1,
        wide: bool = False,
    ) -> None:
        super().__init__()
        self.groups = {name: tuple(names) for name, names in groups.items() if names}
        self.names = tuple(name for names in self.groups.values() for name in names)
        self.encoder = Mc3Encoder(CHANNELS, width)
        self.project = nn.Linear(self.encoder.features, dim)
        self.places = tuple(tokens)
        count = self.places[0] * self.places[1] * self.places[2]
        self.place = nn.Parameter(torch.randn(1, count, dim) * 0.02)
        self.when = nn.Parameter(torch.randn(2, 1, 1, dim) * 0.02)
        self.numbers = nn.ModuleDict(
            {
                name: nn.Sequential(nn.Linear(2 * len(names), dim), nn.GELU(), nn.Linear(dim, dim), nn.LayerNorm(dim))
                for name, names in self.groups.items()
            }
        )
        self.blocks = nn.ModuleList(TwoWayBlock(dim, heads, dropout) for _ in range(blocks))
        self.aggregator = AttentionAggregator(dim, heads)
        self.head = nn.Sequential(nn.Linear(dim, dim), nn.GELU(), nn.Dropout(dropout), nn.Linear(dim, 2))
        self.wide = nn.Linear(len(self.names), 2, bias=False) if wide and self.names else None
        self.register_buffer("mean", torch.zeros(len(self.names)))
        self.register_buffer("scale", torch.ones(len(self.names)))
        # Nobody is told from anybody else before the first step.
        for layer in (self.head[-1], self.wide):
            if layer is not None:
                nn.init.zeros_(layer.weight)

    def encode(self, region: torch.Tensor, after: bool) -> torch.Tensor:
        """Return tokens (N, L, dim) of regions (N, 6, d, h, w) of one time."""
        features = functional.adaptive_avg_pool3d(self.encoder(region), self.places)
        return self.project(features.flatten(2).transpose(1, 2)) + self.place + self.when[int(after)]

    def forward(self, regions: torch.Tensor, numbers: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return risk and survival; see :meth:`predict`.

        Args:
            regions: before and after treatment, (N, 2, 6, d, h, w).
            numbers: in the order of ``names``, NaN where not stated, (N, F).
        """
        # Both times in one pass: the batch norm then sees them as one kind of picture.
        both = self.encoder(regions.transpose(0, 1).flatten(0, 1))
        tokens = self.project(functional.adaptive_avg_pool3d(both, self.places).flatten(2).transpose(1, 2))
        before, after = tokens.unflatten(0, (2, len(regions))) + self.place + self.when
        return self.predict(before, after, numbers)

    def predict(
        self, before: torch.Tensor, after: torch.Tensor, numbers: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return log hazard on an arbitrary zero, and logarithm of survival over its training median, (N,) each."""
        pooled, known = self.pooled(before, after, numbers)
        risk, longevity = self.head(pooled).unbind(dim=1)
        if self.wide is not None:
            wide_risk, wide_longevity = self.wide(known).unbind(dim=1)
            risk, longevity = risk + wide_risk, longevity + wide_longevity
        return risk, longevity

    def pooled(
        self, before: torch.Tensor, after: torch.Tensor, numbers: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return what the head sees (N, dim), and the standardised numbers (N, F)."""
        missing = torch.isnan(numbers)
        known = torch.where(missing, torch.zeros_like(numbers), (numbers - self.mean) / self.scale)
        told, first = [], 0
        for name, names in self.groups.items():
            part = slice(first, first := first + len(names))
            told.append(self.numbers[name](torch.cat([known[:, part], missing[:, part].to(known.dtype)], dim=1)))
        queries = torch.cat([*(token[:, None] for token in told), after], dim=1)
        for block in self.blocks:
            queries, before = block(queries, before)
        return self.aggregator(torch.cat([queries, before], dim=1)), known
