"""Reading one vector, or one place, from a sequence."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class AttentionPool(nn.Module):
    """Weighted mean over time with learned weights that start equal.

    Parameters
    ----------
    d_model
        Number of channels D.
    """

    def __init__(self, d_model: int) -> None:
        super().__init__()
        self.score = nn.Linear(d_model, 1)
        nn.init.zeros_(self.score.weight)
        nn.init.zeros_(self.score.bias)

    def weights(self, h: Tensor, log_prior: Tensor | None = None) -> Tensor:
        """Return weights (B, T) that sum to 1.

        Parameters
        ----------
        h
            Sequence, shape (B, T, D).
        log_prior
            Added to the scores, shape (T,); minus infinity excludes a place.
        """
        scores = self.score(h).squeeze(-1).float()
        if log_prior is not None:
            scores = scores + log_prior
        return torch.softmax(scores, dim=-1)

    def forward(self, h: Tensor, log_prior: Tensor | None = None) -> Tensor:
        """Map (B, T, D) to (B, D)."""
        return read_at(h, self.weights(h, log_prior))


def read_at(h: Tensor, weights: Tensor) -> Tensor:
    """Return the mean of `h` (B, T, D) under `weights` (B, T), shape (B, D)."""
    return torch.bmm(weights.to(h.dtype).unsqueeze(1), h).squeeze(1)
