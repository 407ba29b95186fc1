"""Faulty runs in which something stands still: vanishing gradients, stalls of all or of one task."""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from case import Case
from frozen_estimators import kernel, saddles, survival
from frozen_healthy_models import (
    ECHO,
    GRAPH,
    KERNEL,
    RECALL,
    SADDLES,
    SURVIVAL,
    TEACHER,
    TEXT,
    VIEWS,
    WORDS,
)
from frozen_healthy_signals import BEATS, EVOKED, MONTAGE, RHYTHM
from frozen_representations import graph, teacher, views
from frozen_sequences import echo, recall, text, words
from frozen_signals import beats, evoked, montage, rhythm
from frozen_training import Data, Fault, Losses, but, faulty, says
from torch import nn
from torch.optim import Optimizer

WIDE = partial(montage, n=1600)


def shuffled(name: str) -> Fault:
    """The values of one target belong to other samples."""

    def change(data: Data) -> None:
        data[name] = data[name][torch.randperm(len(data[name]))]

    return Fault(data=change)


def _each(kind: str, names: tuple[str, ...]) -> tuple[tuple[str, str | None], ...]:
    return tuple((kind, name) for name in names)


def _many_sigmoids(net: nn.Module) -> None:
    layers: list[nn.Module] = [nn.Linear(24, 48), nn.Sigmoid()]
    for _ in range(9):
        layers += [nn.Linear(48, 48), nn.Sigmoid()]
    net.trunk = nn.Sequential(*layers)


def _in_half_precision(net: nn.Module) -> None:
    """The loss is scaled down before the backward pass, which runs in half precision."""
    for parameter in net.parameters():
        parameter.register_hook(lambda g: (g * 1e-8).half().float() * 1e8)


def _saturated(net: nn.Module, losses: Losses, batch: Data, k: int) -> Losses:
    """Squared error behind a sigmoid that starts far out."""
    return losses | {"fit": ((net(batch["x"])[:, 0] - 25).sigmoid() - batch["side"]).square().mean()}


def _behind_a_closed_gate(net: nn.Module, losses: Losses, batch: Data, k: int) -> Losses:
    """The gate before the head for the state starts closed."""
    hidden, _ = net.cell(net.embed(batch["x"][:, :-1]))
    out = net.state(hidden * torch.sigmoid(torch.tensor(-16.0)))
    return losses | {"state": F.cross_entropy(out.flatten(0, 1), batch["state"][:, :-1].flatten())}


def _kill_trunk(k: int, net: nn.Module, optimizer: Optimizer) -> None:
    """One update with a broken gradient sends the last layer of the trunk below zero."""
    if k == 160:
        with torch.no_grad():
            net.trunk[5].bias -= 40.0


VANISHING: tuple[Case, ...] = (
    faulty(
        "montage-ten-sigmoids",
        says("vanishing_gradient", None, 1, ("stall", None), *_each("task_stall", tuple(MONTAGE.weights))),
        WIDE,
        but(MONTAGE, norms_every=10, lr=5e-4),
        Fault(net=_many_sigmoids),
    ),
    faulty(
        "saddles-eight-layers-from-nothing",
        says("vanishing_gradient", None, 1, ("stall", None), ("stall", "map"), ("vanishing_gradient", "map")),
        partial(saddles, depth=8, start=1e-9),
        but(SADDLES, lr=0.01, steps=800),
    ),
    faulty(
        "kernel-behind-a-saturated-sigmoid",
        says("vanishing_gradient", None, 1, ("stall", None), ("stall", "fit"), ("vanishing_gradient", "fit")),
        partial(kernel, ridge=False),
        but(KERNEL, weights={"fit": 1.0}, baselines=False),
        Fault(losses=_saturated),
    ),
    faulty(
        "rhythm-half-precision-underflow",
        says("vanishing_gradient", None, 1, ("stall", None), *_each("stall", tuple(RHYTHM.weights))),
        rhythm,
        but(RHYTHM, optimizer="momentum", lr=0.03, norms_every=0),
        Fault(net=_in_half_precision),
    ),
    faulty(
        "text-state-behind-a-closed-gate",
        says("vanishing_gradient", "state", 1, ("task_stall", "state")),
        text,
        but(TEXT, norms_every=10),
        Fault(losses=_behind_a_closed_gate),
    ),
    faulty(
        "evoked-trunk-dies-midway",
        says(
            "vanishing_gradient",
            None,
            161,
            *_each("vanishing_gradient", tuple(EVOKED.weights)),
            *_each("spike", tuple(EVOKED.weights)),
            *_each("task_stall", tuple(EVOKED.weights)),
            ("spike", None),
            ("explosion", None),
        ),
        evoked,
        but(EVOKED, norms_every=10, schedule=None),
        Fault(gradients=_kill_trunk),
    ),
)


def _zeroed(k: int, net: nn.Module, optimizer: Optimizer) -> None:
    """The gradients are set to zero between the backward pass and the step."""
    optimizer.zero_grad(set_to_none=False)


