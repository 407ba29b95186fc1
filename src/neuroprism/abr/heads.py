"""Task heads: peak existence, latency and amplitude of wave V, hearing class, threshold."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from neuroprism.abr.model_config import HeadsConfig
from neuroprism.nn import AttentionPool, read_at


class TaskPrediction(NamedTuple):
    """What the heads say of each recording; locations and scales in standardised units."""

    peak_logit: Tensor
    """Log odds that wave V is present, shape (B,)."""
    latency_mean: Tensor
    latency_scale: Tensor
    amplitude_mean: Tensor
    amplitude_scale: Tensor
    class_logits: Tensor
    """Scores of the hearing classes, shape (B, K)."""
    threshold_mean: Tensor
    threshold_scale: Tensor


@dataclass(frozen=True)
class LatencyPrior:
    """Where wave V lies in the window, from the training labels.

    Turns a place on the time axis into a standardised latency, so that the network need not
    learn what is known. Fractions count from the first sample, 1 is the end of the window.

    Attributes
    ----------
    mean, sd
        Mean and standard deviation of the latency as fractions of the window.

    Raises
    ------
    ValueError
        If `sd` is not positive or a value is not finite.
    """

    mean: float
    sd: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.mean) and math.isfinite(self.sd) and self.sd > 0):
            raise ValueError(
                f"latency prior needs a finite mean and a positive sd, not {self.mean}, {self.sd}"
            )


class _Head(nn.Module):
    """Two-layer map whose outputs start at zero."""

    def __init__(self, d_in: int, d_out: int, config: HeadsConfig) -> None:
        super().__init__()
        self.hidden = nn.Sequential(
            nn.LayerNorm(d_in), nn.Linear(d_in, config.hidden_dim), nn.GELU(), nn.Dropout(config.dropout)
        )
        self.out = nn.Linear(config.hidden_dim, d_out)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, D) to (B, d_out), float32."""
        y: Tensor = self.out(self.hidden(features)).float()
        return y


class TaskHeads(nn.Module):
    """Reads the tasks from the features of the observed recording.

    The latency is the mean place of a learned attention over time, in standardised units,
    plus a bounded correction; existence and amplitude read the features at that place and
    the whole recording. The attention starts as the distribution of the training latencies.

    Parameters
    ----------
    d_features, d_bottleneck, d_embedding
        Channels of the time-resolved features, of the coarsest level and of the condition embedding.
    n_classes
        Number of hearing classes K.
    latency
        Distribution of the training latencies.
    config
        Sizes and bounds.
    """

    latency: Tensor

    def __init__(
        self,
        d_features: int,
        d_bottleneck: int,
        d_embedding: int,
        *,
        n_classes: int,
        latency: LatencyPrior,
        config: HeadsConfig,
    ) -> None:
        super().__init__()
        self.min_scale = config.min_scale
        self.max_latency_shift = config.max_latency_shift
        # softplus(raw + offset) + min_scale is 1 at raw = 0
        self.scale_offset = math.log(math.expm1(1 - config.min_scale))
        self.register_buffer("latency", torch.tensor([latency.mean, latency.sd]))
        self.locate = AttentionPool(d_features)
        self.pool_features = AttentionPool(d_features)
        self.pool_bottleneck = AttentionPool(d_bottleneck)
        d_global = d_features + d_bottleneck + d_embedding
        self.peak = _Head(d_features + d_global, 5, config)
        self.hearing_class = _Head(d_global, n_classes, config)
        self.threshold = _Head(d_global, 2, config)

    def forward(
        self, features: Tensor, bottleneck: Tensor, embedding: Tensor, *, valid_share: float
    ) -> TaskPrediction:
        """Predict from features (B, T', D), coarsest level (B, T'', D'') and embedding (B, E).

        `valid_share` is the part of the time axis that is recording and not padding.
        """
        place = self._standardised_places(features.shape[1], valid_share)
        attention = self.locate.weights(features, _log_prior(place))
        pooled = (self.pool_features(features), self.pool_bottleneck(bottleneck), embedding)
        whole = torch.cat(pooled, dim=-1)
        peak = self.peak(torch.cat((read_at(features, attention), whole), dim=-1))
        exists, shift, latency_raw, amplitude, amplitude_raw = peak.unbind(-1)
        threshold, threshold_raw = self.threshold(whole).unbind(-1)
        bound = self.max_latency_shift
        return TaskPrediction(
            peak_logit=exists,
            latency_mean=attention @ place.nan_to_num() + bound * torch.tanh(shift / bound),
            latency_scale=self._scale(latency_raw),
            amplitude_mean=amplitude,
            amplitude_scale=self._scale(amplitude_raw),
            class_logits=self.hearing_class(whole),
            threshold_mean=threshold,
            threshold_scale=self._scale(threshold_raw),
        )

    def _scale(self, raw: Tensor) -> Tensor:
        return self.min_scale + nn.functional.softplus(raw + self.scale_offset)

    def _standardised_places(self, n_steps: int, valid_share: float) -> Tensor:
        """Return the standardised latency at the middle of each step, shape (T',); NaN in the padding."""
        middle = torch.arange(n_steps, device=self.latency.device, dtype=torch.float32) + 0.5
        fraction = middle / (n_steps * valid_share)
        place = (fraction - self.latency[0]) / self.latency[1]
        return place.masked_fill(fraction > 1, float("nan"))


def _log_prior(place: Tensor) -> Tensor:
    """Return the log density of standardised places up to a constant; minus infinity in the padding."""
    return (-0.5 * place.square()).nan_to_num(nan=float("-inf"))
