"""Weights from an aggregator of torchjd, which reads the gradients of all components in every step."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

import torch
from torch import Tensor

from neuroprism.core.errors import UserError
from neuroprism.core.records import Component
from neuroprism.train.balancing.balancing import Balancing, balancings

AGGREGATORS = {
    "upgrad": "UPGrad",
    "dualproj": "DualProj",
    "mgda": "MGDA",
    "pcgrad": "PCGrad",
    "aligned_mtl": "AlignedMTL",
}
"""Aggregators of torchjd that combine gradients with weights which are never negative, need no option
and keep no state."""


class JacobianBalancing(Balancing):
    """Jacobian descent (Quinton and Rey 2024, arXiv 2406.16232) and its relatives.

    The aggregator sees the inner products between the gradients of ``c_i L_i`` on
    the shared parameters and returns the weights of their combination. The
    effective weights are these times c_i, scaled so that their sum is that of the
    configured ones; the direction of the update is the aggregator's.

    A component without gradient on the shared parameters in this step, as one
    that the batch did not compute or whose head is still at zero, keeps its
    configured weight. With several batches to a step the gradients of the first
    one decide; with several processes the mean of the weights holds.

    Parameters
    ----------
    name, components
        As for `Balancing`.

    Raises
    ------
    UserError
        If torchjd is not installed.
    """

    needs_gradients = True

    def __init__(self, name: str, components: Sequence[Component]) -> None:
        super().__init__(name, components)
        if any(importlib.util.find_spec(package) is None for package in ("torchjd", "quadprog")):
            raise UserError(
                f"loss.balancing: {name} needs torchjd, which is not installed; "
                'pip install "neuroprism[torchjd]"'
            )
        from torchjd import aggregation

        self._weighting = getattr(aggregation, AGGREGATORS[name])().gramian_weighting

    @torch.no_grad()
    def weights(self, gram: Tensor | None) -> Tensor:
        """Return the aggregator's weights for these gradients."""
        assert gram is not None
        own = self.configured.detach().cpu().double()
        on_host = gram.detach().cpu().double() * torch.outer(own, own)
        there = torch.nonzero(on_host.diagonal() > 0).flatten()
        if len(there) < 2 or not torch.isfinite(on_host).all():
            return self.configured
        combined = self._weighting(on_host[there][:, there]).double() * own[there]
        if not combined.sum() > 0:
            return self.configured
        effective = own.clone()
        effective[there] = combined * (own[there].sum() / combined.sum())
        return effective.to(self.configured)

    def learn(self, losses: Tensor, computed: Tensor, gram: Tensor | None, *, applied: Tensor) -> None:
        """Learn nothing: every step is decided by its own gradients."""


for _name in AGGREGATORS:
    balancings.register(_name)(JacobianBalancing)
