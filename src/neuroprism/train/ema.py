"""The exponential moving average of the weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class AveragedWeights:
    """Moving average of the trainable parameters of a model.

    After step n (from 1) the average moves by ``1 - min(decay, (1 + n) / (10 + n))``
    of the way towards the weights, so that a short run is not stuck to its
    start. Buffers are not averaged.

    Parameters
    ----------
    model
        Network whose parameters are followed.
    decay
        Decay once the average has warmed up, e.g. 0.999.

    Notes
    -----
    ``torch.optim.swa_utils.AveragedModel`` copies the whole module and waits
    for the device in every update; this one does neither.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
        self._names = [name for name, _ in named]
        self._weights: list[Tensor] = [parameter for _, parameter in named]
        self._average: list[Tensor] = [parameter.detach().clone() for parameter in self._weights]

    @torch.no_grad()
    def update(self, step: int, *, applied: Tensor | None = None) -> None:
        """Follow the weights after optimizer step `step`, counted from 1.

        Parameters
        ----------
        step
            Number of the step.
        applied
            Scalar on the device, 1 where the step was applied and 0 where it
            was not; None means that it was.
        """
        weight = 1 - min(self.decay, (1 + step) / (10 + step))
        if applied is None:
            torch._foreach_lerp_(self._average, self._weights, weight)
            return
        moves = torch._foreach_sub(self._weights, self._average)
        torch._foreach_mul_(moves, applied * weight)
        torch._foreach_add_(self._average, moves)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Put the average into the model, and the weights back at the end."""
        with torch.no_grad():
            kept = [weight.detach().clone() for weight in self._weights]
            torch._foreach_copy_(self._weights, self._average)
        try:
            yield
        finally:
            with torch.no_grad():
                torch._foreach_copy_(self._weights, kept)

    def state_dict(self) -> dict[str, Tensor]:
        """Return the average by parameter name, fit for `nn.Module.load_state_dict`."""
        return dict(zip(self._names, self._average, strict=True))

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Continue from `state_dict`."""
        for name, average in zip(self._names, self._average, strict=True):
            average.copy_(state[name])
