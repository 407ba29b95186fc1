"""Problems of one task: what the small networks of the tuning half learn."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from blocks import (
    VAE,
    ConvNet,
    RecurrentNet,
    baseline_ce,
    baseline_l1,
    baseline_mse,
    gaussian_nll,
    images,
    inputs,
    kl_divergence,
    labels,
    low_rank,
    mlp,
    noise_like,
    seeded,
    sequences,
    split,
    teacher,
)
from fitting import Batch, Losses, Problem
from torch import Tensor, nn
from torch.nn import functional as F

PAIR_LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mse": F.mse_loss,
    "l1": F.l1_loss,
    "huber": F.smooth_l1_loss,
}
PAIR_BASELINES: dict[str, Callable[[Tensor], float]] = {"mse": baseline_mse, "l1": baseline_l1}


def classify(
    seed: int,
    *,
    n: int = 1600,
    n_features: int = 10,
    n_classes: int = 4,
    n_hidden: int = 32,
    noise: float = 0.0,
    smoothing: float = 0.0,
    rare: float = 0.0,
    n_val: int = 200,
    activation: str = "relu",
    depth: int = 1,
    dropout: float = 0.0,
) -> Problem:
    """Return a classification; `noise`: share of random labels, `rare`: share of class 0 that is left out."""
    generator = seeded(seed)
    x = inputs(n + n_val, n_features, generator)
    y = labels(x, n_classes, generator, noise=noise)
    if rare:
        kept = (y != 0) | (torch.rand(len(y), generator=generator) > rare)
        x, y = x[kept], y[kept]
    train, val = split((x, y), n_val)
    model = mlp(n_features, *[n_hidden] * depth, n_classes, activation=activation)
    if dropout:
        model.insert(1, nn.Dropout(dropout))

    def losses(model: nn.Module, batch: Batch, _: float) -> Losses:
        return {"ce": F.cross_entropy(model(batch[0]), batch[1], label_smoothing=smoothing)}

    return Problem(
        model=model,
        losses=losses,
        train=train,
        val=val,
        weights={"ce": 1.0},
        baselines={"ce": baseline_ce(val[1], n_classes)},
    )


def regress(
    seed: int,
    *,
    n: int = 800,
    n_features: int = 8,
    n_out: int = 2,
    n_hidden: int = 32,
    noise: float = 0.3,
    tail: float | None = None,
    loss: str = "mse",
    scale: float = 1.0,
    n_val: int = 200,
    activation: str = "tanh",
    depth: int = 1,
    gain: float = 1.0,
    lognormal: float = 0.0,
) -> Problem:
    """Return a regression; `tail`: degrees of freedom of the noise, `lognormal`: spread of sample weights."""
    generator = seeded(seed)
    x = inputs(n + n_val, n_features, generator)
    y = teacher(x, n_out, generator, gain=gain)
    y = scale * (y + noise * noise_like(y, generator, tail=tail))
    weight = torch.exp(lognormal * torch.randn(len(x), generator=generator) - lognormal**2 / 2)
    train, val = split((x, y, weight), n_val)
    model = mlp(n_features, *[n_hidden] * depth, n_out, activation=activation)

    def losses(model: nn.Module, batch: Batch, _: float) -> Losses:
        if lognormal:
            return {loss: ((model(batch[0]) - batch[1]).square().mean(1) * batch[2]).mean()}
        return {loss: PAIR_LOSSES[loss](model(batch[0]), batch[1])}

    known = loss in PAIR_BASELINES and not lognormal
    return Problem(
        model=model,
        losses=losses,
        train=train,
        val=val,
        weights={loss: 1.0},
        baselines={loss: PAIR_BASELINES[loss](val[1])} if known else {},
    )


def likelihood(
    seed: int, *, n: int = 800, noise: float = 0.1, scale: float = 1.0, n_hidden: int = 32
) -> Problem:
    """Return a regression with a learned spread: its likelihood loss goes below zero."""
    generator = seeded(seed)
    x = inputs(n + 200, 6, generator)
    y = teacher(x, 1, generator)
    y = scale * (y + noise * (1 + x[:, :1].abs()) * noise_like(y, generator))
    train, val = split((x, y), 200)

    def losses(model: nn.Module, batch: Batch, _: float) -> Losses:
        mean, log_scale = model(batch[0]).chunk(2, dim=1)
        return {"nll": gaussian_nll(mean, log_scale, batch[1])}

    spread = math.log(val[1].std().item())
    return Problem(
        model=mlp(6, n_hidden, 2, activation="tanh"),
        losses=losses,
        train=train,
        val=val,
        weights={"nll": 1.0},
        baselines={"nll": 0.5 + spread + 0.5 * math.log(2 * math.pi)},
    )


def counts(seed: int, *, n: int = 800) -> Problem:
    """Return a Poisson regression, whose loss without its constant is below zero for large counts."""
    generator = seeded(seed)
    x = inputs(n + 200, 6, generator)
    rate = torch.exp(1.2 + 0.8 * teacher(x, 1, generator))
    y = torch.poisson(rate, generator=generator)
    train, val = split((x, y), 200)

    def losses(model: nn.Module, batch: Batch, _: float) -> Losses:
        return {"poisson": F.poisson_nll_loss(model(batch[0]), batch[1])}

    mean = val[1].mean()
    return Problem(
        model=mlp(6, 24, 1, activation="tanh"),
        losses=losses,
        train=train,
        val=val,
        weights={"poisson": 1.0},
        baselines={"poisson": (mean - val[1].mean() * mean.log()).item()},
    )


def picture(
    seed: int, *, n: int = 400, n_classes: int = 4, norm: bool = False, noise: float = 0.6
) -> Problem:
    """Return a classification of small images by a convolutional net."""
    generator = seeded(seed)
    train, val = split(images(n + 150, n_classes, generator, noise=noise), 150)

    def losses(model: nn.Module, batch: Batch, _: float) -> Losses:
        return {"ce": F.cross_entropy(model(batch[0]), batch[1])}

    return Problem(
        model=ConvNet(n_classes, width=6, norm=norm),
        losses=losses,
        train=train,
        val=val,
        weights={"ce": 1.0},
        baselines={"ce": baseline_ce(val[1], n_classes)},
    )


def forecast(seed: int, *, n: int = 400, length: int = 16, cell: str = "gru", n_hidden: int = 16) -> Problem:
    """Return the prediction of the next value of a sine by a recurrent net."""
    generator = seeded(seed)
    train, val = split(sequences(n + 100, length, generator), 100)

    def losses(model: nn.Module, batch: Batch, _: float) -> Losses:
        return {"mse": F.mse_loss(model(batch[0]), batch[1])}

    return Problem(
        model=RecurrentNet(1, n_hidden, 1, cell=cell),
        losses=losses,
        train=train,
        val=val,
        weights={"mse": 1.0},
        baselines={"mse": baseline_mse(val[1])},
    )


def autoencode(
    seed: int, *, n: int = 800, sparsity: float = 0.0, n_code: int = 6, n_features: int = 20
) -> Problem:
    """Return an autoencoder, with an L1 penalty on its code where `sparsity` is its weight."""
    generator = seeded(seed)
    train, val = split((low_rank(n + 200, n_features, 3, generator),), 200)
    encoder, decoder = mlp(n_features, 24, n_code), mlp(n_code, 24, n_features)
    model = nn.Sequential(encoder, decoder)

    def losses(_: nn.Module, batch: Batch, __: float) -> Losses:
        code = encoder(batch[0])
        result = {"reconstruction": F.mse_loss(decoder(code), batch[0])}
        return result | ({"sparsity": code.abs().mean()} if sparsity else {})

    return Problem(
        model=model,
        losses=losses,
        train=train,
        val=val,
        weights={"reconstruction": 1.0} | ({"sparsity": sparsity} if sparsity else {}),
        baselines={"reconstruction": baseline_mse(val[0])},
        trunk=encoder,
    )


def variational(
    seed: int,
    *,
    n: int = 800,
    weight: float = 0.02,
    fade: tuple[float, float] = (0.0, 0.0),
    summed: bool = False,
) -> Problem:
    """Return a variational autoencoder; `fade`: from when to when its divergence fades in."""
    generator = seeded(seed)
    train, val = split((low_rank(n + 200, 16, 3, generator),), 200)
    model = VAE(16, 4, 24)

    def losses(model: nn.Module, batch: Batch, progress: float) -> Losses:
        decoded, mean, log_variance = model(batch[0])
        error = (decoded - batch[0]).square()
        share = min(1.0, max(0.0, (progress - fade[0]) / (fade[1] - fade[0]))) if fade[1] else 1.0
        return {
            "reconstruction": error.sum(1).mean() if summed else error.mean(),
            "kl": share * kl_divergence(mean, log_variance),
        }

    return Problem(
        model=model,
        losses=losses,
        train=train,
        val=val,
        weights={"reconstruction": 1.0, "kl": weight},
        baselines={"reconstruction": baseline_mse(val[0]) * (16 if summed else 1)},
        trunk=model.trunk,
    )


def language(seed: int, *, n: int = 600, n_symbols: int = 8, length: int = 12) -> Problem:
    """Return the next-symbol prediction of a random Markov chain: its loss has a floor well above zero."""
    generator = seeded(seed)
    table = torch.softmax(2.0 * torch.randn(n_symbols, n_symbols, generator=generator), dim=1)
    text = torch.randint(0, n_symbols, (n + 100, 1), generator=generator)
    for _ in range(length):
        following = torch.multinomial(table[text[:, -1]], 1, generator=generator)
        text = torch.cat([text, following], dim=1)
    train, val = split((text,), 100)
    model = nn.ModuleDict(
        {
            "embedding": nn.Embedding(n_symbols, 8),
            "cell": nn.GRU(8, 16, batch_first=True),
            "head": nn.Linear(16, n_symbols),
        }
    )

    def losses(_: nn.Module, batch: Batch, __: float) -> Losses:
        states, ___ = model["cell"](model["embedding"](batch[0][:, :-1]))
        return {"ce": F.cross_entropy(model["head"](states).flatten(0, 1), batch[0][:, 1:].flatten())}

    return Problem(
        model=model,
        losses=losses,
        train=train,
        val=val,
        weights={"ce": 1.0},
        baselines={"ce": baseline_ce(val[0][:, 1:].flatten(), n_symbols)},
    )


def denoise(seed: int, *, n: int = 800, weighted: bool = False) -> Problem:
    """Return a small diffusion model: it predicts noise of a random level, so single losses vary a lot."""
    generator = seeded(seed)
    train, val = split((low_rank(n + 200, 8, 2, generator),), 200)
    model = mlp(9, 48, 8, activation="gelu")

    def losses(model: nn.Module, batch: Batch, _: float) -> Losses:
        level = torch.rand(len(batch[0]), 1)
        noise = torch.randn_like(batch[0])
        noisy = batch[0] * torch.cos(1.5 * level) + noise * torch.sin(1.5 * level)
        error = (model(torch.cat([noisy, level], dim=1)) - noise).square().mean(1, keepdim=True)
        return {"noise": (error * (0.1 / (level + 0.02) if weighted else 1.0)).mean()}

    return Problem(
        model=model,
        losses=losses,
        train=train,
        val=val,
        weights={"noise": 1.0},
        baselines={} if weighted else {"noise": 1.0},
    )


def deep_linear(seed: int, *, n: int = 400, small: float = 0.12) -> Problem:
    """Return a deep linear net from a small start: it learns one direction after another, in stairs."""
    generator = seeded(seed)
    x = inputs(n + 100, 8, generator)
    left, _ = torch.linalg.qr(torch.randn(8, 8, generator=generator))
    right, _ = torch.linalg.qr(torch.randn(8, 8, generator=generator))
    strengths = torch.tensor([4.0, 1.6, 0.9, 0, 0, 0, 0, 0])
    y = x @ left @ torch.diag(strengths) @ right + 0.1 * torch.randn(len(x), 8, generator=generator)
    train, val = split((x, y), 100)
    model = nn.Sequential(*(nn.Linear(8, 8, bias=False) for _ in range(3)))
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=small)

    def losses(model: nn.Module, batch: Batch, _: float) -> Losses:
        return {"mse": F.mse_loss(model(batch[0]), batch[1])}

    return Problem(
        model=model,
        losses=losses,
        train=train,
        val=val,
        weights={"mse": 1.0},
        baselines={"mse": baseline_mse(val[1])},
    )
