"""Further faulty runs in which a component, or all of them, stand still or are dead."""

from __future__ import annotations

import copy
from functools import partial

import torch
from case import Case
from fitting import Batch, Hooks, Problem
from further_faulty_balance import THREE
from further_healthy import warm_cosine
from further_healthy_multi import EIGHT, TEN, uncertain
from further_pictures import boxes, distilled, masks, restore, student
from further_tables import graph, parts, spirals
from further_texts import text
from further_training import (
    MEANS,
    NO_WEIGHTS,
    SILENT,
    SPARSE,
    Course,
    further_faulty,
    heavy,
)
from mechanisms import ProblemChange, changed, heads_of, scale_inputs, shuffle_column
from torch import Tensor, nn

USELESS = (("worse_than_baseline", None), ("task_stall", None))
MANY = partial(parts, spec=EIGHT, n=4000)
MANY_TEN = partial(parts, spec=TEN, width=64, n=4000)


def stuck(name: str) -> tuple[tuple[str, str | None], ...]:
    """Return what a component that does not learn may be called as well."""
    return tuple(
        (kind, name) for kind in ("worse_than_baseline", "stall", "overfitting", "vanishing_gradient")
    )


def _zero_head(name: str) -> ProblemChange:
    """Begin with a head of zeros that the optimizer does not have."""

    def change(problem: Problem, _: torch.Generator) -> None:
        for p in heads_of(problem.model)[name].parameters():
            nn.init.zeros_(p)
            p.requires_grad_(requires_grad=False)

    return change


