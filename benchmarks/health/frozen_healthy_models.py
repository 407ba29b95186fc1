"""Healthy runs of sequence models, learned representations and statistical estimators."""

from __future__ import annotations

from functools import partial

from case import Case
from frozen_estimators import codes, flow, kernel, likelihood, pendulum, quantiles, ratings, saddles, survival
from frozen_representations import graph, teacher, triplets, variational, views
from frozen_sequences import echo, recall, ring, text, words
from frozen_training import Plan, but, healthy, tuned
from schedules import Schedule

TEXT = Plan(
    weights={"symbol": 1.0, "state": 1.0}, steps=350, lr=3e-3, clip=1.0, norms_every=25, baselines=True
)
RECALL = Plan(weights={"answer": 1.0, "count": 1.0}, steps=500, lr=3e-3, optimizer="adamw", baselines=True)
ECHO = Plan(weights={"echo": 1.0}, steps=300, lr=3e-3, clip=1.0, baselines=True)
WORDS = Plan(weights={"near": 1.0, "far": 1.0}, steps=900, lr=3e-3, batch=64, baselines=True)
RING = Plan(weights={"difference": 1.0}, steps=1200, lr=0.3, optimizer="sgd")
KERNEL = Plan(
    weights={"fit": 1.0, "ridge": 0.002}, steps=1200, lr=0.1, optimizer="sgd", per_epoch=60, baselines=True
)
RATINGS = Plan(
    weights={"rating": 1.0, "ranking": 0.5, "size": 0.05},
    steps=900,
    lr=0.01,
    batch=64,
    per_epoch=45,
    norms_every=30,
    baselines=True,
)
QUANTILES = Plan(weights={"q10": 1.0, "q50": 1.0, "q90": 1.0}, steps=600, lr=3e-3, baselines=True)
LIKELIHOOD = Plan(weights={"first": 1.0, "second": 1.0}, steps=700, lr=3e-3, clip=5.0, baselines=True)
SURVIVAL = Plan(weights={"partial": 1.0}, steps=300, lr=1e-3, batch=40)
FLOW = Plan(weights={"likelihood": 1.0}, steps=600, lr=2e-3, batch=64, clip=5.0, per_epoch=50)
CODES = Plan(
    weights={"rebuild": 1.0, "sparsity": 0.2, "length": 0.1},
    steps=800,
    lr=3e-3,
    norms_every=40,
    baselines=True,
)
SADDLES = Plan(weights={"map": 1.0}, steps=1200, lr=0.03, optimizer="sgd", per_epoch=30, baselines=True)
PENDULUM = Plan(
    weights={"equation": 0.1, "start": 1.0, "measured": 1.0}, steps=700, lr=3e-3, per_epoch=35, norms_every=35
)
VIEWS = Plan(weights={"contrast": 1.0, "evenness": 0.1}, steps=500, lr=2e-3, batch=64, per_epoch=25)
TRIPLETS = Plan(weights={"margin": 1.0, "kind": 1.0}, steps=400, lr=2e-3, baselines=True, norms_every=40)
VARIATIONAL = Plan(
    weights={"rebuild": 1.0, "divergence": 0.005}, steps=1000, lr=2e-3, per_epoch=50, baselines=True
)
TEACHER = Plan(
    weights={"label": 0.5, "teacher": 2.0, "hint": 1.0},
    steps=600,
    lr=2e-3,
    optimizer="adamw",
    norms_every=30,
    baselines=True,
)
GRAPH = Plan(weights={"kind": 1.0, "links": 0.5}, steps=240, lr=2e-3, norms_every=20, baselines=True)
HALVES = Schedule(type="step", period=200, gamma=0.5)

SEQUENCES: tuple[Case, ...] = (
    healthy("text-gru-clipped", text, TEXT),
    healthy("text-at-its-floor", partial(text, n=1200, width=16), but(TEXT, steps=700, norms_every=0)),
    healthy("text-momentum-slow", text, but(TEXT, optimizer="momentum", lr=0.05, clip=None)),
    healthy(
        "recall-late-drop",
        partial(recall, n=4000),
        but(RECALL, lr=1.5e-3, steps=800, schedule=Schedule(warmup_steps=60)),
    ),
    healthy(
        "recall-cosine",
        partial(recall, n=4000),
        but(RECALL, steps=600, schedule=Schedule(type="cosine_annealing", warmup_steps=30)),
    ),
    healthy("echo-gru-late-drop", partial(echo, delay=5, n=640), but(ECHO, steps=450)),
    healthy(
        "echo-plain-cell-rmsprop",
        partial(echo, delay=1, gated=False),
        but(ECHO, optimizer="rmsprop", lr=1e-3),
    ),
    healthy("words-skip-grams", words, WORDS),
    healthy("words-skip-grams-rmsprop", words, but(WORDS, optimizer="rmsprop", lr=2e-3, validated=False)),
    healthy("ring-towards-its-own-estimate", ring, RING),
    healthy("ring-short-sighted-adam", partial(ring, discount=0.5), but(RING, optimizer="adam", lr=0.01)),
)

