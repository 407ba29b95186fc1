"""Healthy runs of several components in the tuning half."""

from __future__ import annotations

from functools import partial

from case import Case
from entries import healthy
from fitting import Plan
from problems import autoencode
from problems_multi import contrast, embedding, multitask, partly_labelled, penalised, physics
from schedules import Schedule

COSINE = Schedule(type="cosine_annealing")
RESTARTS = Schedule(type="cosine_annealing_warm_restarts", period=150)
THREE = {"stage": "ce", "event": "bce", "amplitude": "l1"}
SIX = {
    "class": "ce",
    "present": "bce",
    "latency": "mse",
    "amplitude": "l1",
    "width": "huber",
    "spread": "nll",
}

CASES: list[Case] = [
    healthy(
        "tasks-two",
        partial(multitask, kinds={"class": "ce", "value": "mse"}),
        Plan(batch=64, epochs=24, learning_rate=5e-3, norms_every=50),
    ),
    healthy(
        "tasks-three",
        partial(multitask, kinds=THREE),
        Plan(
            batch=64,
            epochs=12,
            optimizer="momentum",
            learning_rate=0.02,
            norms_every=50,
            declare_baselines=False,
        ),
    ),
    healthy(
        "tasks-six",
        partial(multitask, kinds=SIX, n_hidden=48),
        Plan(
            epochs=12, batch=64, learning_rate=4e-3, norms_every=100, schedule=COSINE, declare_schedule=True
        ),
        seeds=(0, 1, 2),
    ),
    healthy(
        "tasks-six-adamw",
        partial(multitask, kinds=SIX, n_hidden=32, depth=2, noise=0.5, n=4000),
        Plan(
            epochs=8,
            batch=32,
            optimizer="adamw",
            learning_rate=3e-3,
            clip=1.0,
            schedule=Schedule(type="cosine_annealing", warmup_steps=100),
            declare_schedule=True,
        ),
    ),
    healthy(
        "tasks-one-easy",
        partial(multitask, kinds={"shift": "easy", "class": "ce", "value": "mse"}),
        Plan(batch=64, epochs=20, learning_rate=4e-3, norms_every=50),
        seeds=(0, 1, 2),
    ),
    healthy(
        "tasks-hinge-to-zero",
        partial(multitask, kinds={"side": "separable", "value": "mse"}),
        Plan(batch=64, epochs=30, learning_rate=0.01, norms_every=50),
        seeds=(0, 1, 2),
    ),
    healthy(
        "tasks-hinge-sgd",
        partial(multitask, kinds={"side": "separable", "class": "ce", "value": "l1"}),
        Plan(batch=64, epochs=20, optimizer="sgd", learning_rate=0.05),
    ),
    healthy("tasks-triplet", embedding, Plan(epochs=24, learning_rate=5e-3), seeds=(0, 1, 2)),
    healthy(
        "tasks-triplet-small-margin",
        partial(embedding, margin=0.1, weight=0.2),
        Plan(epochs=16, batch=16, learning_rate=3e-3, norms_every=100),
        seeds=(0, 1, 2),
    ),
    healthy(
        "tasks-partly-labelled",
        partial(partly_labelled, share=0.1),
        Plan(epochs=6, batch=16, learning_rate=2e-3),
        seeds=(0, 1, 2),
    ),
    healthy(
        "tasks-half-labelled",
        partial(partly_labelled, share=0.5),
        Plan(batch=64, epochs=24, learning_rate=5e-3),
    ),
    healthy("tasks-contrast", contrast, Plan(epochs=24, learning_rate=3e-3)),
    healthy(
        "tasks-contrast-large", partial(contrast, n=1280), Plan(epochs=30, batch=128, learning_rate=5e-3)
    ),
    healthy("tasks-physics", physics, Plan(epochs=60, batch=50, learning_rate=5e-3)),
    healthy("tasks-penalised", penalised, Plan(epochs=24, learning_rate=5e-3), seeds=(0, 1, 2)),
    healthy(
        "tasks-penalised-weakly",
        partial(penalised, smooth=1e-3, decay=1e-5),
        Plan(epochs=24, learning_rate=5e-3, norms_every=50),
    ),
    healthy(
        "tasks-sparse-code",
        partial(autoencode, sparsity=0.02),
        Plan(epochs=30, learning_rate=5e-3),
        seeds=(0, 1, 2),
    ),
    healthy(
        "tasks-small-auxiliary",
        partial(multitask, kinds={"main": "ce", "hint": "mse"}, weights={"main": 1.0, "hint": 0.05}),
        Plan(batch=64, epochs=24, learning_rate=5e-3, norms_every=50),
    ),
    healthy(
        "tasks-units-balanced",
        partial(
            multitask,
            kinds={"class": "ce", "latency": "mse"},
            scale={"latency": 20.0},
            weights={"latency": 1 / 400},
        ),
        Plan(batch=64, epochs=20, learning_rate=0.01, norms_every=50),
    ),
    healthy(
        "tasks-heavy-tails",
        partial(multitask, kinds={"class": "ce", "value": "mse", "width": "huber"}, tail=2.5),
        Plan(epochs=8, batch=16, learning_rate=2e-3, clip=1.0),
        seeds=(0, 1, 2),
    ),
    healthy(
        "tasks-total-below-zero",
        partial(
            multitask,
            kinds={"class": "ce", "first": "nll", "second": "nll"},
            noise=0.05,
            n_features=6,
            n_hidden=48,
        ),
        Plan(batch=64, epochs=60, learning_rate=5e-3),
        seeds=(0, 1, 2),
    ),
    healthy(
        "tasks-warm-restarts",
        partial(multitask, kinds={"class": "ce", "value": "mse"}, depth=2, n=4000),
        Plan(
            batch=64,
            epochs=14,
            optimizer="adamw",
            learning_rate=0.008,
            schedule=RESTARTS,
            declare_schedule=True,
        ),
        seeds=(0, 1, 2),
    ),
    healthy(
        "tasks-of-different-speed",
        partial(
            multitask, kinds={"fast": "easy", "slow": "mse", "class": "ce"}, weights={"slow": 0.3}, n=1600
        ),
        Plan(epochs=20, optimizer="sgd", learning_rate=0.05),
    ),
    healthy(
        "tasks-one-noisy",
        partial(multitask, kinds={"class": "ce", "value": "mse"}, noise=1.0, n=4000, n_hidden=16),
        Plan(epochs=8, learning_rate=2e-3),
        seeds=(0, 1, 2),
    ),
    healthy(
        "tasks-bare",
        partial(multitask, kinds=THREE),
        Plan(
            batch=64,
            epochs=16,
            learning_rate=5e-3,
            log_grad_norm=False,
            validate_every=0,
            declare_baselines=False,
        ),
    ),
    healthy(
        "tasks-few-steps",
        partial(multitask, kinds=THREE, n=320),
        Plan(epochs=10, batch=50, learning_rate=0.01),
    ),
]
