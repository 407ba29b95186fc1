"""The gated norm against its formula."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from neuroprism.nn.gated_norm import gated_norm


def drawn(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_values_and_gradients_are_those_of_the_formula() -> None:
    y, z = (drawn(2, 7, 12, seed=seed).requires_grad_() for seed in (0, 1))
    gated = y * F.silu(z)
    wanted = gated / torch.sqrt(gated.square().mean(-1, keepdim=True) + 1e-2)
    found, slope = gated_norm(y, z, 1e-2), drawn(2, 7, 12, seed=2)
    torch.testing.assert_close(found, wanted, atol=1e-13, rtol=1e-13)
    pairs = zip(
        torch.autograd.grad(found, (y, z), slope), torch.autograd.grad(wanted, (y, z), slope), strict=True
    )
    for one, other in pairs:
        torch.testing.assert_close(one, other, atol=1e-12, rtol=1e-12)


def test_by_finite_differences() -> None:
    assert torch.autograd.gradcheck(
        gated_norm, [drawn(2, 3, 5, seed=seed).requires_grad_() for seed in (3, 4)]
    )


def test_rows_of_nothing_stay_nothing() -> None:
    y, z = torch.zeros(2, 5, requires_grad=True), torch.ones(2, 5)
    normal = gated_norm(y, z)
    assert torch.equal(normal, torch.zeros(2, 5))
    (slope,) = torch.autograd.grad(normal.sum(), y)
    assert torch.isfinite(slope).all()


def test_half_precision_is_computed_in_float32() -> None:
    y, z = drawn(3, 400, seed=5).float(), drawn(3, 400, seed=6).bfloat16()
    normal = gated_norm(y, z)
    assert normal.dtype == torch.bfloat16
    assert torch.equal(normal, gated_norm(y, z.float()).bfloat16())
    # Squares beyond the range of float16.
    assert torch.isfinite(gated_norm(1000 * y, (1000 * z).half())).all()
