"""The Mamba-2 block: parameters of the library, the published computation, any length, both directions."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from neuroprism.nn.mamba2 import Mamba2
from neuroprism.nn.ssd_reference import ssd_reference

SHAPES = {
    "dt_bias": (8,),
    "A_log": (8,),
    "D": (8,),
    "in_proj.weight": (936, 200),
    "conv1d.weight": (528, 1, 4),
    "conv1d.bias": (528,),
    "norm.weight": (400,),
    "out_proj.weight": (200, 400),
}


def small(seed: int = 0, **sizes: int) -> Mamba2:
    torch.manual_seed(seed)
    block = Mamba2(12, **{"d_state": 6, "headdim": 8, **sizes})
    with torch.no_grad():
        block.norm.weight.normal_(1.0, 0.2)
        block.D.normal_()
    return block


def literally(block: Mamba2, u: Tensor) -> Tensor:
    """Compute the block as the paper writes it, in float64, one token after the other."""
    weights = {name: tensor.double() for name, tensor in block.named_parameters()}
    inner, n_state, n_heads = block.d_inner, block.d_state, len(block.D)
    projected = u.double() @ weights["in_proj.weight"].T
    z, convolved, dt = projected.split([inner, inner + 2 * n_state, n_heads], dim=-1)
    taps = weights["conv1d.weight"].shape[-1]
    padded = F.pad(convolved.transpose(1, 2), (taps - 1, 0))
    convolved = F.conv1d(padded, weights["conv1d.weight"], weights["conv1d.bias"], groups=inner + 2 * n_state)
    x, B, C = F.silu(convolved).transpose(1, 2).split([inner, n_state, n_state], dim=-1)
    dt = torch.log1p(torch.exp(dt + weights["dt_bias"]))
    heads = x.unflatten(-1, (n_heads, block.headdim))
    y = ssd_reference(heads, dt, -torch.exp(weights["A_log"]), B, C, weights["D"]).flatten(2)
    gated = y * F.silu(z)
    scale = torch.rsqrt(gated.square().mean(-1, keepdim=True) + 1e-5)
    return gated * scale * weights["norm.weight"] @ weights["out_proj.weight"].T


def test_parameters_are_those_of_the_library() -> None:
    assert {name: tuple(p.shape) for name, p in Mamba2(200).named_parameters()} == SHAPES


@pytest.mark.parametrize("length", [1, 3, 4, 65, 100])
def test_it_computes_what_the_paper_writes(length: int) -> None:
    block = small().double()
    u = torch.randn(2, length, 12, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    torch.testing.assert_close(block(u), literally(block, u), atol=1e-10, rtol=1e-10)
    torch.testing.assert_close(block.float()(u.float()).double(), literally(block, u), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("d_conv", [1, 2, 3, 4, 7])
def test_a_convolution_of_any_width(d_conv: int) -> None:
    block = small(d_conv=d_conv).double()
    u = torch.randn(1, 9, 12, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    torch.testing.assert_close(block(u), literally(block, u), atol=1e-10, rtol=1e-10)


def test_reverse_is_flip_run_flip() -> None:
    block = small().double()
    u = torch.randn(2, 30, 12, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    torch.testing.assert_close(block(u, reverse=True), block(u.flip(1)).flip(1))
    assert not torch.allclose(block(u, reverse=True), block(u))


def test_samples_and_both_directions_do_not_see_each_other() -> None:
    block = small()
    # More tokens than are taken at once, in groups that come out uneven.
    u = torch.randn(9, 300, 12, generator=torch.Generator().manual_seed(4), requires_grad=True)
    for reverse in (False, True):
        parameters = [u, *block.parameters()]
        whole = block(u, reverse=reverse)
        slopes = torch.autograd.grad(whole.square().sum(), parameters)
        single = torch.cat([block(sample.unsqueeze(0), reverse=reverse) for sample in u])
        torch.testing.assert_close(whole, single, atol=1e-5, rtol=1e-5)
        alone = torch.autograd.grad(single.square().sum(), parameters)
        for one, other in zip(slopes, alone, strict=True):
            torch.testing.assert_close(one, other, atol=1e-4 * float(other.abs().max()), rtol=1e-4)


def test_slopes_of_every_parameter_are_those_of_the_published_computation() -> None:
    block = small().double()
    u = torch.randn(2, 40, 12, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    literally(block, u).square().sum().backward()
    wanted = {name: p.grad for name, p in block.named_parameters()}
    block.zero_grad()
    block(u).square().sum().backward()
    for name, parameter in block.named_parameters():
        torch.testing.assert_close(parameter.grad, wanted[name], atol=1e-9, rtol=1e-9, msg=name)


def test_two_runs_are_equal_to_the_last_bit() -> None:
    block = small()
    u = torch.randn(6, 256, 12, generator=torch.Generator().manual_seed(6))
    runs = []
    for _ in range(2):
        block.zero_grad()
        y = block(u)
        y.square().sum().backward()
        runs.append([y, *(p.grad for p in block.parameters())])
    assert all(torch.equal(one, other) for one, other in zip(*runs, strict=True))


def test_the_chunk_has_no_effect() -> None:
    block, other = small().double(), small(chunk=7).double()
    u = torch.randn(2, 40, 12, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    torch.testing.assert_close(block(u), other(u), atol=1e-12, rtol=1e-12)


def test_initial_values_are_those_of_the_library() -> None:
    torch.manual_seed(0)
    block = Mamba2(400, headdim=1)
    dt = F.softplus(block.dt_bias)
    assert float(dt.detach().min()) >= 1e-4
    assert 0.0009 < float(dt.detach().min()) < 0.003
    assert 0.08 < float(dt.detach().max()) <= 0.1001
    # Log-uniform: the median is the geometric mean of the ends.
    assert float(dt.detach().median()) == pytest.approx(0.01, rel=0.25)
    A = block.A_log.detach().exp()
    assert float(A.min()) >= 1
    assert float(A.max()) <= 16
    assert float(A.mean()) == pytest.approx(8.5, rel=0.1)
    assert torch.equal(block.D.detach(), torch.ones(800))


def test_dynamics_have_no_weight_decay() -> None:
    from neuroprism.train.optim import parameter_groups

    block = small()
    decay = {
        id(p): group["weight_decay"]
        for group in parameter_groups(block, learning_rate=1e-3, weight_decay=0.1)
        for p in group["params"]
    }
    names = {name: decay[id(p)] for name, p in block.named_parameters()}
    assert {name for name, value in names.items() if value == 0.1} == {
        "in_proj.weight",
        "conv1d.weight",
        "out_proj.weight",
    }


def test_sizes_that_do_not_fit_are_refused_with_a_way_out() -> None:
    with pytest.raises(ValueError, match="no multiple of headdim = 50; take a headdim that divides 24"):
        Mamba2(12)


@pytest.mark.parametrize("name", ["d_state", "d_conv", "expand", "headdim", "chunk"])
def test_sizes_below_one_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be at least 1, not 0"):
        Mamba2(12, **{"headdim": 8, name: 0})


def test_bfloat16_autocast_stays_near() -> None:
    block = small()
    u = torch.randn(2, 40, 12, generator=torch.Generator().manual_seed(5))
    exact = block(u)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = block(u)
    assert y.dtype == torch.bfloat16
    error = float((y.float() - exact).detach().norm() / exact.detach().norm())
    assert error < 0.03


def test_it_equals_the_path_of_transformers() -> None:
    from transformers import Mamba2Config
    from transformers.models.mamba2.modeling_mamba2 import Mamba2Mixer

    block = small()
    config = Mamba2Config(
        num_heads=3,
        head_dim=8,
        hidden_size=12,
        state_size=6,
        expand=2,
        n_groups=1,
        conv_kernel=4,
        chunk_size=16,
        use_bias=False,
        use_conv_bias=True,
        layer_norm_epsilon=1e-5,
        time_step_limit=(0.0, float("inf")),
    )
    rival: nn.Module = Mamba2Mixer(config, layer_idx=0)
    rival.load_state_dict(block.state_dict(), strict=True)
    u = torch.randn(2, 37, 12, generator=torch.Generator().manual_seed(6))
    torch.testing.assert_close(block(u), rival(u), atol=1e-4, rtol=1e-4)
