"""State-space duality: the recurrence of Mamba-2 in matrix products (Dao and Gu 2024, arXiv 2405.21060).

Letters: B batch, L tokens, H heads, P width of a head, N state, Q tokens of a chunk, K chunks.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from neuroprism.nn.chunks import even_chunk
from neuroprism.nn.ssd_factored import LARGEST_SPAN, factored
from neuroprism.nn.ssd_masked import masked

CHUNKS = (128, 64, 32)
"""Longest chunks that are tried in turn, until no head decays too much within one; measured on a CPU."""


def ssd(
    x: Tensor, dt: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, *, chunk: int | None = None
) -> Tensor:
    """Return the output of the selective state space for every token.

    ``h_t = exp(dt_t A) h_{t-1} + dt_t x_t (x) B_t``, ``y_t = h_t C_t + D x_t`` for every head.
    Heads that decay moderately within a chunk share one attention matrix (`factored`);
    the others get masks of their own (`masked`). Which is which is read from `dt` and `A`;
    on an accelerator this waits for the device.

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
        Longest chunk; has no effect on the result. None chooses by length and decay.

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
    with torch.autocast(x.device.type, enabled=False):
        x_wide, dt, A, B, C, D = (t.to(wide) for t in (x, dt, A, B, C, D))
        y = _by_heads(x_wide, dt, dt * A, B, C, D, chunk)
    return y.to(x.dtype)


def _by_heads(
    x: Tensor, dt: Tensor, decay: Tensor, B: Tensor, C: Tensor, D: Tensor, chunk: int | None
) -> Tensor:
    """Send every head where its decay can be computed."""
    length = x.shape[1]
    if x.numel() == 0:
        return x * D[:, None]
    sizes = [even_chunk(length, longest) for longest in ([chunk] if chunk else CHUNKS)]
    for size in sizes:
        strong = _spans(decay.detach(), size) > LARGEST_SPAN
        if not any(strong.tolist()):
            return factored(x, dt, decay, B, C, D, size)
    if all(strong.tolist()):
        return masked(x, dt, decay, B, C, D, chunk)
    mild, strong = (~strong).nonzero().flatten(), strong.nonzero().flatten()
    parts = [
        way(x[:, :, heads], dt[:, :, heads], decay[:, :, heads], B, C, D[heads])
        for way, heads in ((partial(factored, size=size), mild), (partial(masked, chunk=chunk), strong))
    ]
    place = torch.argsort(torch.cat((mild, strong)))
    return torch.cat(parts, dim=2)[:, :, place]


def _spans(decay: Tensor, size: int) -> Tensor:
    """Return the strongest decay between two tokens of one chunk, (H,), as positive exponents.

    The first token of a chunk decays what came before it, which is no part of the span.
    """
    length = decay.shape[1]
    whole = length - length % size
    inside = decay[:, :whole].reshape(-1, size, decay.shape[-1])[:, 1:].sum(dim=1)
    rest = decay[:, whole + 1 :].sum(dim=1)
    return -torch.cat((inside, rest)).amin(dim=0)


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
