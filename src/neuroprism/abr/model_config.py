"""The configuration of the ABR network."""

from __future__ import annotations

from pydantic import Field, field_validator, model_validator

from neuroprism.core.errors import UnknownNameError
from neuroprism.core.section import Section
from neuroprism.nn.s4_init import Initialisation


class EncoderConfig(Section):
    """The S4 levels that read the signal."""

    n_s4_layers: int = Field(default=2, ge=1)
    """S4 blocks per level."""

    d_state: int = Field(default=32, ge=2)
    """State size N of the S4 layers, even."""

    bidirectional: bool = True
    """Whether the S4 layers also look ahead in time."""

    init: Initialisation = "lin"
    """Initial eigenvalues of the S4 layers."""

    @field_validator("d_state")
    @classmethod
    def _even(cls, d_state: int) -> int:
        if d_state % 2:
            raise ValueError(f"must be even, not {d_state}")
        return d_state


class DecoderConfig(Section):
    """The Transformer levels that write the signal."""

    n_transformer_layers: int = Field(default=1, ge=1)
    """Transformer blocks per level."""

    n_heads: int = Field(default=4, ge=1)
    """Attention heads; they must divide the channels of every level."""

    mlp_ratio: float = Field(default=2.0, gt=0)
    """Width of a Transformer block's two-layer map over its channels."""


class FilmConfig(Section):
    """The embedding of diffusion step and static condition that modulates every level."""

    hidden_dim: int = Field(default=64, ge=2)
    """Size of the embedding, even."""

    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of the embedding's features dropped in training."""

    @field_validator("hidden_dim")
    @classmethod
    def _even(cls, hidden_dim: int) -> int:
        if hidden_dim % 2:
            raise ValueError(f"must be even, not {hidden_dim}")
        return hidden_dim


class HeadsConfig(Section):
    """The heads of the peak, class and threshold tasks."""

    hidden_dim: int = Field(default=64, ge=1)
    """Width of each head."""

    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Share of a head's features dropped in training."""

    min_scale: float = Field(default=0.05, gt=0, lt=1)
    """Smallest predicted standard deviation, in standard deviations of the training labels."""

    max_latency_shift: float = Field(default=1.0, gt=0)
    """Largest correction to the latency read from the time axis, in standard deviations of the labels."""


class ArchitectureConfig(Section):
    """Sizes of the hierarchical U-Net."""

    base_channels: int = Field(default=32, ge=1)
    """Channels of the finest level."""

    n_levels: int = Field(default=3, ge=1)
    """Number of levels; each one halves the sample rate of the one before."""

    channel_multipliers: tuple[int, ...] = (1, 2, 3)
    """Channels of each level over `base_channels`, finest level first."""

    patch_size: int = Field(default=4, ge=1)
    """Samples that enter and leave the finest level together."""

    dropout: float = Field(default=0.05, ge=0, lt=1)
    """Share of channels dropped in the blocks in training."""

    encoder: EncoderConfig = EncoderConfig()
    decoder: DecoderConfig = DecoderConfig()
    film: FilmConfig = FilmConfig()
    heads: HeadsConfig = HeadsConfig()

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels of each level, finest first."""
        return tuple(self.base_channels * multiplier for multiplier in self.channel_multipliers)

    @property
    def samples_per_step(self) -> int:
        """Samples that one step of the coarsest level covers."""
        return self.patch_size << (self.n_levels - 1)

    @model_validator(mode="after")
    def _possible(self) -> ArchitectureConfig:
        if len(self.channel_multipliers) != self.n_levels:
            raise ValueError(
                f"channel_multipliers must have one value per level: {len(self.channel_multipliers)} values, "
                f"n_levels is {self.n_levels}"
            )
        if min(self.channel_multipliers) < 1:
            raise ValueError(f"channel_multipliers must be positive, not {min(self.channel_multipliers)}")
        n_heads = self.decoder.n_heads
        for level, n_channels in enumerate(self.channels):
            if n_channels % n_heads:
                raise ValueError(
                    f"decoder.n_heads = {n_heads} does not divide the {n_channels} channels of level {level}"
                )
            if n_channels % 2:
                raise ValueError(f"base_channels x channel_multipliers must be even, not {n_channels}")
        return self


class ModelConfig(Section):
    """Which network, and its sizes."""

    type: str = "hierarchical_unet"
    """Registered name of the network."""

    use_fmp: bool = False
    """Whether the signal may depend on Fmp; the peak, class and threshold tasks never see it."""

    architecture: ArchitectureConfig = ArchitectureConfig()

    @field_validator("type")
    @classmethod
    def _registered(cls, name: str) -> str:
        from neuroprism.abr.model import models  # the networks import this module

        try:
            models[name]
        except UnknownNameError as error:
            raise ValueError(str(error)) from None
        return name
