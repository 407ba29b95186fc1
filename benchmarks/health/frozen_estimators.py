"""Problems of statistics: kernels, ratings, quantiles, likelihoods, survival, flows, codes, linear nets."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from frozen_training import Data, Losses, Problem, entropy, mlp, split, spread
from torch import Tensor, nn


def kernel(
    seed: int, *, n: int = 600, n_val: int = 200, n_features: int = 100, ridge: bool = True
) -> Problem:
    """Logistic regression of spirals on random Fourier features, with a penalty of its own."""
    angle = 5 * torch.rand(n + n_val)
    side = torch.randint(0, 2, (n + n_val,))
    turn = angle + math.pi * side
    x = torch.stack([angle * turn.cos(), angle * turn.sin()], 1) + 0.15 * torch.randn(n + n_val, 2)
    wave = x @ torch.randn(2, n_features) * 1.0 + 2 * math.pi * torch.rand(n_features)
    data, val = split({"x": wave.cos() * math.sqrt(2), "side": side.float()}, n_val)
    net = nn.Linear(n_features, 1)
    nn.init.zeros_(net.weight)

    def losses(net: nn.Module, batch: Data) -> Losses:
        fit = F.binary_cross_entropy_with_logits(net(batch["x"])[:, 0], batch["side"])
        return {"fit": fit, "ridge": net.weight.square().sum()} if ridge else {"fit": fit}

    return Problem(net=net, data=data, val=val, losses=losses, baselines={"fit": entropy(data["side"])})


class Ratings(nn.Module):
    """Factors of users and of items with biases."""

    def __init__(self, n_users: int, n_items: int, rank: int) -> None:
        super().__init__()
        self.user = nn.Embedding(n_users, rank)
        self.item = nn.Embedding(n_items, rank)
        self.bias = nn.Embedding(n_items, 1)
        for table in (self.user, self.item, self.bias):
            nn.init.normal_(table.weight, std=0.1)

    def forward(self, user: Tensor, item: Tensor) -> Tensor:
        """Return the predicted ratings."""
        return (self.user(user) * self.item(item)).sum(1) + self.bias(item)[:, 0]


def ratings(seed: int, *, n: int = 3000, n_val: int = 600, rank: int = 4, noise: float = 0.3) -> Problem:
    """Matrix factorisation: squared error, pairwise ranking, size of the factors."""
    user, item = torch.randint(0, 60, (n + n_val,)), torch.randint(0, 50, (n + n_val,))
    other = torch.randint(0, 50, (n + n_val,))
    left, right = torch.randn(60, 3), torch.randn(50, 3)
    score = left @ right.T / math.sqrt(3)
    rating = score[user, item] + noise * torch.randn(n + n_val)
    better = (score[user, item] > score[user, other]).float()
    data, val = split({"user": user, "item": item, "other": other, "rating": rating, "better": better}, n_val)
    base = {"rating": spread(data["rating"]), "ranking": entropy(data["better"])}
    net = Ratings(60, 50, rank)
    return Problem(net=net, data=data, val=val, losses=_rating_losses, baselines=base)


def _rating_losses(net: nn.Module, batch: Data) -> Losses:
    here, there = net(batch["user"], batch["item"]), net(batch["user"], batch["other"])
    return {
        "rating": F.mse_loss(here, batch["rating"]),
        "ranking": F.binary_cross_entropy_with_logits(here - there, batch["better"]),
        "size": net.user.weight.square().mean() + net.item.weight.square().mean(),
    }


def quantiles(seed: int, *, n: int = 800, n_val: int = 200, tail: float = 3.0) -> Problem:
    """Three quantiles of a noise with heavy tails that widens with the input."""
    x = torch.rand(n + n_val, 3) * 2 - 1
    noise = torch.distributions.StudentT(tail).sample((n + n_val,))
    y = torch.sin(3 * x[:, 0]) + x[:, 1] * x[:, 2] + 0.2 * (1.3 + x[:, 0]) * noise
    data, val = split({"x": x, "y": y}, n_val)
    base = {}
    for name, q in _QUANTILES.items():
        gap = data["y"] - data["y"].quantile(q)
        base[name] = float(torch.maximum(q * gap, (q - 1) * gap).mean())
    return Problem(
        net=mlp(3, 32, 32, 3, act=nn.Tanh), data=data, val=val, losses=_quantile_losses, baselines=base
    )


_QUANTILES = {"q10": 0.1, "q50": 0.5, "q90": 0.9}


def _quantile_losses(net: nn.Module, batch: Data) -> Losses:
    gap = batch["y"][:, None] - net(batch["x"])
    return {
        name: torch.maximum(q * gap[:, i], (q - 1) * gap[:, i]).mean()
        for i, (name, q) in enumerate(_QUANTILES.items())
    }


def likelihood(seed: int, *, n: int = 800, n_val: int = 200, noise: float = 0.05) -> Problem:
    """Two Gaussian likelihoods with learned variance, whose values cross zero."""
    x = torch.randn(n + n_val, 4)
    first = torch.tanh(x @ torch.randn(4)) + noise * torch.randn(n + n_val)
    second = torch.sin(x @ torch.randn(4) / 2) + 2 * noise * (0.5 + torch.rand(n + n_val)) * torch.randn(
        n + n_val
    )
    data, val = split({"x": x, "first": first, "second": second}, n_val)
    base = {name: 0.5 * math.log(2 * math.pi * math.e * spread(data[name])) for name in ("first", "second")}
    net = mlp(4, 48, 48, 4, act=nn.Tanh)
    return Problem(net=net, data=data, val=val, losses=_likelihood_losses, baselines=base)


def _likelihood_losses(net: nn.Module, batch: Data) -> Losses:
    out = net(batch["x"])
    losses = {}
    for i, name in enumerate(("first", "second")):
        scale = out[:, 2 * i + 1].clamp(-6, 6)
        square = (batch[name] - out[:, 2 * i]) ** 2
        losses[name] = (0.5 * square * torch.exp(-2 * scale) + scale + 0.919).mean()
    return losses


def survival(seed: int, *, n: int = 600, n_val: int = 150, events: float = 0.6) -> Problem:
    """Cox regression: negative partial likelihood of a batch, mean over its events."""
    x = torch.randn(n + n_val, 8)
    risk = x @ torch.randn(8) / 2
    lifetime = torch.distributions.Exponential(1.0).sample((n + n_val,)) * torch.exp(-risk)
    data, val = split({"x": x, "time": lifetime, "event": (torch.rand(n + n_val) < events).float()}, n_val)
    return Problem(net=mlp(8, 16, 1), data=data, val=val, losses=_survival_losses)


def _survival_losses(net: nn.Module, batch: Data) -> Losses:
    order = batch["time"].argsort(descending=True)
    score, event = net(batch["x"])[order, 0], batch["event"][order]
    return {"partial": -((score - score.logcumsumexp(0)) * event).sum() / event.sum().clamp_min(1)}


class Flow(nn.Module):
    """Affine couplings in two dimensions."""

    def __init__(self, depth: int) -> None:
        super().__init__()
        self.parts = nn.ModuleList(mlp(1, 24, 2, act=nn.Tanh) for _ in range(depth))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return latent points and the logarithm of the change of volume."""
        volume = torch.zeros(len(x))
        for part in self.parts:
            log_scale, shift = part(x[:, :1]).unbind(1)
            x = torch.stack([x[:, 1] * log_scale.exp() + shift, x[:, 0]], 1)
            volume = volume + log_scale
        return x, volume


