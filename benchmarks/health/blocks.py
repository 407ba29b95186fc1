"""Data, nets and baselines from which the problems of the health benchmark are built."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

import torch
from fitting import Batch
from torch import Tensor, nn
from torch.nn import functional as F

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "gelu": nn.GELU,
    "elu": nn.ELU,
}


def mlp(*sizes: int, activation: str = "relu", last: bool = False) -> nn.Sequential:
    """Return a fully connected net; `last` puts the activation behind the last layer as well."""
    layers: list[nn.Module] = []
    for k, (n_in, n_out) in enumerate(itertools.pairwise(sizes)):
        layers.append(nn.Linear(n_in, n_out))
        if k < len(sizes) - 2 or last:
            layers.append(ACTIVATIONS[activation]())
    return nn.Sequential(*layers)


class MultiHead(nn.Module):
    """One shared trunk and a head for every task; returns the outputs by task."""

    def __init__(self, trunk: nn.Module, heads: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.trunk = trunk
        self.heads = nn.ModuleDict(dict(heads))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        shared = self.trunk(x)
        return {name: head(shared) for name, head in self.heads.items()}


class ConvNet(nn.Module):
    """Two convolutions, pooling and a linear layer on 1 x 8 x 8 images."""

    def __init__(self, n_out: int, *, width: int = 8, norm: bool = False) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1),
            nn.BatchNorm2d(width) if norm else nn.Identity(),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(width, 2 * width, 3, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
        )
        self.head = nn.Linear(8 * width, n_out)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.trunk(x))


class RecurrentNet(nn.Module):
    """A recurrent layer over ``(batch, time, channels)`` and a linear layer on its last state."""

    def __init__(self, n_in: int, n_hidden: int, n_out: int, *, cell: str = "gru") -> None:
        super().__init__()
        layer = {"gru": nn.GRU, "rnn": nn.RNN, "lstm": nn.LSTM}[cell]
        self.trunk = layer(n_in, n_hidden, batch_first=True)
        self.head = nn.Linear(n_hidden, n_out)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.trunk(x)
        return self.head(states[:, -1])


class VAE(nn.Module):
    """Variational autoencoder; returns reconstruction, mean and log-variance of the code."""

    def __init__(self, n_features: int, n_code: int = 4, n_hidden: int = 32) -> None:
        super().__init__()
        self.trunk = mlp(n_features, n_hidden, last=True)
        self.mean = nn.Linear(n_hidden, n_code)
        self.log_variance = nn.Linear(n_hidden, n_code)
        self.decoder = mlp(n_code, n_hidden, n_features)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        shared = self.trunk(x)
        mean, log_variance = self.mean(shared), self.log_variance(shared)
        code = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean) if self.training else mean
        return self.decoder(code), mean, log_variance


def kl_divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return the divergence of the code from a standard normal distribution, per sample."""
    return (0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)).sum(1).mean()


def gaussian_nll(mean: Tensor, log_scale: Tensor, target: Tensor) -> Tensor:
    """Return the mean negative log-likelihood of a normal distribution; below zero for small scales."""
    return (0.5 * ((target - mean) * torch.exp(-log_scale)).square() + log_scale).mean() + 0.5 * math.log(
        2 * math.pi
    )


def seeded(seed: int) -> torch.Generator:
    """Seed torch for weights and noise, and return a generator for the data."""
    torch.manual_seed(seed)
    return torch.Generator().manual_seed(seed + 40503)


def inputs(n: int, n_features: int, generator: torch.Generator) -> Tensor:
    """Return standard normal inputs."""
    return torch.randn(n, n_features, generator=generator)


def teacher(
    x: Tensor, n_out: int, generator: torch.Generator, *, n_hidden: int = 12, gain: float = 1.0
) -> Tensor:
    """Return smooth functions of the inputs with mean 0 and standard deviation 1: a random tanh net."""
    first = torch.randn(x.shape[1], n_hidden, generator=generator) * gain / math.sqrt(x.shape[1])
    second = torch.randn(n_hidden, n_out, generator=generator) / math.sqrt(n_hidden)
    y = torch.tanh(x @ first) @ second
    return (y - y.mean(0)) / y.std(0)


