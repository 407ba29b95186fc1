from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from neuroprism.core.errors import UnknownNameError
from neuroprism.core.records import Component, weighted_total
from neuroprism.monitor.buffer import PendingSteps
from neuroprism.monitor.window import StepWindow

COMPONENTS = (
    Component(name="signal", label="Signal", weight=1.0),
    Component(name="peak", label="Peak", weight=0.5),
)
NUMBERS = st.floats(allow_nan=True, allow_infinity=True)


def one(losses: dict[str, Any], **given: Any) -> StepWindow:
    pending = PendingSteps(COMPONENTS)
    pending.add(losses, **given)
    return pending.take(first_step=7, epoch=3)


def test_a_step_becomes_a_row() -> None:
    window = one(
        {"signal": 2.0, "peak": 4.0},
        lr=0.1,
        grad_norm=0.5,
        n_samples=32,
        metrics={"scale": 8},
        samples=["s1"],
    )
    assert (window.step.tolist(), window.epoch.tolist()) == ([7], [3])
    assert window.row(0) == {"total": 4.0, "signal": 2.0, "peak": 4.0}
    assert (window.lr[0], window.grad_norm[0], window.n_samples[0]) == (0.1, 0.5, 32)
    assert window.grad_norm_given.tolist() == [True]
    assert window.counts.tolist() == [[32, 32]]
    assert window.metrics["scale"].tolist() == [8.0]
    assert window.samples == (["s1"],)
    assert not window.skipped[0]


def test_numbers_of_every_kind_in_one_step() -> None:
    kinds = [
        1,
        1.0,
        np.float32(1),
        np.array(1),
        torch.tensor(1.0, requires_grad=True) * 1,
        torch.tensor(1.0, dtype=torch.bfloat16),
        torch.tensor(1.0, dtype=torch.float16),
        torch.tensor(1, dtype=torch.int64),
        torch.nn.Parameter(torch.ones(1)),
    ]
    components = tuple(Component(name=f"c{k}", label=f"C{k}") for k in range(len(kinds)))
    pending = PendingSteps(components)
    pending.add(dict(zip([c.name for c in components], kinds, strict=True)), grad_norm=torch.tensor(3.0))
    window = pending.take(first_step=1, epoch=1)
    assert window.losses.tolist() == [[1.0] * len(kinds)]
    assert window.total[0] == len(kinds)
    assert window.grad_norm[0] == 3.0


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=5))
def test_total_is_the_one_definition_bit_for_bit(values: list[tuple[float, float]]) -> None:
    pending = PendingSteps(COMPONENTS)
    for signal, peak in values:
        pending.add({"signal": signal, "peak": peak})
    window = pending.take(first_step=1, epoch=1)
    for row, (signal, peak) in enumerate(values):
        expected = weighted_total(COMPONENTS, {"signal": signal, "peak": peak})
        assert window.total[row] == expected or (math.isnan(window.total[row]) and math.isnan(expected))


