"""Faulty runs: numbers that are not finite, spikes, explosions."""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from case import Case
from frozen_estimators import kernel, likelihood, quantiles, ratings, saddles, survival
from frozen_healthy_models import (
    KERNEL,
    LIKELIHOOD,
    QUANTILES,
    RATINGS,
    RING,
    SADDLES,
    SURVIVAL,
    TEACHER,
    TEXT,
    VIEWS,
)
from frozen_healthy_signals import BEATS, EVOKED, MONTAGE, RHYTHM, SPIKES
from frozen_representations import teacher, views
from frozen_sequences import ring, text
from frozen_signals import beats, evoked, montage, rhythm, spikes
from frozen_training import Data, Fault, Losses, but, faulty, says
from schedules import Schedule
from torch import Tensor, nn
from torch.optim import Optimizer

WIDE = partial(montage, n=1600)
ALL_EVOKED = tuple(EVOKED.weights)


def _each(kind: str, names: tuple[str, ...]) -> tuple[tuple[str, str | None], ...]:
    return tuple((kind, name) for name in names)


def _flat_electrode(batch: Data, k: int) -> Data:
    """Every record is standardised; at one step one of them is flat."""
    x = batch["x"].clone()
    if k == 150:
        x[2] = 0.0
    return batch | {"x": (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True)}


def _only_absent(batch: Data, k: int) -> Data:
    """Two batches hold no response at all."""
    return batch | {"present": torch.zeros_like(batch["present"])} if k in (120, 250) else batch


def _mean_of_none(net: nn.Module, losses: Losses, batch: Data, k: int) -> Losses:
    """The mean over the responses does not expect that there may be none."""
    return losses | {"latency": losses["latency"] / batch["present"].sum() * batch["present"].sum()}


def _raw_covariate(batch: Data, k: int) -> Data:
    x = batch["x"].clone()
    if k == 300:
        x[0] *= 1e5
    return batch | {"x": x}


def _exponential_at_last(net: nn.Module, losses: Losses, batch: Data, k: int) -> Losses:
    """The rate is read from a linear shortcut that has no bound."""
    rate = (net(batch["x"]) + 0.01 * batch["x"][:, :6]).exp()
    return {"count": (rate - batch["count"] * rate.log()).mean()}


def _no_event(net: nn.Module, losses: Losses, batch: Data, k: int) -> Losses:
    events = batch["event"].sum()
    return {"partial": losses["partial"] * events.clamp_min(1) / events}


def _half_precision_teacher(net: nn.Module, losses: Losses, batch: Data, k: int) -> Losses:
    """From a step on the teacher's probabilities come in half precision, where small ones are zero."""
    if k < 240:
        return losses
    share = (4 * batch["scores"]).softmax(1).half().float()
    out = net["kind"](net["trunk"](batch["x"]))
    return losses | {"teacher": (share * (share.log() - out.log_softmax(1))).sum(1).mean()}


def _twice_the_same(batch: Data, k: int) -> Data:
    if k != 180:
        return batch
    return {name: torch.cat([values[:-1], values[:1]]) for name, values in batch.items()}


def _root_distances(net: nn.Module, losses: Losses, batch: Data, k: int) -> Losses:
    """The distance between two equal codes has no derivative."""
    a = F.normalize(net["a"](batch["a"]), dim=1)
    i, j = torch.triu_indices(len(a), len(a), 1)
    distance = (a[i] - a[j]).square().sum(1).sqrt()
    return losses | {"evenness": (-2 * distance.square()).exp().mean().log()}


NON_FINITE: tuple[Case, ...] = (
    faulty(
        "evoked-flat-electrode",
        says("non_finite", None, 151, *_each("non_finite", ALL_EVOKED)),
        evoked,
        EVOKED,
        Fault(batch=_flat_electrode),
    ),
    faulty(
        "evoked-mean-over-no-response",
        says("non_finite", "latency", 121, ("non_finite", None), ("spike", "present"), ("spike", None)),
        evoked,
        but(EVOKED, guarded=True),
        Fault(batch=_only_absent, losses=_mean_of_none),
    ),
    faulty(
        "spikes-covariate-in-raw-units",
        says("non_finite", "count", 301, ("non_finite", None), ("spike", "count"), ("explosion", "count")),
        spikes,
        SPIKES,
        Fault(batch=_raw_covariate, losses=_exponential_at_last),
    ),
    faulty(
        "survival-batch-without-event",
        says("non_finite", "partial", 1, ("non_finite", None)),
        partial(survival, n=1200, events=0.25),
        but(SURVIVAL, batch=8, guarded=True),
        Fault(losses=_no_event),
    ),
    faulty(
        "teacher-probabilities-underflow",
        says("non_finite", "teacher", 241, ("non_finite", None)),
        partial(teacher, n=2400),
        TEACHER,
        Fault(losses=_half_precision_teacher),
    ),
    faulty(
        "views-distance-of-equals",
        says("non_finite", None, 181, *_each("non_finite", ("contrast", "evenness"))),
        partial(views, n=3000),
        VIEWS,
        Fault(batch=_twice_the_same, losses=_root_distances),
    ),
    faulty(
        "saddles-rate-a-hundred-times-too-high",
        says("non_finite", None, 1, ("non_finite", "map"), ("explosion", None), ("explosion", "map")),
        saddles,
        but(SADDLES, lr=3.0, steps=400, epochs=False),
    ),
)


def _scaled(name: str, step: int, factor: float, count: int = 3) -> Fault:
    """Some records of one batch have a target in another unit."""

    def change(batch: Data, k: int) -> Data:
        if k != step:
            return batch
        values = batch[name].clone()
        values[:count] = values[:count] * factor
        return batch | {name: values}

    return Fault(batch=change)