def labels(
    x: Tensor, n_classes: int, generator: torch.Generator, *, noise: float = 0.0, gain: float = 1.5
) -> Tensor:
    """Return classes that a smooth function of the inputs decides; the share `noise` of them is random."""
    y = teacher(x, n_classes, generator, gain=gain).argmax(1)
    if noise:
        wrong = torch.rand(len(y), generator=generator) < noise
        y = torch.where(wrong, torch.randint(0, n_classes, (len(y),), generator=generator), y)
    return y


def noise_like(y: Tensor, generator: torch.Generator, *, tail: float | None = None) -> Tensor:
    """Return noise in the shape of `y`: normal, or Student's t with `tail` degrees of freedom."""
    normal = torch.randn(y.shape, generator=generator)
    if tail is None:
        return normal
    gamma = torch.distributions.Gamma(tail / 2, tail / 2)
    state = torch.random.get_rng_state()
    torch.manual_seed(int(torch.randint(0, 2**31 - 1, (1,), generator=generator)))
    scale = gamma.sample(y.shape)
    torch.random.set_rng_state(state)
    return normal / scale.sqrt()


def images(n: int, n_classes: int, generator: torch.Generator, *, noise: float = 0.6) -> Batch:
    """Return noisy 1 x 8 x 8 images of one pattern for every class, shifted at random, and the classes."""
    patterns = (torch.rand(n_classes, 8, 8, generator=generator) < 0.35).float() * 2
    y = torch.randint(0, n_classes, (n,), generator=generator)
    shifts = torch.randint(0, 2, (n,), generator=generator)
    x = torch.where((shifts == 1)[:, None, None], patterns[y].roll(1, dims=2), patterns[y])
    return (x + noise * torch.randn(x.shape, generator=generator)).unsqueeze(1), y


def sequences(n: int, length: int, generator: torch.Generator, *, noise: float = 0.1) -> Batch:
    """Return noisy sines of random frequency and phase ``(n, length, 1)`` and their next value ``(n, 1)``."""
    frequency = 0.2 + 0.6 * torch.rand(n, 1, generator=generator)
    phase = 2 * math.pi * torch.rand(n, 1, generator=generator)
    wave = torch.sin(frequency * torch.arange(length + 1) + phase)
    noisy = wave + noise * torch.randn(wave.shape, generator=generator)
    return noisy[:, :length, None], wave[:, length:]


def low_rank(n: int, n_features: int, rank: int, generator: torch.Generator, *, noise: float = 0.1) -> Tensor:
    """Return data near a curved surface of `rank` dimensions, standardised: something to autoencode."""
    return teacher(torch.randn(n, rank, generator=generator), n_features, generator) + noise * torch.randn(
        n, n_features, generator=generator
    )


def split(tensors: Sequence[Tensor], n_val: int) -> tuple[Batch, Batch]:
    """Return all but the last `n_val` samples, and the last `n_val`."""
    return tuple(t[:-n_val] for t in tensors), tuple(t[-n_val:] for t in tensors)


def shuffled(y: Tensor, generator: torch.Generator) -> Tensor:
    """Return the targets in random order, so that inputs say nothing about them."""
    return y[torch.randperm(len(y), generator=generator)]


def baseline_mse(y: Tensor) -> float:
    """Return the squared error of the best constant."""
    return (y - y.mean(0)).square().mean().item()


def baseline_l1(y: Tensor) -> float:
    """Return the absolute error of the best constant."""
    return (y - y.median(0).values).abs().mean().item()


def baseline_ce(y: Tensor, n_classes: int) -> float:
    """Return the cross-entropy of the best constant probabilities."""
    share = torch.bincount(y, minlength=n_classes).double() / len(y)
    return -(share * torch.log(share.clamp_min(1e-12))).sum().item()


def cross_entropy(output: Tensor, y: Tensor) -> Tensor:
    """Return the mean cross-entropy of logits."""
    return F.cross_entropy(output, y)