def _new_noise(net: nn.Module, losses: Losses, batch: Data, k: int) -> Losses:
    """The target noise is drawn anew instead of being the one that was added."""
    x = batch["x"]
    t = torch.rand(len(x))
    angle = (t * torch.pi / 2)[:, None]
    out = net(angle.cos() * x + angle.sin() * torch.randn_like(x), t)
    error = (out - torch.randn_like(x)).square().mean(1)
    little = t < 0.5
    return {
        "little_noise": (error * little).sum() / little.sum().clamp_min(1),
        "much_noise": (error * ~little).sum() / (~little).sum().clamp_min(1),
    }


def _random_neighbours(data: Data) -> None:
    data["near"] = torch.randint(0, 60, data["near"].shape)


STALLS: tuple[Case, ...] = (
    faulty(
        "kernel-labels-of-others",
        says("stall", None, 1, ("stall", "fit"), ("task_stall", "fit")),
        partial(kernel, n=6000, n_features=20),
        but(KERNEL, lr=0.02, per_epoch=None, steps=900),
        shuffled("side"),
    ),
    faulty(
        "rhythm-rate-in-another-unit",
        says("stall", None, 1, *_each("stall", tuple(RHYTHM.weights))),
        rhythm,
        but(RHYTHM, lr=2e-8),
    ),
    faulty(
        "text-gradients-zeroed-before-the-step",
        says("stall", None, 1, *_each("stall", tuple(TEXT.weights))),
        text,
        TEXT,
        Fault(gradients=_zeroed),
    ),
    faulty(
        "survival-times-of-others",
        says("stall", None, 1, ("stall", "partial")),
        partial(survival, n=4000),
        but(SURVIVAL, steps=400, lr=5e-4),
        shuffled("time"),
    ),
    faulty(
        "words-random-neighbours",
        says(
            "stall",
            None,
            1,
            *_each("stall", tuple(WORDS.weights)),
            *_each("task_stall", tuple(WORDS.weights)),
        ),
        partial(words, n=30000),
        but(WORDS, steps=600, per_epoch=60, lr=1e-3),
        Fault(data=_random_neighbours),
    ),
    faulty(
        "beats-noise-drawn-twice",
        says(
            "stall",
            None,
            1,
            *_each("stall", tuple(BEATS.weights)),
            *_each("task_stall", tuple(BEATS.weights)),
        ),
        beats,
        but(BEATS, steps=900, lr=5e-4),
        Fault(losses=_new_noise),
    ),
    faulty(
        "echo-of-another-record",
        says("stall", None, 1, ("stall", "echo")),
        partial(echo, n=1600),
        but(ECHO, steps=350, lr=1e-3),
        shuffled("y"),
    ),
)


def _rolled(name: str) -> Fault:
    """The loader delivers one target a sample late."""
    return Fault(batch=lambda batch, k: batch | {name: batch[name].roll(1, 0)})


def _detached(name: str) -> Fault:
    """A component does not reach the network."""
    return Fault(losses=lambda net, losses, batch, k: losses | {name: losses[name].detach()})


def _hidden_values(batch: Data, k: int) -> Data:
    x = batch["x"].clone()
    x[:, :-1:2] = x[:, :-1:2] // 8 * 8
    return batch | {"x": x}


TASK_STALLS: tuple[Case, ...] = (
    faulty(
        "evoked-latency-of-others",
        says("task_stall", "latency"),
        partial(evoked, n=2048),
        EVOKED,
        shuffled("latency"),
    ),
    faulty(
        "montage-age-a-sample-late",
        says("task_stall", "age"),
        WIDE,
        MONTAGE,
        _rolled("age"),
    ),
    faulty(
        "text-state-detached",
        says("task_stall", "state", 1, ("worse_than_baseline", "state"), ("ratio_drift", "state")),
        text,
        TEXT,
        _detached("state"),
    ),
    faulty(
        "views-sides-misaligned",
        says("task_stall", "contrast", 1, ("stall", "contrast")),
        partial(views, n=3000),
        VIEWS,
        _rolled("b"),
    ),
    faulty(
        "recall-values-hidden",
        says("task_stall", "answer", 1, ("worse_than_baseline", "answer")),
        partial(recall, n=4000),
        but(RECALL, lr=1.5e-3),
        Fault(batch=_hidden_values),
    ),
    faulty(
        "teacher-hint-a-sample-late",
        says("task_stall", "hint"),
        partial(teacher, n=2400),
        TEACHER,
        _rolled("hint"),
    ),
    faulty(
        "graph-communities-of-others",
        says("task_stall", "kind", 1),
        partial(graph, n=1600),
        but(GRAPH, lr=1e-3),
        shuffled("kind"),
    ),
    faulty(
        "rhythm-phase-of-others",
        says("task_stall", "phase"),
        partial(rhythm, n=2400),
        but(RHYTHM, lr=1e-3),
        shuffled("phase"),
    ),
)


CASES = VANISHING + STALLS + TASK_STALLS