@pytest.mark.parametrize("kind", ["float", "tensor", "device"])
def test_later_changes_in_place_do_not_reach_the_record(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if kind == "device":
        treat_as_device_tensors(monkeypatch)
    make = float if kind == "float" else torch.tensor
    losses: dict[str, Any] = {"signal": make(1.0), "peak": make(2.0)}
    counts: dict[str, Any] = {"peak": make(4.0)}
    norm = torch.tensor(5.0)
    pending = PendingSteps(COMPONENTS)
    pending.add(losses, counts=counts, grad_norm=norm, samples=(samples := torch.tensor([1, 2])))
    norm.zero_()
    samples.zero_()
    for mapping in (losses, counts):
        for value in mapping.values():
            if kind != "float":
                value.zero_()
        mapping.clear()
    window = pending.take(first_step=1, epoch=1)
    assert window.losses.tolist() == [[1.0, 2.0]]
    assert window.counts.tolist() == [[1.0, 4.0]]
    assert window.grad_norm.tolist() == [5.0]
    assert window.samples[0].tolist() == [1, 2]


def test_missing_component_was_not_computed() -> None:
    window = one({"peak": 4.0}, n_samples=8)
    assert window.counts.tolist() == [[0.0, 8.0]]
    assert window.row(0) == {"total": 2.0, "peak": 4.0}
    assert math.isnan(window.losses[0, 0])


def test_component_without_valid_elements_was_not_computed() -> None:
    window = one({"signal": 0.0, "peak": 4.0}, n_samples=8, counts={"signal": torch.tensor(0), "peak": 3})
    assert window.counts.tolist() == [[0.0, 3.0]]
    assert window.row(0) == {"total": 2.0, "peak": 4.0}


def test_nothing_computed_gives_no_total() -> None:
    assert math.isnan(one({"signal": 1.0, "peak": 1.0}, counts={"signal": 0, "peak": 0}).total[0])


def test_numbers_that_were_not_given_are_told_from_nan() -> None:
    pending = PendingSteps(COMPONENTS)
    pending.add({"signal": 1.0, "peak": 1.0}, grad_norm=math.nan, metrics={"a": math.nan})
    pending.add({"signal": 1.0, "peak": 1.0}, metrics={"b": 2.0})
    window = pending.take(first_step=1, epoch=1)
    assert window.grad_norm_given.tolist() == [True, False]
    assert window.metrics_given["a"].tolist() == [True, False]
    assert window.metrics_given["b"].tolist() == [False, True]
    assert np.isnan(window.grad_norm).all()


@pytest.mark.parametrize(
    ("losses", "given", "error", "message"),
    [
        ({"signl": 1.0, "peak": 1.0}, {}, UnknownNameError, "'signl'; did you mean 'signal'"),
        ({"signal": 1.0, "peak": 1.0, "x": 1.0}, {}, UnknownNameError, "unknown loss component 'x'"),
        ({}, {}, ValueError, "losses is empty"),
        ({"signal": torch.zeros(2), "peak": torch.zeros(())}, {}, ValueError, "signal: expected one number"),
        ({"signal": 1.0, "peak": np.zeros(3)}, {}, ValueError, "peak: expected one number"),
        ({"signal": 1.0, "peak": None}, {}, TypeError, "peak: expected a number, got NoneType"),
        ({"signal": 1.0, "peak": 1.0}, {"counts": {"pea": 1}}, UnknownNameError, "did you mean 'peak'"),
        ({"signal": 1.0, "peak": 1.0}, {"metrics": {"f1": "high"}}, TypeError, "metric 'f1'"),
        ({"signal": 1.0, "peak": 1.0}, {"lr": torch.zeros(2)}, ValueError, "lr: expected one number"),
    ],
)
def test_misuse_names_the_value_and_records_nothing(
    losses: dict[str, Any], given: dict[str, Any], error: type[Exception], message: str
) -> None:
    pending = PendingSteps(COMPONENTS)
    with pytest.raises(error, match=message):
        pending.add(losses, **given)
    assert len(pending) == 0
    pending.add({"signal": 1.0, "peak": 1.0})
    assert pending.take(first_step=1, epoch=1).total.tolist() == [1.5]


def test_a_refused_device_tensor_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    treat_as_device_tensors(monkeypatch)
    pending = PendingSteps(COMPONENTS)
    with pytest.raises(ValueError, match="peak"):
        pending.add({"signal": torch.tensor(9.0), "peak": torch.zeros(2)})
    pending.add({"signal": torch.tensor(1.0), "peak": torch.tensor(2.0)})
    assert pending.take(first_step=1, epoch=1).losses.tolist() == [[1.0, 2.0]]


def treat_as_device_tensors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tensors in host memory take the way of tensors on a device."""
    monkeypatch.setattr(torch.Tensor, "is_cpu", property(lambda _: False))


def test_weights_of_a_step_make_its_total() -> None:
    pending = PendingSteps(COMPONENTS)
    pending.add({"signal": 2.0, "peak": 4.0}, weights={"peak": torch.tensor(0.25), "signal": 3.0})
    pending.add({"signal": 2.0, "peak": 4.0})
    window = pending.take(first_step=1, epoch=1)
    assert window.weights is not None
    # A step without weights has those of the components.
    assert window.weights.tolist() == [[3.0, 0.25], [1.0, 0.5]]
    assert window.total.tolist() == [7.0, 4.0]
    assert one({"signal": 2.0, "peak": 4.0}).weights is None


def test_weights_of_what_was_not_computed_do_not_count() -> None:
    window = one({"signal": 2.0}, weights={"signal": 3.0, "peak": 9.0})
    assert window.total.tolist() == [6.0]


def test_weights_must_name_every_component() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'peak'"):
        one({"signal": 2.0, "peak": 4.0}, weights={"signal": 1.0, "peek": 1.0})
    with pytest.raises(KeyError):
        one({"signal": 2.0, "peak": 4.0}, weights={"signal": 1.0})
