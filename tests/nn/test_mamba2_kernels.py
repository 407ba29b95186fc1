"""When the library's kernels are taken, and what they are handed; a stand-in computes in their place."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from neuroprism.nn import mamba2, mamba2_kernels
from neuroprism.nn.mamba2 import Mamba2
from neuroprism.nn.ssd_reference import ssd_reference

CUDA, CPU = torch.device("cuda"), torch.device("cpu")


def mamba_split_conv1d_scan_combined(
    zxbcdt: Tensor,
    conv1d_weight: Tensor,
    conv1d_bias: Tensor,
    dt_bias: Tensor,
    A: Tensor,
    D: Tensor,
    chunk_size: int,
    initial_states: Tensor | None = None,
    seq_idx: Tensor | None = None,
    dt_limit: tuple[float, float] = (0.0, float("inf")),
    return_final_states: bool = False,
    activation: str = "silu",
    rmsnorm_weight: Tensor | None = None,
    rmsnorm_eps: float = 1e-6,
    outproj_weight: Tensor | None = None,
    outproj_bias: Tensor | None = None,
    headdim: int | None = None,
    ngroups: int = 1,
    norm_before_gate: bool = True,
) -> Tensor:
    """The arguments of the library, in its order and with its defaults; slow and in float64."""
    assert (activation, ngroups, norm_before_gate) == ("silu", 1, False)
    assert initial_states is None
    assert seq_idx is None
    assert not return_final_states
    assert rmsnorm_weight is not None
    assert outproj_weight is not None
    assert headdim is not None
    assert chunk_size & (chunk_size - 1) == 0, "Triton wants a power of two"
    (inner,), n_heads = rmsnorm_weight.shape, len(D)
    n_state = (len(conv1d_weight) - inner) // 2
    z, convolved, dt = zxbcdt.double().split([inner, len(conv1d_weight), n_heads], dim=-1)
    padded = F.pad(convolved.transpose(1, 2), (conv1d_weight.shape[1] - 1, 0))
    convolved = F.conv1d(
        padded, conv1d_weight.double().unsqueeze(1), conv1d_bias.double(), groups=padded.shape[1]
    )
    x, B, C = F.silu(convolved).transpose(1, 2).split([inner, n_state, n_state], dim=-1)
    y = ssd_reference(x.unflatten(-1, (n_heads, headdim)), F.softplus(dt + dt_bias), A, B, C, D)
    gated = y.flatten(2) * F.silu(z)
    normal = F.rms_norm(gated, (inner,), rmsnorm_weight.double(), rmsnorm_eps)
    return F.linear(normal, outproj_weight.double(), outproj_bias).to(zxbcdt.dtype)


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The library, as far as it is imported."""
    combined = ModuleType("mamba_ssm.ops.triton.ssd_combined")
    combined.mamba_split_conv1d_scan_combined = mamba_split_conv1d_scan_combined  # type: ignore[attr-defined]
    for name in ("causal_conv1d", "mamba_ssm", "mamba_ssm.ops", "mamba_ssm.ops.triton"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, combined.__name__, combined)
    mamba2_kernels.fused_kernel.cache_clear()
    yield
    mamba2_kernels.fused_kernel.cache_clear()


@pytest.mark.usefixtures("library")
def test_it_is_taken_where_it_works() -> None:
    assert mamba2_kernels.kernel_for(CUDA, torch.float32, 4) is mamba_split_conv1d_scan_combined
    assert mamba2_kernels.kernel_for(CUDA, torch.bfloat16, 2) is mamba_split_conv1d_scan_combined
    assert mamba2_kernels.kernel_for(CPU, torch.float32, 4) is None
    assert mamba2_kernels.kernel_for(CUDA, torch.float64, 4) is None
    assert mamba2_kernels.kernel_for(CUDA, torch.float32, 5) is None
    torch.use_deterministic_algorithms(True)
    try:
        assert mamba2_kernels.kernel_for(CUDA, torch.float32, 4) is None
    finally:
        torch.use_deterministic_algorithms(False)


def test_without_the_library_nothing_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mamba_ssm", None)
    mamba2_kernels.fused_kernel.cache_clear()
    assert mamba2_kernels.kernel_for(CUDA, torch.float32, 4) is None
    mamba2_kernels.fused_kernel.cache_clear()


@pytest.mark.parametrize("reverse", [False, True])
def test_it_is_handed_what_the_block_computes_with(monkeypatch: pytest.MonkeyPatch, reverse: bool) -> None:
    torch.manual_seed(0)
    block = Mamba2(12, d_state=6, headdim=8, chunk=20)
    with torch.no_grad():
        block.norm.weight.normal_(1.0, 0.2)
        block.D.normal_()
    u = torch.randn(3, 30, 12, generator=torch.Generator().manual_seed(1))
    own = block(u, reverse=reverse)
    monkeypatch.setattr(mamba2, "kernel_for", lambda *_: mamba_split_conv1d_scan_combined)
    torch.testing.assert_close(block(u, reverse=reverse), own, atol=1e-5, rtol=1e-5)
