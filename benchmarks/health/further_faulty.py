"""Further faulty runs in which numbers break, jump, run away or gradients die out."""

from __future__ import annotations

import math
from functools import partial

import torch
from case import Case, Reporting
from fitting import Batch, Hooks, Loop, Problem
from further_healthy import cyclic, warm_cosine
from further_healthy_multi import BALANCED, EIGHT, UNITS
from further_pictures import boxes, game, restore
from further_tables import durations, flow, parts, rare, spirals
from further_texts import policy, text, walk
from further_training import (
    MEANS,
    NO_WEIGHTS,
    SILENT,
    SPARSE,
    Course,
    FurtherLoop,
    adam,
    further_faulty,
    heavy,
)
from mechanisms import (
    always,
    batch_at,
    batch_between,
    changed,
    gradient_of,
    heads_of,
    once,
    rate_times,
    replace_loss,
)
from torch import Tensor, nn

ODD = partial(parts, spec=EIGHT, units=UNITS, weights=BALANCED, scaled=True)
ONE = partial(parts, spec={"loss": "square"})
RUNS_AWAY = (("non_finite", None), ("spike", None), ("worse_than_baseline", None), ("oscillation", None))
STUCK = (("stall", None), ("worse_than_baseline", None), ("task_stall", None))


def _times(column: int, factor: float) -> object:
    """Return a change of a batch: one of its tensors in other units."""
    return lambda batch: tuple(t * factor if k == column else t for k, t in enumerate(batch))


def _random_text(batch: Batch) -> Batch:
    return (torch.randint(0, 20, batch[0].shape, generator=torch.Generator().manual_seed(5)),)


def _half_entropy(model: nn.Module, batch: Batch, _: Tensor) -> Tensor:
    """Return a cross-entropy by hand in half precision, in which a sure answer has the logarithm of zero."""
    p = torch.softmax(model(batch[0]), 1).half()
    hit = torch.nn.functional.one_hot(batch[1], p.shape[1]).half()
    return -(hit * p.log() + (1 - hit) * (1 - p).log()).float().sum(1).mean()


def _squared(model: nn.Module, batch: Batch, _: Tensor) -> Tensor:
    """Return the squared error of probabilities whose logits are far too large."""
    p = torch.softmax(400 * model(batch[0]), 1)
    return (p - torch.nn.functional.one_hot(batch[1], p.shape[1])).square().sum(1).mean()


def _zero_duration(problem: Problem, _: torch.Generator) -> None:
    time = problem.train[1].clone()
    time[11] = 0.0
    problem.train = (problem.train[0], time, problem.train[2])


def _skips_broken(loop: Loop) -> None:
    """Leave the weights alone in a step whose gradient is not finite."""
    if any(not p.grad.isfinite().all() for p in loop.parameters if p.grad is not None):
        loop.model.zero_grad()


def _forget_moments(loop: Loop) -> None:
    """Go on with the moments of a fresh Adam and the number of steps of an old one."""
    for state in loop.optimizer.state.values():
        state["exp_avg_sq"].zero_()


def _unscaled(loop: Loop) -> None:
    """Leave out the scale of mixed precision, so that small gradients are rounded to zero."""
    assert isinstance(loop, FurtherLoop)
    loop.scale = 1.0


