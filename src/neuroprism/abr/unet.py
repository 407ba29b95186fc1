"""The trunk of the ABR network: S4 levels down, Transformer levels up.

Letters: B batch, T samples, D channels; inside, sequences are (B, T, D).
"""

from __future__ import annotations

import itertools

from torch import Tensor, nn

from neuroprism.abr.model_config import ArchitectureConfig
from neuroprism.nn import Downsample, FiLM, PositionEmbedding, S4Block, TransformerBlock, Upsample


class EncoderLevel(nn.Module):
    """Modulation by the condition, then S4 blocks."""

    def __init__(self, config: ArchitectureConfig, level: int) -> None:
        super().__init__()
        d_model = config.channels[level]
        encoder = config.encoder
        self.film = FiLM(config.film.hidden_dim, d_model)
        self.blocks = nn.ModuleList(
            S4Block(
                d_model,
                encoder.d_state,
                init=encoder.init,
                bidirectional=encoder.bidirectional,
                dt_scale=config.patch_size * 2**level,
                dropout=config.dropout,
            )
            for _ in range(encoder.n_s4_layers)
        )

    def forward(self, h: Tensor, embedding: Tensor) -> Tensor:
        """Map (B, T, D) to (B, T, D)."""
        h = self.film(h, embedding)
        for block in self.blocks:
            h = block(h)
        return h


class DecoderLevel(nn.Module):
    """Merging with the encoder's features, modulation by the condition, then Transformer blocks."""

    def __init__(self, config: ArchitectureConfig, level: int) -> None:
        super().__init__()
        d_model = config.channels[level]
        coarsest = level == config.n_levels - 1
        self.upsample = None if coarsest else Upsample(config.channels[level + 1], d_model)
        self.film = FiLM(config.film.hidden_dim, d_model)
        self.position = PositionEmbedding(d_model)
        self.blocks = nn.ModuleList(
            TransformerBlock(
                d_model,
                config.decoder.n_heads,
                mlp_ratio=config.decoder.mlp_ratio,
                dropout=config.dropout,
            )
            for _ in range(config.decoder.n_transformer_layers)
        )

    def forward(self, h: Tensor, skip: Tensor, embedding: Tensor) -> Tensor:
        """Map the coarser level and the encoder's features (B, T, D) to (B, T, D)."""
        if self.upsample is not None:
            h = skip + self.upsample(h)
        h = self.position(self.film(h, embedding))
        for block in self.blocks:
            h = block(h)
        return h


class Encoder(nn.Module):
    """Signal to features of every level, finest first."""

    def __init__(self, config: ArchitectureConfig) -> None:
        super().__init__()
        channels = config.channels
        self.stem = Downsample(1, channels[0], config.patch_size)
        self.levels = nn.ModuleList(EncoderLevel(config, level) for level in range(config.n_levels))
        self.downsample = nn.ModuleList(
            Downsample(fine, coarse) for fine, coarse in itertools.pairwise(channels)
        )

    def forward(self, x: Tensor, embedding: Tensor) -> list[Tensor]:
        """Map (B, T, 1) to one (B, T_level, D_level) per level."""
        h: Tensor = self.stem(x)
        features = []
        for i, level in enumerate(self.levels):
            if i > 0:
                h = self.downsample[i - 1](h)
            h = level(h, embedding)
            features.append(h)
        return features


class SignalOutput(nn.Module):
    """Features of the finest level to one value per sample; starts at zero."""

    def __init__(self, config: ArchitectureConfig) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(config.channels[0])
        self.upsample = Upsample(config.channels[0], 1, config.patch_size)
        nn.init.zeros_(self.upsample.map.weight)
        nn.init.zeros_(self.upsample.map.bias)

    def forward(self, h: Tensor) -> Tensor:
        """Map (B, T / patch, D) to (B, T, 1)."""
        y: Tensor = self.upsample(self.norm(h))
        return y
