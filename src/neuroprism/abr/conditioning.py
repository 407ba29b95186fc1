"""Embedding of the static condition of a recording and of the diffusion step."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from neuroprism.abr.model_config import FilmConfig
from neuroprism.core.errors import DataError
from neuroprism.nn import TimeEmbedding

CONDITIONS = ("age", "level", "rate", "fmp")
"""Columns of a condition, in this order."""

FMP = CONDITIONS.index("fmp")


class ConditionEmbedding(nn.Module):
    """Embeds step and condition as one vector; a dropped condition becomes one learned null vector.

    A missing value counts as the training mean (zero) beside an indicator of its own.

    Parameters
    ----------
    config
        Size and dropout.
    use_fmp
        Whether the Fmp column may be read at all.
    """

    def __init__(self, config: FilmConfig, *, use_fmp: bool) -> None:
        super().__init__()
        size = config.hidden_dim
        self.use_fmp = use_fmp
        self.time = TimeEmbedding(size)
        self.condition = nn.Sequential(nn.Linear(2 * len(CONDITIONS), size), nn.SiLU(), nn.Linear(size, size))
        self.null = nn.Parameter(0.02 * torch.randn(size))
        self.out = nn.Sequential(nn.SiLU(), nn.Linear(size, size), nn.SiLU(), nn.Dropout(config.dropout))

    def forward(
        self, t: Tensor, condition: Tensor, missing: Tensor, *, drop: Tensor, hide_fmp: Tensor
    ) -> Tensor:
        """Return embeddings (B, E).

        Parameters
        ----------
        t
            Diffusion steps, shape (B,).
        condition, missing
            Standardised values and flags of missing ones, shape (B, F), columns `CONDITIONS`.
        drop
            Flags of samples whose condition is replaced by the null vector, shape (B,).
        hide_fmp
            Flags of samples whose Fmp counts as missing, shape (B,).

        Raises
        ------
        DataError
            If the condition has other columns.
        """
        if condition.shape[-1] != len(CONDITIONS):
            raise DataError(f"a condition has the columns {', '.join(CONDITIONS)}, not {condition.shape[-1]}")
        missing = missing.clone()
        missing[:, FMP] |= hide_fmp if self.use_fmp else torch.ones_like(hide_fmp)
        known = condition.masked_fill(missing, 0.0)
        embedded = self.condition(torch.cat((known, missing.to(known.dtype)), dim=-1))
        embedded = torch.where(drop.unsqueeze(-1), self.null.to(embedded.dtype), embedded)
        embedding: Tensor = self.out(self.time(t) + embedded)
        return embedding
