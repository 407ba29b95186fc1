"""Further faulty runs in which one component dominates, drifts or swings."""

from __future__ import annotations

from functools import partial

import torch
from case import Case, Reporting
from entries import MakeHooks
from fitting import Batch, Hooks, Loop
from further_healthy import warm_cosine
from further_healthy_multi import EIGHT, TEN, uncertain
from further_pictures import boxes, codes, game, restore
from further_tables import flow, heat, parts, quantiles, ratings, spirals
from further_texts import policy
from further_training import (
    MEANS,
    NO_WEIGHTS,
    SILENT,
    SPARSE,
    Course,
    adam,
    further_faulty,
    heavy,
)
from mechanisms import always, changed, gradient_of, replace_loss, weight_of

ROWS_OF_TEN = Reporting(every=10)
THREE = partial(parts, spec={"main": "square", "side": "absolute", "check": "count"}, n=2400)
SWINGS = (("explosion", None), ("spike", None), ("worse_than_baseline", None), ("stall", None))


def drifts(name: str) -> tuple[tuple[str, str | None], ...]:
    """Return what a component that gets worse and worse may be called as well."""
    kinds = ("explosion", "dominance", "task_stall", "worse_than_baseline")
    return tuple((kind, name) for kind in kinds)


def starves(*names: str) -> tuple[tuple[str, str | None], ...]:
    """Return what may be said of the components beside one that dominates."""
    kinds = ("task_stall", "stall", "worse_than_baseline")
    return tuple((kind, name) for name in names for kind in kinds)


def growing(column: int, rate: float, first: int) -> MakeHooks:
    """Rescale a target by a running normalisation that feeds on itself."""

    def batch(loop: Loop, samples: Batch) -> Batch:
        factor = (1 + rate) ** max(0, loop.step - first)
        return tuple(t * factor if k == column else t for k, t in enumerate(samples))

    return lambda _: Hooks(batch=batch)


def mixing(column: int, first: int, most: float = 0.95) -> MakeHooks:
    """Give ever more samples the target of another, as a cache whose keys collide does."""

    def batch(loop: Loop, samples: Batch) -> Batch:
        share = most * min(1.0, max(0.0, (loop.step - first) / (0.8 * (loop.n_steps - first))))
        target = samples[column]
        wrong = torch.rand(len(target), generator=loop.generator) < share
        mixed = torch.where(wrong, target.flip(0), target)
        return tuple(mixed if k == column else t for k, t in enumerate(samples))

    return lambda _: Hooks(batch=batch)


