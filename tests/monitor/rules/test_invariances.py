"""What must not change the alerts: units, the order of components, where windows end, a resume."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuroprism.core.records import Alert, Component, EpochRecord, Gradients

Build = Callable[..., Any]
Told = list[tuple[Any, ...]]
N, PER_EPOCH = 480, 40
NAMES = ("several", "spikes", "dominance", "stall", "non_finite", "overfitting", "lost")

quick = settings(max_examples=4, deadline=None, derandomize=True)
each_run = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(scope="session")
def faulty_runs(make_run: Build, healthy_loss: Build, still_loss: Build) -> dict[str, Any]:
    """Runs by name, each with faults that no rule can miss."""
    random = np.random.default_rng(5)

    def spiky(seed: int, *rows: int) -> Any:
        loss = healthy_loss(N, seed=seed)
        loss[list(rows)] += random.uniform(5, 20, len(rows))
        return loss

    dead, runaway, drifting, broken = (healthy_loss(N, seed=seed) for seed in (20, 21, 22, 23))
    dead[200:] = 0
    runaway[350:] *= 1.08 ** np.arange(N - 350)
    drifting[180:] += np.linspace(0, 3, N - 180)
    broken[[100, 101, 260, 470]] = [math.nan, math.inf, math.nan, math.nan]
    epochs = np.linspace(1, 0.3, N // PER_EPOCH)
    rising = np.r_[np.linspace(1, 0.4, 4), np.linspace(0.45, 1.2, N // PER_EPOCH - 4)]
    looks = [
        Gradients(step=60 * k, epoch=1, norms={"a": 3.0, "b": 0.5, "c": 1.0}, cosines={"a|b": -0.7})
        for k in range(1, 8)
    ]
    return {
        "several": make_run(
            healthy_loss(N),
            still_loss(N, seed=1),
            dead,
            drifting,
            weights=(1, 0.5, 0.25, 2),
            gradients=looks,
            baselines={"a": 3.0},
            val=np.column_stack([epochs, np.ones_like(epochs), epochs, rising]),
            steps_per_epoch=PER_EPOCH,
        ),
        "spikes": make_run(spiky(2, 150, 158, 300), spiky(3, 60, 401), healthy_loss(N, seed=4)),
        "dominance": make_run(healthy_loss(N, start=3000, end=900), still_loss(N, seed=6)),
        "stall": make_run(still_loss(N, seed=7), still_loss(N, seed=8), grad_norm=1e-9),
        "non_finite": make_run(
            broken, healthy_loss(N, seed=9), skipped=(101, 102, 261), grad_norm=np.where(dead > 0, 1.0, 2.0)
        ),
        "overfitting": make_run(
            healthy_loss(N, end=0.02),
            healthy_loss(N, seed=11),
            val=np.column_stack([rising, epochs]),
            steps_per_epoch=PER_EPOCH,
        ),
        "lost": make_run(runaway, healthy_loss(N, seed=12), lr=np.linspace(1e-3, 1e-4, N)),
    }


def told(run: Any, cuts: Sequence[int] = (), *, resume_after: int | None = None) -> Told:
    """Return what all rules say of a run, in any order; `resume_after` counts records."""
    engine, epochs = run.engine(), []
    found: dict[Any, Alert] = {}

    def keep(alerts: list[Alert]) -> None:
        found.update({alert.key(): alert for alert in alerts})

    for k, record in enumerate(run.records(cuts)):
        keep(engine.look(record))
        if isinstance(record, EpochRecord):
            epochs.append(record)
        if k == resume_after:
            state = json.loads(json.dumps(engine.state_dict()))
            keep(engine.open_alerts())
            engine = run.engine()
            engine.load_state_dict(state)
            engine.remember(msgspec.convert(msgspec.to_builtins(epochs), list[EpochRecord]))
    keep(engine.finish())
    keep(engine.open_alerts())
    return sorted(map(essence, found.values()), key=repr)


def essence(alert: Alert) -> tuple[Any, ...]:
    return (
        alert.kind,
        alert.component,
        alert.step,
        alert.epoch,
        alert.severity,
        alert.first_seen,
        alert.last_seen,
        alert.count,
        alert.state,
    )


def in_other_units(run: Any, factors: Sequence[float]) -> Any:
    """Return the run with components in other units and their weights divided accordingly."""
    by_name = dict(zip((c.name for c in run.components), factors, strict=False))
    components = tuple(
        Component(
            name=c.name,
            label=c.label,
            weight=c.weight / by_name[c.name],
            baseline=None if c.baseline is None else c.baseline * by_name[c.name],
        )
        for c in run.components
    )
    scale = np.array([by_name[c.name] for c in components])
    looks = [
        msgspec.structs.replace(look, norms={k: v * by_name[k] for k, v in look.norms.items()})
        for look in run.gradients
    ]
    val = None if run.val is None else run.val * scale
    return replace(run, components=components, losses=run.losses * scale, val=val, gradients=looks)


def in_other_order(run: Any, order: Sequence[int]) -> Any:
    """Return the run with its components in another order."""
    places = [k for k in order if k < len(run.components)]
    names = [run.components[k].name for k in places]
    looks = [
        msgspec.structs.replace(
            look,
            cosines={
                "|".join(sorted(pair.split("|"), key=names.index)): v for pair, v in look.cosines.items()
            },
        )
        for look in run.gradients
    ]
    return replace(
        run,
        components=tuple(run.components[k] for k in places),
        losses=run.losses[:, places],
        val=None if run.val is None else run.val[:, places],
        gradients=looks,
    )


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("several", {"task_stall", "dead_component", "ratio_drift", "gradient_conflict"}),
        ("spikes", {"spike"}),
        ("dominance", {"dominance"}),
        ("stall", {"vanishing_gradient"}),
        ("non_finite", {"non_finite"}),
        ("overfitting", {"overfitting"}),
        ("lost", {"explosion"}),
    ],
)
def test_faults_are_found_at_all(faulty_runs: dict[str, Any], name: str, kinds: set[str]) -> None:
    assert kinds <= {alert[0] for alert in told(faulty_runs[name])}


@each_run
@given(cuts=st.lists(st.integers(1, N - 1), max_size=12))
@quick
def test_windows_may_end_anywhere(faulty_runs: dict[str, Any], name: str, cuts: list[int]) -> None:
    assert told(faulty_runs[name], cuts) == told(faulty_runs[name])


@each_run
def test_every_step_may_be_a_window(faulty_runs: dict[str, Any], name: str) -> None:
    assert told(faulty_runs[name], range(N)) == told(faulty_runs[name])


@each_run
@given(resume_after=st.integers(0, 40))
@quick
def test_a_resumed_run_is_judged_on(faulty_runs: dict[str, Any], name: str, resume_after: int) -> None:
    run = faulty_runs[name]
    assert told(run, range(0, N, 15), resume_after=resume_after) == told(run)


@each_run
@given(powers=st.lists(st.floats(-3, 3), min_size=4, max_size=4))
@quick
def test_units_do_not_matter(faulty_runs: dict[str, Any], name: str, powers: list[float]) -> None:
    run = faulty_runs[name]
    assert told(in_other_units(run, [10**power for power in powers])) == told(run)


@pytest.mark.parametrize("factors", [(1e3, 1), (1e-3, 1e-3), (1, 1e3)])
def test_units_do_not_decide_what_dominates(
    faulty_runs: dict[str, Any], factors: tuple[float, float]
) -> None:
    run = faulty_runs["dominance"]
    assert told(in_other_units(run, factors)) == told(run)


@each_run
@given(order=st.permutations(range(4)))
@quick
def test_the_order_of_components_does_not_matter(
    faulty_runs: dict[str, Any], name: str, order: list[int]
) -> None:
    run = faulty_runs[name]
    assert told(in_other_order(run, order)) == told(run)
