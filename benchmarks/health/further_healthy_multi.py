"""Further healthy runs of several components, with odd habits; all learn."""

from __future__ import annotations

from functools import partial

import torch
from case import Case, Reporting
from fitting import Hooks, Loop, Losses
from further_healthy import cyclic, decay, inverse_root, warm_cosine
from further_pictures import boxes, codes, distilled, game, masks, restore, student
from further_tables import heat, parts, quantiles, ratings
from further_texts import policy, spoken, text
from further_training import (
    MEANS,
    NO_WEIGHTS,
    SILENT,
    SPARSE,
    Course,
    Task,
    adam,
    further_healthy,
    heavy,
)
from schedules import Schedule
from torch import Tensor, nn

EIGHT = {
    "nose": "square",
    "eye": "absolute",
    "ear": "huber",
    "lip": "logistic",
    "chin": "logcosh",
    "brow": "square",
    "tilt": "angle",
    "hair": "count",
}
UNITS = {"nose": 30.0, "eye": 0.01, "brow": 1e-3, "chin": 5.0}
BALANCED = {"nose": 1 / 900, "eye": 100.0, "brow": 1e6, "chin": 0.2}
TEN = {f"channel{k}": kind for k, kind in enumerate(("square", "absolute", "huber", "logcosh", "angle") * 2)}


def uncertain(seed: int, *, noise: float = 0.1, squares: int = 4, n: int = 3000) -> Task:
    """Return targets of different noise whose weights are learned: the total goes below zero."""
    task = parts(seed, {f"target{k}": "square" for k in range(squares)}, noise=noise, n=n)
    spreads = nn.ParameterDict({name: nn.Parameter(torch.zeros(())) for name in task.weights})
    task.model.spreads = spreads

    def combine(losses: Losses) -> Tensor:
        each = [torch.exp(-spreads[name]) * loss + spreads[name] for name, loss in losses.items()]
        return 0.5 * torch.stack(each).sum()

    task.combine = combine
    return task


def fades_in(name: str, first: float, last: float) -> object:
    """Let a component fade in from zero while training goes on."""

    def losses(loop: Loop, values: Losses) -> Losses:
        share = min(1.0, max(0.0, (loop.progress - first) / (last - first)))
        return values | {name: share * values[name]}

    return lambda _: Hooks(losses=losses)


