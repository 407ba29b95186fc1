"""State-space duality for heads of moderate decay: one attention matrix for all of them.

With ``c`` the running sum of ``dt A`` within a chunk, the decay from token j to token i is
``exp(c_i - c_j) = exp(c_i - m) exp(m - c_j)``: one factor belongs to the row, one to the column. So
``C_i . B_j`` serves every head, nothing of size (heads, Q, Q) is made, and each product is one batched
matrix product over all heads. With m in the middle of the chunk both factors stay far inside the range of
float32 as long as no head decays by more than exp(-LARGEST_SPAN) within a chunk.

The state before chunk k is kept as that chunk sees it from its own m: ``seen_{k+1} = g_k (seen_k +
B_k^T drive_k)`` with one number g_k a head.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

from neuroprism.nn.chunks import chunked

LARGEST_SPAN = 80.0
"""Largest decay within a chunk, as a positive exponent: the factors lie within exp(-40) and exp(40)."""


def factored(x: Tensor, dt: Tensor, decay: Tensor, B: Tensor, C: Tensor, D: Tensor, size: int) -> Tensor:
    """Return the output (B, L, H, P) in chunks of `size` tokens.

    `decay` is ``dt A``, the rest as in `ssd`.
    """
    y: Tensor = _Factored.apply(x, dt, decay, B, C, D, size)  # type: ignore[no-untyped-call]
    return y


class _Factors:
    """What both passes need of the decays.

    Attributes
    ----------
    rise, fall
        (B, K, Q, H), ``exp(c - m)`` and ``exp(m - c)``.
    handed_on
        (B, K - 1, H), the factors g between chunks.
    """

    def __init__(self, decay: Tensor) -> None:
        c = decay.cumsum(dim=2)
        middle = (c[:, :, :1] + c[:, :, -1:]) / 2
        self.rise = torch.exp(c - middle)
        self.fall = torch.exp(middle - c)
        self.handed_on = torch.exp((c[:, :, -1:] - middle)[:, :-1, 0] + middle[:, 1:, 0])


class _Factored(torch.autograd.Function):
    """Both passes written out."""

    @staticmethod
    def forward(
        ctx: FunctionCtx, x: Tensor, dt: Tensor, decay: Tensor, B: Tensor, C: Tensor, D: Tensor, size: int
    ) -> Tensor:
        xs, steps, decays, Bs, Cs = (chunked(t, size) for t in (x, dt, decay, B, C))
        factors = _Factors(decays)
        drive = _drive(xs, factors.fall * steps)
        attention = torch.bmm(Cs.flatten(0, 1), Bs.flatten(0, 1).transpose(1, 2)).tril_()
        y = torch.bmm(attention, drive.flatten(0, 1)).view(drive.shape)
        seen: list[Tensor] = []
        for k in range(xs.shape[1] - 1):
            update = _accumulated(seen[-1] if seen else None, Bs[:, k].transpose(1, 2), drive[:, k])
            seen.append(_by_head_(update, factors.handed_on[:, k]))
            y[:, k + 1].baddbmm_(Cs[:, k + 1], seen[-1])
        inner = y.view(xs.shape).mul_(factors.rise.unsqueeze(-1)).flatten(1, 2)[:, : x.shape[1]]
        # Kept without the direct path, beside which the slopes of the decays would lose their digits.
        ctx.save_for_backward(x, dt, decay, B, C, D, inner, attention, *seen)
        ctx.size = size  # type: ignore[attr-defined]
        return torch.addcmul(inner, x, D[:, None])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, dt, decay, B, C, D, inner, attention, *seen = ctx.saved_tensors
        size, length = ctx.size, x.shape[1]
        xs, steps, decays, Bs, Cs, slope = (chunked(t, size) for t in (x, dt, decay, B, C, gradient))
        factors = _Factors(decays)
        weight = factors.fall * steps
        drive, lifted = _drive(xs, weight), _drive(slope, factors.rise)
        flat_drive, flat_lifted, B_flat, C_flat = (t.flatten(0, 1) for t in (drive, lifted, Bs, Cs))
        for_drive = torch.bmm(attention.transpose(1, 2), flat_lifted).view(drive.shape)
        for_attention = torch.bmm(flat_lifted, flat_drive.transpose(1, 2)).tril_()
        for_B = torch.bmm(for_attention.transpose(1, 2), C_flat).view(Bs.shape)
        for_C = torch.bmm(for_attention, B_flat).view(Cs.shape)
        for_last = torch.zeros_like(factors.handed_on)
        for_update: Tensor | None = None
        for k in range(len(seen) - 1, -1, -1):
            for_seen = _accumulated(for_update, Cs[:, k + 1].transpose(1, 2), lifted[:, k + 1])
            for_C[:, k + 1].baddbmm_(lifted[:, k + 1], seen[k].transpose(1, 2))
            for_last[:, k] = (for_seen * seen[k]).unflatten(-1, x.shape[2:]).sum(dim=(1, 3))
            for_update = _by_head_(for_seen, factors.handed_on[:, k])
            for_drive[:, k].baddbmm_(Bs[:, k], for_update)
            for_B[:, k].baddbmm_(drive[:, k], for_update.transpose(1, 2))
        for_drive = for_drive.view(xs.shape)
        # The middle is a matter of notation: nothing depends on it, and its slope is left out.
        along = torch.linalg.vecdot(for_drive, xs).mul_(factors.fall)
        for_c = chunked(torch.linalg.vecdot(gradient, inner), size) - along * steps
        for_c[:, :-1, -1] += for_last
        for_decay = for_c.flip(2).cumsum(dim=2).flip(2)
        for_x = for_drive.mul_(weight.unsqueeze(-1)).addcmul_(slope, D[:, None])
        inputs = (for_x, along, for_decay, for_B, for_C)
        return (
            *(t.flatten(1, 2)[:, :length] for t in inputs),
            torch.linalg.vecdot(gradient, x).sum(dim=(0, 1)),
            None,
        )


def _drive(xs: Tensor, weight: Tensor) -> Tensor:
    """Return (B, K, Q, H, P) times (B, K, Q, H) as (B, K, Q, H P)."""
    return (xs * weight.unsqueeze(-1)).flatten(3)


def _accumulated(before: Tensor | None, a: Tensor, b: Tensor) -> Tensor:
    """Return ``a b``, added to what there was (and may be overwritten no longer)."""
    return torch.bmm(a, b) if before is None else torch.baddbmm(before, a, b)


def _by_head_(states: Tensor, factor: Tensor) -> Tensor:
    """Multiply states (B, N, H P) in place by one factor a head, (B, H)."""
    states.view(*states.shape[:2], factor.shape[-1], -1).mul_(factor[:, None, :, None])
    return states
