"""Pre-norm Transformer block and the positions it needs."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from neuroprism.nn.dropout import TimeTiedDropout
from neuroprism.nn.time_embedding import sinusoidal_embedding


class PositionEmbedding(nn.Module):
    """Learned linear map of sinusoidal positions, added to a sequence of any length.

    Parameters
    ----------
    d_model
        Number of channels D, even.
    """

    def __init__(self, d_model: int) -> None:
        super().__init__()
        self.d_model = d_model
        self.map = nn.Linear(d_model, d_model)

    def forward(self, h: Tensor) -> Tensor:
        """Map (B, T, D) to (B, T, D)."""
        places = sinusoidal_embedding(torch.arange(h.shape[1], device=h.device), self.d_model)
        y: Tensor = h + self.map(places.to(h.dtype))
        return y


class SelfAttention(nn.Module):
    """Multi-head self-attention over time, blind to positions (see `PositionEmbedding`).

    Raises
    ------
    ValueError
        If `n_heads` does not divide `d_model`.
    """

    def __init__(self, d_model: int, n_heads: int) -> None:
        super().__init__()
        if d_model % n_heads:
            raise ValueError(f"{n_heads} heads do not divide {d_model} channels")
        self.n_heads = n_heads
        self.qkv = nn.Linear(d_model, 3 * d_model)
        self.out = nn.Linear(d_model, d_model)

    def forward(self, h: Tensor) -> Tensor:
        """Map (B, T, D) to (B, T, D)."""
        n_batch, length, d_model = h.shape
        d_head = d_model // self.n_heads
        # (B, T, 3D) -> 3 x (B, heads, T, d_head)
        query, key, value = self.qkv(h).view(n_batch, length, 3, self.n_heads, d_head).permute(2, 0, 3, 1, 4)
        mixed = nn.functional.scaled_dot_product_attention(query, key, value)
        y: Tensor = self.out(mixed.transpose(1, 2).reshape(n_batch, length, d_model))
        return y


class TransformerBlock(nn.Module):
    """Norm, self-attention, residual; norm, two-layer map with GELU, residual.

    Parameters
    ----------
    d_model
        Number of channels D.
    n_heads
        Number of attention heads.
    mlp_ratio
        Width of the two-layer map over D.
    dropout
        Probability that a channel of a branch is dropped, for all times at once.
    """

    def __init__(self, d_model: int, n_heads: int, *, mlp_ratio: float = 2.0, dropout: float = 0.0) -> None:
        super().__init__()
        d_hidden = max(1, round(mlp_ratio * d_model))
        self.attention_norm = nn.LayerNorm(d_model)
        self.attention = SelfAttention(d_model, n_heads)
        self.mlp_norm = nn.LayerNorm(d_model)
        self.mlp = nn.Sequential(nn.Linear(d_model, d_hidden), nn.GELU(), nn.Linear(d_hidden, d_model))
        self.dropout = TimeTiedDropout(dropout)

    def forward(self, h: Tensor) -> Tensor:
        """Map (B, T, D) to (B, T, D)."""
        attended: Tensor = h + self.dropout(self.attention(self.attention_norm(h)))
        y: Tensor = attended + self.dropout(self.mlp(self.mlp_norm(attended)))
        return y
