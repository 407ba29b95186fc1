"""A vector that learns by Adam, on its device and without waiting for it."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

_BETAS = (0.9, 0.999)
_EPSILON = 1e-8


class AdamVector:
    """A few numbers with their moments (Kingma and Ba 2015, arXiv 1412.6980).

    The optimizers of PyTorch cannot leave out a step that only the device knows
    to be bad; this one can.

    Parameters
    ----------
    start
        (K,) first values.
    learning_rate
        Length of a step.
    """

    def __init__(self, start: Tensor, learning_rate: float) -> None:
        self.learning_rate = learning_rate
        zeros = torch.zeros_like(start)
        self._state = {"value": start.clone(), "first": zeros, "second": zeros, "n": zeros[:1]}

    @property
    def value(self) -> Tensor:
        """The present values; never changed in place."""
        return self._state["value"]

    def replace(self, value: Tensor) -> None:
        """Put other values in place, e.g. those within bounds."""
        self._state["value"] = value

    @torch.no_grad()
    def step(self, gradient: Tensor, *, applied: Tensor) -> None:
        """Move against `gradient` where `applied` is true."""
        state = self._state
        n = state["n"] + 1
        first = torch.lerp(gradient, state["first"], _BETAS[0])
        second = torch.lerp(gradient.square(), state["second"], _BETAS[1])
        size = (second / (1 - _BETAS[1] ** n)).sqrt() + _EPSILON
        value = state["value"] - self.learning_rate * first / (1 - _BETAS[0] ** n) / size
        moved = {"value": value, "first": first, "second": second, "n": n}
        self._state = {name: torch.where(applied, moved[name], state[name]) for name in state}

    def follow(self, device: torch.device) -> None:
        """Move to a device."""
        self._state = {name: tensor.to(device) for name, tensor in self._state.items()}

    def state_dict(self) -> dict[str, Tensor]:
        """Return values and moments."""
        return dict(self._state)

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Continue from `state_dict`."""
        self._state = {name: state[name].to(own.device) for name, own in self._state.items()}
