"""No update is ever made from a NaN or infinite loss or gradient.

On the CPU the values are looked at before every step. On an accelerator that
would mean waiting for it, so the decision stays there: a flag is computed on
the device and handed to the fused optimizer as ``found_inf``, which then leaves
weights and moments alone. Under ``stop`` the flag is sticky: once it is set, no
later step is applied either, until somebody reads the flag and ends training.
Optimizers without that mechanism fall back to looking at once.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.optim import SGD, Optimizer

Policy = Literal["stop", "skip"]


class NonFiniteGuard:
    """Decides for every optimizer step whether it may be applied.

    Parameters
    ----------
    optimizer
        The optimizer that will make the steps.
    policy
        ``stop``: nothing is applied after the first bad step; ``skip``: only
        the bad step is left out.
    device
        Where losses and gradients lie.
    deferred
        Leave the decision on the device; None: where it is worth it and possible.

    Attributes
    ----------
    deferred
        Whether verdicts are tensors on the device.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        *,
        policy: Policy,
        device: torch.device,
        deferred: bool | None = None,
    ) -> None:
        possible = getattr(optimizer, "_step_supports_amp_scaling", False)
        self.deferred = possible and device.type != "cpu" if deferred is None else deferred
        if self.deferred and not possible:
            raise ValueError(f"{type(optimizer).__name__} is not fused: it cannot read found_inf")
        self._optimizer = optimizer
        self._policy = policy
        self._sticky = torch.zeros((), device=device)
        if self.deferred and isinstance(optimizer, SGD):
            _start_momentum(optimizer)

    def judge(self, total: Tensor, grad_norm: Tensor) -> bool | Tensor:
        """Return whether the coming step must not be applied.

        Parameters
        ----------
        total, grad_norm
            Scalars of this step.

        Returns
        -------
        bool or Tensor
            If deferred, a float scalar on the device, 1 or 0, which the
            optimizer already holds; otherwise a bool for the caller to obey.
        """
        bad = ~(torch.isfinite(total.detach()) & torch.isfinite(grad_norm))
        if not self.deferred:
            return bool(bad)
        flag = bad.to(torch.float32).reshape(())
        if self._policy == "stop":
            flag = self._sticky = torch.maximum(self._sticky, flag)
        self._optimizer.found_inf = flag  # type: ignore[attr-defined]
        return flag


def _start_momentum(optimizer: SGD) -> None:
    """Begin with zero momentum, which is the same as none.

    Fused SGD leaves its first buffer uninitialised where the very first step
    is not applied.
    """
    for group in optimizer.param_groups:
        for parameter in group["params"] if group["momentum"] else ():
            optimizer.state[parameter].setdefault("momentum_buffer", torch.zeros_like(parameter))
