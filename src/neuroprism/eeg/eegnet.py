"""EEGNet: a small convolutional network for any EEG task.

Lawhern et al. 2018, "EEGNet: a compact convolutional neural network for EEG-based brain-computer
interfaces", J Neural Eng 15:056013. Letters: B batch, C channel, T time, K outputs.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from neuroprism.core.errors import ConfigError, DataError

_POOLS = (4, 8)
_SEPARABLE_SAMPLES = 16


class EEGNet(nn.Module):
    """Temporal filters, spatial filters for each of them, a separable convolution, one linear map.

    Batch norms and initial weights are those of the authors' code; the bounds on the norms of the
    spatial filters and of the linear map hold at every pass, not only after an update.

    Parameters
    ----------
    n_chans
        Channels C.
    n_outputs
        Outputs K.
    n_times
        Samples T of a window, at least 32.
    sfreq
        Sample rate in Hz; the temporal filters are half a second long.
    n_filters
        Temporal filters F1.
    depth
        Spatial filters D for each temporal one; F1 D separable filters follow.
    dropout
        Probability after each pooling.

    Raises
    ------
    ConfigError
        If a size is impossible.
    """

    def __init__(
        self,
        n_chans: int,
        n_outputs: int,
        n_times: int,
        sfreq: float,
        *,
        n_filters: int = 8,
        depth: int = 2,
        dropout: float = 0.25,
    ) -> None:
        super().__init__()
        _check_sizes(n_chans, n_outputs, n_times, sfreq)
        self.n_chans, self.n_times = n_chans, n_times
        n_temporal, n_spatial = round(sfreq / 2), n_filters * depth
        self.features = nn.Sequential(
            _same_length(n_temporal),
            nn.Conv2d(1, n_filters, (1, n_temporal), bias=False),
            _batch_norm(n_filters),
            BoundedConv2d(n_filters, n_spatial, (n_chans, 1), groups=n_filters, bias=False),
            _batch_norm(n_spatial),
            nn.ELU(),
            nn.AvgPool2d((1, _POOLS[0])),
            nn.Dropout(dropout),
            _same_length(_SEPARABLE_SAMPLES),
            nn.Conv2d(n_spatial, n_spatial, (1, _SEPARABLE_SAMPLES), groups=n_spatial, bias=False),
            nn.Conv2d(n_spatial, n_spatial, 1, bias=False),
            _batch_norm(n_spatial),
            nn.ELU(),
            nn.AvgPool2d((1, _POOLS[1])),
            nn.Dropout(dropout),
            nn.Flatten(),
        )
        self.classifier = BoundedLinear(n_spatial * (n_times // _POOLS[0] // _POOLS[1]), n_outputs)
        self.apply(_initialise)

    def forward(self, x: Tensor) -> Tensor:
        """Map windows (B, C, T) to outputs (B, K).

        Raises
        ------
        DataError
            If the shape is another.
        """
        if x.ndim != 3 or x.shape[1:] != (self.n_chans, self.n_times):
            raise DataError(
                f"this EEGNet reads (batch, {self.n_chans}, {self.n_times}), not {tuple(x.shape)}"
            )
        y: Tensor = self.classifier(self.features(x.unsqueeze(1)))
        return y


class BoundedConv2d(nn.Conv2d):
    """Convolution whose filters have a norm of at most 1."""

    limit = 1.0

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (B, F, C, T)."""
        y: Tensor = self._conv_forward(x, bounded(self.weight, self.limit), self.bias)
        return y


class BoundedLinear(nn.Linear):
    """Linear map whose rows have a norm of at most 1/4."""

    limit = 0.25

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, D) to (B, K)."""
        return nn.functional.linear(x, bounded(self.weight, self.limit), self.bias)


def bounded(weight: Tensor, limit: float) -> Tensor:
    """Return `weight` with every ``weight[k]`` scaled down to a norm of at most `limit`."""
    norm = torch.linalg.vector_norm(weight.flatten(1), dim=1).clamp_min(limit)
    scaled: Tensor = weight * (limit / norm).view(-1, *[1] * (weight.ndim - 1))
    return scaled


def _check_sizes(n_chans: int, n_outputs: int, n_times: int, sfreq: float) -> None:
    shortest = _POOLS[0] * _POOLS[1]
    if n_times < shortest:
        raise ConfigError(
            f"EEGNet pools by {_POOLS[0]} and {_POOLS[1]} and needs windows of at least {shortest} samples, "
            f"not {n_times}"
        )
    if n_chans < 1 or n_outputs < 1 or sfreq < 2:
        raise ConfigError(
            f"EEGNet needs channels, outputs and at least 2 Hz, not n_chans={n_chans}, "
            f"n_outputs={n_outputs}, sfreq={sfreq}"
        )


def _same_length(kernel: int) -> nn.Module:
    """Return the padding after which a filter of `kernel` samples keeps the length of its input."""
    return nn.ZeroPad2d(((kernel - 1) // 2, kernel // 2, 0, 0))


def _batch_norm(n_channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(n_channels, eps=1e-3, momentum=0.01)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