class _Cut(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.detach()


def _adapter(name: str, *, bias: float = -30.0) -> ProblemChange:
    """Put a frozen layer that never opens between the trunk and a head."""

    def change(problem: Problem, _: torch.Generator) -> None:
        head = heads_of(problem.model)[name]
        assert isinstance(head, nn.Linear)
        layer = nn.Linear(head.in_features, head.in_features)
        nn.init.constant_(layer.bias, bias)
        layer.requires_grad_(requires_grad=False)
        heads_of(problem.model)[name] = nn.Sequential(layer, nn.ReLU(), head)

    return change


def _frozen_and_cut(name: str) -> ProblemChange:
    """Leave a head as it was made and cut it off from the trunk."""

    def change(problem: Problem, _: torch.Generator) -> None:
        head = heads_of(problem.model)[name]
        head.requires_grad_(requires_grad=False)
        heads_of(problem.model)[name] = nn.Sequential(_Cut(), head)

    return change


def _next_row(column: int) -> ProblemChange:
    """Pair every sample with the target of the row after it."""

    def change(problem: Problem, _: torch.Generator) -> None:
        def roll(tensors: Batch) -> Batch:
            return tuple(t.roll(1, 0) if k == column else t for k, t in enumerate(tensors))

        problem.train = roll(problem.train)
        problem.val = roll(problem.val) if problem.val else None

    return change


def _prior(name: str, value: float) -> ProblemChange:
    """Begin with the bias that gives the share of what is rare, as detectors do."""

    def change(problem: Problem, _: torch.Generator) -> None:
        bias = heads_of(problem.model)[name].bias
        assert isinstance(bias, Tensor)
        nn.init.constant_(bias, value)

    return change


def _random_text(problem: Problem, generator: torch.Generator) -> None:
    problem.train = (torch.randint(0, 20, problem.train[0].shape, generator=generator),)
    problem.val = (torch.randint(0, 20, (64, 16), generator=generator),)


def _unpaired(problem: Problem, generator: torch.Generator) -> None:
    a, b = problem.train
    problem.train = (a, b[torch.randperm(len(b), generator=generator)])
    assert problem.val is not None
    problem.val = (problem.val[0], problem.val[1].flip(0))


def _never_unfreezes(model: nn.Module) -> list[nn.Parameter]:
    """Return the last bias alone: the counter of the layers to unfreeze does not move."""
    return [list(model.parameters())[-1]]


def _of_the_average(model: nn.Module) -> list[nn.Parameter]:
    """Return the parameters of the average of the net instead of those of the net."""
    return list(copy.deepcopy(model).parameters())


_TASK_STALL = [
    further_faulty(
        "parts-shuffled-undeclared",
        "task_stall",
        changed(MANY, shuffle_column(6)),
        Course(epochs=8, batch=40, learning_rate=3e-3, reporting=NO_WEIGHTS),
        component="brow",
        also=stuck("brow"),
    ),
    further_faulty(
        "parts-shuffled-silent",
        "task_stall",
        changed(MANY, shuffle_column(1)),
        Course(epochs=8, batch=40, learning_rate=0.02, optimizer="momentum", reporting=SILENT),
        component="nose",
        also=stuck("nose"),
    ),
    further_faulty(
        "parts-shuffled-of-ten-sparse",
        "task_stall",
        changed(MANY_TEN, shuffle_column(6)),
        Course(epochs=10, batch=50, learning_rate=4e-3, reporting=SPARSE),
        component="channel5",
        also=stuck("channel5"),
    ),
    further_faulty(
        "parts-next-row",
        "task_stall",
        changed(MANY_TEN, _next_row(1)),
        Course(epochs=8, batch=40, learning_rate=5e-3, make=heavy(0.95), norms_every=80),
        component="channel0",
        also=stuck("channel0"),
    ),
    further_faulty(
        "parts-zero-rate-of-head",
        "task_stall",
        changed(MANY, _zero_head("chin")),
        Course(epochs=8, batch=40, learning_rate=3e-3, reporting=MEANS),
        component="chin",
        also=stuck("chin"),
    ),
    further_faulty(
        "parts-cut-off",
        "task_stall",
        changed(THREE, _frozen_and_cut("main")),
        Course(epochs=12, batch=40, learning_rate=3e-3, curve=warm_cosine(0.2), norms_every=60),
        component="main",
        also=stuck("main"),
    ),
    further_faulty(
        "parts-closed-adapter",
        "task_stall",
        changed(MANY, _adapter("lip")),
        Course(epochs=8, batch=40, learning_rate=3e-3, optimizer="adamw", weight_decay=0.02),
        component="lip",
        also=stuck("lip"),
    ),
    further_faulty(
        "parts-every-third-shuffled",
        "task_stall",
        changed(partial(THREE, n=4000, every={"main": 3}), shuffle_column(1)),
        Course(epochs=8, batch=40, learning_rate=3e-3, declare_baselines=False),
        component="main",
        also=stuck("main"),
    ),
    further_faulty(
        "boxes-width-of-zeros",
        "task_stall",
        changed(partial(boxes, share=0.4), _zero_head("width")),
        Course(epochs=12, batch=30, learning_rate=3e-3, norms_every=40),
        component="width",
        also=stuck("width"),
    ),
    further_faulty(
        "masks-turned-outline",
        "task_stall",
        changed(partial(masks, rotated=True), _prior("edge", -1.6)),
        Course(epochs=8, batch=20, learning_rate=5e-3),
        component="edge",
        also=stuck("edge"),
    ),
    further_faulty(
        "uncertain-shuffled",
        "task_stall",
        changed(partial(uncertain, n=4000), shuffle_column(2)),
        Course(epochs=12, batch=60, learning_rate=5e-3, reporting=NO_WEIGHTS),
        component="target1",
        also=stuck("target1"),
    ),
    further_faulty(
        "distilled-other-order",
        "task_stall",
        changed(partial(distilled, temperature=2.0, weight=0.3), shuffle_column(2)),
        Course(epochs=12, batch=36, learning_rate=4e-3, norms_every=50),
        component="soft",
        also=(*stuck("soft"), ("dominance", "soft"), ("ratio_drift", "soft"), ("explosion", "soft")),
    ),
    further_faulty(
        "parts-one-of-seven-sparse",
        "task_stall",
        changed(partial(parts, spec=dict.fromkeys("abcdefg", "square"), n=4000), shuffle_column(3)),
        Course(epochs=8, batch=40, learning_rate=3e-3, reporting=SPARSE),
        component="c",
        also=stuck("c"),
    ),
]

_STALL = [
    further_faulty(
        "text-random",
        "stall",
        changed(text, _random_text),
        Course(epochs=1, batch=16, learning_rate=3e-3, curve=warm_cosine(), clip=1.0),
        component="lm",
        also=USELESS,
    ),
    further_faulty(
        "graph-too-smooth",
        "stall",
        partial(graph, hidden=(16,) * 9, dropout=0.0),
        Course(epochs=110, batch=1, learning_rate=2e-3, validate_every=5),
        component="nodes",
        also=(*USELESS, ("vanishing_gradient", None)),
    ),
    further_faulty(
        "restore-warm-up-in-samples",
        "stall",
        partial(restore, n=800),
        Course(epochs=10, batch=24, learning_rate=2e-3, curve=lambda k, _: (k + 1) / 1e8, reporting=SILENT),
        component="restore",
        also=USELESS,
    ),
    further_faulty(
        "contrast-unpaired",
        "stall",
        changed(partial(student, contrast=True, temperature=1.0), _unpaired),
        Course(epochs=16, batch=80, learning_rate=1e-4, make=heavy(0.9)),
        component="contrast",
        also=(*USELESS, ("overfitting", "contrast")),
    ),
    further_faulty(
        "spirals-never-unfrozen",
        "stall",
        spirals,
        Course(epochs=12, batch=32, learning_rate=3e-3, reporting=MEANS),
        component="loss",
        hooks=lambda _: Hooks(parameters=_never_unfreezes),
        also=USELESS,
    ),
    further_faulty(
        "spirals-divided-twice",
        "stall",
        changed(spirals, scale_inputs(1 / 255**2)),
        Course(epochs=12, batch=32, learning_rate=0.02, optimizer="sgd"),
        component="loss",
        also=USELESS,
    ),
    further_faulty(
        "parts-misread",
        "stall",
        changed(
            partial(parts, spec=dict.fromkeys(("left", "right", "up"), "square"), n=5000), shuffle_column(0)
        ),
        Course(epochs=5, batch=50, learning_rate=1e-3, reporting=SPARSE),
        also=(*USELESS, ("overfitting", None)),
    ),
    further_faulty(
        "masks-average-trained",
        "stall",
        partial(masks, auxiliary=False),
        Course(epochs=6, batch=20, learning_rate=5e-3),
        hooks=lambda _: Hooks(parameters=_of_the_average),
        also=(*USELESS, *(("stall", name) for name in ("pixel", "dice"))),
    ),
]

CASES: list[Case] = [*_TASK_STALL, *_STALL]
