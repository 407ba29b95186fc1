"""Weights that make the gradients of the components equally large."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from neuroprism.core.records import Component
from neuroprism.train.balancing.adam_vector import AdamVector
from neuroprism.train.balancing.balancing import Balancing, balancings

LEARNING_RATE = 0.025
ALPHA = 1.5
LEAST_RATIO = 0.05
LEAST_WEIGHT = 0.01


@balancings.register("gradnorm")
class GradNorm(Balancing):
    """GradNorm (Chen et al. 2018, arXiv 1711.02257, algorithm 1).

    The norm of the weighted gradient of component i on the shared parameters is
    drawn to ``G r_i^1.5``: G is the mean norm, r_i how far the component has come
    beside the others, ``L_i / L_i(0)`` over its mean. The weights minimise the sum
    of absolute distances, by Adam; their sum stays that of the configured weights.

    ``L_i(0)`` is the baseline of the component where it declares one, else its
    first value. A ratio below 0.05, as that of a likelihood below 0, counts as 0.05.

    Parameters
    ----------
    name, components
        As for `Balancing`.
    """

    needs_gradients = True

    def __init__(self, name: str, components: Sequence[Component]) -> None:
        super().__init__(name, components)
        self._weight = AdamVector(self.configured, LEARNING_RATE)
        given = [c.baseline if c.baseline is not None and c.baseline > 0 else torch.nan for c in components]
        self._start = torch.tensor(given)

    def weights(self, gram: Tensor | None) -> Tensor:
        """Return the weights as learnt so far."""
        return self._weight.value

    @torch.no_grad()
    def learn(self, losses: Tensor, computed: Tensor, gram: Tensor | None, *, applied: Tensor) -> None:
        """Make one step of the weights."""
        assert gram is not None
        norms = gram.diagonal().clamp(min=0).sqrt()
        taken = computed & applied & self._start.isnan() & (losses > 0)
        self._start = torch.where(taken, losses, self._start)
        active = computed & (norms > 0) & (self.configured > 0)
        n = active.sum().clamp(min=1)
        ratio = torch.nan_to_num(losses / self._start, nan=1.0).clamp(min=LEAST_RATIO)
        rate = ratio / (torch.where(active, ratio, 0.0).sum() / n)
        weighted = self._weight.value * norms
        mean = torch.where(active, weighted, 0.0).sum() / n
        gradient = torch.where(active, norms * torch.sign(weighted - mean * rate**ALPHA), 0.0)
        self._weight.step(gradient, applied=applied & (active.sum() > 1))
        self._keep_sum()

    def follow(self, device: torch.device) -> None:
        """Move everything to the device of the losses."""
        super().follow(device)
        self._weight.follow(device)
        self._start = self._start.to(device)

    def state_dict(self) -> dict[str, Any]:
        """Return the weights, their moments and the first losses."""
        return {**super().state_dict(), "weight": self._weight.state_dict(), "start": self._start}

    def load_state_dict(self, state: Mapping[str, Any]) -> bool:
        """Continue from `state_dict`."""
        fits = super().load_state_dict(state)
        if fits:
            self._weight.load_state_dict(state["weight"])
            self._start = state["start"].to(self._start.device)
        return fits

    def _keep_sum(self) -> None:
        """Keep weights positive, those of 0 where they are, and their sum."""
        least = torch.where(self.configured > 0, LEAST_WEIGHT, 0.0)
        weight = torch.where(self.configured > 0, torch.maximum(self._weight.value, least), 0.0)
        self._weight.replace(weight * (self.configured.sum() / weight.sum().clamp(min=1e-12)))
