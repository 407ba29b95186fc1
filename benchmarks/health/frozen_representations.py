"""Problems that learn representations: two views, triplets, a variational code, a teacher, a graph."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from frozen_training import Data, Losses, Problem, entropy, mlp, split, spread
from torch import Tensor, nn


def views(
    seed: int, *, n: int = 768, n_val: int = 64, blur: float = 0.4, temperature: float = 0.2
) -> Problem:
    """Two noisy views of a hidden cause: contrast, and evenness of the code."""
    cause = torch.randn(n + n_val, 6)
    mix = torch.randn(2, 6, 20)
    data, val = split(
        {side: torch.tanh(cause @ mix[i]) + blur * torch.randn(n + n_val, 20) for i, side in enumerate("ab")},
        n_val,
    )
    net = nn.ModuleDict({"a": mlp(20, 32, 8), "b": mlp(20, 32, 8)})

    def losses(net: nn.Module, batch: Data) -> Losses:
        a, b = (F.normalize(net[side](batch[side]), dim=1) for side in "ab")
        scores = a @ b.T / temperature
        here = torch.arange(len(a))
        contrast = 0.5 * (F.cross_entropy(scores, here) + F.cross_entropy(scores.T, here))
        apart = torch.pdist(a).square().mul(-2).exp().mean().log()
        return {"contrast": contrast, "evenness": apart}

    return Problem(net=net, data=data, val=val, losses=losses)


def triplets(seed: int, *, n: int = 800, n_val: int = 200, margin: float = 0.5, gap: float = 1.5) -> Problem:
    """Anchor, same and other: a margin loss that honestly reaches zero, beside a class."""
    centres = gap * torch.randn(5, 12)
    kind = torch.randint(0, 5, (n + n_val,))
    other = (kind + torch.randint(1, 5, (n + n_val,))) % 5
    noise = torch.randn(3, n + n_val, 12)
    data, val = split(
        {
            "anchor": centres[kind] + noise[0],
            "same": centres[kind] + noise[1],
            "other": centres[other] + noise[2],
            "kind": kind,
        },
        n_val,
    )
    net = nn.ModuleDict({"code": mlp(12, 32, 8), "kind": nn.Linear(8, 5)})

    def losses(net: nn.Module, batch: Data) -> Losses:
        anchor, same, far = (net["code"](batch[name]) for name in ("anchor", "same", "other"))
        return {
            "margin": F.triplet_margin_loss(anchor, same, far, margin=margin),
            "kind": F.cross_entropy(net["kind"](anchor), batch["kind"]),
        }

    base = {"kind": entropy(data["kind"])}
    return Problem(net=net, data=data, val=val, losses=losses, baselines=base, trunk=("code",))


class Coder(nn.Module):
    """Encoder to mean and scale, decoder from a sample."""

    def __init__(self, n_inputs: int, n_codes: int) -> None:
        super().__init__()
        self.encode = mlp(n_inputs, 40, 2 * n_codes, act=nn.SiLU)
        self.decode = mlp(n_codes, 40, n_inputs, act=nn.SiLU)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the reconstruction, the means and the logarithms of the scales."""
        mean, scale = self.encode(x).chunk(2, 1)
        return self.decode(mean + torch.randn_like(mean) * scale.exp()), mean, scale


def variational(seed: int, *, n: int = 640, n_val: int = 128, free: float = 0.0) -> Problem:
    """A variational code of waveforms: the divergence rises from nothing while the reconstruction falls."""
    time = torch.linspace(0, 1, 30)
    phase, speed = 2 * math.pi * torch.rand(n + n_val, 1), 1 + 2 * torch.rand(n + n_val, 1)
    x = torch.sin(2 * math.pi * speed * time + phase) + 0.1 * torch.randn(n + n_val, 30)
    data, val = split({"x": x}, n_val)

    def losses(net: nn.Module, batch: Data) -> Losses:
        again, mean, scale = net(batch["x"])
        nats = (0.5 * (mean.square() + (2 * scale).exp() - 1) - scale).mean(0)
        return {"rebuild": F.mse_loss(again, batch["x"]), "divergence": (nats - free).clamp_min(0).sum()}

    net = Coder(30, 4)
    return Problem(net=net, data=data, val=val, losses=losses, baselines={"rebuild": spread(data["x"])})


def teacher(seed: int, *, n: int = 640, n_val: int = 160, warmth: float = 2.0) -> Problem:
    """A small network learns from labels and from the scores and the hidden layer of a larger one."""
    big = mlp(16, 64, 64, 6, act=nn.Tanh)
    for layer in (0, 2, 4):
        nn.init.normal_(big[layer].weight, std=1.5 / math.sqrt(big[layer].in_features))
    x = torch.randn(n + n_val, 16)
    with torch.no_grad():
        scores = 3 * big(x)
        hint = big[:2](x)[:, :12]
    kind = torch.multinomial(scores.softmax(1), 1)[:, 0]
    data, val = split({"x": x, "scores": scores, "hint": hint, "kind": kind}, n_val)
    net = nn.ModuleDict({"trunk": nn.Sequential(nn.Linear(16, 40), nn.ReLU())})
    net["kind"], net["hint"] = nn.Linear(40, 6), nn.Linear(40, 12)

    def losses(net: nn.Module, batch: Data) -> Losses:
        hidden = net["trunk"](batch["x"])
        out = net["kind"](hidden)
        target = (batch["scores"] / warmth).log_softmax(1)
        return {
            "label": F.cross_entropy(out, batch["kind"]),
            "teacher": F.kl_div(
                (out / warmth).log_softmax(1), target, log_target=True, reduction="batchmean"
            ),
            "hint": (1 - F.cosine_similarity(net["hint"](hidden), batch["hint"])).mean(),
        }

    base = {"label": entropy(data["kind"])}
    return Problem(net=net, data=data, val=val, losses=losses, baselines=base, trunk=("trunk",))


def graph(seed: int, *, n: int = 960, n_val: int = 160) -> Problem:
    """Nodes of a graph in four communities: class by averaging over neighbours, and links."""
    total = n + n_val
    kind = torch.randint(0, 4, (total,))
    linked = torch.rand(total, total) < torch.where(kind[:, None] == kind, 0.05, 0.006)
    linked = (linked | linked.T).float() + torch.eye(total)
    average = linked / linked.sum(1, keepdim=True)
    x = F.one_hot(kind, 4).float() @ torch.randn(4, 10) * 0.5 + torch.randn(total, 10)
    x = torch.cat([x, average @ x], 1)
    partner = torch.multinomial(linked, 1)[:, 0]
    stranger = torch.randint(0, total, (total,))
    data, val = split(
        {"x": x, "near": x[partner], "far": x[stranger], "kind": kind},
        n_val,
    )
    net = nn.ModuleDict({"code": mlp(20, 24, 12), "kind": nn.Linear(12, 4)})

    def losses(net: nn.Module, batch: Data) -> Losses:
        here, near, far = (net["code"](batch[name]) for name in ("x", "near", "far"))
        near, far = (4 * F.cosine_similarity(here, other) - 1 for other in (near, far))
        links = F.softplus(-near) + F.softplus(far)
        return {"kind": F.cross_entropy(net["kind"](here), batch["kind"]), "links": links.mean() / 2}

    base = {"kind": entropy(data["kind"])}
    return Problem(net=net, data=data, val=val, losses=losses, baselines=base, trunk=("code",))
