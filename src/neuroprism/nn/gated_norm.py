"""Root-mean-square norm of a gated input, as it stands before the last projection of Mamba-2."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn import functional as F


def gated_norm(y: Tensor, z: Tensor, eps: float = 1e-5) -> Tensor:
    """Return ``g / sqrt(mean(g^2) + eps)`` over the last axis, where ``g = y silu(z)``.

    There is no weight: it is cheaper to let the projection that follows carry it.

    Parameters
    ----------
    y, z
        (..., W) input and gate; computed in float32 at least.
    eps
        Added to the mean square.

    Returns
    -------
    Tensor
        (..., W), of the type of `z`.
    """
    wide = torch.promote_types(torch.promote_types(y.dtype, z.dtype), torch.float32)
    normal: Tensor = _GatedNorm.apply(y.to(wide), z.to(wide), eps)  # type: ignore[no-untyped-call]
    return normal.to(z.dtype)


class _GatedNorm(torch.autograd.Function):
    """Both passes written out; of the intermediate values only one number a row is kept."""

    @staticmethod
    def forward(ctx: FunctionCtx, y: Tensor, z: Tensor, eps: float) -> Tensor:
        gated = F.silu(z).mul_(y)
        mean_square = torch.linalg.vector_norm(gated, dim=-1, keepdim=True).square_().div_(y.shape[-1])
        scale = mean_square.add_(eps).rsqrt_()
        normal = gated.mul_(scale)
        ctx.save_for_backward(y, z, scale, normal)
        return normal

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        y, z, scale, normal = ctx.saved_tensors
        along = torch.linalg.vecdot(gradient, normal).div_(-y.shape[-1]).unsqueeze(-1)
        for_gated = torch.addcmul(gradient, normal, along).mul_(scale)
        for_y = F.silu(z).mul_(for_gated)
        return for_y, torch.ops.aten.silu_backward(for_gated.mul_(y), z), None
