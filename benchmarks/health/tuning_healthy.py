"""Healthy runs of one loss in the tuning half: many look alarming, all learn what there is to learn."""

from __future__ import annotations

import time
from functools import partial

import torch
from case import Case
from entries import Make, healthy
from fitting import Batch, Hooks, Loop, Plan, Problem
from problems import (
    autoencode,
    classify,
    counts,
    deep_linear,
    denoise,
    forecast,
    language,
    likelihood,
    picture,
    regress,
    variational,
)
from schedules import Schedule
from torch import nn

COSINE = Schedule(type="cosine_annealing")


def _sorted(make: Make, seed: int) -> Problem:
    """Return the problem with its data in an order that repeats in every epoch: large inputs last."""
    problem = make(seed)
    order = problem.train[0].square().sum(1).argsort()
    problem.train = tuple(tensor[order] for tensor in problem.train)
    return problem


def _curriculum(_: int) -> Hooks:
    """Replace samples of small margin by those of a large one, ever fewer of them as training goes on."""

    def batch(loop: Loop, samples: Batch) -> Batch:
        n_easy = int(len(samples[0]) * max(0.0, 0.7 - loop.progress))
        scores = loop.problem.train[0].square().sum(1)
        easy = scores.argsort(descending=True)[: len(scores) // 2]
        chosen = easy[torch.randperm(len(easy), generator=loop.generator)[:n_easy]]
        pairs = zip(loop.problem.train, samples, strict=True)
        return tuple(torch.cat([tensor[chosen], part[n_easy:]]) for tensor, part in pairs)

    return Hooks(batch=batch)


def _pretrained(make: Make, seed: int, *, n_steps: int = 150, shift: float = 0.25) -> Problem:
    """Return the problem with a model that has learned it before, from slightly different inputs."""
    problem = make(seed)
    optimizer = torch.optim.Adam(problem.model.parameters(), lr=5e-3)
    x = problem.train[0] + shift * torch.ones_like(problem.train[0])
    for _ in range(n_steps):
        optimizer.zero_grad()
        losses = problem.losses(problem.model, (x, *problem.train[1:]), 0.0)
        sum(losses.values(), torch.zeros(())).backward()
        optimizer.step()
    return problem


def _saves(_: int) -> Hooks:
    """Write a checkpoint now and then, which takes longer than a step."""

    def before(loop: Loop) -> None:
        time.sleep(0.03 if loop.step % 50 == 0 else 0.001)

    return Hooks(before=before)


def _heavy_inputs(seed: int) -> Problem:
    """Return a regression of which some inputs are very large, so that gradients have a heavy tail."""
    problem = regress(seed, noise=0.2, loss="huber")
    generator = torch.Generator().manual_seed(seed)
    factor = torch.exp(0.9 * torch.randn(len(problem.train[0]), 1, generator=generator))
    problem.train = (problem.train[0] * factor, problem.train[1] * factor, problem.train[2])
    assert problem.val is not None
    factor = factor[: len(problem.val[0])]
    problem.val = (problem.val[0] * factor, problem.val[1] * factor, problem.val[2])
    return problem


def _head_only(model: nn.Module) -> list[nn.Parameter]:
    return list(list(model.children())[-1].parameters())


def _restarts(period: int, growth: int = 1) -> Schedule:
    return Schedule(type="cosine_annealing_warm_restarts", period=period, growth=growth)


_CLASSIFICATION = [
    healthy("classify-adam", classify, Plan(batch=64, epochs=20, learning_rate=5e-3)),
    healthy(
        "classify-momentum-cosine",
        partial(classify, n_classes=6),
        Plan(epochs=12, optimizer="momentum", learning_rate=0.05, schedule=COSINE, declare_schedule=True),
    ),
    healthy(
        "classify-warm-restarts",
        partial(classify, depth=2, n=3000),
        Plan(epochs=8, optimizer="adamw", learning_rate=0.01, schedule=_restarts(150), declare_schedule=True),
        seeds=(0, 1, 2),
    ),
    healthy(
        "classify-long-restarts",
        partial(classify, noise=0.1, n=2400),
        Plan(epochs=9, optimizer="momentum", learning_rate=0.04, schedule=_restarts(100, 2), batch=16),
        seeds=(0, 1, 2),
    ),
    healthy("classify-noisy-labels", partial(classify, noise=0.25), Plan(epochs=8, learning_rate=3e-3)),
    healthy(
        "classify-smoothed",
        partial(classify, smoothing=0.2),
        Plan(batch=64, epochs=40, learning_rate=0.01, schedule=COSINE, declare_schedule=True),
    ),
    healthy(
        "classify-imbalanced",
        partial(classify, rare=0.9, noise=0.03),
        Plan(epochs=8, batch=8, learning_rate=2e-3),
        seeds=(0, 1, 2),
    ),
    healthy(
        "classify-slow-sgd", partial(classify, n=1600), Plan(epochs=20, optimizer="sgd", learning_rate=0.02)
    ),
    healthy(
        "classify-one-cycle",
        partial(classify, depth=2),
        Plan(epochs=10, learning_rate=0.02, schedule=Schedule(type="one_cycle"), declare_schedule=True),
    ),
    healthy(
        "classify-step",
        partial(classify, noise=0.1, n=2400, n_hidden=16),
        Plan(
            epochs=10,
            optimizer="momentum",
            learning_rate=0.06,
            batch=16,
            schedule=Schedule(type="step", period=700),
            declare_schedule=True,
        ),
    ),
    healthy(
        "classify-bare",
        classify,
        Plan(batch=64, epochs=10, learning_rate=0.01, log_grad_norm=False, validate_every=0),
    ),
    healthy("classify-full-batch", classify, Plan(epochs=60, batch=1600, learning_rate=0.02)),
    healthy(
        "classify-warm-up",
        partial(classify, depth=3),
        Plan(
            epochs=10,
            optimizer="sgd",
            learning_rate=0.2,
            clip=1.0,
            schedule=Schedule(warmup_steps=120),
            declare_schedule=True,
        ),
    ),
    healthy(
        "classify-short-last-batch",
        partial(classify, n=803, noise=0.08),
        Plan(epochs=14, learning_rate=4e-3, batch=50, drop_last=False),
        seeds=(0, 1, 2),
    ),
    healthy(
        "classify-fixed-order",
        partial(_sorted, partial(classify, noise=0.05)),
        Plan(batch=64, epochs=20, learning_rate=2e-3, shuffle=False),
        seeds=(0, 1, 2),
    ),
    healthy(
        "classify-curriculum",
        partial(classify, n=1200),
        Plan(epochs=16, learning_rate=3e-3),
        hooks=_curriculum,
    ),
    healthy(
        "classify-fine-tuned",
        partial(_pretrained, classify),
        Plan(epochs=6, learning_rate=1e-3),
        seeds=(0, 1, 2),
    ),
    healthy(
        "classify-frozen-trunk",
        partial(_pretrained, partial(classify, n_hidden=48), n_steps=60, shift=0.5),
        Plan(epochs=12, learning_rate=3e-3),
        hooks=lambda _: Hooks(parameters=_head_only),
    ),
    healthy(
        "classify-few-validated",
        partial(classify, n_val=24, noise=0.05),
        Plan(batch=64, epochs=18, learning_rate=3e-3),
        seeds=(0, 1, 2),
    ),
    healthy("classify-generalisation-gap", partial(classify, n=500), Plan(epochs=16, learning_rate=3e-3)),
    healthy(
        "classify-dropout", partial(classify, dropout=0.5, n_hidden=48), Plan(epochs=24, learning_rate=4e-3)
    ),
    healthy("classify-timed", classify, Plan(epochs=8, learning_rate=5e-3, timed=True), hooks=_saves),
    healthy(
        "classify-batch-of-four",
        partial(classify, noise=0.05),
        Plan(epochs=6, batch=4, optimizer="momentum", learning_rate=0.01),
        seeds=(0, 1, 2),
    ),
]

_REGRESSION = [
    healthy("regress-adam", regress, Plan(epochs=24, learning_rate=5e-3)),
    healthy(
        "regress-student",
        partial(regress, tail=2.5, noise=0.6, loss="l1"),
        Plan(epochs=12, batch=8, learning_rate=2e-3),
        seeds=(0, 1, 2),
    ),
    healthy(
        "regress-outliers-clipped",
        partial(regress, tail=2.2, noise=0.25, n=1600),
        Plan(epochs=10, batch=16, learning_rate=2e-3, clip=1.0),
        seeds=(0, 1, 2),
    ),
    healthy(
        "regress-lognormal-weights",
        partial(regress, lognormal=1.2, n=1600),
        Plan(epochs=12, batch=16, learning_rate=3e-3),
        seeds=(0, 1, 2),
    ),
    healthy(
        "regress-huber",
        partial(regress, loss="huber", tail=3),
        Plan(epochs=20, optimizer="momentum", learning_rate=0.03),
    ),
    healthy(
        "regress-reduced-on-plateau",
        partial(regress, n=500),
        Plan(
            epochs=60,
            batch=50,
            learning_rate=0.02,
            schedule=Schedule(type="reduce_on_plateau", patience=3),
            declare_schedule=True,
        ),
    ),
    healthy(
        "regress-long-plateau",
        partial(regress, n=1600, n_hidden=16, noise=0.5),
        Plan(epochs=40, learning_rate=0.01),
        seeds=(0, 1, 2),
    ),
    healthy("regress-stairs", deep_linear, Plan(epochs=40, batch=16, optimizer="sgd", learning_rate=0.05)),
    healthy(
        "regress-large-units",
        partial(regress, scale=100.0),
        Plan(epochs=30, learning_rate=0.05, norms_every=0),
    ),
    healthy("regress-small-units", partial(regress, scale=0.03), Plan(epochs=20, learning_rate=1e-3)),
    healthy(
        "regress-long",
        partial(regress, n=400, noise=0.5, n_hidden=12),
        Plan(epochs=60, batch=8, optimizer="sgd", learning_rate=0.02),
    ),
    healthy("regress-heavy-inputs", _heavy_inputs, Plan(epochs=20, batch=16, learning_rate=2e-3, clip=0.5)),
    healthy(
        "regress-decaying",
        partial(regress, depth=2),
        Plan(
            epochs=20,
            learning_rate=0.01,
            optimizer="adamw",
            weight_decay=0.05,
            schedule=Schedule(type="exponential", period=150, gamma=0.5),
            declare_schedule=True,
        ),
    ),
    healthy("regress-short", partial(regress, n=320, n_val=0 + 80), Plan(epochs=6, learning_rate=0.02)),
    healthy(
        "regress-timed",
        partial(regress, n=1600),
        Plan(epochs=8, learning_rate=5e-3, timed=True, validate_every=2),
    ),
    healthy(
        "likelihood-adam", partial(likelihood, n=2400), Plan(epochs=10, learning_rate=5e-3), seeds=(0, 1, 2)
    ),
    healthy(
        "likelihood-restarts",
        partial(likelihood, noise=0.05, n=1600),
        Plan(epochs=16, learning_rate=0.01, schedule=_restarts(200), declare_schedule=True),
        seeds=(0, 1, 2),
    ),
    healthy(
        "likelihood-tight",
        partial(likelihood, noise=0.02, scale=0.3),
        Plan(epochs=40, learning_rate=3e-3, clip=5.0),
    ),
    healthy("likelihood-counts", counts, Plan(epochs=20, learning_rate=0.01)),
]

_OTHERS = [
    healthy("conv-adam", picture, Plan(epochs=14, learning_rate=5e-3)),
    healthy(
        "conv-batch-norm",
        partial(picture, norm=True, n=600),
        Plan(
            epochs=12,
            optimizer="momentum",
            learning_rate=0.1,
            schedule=Schedule(type="one_cycle"),
            declare_schedule=True,
        ),
    ),
    healthy("conv-small-batches", partial(picture, noise=0.9), Plan(epochs=5, batch=4, learning_rate=2e-3)),
    healthy("recurrent-gru", forecast, Plan(epochs=24, learning_rate=0.01, clip=1.0)),
    healthy(
        "recurrent-rnn",
        partial(forecast, cell="rnn"),
        Plan(epochs=24, batch=20, optimizer="sgd", learning_rate=0.05, clip=0.5),
    ),
    healthy(
        "recurrent-lstm-cosine",
        partial(forecast, cell="lstm", length=10),
        Plan(
            epochs=30,
            learning_rate=0.02,
            schedule=Schedule(type="cosine_annealing", warmup_steps=40),
            declare_schedule=True,
        ),
    ),
    healthy("recurrent-language", language, Plan(epochs=20, learning_rate=0.01)),
    healthy("autoencode-adam", autoencode, Plan(epochs=24, learning_rate=5e-3, validate_every=3)),
    healthy("diffusion-adam", denoise, Plan(epochs=24, learning_rate=3e-3), seeds=(0, 1, 2)),
    healthy(
        "diffusion-weighted",
        partial(denoise, weighted=True),
        Plan(epochs=24, batch=16, learning_rate=2e-3, optimizer="adamw", clip=1.0),
        seeds=(0, 1, 2),
    ),
    healthy(
        "variational-annealed", partial(variational, fade=(0.0, 0.5)), Plan(epochs=30, learning_rate=4e-3)
    ),
    healthy(
        "variational-late-start",
        partial(variational, fade=(0.3, 0.6), weight=0.008),
        Plan(epochs=30, learning_rate=4e-3),
    ),
    healthy("variational-constant", variational, Plan(epochs=24, learning_rate=4e-3, norms_every=100)),
    healthy(
        "variational-summed",
        partial(variational, summed=True, weight=0.5, fade=(0.0, 0.4)),
        Plan(epochs=30, learning_rate=3e-3, clip=5.0),
    ),
]

CASES: list[Case] = [*_CLASSIFICATION, *_REGRESSION, *_OTHERS]
