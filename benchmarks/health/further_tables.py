"""Further problems on tables: many targets, quantiles, durations, densities, ratings, graphs, equations."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping

import torch
from blocks import MultiHead, mlp, seeded, split
from fitting import Batch, Losses
from further_training import Task
from torch import Tensor, nn
from torch.nn import functional as F


def waves(x: Tensor, n_out: int, generator: torch.Generator) -> Tensor:
    """Return sines and products of directions of the inputs, with mean 0 and standard deviation 1."""
    a, b, c = (torch.randn(x.shape[1], n_out, generator=generator) / x.shape[1] ** 0.5 for _ in range(3))
    y = torch.sin(3.0 * (x @ a)) + 1.5 * (x @ b) * (x @ c)
    return (y - y.mean(0)) / y.std(0)


def _loss_of(kind: str, output: Tensor, y: Tensor) -> Tensor:
    output = output[:, 0]
    match kind:
        case "square":
            return (output - y).square().mean()
        case "sum":
            return (output - y).square().sum()
        case "absolute":
            return (output - y).abs().mean()
        case "huber":
            return F.huber_loss(output, y, delta=0.3)
        case "logistic":
            return F.softplus(-output * y.sign()).mean()
        case "count":
            return (output.exp() - y * output).mean()
        case "angle":
            return (1 - torch.cos(output - y)).mean()
        case "logcosh":
            return (F.softplus(2 * (output - y)) - (output - y) - math.log(2)).mean()
    raise ValueError(kind)


def parts(
    seed: int,
    spec: Mapping[str, str],
    *,
    units: Mapping[str, float] | None = None,
    weights: Mapping[str, float] | None = None,
    every: Mapping[str, int] | None = None,
    n: int = 2000,
    n_val: int = 150,
    noise: float = 0.25,
    width: int = 40,
    depth: int = 2,
    activation: str = "elu",
    baselines: bool = False,
    scaled: bool = False,
) -> Task:
    """Return many targets of one table.

    `every`: components that only each so many steps are computed; `scaled`: the net knows the units.
    """
    generator = seeded(seed)
    x = 3.4 * torch.rand(n + n_val, 6, generator=generator) - 1.7
    y = waves(x, len(spec), generator)
    columns = []
    for k, (name, kind) in enumerate(spec.items()):
        target = y[:, k]
        if kind == "count":
            target = torch.poisson(torch.exp(1.0 + 0.7 * target), generator=generator)
        elif kind != "logistic":
            target = target + noise * torch.randn(len(x), generator=generator)
        columns.append(target * (units or {}).get(name, 1.0))
    train, val = split((x, *columns), n_val)
    trunk = mlp(6, *[width] * depth, activation=activation, last=True)
    model = MultiHead(trunk, {name: nn.Linear(width, 1) for name in spec})
    counter = {"step": 0}

    def losses(model: nn.Module, batch: Batch, _: float) -> Losses:
        if model.training:
            counter["step"] += 1
        outputs = model(batch[0])
        unit = (units or {}) if scaled else {}
        return {
            name: _loss_of(kind, unit.get(name, 1.0) * outputs[name], target)
            for (name, kind), target in zip(spec.items(), batch[1:], strict=True)
            if not model.training or counter["step"] % (every or {}).get(name, 1) == 0
        }

    known = {
        name: target.var(correction=0).item()
        for (name, kind), target in zip(spec.items(), val[1:], strict=True)
        if kind == "square"
    }
    return Task(
        model=model,
        losses=losses,
        train=train,
        val=val,
        weights={name: (weights or {}).get(name, 1.0) for name in spec},
        baselines=known if baselines else {},
        trunk=trunk,
    )


def spirals(
    seed: int,
    *,
    arms: int = 3,
    n: int = 1500,
    focal: float = 0.0,
    wrong: float = 0.0,
    hard: float = 1.0,
    width: int = 48,
    depth: int = 3,
    activation: str = "gelu",
    total: bool = False,
    turns: float = 1.2,
) -> Task:
    """Return interleaved spirals; `hard`: share of the worst samples of a batch that count."""
    generator = seeded(seed)
    y = torch.randint(0, arms, (n + 200,), generator=generator)
    r = torch.rand(len(y), generator=generator).sqrt()
    angle = 2 * math.pi * (turns * r + y / arms) + 0.12 * torch.randn(len(y), generator=generator)
    x = torch.stack([r * angle.cos(), r * angle.sin(), r, r * (2 * angle).cos()], dim=1) * 2
    mixed = torch.rand(len(y), generator=generator) < wrong
    y = torch.where(mixed, torch.randint(0, arms, (len(y),), generator=generator), y)
    train, val = split((x[:, :2], y), 200)

    def losses(model: nn.Module, batch: Batch, _: float) -> Losses:
        each = F.cross_entropy(model(batch[0]), batch[1], reduction="none")
        if focal:
            each = each * (1 - (-each).exp()) ** focal
        if hard < 1:
            each = each.topk(max(1, int(hard * len(each)))).values
        return {"loss": each.sum() if total else each.mean()}

    model = mlp(2, *[width] * depth, arms, activation=activation)
    return Task(model=model, losses=losses, train=train, val=val, weights={"loss": 1.0})


def rare(seed: int, *, share: float = 0.04, n: int = 3000, positive: float = 1.0, focal: float = 0.0) -> Task:
    """Return the detection of something rare; `positive`: weight of its samples."""
    generator = seeded(seed)
    y = (torch.rand(n + 400, generator=generator) < share).float()
    x = torch.randn(len(y), 5, generator=generator)
    x = torch.where(y[:, None] > 0, x * 0.5 + torch.tensor([1.5, -1.2, 0.0, 1.0, 0.0]), x)
    train, val = split((x, y), 400)

    def losses(model: nn.Module, batch: Batch, _: float) -> Losses:
        output = model(batch[0])[:, 0]
        each = F.binary_cross_entropy_with_logits(
            output, batch[1], reduction="none", pos_weight=torch.tensor(positive)
        )
        if focal:
            p = torch.sigmoid(output)
            each = each * torch.where(batch[1] > 0, 1 - p, p) ** focal
        return {"events": each.mean()}

    return Task(model=mlp(5, 16, 1), losses=losses, train=train, val=val, weights={"events": 1.0})


def quantiles(seed: int, *, n: int = 1600, n_levels: int = 9, unit: float = 1.0, n_val: int = 200) -> Task:
    """Return the quantiles of a skewed target, each a component."""
    generator = seeded(seed)
    x = torch.rand(n + n_val, 3, generator=generator) * 4 - 2
    spread = 0.2 + 0.3 * x[:, 0].abs()
    y = waves(x, 1, generator)[:, 0] + spread * torch.empty(len(x)).exponential_(generator=generator)
    train, val = split((x, unit * y), n_val)
    levels = [(k + 1) / (n_levels + 1) for k in range(n_levels)]
    names = [f"q{round(100 * level):02d}" for level in levels]

    def losses(model: nn.Module, batch: Batch, _: float) -> Losses:
        error = batch[1][:, None] - unit * model(batch[0])
        return {
            name: torch.maximum(level * error[:, k], (level - 1) * error[:, k]).mean()
            for k, (name, level) in enumerate(zip(names, levels, strict=True))
        }

    model = mlp(3, 48, 48, n_levels, activation="gelu")
    weights = dict.fromkeys(names, 1.0)
    return Task(model=model, losses=losses, train=train, val=val, weights=weights, trunk=model[:4])


def durations(
    seed: int, *, n: int = 800, cox: bool = False, unit: float = 1.0, width: int = 24, effect: float = 0.8
) -> Task:
    """Return censored durations: a Weibull likelihood, or Cox's partial likelihood of a batch."""
    generator = seeded(seed)
    x = torch.randn(n + 150, 8, generator=generator)
    risk = effect * waves(x[:, :3], 1, generator)[:, 0] + effect * x[:, 3]
    draw = torch.empty(len(x)).exponential_(generator=generator)
    time = (draw * torch.exp(-risk)) ** 0.6
    censored = torch.empty(len(x)).exponential_(0.4, generator=generator)
    event = (time <= censored).float()
    time = torch.minimum(time, censored).clamp_min(1e-3) * unit
    train, val = split((x, time, event), 150)

    def losses(model: nn.Module, batch: Batch, _: float) -> Losses:
        x, t, e = batch
        output = model(x)
        if cox:
            order = t.argsort(descending=True)
            score = output[order, 0]
            return {"partial": -((score - torch.logcumsumexp(score, 0)) * e[order]).sum() / e.sum()}
        k = F.softplus(output[:, 1]) + 0.05
        log_ratio = t.log() - output[:, 0]
        log_hazard = k.log() - output[:, 0] + (k - 1) * log_ratio
        return {"survival": -(e * log_hazard - torch.exp(k * log_ratio)).mean()}

    name = "partial" if cox else "survival"
    return Task(
        model=mlp(8, width, 2, activation="tanh"), losses=losses, train=train, val=val, weights={name: 1.0}
    )