ESTIMATORS: tuple[Case, ...] = (
    healthy("kernel-penalty-rises", kernel, KERNEL),
    healthy(
        "kernel-single-samples",
        partial(kernel, ridge=False),
        but(KERNEL, weights={"fit": 1.0}, batch=1, lr=0.02, steps=2400, per_epoch=120),
    ),
    healthy("kernel-three-thousand-steps", kernel, but(KERNEL, steps=3000, optimizer="momentum", lr=0.03)),
    healthy("ratings-three-terms", partial(ratings, n=5000), RATINGS),
    healthy("ratings-timed", partial(ratings, n=5000), but(RATINGS, seconds=True, norms_every=0, steps=700)),
    healthy(
        "ratings-descent-halved", partial(ratings, n=5000), but(RATINGS, lr=0.02, steps=800, schedule=HALVES)
    ),
    healthy("quantiles-heavy-tails", partial(quantiles, tail=1.8), QUANTILES),
    healthy(
        "quantiles-momentum-exponential",
        quantiles,
        but(
            QUANTILES,
            optimizer="momentum",
            lr=0.05,
            schedule=Schedule(type="exponential", period=100, gamma=0.7),
        ),
    ),
    healthy("quantiles-batches-of-eight", quantiles, but(QUANTILES, batch=8, lr=1e-3, steps=1500)),
    healthy("likelihood-crosses-zero", partial(likelihood, n=2400), LIKELIHOOD),
    healthy(
        "likelihood-sixty-epochs",
        partial(likelihood, noise=0.1, n=1600),
        but(LIKELIHOOD, per_epoch=15, steps=900, schedule=Schedule(type="cosine_annealing", lowest=0.01)),
    ),
    healthy(
        "likelihood-small-batches-clipped",
        partial(likelihood, n=2400),
        but(LIKELIHOOD, batch=8, clip=1.0, lr=1e-3),
    ),
    healthy("survival-partial-likelihood", partial(survival, n=1200), SURVIVAL),
    healthy("survival-mild-gap", survival, but(SURVIVAL, steps=150, optimizer="adamw")),
    healthy("flow-below-zero", partial(flow, thin=0.02, n=1600), but(FLOW, steps=900)),
    healthy(
        "flow-rmsprop-warm-up",
        flow,
        but(FLOW, optimizer="rmsprop", lr=1e-3, schedule=Schedule(warmup_steps=100)),
    ),
    healthy("codes-atoms-short-enough", codes, CODES),
    healthy("codes-momentum", codes, but(CODES, optimizer="momentum", lr=0.03, steps=1000, validated=False)),
    healthy("saddles-plateau-then-drop", saddles, SADDLES),
    healthy(
        "saddles-staircase-long", partial(saddles, start=0.02), but(SADDLES, lr=0.02, steps=2500, batch=64)
    ),
    healthy("pendulum-from-its-equation", pendulum, PENDULUM),
    healthy(
        "pendulum-warm-restarts",
        pendulum,
        but(PENDULUM, lr=5e-3, schedule=Schedule(type="cosine_annealing_warm_restarts", period=175)),
    ),
)

REPRESENTATIONS: tuple[Case, ...] = (
    healthy("views-two-sides", partial(views, n=3000), VIEWS),
    healthy(
        "views-sharp-momentum",
        partial(views, n=3000, temperature=0.1),
        but(VIEWS, optimizer="momentum", lr=0.05),
    ),
    healthy("triplets-margin-reaches-zero", triplets, TRIPLETS),
    healthy("variational-divergence-rises", variational, VARIATIONAL),
    healthy(
        "variational-free-nats",
        partial(variational, free=0.5),
        but(VARIATIONAL, weights={"rebuild": 1.0, "divergence": 0.02}),
    ),
    healthy("teacher-three-terms", partial(teacher, n=2400), TEACHER),
    healthy(
        "teacher-fine-tuned",
        tuned(partial(teacher, n=2400), TEACHER.weights, 500),
        but(TEACHER, lr=1e-4, steps=400, optimizer="adam"),
    ),
    healthy("graph-communities", graph, GRAPH),
    healthy("graph-communities-momentum", graph, but(GRAPH, optimizer="momentum", lr=0.01, steps=180)),
)

CASES = SEQUENCES + ESTIMATORS + REPRESENTATIONS
