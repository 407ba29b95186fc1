"""Dropout that drops a channel for the whole of a sequence."""

from __future__ import annotations

from torch import Tensor, nn


class TimeTiedDropout(nn.Module):
    """Drop channels of (B, T, D) with one mask for all times, as S4 models do.

    A mask for every sample would be averaged out by the long convolutions and costs T
    times as many random numbers.

    Raises
    ------
    ValueError
        If `p` is not in [0, 1).
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise ValueError(f"dropout must be in [0, 1), not {p}")
        self.p = p

    def forward(self, h: Tensor) -> Tensor:
        """Return `h` with dropped channels while training, `h` itself otherwise."""
        if not self.training or self.p == 0:
            return h
        return h * nn.functional.dropout(h.new_ones(h.shape[0], 1, h.shape[2]), self.p)