def _moved(name: str, step: int, shift: float, count: int = 8) -> Fault:
    """Some records of one batch have an offset in the target."""

    def change(batch: Data, k: int) -> Data:
        if k != step:
            return batch
        values = batch[name].clone()
        values[:count] = values[:count] + shift
        return batch | {name: values}

    return Fault(batch=change)


def _swapped_symbols(batch: Data, k: int) -> Data:
    return batch | {"x": (batch["x"] + 5) % 10} if k in (220, 221) else batch


def _other_side(batch: Data, k: int) -> Data:
    return batch | {"side": 1 - batch["side"]} if k == 700 else batch


def _rate_glitch(k: int, rate: float) -> float:
    return 60 * rate if k == 700 else rate


SPIKES_CASES: tuple[Case, ...] = (
    faulty(
        "evoked-waveforms-in-nanovolts",
        says("spike", "waveform", 201, ("spike", None)),
        evoked,
        EVOKED,
        _scaled("clean", 200, 40.0, 6),
    ),
    faulty(
        "rhythm-power-in-decibels-once",
        says("spike", "power", 261, ("spike", None)),
        partial(rhythm, n=1024),
        RHYTHM,
        _scaled("power", 260, 30.0, 32),
    ),
    faulty(
        "montage-corrupt-counts-small-weight",
        says("spike", "density", 401, ("spike", None)),
        WIDE,
        but(MONTAGE, weights=dict(MONTAGE.weights) | {"density": 0.02}),
        _moved("density", 400, 60.0, 10),
    ),
    faulty(
        "likelihood-outliers-below-zero",
        says("spike", "first", 501, ("spike", None)),
        partial(likelihood, n=2400),
        LIKELIHOOD,
        _moved("first", 500, 1.5),
    ),
    faulty(
        "beats-rate-glitch",
        says("spike", None, 701, *_each("spike", tuple(BEATS.weights)), ("explosion", None)),
        beats,
        BEATS,
        Fault(rate=_rate_glitch),
    ),
    faulty(
        "text-two-batches-in-another-code",
        says("spike", "symbol", 221, ("spike", None), ("spike", "state")),
        text,
        TEXT,
        Fault(batch=_swapped_symbols),
    ),
    faulty(
        "kernel-labels-of-one-batch-flipped",
        says("spike", "fit", 701, ("spike", None)),
        kernel,
        but(KERNEL, lr=0.03, optimizer="momentum"),
        Fault(batch=_other_side),
    ),
    faulty(
        "ratings-one-file-in-percent",
        says("spike", "rating", 601, ("spike", None)),
        partial(ratings, n=5000),
        RATINGS,
        _scaled("rating", 600, 20.0, 12),
    ),
)


def _reversed(name: str, strength: float = 1.0, start: int = 0) -> Fault:
    """The gradient of a component has the wrong sign, its value is right."""

    def change(net: nn.Module, losses: Losses, batch: Data, k: int) -> Losses:
        value: Tensor = losses[name]
        if k < start:
            return losses
        return losses | {name: (1 + strength) * value.detach() - strength * value}

    return Fault(losses=change)


def _grow_weights(k: int, net: nn.Module, optimizer: Optimizer) -> None:
    """The decay of the weights has the wrong sign."""
    for parameter in net.parameters():
        if parameter.grad is not None:
            parameter.grad.sub_(parameter.detach(), alpha=0.25)


EXPLOSIONS: tuple[Case, ...] = (
    faulty(
        "ratings-rate-far-too-high",
        says(
            "explosion",
            None,
            1,
            *_each("explosion", tuple(RATINGS.weights)),
            *_each("non_finite", tuple(RATINGS.weights)),
            ("non_finite", None),
        ),
        partial(ratings, n=5000),
        but(RATINGS, optimizer="momentum", lr=6.0, steps=500),
    ),
    faulty(
        "ring-discount-above-one",
        says(
            "explosion",
            "difference",
            1,
            ("explosion", None),
            ("non_finite", None),
            ("non_finite", "difference"),
        ),
        partial(ring, discount=1.1),
        but(RING, steps=1500),
    ),
    faulty(
        "montage-gradient-of-arousal-reversed",
        says(
            "explosion",
            "arousal",
            1,
            ("explosion", None),
            ("ratio_drift", "arousal"),
            ("worse_than_baseline", "arousal"),
            ("dominance", "arousal"),
        ),
        WIDE,
        MONTAGE,
        _reversed("arousal"),
    ),
    faulty(
        "rhythm-steps-raise-the-rate",
        says("explosion", None, 221, *_each("explosion", tuple(RHYTHM.weights)), ("spike", None)),
        partial(rhythm, n=1024),
        but(
            RHYTHM, lr=1e-3, schedule=Schedule(type="step", period=110, gamma=10.0), steps=440, norms_every=0
        ),
    ),
    faulty(
        "quantiles-decay-with-wrong-sign",
        says("explosion", None, 1, *_each("explosion", tuple(QUANTILES.weights))),
        quantiles,
        but(QUANTILES, optimizer="sgd", lr=0.05),
        Fault(gradients=_grow_weights),
    ),
    faulty(
        "text-state-reversed-midway",
        says(
            "explosion",
            "state",
            151,
            ("explosion", None),
            ("ratio_drift", "state"),
            ("worse_than_baseline", "state"),
            ("dominance", "state"),
        ),
        text,
        TEXT,
        _reversed("state", start=150),
    ),
)

CASES = NON_FINITE + SPIKES_CASES + EXPLOSIONS