class Coupling(nn.Module):
    """Affine couplings of two coordinates; returns the code and the log-determinant."""

    def __init__(self, n_layers: int = 4, width: int = 24, limit: float = 2.0) -> None:
        super().__init__()
        self.nets = nn.ModuleList(mlp(1, width, 2, activation="tanh") for _ in range(n_layers))
        self.limit = limit

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        a, b = x[:, :1], x[:, 1:]
        log_det = torch.zeros(len(x))
        for net in self.nets:
            scale, shift = net(a).chunk(2, dim=1)
            scale = self.limit * torch.tanh(scale)
            a, b = b * scale.exp() + shift, a
            log_det = log_det + scale[:, 0]
        return torch.cat([a, b], dim=1), log_det


def flow(seed: int, *, n: int = 2000, narrow: float = 0.05, limit: float = 2.0) -> Task:
    """Return the density of a thin curve: the likelihood loss starts above zero and ends below."""
    generator = seeded(seed)
    t = math.pi * torch.rand(n + 200, 1, generator=generator)
    x = torch.cat([t.cos(), t.sin() * 0.6 + 0.3 * t], dim=1)
    train, val = split((0.5 * x + narrow * torch.randn(x.shape, generator=generator),), 200)

    def losses(model: nn.Module, batch: Batch, _: float) -> Losses:
        z, log_det = model(batch[0])
        return {"nll": (0.5 * z.square().sum(1) - log_det).mean()}

    return Task(model=Coupling(limit=limit), losses=losses, train=train, val=val, weights={"nll": 1.0})


