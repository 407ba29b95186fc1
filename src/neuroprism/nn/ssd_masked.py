"""State-space duality for heads of any decay: each has a mask of its own in every chunk.

Every decay between two tokens is summed up on its own (no difference of running sums, in which a strong decay
before both would drown it), and none is above one: nothing overflows, and what underflows is nothing.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from neuroprism.nn.chunks import chunked, even_chunk

LONGEST_CHUNK = 64
"""The masks grow with it, the states that are handed on shrink; measured on a CPU."""


def masked(
    x: Tensor, dt: Tensor, decay: Tensor, B: Tensor, C: Tensor, D: Tensor, chunk: int | None
) -> Tensor:
    """Return the output (B, L, H, P) in chunks of at most `chunk` tokens.

    `decay` is ``dt A``, the rest as in `ssd`.
    """
    length = x.shape[1]
    size = even_chunk(length, chunk or LONGEST_CHUNK)
    # Heads before tokens: (B, K, H, Q, ...).
    drive = chunked(x * dt.unsqueeze(-1), size).transpose(2, 3)
    a = chunked(decay, size).transpose(2, 3)
    Bs, Cs = chunked(B, size).unsqueeze(2), chunked(C, size).unsqueeze(2)
    mask = _decays(a)
    y = torch.matmul(torch.matmul(Cs, Bs.transpose(-1, -2)) * mask, drive)
    updates = torch.matmul(Bs.transpose(-1, -2), drive * mask[..., -1, :, None])
    since_start = a.cumsum(dim=-1).exp().unsqueeze(-1)
    carry = since_start[..., -1:, :]
    state, before = torch.zeros_like(updates[:, 0]), []
    for k in range(updates.shape[1]):
        before.append(state)
        state = carry[:, k] * state + updates[:, k]
    y = y + since_start * torch.matmul(Cs, torch.stack(before, dim=1))
    return y.transpose(2, 3).flatten(1, 2)[:, :length] + D[:, None] * x


def _decays(a: Tensor) -> Tensor:
    """Return (..., Q, Q), by how much what token j brought has decayed at token i; zero before j."""
    size = a.shape[-1]
    earlier = torch.ones(size, size, dtype=torch.bool, device=a.device).tril(-1)
    between = a.unsqueeze(-1).masked_fill(~earlier, 0.0).cumsum(dim=-2)
    # Numbers of no effect are left out: near the end of the range of a type arithmetic gets very slow.
    nothing = earlier.mT | (between < 3 * math.log(torch.finfo(a.dtype).eps))
    return between.masked_fill(nothing, -torch.inf).exp()
