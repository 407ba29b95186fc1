"""State-space duality agrees with the recurrence it stands for, in values and gradients."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from neuroprism.nn.chunks import even_chunk
from neuroprism.nn.ssd import ssd
from neuroprism.nn.ssd_factored import factored
from neuroprism.nn.ssd_masked import masked
from neuroprism.nn.ssd_reference import ssd_reference

TOLERANCE = {torch.float64: 1e-10, torch.float32: 1e-4}


def inputs(
    n_batch: int,
    length: int,
    *,
    dtype: torch.dtype,
    largest_step: float = 0.1,
    seed: int = 0,
    n_heads: int = 3,
) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    steps = torch.rand(n_batch, length, n_heads, generator=generator, dtype=torch.float64) * largest_step
    rates = -1 - 15 * torch.rand(n_heads, generator=generator, dtype=torch.float64)
    made = [normal(n_batch, length, n_heads, 5), steps, rates]
    made += [normal(n_batch, length, 4), normal(n_batch, length, 4), normal(n_heads)]
    return [tensor.to(dtype).requires_grad_() for tensor in made]


def compare(tensors: list[Tensor], chunk: int | None) -> None:
    dtype = tensors[0].dtype
    y, expected = ssd(*tensors, chunk=chunk), ssd_reference(*tensors)
    torch.testing.assert_close(y.double(), expected, atol=TOLERANCE[dtype], rtol=TOLERANCE[dtype])
    gradient = torch.randn(y.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    found = torch.autograd.grad(y, tensors, gradient.to(dtype))
    wanted = torch.autograd.grad(expected, tensors, gradient)
    for one, other in zip(found, wanted, strict=True):
        size = max(1.0, float(other.abs().max()))
        torch.testing.assert_close(one / size, other / size, atol=TOLERANCE[dtype], rtol=0)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("length", [1, 2, 37, 64, 65, 130, 256])
def test_it_equals_the_recurrence(length: int, dtype: torch.dtype) -> None:
    compare(inputs(2, length, dtype=dtype), None)


@given(
    length=st.integers(1, 50),
    chunk=st.integers(1, 60),
    n_batch=st.integers(1, 3),
    largest_step=st.sampled_from([1e-3, 0.1, 1.0]),
    seed=st.integers(0, 99),
)
@settings(max_examples=40, deadline=None)
def test_the_chunk_has_no_effect(
    length: int, chunk: int, n_batch: int, largest_step: float, seed: int
) -> None:
    compare(inputs(n_batch, length, dtype=torch.float64, largest_step=largest_step, seed=seed), chunk)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("largest_step", [0.3, 1.0, 5.0, 50.0, 1000.0])
def test_decay_of_any_strength_stays_exact(largest_step: float, dtype: torch.dtype) -> None:
    compare(inputs(2, 150, dtype=dtype, largest_step=largest_step), None)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("chunk", [None, 16])
def test_heads_of_mild_and_of_strong_decay_stand_side_by_side(chunk: int | None, dtype: torch.dtype) -> None:
    tensors = inputs(2, 140, dtype=dtype, n_heads=5)
    with torch.no_grad():
        tensors[2].copy_(torch.tensor([-0.1, -500.0, -16.0, -3000.0, -1.0]))
    compare(tensors, chunk)


def test_slopes_of_small_steps_keep_their_digits_beside_a_large_direct_path() -> None:
    tensors = inputs(2, 256, dtype=torch.float32, largest_step=1e-3)
    with torch.no_grad():
        tensors[5].mul_(30)
    y, expected = ssd(*tensors), ssd_reference(*tensors)
    found = torch.autograd.grad(y.square().sum(), tensors[1:3])
    wanted = torch.autograd.grad(expected.square().sum(), tensors[1:3])
    for one, other in zip(found, wanted, strict=True):
        assert float((one - other).abs().max() / other.abs().max()) < 1e-5


@given(
    length=st.integers(1, 70),
    chunk=st.integers(1, 80),
    largest_step=st.sampled_from([1e-3, 0.1, 10.0]),
    seed=st.integers(0, 99),
)
@settings(max_examples=20, deadline=None)
def test_masks_do_what_factors_do(length: int, chunk: int, largest_step: float, seed: int) -> None:
    x, dt, A, B, C, D = inputs(2, length, dtype=torch.float64, largest_step=largest_step, seed=seed)
    y = masked(x, dt, dt * A, B, C, D, chunk)
    torch.testing.assert_close(y, ssd_reference(x, dt, A, B, C, D), atol=1e-10, rtol=1e-10)
    if largest_step < 1:
        size = even_chunk(length, chunk)
        torch.testing.assert_close(factored(x, dt, dt * A, B, C, D, size), y, atol=1e-10, rtol=1e-10)


@given(length=st.integers(1, 3000), longest=st.integers(1, 300))
def test_chunks_are_even(length: int, longest: int) -> None:
    size = even_chunk(length, longest)
    n_chunks = -(-length // size)
    assert 1 <= size <= longest
    assert n_chunks * size - length < n_chunks


def test_no_sample_at_all() -> None:
    x, dt, A, B, C, D = inputs(2, 5, dtype=torch.float32)
    assert ssd(x[:0], dt[:0], A, B[:0], C[:0], D).shape == (0, 5, 3, 5)


def test_not_a_number_is_not_hidden() -> None:
    x, dt, A, B, C, D = (t.detach() for t in inputs(1, 20, dtype=torch.float32))
    dt[0, 5, 1] = torch.nan
    y = ssd(x, dt, A, B, C, D)
    assert torch.isnan(y[0, 5:, 1]).all()


def test_a_token_without_a_step_changes_nothing_but_its_own_output() -> None:
    x, dt, A, B, C, D = (t.detach() for t in inputs(1, 20, dtype=torch.float64))
    dt[:, 7] = 0.0
    without = [torch.cat([t[:, :7], t[:, 8:]], dim=1) for t in (x, dt, B, C)]
    y = ssd(x, dt, A, B, C, D)
    rest = ssd(without[0], without[1], A, without[2], without[3], D)
    torch.testing.assert_close(torch.cat([y[:, :7], y[:, 8:]], dim=1), rest)


def test_no_token_sees_a_later_one() -> None:
    tensors = [t.detach() for t in inputs(1, 90, dtype=torch.float64)]
    before = ssd(*tensors)
    tensors[0][:, 60:] += 1.0
    torch.testing.assert_close(ssd(*tensors)[:, :60], before[:, :60])


def test_gradients_by_finite_differences() -> None:
    tensors = inputs(1, 7, dtype=torch.float64, n_heads=2)
    assert torch.autograd.gradcheck(lambda *t: ssd(*t, chunk=3), tensors)


def test_low_precision_is_computed_in_float32() -> None:
    exact = [t.detach() for t in inputs(2, 70, dtype=torch.float32)]
    rounded = [t.bfloat16() for t in exact]
    y = ssd(*rounded)
    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(y, ssd(*[t.float() for t in rounded]).bfloat16())


def test_parts_of_a_wider_tensor_are_taken_as_they_are() -> None:
    generator = torch.Generator().manual_seed(0)
    wide = torch.randn(2, 70, 23, generator=generator, dtype=torch.float64)
    x, B, C = wide[..., :15].unflatten(-1, (3, 5)), wide[..., 15:19], wide[..., 19:]
    dt, A, D = wide[..., :3].abs(), -torch.ones(3, dtype=torch.float64), torch.ones(3, dtype=torch.float64)
    torch.testing.assert_close(ssd(x, dt, A, B, C, D), ssd_reference(x, dt, A, B, C, D))


def test_shapes_that_do_not_belong_together_are_named() -> None:
    x, dt, A, B, C, D = inputs(2, 5, dtype=torch.float32)
    with pytest.raises(ValueError, match="dt has shape"):
        ssd(x, dt[:, :4], A, B, C, D)
    with pytest.raises(ValueError, match="chunk must be at least 1"):
        ssd(x, dt, A, B, C, D, chunk=0)
