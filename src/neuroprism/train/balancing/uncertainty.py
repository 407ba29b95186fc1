"""Weights from a learned uncertainty of every component."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from neuroprism.core.records import Component
from neuroprism.train.balancing.adam_vector import AdamVector
from neuroprism.train.balancing.balancing import Balancing, balancings

LEARNING_RATE = 0.01
LARGEST_LOG_VARIANCE = 3.0


@balancings.register("uncertainty")
class Uncertainty(Balancing):
    """Homoscedastic uncertainty (Kendall et al. 2018, arXiv 1705.07115, equation 10).

    Component i has a log variance s_i, and training minimises
    ``sum(c_i (exp(-s_i) L_i + s_i / 2))`` over network and s alike. The weight is
    ``c_i exp(-s_i)``; the total that is recorded leaves the term ``s_i / 2`` out,
    which no parameter of the network feels.

    At rest the weight is ``c_i / (2 L_i)``: components of unequal size come to
    count alike. One that reaches 0 or goes below, as a likelihood may, would get
    an infinite weight; log variances stay within -3 and 3, factors of 1/20 and 20.

    Parameters
    ----------
    name, components
        As for `Balancing`.
    """

    def __init__(self, name: str, components: Sequence[Component]) -> None:
        super().__init__(name, components)
        self._log_variance = AdamVector(torch.zeros(len(components)), LEARNING_RATE)

    def weights(self, gram: Tensor | None) -> Tensor:
        """Return the configured weights times exp(-s)."""
        return self.configured * torch.exp(-self._log_variance.value)

    @torch.no_grad()
    def learn(self, losses: Tensor, computed: Tensor, gram: Tensor | None, *, applied: Tensor) -> None:
        """Make one step of the log variances."""
        s = self._log_variance
        gradient = torch.where(computed, 0.5 - torch.exp(-s.value) * losses, 0.0)
        s.step(gradient, applied=applied)
        s.replace(s.value.clamp(-LARGEST_LOG_VARIANCE, LARGEST_LOG_VARIANCE))

    def follow(self, device: torch.device) -> None:
        """Move everything to the device of the losses."""
        super().follow(device)
        self._log_variance.follow(device)

    def state_dict(self) -> dict[str, Any]:
        """Return the log variances and their moments."""
        return {**super().state_dict(), "log_variance": self._log_variance.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> bool:
        """Continue from `state_dict`."""
        fits = super().load_state_dict(state)
        if fits:
            self._log_variance.load_state_dict(state["log_variance"])
        return fits
