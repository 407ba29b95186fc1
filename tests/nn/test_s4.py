"""S4D against a discretised state space, its recurrence and its bidirectional formula."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.signal import cont2discrete

from neuroprism.nn import S4D, S4Block, initial_eigenvalues

INITS = ("lin", "inv", "legs")


def layer(*, double: bool = False, seed: int = 0, **options: object) -> S4D:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        module = S4D(4, 16, **options)  # type: ignore[arg-type]
    return module.double() if double else module


def scipy_kernel(module: S4D, length: int, *, direction: int = 0) -> np.ndarray:
    """Impulse response of the real 2 x 2-block system, discretised by scipy, in float64."""
    dt = module.log_dt.detach().double().exp().numpy()
    real = -module.log_neg_a_real.detach().double().exp().numpy()
    imag = module.a_imag.detach().double().numpy()
    c = module.c.detach().double().numpy()[direction]
    kernels = np.zeros((len(dt), length))
    for d in range(len(dt)):
        n = real.shape[1]
        a, b, out = np.zeros((2 * n, 2 * n)), np.zeros((2 * n, 1)), np.zeros((1, 2 * n))
        for i in range(n):
            block = slice(2 * i, 2 * i + 2)
            a[block, block] = [[real[d, i], -imag[d, i]], [imag[d, i], real[d, i]]]
            b[2 * i] = 1
            out[0, block] = 2 * c[d, i, 0], -2 * c[d, i, 1]
        a_bar, b_bar, *_ = cont2discrete((a, b, out, np.zeros((1, 1))), dt[d], method="zoh")
        state = b_bar
        for step in range(length):
            kernels[d, step] = (out @ state)[0, 0]
            state = a_bar @ state
    return kernels


@pytest.mark.parametrize("init", INITS)
@pytest.mark.parametrize(("double", "tolerance"), [(False, 1e-6), (True, 1e-10)])
def test_kernel_is_the_impulse_response_of_the_discretised_system(
    init: str, double: bool, tolerance: float
) -> None:
    module = layer(double=double, init=init)
    kernel = module.kernel(200)[0].detach().numpy()
    oracle = scipy_kernel(module, 200)
    assert np.abs(oracle).max() > 0.05
    assert np.abs(kernel - oracle).max() < tolerance * max(1.0, np.abs(oracle).max())


@pytest.mark.parametrize("length", [1, 25, 64, 128, 129, 200, 257])
def test_recurrence_equals_convolution(length: int) -> None:
    module = layer(double=True)
    u = torch.randn(3, 4, length, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    convolved = module(u)
    state, outputs = module.initial_state(3), []
    for t in range(length):
        output, state = module.step(u[..., t], state)
        outputs.append(output)
    assert (torch.stack(outputs, dim=-1) - convolved).abs().max() < 1e-10


@pytest.mark.parametrize("length", [1, 2, 25, 128, 150])
def test_bidirectional_adds_a_kernel_that_looks_ahead(length: int) -> None:
    module = layer(double=True, bidirectional=True)
    k0, k1 = (torch.tensor(scipy_kernel(module, length, direction=i)) for i in (0, 1))
    u = torch.randn(2, 4, length, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    expected = module.d.unsqueeze(-1) * u
    for i in range(length):
        for j in range(i + 1):
            expected[..., i] = expected[..., i] + k0[:, j] * u[..., i - j]
        for j in range(length - i - 1):
            expected[..., i] = expected[..., i] + k1[:, j] * u[..., i + 1 + j]
    assert (module(u) - expected).abs().max() < 1e-10


def test_a_bidirectional_layer_has_no_recurrence() -> None:
    module = layer(bidirectional=True)
    with pytest.raises(ValueError, match="no recurrent form"):
        module.step(torch.zeros(1, 4), module.initial_state(1))


@pytest.mark.parametrize("length", [64, 200])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_matrix_and_spectral_gradients_agree_with_finite_differences(
    length: int, bidirectional: bool
) -> None:
    module = layer(double=True, bidirectional=bidirectional)
    generator = torch.Generator().manual_seed(3)
    u = torch.randn(2, 4, length, dtype=torch.float64, generator=generator, requires_grad=True)
    weight = torch.randn(2, 4, length, dtype=torch.float64, generator=generator)
    (module(u) * weight).sum().backward()
    parameters = dict(module.named_parameters()) | {"u": u}
    for name, parameter in parameters.items():
        gradient = parameter.grad
        assert gradient is not None
        assert (gradient != 0).any(), name
        direction = torch.randn(parameter.shape, dtype=torch.float64, generator=generator)
        values = []
        for sign in (1, -1):
            with torch.no_grad():
                parameter += sign * 1e-6 * direction
                values.append(float((module(u) * weight).sum()))
                parameter -= sign * 1e-6 * direction
        numeric = (values[0] - values[1]) / 2e-6
        assert float((gradient * direction).sum()) == pytest.approx(numeric, rel=1e-5, abs=1e-5), name


def test_every_part_of_the_state_space_gets_a_gradient() -> None:
    module = layer(init="inv")  # no eigenvalue is real: the imaginary part of C would not matter there
    module(torch.randn(2, 4, 100, generator=torch.Generator().manual_seed(4))).square().sum().backward()
    for name in ("log_neg_a_real", "a_imag", "c", "log_dt", "d"):
        gradient = getattr(module, name).grad
        assert torch.isfinite(gradient).all()
        assert (gradient != 0).all(), name


@pytest.mark.parametrize("length", [64, 200])
def test_autocast_leaves_kernel_and_convolution_in_float32(length: int) -> None:
    module = layer(bidirectional=True)
    u = torch.randn(2, 4, length, generator=torch.Generator().manual_seed(5))
    plain, plain_kernel = module(u), module.kernel(length)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        kernel, y = module.kernel(length), module(u)
    assert kernel.dtype == y.dtype == torch.float32
    assert torch.equal(kernel, plain_kernel)
    assert torch.equal(y, plain)


def test_state_space_parameters_are_marked_for_a_small_rate_without_decay() -> None:
    module = layer()
    marked = {name for name, p in module.named_parameters() if hasattr(p, "_optim")}
    assert marked == {"log_dt", "log_neg_a_real", "a_imag"}
    assert module.log_dt._optim == {"lr": 1e-3, "weight_decay": 0.0}


def test_step_sizes_follow_the_sample_rate() -> None:
    fine, coarse = layer(seed=7), layer(seed=7, dt_scale=4.0)
    assert torch.allclose(coarse.log_dt, fine.log_dt + math.log(4.0))
    steps = S4D(2000, 2).log_dt.detach().exp()
    assert 1e-3 * 0.9999 <= float(steps.min()) <= 1.5e-3
    assert 0.07 <= float(steps.max()) <= 1e-1 * 1.0001


def test_initial_eigenvalues() -> None:
    n = np.arange(8)
    assert np.allclose(initial_eigenvalues("lin", 16).numpy(), -0.5 + 1j * np.pi * n)
    assert np.allclose(
        initial_eigenvalues("inv", 16).numpy(), -0.5 + 1j * 16 / np.pi * (16 / (2 * n + 1) - 1)
    )
    order = np.arange(16)
    hippo = -np.sqrt(np.outer(2 * order + 1, 2 * order + 1))
    hippo = np.tril(hippo, -1) - np.diag(order + 1.0)
    normal = np.linalg.eigvals(hippo + 0.5 * np.sqrt(np.outer(2 * order + 1, 2 * order + 1)))
    expected = np.sort(normal.imag[normal.imag > 0])
    found = initial_eigenvalues("legs", 16).numpy()
    assert np.allclose(found.real, -0.5)
    assert np.allclose(np.sort(found.imag), expected)


@pytest.mark.parametrize("d_state", [0, 3])
def test_odd_states_are_refused(d_state: int) -> None:
    with pytest.raises(ValueError, match="d_state must be even"):
        S4D(4, d_state)


def test_block_keeps_shape_and_adds_to_its_input() -> None:
    block = S4Block(8, 4, bidirectional=True)
    h = torch.randn(2, 50, 8, generator=torch.Generator().manual_seed(6))
    assert block(h).shape == h.shape
    with torch.no_grad():
        block.mix.weight.zero_()
        block.mix.bias.zero_()
    assert torch.equal(block(h), h)