CASES: list[Case] = [
    further_healthy(
        "parts-eight-odd-units",
        partial(parts, spec=EIGHT, units=UNITS, weights=BALANCED, scaled=True),
        Course(epochs=16, batch=40, learning_rate=4e-3, norms_every=60),
    ),
    further_healthy(
        "parts-eight-undeclared",
        partial(parts, spec=EIGHT, n=3000),
        Course(epochs=8, batch=30, learning_rate=3e-3, reporting=SILENT, clip=1.0),
    ),
    further_healthy(
        "parts-ten-sparse",
        partial(parts, spec=TEN, width=64),
        Course(epochs=20, batch=50, learning_rate=5e-3, reporting=SPARSE),
    ),
    further_healthy(
        "parts-ten-momentum",
        partial(parts, spec=TEN, width=64, n=3000),
        Course(
            epochs=8, batch=30, learning_rate=3e-3, make=heavy(0.97), norms_every=100, reporting=NO_WEIGHTS
        ),
    ),
    further_healthy(
        "parts-every-third",
        partial(parts, spec=dict(list(EIGHT.items())[:4]), every={"ear": 3, "lip": 3}, n=3000),
        Course(epochs=10, batch=40, learning_rate=4e-3),
    ),
    further_healthy(
        "parts-every-third-means",
        partial(parts, spec={"main": "square", "side": "absolute", "check": "count"}, every={"check": 5}),
        Course(epochs=20, batch=40, learning_rate=3e-3, reporting=MEANS, optimizer="adamw", weight_decay=0.1),
    ),
    further_healthy(
        "parts-uncertain",
        uncertain,
        Course(epochs=20, batch=60, learning_rate=6e-3, reporting=NO_WEIGHTS),
    ),
    further_healthy(
        "parts-uncertain-sparse",
        partial(uncertain, noise=0.02, squares=7),
        Course(epochs=24, batch=60, learning_rate=8e-3, curve=warm_cosine(), reporting=SPARSE),
    ),
    further_healthy(
        "parts-half-precision",
        partial(
            parts,
            spec={"mass": "square", "charge": "logistic"},
            units={"mass": 8.0},
            n=3000,
            weights={"mass": 0.02},
        ),
        Course(epochs=8, batch=40, learning_rate=4e-3, half=True, reporting=Reporting(epochs=False)),
    ),
    further_healthy(
        "parts-weak-and-noisy",
        partial(parts, spec={"a": "square", "b": "square", "c": "absolute"}, noise=0.9, n=4800),
        Course(epochs=3, batch=24, learning_rate=3e-3, curve=decay(0.5), declare_baselines=False),
    ),
    further_healthy(
        "parts-batch-of-two",
        partial(parts, spec={"up": "huber", "down": "absolute"}, n=2000),
        Course(epochs=1, batch=2, learning_rate=2e-3, make=adam(0.95, 0.99)),
    ),
    further_healthy(
        "parts-fades-in",
        partial(parts, spec={"first": "square", "later": "absolute", "last": "logistic"}, n=2400),
        Course(epochs=14, batch=40, learning_rate=5e-3),
        hooks=fades_in("last", 0.2, 0.5),
    ),
    further_healthy(
        "quantiles-nine", quantiles, Course(epochs=20, batch=40, learning_rate=5e-3, curve=cyclic(200))
    ),
    further_healthy(
        "quantiles-seven-micro",
        partial(quantiles, n_levels=7, unit=1e-6),
        Course(epochs=30, batch=80, learning_rate=4e-3, reporting=SILENT),
    ),
    further_healthy(
        "heat-equation",
        heat,
        Course(epochs=50, batch=64, learning_rate=4e-3, curve=decay(0.4), validate_every=5),
    ),
    further_healthy(
        "heat-equation-norms",
        partial(heat, weights={"start": 100.0, "edges": 30.0}),
        Course(epochs=50, batch=64, learning_rate=6e-3, norms_every=40, validate_every=0, clip=10.0),
    ),
    further_healthy(
        "ratings-factors",
        partial(ratings, decay=0.02, n=6000),
        Course(epochs=10, batch=60, learning_rate=0.02, make=adam()),
    ),
    further_healthy(
        "ratings-summed",
        partial(ratings, decay=2.0, total=True, n=6000),
        Course(epochs=10, batch=60, learning_rate=0.02, reporting=SILENT),
    ),
    further_healthy(
        "policy-one-step", policy, Course(epochs=1, batch=20, learning_rate=4e-3, reporting=NO_WEIGHTS)
    ),
    further_healthy(
        "policy-large-rewards",
        partial(policy, unit=10.0, critic=0.005, entropy=-0.05),
        Course(epochs=1, batch=16, learning_rate=3e-3, clip=0.5, norms_every=50),
    ),
    further_healthy(
        "game-alternating",
        partial(game, every=2, penalty=0.02),
        Course(epochs=4, batch=32, learning_rate=1e-3, make=adam(0.5, 0.9), reporting=NO_WEIGHTS),
    ),
    further_healthy(
        "game-sparse",
        partial(game, penalty=0.05),
        Course(epochs=4, batch=32, learning_rate=1e-3, make=adam(0.5, 0.9), reporting=SPARSE),
    ),
    further_healthy("student-late-teacher", student, Course(epochs=12, batch=48, learning_rate=3e-3)),
    further_healthy(
        "student-late-teacher-quick",
        partial(student, rate=0.1),
        Course(epochs=10, batch=32, learning_rate=2e-3, curve=warm_cosine(0.3), reporting=MEANS),
    ),
    further_healthy(
        "distilled-hot",
        distilled,
        Course(epochs=12, batch=36, learning_rate=4e-3, norms_every=50),
    ),
    further_healthy(
        "distilled-momentum",
        partial(distilled, weight=0.3, temperature=5.0),
        Course(
            epochs=12, batch=36, learning_rate=0.01, make=heavy(0.95, nesterov=True), reporting=NO_WEIGHTS
        ),
    ),
    further_healthy("codes-table", codes, Course(epochs=10, batch=32, learning_rate=3e-3)),
    further_healthy(
        "boxes-rare",
        partial(boxes, share=0.12, n=1600),
        Course(epochs=6, batch=20, learning_rate=3e-3, clip=2.0),
    ),
    further_healthy(
        "boxes-half",
        partial(boxes, share=0.5),
        Course(epochs=14, batch=30, learning_rate=3e-3, curve=inverse_root(40), norms_every=40),
    ),
    further_healthy("masks-four", masks, Course(epochs=8, batch=20, learning_rate=5e-3)),
    further_healthy(
        "masks-two-short",
        partial(masks, auxiliary=False),
        Course(
            epochs=4, batch=28, learning_rate=0.02, declare_schedule=True, schedule=Schedule(type="one_cycle")
        ),
    ),
    further_healthy(
        "restore-three",
        partial(restore, rough=0.02, spectral=0.01, n=700),
        Course(epochs=8, batch=20, learning_rate=3e-3, norms_every=50),
    ),
    further_healthy(
        "text-with-penalty",
        partial(text, penalty=1e-3, n=4800),
        Course(epochs=1, batch=16, learning_rate=5e-3, curve=warm_cosine(0.1), reporting=NO_WEIGHTS),
    ),
    further_healthy(
        "spoken-with-count", partial(spoken, aux=True), Course(epochs=10, batch=24, learning_rate=6e-3)
    ),
]
