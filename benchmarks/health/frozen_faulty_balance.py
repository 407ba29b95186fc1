"""Faulty runs whose components are out of balance: dominance, drifting ratios, values above the baseline."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from case import Case
from frozen_estimators import kernel, pendulum, ratings, saddles
from frozen_healthy_models import ECHO, KERNEL, PENDULUM, RATINGS, SADDLES, TEACHER, TEXT, WORDS
from frozen_healthy_signals import EVOKED, MONTAGE, RHYTHM
from frozen_representations import teacher
from frozen_sequences import echo, text, words
from frozen_signals import evoked, montage, rhythm
from frozen_training import Data, Fault, Losses, Problem, but, faulty, says
from torch import nn

WIDE = partial(montage, n=1600)


def rescaled(
    make: Callable[[int], Problem], name: str, factor: float, shift: float = 0.0
) -> Callable[[int], Problem]:
    """Return the problem with one target in another unit, in training and in validation."""

    def start(seed: int) -> Problem:
        problem = make(seed)
        for part in (problem.data, problem.val):
            part[name] = part[name] * factor + shift
        return problem

    return start


def _without_baselines(make: Callable[[int], Problem], *names: str) -> Callable[[int], Problem]:
    """Return the problem with some baselines unknown."""

    def start(seed: int) -> Problem:
        problem = make(seed)
        for name in names:
            problem.baselines.pop(name, None)
        return problem

    return start


def _times(name: str, factor: float) -> Fault:
    """A component is summed where it should be averaged."""
    return Fault(losses=lambda net, losses, batch, k: losses | {name: losses[name] * factor})


def _others(kind: str, names: tuple[str, ...], but_not: str) -> tuple[tuple[str, str | None], ...]:
    return tuple((kind, name) for name in names if name != but_not)


def _dominates(name: str, names: tuple[str, ...]) -> tuple[tuple[str, str | None], ...]:
    return (("dominance", None), *_others("task_stall", names, name))


DOMINANCE: tuple[Case, ...] = (
    faulty(
        "evoked-waveform-in-nanovolts",
        says(
            "dominance",
            "waveform",
            1,
            *_dominates("waveform", tuple(EVOKED.weights)),
            ("ratio_drift", "latency"),
        ),
        rescaled(_without_baselines(evoked, "waveform"), "clean", 1000.0),
        but(EVOKED, optimizer="momentum", lr=0.004, clip=1.0, schedule=None),
    ),
    faulty(
        "montage-age-in-weeks",
        says("dominance", "age", 1, *_dominates("age", tuple(MONTAGE.weights))),
        rescaled(_without_baselines(WIDE, "age"), "age", 52.0),
        but(MONTAGE, optimizer="momentum", lr=0.02, clip=1.0),
    ),
    faulty(
        "rhythm-power-in-percent",
        says("dominance", "power", 1, *_dominates("power", tuple(RHYTHM.weights))),
        rescaled(_without_baselines(rhythm, "power"), "power", 100.0),
        but(RHYTHM, optimizer="momentum", lr=0.03, clip=1.0),
    ),
    faulty(
        "text-symbols-summed",
        says("dominance", "symbol", 1, *_dominates("symbol", tuple(TEXT.weights))),
        _without_baselines(text, "symbol"),
        but(TEXT, optimizer="momentum", lr=0.02),
        _times("symbol", 512.0),
    ),
    faulty(
        "teacher-scores-summed",
        says("dominance", "teacher", 1, *_dominates("teacher", tuple(TEACHER.weights))),
        partial(teacher, n=2400),
        but(TEACHER, optimizer="momentum", lr=0.02, clip=0.5),
        _times("teacher", 192.0),
    ),
    faulty(
        "pendulum-equation-in-milliseconds",
        says("dominance", "equation", 1, *_dominates("equation", tuple(PENDULUM.weights))),
        pendulum,
        PENDULUM,
        _times("equation", 1e4),
    ),
    faulty(
        "montage-counts-weighted-a-hundredfold",
        says("dominance", "density", 1, *_dominates("density", tuple(MONTAGE.weights))),
        WIDE,
        but(
            MONTAGE,
            weights=dict(MONTAGE.weights) | {"density": 100.0},
            optimizer="momentum",
            lr=0.03,
            clip=0.5,
        ),
    ),
)


def _drifting_labels(batch: Data, k: int) -> Data:
    """The file of the labels is read with a growing offset: more and more labels are the opposite."""
    arousal = batch["arousal"].clone()
    wrong = min(len(arousal), max(0, (k - 200) // 28))
    arousal[:wrong] = 1 - arousal[:wrong]
    return batch | {"arousal": arousal}


def _turning_states(batch: Data, k: int) -> Data:
    """The names of the states turn over, sequence by sequence."""
    state = batch["state"].clone()
    wrong = min(len(state), max(0, (k - 120) // 14))
    state[:wrong] = (state[:wrong] + 1) % 4
    return batch | {"state": state}


def _slowly_reversed(name: str, strength: float) -> Fault:
    """A component reaches the network with a small gradient of the wrong sign."""
    return Fault(
        losses=lambda net, losses, batch, k: (
            losses | {name: (1 + strength) * losses[name].detach() - strength * losses[name]}
        )
    )


def _worse_first(data: Data) -> None:
    data["better"] = 1 - data["better"]


def _next_class(data: Data) -> None:
    data["kind"] = (data["kind"] + 1) % 6


def _wrong_sign(net: nn.Module, losses: Losses, batch: Data, k: int) -> Losses:
    """The restoring force has the wrong sign in the equation."""
    with torch.enable_grad():
        t = batch["t"][:, None].clone().requires_grad_()
        y = net(t)
        first = torch.autograd.grad(y.sum(), t, create_graph=True)[0]
        second = torch.autograd.grad(first.sum(), t, create_graph=True)[0]
    return losses | {"equation": (second + 0.6 * first - 4.09 * y).square().mean()}


def _neighbours_as_strangers(data: Data) -> None:
    data["far"] = (data["word"][:, None] // 6 * 6 + torch.randint(0, 6, data["far"].shape)) % 60


def _drift(name: str, step: int = 1) -> tuple[tuple[str, str | None], ...]:
    return (("worse_than_baseline", name), ("task_stall", name), ("explosion", name))


RATIO_DRIFT: tuple[Case, ...] = (
    faulty(
        "montage-labels-drift-away",
        says("ratio_drift", "arousal", 229, *_drift("arousal")),
        WIDE,
        but(MONTAGE, steps=700, weights=dict(MONTAGE.weights) | {"arousal": 0.2}),
        Fault(batch=_drifting_labels),
    ),
    faulty(
        "text-names-of-states-turn",
        says("ratio_drift", "state", 135, *_drift("state")),
        text,
        but(TEXT, weights={"symbol": 1.0, "state": 0.3}),
        Fault(batch=_turning_states),
    ),
    faulty(
        "evoked-level-slowly-reversed",
        says("ratio_drift", "level", 1, *_drift("level")),
        evoked,
        but(EVOKED, optimizer="sgd", lr=0.1, schedule=None),
        _slowly_reversed("level", 0.004),
    ),
    faulty(
        "ratings-ranking-the-wrong-way",
        says("ratio_drift", "ranking", 1, *_drift("ranking")),
        partial(ratings, n=5000),
        but(RATINGS, weights={"rating": 1.0, "ranking": 0.05, "size": 0.05}),
        Fault(data=_worse_first),
    ),
    faulty(
        "teacher-labels-of-the-next-class",
        says("ratio_drift", "label", 1, *_drift("label")),
        partial(teacher, n=2400),
        but(TEACHER, weights={"label": 0.05, "teacher": 2.0, "hint": 1.0}),
        Fault(data=_next_class),
    ),
    faulty(
        "pendulum-force-with-wrong-sign",
        says(
            "ratio_drift",
            "equation",
            1,
            ("task_stall", "equation"),
            ("explosion", "equation"),
            ("dominance", "equation"),
        ),
        pendulum,
        but(PENDULUM, weights={"equation": 0.0005, "start": 1.0, "measured": 1.0}),
        Fault(losses=_wrong_sign),
    ),
    faulty(
        "words-neighbours-as-strangers",
        says("ratio_drift", "far", 1, ("task_stall", "far"), ("explosion", "far")),
        words,
        but(WORDS, weights={"near": 1.0, "far": 0.1}),
        Fault(data=_neighbours_as_strangers),
    ),
    faulty(
        "rhythm-artefact-slowly-reversed",
        says("ratio_drift", "artefact", 1, *_drift("artefact")),
        partial(rhythm, n=1024),
        but(RHYTHM, optimizer="momentum", lr=0.02),
        _slowly_reversed("artefact", 0.002),
    ),
)


def _bounded_level(net: nn.Module, losses: Losses, batch: Data, k: int) -> Losses:
    """The output ends in an activation that cannot reach the target."""
    return losses | {"level": F.mse_loss(net(batch["x"][:, None])["level"][:, 0].tanh(), batch["level"])}


def _loud_head(net: nn.Module) -> None:
    with torch.no_grad():
        net.state.weight.mul_(12)


def _flipped_validation(make: Callable[[int], Problem], name: str) -> Callable[[int], Problem]:
    """Return the problem with the validation labels coded the other way round."""

    def start(seed: int) -> Problem:
        problem = make(seed)
        problem.val[name] = 1 - problem.val[name]
        return problem

    return start


def _other_gain(make: Callable[[int], Problem], name: str, factor: float) -> Callable[[int], Problem]:
    """Return the problem with validation inputs that are scaled by other statistics."""

    def start(seed: int) -> Problem:
        problem = make(seed)
        problem.val[name] = problem.val[name] * factor
        return problem

    return start


_stuck = (("task_stall", "rating"), ("task_stall", "ranking"), ("stall", None))

WORSE: tuple[Case, ...] = (
    faulty(
        "evoked-level-behind-a-bound",
        says("worse_than_baseline", "level", 1, ("task_stall", "level"), ("dominance", "level")),
        rescaled(evoked, "level", 1.0, 3.0),
        EVOKED,
        Fault(losses=_bounded_level),
    ),
    faulty(
        "text-state-head-never-trained",
        says("worse_than_baseline", "state", 1, ("task_stall", "state")),
        text,
        TEXT,
        Fault(
            net=_loud_head,
            losses=lambda net, losses, batch, k: losses | {"state": losses["state"].detach()},
            left_out=("state",),
        ),
    ),
    faulty(
        "ratings-stars-held-at-zero",
        says("worse_than_baseline", "rating", 1, ("dominance", "rating"), *_stuck),
        rescaled(partial(ratings, n=5000), "rating", 1.0, 3.0),
        but(RATINGS, decay=0.05),
    ),
    faulty(
        "kernel-validation-labels-inverted",
        says(
            "worse_than_baseline",
            "fit",
            1,
            ("worse_than_baseline", None),
            ("overfitting", None),
            ("overfitting", "fit"),
        ),
        _flipped_validation(kernel, "side"),
        but(KERNEL, lr=0.01, steps=600),
    ),
    faulty(
        "saddles-validation-in-another-unit",
        says(
            "worse_than_baseline",
            "map",
            1,
            ("worse_than_baseline", None),
            ("overfitting", None),
            ("overfitting", "map"),
        ),
        _other_gain(saddles, "y", -2.0),
        SADDLES,
    ),
    faulty(
        "echo-rate-far-too-high",
        says(
            "worse_than_baseline",
            "echo",
            1,
            ("stall", None),
            ("stall", "echo"),
            ("oscillation", None),
            ("oscillation", "echo"),
            ("explosion", None),
            ("explosion", "echo"),
        ),
        echo,
        but(ECHO, lr=0.5),
    ),
)

CASES = DOMINANCE + RATIO_DRIFT + WORSE
