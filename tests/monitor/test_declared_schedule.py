from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from neuroprism.monitor.declared_schedule import declared_schedule, number
from neuroprism.train.schedule_config import ScheduleConfig
from neuroprism.train.schedules import Schedule

PER_EPOCH, EPOCHS = 50, 12
N_STEPS = PER_EPOCH * EPOCHS
RATE = 1e-3


def rates(section: dict[str, Any]) -> tuple[np.ndarray, list[float | None]]:
    """Return the rates over their peak that the trainer uses, and those that rules expect."""
    config = TypeAdapter(ScheduleConfig).validate_python(section)
    schedule = Schedule(config, learning_rate=RATE, steps_per_epoch=PER_EPOCH, epochs=EPOCHS)
    declared = declared_schedule(section)
    assert declared is not None
    expected = [
        declared.relative_rate(step, steps_per_epoch=PER_EPOCH, n_steps=N_STEPS, n_epochs=EPOCHS)
        for step in range(N_STEPS)
    ]
    return np.array([schedule.factor(step) for step in range(N_STEPS)]), expected


@pytest.mark.parametrize(
    "section",
    [
        {"type": "constant", "warmup_epochs": 0},
        {"type": "constant", "warmup_epochs": 2},
        {"type": "cosine_annealing", "warmup_epochs": 0},
        {"type": "cosine_annealing", "warmup_steps": 70},
        {"type": "cosine_annealing", "warmup_epochs": 1, "T_max": 6},
        {"type": "exponential", "gamma": 0.8, "warmup_epochs": 0},
        {"type": "exponential", "gamma": 0.8, "warmup_epochs": 2},
        {"type": "one_cycle", "warmup_epochs": 0},
        {"type": "one_cycle", "pct_start": 0.6, "warmup_epochs": 0},
    ],
    ids=lambda section: "-".join(str(value) for value in section.values()),
)
def test_the_declared_course_is_the_one_that_the_trainer_takes(section: dict[str, Any]) -> None:
    actual, expected = rates(section)
    known = [(a, e) for a, e in zip(actual, expected, strict=True) if e is not None]
    assert len(known) > 0.8 * N_STEPS
    assert max(abs(a - e) for a, e in known) < 0.06
    assert sum(abs(a - e) for a, e in known) / len(known) < 0.02


@pytest.mark.parametrize(
    "section",
    [
        {"type": "step", "step_size": 3},
        {"type": "multistep", "milestones": [3, 6]},
        {"type": "cosine_annealing_warm_restarts", "T_0": 3},
        {"type": "reduce_on_plateau"},
    ],
    ids=lambda section: section["type"],
)
def test_of_other_types_no_course_is_expected(section: dict[str, Any]) -> None:
    declared = declared_schedule(section)
    assert declared is not None
    assert declared.type == section["type"]
    _, expected = rates({"warmup_epochs": 0, **section})
    assert set(expected) == {None}


@pytest.mark.parametrize(
    ("kind", "options"), [("step", {"step_size": 3}), ("multistep", {"milestones": [3]})]
)
def test_the_first_change_is_when_the_trainer_makes_it(kind: str, options: dict[str, Any]) -> None:
    section = {"type": kind, "warmup_epochs": 0, **options}
    actual, _ = rates(section)
    declared = declared_schedule(section)
    assert declared is not None
    assert declared.change_after == 3
    assert np.flatnonzero(actual < 1)[0] == 3 * PER_EPOCH


def test_every_type_of_the_trainer_is_known_under_its_name() -> None:
    schema = TypeAdapter(ScheduleConfig).json_schema()
    names = set(schema["discriminator"]["mapping"])
    assert len(names) >= 8
    for name in names:
        declared = declared_schedule({"type": name})
        assert declared is not None
        assert declared.type == name


@pytest.mark.parametrize(
    ("foreign", "own"),
    [
        ("CosineAnnealingLR", "cosine_annealing"),
        ("cosine", "cosine_annealing"),
        ("OneCycleLR", "one_cycle"),
        ("StepLR", "step"),
        ("ReduceLROnPlateau", "reduce_on_plateau"),
        ("linear", "linear"),
        ("constant_with_warmup", "constant"),
    ],
)
@pytest.mark.parametrize("key", ["type", "name", "kind"])
def test_names_of_other_libraries_are_translated(foreign: str, own: str, key: str) -> None:
    declared = declared_schedule({key: foreign})
    assert declared is not None
    assert declared.type == own


@pytest.mark.parametrize("section", [{}, {"type": None}, {"type": 3}, {"gamma": 0.5}])
def test_without_a_type_nothing_is_declared(section: dict[str, Any]) -> None:
    assert declared_schedule(section) is None


def test_linear_falls_to_nothing() -> None:
    declared = declared_schedule({"type": "linear", "warmup_steps": 100})
    assert declared is not None
    courses = [
        declared.relative_rate(step, steps_per_epoch=0, n_steps=500, n_epochs=0) for step in (0, 50, 100, 500)
    ]
    assert courses == [0.0, 0.5, 1.0, 0.0]


@given(
    st.sampled_from(["constant", "cosine_annealing", "linear", "exponential", "one_cycle"]),
    st.floats(0, 1e6),
    st.integers(0, 1000),
    st.one_of(st.none(), st.floats(0, 1e4)),
)
@settings(max_examples=100, deadline=None)
def test_a_rate_is_a_share_of_its_peak(kind: str, step: float, warmup: int, length: float | None) -> None:
    section = {"type": kind, "warmup_steps": warmup, "T_max": length, "gamma": 0.9}
    declared = declared_schedule(section)
    assert declared is not None
    rate = declared.relative_rate(step, steps_per_epoch=20, n_steps=2000, n_epochs=100)
    assert rate is None or -1e-12 <= rate <= 1 + 1e-12


@pytest.mark.parametrize("value", [True, None, "0.1", math.nan, math.inf, [1]])
def test_only_finite_numbers_are_numbers(value: Any) -> None:
    assert number(value) is None
