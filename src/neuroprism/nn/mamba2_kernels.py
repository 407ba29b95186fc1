"""The fused CUDA kernels of the Mamba library, where they are installed and fit."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

_WIDTHS = (2, 3, 4)


@cache
def fused_kernel() -> Callable[..., Tensor] | None:
    """Return ``mamba_split_conv1d_scan_combined`` of ``mamba_ssm``, or None where it cannot be imported.

    It needs Triton and ``causal_conv1d`` as well; it computes everything after the first
    projection of a Mamba-2 block.
    """
    try:
        import causal_conv1d  # type: ignore[import-not-found, unused-ignore]  # noqa: F401
        from mamba_ssm.ops.triton.ssd_combined import (  # type: ignore[import-not-found, unused-ignore]
            mamba_split_conv1d_scan_combined,
        )
    except ImportError:
        return None
    kernel: Callable[..., Tensor] = mamba_split_conv1d_scan_combined
    return kernel


def kernel_for(device: torch.device, dtype: torch.dtype, d_conv: int) -> Callable[..., Tensor] | None:
    """Return the kernel if it can be used.

    It works on CUDA, up to float32, with 2 to 4 taps, and not where runs must repeat: its sums
    over blocks are atomic, so two runs differ in the last digits.
    """
    if device.type != "cuda" or dtype == torch.float64 or d_conv not in _WIDTHS:
        return None
    return None if torch.are_deterministic_algorithms_enabled() else fused_kernel()