def flow(seed: int, *, n: int = 800, n_val: int = 200, thin: float = 0.05) -> Problem:
    """Density of two thin moons: log volume and latent energy apart, both of either sign."""
    angle = math.pi * torch.rand(n + n_val)
    side = torch.randint(0, 2, (n + n_val,)).float()
    x = torch.stack([angle.cos() * (1 - 2 * side) + side, angle.sin() * (1 - 2 * side) + 0.4 * side], 1)
    data, val = split({"x": x - 0.3 + thin * torch.randn(n + n_val, 2)}, n_val)
    return Problem(net=Flow(6), data=data, val=val, losses=_flow_losses)


def _flow_losses(net: nn.Module, batch: Data) -> Losses:
    latent, volume = net(batch["x"])
    return {"likelihood": (0.5 * latent.square().sum(1) + 1.838 - volume).mean()}


class Codes(nn.Module):
    """Sparse codes with a learned dictionary."""

    def __init__(self, n_inputs: int, n_atoms: int) -> None:
        super().__init__()
        self.encode = nn.Linear(n_inputs, n_atoms)
        self.atoms = nn.Linear(n_atoms, n_inputs, bias=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the reconstruction and the code."""
        code = F.relu(self.encode(x))
        return self.atoms(code), code


def codes(seed: int, *, n: int = 800, n_val: int = 160) -> Problem:
    """Sparse coding of mixtures: reconstruction, sparsity, length of the atoms (exactly zero when short)."""
    active = (torch.rand(n + n_val, 24) < 0.1).float() * torch.rand(n + n_val, 24) * 2
    x = active @ (torch.randn(24, 20) / 2) + 0.05 * torch.randn(n + n_val, 20)
    data, val = split({"x": x}, n_val)
    net = Codes(20, 32)
    nn.init.normal_(net.atoms.weight, std=0.4)

    def losses(net: nn.Module, batch: Data) -> Losses:
        again, code = net(batch["x"])
        lengths = net.atoms.weight.norm(dim=0)
        return {
            "rebuild": F.mse_loss(again, batch["x"]),
            "sparsity": code.abs().mean(),
            "length": (lengths - 1.2).clamp_min(0).square().sum(),
        }

    return Problem(net=net, data=data, val=val, losses=losses, baselines={"rebuild": spread(data["x"])})


def saddles(seed: int, *, n: int = 256, n_val: int = 64, start: float = 0.03, depth: int = 3) -> Problem:
    """A deep linear network from a small start, which learns one direction after another."""
    x = torch.randn(n + n_val, 6)
    left, right = torch.linalg.qr(torch.randn(6, 6))[0], torch.linalg.qr(torch.randn(6, 6))[0]
    y = x @ (left * torch.tensor([3.0, 1.5, 0.6, 0.0, 0.0, 0.0])) @ right.T + 0.05 * torch.randn(n + n_val, 6)
    data, val = split({"x": x, "y": y}, n_val)
    net = nn.Sequential(*(nn.Linear(6, 6, bias=False) for _ in range(depth)))
    for layer in net:
        nn.init.eye_(layer.weight)
        with torch.no_grad():
            layer.weight.mul_(start ** (1 / depth)).add_(0.01 * torch.randn(6, 6))

    def losses(net: nn.Module, batch: Data) -> Losses:
        return {"map": F.mse_loss(net(batch["x"]), batch["y"])}

    return Problem(net=net, data=data, val=val, losses=losses, baselines={"map": spread(data["y"])})


def pendulum(seed: int, *, n: int = 256, n_val: int = 64) -> Problem:
    """A damped oscillation from its equation, its start and few measurements."""
    time = 3 * torch.rand(n + n_val)
    data, val = split({"t": time, "y": (torch.exp(-0.3 * time) * (2 * time).cos())}, n_val)
    return Problem(net=mlp(1, 24, 24, 1, act=nn.Tanh), data=data, val=val, losses=_pendulum_losses)


def _pendulum_losses(net: nn.Module, batch: Data) -> Losses:
    with torch.enable_grad():
        t = batch["t"][:, None].clone().requires_grad_()
        y = net(t)
        first = torch.autograd.grad(y.sum(), t, create_graph=True)[0]
        second = torch.autograd.grad(first.sum(), t, create_graph=True)[0]
    zero = torch.zeros(1, 1)
    return {
        "equation": (second + 0.6 * first + 4.09 * y).square().mean(),
        "start": (net(zero) - 1).square().mean(),
        "measured": F.l1_loss(y[:, 0], batch["y"]),
    }
