"""State-space duality: the recurrence of Mamba-2 as matrix products (Dao and Gu 2024, arXiv 2405.21060).

Within a chunk of Q tokens the recurrence is a masked attention, between chunks it carries a
state. With ``c`` the running sum of ``dt A`` the decay from token j to token i is
``exp(c_i - c_j) = exp(c_i - m) exp(m - c_j)``: one factor belongs to the row, one to the column.
So the attention matrix ``C_i . B_j`` is the same for all heads, and nothing of size
(heads, Q, Q) is ever made. Centred at the middle m of a chunk, the two factors stay far inside
the range of float32 as long as a chunk does not decay by more than exp(-100); chunks are halved
until that holds.

Letters: B batch, L tokens, H heads, P width of a head, N state, Q tokens of a chunk, K chunks.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn import functional as F

LONGEST_CHUNK = 64
"""Longest chunk on the CPU, measured for N = 64 and H P = 400."""

_LARGEST_DECAY = 100.0
_KERNEL_CHUNK = 256


def ssd(
    x: Tensor, dt: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, *, chunk: int | None = None
) -> Tensor:
    """Return the output of the selective state space for every token.

    Parameters
    ----------
    x
        (B, L, H, P) input.
    dt
        (B, L, H) step sizes, not negative.
    A
        (H,) negative rates of decay.
    B, C
        (B, L, N) input and output directions, shared by all heads.
    D
        (H,) weight of the direct path.
    chunk
        Tokens of a chunk; has no effect on the result. None chooses by length and decay.

    Returns
    -------
    Tensor
        (B, L, H, P), of the type of `x`; computed in float32 at least.

    Raises
    ------
    ValueError
        If `chunk` is below 1 or the shapes do not belong together.
    """
    _check(x, dt, A, B, C, D, chunk)
    wide = torch.promote_types(x.dtype, torch.float32)
    kernel = _kernel() if x.is_cuda and not torch.are_deterministic_algorithms_enabled() else None
    if kernel is not None:
        fused: Tensor = kernel(x, dt, A, B.unsqueeze(2), C.unsqueeze(2), chunk_size=_KERNEL_CHUNK, D=D)
        return fused
    with _full_precision(x.device.type):
        decay = dt.to(wide) * A.to(wide)
        size = _chunk_size(decay, chunk)
        y: Tensor = _Ssd.apply(  # type: ignore[no-untyped-call]
            x.to(wide), dt.to(wide), decay, B.to(wide), C.to(wide), D.to(wide), size
        )
    return y.to(x.dtype)


@cache
def _kernel() -> Any | None:
    """Return the fused kernel of mamba_ssm where it is installed; its results vary in the last digits."""
    try:
        from mamba_ssm.ops.triton.ssd_combined import mamba_chunk_scan_combined
    except (ImportError, OSError):
        return None
    return mamba_chunk_scan_combined


def _full_precision(device_type: str) -> AbstractContextManager[Any]:
    """Return a context without automatic casts, where the device has any."""
    if not torch.amp.is_autocast_available(device_type):
        return nullcontext()
    return torch.autocast(device_type, enabled=False)


def _check(x: Tensor, dt: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, chunk: int | None) -> None:
    if chunk is not None and chunk < 1:
        raise ValueError(f"chunk must be at least 1, not {chunk}")
    n_batch, length, n_heads, _ = x.shape
    n_state = B.shape[-1]
    expected = {
        "dt": (dt, (n_batch, length, n_heads)),
        "A": (A, (n_heads,)),
        "B": (B, (n_batch, length, n_state)),
        "C": (C, (n_batch, length, n_state)),
        "D": (D, (n_heads,)),
    }
    for name, (tensor, shape) in expected.items():
        if tensor.shape != shape:
            raise ValueError(
                f"ssd: {name} has shape {tuple(tensor.shape)}; with x {tuple(x.shape)} it must be {shape}"
            )


def _chunk_size(decay: Tensor, chunk: int | None) -> int:
    """Return a chunk in which no head decays by more than ``exp(-_LARGEST_DECAY)``."""
    length = decay.shape[1]
    size = min(chunk or LONGEST_CHUNK, max(length, 1))
    strongest = float(-decay.detach().amin()) if decay.numel() else 0.0
    if strongest * (size - 1) <= _LARGEST_DECAY:
        return size
    while size > 1:
        span = -_chunked(decay.detach(), size)[:, :, 1:].sum(dim=2)
        if float(span.amax()) <= _LARGEST_DECAY:
            break
        size = (size + 1) // 2
    return size


def _chunked(tensor: Tensor, size: int) -> Tensor:
    """Return (B, L, ...) as (B, K, Q, ...), filled up with zeros at the end."""
    missing = -tensor.shape[1] % size
    if missing:
        tensor = F.pad(tensor, (0, 0) * (tensor.ndim - 2) + (0, missing))
    chunked: Tensor = torch.unflatten(tensor, 1, (-1, size))
    return chunked


class _Ssd(torch.autograd.Function):
    """Both passes written out: every product is one batched matrix product over all heads at once."""

    @staticmethod
    def forward(
        ctx: FunctionCtx, x: Tensor, dt: Tensor, decay: Tensor, B: Tensor, C: Tensor, D: Tensor, size: int
    ) -> Tensor:
        n_batch, length, n_heads, width = x.shape
        xs, steps, Bs, Cs = (_chunked(t, size) for t in (x, dt, B, C))
        total = _chunked(decay, size).cumsum(dim=2)
        middle = (total[:, :, :1] + total[:, :, -1:]) / 2
        rise = torch.exp(total - middle)
        fall = torch.exp(middle - total)
        drive = _flat(xs * (fall * steps).unsqueeze(-1))
        Bf, Cf = _batched(Bs), _batched(Cs)
        attention = torch.bmm(Cf, Bf.transpose(1, 2)).tril_()
        y = torch.bmm(attention, drive)
        carry = torch.exp(total[:, :, -1])
        after = rise[:, :, -1]
        states = _scan(torch.bmm(Bf.transpose(1, 2), drive), carry, after, n_heads)
        # The state before a chunk, seen from its middle.
        seen = _scaled(states, torch.exp(middle[:, :, 0]))
        if states.shape[1] > 1:
            y = torch.baddbmm(y, Cf, seen.flatten(0, 1))
        inner = y.view(n_batch, -1, size, n_heads, width).mul_(rise.unsqueeze(-1))
        ctx.save_for_backward(x, dt, decay, B, C, D, attention, drive, seen, states, inner)
        ctx.size = size  # type: ignore[attr-defined]
        out = inner.flatten(1, 2)[:, :length]
        return torch.addcmul(out, x, D[:, None])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, dt, decay, B, C, D, attention, drive, seen, states, inner = ctx.saved_tensors
        size, (n_batch, length, n_heads, width) = ctx.size, x.shape
        xs, steps, slope, Bs, Cs = (_chunked(t, size) for t in (x, dt, gradient, B, C))
        total = _chunked(decay, size).cumsum(dim=2)
        middle = (total[:, :, :1] + total[:, :, -1:]) / 2
        rise, fall = torch.exp(total - middle), torch.exp(middle - total)
        Bf, Cf = _batched(Bs), _batched(Cs)
        lifted = _flat(slope * rise.unsqueeze(-1))
        # The chain of states, from the last chunk back.
        carry, after = torch.exp(total[:, :, -1]), rise[:, :, -1]
        for_seen = torch.unflatten(torch.bmm(Cf.transpose(1, 2), lifted), 0, (n_batch, -1))
        for_before = _scaled(for_seen, torch.exp(middle[:, :, 0]))
        for_after = _scan_back(for_before, carry)
        for_last = _by_head(for_after * _following(states), n_heads).sum(dim=(2, 4))
        for_update = _scaled(for_after, after).flatten(0, 1)
        # Within the chunks.
        for_drive = torch.baddbmm(torch.bmm(attention.transpose(1, 2), lifted), Bf, for_update)
        for_attention = torch.bmm(lifted, drive.transpose(1, 2)).tril_()
        for_C = torch.baddbmm(torch.bmm(for_attention, Bf), lifted, seen.flatten(0, 1).transpose(1, 2))
        for_B = torch.baddbmm(torch.bmm(for_attention.transpose(1, 2), Cf), drive, for_update.transpose(1, 2))
        for_drive = for_drive.view(n_batch, -1, size, n_heads, width)
        along = torch.linalg.vecdot(for_drive, xs) * fall
        for_total = torch.linalg.vecdot(slope, inner) - along * steps
        for_total[:, :, -1] += for_last
        for_decay = _reversed_cumsum(for_total)
        for_x = for_drive.mul_((fall * steps).unsqueeze(-1)).flatten(1, 2)[:, :length]
        for_x = torch.addcmul(for_x, gradient, D[:, None])
        for_D = torch.linalg.vecdot(gradient, x).sum(dim=(0, 1))
        return (
            for_x,
            along.flatten(1, 2)[:, :length],
            for_decay.flatten(1, 2)[:, :length],
            for_B.view(n_batch, -1, B.shape[-1])[:, :length],
            for_C.view(n_batch, -1, C.shape[-1])[:, :length],
            for_D,
            None,
        )


def _batched(tensor: Tensor) -> Tensor:
    """Return (B, K, Q, N) as (B K, Q, N)."""
    return tensor.flatten(0, 1)


def _flat(tensor: Tensor) -> Tensor:
    """Return (B, K, Q, H, P) as (B K, Q, H P)."""
    return tensor.flatten(3, 4).flatten(0, 1)


def _by_head(states: Tensor, n_heads: int) -> Tensor:
    """Return states (..., H P) as (..., H, P)."""
    return states.view(*states.shape[:-1], n_heads, -1)


def _scaled(states: Tensor, factor: Tensor) -> Tensor:
    """Return states (B, K, N, H P), each head times its factor (B, K, H)."""
    scaled: Tensor = _by_head(states, factor.shape[-1]) * factor[:, :, None, :, None]
    return scaled.flatten(-2)


def _scan(updates: Tensor, carry: Tensor, after: Tensor, n_heads: int) -> Tensor:
    """Return the state before every chunk, (B, K, N, H P), from the updates (B K, N, H P)."""
    n_batch, n_chunks = carry.shape[:2]
    updates = torch.unflatten(updates, 0, (n_batch, n_chunks))
    states = torch.zeros_like(updates)
    for k in range(1, n_chunks):
        now = _by_head(states[:, k], n_heads)
        earlier, update = (_by_head(t[:, k - 1], n_heads) for t in (states, updates))
        torch.mul(earlier, carry[:, k - 1, None, :, None], out=now)
        now.addcmul_(update, after[:, k - 1, None, :, None])
    return states


def _scan_back(for_before: Tensor, carry: Tensor) -> Tensor:
    """Return the gradient of the state after every chunk from that of the states before them."""
    n_heads = carry.shape[-1]
    for_after = torch.zeros_like(for_before)
    for k in range(carry.shape[1] - 2, -1, -1):
        now, later, before = (
            _by_head(t, n_heads) for t in (for_after[:, k], for_after[:, k + 1], for_before[:, k + 1])
        )
        torch.addcmul(before, later, carry[:, k + 1, None, :, None], out=now)
    return for_after


def _following(states: Tensor) -> Tensor:
    """Return the state after every chunk but the last, where nothing reads it and zero stands."""
    after = torch.zeros_like(states)
    after[:, :-1] = states[:, 1:]
    return after


def _reversed_cumsum(tensor: Tensor) -> Tensor:
    """Return sums over this and all later tokens of a chunk, (B, K, Q, H)."""
    return tensor.flip(2).cumsum(dim=2).flip(2)
