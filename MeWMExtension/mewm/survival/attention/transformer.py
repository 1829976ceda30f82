"""Two-way attention between the tokens of two CTs, and the attention that makes one vector of them (section 3.3).

The block is that of SAM's mask decoder (Kirillov et al., ICCV 2023, arXiv 2304.02643, section 3): self-attention of the
queries, queries to context, a fully connected layer, context to queries.
"""

from __future__ import annotations

import torch
from torch import nn


class TwoWayBlock(nn.Module):
    """One exchange between queries and context.

    Args:
        dim: of a token.
        heads: of every attention.
        dropout: on what is added.
    """

    def __init__(self, dim: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.own = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.to_context = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.to_queries = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.connected = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))
        self.norms = nn.ModuleList(nn.LayerNorm(dim) for _ in range(4))
        self.dropout = nn.Dropout(dropout)

    def forward(self, queries: torch.Tensor, context: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return queries (N, Q, dim) and context (N, K, dim) after the exchange."""
        queries = self.norms[0](queries + self._attend(self.own, queries, queries))
        queries = self.norms[1](queries + self._attend(self.to_context, queries, context))
        queries = self.norms[2](queries + self.dropout(self.connected(queries)))
        context = self.norms[3](context + self._attend(self.to_queries, context, queries))
        return queries, context

    def _attend(self, attention: nn.MultiheadAttention, asking: torch.Tensor, asked: torch.Tensor) -> torch.Tensor:
        return self.dropout(attention(asking, asked, asked, need_weights=False)[0])


class AttentionAggregator(nn.Module):
    """Weighs tokens by a learned query and returns their weighted mean.

    Args:
        dim: of a token.
        heads: of the attention.
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.randn(1, 1, dim) * dim**-0.5)
        self.attention = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.norm = nn.LayerNorm(dim)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return (N, dim) for tokens (N, L, dim)."""
        query = self.query.expand(len(tokens), -1, -1)
        return self.norm(self.attention(query, tokens, tokens, need_weights=False)[0][:, 0])
