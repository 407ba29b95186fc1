"""Problems of sequences: hidden Markov text, recall with attention, echoes, skip-grams, values of a ring."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from frozen_training import Data, Losses, Problem, entropy, split
from torch import Tensor, nn


class Reader(nn.Module):
    """Embedding, recurrent layer, next-symbol head and a head for the hidden state."""

    def __init__(self, n_symbols: int, n_states: int, width: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(n_symbols, 16)
        self.cell = nn.GRU(16, width, batch_first=True)
        self.symbol = nn.Linear(width, n_symbols)
        self.state = nn.Linear(width, n_states)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores of the next symbol and of the present state, at every place."""
        hidden, _ = self.cell(self.embed(x))
        return self.symbol(hidden), self.state(hidden)


def text(seed: int, *, n: int = 384, n_val: int = 96, length: int = 16, width: int = 32) -> Problem:
    """Text of a sticky hidden Markov chain: next symbol and hidden state."""
    emission = (3 * torch.randn(4, 10)).softmax(1)
    states = torch.randint(0, 4, (n + n_val, 1))
    for _ in range(length):
        stay = torch.rand(n + n_val, 1) < 0.85
        states = torch.cat(
            [states, torch.where(stay, states[:, -1:], torch.randint(0, 4, (n + n_val, 1)))], 1
        )
    symbols = torch.multinomial(emission[states.flatten()], 1).view(n + n_val, length + 1)
    data, val = split({"x": symbols, "state": states}, n_val)
    base = {"symbol": entropy(data["x"]), "state": entropy(data["state"])}
    trunk = ("embed", "cell")
    return Problem(
        net=Reader(10, 4, width), data=data, val=val, losses=_text_losses, baselines=base, trunk=trunk
    )


def _text_losses(net: nn.Module, batch: Data) -> Losses:
    symbol, state = net(batch["x"][:, :-1])
    return {
        "symbol": F.cross_entropy(symbol.flatten(0, 1), batch["x"][:, 1:].flatten()),
        "state": F.cross_entropy(state.flatten(0, 1), batch["state"][:, :-1].flatten()),
    }


class Recaller(nn.Module):
    """One block of attention that answers which value stood behind a key."""

    def __init__(self, n_symbols: int, length: int, width: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(n_symbols, width)
        self.place = nn.Parameter(0.1 * torch.randn(length, width))
        self.block = nn.TransformerEncoderLayer(
            width, 2, 2 * width, dropout=0.0, batch_first=True, norm_first=True
        )
        self.answer = nn.Linear(width, n_symbols)
        self.count = nn.Linear(width, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores of the answer and the count."""
        hidden = self.block(self.embed(x) + self.place)
        return self.answer(hidden[:, -1]), self.count(hidden.mean(1))[:, 0]


def recall(seed: int, *, n: int = 1024, n_val: int = 128, pairs: int = 3, width: int = 32) -> Problem:
    """Key-value pairs and a question; beside it, how often a symbol occurs."""
    total = n + n_val
    keys = torch.rand(total, 8).argsort(1)[:, :pairs]
    values = torch.randint(0, 8, (total, pairs))
    asked = torch.randint(0, pairs, (total,))
    row = torch.arange(total)
    items = torch.stack([8 * keys + values, torch.full_like(keys, 72)], 2).flatten(1)
    x = torch.cat([items, 64 + keys[row, asked][:, None]], 1)
    data, val = split(
        {"x": x, "answer": values[row, asked], "count": (values == 3).float().sum(1)},
        n_val,
    )
    net = Recaller(73, 2 * pairs + 1, width)
    base = {"answer": entropy(data["answer"])}
    return Problem(net=net, data=data, val=val, losses=_recall_losses, baselines=base)


def _recall_losses(net: nn.Module, batch: Data) -> Losses:
    answer, count = net(batch["x"])
    return {"answer": F.cross_entropy(answer, batch["answer"]), "count": F.mse_loss(count, batch["count"])}


class Echo(nn.Module):
    """A recurrent layer that repeats its input after a delay."""

    def __init__(self, width: int, *, gated: bool) -> None:
        super().__init__()
        self.cell = nn.GRU(1, width, batch_first=True) if gated else nn.RNN(1, width, batch_first=True)
        self.out = nn.Linear(width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the output at every time."""
        return self.out(self.cell(x[:, :, None])[0])[:, :, 0]


def echo(seed: int, *, n: int = 256, n_val: int = 64, delay: int = 3, gated: bool = True) -> Problem:
    """Repeat a noise after a delay."""
    x = torch.randn(n + n_val, 24)
    data, val = split({"x": x, "y": torch.cat([torch.zeros(n + n_val, delay), x[:, :-delay]], 1)}, n_val)

    def losses(net: nn.Module, batch: Data) -> Losses:
        return {"echo": F.mse_loss(net(batch["x"])[:, delay:], batch["y"][:, delay:])}

    return Problem(net=Echo(32, gated=gated), data=data, val=val, losses=losses, baselines={"echo": 1.0})


class Words(nn.Module):
    """Vectors of words and of their neighbours."""

    def __init__(self, n_words: int, width: int) -> None:
        super().__init__()
        self.word = nn.Embedding(n_words, width)
        self.near = nn.Embedding(n_words, width)
        nn.init.normal_(self.word.weight, std=0.1)
        nn.init.zeros_(self.near.weight)


def words(seed: int, *, n: int = 3000, n_val: int = 500) -> Problem:
    """Skip-grams with negative sampling over words in topics."""
    word = torch.randint(0, 60, (n + n_val,))
    near = (word // 6 * 6 + torch.randint(0, 6, (n + n_val,))) % 60
    far = torch.randint(0, 60, (n + n_val, 3))
    data, val = split({"word": word, "near": near, "far": far}, n_val)
    base = {"near": math.log(2)}
    return Problem(net=Words(60, 12), data=data, val=val, losses=_word_losses, baselines=base)


def _word_losses(net: nn.Module, batch: Data) -> Losses:
    word = net.word(batch["word"])
    near = (word * net.near(batch["near"])).sum(1)
    far = (word[:, None] * net.near(batch["far"])).sum(2)
    return {"near": -F.logsigmoid(near).mean(), "far": -F.logsigmoid(-far).mean()}


class Values(nn.Module):
    """Values of the places of a ring, linear in overlapping features."""

    def __init__(self, features: Tensor) -> None:
        super().__init__()
        self.features = nn.Buffer(features)
        self.weight = nn.Parameter(torch.zeros(features.shape[1]))

    def forward(self, place: Tensor) -> Tensor:
        """Return the value of every place."""
        return self.features[place] @ self.weight


def ring(seed: int, *, n: int = 600, n_val: int = 100, discount: float = 0.9) -> Problem:
    """Temporal differences on a ring with rewards, each step towards its own estimate."""
    place = torch.randint(0, 20, (n + n_val,))
    reward = (place % 5 == 0).float() + 0.1 * torch.randn(n + n_val)
    data, val = split({"place": place, "after": (place + 1) % 20, "reward": reward}, n_val)
    distance = (torch.arange(20)[:, None] - torch.arange(0, 20)[None]).abs()
    features = torch.exp(-0.5 * (torch.minimum(distance, 20 - distance) / 0.7) ** 2)

    def losses(net: nn.Module, batch: Data) -> Losses:
        target = batch["reward"] + discount * net(batch["after"]).detach()
        return {"difference": F.mse_loss(net(batch["place"]), target)}

    return Problem(net=Values(features), data=data, val=val, losses=losses)
