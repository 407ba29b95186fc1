"""EEGNet: size, shapes, bounds on weights, against the paper and an independent form."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.signal import correlate
from torch import nn

from neuroprism.core.errors import ConfigError, DataError
from neuroprism.eeg.eegnet import EEGNet, bounded


def _n_parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def _formula(n_chans: int, n_outputs: int, n_times: int, sfreq: int, f1: int = 8, depth: int = 2) -> int:
    """Table 2 of the paper: filters, batch norms, depthwise and pointwise maps, dense layer."""
    f2 = f1 * depth
    temporal = sfreq // 2 * f1 + 2 * f1
    spatial = n_chans * f2 + 2 * f2
    separable = 16 * f2 + f2 * f2 + 2 * f2
    return temporal + spatial + separable + n_outputs * (f2 * (n_times // 32) + 1)


def test_sizes_of_the_paper() -> None:
    # One second of 64 channels at 128 Hz, two classes (P300): EEGNet-8,2 and EEGNet-4,2.
    assert _n_parameters(EEGNet(64, 2, 128, 128)) == 2258
    assert _n_parameters(EEGNet(64, 2, 128, 128, n_filters=4)) == 1066


@pytest.mark.parametrize(("n_chans", "n_outputs", "n_times"), [(64, 4, 800), (20, 1, 1000), (1, 5, 200)])
def test_size_follows_the_formula(n_chans: int, n_outputs: int, n_times: int) -> None:
    network = EEGNet(n_chans, n_outputs, n_times, 200)
    assert _n_parameters(network) == _formula(n_chans, n_outputs, n_times, 200)


@pytest.mark.parametrize("n_times", [32, 200, 201, 231, 600])
@pytest.mark.parametrize("n_batch", [1, 3])
def test_any_length_and_batch_run_forward_and_backward(n_times: int, n_batch: int) -> None:
    torch.manual_seed(0)
    network = EEGNet(3, 4, n_times, 200)
    y = network(torch.randn(n_batch, 3, n_times))
    assert y.shape == (n_batch, 4)
    y.square().sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())


@pytest.mark.parametrize("sfreq", [128, 199, 200, 250.0])
def test_filters_keep_the_length_whatever_their_parity(sfreq: float) -> None:
    network = EEGNet(2, 3, 256, sfreq)
    filtered = network.features[:2](torch.zeros(1, 1, 2, 256))
    assert filtered.shape == (1, 8, 2, 256)
    assert network.features[1].kernel_size == (1, round(sfreq / 2))


def test_forward_equals_a_plain_computation() -> None:
    torch.manual_seed(1)
    network = EEGNet(3, 2, 96, 20, n_filters=2).double().eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.1, 0.1)  # type: ignore[union-attr]
            module.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]
    x = torch.randn(1, 3, 96, dtype=torch.float64)
    expected = _plain(network, x[0].numpy())
    np.testing.assert_allclose(network(x)[0].detach().numpy(), expected, atol=1e-10)


def _plain(network: EEGNet, x: np.ndarray) -> np.ndarray:
    """The layers by numpy loops and scipy: temporal, spatial, pool, separable, pool, linear."""
    state = {k: v.detach().numpy() for k, v in network.state_dict().items()}
    f = network.features

    def norm(h: np.ndarray, i: int) -> np.ndarray:
        s = (state[f"features.{i}.{n}"] for n in ("running_mean", "running_var", "weight", "bias"))
        mean, var, weight, bias = (v.reshape(-1, *[1] * (h.ndim - 1)) for v in s)
        return (h - mean) / np.sqrt(var + 1e-3) * weight + bias

    def elu(h: np.ndarray) -> np.ndarray:
        return np.where(h > 0, h, np.expm1(h))

    def pool(h: np.ndarray, n: int) -> np.ndarray:
        kept = h[..., : h.shape[-1] // n * n]
        return kept.reshape(*h.shape[:-1], -1, n).mean(-1)

    def same(row: np.ndarray, kernel: np.ndarray) -> np.ndarray:
        k = len(kernel)
        return correlate(np.pad(row, ((k - 1) // 2, k // 2)), kernel, mode="valid", method="direct")

    assert isinstance(f[1], nn.Conv2d)
    temporal = np.array([[same(row, w[0, 0]) for row in x] for w in state["features.1.weight"]])
    temporal = norm(temporal, 2)
    spatial = state["features.3.weight"][:, 0, :, 0]
    spatial = spatial / np.maximum(1, np.linalg.norm(spatial, axis=1, keepdims=True))
    h = np.array([w @ temporal[k // 2] for k, w in enumerate(spatial)])
    h = pool(elu(norm(h, 4)), 4)
    h = np.array([same(row, w[0, 0]) for row, w in zip(h, state["features.9.weight"], strict=True)])
    h = state["features.10.weight"][:, :, 0, 0] @ h
    h = pool(elu(norm(h, 11)), 8).reshape(-1)
    linear = state["classifier.weight"]
    linear = linear * np.minimum(1, 0.25 / np.linalg.norm(linear, axis=1, keepdims=True))
    return linear @ h + state["classifier.bias"]


def test_norms_are_bounded_and_small_weights_untouched() -> None:
    weight = torch.tensor([[3.0, 4.0], [0.3, 0.4], [0.0, 0.0]])
    expected = torch.tensor([[0.6, 0.8], [0.3, 0.4], [0.0, 0.0]])
    torch.testing.assert_close(bounded(weight, 1.0), expected)
    leaf = weight.clone().requires_grad_()
    bounded(leaf, 1.0).sum().backward()
    assert leaf.grad is not None
    assert torch.isfinite(leaf.grad).all()


def test_dropout_acts_while_training_only() -> None:
    torch.manual_seed(0)
    network = EEGNet(2, 3, 200, 200, dropout=0.5)
    x = torch.randn(4, 2, 200)
    assert not torch.equal(network(x), network(x))
    network.eval()
    assert torch.equal(network(x), network(x))


def test_too_short_window_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least 32 samples, not 31"):
        EEGNet(2, 3, 31, 200)


def test_impossible_sizes_are_refused() -> None:
    with pytest.raises(ConfigError, match="n_chans=0"):
        EEGNet(0, 3, 200, 200)
    with pytest.raises(ConfigError, match="sfreq=1"):
        EEGNet(2, 3, 200, 1)


@pytest.mark.parametrize("shape", [(1, 3, 200), (1, 2, 199), (1, 2, 1, 200), (2, 200)])
def test_other_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match=r"reads \(batch, 2, 200\)"):
        EEGNet(2, 3, 200, 200)(torch.zeros(shape))


def test_learns_a_rhythm() -> None:
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(1)
    y = torch.arange(64) % 2
    times = torch.arange(200) / 200
    rhythm = torch.sin(2 * torch.pi * torch.where(y == 0, 6.0, 20.0)[:, None] * times)
    x = torch.randn(64, 2, 200, generator=generator) + rhythm[:, None]
    network = EEGNet(2, 2, 200, 200)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    for _ in range(15):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(x), y).backward()
        optimizer.step()
    assert (network(x).argmax(1) == y).float().mean() > 0.95
