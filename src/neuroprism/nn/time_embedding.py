"""Embedding of the step of a diffusion process."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


def sinusoidal_embedding(t: Tensor, size: int, *, max_period: float = 10_000.0) -> Tensor:
    """Return cosines and sines of `t` (B,) at `size` / 2 geometric frequencies, shape (B, size).

    Vaswani et al. 2017 (arXiv 1706.03762), as used for diffusion by Ho et al. 2020.
    """
    n = size // 2
    exponent = torch.arange(n, device=t.device, dtype=torch.float32) / n
    angle = t.float().unsqueeze(-1) * torch.exp(-math.log(max_period) * exponent)
    return torch.cat((angle.cos(), angle.sin()), dim=-1)


class TimeEmbedding(nn.Module):
    """Sinusoidal embedding followed by a two-layer map.

    Parameters
    ----------
    size
        Size of the embedding, even.

    Raises
    ------
    ValueError
        If `size` is odd.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        if size % 2:
            raise ValueError(f"the size of a time embedding must be even, not {size}")
        self.size = size
        self.first, self.second = nn.Linear(size, size), nn.Linear(size, size)

    def forward(self, t: Tensor) -> Tensor:
        """Embed steps `t` (B,) as (B, size)."""
        waves = sinusoidal_embedding(t, self.size).to(self.first.weight.dtype)
        embedding: Tensor = self.second(nn.functional.silu(self.first(waves)))
        return embedding
