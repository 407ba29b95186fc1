"""Pre-norm Transformer block with rotary positions."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from neuroprism.nn.dropout import TimeTiedDropout


def rotary_angles(length: int, d_head: int, *, device: torch.device) -> Tensor:
    """Return angles (T, d_head / 2): position times a geometric frequency.

    Su et al. 2021 (arXiv 2104.09864).
    """
    exponent = torch.arange(0, d_head, 2, device=device, dtype=torch.float32) / d_head
    return torch.outer(torch.arange(length, device=device, dtype=torch.float32), 10_000.0**-exponent)


def rotate(x: Tensor, angles: Tensor) -> Tensor:
    """Rotate the pairs (x[i], x[i + d/2]) of the last axis of `x` (..., T, d) by `angles` (T, d / 2)."""
    first, second = x.chunk(2, dim=-1)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    return torch.cat((first * cos - second * sin, first * sin + second * cos), dim=-1)


class SelfAttention(nn.Module):
    """Multi-head self-attention over time; only differences of positions matter.

    Raises
    ------
    ValueError
        If `n_heads` does not divide `d_model` into heads of even size.
    """

    def __init__(self, d_model: int, n_heads: int) -> None:
        super().__init__()
        if d_model % n_heads or (d_model // n_heads) % 2:
            raise ValueError(f"{n_heads} heads do not divide {d_model} channels into heads of even size")
        self.n_heads = n_heads
        self.qkv = nn.Linear(d_model, 3 * d_model)
        self.out = nn.Linear(d_model, d_model)

    def forward(self, h: Tensor) -> Tensor:
        """Map (B, T, D) to (B, T, D)."""
        n_batch, length, d_model = h.shape
        d_head = d_model // self.n_heads
        # (B, T, 3D) -> 3 x (B, heads, T, d_head)
        qkv = self.qkv(h).view(n_batch, length, 3, self.n_heads, d_head).permute(2, 0, 3, 1, 4)
        qk = rotate(qkv[:2], rotary_angles(length, d_head, device=h.device))
        mixed = nn.functional.scaled_dot_product_attention(qk[0], qk[1], qkv[2])
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
