"""The state-space recurrence of Mamba-2, step by step: slow, obvious, the truth for tests."""

from __future__ import annotations

import torch
from torch import Tensor


def ssd_reference(x: Tensor, dt: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor) -> Tensor:
    """Return the output of the recurrence, computed in float64 one token after the other.

    ``h_t = exp(dt_t A) h_{t-1} + dt_t x_t (x) B_t`` and ``y_t = h_t C_t + D x_t`` for
    every head (Dao and Gu 2024, arXiv 2405.21060, section 2). For the shapes see `ssd`.
    """
    x, dt, A, B, C, D = (tensor.double() for tensor in (x, dt, A, B, C, D))
    n_batch, length, n_heads, width = x.shape
    state = x.new_zeros(n_batch, n_heads, width, B.shape[-1])
    outputs = []
    for t in range(length):
        decay = torch.exp(dt[:, t] * A)[..., None, None]
        drive = (dt[:, t, :, None] * x[:, t])[..., None] * B[:, t, None, None, :]
        state = decay * state + drive
        outputs.append(torch.einsum("bhpn,bn->bhp", state, C[:, t]) + D[:, None] * x[:, t])
    return torch.stack(outputs, dim=1)
