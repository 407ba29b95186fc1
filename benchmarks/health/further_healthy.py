"""Further healthy runs of one loss: odd units, odd habits, odd courses; all learn."""

from __future__ import annotations

import math
from functools import partial

import torch
from case import Case, Reporting
from fitting import Batch, Hooks, Loop
from further_pictures import restore, student
from further_tables import durations, flow, graph, parts, rare, spirals
from further_texts import adding, spoken, text, walk
from further_training import (
    MEANS,
    NO_WEIGHTS,
    SILENT,
    SPARSE,
    Course,
    adagrad,
    adam,
    further_healthy,
    heavy,
    rmsprop,
)
from schedules import Schedule


def cyclic(period: int, lowest: float = 0.1) -> object:
    """Return a learning rate that goes up and down in straight lines."""
    return lambda k, _: lowest + (1 - lowest) * (1 - abs(2 * ((k % period) / period) - 1))


def warm_cosine(share: float = 0.15, lowest: float = 0.05) -> object:
    """Return a warm-up and half a cosine."""

    def at(k: int, n: int) -> float:
        if k < share * n:
            return (k + 1) / (share * n + 1)
        return lowest + (1 - lowest) * 0.5 * (1 + math.cos(math.pi * (k / n - share) / (1 - share)))

    return at


def decay(half_life: float) -> object:
    """Return an exponential decay by half-lives, as shares of the training."""
    return lambda k, n: 0.5 ** (k / n / half_life)


def inverse_root(warm: int) -> object:
    """Return the rise and the inverse square root of early transformers."""
    return lambda k, _: min((k + 1) / warm, (warm / (k + 1)) ** 0.5)


def _unfreezes(_: int) -> Hooks:
    """Let the last layer learn first, and the others one after another."""

    def before(loop: Loop) -> None:
        parameters = list(loop.model.parameters())
        n_open = 2 + int(loop.progress * 3 * len(parameters))
        for p in parameters[:-n_open]:
            p.requires_grad_(requires_grad=False)
        for p in parameters[-n_open:]:
            p.requires_grad_(requires_grad=True)

    return Hooks(before=before)


def _adversarial(strength: float) -> object:
    """Move the inputs of every batch to where the loss is larger."""

    def make(_: int) -> Hooks:
        def batch(loop: Loop, samples: Batch) -> Batch:
            x = samples[0].clone().requires_grad_()
            loss = sum(loop.problem.losses(loop.model, (x, *samples[1:]), loop.progress).values())
            (slope,) = torch.autograd.grad(loss, x)
            return (samples[0] + strength * slope.sign(), *samples[1:])

        return Hooks(batch=batch)

    return make


def _ragged(_: int) -> Hooks:
    """Take batches of very different size, as those filled up to a number of symbols are."""

    def batch(loop: Loop, samples: Batch) -> Batch:
        n = 2 + int((len(samples[0]) - 2) * torch.rand(1, generator=loop.generator).item() ** 2)
        return tuple(t[:n] for t in samples)

    return Hooks(batch=batch)


one_square = partial(parts, spec={"loss": "square"})