def _shut(name: str) -> object:
    """Close the gate before a head, as a bias of the wrong sign does."""

    class Gate(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x * math.exp(-24.0)

    def change(problem: Problem, _: torch.Generator) -> None:
        head = heads_of(problem.model)[name]
        assert isinstance(head, nn.Linear)
        head.bias.requires_grad_(requires_grad=False)
        heads_of(problem.model)[name] = nn.Sequential(Gate(), head)

    return change


@torch.no_grad()
def _grow(loop: Loop) -> None:
    for p in loop.parameters:
        p.mul_(1.012)


TEXT = Course(epochs=1, batch=16, learning_rate=6e-3, curve=warm_cosine(), clip=1.0)

_NON_FINITE = [
    further_faulty(
        "spirals-half-logarithm",
        "non_finite",
        changed(partial(spirals, arms=2), replace_loss("loss", _half_entropy)),
        Course(epochs=9, batch=32, learning_rate=6e-3),
        component="loss",
        hooks=lambda _: Hooks(gradients=_skips_broken),
    ),
    further_faulty(
        "durations-of-zero",
        "non_finite",
        changed(durations, _zero_duration),
        Course(epochs=8, batch=20, learning_rate=5e-3, reporting=MEANS),
        component="survival",
    ),
    further_faulty(
        "parts-count-overflow",
        "non_finite",
        partial(parts, spec={"mass": "square", "hits": "count"}, units={"hits": 40.0}),
        Course(epochs=4, batch=32, learning_rate=0.02, make=heavy(0.95), reporting=NO_WEIGHTS),
        component="hits",
        also=(("explosion", "hits"), ("spike", "hits"), ("non_finite", None)),
    ),
    further_faulty(
        "boxes-without-objects",
        "non_finite",
        partial(boxes, share=0.2, guard=False),
        Course(epochs=8, batch=16, learning_rate=3e-3),
        also=tuple(("non_finite", name) for name in ("kind", "place", "width", "height")),
        hooks=lambda _: Hooks(gradients=_skips_broken),
    ),
    further_faulty(
        "text-missing-weights",
        "non_finite",
        text,
        Course(epochs=1, batch=16, learning_rate=5e-3, reporting=SPARSE),
        component="lm",
        step=231,
        hooks=once(231, lambda loop: loop.parameters[0].data[3].fill_(math.nan)),
    ),
]

_SPIKE = [
    further_faulty(
        "text-random-batch",
        "spike",
        text,
        TEXT,
        component="lm",
        step=262,
        hooks=batch_at(262, _random_text),
    ),
    further_faulty(
        "parts-means-other-units",
        "spike",
        partial(parts, spec={"main": "square", "side": "absolute", "check": "count"}, n=2400),
        Course(epochs=16, batch=40, learning_rate=3e-3, reporting=MEANS),
        component="main",
        step=602,
        hooks=batch_between(602, 604, _times(1, 20.0)),
        also=(("explosion", "main"), ("dominance", "main")),
    ),
    further_faulty(
        "flow-outliers",
        "spike",
        flow,
        Course(epochs=10, batch=40, learning_rate=4e-3, clip=5.0),
        component="nll",
        step=330,
        hooks=batch_at(330, _times(0, 5.0)),
        also=(("explosion", "nll"),),
    ),
    further_faulty(
        "policy-wrong-reward",
        "spike",
        policy,
        Course(epochs=1, batch=20, learning_rate=4e-3, reporting=NO_WEIGHTS, clip=1.0),
        component="value",
        step=420,
        hooks=batch_at(420, _times(1, 25.0)),
        also=(("dominance", "value"), ("spike", "policy")),
    ),
    further_faulty(
        "spirals-moments-lost",
        "spike",
        spirals,
        Course(epochs=16, batch=32, learning_rate=8e-3, make=adam(0.9, 0.999)),
        component="loss",
        step=420,
        hooks=once(420, _forget_moments),
        also=(("explosion", "loss"), ("non_finite", None)),
    ),
    further_faulty(
        "short-raw-units",
        "spike",
        partial(rare, share=0.3, n=1000),
        Course(epochs=1, batch=10, learning_rate=0.02, reporting=SILENT),
        component="events",
        step=63,
        hooks=batch_at(63, _times(0, 60.0)),
        also=(("explosion", "events"),),
    ),
    further_faulty(
        "boxes-place-in-samples",
        "spike",
        partial(boxes, share=0.5),
        Course(epochs=14, batch=30, learning_rate=3e-3, norms_every=40),
        component="place",
        step=250,
        hooks=batch_at(250, _times(3, 24.0)),
        also=(("dominance", "place"),),
    ),
    further_faulty(
        "restore-rate-glitch",
        "spike",
        partial(restore, n=800, summed=True),
        Course(epochs=8, batch=24, learning_rate=2e-3, reporting=Reporting(epochs=False)),
        component="restore",
        step=170,
        hooks=rate_times(150.0, 170, 171),
        also=(("explosion", "restore"),),
    ),
]

_EXPLOSION = [
    further_faulty(
        "walk-deadly-triad",
        "explosion",
        partial(walk, linear=True, target=False, discount=0.97, n=6400),
        Course(epochs=1, batch=16, learning_rate=0.05, optimizer="sgd", reporting=NO_WEIGHTS),
        component="td",
        also=RUNS_AWAY,
    ),
    further_faulty(
        "units-summed-too-fast",
        "explosion",
        partial(parts, spec={"loss": "sum"}),
        Course(epochs=4, batch=40, learning_rate=8e-3, make=heavy(0.9), reporting=SILENT),
        component="loss",
        also=(*RUNS_AWAY, ("stall", None)),
    ),
    further_faulty(
        "restore-recovers",
        "explosion",
        partial(restore, n=800),
        Course(epochs=12, batch=24, learning_rate=3e-3),
        component="restore",
        step=160,
        hooks=rate_times(30.0, 160, 175),
        also=RUNS_AWAY,
    ),
    further_faulty(
        "restore-weights-grow",
        "explosion",
        partial(restore, n=800),
        Course(epochs=12, batch=24, learning_rate=0.02, make=heavy(0.5), reporting=SPARSE),
        component="restore",
        step=200,
        hooks=always(_grow, 200),
        also=RUNS_AWAY,
    ),
    further_faulty(
        "parts-one-ascends",
        "explosion",
        partial(parts, spec=EIGHT),
        Course(epochs=20, batch=50, learning_rate=3e-3, reporting=SILENT),
        component="brow",
        step=300,
        hooks=gradient_of("brow", -0.15, 300),
        also=(
            ("ratio_drift", "brow"),
            ("dominance", "brow"),
            ("task_stall", "brow"),
            ("worse_than_baseline", "brow"),
        ),
    ),
    further_faulty(
        "flow-rate-jump",
        "explosion",
        flow,
        Course(epochs=10, batch=40, learning_rate=4e-3),
        component="nll",
        step=260,
        hooks=rate_times(150.0, 260),
        also=RUNS_AWAY,
    ),
    further_faulty(
        "text-rate-jump",
        "explosion",
        text,
        Course(epochs=1, batch=16, learning_rate=3e-3, reporting=MEANS),
        component="lm",
        step=200,
        hooks=rate_times(100.0, 200),
        also=(*RUNS_AWAY, ("stall", None)),
    ),
    further_faulty(
        "units-cycles-too-high",
        "explosion",
        ONE,
        Course(epochs=14, batch=40, learning_rate=0.8, curve=cyclic(170, 0.002)),
        component="loss",
        also=(*RUNS_AWAY, ("stall", None), ("vanishing_gradient", None)),
    ),
]

_VANISHING = [
    further_faulty(
        "game-saturating",
        "vanishing_gradient",
        partial(game, saturating=True, penalty=0.0),
        Course(epochs=4, batch=32, learning_rate=1e-3, groups={"critic": 8.0, "maker": 0.05}),
        component="maker",
        also=(("dead_component", "maker"), ("task_stall", "maker"), ("stall", "maker"), ("stall", None)),
    ),
    further_faulty(
        "spirals-saturated-probabilities",
        "vanishing_gradient",
        changed(spirals, replace_loss("loss", _squared)),
        Course(epochs=12, batch=32, learning_rate=0.02, optimizer="sgd"),
        also=STUCK,
    ),
    further_faulty(
        "units-lost-in-half",
        "vanishing_gradient",
        partial(ONE, units={"loss": 3e-5}, scaled=True),
        Course(epochs=10, batch=32, learning_rate=4e-3, make=adam(eps=1e-15), half=True),
        hooks=lambda _: Hooks(before=_unscaled),
        also=STUCK,
    ),
    further_faulty(
        "parts-shut-gate",
        "vanishing_gradient",
        changed(partial(parts, spec=EIGHT), _shut("chin")),
        Course(epochs=14, batch=40, learning_rate=4e-3, norms_every=30),
        component="chin",
        also=(("task_stall", "chin"), ("worse_than_baseline", "chin"), ("stall", "chin")),
    ),
    further_faulty(
        "restore-lost-later",
        "vanishing_gradient",
        partial(restore, n=800, summed=True),
        Course(epochs=12, batch=24, learning_rate=2e-5, make=heavy(0.9), reporting=Reporting(every=5)),
        step=60,
        hooks=gradient_of("*", 1e-9, 60),
        also=(("stall", None),),
    ),
]

CASES: list[Case] = [*_NON_FINITE, *_SPIKE, *_EXPLOSION, *_VANISHING]
