"""Further problems on signals and pictures: denoisers, masks, boxes, codes, games and teachers."""

from __future__ import annotations

import copy

import torch
from blocks import mlp, seeded, split
from fitting import Batch, Losses
from further_training import Task
from torch import Tensor, nn
from torch.nn import functional as F


def steps_of(n: int, length: int, generator: torch.Generator) -> Tensor:
    """Return piecewise constant signals ``(n, 1, length)``."""
    jumps = (torch.rand(n, length, generator=generator) < 0.15) * torch.randn(n, length, generator=generator)
    return jumps.cumsum(1)[:, None]


class UNet(nn.Module):
    """Down, through and up again, with a path across."""

    def __init__(self, width: int = 10, *, norm: bool = False) -> None:
        super().__init__()
        self.down = nn.Sequential(nn.Conv1d(1, width, 3, padding=1), nn.SiLU())
        self.norm = nn.GroupNorm(2, width) if norm else nn.Identity()
        self.deep = nn.Sequential(
            nn.Conv1d(width, 2 * width, 3, stride=2, padding=1),
            nn.SiLU(),
            nn.Conv1d(2 * width, 2 * width, 3, padding=1),
            nn.SiLU(),
            nn.ConvTranspose1d(2 * width, width, 2, stride=2),
        )
        self.last = nn.Conv1d(2 * width, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        across = self.norm(self.down(x))
        return self.last(torch.cat([across, self.deep(across)], dim=1))


def restore(
    seed: int,
    *,
    n: int = 1200,
    length: int = 32,
    noise: float = 0.7,
    unit: float = 1.0,
    summed: bool = False,
    rough: float = 0.0,
    spectral: float = 0.0,
    norm: bool = False,
    n_val: int = 100,
) -> Task:
    """Return the denoising of stepped signals; `rough`, `spectral`: weights of two more terms."""
    generator = seeded(seed)
    clean = steps_of(n + n_val, length, generator)
    clean = clean - clean.mean(2, keepdim=True)
    train, val = split((clean + noise * torch.randn(clean.shape, generator=generator), clean), n_val)

    def losses(model: nn.Module, batch: Batch, _: float) -> Losses:
        output, clean = unit * model(batch[0]), unit * batch[1]
        error = (output - clean).square()
        found = {"restore": error.sum() if summed else error.mean()}
        if rough:
            found["rough"] = output.diff(dim=2).abs().mean() / unit
        if spectral:
            found["spectral"] = (
                torch.fft.rfft(output).abs() - torch.fft.rfft(clean).abs()
            ).square().mean() / unit**2
        return found

    weights = {"restore": 1.0} | {k: v for k, v in (("rough", rough), ("spectral", spectral)) if v}
    model = UNet(norm=norm)
    return Task(model=model, losses=losses, train=train, val=val, weights=weights, trunk=model.down)


def masks(seed: int, *, n: int = 700, rotated: bool = False, auxiliary: bool = True) -> Task:
    """Return where bright boxes are in noisy pictures: cross-entropy, overlap, outline and size."""
    generator = seeded(seed)
    n_all = n + 80
    corner = torch.randint(0, 5, (n_all, 2), generator=generator)
    size = torch.randint(2, 6, (n_all, 2), generator=generator)
    axis = torch.arange(10)
    inside = [(axis >= corner[:, k, None]) & (axis < (corner + size)[:, k, None]) for k in range(2)]
    mask = (inside[0][:, :, None] & inside[1][:, None]).float()[:, None]
    x = mask + 0.6 * torch.randn(mask.shape, generator=generator)
    train, val = split((x, mask, mask.mean((1, 2, 3))), 80)
    trunk = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU())
    heads = nn.ModuleDict(
        {"mask": nn.Conv2d(8, 1, 3, padding=1), "edge": nn.Conv2d(8, 1, 3, padding=1), "size": mlp(8, 1)}
    )
    model = nn.ModuleDict({"trunk": trunk, "heads": heads})

    def losses(_: nn.Module, batch: Batch, __: float) -> Losses:
        shared = trunk(batch[0])
        logits, mask = heads["mask"](shared), batch[1]
        p = torch.sigmoid(logits)
        found = {
            "pixel": F.binary_cross_entropy_with_logits(logits, mask),
            "dice": 1 - (2 * (p * mask).sum() + 1) / (p.sum() + mask.sum() + 1),
        }
        if auxiliary:
            edge = F.max_pool2d(mask, 3, 1, 1) - mask
            shown = edge.roll(3, 0).transpose(2, 3) if rotated else edge
            found["edge"] = F.binary_cross_entropy_with_logits(heads["edge"](shared), shown)
            found["size"] = (heads["size"](shared.mean((2, 3)))[:, 0] - batch[2]).square().mean()
        return found

    names = ["pixel", "dice"] + (["edge", "size"] if auxiliary else [])
    weights = dict.fromkeys(names, 1.0) | ({"size": 10.0} if auxiliary else {})
    return Task(model=model, losses=losses, train=train, val=val, weights=weights, trunk=trunk)