CASES: list[Case] = [
    further_healthy(
        "text-one-epoch",
        text,
        Course(epochs=1, batch=16, learning_rate=6e-3, curve=warm_cosine(), make=adam(0.9, 0.95), clip=1.0),
    ),
    further_healthy(
        "text-summed-sparse",
        partial(text, summed=True),
        Course(epochs=1, batch=16, learning_rate=5e-3, curve=warm_cosine(0.3), reporting=SPARSE),
    ),
    further_healthy(
        "text-bits-means",
        partial(text, bits=True, n_blocks=2, n=5120),
        Course(epochs=1, batch=16, learning_rate=4e-3, curve=inverse_root(60), reporting=MEANS),
    ),
    further_healthy(
        "text-half-precision",
        text,
        Course(epochs=2, batch=32, learning_rate=6e-3, half=True, curve=warm_cosine(0.1), optimizer="adamw"),
    ),
    further_healthy(
        "text-accumulated",
        partial(text, n=3600),
        Course(epochs=2, batch=32, accumulate=4, learning_rate=8e-3, curve=warm_cosine(), clip=0.5),
    ),
    further_healthy(
        "text-ragged-batches",
        partial(text, summed=True, n=9600),
        Course(epochs=1, batch=24, learning_rate=5e-3, reporting=SILENT),
        hooks=_ragged,
    ),
    further_healthy("spoken-ctc", spoken, Course(epochs=14, batch=24, learning_rate=6e-3)),
    further_healthy(
        "spoken-ctc-momentum",
        spoken,
        Course(
            epochs=16,
            batch=24,
            learning_rate=0.02,
            make=heavy(0.95, nesterov=True),
            clip=5.0,
            curve=decay(0.5),
            reporting=MEANS,
        ),
    ),
    further_healthy("adding-gru", adding, Course(epochs=14, batch=32, learning_rate=0.01, clip=1.0)),
    further_healthy(
        "adding-longer-and-longer",
        partial(adding, grow=True),
        Course(epochs=12, batch=32, learning_rate=8e-3, clip=1.0, reporting=NO_WEIGHTS),
    ),
    further_healthy("spirals-focal", partial(spirals, focal=2.0), Course(epochs=14, learning_rate=5e-3)),
    further_healthy(
        "spirals-summed-momentum",
        partial(spirals, total=True),
        Course(epochs=14, batch=32, learning_rate=2e-4, make=heavy(0.97), reporting=SILENT),
    ),
    further_healthy(
        "spirals-hard-examples",
        partial(spirals, hard=0.4),
        Course(epochs=16, batch=48, learning_rate=4e-3),
    ),
    further_healthy(
        "spirals-wrong-labels",
        partial(spirals, wrong=0.35, n=3000, arms=2, turns=0.7),
        Course(epochs=6, batch=24, learning_rate=3e-3, curve=decay(0.3)),
    ),
    further_healthy(
        "spirals-cyclic-rate",
        spirals,
        Course(epochs=16, batch=32, learning_rate=0.012, curve=cyclic(140)),
    ),
    further_healthy(
        "spirals-rmsprop", spirals, Course(epochs=12, batch=32, learning_rate=3e-3, make=rmsprop)
    ),
    further_healthy(
        "spirals-unfrozen-slowly",
        partial(spirals, arms=2),
        Course(epochs=16, batch=32, learning_rate=5e-3),
        hooks=_unfreezes,
    ),
    further_healthy(
        "spirals-adversarial",
        partial(spirals, turns=0.6, n=1200),
        Course(epochs=12, batch=32, learning_rate=4e-3),
        hooks=_adversarial(0.05),
    ),
    further_healthy(
        "rare-events", rare, Course(epochs=4, batch=24, learning_rate=3e-3, curve=warm_cosine(0.2))
    ),
    further_healthy(
        "rare-events-focal-tiny",
        partial(rare, focal=3.0, positive=8.0),
        Course(epochs=8, batch=32, learning_rate=4e-3, make=adam(eps=1e-12), reporting=MEANS),
    ),
    further_healthy(
        "durations-weibull",
        partial(durations, n=1600),
        Course(epochs=10, batch=40, learning_rate=6e-3),
    ),
    further_healthy(
        "durations-cox",
        partial(durations, cox=True, n=1600, effect=2.0),
        Course(epochs=12, batch=64, learning_rate=5e-3, optimizer="adamw", weight_decay=0.02),
    ),
    further_healthy(
        "flow-below-zero",
        partial(flow, narrow=0.03),
        Course(epochs=10, batch=40, learning_rate=4e-3, clip=5.0),
    ),
    further_healthy(
        "flow-below-zero-sparse",
        flow,
        Course(epochs=16, batch=40, learning_rate=5e-3, reporting=SPARSE, curve=warm_cosine()),
    ),
    further_healthy(
        "graph-all-at-once",
        graph,
        Course(epochs=110, batch=1, learning_rate=0.02, weight_decay=5e-3, validate_every=5),
    ),
    further_healthy(
        "graph-all-at-once-slow",
        partial(graph, dropout=0.5, labelled=80),
        Course(epochs=80, batch=1, learning_rate=0.4, optimizer="momentum", reporting=SILENT),
    ),
    further_healthy(
        "units-one-millionth",
        partial(one_square, units={"loss": 1e-3}),
        Course(epochs=30, batch=64, learning_rate=1e-3, curve=warm_cosine(0.05, 0.0)),
    ),
    further_healthy(
        "units-ten-thousand",
        partial(one_square, units={"loss": 100.0}, activation="relu"),
        Course(epochs=24, batch=32, learning_rate=0.02, reporting=SILENT),
    ),
    further_healthy(
        "units-adagrad-sum",
        partial(parts, spec={"loss": "sum"}, noise=0.5),
        Course(epochs=10, batch=20, learning_rate=0.03, make=adagrad, reporting=NO_WEIGHTS),
    ),
    further_healthy(
        "units-count",
        partial(parts, spec={"loss": "count"}, n=3200),
        Course(epochs=6, batch=16, learning_rate=2e-3, curve=decay(0.4)),
    ),
    further_healthy(
        "restore-summed",
        partial(restore, summed=True),
        Course(epochs=10, batch=24, learning_rate=3e-3, clip=500.0, reporting=Reporting(epochs=False)),
    ),
    further_healthy(
        "restore-tiny-validation",
        partial(restore, norm=True, n_val=6, n=800),
        Course(epochs=9, batch=24, learning_rate=4e-3, curve=cyclic(200, 0.02)),
    ),
    further_healthy(
        "contrast-large-batches",
        partial(student, contrast=True),
        Course(epochs=24, batch=120, learning_rate=4e-3, curve=warm_cosine()),
    ),
    further_healthy(
        "values-of-states",
        walk,
        Course(epochs=1, batch=16, learning_rate=2e-3, reporting=NO_WEIGHTS),
    ),
    further_healthy(
        "short-few-rows",
        partial(spirals, arms=2, turns=0.5, n=1920),
        Course(
            epochs=10,
            batch=192,
            learning_rate=0.02,
            declare_schedule=True,
            schedule=Schedule(type="cosine_annealing", warmup_steps=10),
        ),
    ),
    further_healthy(
        "short-few-rows-noisy",
        partial(rare, share=0.3, n=800),
        Course(epochs=1, batch=10, learning_rate=0.02, reporting=SILENT),
    ),
]
