"""The causal convolution against torch's, with zeros put before the first token by hand."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from neuroprism.nn.causal_conv import causal_conv_silu


def drawn(*shape: int, seed: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def expected(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    padded = F.pad(x.transpose(1, 2), (weight.shape[1] - 1, 0))
    return F.silu(F.conv1d(padded, weight.unsqueeze(1), bias, groups=len(weight))).transpose(1, 2)


@given(
    n_batch=st.integers(1, 3),
    length=st.integers(1, 12),
    width=st.integers(1, 20),
    taps=st.integers(1, 7),
    biased=st.booleans(),
    seed=st.integers(0, 99),
)
@settings(max_examples=50, deadline=None)
def test_values_and_gradients(
    n_batch: int, length: int, width: int, taps: int, biased: bool, seed: int
) -> None:
    tensors = [drawn(n_batch, length, width, seed=seed), drawn(width, taps, seed=seed + 1)]
    tensors += [drawn(width, seed=seed + 2)] if biased else []
    tensors = [t.requires_grad_() for t in tensors]
    bias = tensors[2] if biased else None
    y, wanted = causal_conv_silu(tensors[0], tensors[1], bias), expected(tensors[0], tensors[1], bias)
    torch.testing.assert_close(y, wanted, atol=1e-12, rtol=1e-12)
    slope = drawn(n_batch, length, width, seed=seed + 3)
    pairs = zip(
        torch.autograd.grad(y, tensors, slope), torch.autograd.grad(wanted, tensors, slope), strict=True
    )
    for found, by_torch in pairs:
        torch.testing.assert_close(found, by_torch, atol=1e-11, rtol=1e-11)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_slice_of_wider_rows_or_a_turned_sequence_is_taken_as_it_is(dtype: torch.dtype) -> None:
    wide, weight, bias = drawn(2, 33, 41, seed=0), drawn(16, 4, seed=1), drawn(16, seed=2)
    slices = (wide[..., 5:21], wide[:, ::2, 1:33:2], wide.transpose(1, 2)[:, :20, 3:19])
    for x in slices:
        y = causal_conv_silu(x.to(dtype), weight.to(dtype), bias.to(dtype))
        torch.testing.assert_close(y, expected(x, weight, bias).to(dtype), atol=1e-5, rtol=1e-5)


def test_by_finite_differences() -> None:
    x, weight, bias = drawn(2, 6, 5, seed=3), drawn(5, 4, seed=4), drawn(5, seed=5)
    inputs = [t.requires_grad_() for t in (x, weight, bias)]
    assert torch.autograd.gradcheck(causal_conv_silu, inputs)
    assert torch.autograd.gradcheck(lambda x, w: causal_conv_silu(x, w, None), inputs[:2])


def test_bfloat16_rounds_only_in_the_end() -> None:
    x, weight, bias = drawn(2, 30, 16, seed=6), drawn(16, 4, seed=7), drawn(16, seed=8)
    rounded = [t.bfloat16() for t in (x, weight, bias)]
    y = causal_conv_silu(rounded[0], weight, bias)
    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(y.double(), expected(*(t.double() for t in rounded)), atol=0.03, rtol=0.02)
