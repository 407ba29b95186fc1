"""Selecting the best epoch and stopping early."""

from __future__ import annotations

import math

import pytest

from neuroprism.core.errors import UnknownNameError
from neuroprism.core.records import Component
from neuroprism.train.config import EarlyStoppingConfig
from neuroprism.train.selection import BestEpoch, Criterion, criterion_note, validation_series
from neuroprism.train.stopping import EarlyStopping
from neuroprism.train.task import Evaluation

COMPONENTS = (
    Component(name="a", label="A", weight=2.0),
    Component(name="b", label="B", weight=0.5),
)


def test_series_of_a_validation() -> None:
    series = validation_series(Evaluation(losses={"a": 1.5, "b": 4.0}, metrics={"f1": 0.5}), COMPONENTS)
    assert series == {"val/total": 5.0, "val/a": 1.5, "val/b": 4.0, "val/f1": 0.5}


@pytest.mark.parametrize(
    ("mode", "values", "best"),
    [
        ("min", [math.nan, 3.0, 2.0, 2.0, 5.0], [False, True, True, False, False]),
        ("max", [math.nan, 0.0, -1.0, 0.5, math.nan], [False, True, False, True, False]),
        ("min", [None, -1.0, -2.0, math.inf], [False, True, True, False]),
        ("max", [-math.inf, -1e9], [False, True]),
        ("max", [-0.5, -0.5, -0.4, -0.4, -0.6], [True, False, True, False, False]),
        ("max", [math.nan, math.nan], [False, False]),
    ],
)
def test_best_in_the_declared_direction(mode: str, values: list[float | None], best: list[bool]) -> None:
    selection = BestEpoch(Criterion("val/total", mode))  # type: ignore[arg-type]
    assert [selection.observe(value, epoch) for epoch, value in enumerate(values, 1)] == best
    assert selection.epoch == max((n for n, is_best in enumerate(best, 1) if is_best), default=None)


def test_best_survives_its_state_unless_the_criterion_changed() -> None:
    first = BestEpoch(Criterion("val/total", "min"))
    first.observe(1.0, 4)
    same, other = BestEpoch(Criterion("val/total", "min")), BestEpoch(Criterion("val/f1", "max"))
    same.load_state_dict(first.state_dict())
    other.load_state_dict(first.state_dict())
    assert (same.value, same.epoch) == (1.0, 4)
    assert (other.value, other.epoch) == (-math.inf, None)


def test_unknown_series_names_the_nearest() -> None:
    evaluation = Evaluation(losses={"a": 1.0}, metrics={"balanced_accuracy": 0.5})
    with pytest.raises(UnknownNameError, match="did you mean 'val/balanced_accuracy'"):
        Criterion("val/balanced_acuracy", "max").value(evaluation, COMPONENTS)


def test_component_that_was_not_computed_is_no_error_and_no_value() -> None:
    assert Criterion("val/b", "min").value(Evaluation(losses={"a": 1.0}), COMPONENTS) is None


def stopper(**options: object) -> EarlyStopping:
    return EarlyStopping(EarlyStoppingConfig.model_validate(options))


def stops_after(values: list[float | None], **options: object) -> int | None:
    stopping = stopper(**options)
    for n, value in enumerate(values, 1):
        stopping.observe(value)
        if stopping.stop:
            return n
    return None


def test_patience_min_delta_mode_and_enabled_are_honoured() -> None:
    falling = [1.0, 0.9, 0.8, 0.7, 0.6, 0.5]
    assert stops_after(falling, patience=2) is None
    assert stops_after(falling, patience=2, mode="max") == 3
    assert stops_after(falling, patience=3, mode="max") == 4
    assert stops_after(falling, patience=2, min_delta=0.15) is None
    assert stops_after(falling, patience=3, min_delta=0.25) is None
    assert stops_after(falling, patience=3, min_delta=0.35) == 4
    assert stops_after(falling, patience=2, mode="max", enabled=False) is None
    assert stops_after([1.0, math.nan, None], patience=2) == 3
    assert stops_after([-1.0, -2.0, -3.0], patience=1) is None


def test_counter_survives_its_state() -> None:
    first = stopper(patience=3)
    for value in (1.0, 2.0, 2.0):
        first.observe(value)
    second = stopper(patience=3)
    second.load_state_dict(first.state_dict())
    assert not second.stop
    second.observe(2.0)
    assert second.stop


def test_criterion_that_is_no_number_is_told() -> None:
    criterion = Criterion("val/kappa", "max")
    assert criterion_note(criterion, {"val/kappa": -0.2}) == ""
    assert criterion_note(criterion, {"val/kappa": math.nan}) == (
        "training.early_stopping.monitor (val/kappa) was NaN"
    )
    assert "was not computed" in criterion_note(criterion, {"val/total": 1.0})


def test_a_declared_metric_may_be_undefined_for_once() -> None:
    criterion = Criterion("val/roc_auc", "max")
    without = Evaluation(losses={"bce": 0.5}, metrics={"pr_auc": 0.4})
    components = (Component(name="bce", label="BCE"),)
    assert criterion.value(without, components, ("pr_auc", "roc_auc")) is None
    with pytest.raises(UnknownNameError):
        criterion.value(without, components, ("pr_auc",))
