"""Problems of several components: what the small networks of the tuning half learn at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from blocks import (
    MultiHead,
    baseline_ce,
    baseline_l1,
    baseline_mse,
    gaussian_nll,
    inputs,
    labels,
    low_rank,
    mlp,
    noise_like,
    seeded,
    split,
    teacher,
)
from fitting import Batch, Losses, Problem
from torch import Tensor, nn
from torch.nn import functional as F


def _binary(output: Tensor, y: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(output[:, 0], y.float())


def _hinge(output: Tensor, y: Tensor) -> Tensor:
    return F.relu(1 - output[:, 0] * (2 * y.float() - 1)).mean()


def _likelihood(output: Tensor, y: Tensor) -> Tensor:
    mean, log_scale = output.chunk(2, dim=1)
    return gaussian_nll(mean, log_scale, y)


KINDS: dict[str, tuple[int, Callable[[Tensor, Tensor], Tensor]]] = {
    "ce": (4, F.cross_entropy),
    "bce": (1, _binary),
    "hinge": (1, _hinge),
    "separable": (1, _hinge),
    "mse": (1, F.mse_loss),
    "l1": (1, F.l1_loss),
    "huber": (1, F.smooth_l1_loss),
    "nll": (2, _likelihood),
    "easy": (1, F.mse_loss),
}
"""Outputs and loss of every kind of task. ``easy`` is one input; ``separable`` has a wide margin."""


def _target(kind: str, x: Tensor, generator: torch.Generator, noise: float, tail: float | None) -> Tensor:
    if kind == "ce":
        return labels(x, 4, generator, noise=noise / 4)
    if kind in ("bce", "hinge"):
        return labels(x, 2, generator, noise=noise / 4)
    if kind == "separable":
        return (x[:, 0] > 0).long()
    if kind == "easy":
        return x[:, 1:2].clone()
    y = teacher(x, 1, generator)
    return y + noise * noise_like(y, generator, tail=tail)


def _baseline(kind: str, y: Tensor) -> float | None:
    match kind:
        case "ce":
            return baseline_ce(y, 4)
        case "bce":
            return baseline_ce(y, 2)
        case "mse" | "easy":
            return baseline_mse(y)
        case "l1":
            return baseline_l1(y)
    return None


def multitask(
    seed: int,
    kinds: Mapping[str, str],
    *,
    weights: Mapping[str, float] | None = None,
    n: int = 2400,
    n_features: int = 12,
    n_hidden: int = 32,
    noise: float = 0.3,
    tail: float | None = None,
    activation: str = "relu",
    depth: int = 1,
    scale: Mapping[str, float] | None = None,
    n_val: int = 200,
) -> Problem:
    """Return a net with a head for every task; `kinds` maps tasks to `KINDS`, `scale` to units."""
    generator = seeded(seed)
    x = inputs(n + n_val, n_features, generator)
    if "separable" in kinds.values():
        x[:, 0] = x[:, 0].sign() * (1 + x[:, 0].abs())
    targets = [
        _target(kind, x, generator, noise, tail) * (scale or {}).get(name, 1) for name, kind in kinds.items()
    ]
    train, val = split((x, *targets), n_val)
    trunk = mlp(n_features, *[n_hidden] * depth, activation=activation, last=True)
    model = MultiHead(trunk, {name: nn.Linear(n_hidden, KINDS[kind][0]) for name, kind in kinds.items()})

    def losses(model: nn.Module, batch: Batch, _: float) -> Losses:
        outputs = model(batch[0])
        return {
            name: KINDS[kind][1](outputs[name], y)
            for (name, kind), y in zip(kinds.items(), batch[1:], strict=True)
        }

    found = {name: _baseline(kind, y) for (name, kind), y in zip(kinds.items(), val[1:], strict=True)}
    return Problem(
        model=model,
        losses=losses,
        train=train,
        val=val,
        weights={name: (weights or {}).get(name, 1.0) for name in kinds},
        baselines={name: value for name, value in found.items() if value is not None},
        trunk=trunk,
    )


def partly_labelled(seed: int, *, share: float = 0.3, n: int = 2400, smallest: int = 1) -> Problem:
    """Return two tasks; the second is known for the `share` of samples and absent where none is."""
    problem = multitask(seed, {"phase": "ce", "depth": "mse"}, n=n)
    generator = torch.Generator().manual_seed(seed + 7)
    train = (*problem.train, torch.rand(n, generator=generator) < share)
    assert problem.val is not None
    val = (*problem.val, torch.rand(len(problem.val[0]), generator=generator) < share)

    def losses(model: nn.Module, batch: Batch, _: float) -> Losses:
        outputs, known = model(batch[0]), batch[3]
        result = {"phase": F.cross_entropy(outputs["phase"], batch[1])}
        if known.sum() >= smallest:
            result["depth"] = (outputs["depth"] - batch[2])[known].square().mean()
        return result

    problem.losses, problem.train, problem.val = losses, train, val
    return problem


def embedding(seed: int, *, n: int = 800, margin: float = 0.5, weight: float = 0.5) -> Problem:
    """Return a classification with a triplet term, which honestly reaches exactly zero in many batches."""
    generator = seeded(seed)
    centres = 2.0 * torch.randn(4, 8, generator=generator)
    y = torch.randint(0, 4, (n + 200,), generator=generator)
    x = centres[y] + 0.7 * torch.randn(len(y), 8, generator=generator)
    train, val = split((x, y), 200)
    trunk = mlp(8, 24, 8)
    model = MultiHead(trunk, {"class": nn.Linear(8, 4)})

    def losses(model: nn.Module, batch: Batch, _: float) -> Losses:
        code = trunk(batch[0])
        same = batch[1][:, None] == batch[1][None]
        distance = (code[:, None] - code[None]).square().mean(2)
        mean_near = (distance * same).sum(1) / same.sum(1)
        mean_far = (distance * ~same).sum(1) / (~same).sum(1).clamp_min(1)
        return {
            "class": F.cross_entropy(model(batch[0])["class"], batch[1]),
            "triplet": F.relu(mean_near - mean_far + margin).mean(),
        }

    return Problem(
        model=model,
        losses=losses,
        train=train,
        val=val,
        weights={"class": 1.0, "triplet": weight},
        baselines={"class": baseline_ce(val[1], 4)},
        trunk=trunk,
    )


def contrast(seed: int, *, n: int = 800, temperature: float = 0.2) -> Problem:
    """Return two views of one thing that an InfoNCE loss brings together, and a penalty on the code."""
    generator = seeded(seed)
    hidden = torch.randn(n + 128, 4, generator=generator)
    first, second = (
        teacher(hidden, 12, generator) + 0.2 * torch.randn(len(hidden), 12, generator=generator)
        for _ in range(2)
    )
    train, val = split((first, second), 128)
    model = nn.ModuleDict({"first": mlp(12, 24, 6), "second": mlp(12, 24, 6)})

    def losses(_: nn.Module, batch: Batch, __: float) -> Losses:
        a, b = F.normalize(model["first"](batch[0])), F.normalize(model["second"](batch[1]))
        logits = a @ b.T / temperature
        mean = torch.cat([a, b]).mean(0).square().mean()
        return {"nce": F.cross_entropy(logits, torch.arange(len(a))), "centre": mean}

    return Problem(
        model=model,
        losses=losses,
        train=train,
        val=val,
        weights={"nce": 1.0, "centre": 1.0},
        trunk=model["first"],
    )


def physics(seed: int, *, n: int = 600, weight: float = 0.1) -> Problem:
    """Return a net that solves ``u'' = -u`` with two boundary terms: components in conflict."""
    generator = seeded(seed)
    t = 3.0 * torch.rand(n + 100, 1, generator=generator)
    train, val = split((t,), 100)
    model = mlp(1, 24, 1, activation="tanh")

    def losses(model: nn.Module, batch: Batch, _: float) -> Losses:
        step = 0.05
        u, before, after = model(batch[0]), model(batch[0] - step), model(batch[0] + step)
        zero = torch.zeros(1, 1)
        slope = (model(zero + step) - model(zero - step)) / (2 * step)
        return {
            "residual": ((after - 2 * u + before) / step**2 + u).square().mean(),
            "start": (model(zero) - 1).square().mean(),
            "slope": slope.square().mean(),
        }

    return Problem(
        model=model,
        losses=losses,
        train=train,
        val=val,
        weights={"residual": weight, "start": 1.0, "slope": 1.0},
        trunk=model,
    )


def penalised(seed: int, *, n: int = 800, smooth: float = 0.01, decay: float = 1e-3) -> Problem:
    """Return a denoising net with a smoothness and a weight penalty, small beside the main loss."""
    generator = seeded(seed)
    clean = low_rank(n + 200, 24, 3, generator, noise=0.0)
    train, val = split((clean + 0.4 * torch.randn(clean.shape, generator=generator), clean), 200)
    model = mlp(24, 32, 24)

    def losses(model: nn.Module, batch: Batch, _: float) -> Losses:
        output = model(batch[0])
        return {
            "signal": F.mse_loss(output, batch[1]),
            "smoothness": output.diff(dim=1).abs().mean(),
            "weights": sum((p.square().sum() for p in model.parameters()), torch.zeros(())),
        }

    return Problem(
        model=model,
        losses=losses,
        train=train,
        val=val,
        weights={"signal": 1.0, "smoothness": smooth, "weights": decay},
        baselines={"signal": baseline_mse(val[1])},
        trunk=model,
    )