def ratings(
    seed: int,
    *,
    n: int = 4000,
    rank: int = 4,
    decay: float = 1e-3,
    size: int = 60,
    total: bool = False,
    noise: float = 0.5,
) -> Task:
    """Return the factors of a table of ratings, with a penalty on them."""
    generator = seeded(seed)
    left, right = (torch.randn(size, 3, generator=generator) for _ in range(2))
    pairs = torch.randint(0, size, (n + 500, 2), generator=generator)
    score = (left[pairs[:, 0]] * right[pairs[:, 1]]).sum(1) + noise * torch.randn(
        n + 500, generator=generator
    )
    train, val = split((pairs, score), 500)
    model = nn.ModuleDict({name: nn.Embedding(size, rank) for name in ("left", "right")})
    for table in model.values():
        nn.init.normal_(table.weight, std=0.3)

    def losses(_: nn.Module, batch: Batch, __: float) -> Losses:
        u, v = model["left"](batch[0][:, 0]), model["right"](batch[0][:, 1])
        error = ((u * v).sum(1) - batch[1]).square()
        return {
            "ratings": error.sum() if total else error.mean(),
            "penalty": u.square().sum(1).mean() + v.square().sum(1).mean(),
        }

    weights = {"ratings": 1.0, "penalty": decay}
    return Task(model=model, losses=losses, train=train, val=val, weights=weights)


class GraphNet(nn.Module):
    """Averages over neighbours and linear maps in turn."""

    def __init__(self, adjacency: Tensor, sizes: tuple[int, ...], *, dropout: float = 0.0) -> None:
        super().__init__()
        self.register_buffer("adjacency", adjacency)
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(sizes))
        self.dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        for k, layer in enumerate(self.layers):
            x = self.adjacency @ layer(F.dropout(x, self.dropout, self.training))
            x = torch.relu(x) if k < len(self.layers) - 1 else x
        return x


def graph(
    seed: int,
    *,
    n: int = 160,
    hidden: tuple[int, ...] = (16,),
    labelled: int = 60,
    dropout: float = 0.3,
    signal: float = 0.5,
    inside: float = 0.10,
) -> Task:
    """Return the classes of the nodes of a graph, of which some are known; every step sees all of it."""
    generator = seeded(seed)
    y = torch.randint(0, 4, (n,), generator=generator)
    near = torch.where(y[:, None] == y[None], inside, 0.015)
    edges = torch.rand(n, n, generator=generator) < near
    adjacency = (edges | edges.T).float() + torch.eye(n)
    adjacency = adjacency / adjacency.sum(1, keepdim=True)
    x = torch.randn(n, 12, generator=generator) + signal * F.one_hot(y, 12)
    model = GraphNet(adjacency, (12, *hidden, 4), dropout=dropout)
    train, val = torch.arange(labelled)[None], torch.arange(labelled, n)[None]

    def losses(model: nn.Module, batch: Batch, _: float) -> Losses:
        known = batch[0][0]
        return {"nodes": F.cross_entropy(model(x)[known], y[known])}

    return Task(model=model, losses=losses, train=(train,), val=(val,), weights={"nodes": 1.0})


def heat(seed: int, *, n: int = 512, weights: Mapping[str, float] | None = None, width: int = 24) -> Task:
    """Return the heat equation on a rod, solved by a net from equation, edges and start."""
    generator = seeded(seed)
    train, val = split((torch.rand(n + 64, 2, generator=generator),), 64)
    model = mlp(2, width, width, 1, activation="tanh")

    def losses(model: nn.Module, batch: Batch, _: float) -> Losses:
        with torch.enable_grad():
            points = batch[0].clone().requires_grad_()
            u = model(points)
            (slope,) = torch.autograd.grad(u.sum(), points, create_graph=True)
            (bend,) = torch.autograd.grad(slope[:, 0].sum(), points, create_graph=True)
        x, t = batch[0][:, :1], batch[0][:, 1:]
        edges = torch.cat([torch.cat([x.round(), t], 1)])
        start = model(torch.cat([x, torch.zeros_like(x)], 1)) - torch.sin(math.pi * x)
        return {
            "equation": (slope[:, 1] - 0.1 * bend[:, 0]).square().mean(),
            "edges": model(edges).square().mean(),
            "start": start.square().mean(),
        }

    used = {"equation": 1.0, "edges": 5.0, "start": 20.0} | dict(weights or {})
    return Task(model=model, losses=losses, train=train, val=val, weights=used, trunk=model)
