"""RMS norm against PyTorch's own, in values and gradients."""

from __future__ import annotations

import pytest
import torch

from neuroprism.nn.rms_norm import RMSNorm, rms_norm


def _draw(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("shape", [(5,), (3, 7), (2, 3, 5), (0, 4), (2, 1, 1)])
def test_equals_the_norm_of_pytorch(shape: tuple[int, ...]) -> None:
    outputs = []
    for norm in (
        lambda x, w: rms_norm(x, w, 1e-5),
        lambda x, w: torch.nn.functional.rms_norm(x, w.shape, w, 1e-5),
    ):
        x = _draw(*shape).requires_grad_()
        weight = _draw(shape[-1]).requires_grad_()
        y = norm(x, weight)
        y.backward(_draw(*shape).flip(0))
        outputs.append((y.detach(), x.grad, weight.grad))
    for ours, theirs in zip(*outputs, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-12, rtol=1e-12)


def test_gradient_by_finite_differences() -> None:
    x, weight = _draw(3, 6).requires_grad_(), _draw(6).requires_grad_()
    assert torch.autograd.gradcheck(lambda *a: rms_norm(*a, 1e-2), (x, weight))


def test_rows_of_a_transposed_view() -> None:
    x = _draw(4, 3, 5).transpose(0, 1)
    weight = _draw(5)
    torch.testing.assert_close(rms_norm(x, weight), rms_norm(x.contiguous(), weight))


def test_zero_rows_stay_zero_with_a_finite_gradient() -> None:
    x = torch.zeros(2, 4, requires_grad=True)
    rms_norm(x, torch.ones(4)).sum().backward()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()


def test_precision_of_input_and_weights() -> None:
    norm = RMSNorm(8).to(torch.bfloat16)
    x = _draw(2, 8).float()
    y = norm(x)
    assert y.dtype == torch.bfloat16
    assert torch.equal(y, RMSNorm(8)(x).to(torch.bfloat16))
    assert list(norm.state_dict()) == ["weight"]