def one_kind_in_turn(period: int) -> MakeHooks:
    """Show one class for some steps, then the next, as a loader that reads one file after another does."""

    def batch(loop: Loop, samples: Batch) -> Batch:
        x, y = loop.problem.train
        chosen = torch.nonzero(y == (loop.step // period) % int(y.max() + 1))[:, 0]
        pick = chosen[torch.randint(0, len(chosen), (len(samples[0]),), generator=loop.generator)]
        return x[pick], y[pick]

    return lambda _: Hooks(batch=batch)


def in_turn(column: int, period: int, *, offset: float = 0.0, factor: float = 1.0) -> MakeHooks:
    """Take batches from two sources in turn whose targets differ by an offset or a factor."""

    def batch(loop: Loop, samples: Batch) -> Batch:
        if (loop.step // period) % 2 == 0:
            return samples
        return tuple(t * factor + offset if k == column else t for k, t in enumerate(samples))

    return lambda _: Hooks(batch=batch)


@torch.no_grad()
def _creep(loop: Loop) -> None:
    """Let all factors grow a little, as a decay with the wrong sign does."""
    for p in loop.parameters:
        p.mul_(1.012)


_DOMINANCE = [
    further_faulty(
        "parts-other-units",
        "dominance",
        partial(parts, spec=EIGHT, units={"nose": 30.0}),
        Course(epochs=14, batch=40, learning_rate=4e-3, norms_every=40),
        component="nose",
        also=starves(*(name for name in EIGHT if name != "nose")),
    ),
    further_faulty(
        "parts-other-units-momentum",
        "dominance",
        partial(parts, spec=EIGHT, units={"brow": 25.0}),
        Course(epochs=14, batch=40, learning_rate=0.01, make=heavy(0.9), clip=1.0, reporting=NO_WEIGHTS),
        component="brow",
        also=starves(*(name for name in EIGHT if name != "brow")),
    ),
    further_faulty(
        "parts-typed-weight",
        "dominance",
        changed(partial(parts, spec=TEN, width=64), weight_of("channel3", 1000.0)),
        Course(epochs=16, batch=50, learning_rate=2e-3, reporting=ROWS_OF_TEN),
        component="channel3",
        also=starves(*(name for name in TEN if name != "channel3")),
    ),
    further_faulty(
        "restore-summed-roughness",
        "dominance",
        changed(
            partial(restore, n=800, rough=0.3, spectral=0.01),
            replace_loss("rough", lambda _, batch, v: v * batch[0].shape[2]),
        ),
        Course(epochs=9, batch=24, learning_rate=3e-3, norms_every=40),
        component="rough",
        also=starves("restore", "spectral"),
    ),
    further_faulty(
        "heat-heavy-edges",
        "dominance",
        partial(heat, weights={"edges": 1e5}),
        Course(epochs=50, batch=64, learning_rate=4e-3, validate_every=5, norms_every=40),
        component="edges",
        also=starves("start", "equation"),
    ),
    further_faulty(
        "policy-too-curious",
        "dominance",
        partial(policy, entropy=-8.0),
        Course(epochs=1, batch=20, learning_rate=4e-3, norms_every=50),
        component="entropy",
        also=(*starves("policy", "value"), ("dead_component", "entropy")),
    ),
    further_faulty(
        "policy-raw-returns",
        "dominance",
        partial(policy, unit=60.0),
        Course(epochs=1, batch=20, learning_rate=2e-3, clip=0.5, norms_every=50),
        component="value",
        also=starves("policy", "entropy"),
    ),
    further_faulty(
        "codes-overcommitted",
        "dominance",
        partial(codes, commit=300.0),
        Course(epochs=10, batch=32, learning_rate=3e-3, norms_every=50),
        component="commitment",
        also=(*starves("reconstruction", "table"), ("dead_component", "commitment")),
    ),
    further_faulty(
        "ratings-heavy-penalty",
        "dominance",
        partial(ratings, decay=30.0),
        Course(epochs=8, batch=60, learning_rate=0.01, make=adam()),
        component="penalty",
        also=(*starves("ratings"), ("dead_component", "penalty")),
    ),
    further_faulty(
        "boxes-place-in-samples",
        "dominance",
        changed(partial(boxes, share=0.4), replace_loss("place", lambda _, __, v: 576.0 * v)),
        Course(epochs=14, batch=30, learning_rate=3e-3, norms_every=30),
        component="place",
        also=starves("seen", "kind", "width", "height"),
    ),
    further_faulty(
        "quantiles-one-in-thousandths",
        "dominance",
        changed(quantiles, replace_loss("q90", lambda _, __, v: 1000.0 * v)),
        Course(epochs=14, batch=40, learning_rate=4e-3, reporting=MEANS),
        component="q90",
        also=starves("q10", "q20", "q30", "q40", "q50", "q60", "q70", "q80"),
    ),
]

_DRIFT = [
    further_faulty(
        "parts-growing-target",
        "ratio_drift",
        partial(parts, spec=EIGHT),
        Course(epochs=20, batch=50, learning_rate=3e-3, reporting=NO_WEIGHTS),
        component="nose",
        step=250,
        hooks=growing(1, 0.005, 250),
        also=drifts("nose"),
    ),
    further_faulty(
        "parts-mixed-targets",
        "ratio_drift",
        partial(parts, spec=TEN, width=64),
        Course(epochs=20, batch=50, learning_rate=5e-3, reporting=SPARSE),
        component="channel5",
        step=250,
        hooks=mixing(6, 250),
        also=drifts("channel5"),
    ),
    further_faulty(
        "parts-mixed-targets-momentum",
        "ratio_drift",
        THREE,
        Course(epochs=14, batch=40, learning_rate=0.01, make=heavy(0.9), declare_baselines=False),
        component="main",
        step=250,
        hooks=mixing(1, 250),
        also=drifts("main"),
    ),
    further_faulty(
        "parts-rare-component-drifts",
        "ratio_drift",
        partial(THREE, every={"side": 3}),
        Course(epochs=16, batch=40, learning_rate=4e-3, curve=warm_cosine(0.1, 0.3)),
        component="side",
        step=300,
        hooks=growing(2, 0.006, 300),
        also=drifts("side"),
    ),
    further_faulty(
        "ratings-growing-factors",
        "ratio_drift",
        partial(ratings, decay=0.005, n=5000),
        Course(epochs=10, batch=60, learning_rate=0.3, optimizer="momentum"),
        component="ratings",
        step=300,
        hooks=always(_creep, 300),
        also=(*drifts("ratings"), *drifts("penalty"), ("ratio_drift", "penalty"), ("oscillation", "ratings")),
    ),
    further_faulty(
        "parts-keys-collide",
        "ratio_drift",
        partial(parts, spec=TEN, width=64),
        Course(epochs=20, batch=50, learning_rate=0.01, optimizer="momentum", norms_every=60),
        component="channel2",
        step=300,
        hooks=mixing(3, 300),
        also=drifts("channel2"),
    ),
    further_faulty(
        "uncertain-one-ascends",
        "ratio_drift",
        uncertain,
        Course(epochs=18, batch=60, learning_rate=4e-3, reporting=NO_WEIGHTS),
        component="target2",
        step=350,
        hooks=growing(3, 0.006, 350),
        also=drifts("target2"),
    ),
    further_faulty(
        "parts-weakly-reversed",
        "ratio_drift",
        partial(parts, spec=EIGHT),
        Course(epochs=20, batch=50, learning_rate=0.01, make=heavy(0.9), reporting=MEANS),
        component="ear",
        step=300,
        hooks=gradient_of("ear", -0.1, 300),
        also=(*drifts("ear"), ("non_finite", None), ("spike", None)),
    ),
]

_OSCILLATION = [
    further_faulty(
        "units-edge-of-stability",
        "oscillation",
        partial(parts, spec={"loss": "sum"}, n=300, depth=1, activation="tanh"),
        Course(epochs=120, batch=300, learning_rate=1.6e-3, optimizer="sgd", reporting=SILENT),
        component="loss",
        also=SWINGS,
    ),
    further_faulty(
        "spirals-one-kind-in-turn",
        "oscillation",
        spirals,
        Course(epochs=14, batch=32, learning_rate=4e-3),
        component="loss",
        hooks=one_kind_in_turn(25),
        also=SWINGS,
    ),
    further_faulty(
        "parts-two-calibrations",
        "oscillation",
        THREE,
        Course(epochs=10, batch=40, learning_rate=6e-3, reporting=NO_WEIGHTS),
        component="main",
        hooks=in_turn(1, 15, offset=1.6),
        also=(*SWINGS, ("oscillation", None)),
    ),
    further_faulty(
        "restore-gain-switches",
        "oscillation",
        partial(restore, n=800),
        Course(epochs=10, batch=24, learning_rate=5e-3),
        component="restore",
        hooks=in_turn(1, 12, factor=3.0),
        also=SWINGS,
    ),
    further_faulty(
        "parts-never-zeroed",
        "oscillation",
        partial(THREE, n=1600),
        Course(epochs=10, batch=40, learning_rate=2e-3, optimizer="sgd", zero=False, reporting=NO_WEIGHTS),
        also=(*SWINGS, ("non_finite", None)),
    ),
    further_faulty(
        "game-without-brake",
        "oscillation",
        partial(game, penalty=0.0),
        Course(epochs=4, batch=64, learning_rate=0.02, make=adam(0.9, 0.9)),
        also=(*SWINGS, ("dominance", "maker"), ("dominance", "critic"), ("ratio_drift", None)),
    ),
    further_faulty(
        "flow-short-memory",
        "oscillation",
        flow,
        Course(epochs=14, batch=200, learning_rate=0.15, make=adam(0.0, 0.5, 1e-12)),
        component="nll",
        also=SWINGS,
    ),
]

CASES: list[Case] = [*_DOMINANCE, *_DRIFT, *_OSCILLATION]
