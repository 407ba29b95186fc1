"""Running statistics of normalisation layers, kept clean of refused steps."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase


class RunningStatistics:
    """Takes back what the forward pass of a refused step did to running means and variances.

    The forward pass updates them before anybody can know that the step is bad,
    and a NaN never leaves a running mean again.
    """

    def __init__(self, model: nn.Module) -> None:
        self._layers = [m for m in model.modules() if isinstance(m, _NormBase) and m.track_running_stats]
        self._kept: list[Tensor] = []

    def keep(self) -> None:
        """Remember the present state."""
        self._kept = [buffer.clone() for buffer in self._buffers()]

    def take_back(self, *, refused: bool | Tensor) -> None:
        """Return to the remembered state where `refused`, a bool or a flag on the device, is set."""
        if refused is False:
            return
        for buffer, kept in zip(self._buffers(), self._kept, strict=True):
            buffer.copy_(kept if refused is True else torch.where(torch.as_tensor(refused) > 0, kept, buffer))

    def _buffers(self) -> list[Tensor]:
        return [buffer for layer in self._layers for buffer in layer.buffers(recurse=False)]