def boxes(seed: int, *, n: int = 900, share: float = 0.3, guard: bool = True) -> Task:
    """Return objects in short signals: seen or not, class, place, width, height - absent where none is."""
    generator = seeded(seed)
    n_all, axis = n + 100, torch.arange(24.0)
    seen = torch.rand(n_all, generator=generator) < share
    place = 4 + 16 * torch.rand(n_all, generator=generator)
    width = 1 + 2 * torch.rand(n_all, generator=generator)
    height = 1 + torch.rand(n_all, generator=generator)
    kind = torch.randint(0, 3, (n_all,), generator=generator)
    z = (axis - place[:, None]) / width[:, None]
    shape = torch.stack([torch.exp(-(z**2)), (1 - z.abs()).clamp_min(0), (z.abs() < 1).float()], 1)
    signal = height[:, None] * shape[torch.arange(n_all), kind] * seen[:, None]
    x = (signal + 0.15 * torch.randn(n_all, 24, generator=generator))[:, None]
    train, val = split((x, seen.float(), kind, place / 24, width / 3, height), 100)
    trunk = nn.Sequential(
        nn.Conv1d(1, 12, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool1d(2),
        nn.Flatten(),
        nn.Linear(144, 32),
        nn.ReLU(),
    )
    names = ("seen", "kind", "place", "width", "height")
    heads = nn.ModuleDict({name: nn.Linear(32, 3 if name == "kind" else 1) for name in names})
    model = nn.ModuleDict({"trunk": trunk, "heads": heads})

    def losses(_: nn.Module, batch: Batch, __: float) -> Losses:
        shared = trunk(batch[0])
        known = batch[1] > 0
        found = {"seen": F.binary_cross_entropy_with_logits(heads["seen"](shared)[:, 0], batch[1])}
        if known.any() or not guard:
            found["kind"] = F.cross_entropy(heads["kind"](shared)[known], batch[2][known])
            for name, target in zip(names[2:], batch[3:], strict=True):
                found[name] = F.smooth_l1_loss(heads[name](shared)[known, 0], target[known], beta=0.1)
        return found

    weights = {"seen": 1.0, "kind": 1.0, "place": 5.0, "width": 2.0, "height": 2.0}
    return Task(model=model, losses=losses, train=train, val=val, weights=weights, trunk=trunk)


def codes(seed: int, *, n: int = 1600, commit: float = 0.25, n_codes: int = 16) -> Task:
    """Return an autoencoder whose codes come from a table (VQ): reconstruction, table, commitment."""
    generator = seeded(seed)
    centres = 1.5 * torch.randn(10, 12, generator=generator)
    kind = torch.randint(0, 10, (n + 150,), generator=generator)
    train, val = split((centres[kind] + 0.4 * torch.randn(n + 150, 12, generator=generator),), 150)
    model = nn.ModuleDict(
        {"encoder": mlp(12, 32, 4), "decoder": mlp(4, 32, 12), "table": nn.Embedding(n_codes, 4)}
    )

    def losses(_: nn.Module, batch: Batch, __: float) -> Losses:
        code = model["encoder"](batch[0])
        near = model["table"](torch.cdist(code, model["table"].weight).argmin(1))
        passed = code + (near - code).detach()
        return {
            "reconstruction": (model["decoder"](passed) - batch[0]).square().mean(),
            "table": (near - code.detach()).square().mean(),
            "commitment": (code - near.detach()).square().mean(),
        }

    weights = {"reconstruction": 1.0, "table": 1.0, "commitment": commit}
    return Task(model=model, losses=losses, train=train, val=val, weights=weights, trunk=model["encoder"])


def game(seed: int, *, n: int = 6400, saturating: bool = False, every: int = 1, penalty: float = 1.0) -> Task:
    """Return a generator and a critic of points on a ring; `every`: steps between those of the generator."""
    generator = seeded(seed)
    angle = 2 * torch.pi * torch.randint(0, 6, (n,), generator=generator) / 6
    real = torch.stack([angle.cos(), angle.sin()], 1) + 0.1 * torch.randn(n, 2, generator=generator) + 2.0
    model = nn.ModuleDict({"maker": mlp(4, 32, 2), "critic": mlp(2, 32, 1, activation="elu")})
    counter = {"step": 0}

    def losses(_: nn.Module, batch: Batch, __: float) -> Losses:
        counter["step"] += 1
        made = model["maker"](torch.randn(len(batch[0]), 4))
        critic = model["critic"]
        real, fake = critic(batch[0]), critic(made.detach())
        found = {"critic": F.softplus(-real).mean() + F.softplus(fake).mean()}
        if penalty:
            points = batch[0].clone().requires_grad_()
            (slope,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
            found["penalty"] = slope.square().sum(1).mean()
        if counter["step"] % every == 0:
            held = {name: p.detach() for name, p in critic.named_parameters()}
            seen = torch.func.functional_call(critic, held, (made,))
            found["maker"] = -F.softplus(seen).mean() if saturating else F.softplus(-seen).mean()
        return found

    weights = {"critic": 1.0, "maker": 1.0} | ({"penalty": penalty} if penalty else {})
    return Task(model=model, losses=losses, train=(real,), weights=weights)


def student(
    seed: int, *, n: int = 2400, rate: float = 0.02, contrast: bool = False, temperature: float = 0.1
) -> Task:
    """Return two views of one thing: a student that follows its own average, or one with contrasts."""
    generator = seeded(seed)
    hidden = torch.randn(n + 128, 3, generator=generator)
    lift = torch.randn(3, 10, generator=generator)
    views = [
        torch.tanh(hidden @ lift) + 0.4 * torch.randn(n + 128, 10, generator=generator) for _ in range(2)
    ]
    train, val = split(views, 128)
    model = nn.ModuleDict({"net": mlp(10, 40, 8), "guess": mlp(8, 24, 8)})
    model["late"] = copy.deepcopy(model["net"]).requires_grad_(requires_grad=False)

    def losses(_: nn.Module, batch: Batch, __: float) -> Losses:
        if contrast:
            a, b = (F.normalize(model["net"](view)) for view in batch)
            near, same = a @ b.T / temperature, torch.arange(len(a))
            return {"contrast": 0.5 * (F.cross_entropy(near, same) + F.cross_entropy(near.T, same))}
        guess = F.normalize(model["guess"](model["net"](batch[0])))
        target = F.normalize(model["late"](batch[1]))
        code = model["net"](batch[0])
        spread = F.relu(0.5 - code.std(0)).mean()
        return {"agree": (2 - 2 * (guess * target.detach()).sum(1)).mean(), "spread": spread}

    def follow(_: object) -> None:
        with torch.no_grad():
            for late, now in zip(model["late"].parameters(), model["net"].parameters(), strict=True):
                late.lerp_(now, rate)

    weights = {"contrast": 1.0} if contrast else {"agree": 1.0, "spread": 1.0}
    return Task(model=model, losses=losses, train=train, val=val, weights=weights, after=follow)


def distilled(seed: int, *, n: int = 1800, temperature: float = 3.0, weight: float = 1.0) -> Task:
    """Return a classification by a net that also imitates the outputs of a larger one."""
    generator = seeded(seed)
    x = torch.rand(n + 200, 2, generator=generator) * 4 - 2
    y = ((x[:, 0].floor() + 2 * x[:, 1].floor()) % 4).long()
    big = mlp(2, 64, 64, 4, activation="gelu")
    optimizer = torch.optim.Adam(big.parameters(), lr=0.01)
    for _ in range(250):
        chosen = torch.randint(0, n, (128,), generator=generator)
        optimizer.zero_grad()
        F.cross_entropy(big(x[chosen]), y[chosen]).backward()
        optimizer.step()
    with torch.no_grad():
        soft = big(x)
    wrong = torch.rand(len(y), generator=generator) < 0.03
    y = torch.where(wrong, torch.randint(0, 4, (len(y),), generator=generator), y)
    train, val = split((x, y, soft), 200)

    def losses(model: nn.Module, batch: Batch, _: float) -> Losses:
        output = model(batch[0])
        soft = F.log_softmax(batch[2] / temperature, 1)
        own = F.log_softmax(output / temperature, 1)
        return {
            "hard": F.cross_entropy(output, batch[1]),
            "soft": temperature**2 * (soft.exp() * (soft - own)).sum(1).mean(),
        }

    weights = {"hard": 1.0, "soft": weight}
    model = mlp(2, 32, 32, 4, activation="gelu")
    return Task(model=model, losses=losses, train=train, val=val, weights=weights, trunk=model[:4])
