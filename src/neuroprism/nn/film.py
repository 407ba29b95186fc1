"""Feature-wise linear modulation: a condition scales and shifts channels."""

from __future__ import annotations

from torch import Tensor, nn


class FiLM(nn.Module):
    """Scale and shift channels by a linear function of an embedding (Perez et al. 2018, arXiv 1709.07871).

    The map starts at zero, so the layer starts as the identity.

    Parameters
    ----------
    d_embedding
        Size of the embedding.
    d_model
        Number of channels D.
    """

    def __init__(self, d_embedding: int, d_model: int) -> None:
        super().__init__()
        self.project = nn.Linear(d_embedding, 2 * d_model)
        nn.init.zeros_(self.project.weight)
        nn.init.zeros_(self.project.bias)

    def forward(self, h: Tensor, embedding: Tensor) -> Tensor:
        """Modulate `h` (B, T, D) by `embedding` (B, E)."""
        scale, shift = self.project(embedding).unsqueeze(1).chunk(2, dim=-1)
        modulated: Tensor = h + h * scale + shift
        return modulated
