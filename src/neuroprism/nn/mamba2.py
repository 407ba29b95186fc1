"""The Mamba-2 block in pure PyTorch, with the names of the library (Dao and Gu 2024, arXiv 2405.21060)."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn import functional as F

from neuroprism.nn.rms_norm import rms_norm
from neuroprism.nn.ssd import ssd

_EPS = 1e-5
_SMALLEST_DT, _LARGEST_DT, _DT_FLOOR = 1e-3, 1e-1, 1e-4
_A_RANGE = (1.0, 16.0)


class Mamba2(nn.Module):
    """Selective state space with a short convolution before it and a gate behind it.

    Parameters and their names, shapes and initial values are those of ``mamba_ssm.Mamba2``
    (one group, no bias in the projections), so that weights carry over.

    Parameters
    ----------
    d_model
        Width D of the tokens.
    d_state
        Size N of the state.
    d_conv
        Taps of the causal convolution.
    expand
        Inner width over D.
    headdim
        Width P of a head.

    Raises
    ------
    ValueError
        If the inner width is no multiple of `headdim`.
    """

    def __init__(
        self, d_model: int, *, d_state: int = 64, d_conv: int = 4, expand: int = 2, headdim: int = 50
    ) -> None:
        super().__init__()
        inner = expand * d_model
        if inner % headdim:
            raise ValueError(
                f"expand x d_model = {inner} is no multiple of headdim = {headdim}; "
                f"take a headdim that divides {inner}, e.g. {math.gcd(inner, headdim)}"
            )
        self.d_inner, self.d_state, self.headdim = inner, d_state, headdim
        n_heads, n_convolved = inner // headdim, inner + 2 * d_state
        self.in_proj = nn.Linear(d_model, inner + n_convolved + n_heads, bias=False)
        self.conv1d = nn.Conv1d(n_convolved, n_convolved, d_conv, groups=n_convolved)
        dt = torch.exp(torch.empty(n_heads).uniform_(math.log(_SMALLEST_DT), math.log(_LARGEST_DT))).clamp(
            min=_DT_FLOOR
        )
        # The inverse of softplus, so that softplus(dt_bias) is dt.
        self.dt_bias = nn.Parameter(dt + torch.log(-torch.expm1(-dt)))
        self.A_log = nn.Parameter(torch.empty(n_heads).uniform_(*_A_RANGE).log())
        self.D = nn.Parameter(torch.ones(n_heads))
        self.norm = _Scale(inner)
        self.out_proj = nn.Linear(inner, d_model, bias=False)
        for parameter in (self.dt_bias, self.A_log, self.D):
            parameter._optim = {"weight_decay": 0.0}  # type: ignore[attr-defined]

    def forward(self, u: Tensor, *, reverse: bool = False) -> Tensor:
        """Map tokens (B, L, D) to (B, L, D).

        Parameters
        ----------
        u
            Tokens.
        reverse
            Run from the last token to the first, as if both input and output were flipped.
        """
        if reverse:
            return self.forward(u.flip(1)).flip(1)
        z, x, directions, dt = self._project(u)
        taps, bias, inner = self.conv1d.weight[:, 0], self.conv1d.bias, self.d_inner
        assert bias is not None
        x = causal_conv_silu(x, taps[:inner], bias[:inner])
        B, C = causal_conv_silu(directions, taps[inner:], bias[inner:]).chunk(2, dim=-1)
        wide = torch.promote_types(dt.dtype, self.dt_bias.dtype)
        y = ssd(
            x.reshape(*x.shape[:-1], len(self.D), self.headdim),
            F.softplus(dt.to(wide) + self.dt_bias),
            -torch.exp(self.A_log),
            B,
            C,
            self.D,
        )
        out: Tensor = self.out_proj(gated_norm(y.flatten(2), z, self.norm.weight))
        return out

    def _project(self, u: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return gate, input, directions B and C, and step sizes, each in memory of its own.

        Four products instead of one whose parts lie interleaved: what follows
        reads and writes every part several times.
        """
        sizes = [self.d_inner, self.d_inner, 2 * self.d_state, len(self.D)]
        z, x, directions, dt = (F.linear(u, rows) for rows in torch.split(self.in_proj.weight, sizes))
        return z, x, directions, dt


class _Scale(nn.Module):
    """Holds the weight of the gated norm under the name that the library gives it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))


def gated_norm(y: Tensor, z: Tensor, weight: Tensor) -> Tensor:
    """Return ``RMSNorm(y silu(z))`` over the last axis, in float32 at least."""
    wide = torch.promote_types(y.dtype, torch.float32)
    gated = y.to(wide) * F.silu(z.to(wide))
    return rms_norm(gated, weight.to(wide), _EPS).to(z.dtype)


def causal_conv_silu(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return SiLU of a depthwise convolution that sees this token and those before it.

    Parameters
    ----------
    x
        (B, L, W), any strides.
    weight
        (W, taps); the last tap multiplies the present token.
    bias
        (W,).
    """
    convolved: Tensor = _CausalConv.apply(x, weight.to(x.dtype), bias)  # type: ignore[no-untyped-call]
    return F.silu(convolved)


class _CausalConv(torch.autograd.Function):
    """A few shifted products: on the CPU faster than a convolution that first moves the channels."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        taps = weight.shape[1]
        ctx.save_for_backward(x, weight)
        ctx.has_bias = bias is not None  # type: ignore[attr-defined]
        y = x * weight[:, -1] if bias is None else torch.addcmul(bias.to(x.dtype), x, weight[:, -1])
        for lag in range(1, min(taps, x.shape[1])):
            y[:, lag:].addcmul_(x[:, :-lag], weight[:, -1 - lag])
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        x, weight = ctx.saved_tensors
        for_x = gradient * weight[:, -1]
        for_weight = torch.zeros_like(weight)
        for_weight[:, -1] = (gradient * x).sum(dim=(0, 1))
        for lag in range(1, min(weight.shape[1], x.shape[1])):
            for_x[:, :-lag].addcmul_(gradient[:, lag:], weight[:, -1 - lag])
            for_weight[:, -1 - lag] = (gradient[:, lag:] * x[:, :-lag]).sum(dim=(0, 1))
        return for_x, for_weight, gradient.sum(dim=(0, 1)) if ctx.has_bias else None
