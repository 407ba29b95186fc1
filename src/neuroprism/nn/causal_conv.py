"""A short causal convolution of every channel on its own, followed by SiLU."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn import functional as F


def causal_conv_silu(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return SiLU of a depthwise convolution that sees this token and those before it.

    Parameters
    ----------
    x
        (B, L, W), any strides.
    weight
        (W, taps); the last tap multiplies the present token.
    bias
        (W,), or None.
    """
    bias = None if bias is None else bias.to(x.dtype)
    y: Tensor = _CausalConvSiLU.apply(x, weight.to(x.dtype), bias)  # type: ignore[no-untyped-call]
    return y


class _CausalConvSiLU(torch.autograd.Function):
    """The channels stay last, where the kernels of the CPU want them; nothing is moved or padded before.

    Measured on one CPU thread, (4, 256, 528), forward and backward: 3 ms instead of 7 for shifted products.
    """

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        convolved = _overlapping(x, weight, bias)[:, : x.shape[1]]
        ctx.save_for_backward(x, weight, convolved)
        ctx.has_bias = bias is not None  # type: ignore[attr-defined]
        return F.silu(convolved)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        x, weight, convolved = ctx.saved_tensors
        (n_batch, length, width), taps = x.shape, weight.shape[1]
        slope = torch.ops.aten.silu_backward(gradient, convolved).contiguous()
        for_x = _overlapping(slope, weight.flip(1), None)[:, taps - 1 :]
        for_weight = torch.zeros_like(weight)
        ones, room = x.new_ones(n_batch * length), x.new_empty(slope.numel())
        for lag in range(min(taps, length)):
            n_rows = n_batch * (length - lag)
            product = room[: n_rows * width].view(n_batch, length - lag, width)
            torch.mul(slope[:, lag:], x[:, : length - lag], out=product)
            # Sums over rows as a product with ones: twice as fast as `sum`.
            for_weight[:, taps - 1 - lag] = ones[:n_rows] @ product.view(n_rows, width)
        return for_x, for_weight, ones @ slope.view(-1, width) if ctx.has_bias else None


def _overlapping(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return every overlap of the taps with the tokens, (B, L + taps - 1, W)."""
    width, taps = weight.shape
    image = x.transpose(1, 2).unsqueeze(2)
    y = F.conv2d(image, weight.view(width, 1, 1, taps), bias, padding=(0, taps - 1), groups=width)
    return y.squeeze(2).transpose(1, 2)
