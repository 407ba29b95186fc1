"""Further problems on sequences: a transformer on text, alignment-free labels, sums that grow, policies."""

from __future__ import annotations

import math

import torch
from blocks import mlp, seeded, split
from fitting import Batch, Losses
from further_training import Task
from torch import Tensor, nn
from torch.nn import functional as F


class Block(nn.Module):
    """Attention to the past and a small net, each beside a path around it."""

    def __init__(self, width: int, n_heads: int = 2, *, temperature: float = 1.0) -> None:
        super().__init__()
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mix, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.net = mlp(width, 2 * width, width, activation="gelu")
        self.n_heads, self.temperature = n_heads, temperature

    def forward(self, x: Tensor) -> Tensor:
        n, length, width = x.shape
        q, k, v = (
            part.view(n, length, self.n_heads, -1).transpose(1, 2)
            for part in self.mix(self.before(x)).chunk(3, dim=2)
        )
        seen = F.scaled_dot_product_attention(q / self.temperature, k, v, is_causal=True)
        x = x + self.out(seen.transpose(1, 2).reshape(n, length, width))
        return x + self.net(self.between(x))


class Transformer(nn.Module):
    """A few blocks between an embedding and a linear layer."""

    def __init__(self, n_symbols: int, width: int = 32, n_blocks: int = 1, length: int = 32) -> None:
        super().__init__()
        self.embedding = nn.Embedding(n_symbols, width)
        self.place = nn.Parameter(0.02 * torch.randn(length, width))
        self.blocks = nn.Sequential(*(Block(width) for _ in range(n_blocks)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, n_symbols, bias=False)
        nn.init.normal_(self.embedding.weight, std=0.1)

    def features(self, tokens: Tensor) -> Tensor:
        return self.norm(self.blocks(self.embedding(tokens) + self.place[: tokens.shape[1]]))

    def forward(self, tokens: Tensor) -> Tensor:
        return self.head(self.features(tokens))


def grammar(n: int, length: int, generator: torch.Generator, n_symbols: int = 20) -> Tensor:
    """Return text in which symbols follow each other by rules, with rare ones and repeated phrases."""
    shift = torch.randint(1, n_symbols, (n_symbols,), generator=generator)
    text = [torch.randint(0, n_symbols, (n,), generator=generator)]
    text.append(torch.randint(0, n_symbols, (n,), generator=generator))
    for _ in range(length - 2):
        following = (text[-1] + shift[text[-2] % 3]) % n_symbols
        other = (torch.rand(n, generator=generator) ** 3 * n_symbols).long()
        text.append(torch.where(torch.rand(n, generator=generator) < 0.15, other, following))
    return torch.stack(text, dim=1)


def text(
    seed: int,
    *,
    n: int = 6400,
    length: int = 16,
    n_blocks: int = 1,
    summed: bool = False,
    bits: bool = False,
    penalty: float = 0.0,
    n_val: int = 64,
    width: int = 32,
) -> Task:
    """Return the next symbol of a text; `penalty`: weight of a z-loss; `summed`: over the whole batch."""
    generator = seeded(seed)
    train, val = split((grammar(n + n_val, length, generator),), n_val)
    model = Transformer(20, width, n_blocks)

    def losses(model: nn.Module, batch: Batch, _: float) -> Losses:
        logits = model(batch[0][:, :-1])
        flat, target = logits.flatten(0, 1), batch[0][:, 1:].flatten()
        loss = F.cross_entropy(flat, target, reduction="sum" if summed else "mean")
        found = {"lm": loss / math.log(2) if bits else loss}
        return found | ({"z": torch.logsumexp(flat, 1).square().mean()} if penalty else {})

    weights = {"lm": 1.0} | ({"z": penalty} if penalty else {})
    return Task(model=model, losses=losses, train=train, val=val, weights=weights)


def spoken(seed: int, *, n: int = 1200, length: int = 14, aux: bool = False, noise: float = 0.3) -> Task:
    """Return a label sequence of unknown alignment (CTC); `aux`: the number of labels is a second target."""
    generator = seeded(seed)
    n_all = n + 100
    codes = torch.randn(5, 6, generator=generator)
    counts = torch.randint(2, 5, (n_all,), generator=generator)
    target = torch.randint(1, 5, (n_all, 4), generator=generator)
    place = (torch.arange(length)[None] * counts[:, None]) // length
    shown = target.gather(1, place)
    shown = torch.where(torch.arange(length)[None] % 3 == 2, 0, shown)
    x = codes[shown] + noise * torch.randn(n_all, length, 6, generator=generator)
    train, val = split((x, target, counts), 100)
    model = nn.ModuleDict(
        {"trunk": nn.Conv1d(6, 24, 3, padding=1), "ctc": nn.Conv1d(24, 5, 3, padding=1), "count": mlp(24, 1)}
    )

    def losses(_: nn.Module, batch: Batch, __: float) -> Losses:
        shared = F.relu(model["trunk"](batch[0].transpose(1, 2)))
        log_p = F.log_softmax(model["ctc"](shared).permute(2, 0, 1), dim=2)
        lengths = torch.full((len(batch[0]),), length)
        found = {"ctc": F.ctc_loss(log_p, batch[1], lengths, batch[2])}
        if aux:
            found["count"] = (model["count"](shared.mean(2))[:, 0] - batch[2]).square().mean()
        return found

    weights = {"ctc": 1.0} | ({"count": 1.0} if aux else {})
    return Task(model=model, losses=losses, train=train, val=val, weights=weights, trunk=model["trunk"])


def adding(seed: int, *, n: int = 1600, longest: int = 12, grow: bool = False, cell: str = "gru") -> Task:
    """Return the sum of two marked numbers of a sequence; `grow`: sequences become longer with training."""
    generator = seeded(seed)
    values = torch.rand(n + 100, longest, generator=generator)
    train, val = split((values, torch.rand(n + 100, longest, generator=generator)), 100)
    layer = {"gru": nn.GRU, "rnn": nn.RNN, "lstm": nn.LSTM}[cell](2, 24, batch_first=True)
    model = nn.ModuleDict({"cell": layer, "head": nn.Linear(24, 1)})

    def losses(model: nn.Module, batch: Batch, progress: float) -> Losses:
        length = longest
        if grow and model.training:
            length = min(longest, 4 + int(progress * 2 * (longest - 4)))
        values, scores = batch[0][:, :length], batch[1][:, :length]
        marks = torch.zeros_like(values).scatter(1, scores.topk(2).indices, 1.0)
        states, _ = model["cell"](torch.stack([values, marks], dim=2))
        return {"sum": (model["head"](states[:, -1])[:, 0] - (values * marks).sum(1)).square().mean()}

    return Task(model=model, losses=losses, train=train, val=val, weights={"sum": 1.0}, trunk=model["cell"])


def policy(
    seed: int,
    *,
    n: int = 12800,
    entropy: float = -0.01,
    critic: float = 0.5,
    unit: float = 1.0,
    n_actions: int = 5,
    sign: float = 1.0,
) -> Task:
    """Return one-step decisions learned from rewards: policy gradient, critic and a bonus on entropy."""
    generator = seeded(seed)
    x = torch.randn(n, 4, generator=generator)
    table = torch.randn(4, n_actions, generator=generator)
    rewards = unit * ((x @ table) + 0.7 * torch.randn(n, n_actions, generator=generator))
    trunk = mlp(4, 32, activation="tanh", last=True)
    model = nn.ModuleDict({"trunk": trunk, "actor": nn.Linear(32, n_actions), "critic": nn.Linear(32, 1)})

    def losses(_: nn.Module, batch: Batch, __: float) -> Losses:
        shared = model["trunk"](batch[0])
        logits, value = model["actor"](shared), unit * model["critic"](shared)[:, 0]
        log_p = F.log_softmax(logits, dim=1)
        action = torch.multinomial(log_p.detach().exp(), 1)
        reward = batch[1].gather(1, action)[:, 0]
        advantage = (reward - value).detach()
        advantage = advantage / (advantage.std() + 1e-6)
        return {
            "policy": -sign * (log_p.gather(1, action)[:, 0] * advantage).mean(),
            "value": (reward - value).square().mean(),
            "entropy": -(log_p.exp() * log_p).sum(1).mean(),
        }

    weights = {"policy": 1.0, "value": critic, "entropy": entropy}
    return Task(model=model, losses=losses, train=(x, rewards), weights=weights, trunk=trunk)


def walk(
    seed: int, *, n: int = 9600, discount: float = 0.8, target: bool = True, linear: bool = False
) -> Task:
    """Return the values of states on a ring (temporal differences); `target`: by a net that lags behind."""
    generator = seeded(seed)
    place = 2 * math.pi * torch.rand(n, generator=generator)
    action = torch.randint(0, 3, (n,), generator=generator)
    after = place + 0.5 * (action - 1) + 0.1 * torch.randn(n, generator=generator)
    reward = (after.cos() > 0.7).float() + 0.05 * torch.randn(n, generator=generator)

    def features(angle: Tensor) -> Tensor:
        return torch.stack([angle.cos(), angle.sin(), (2 * angle).cos(), (2 * angle).sin()], dim=1)

    x, following = features(place), features(after)
    if linear:
        # Features that are small where one is and large where one comes to.
        x, following = x.abs() * 0.5, following.abs() * 1.6
    make = (lambda: nn.Linear(4, 3)) if linear else (lambda: mlp(4, 32, 3))
    model = nn.ModuleDict({"now": make(), "late": make()})
    model["late"].load_state_dict(model["now"].state_dict())
    model["late"].requires_grad_(requires_grad=False)

    def losses(_: nn.Module, batch: Batch, __: float) -> Losses:
        x, action, reward, following = batch
        guess = model["now"](x).gather(1, action[:, None])[:, 0]
        with torch.no_grad():
            best = model["late" if target else "now"](following).max(1).values
        return {
            "td": F.smooth_l1_loss(guess, reward + discount * best)
            if not linear
            else (guess - reward - discount * best).square().mean()
        }

    def follow(_: object) -> None:
        with torch.no_grad():
            for late, now in zip(model["late"].parameters(), model["now"].parameters(), strict=True):
                late.lerp_(now, 0.02)

    task = Task(model=model, losses=losses, train=(x, action, reward, following), weights={"td": 1.0})
    task.after = follow if target else None
    return task
