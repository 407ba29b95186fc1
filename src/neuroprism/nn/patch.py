"""Changing the sample rate: neighbouring steps become channels, and back."""

from __future__ import annotations

from torch import Tensor, nn


class Downsample(nn.Module):
    """Strided convolution whose kernel equals its stride: (B, T, D) to (B, T / factor, D').

    As a matrix product on regrouped steps it needs no sliding window.
    """

    def __init__(self, d_in: int, d_out: int, factor: int = 2) -> None:
        super().__init__()
        self.factor = factor
        self.map = nn.Linear(d_in * factor, d_out)

    def forward(self, h: Tensor) -> Tensor:
        """Map (B, T, D) to (B, T / factor, D'); T must be a multiple of the factor."""
        n_batch, length, d_in = h.shape
        y: Tensor = self.map(h.reshape(n_batch, length // self.factor, d_in * self.factor))
        return y


class Upsample(nn.Module):
    """Transposed convolution whose kernel equals its stride: (B, T, D) to (B, T factor, D')."""

    def __init__(self, d_in: int, d_out: int, factor: int = 2) -> None:
        super().__init__()
        self.factor, self.d_out = factor, d_out
        self.map = nn.Linear(d_in, d_out * factor)

    def forward(self, h: Tensor) -> Tensor:
        """Map (B, T, D) to (B, T factor, D')."""
        y: Tensor = self.map(h)
        return y.reshape(h.shape[0], h.shape[1] * self.factor, self.d_out)
