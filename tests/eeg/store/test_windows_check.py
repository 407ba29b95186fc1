"""What `cut` may give and what is refused, each in one line that names the recording."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from neuroprism.core.errors import DataError
from neuroprism.eeg.recordings import Windows
from neuroprism.eeg.windows_check import check_windows


def windows(n: int = 4, **changes: Any) -> Windows:
    given = Windows(
        values=np.random.default_rng(0).normal(0, 10, (n, 2, 200)).astype(np.float32),
        labels=np.arange(n) % 3,
        starts_s=np.arange(n) * 1.0,
        trials=np.arange(n),
    )
    return dataclasses.replace(given, **changes)


def with_value(value: float, *places: tuple[int, int, int]) -> np.ndarray:
    values = windows().values
    for place in places:
        values[place] = value
    return values


def test_windows_as_declared_pass(make_spec: Any) -> None:
    check_windows(windows(), make_spec(), "r")
    check_windows(windows(0), make_spec(), "r")
    check_windows(windows(labels=np.float32([0, 1, 2, 0.5])), make_spec(task="regression"), "r")
    pairs = windows(values=np.zeros((4, 3, 2, 200), np.float32), labels=np.zeros((4, 3), int))
    check_windows(pairs, make_spec(sequence_length=3), "r")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"values": np.zeros((4, 3, 200), np.float32)}, "windows of shape (3, 200); Test declares (2, 200)"),
        ({"values": np.zeros((4, 2, 1, 200), np.float32)}, "windows of shape (2, 1, 200)"),
        ({"values": np.zeros((2, 200), np.float32)}, "windows of shape (200,)"),
        ({"values": np.zeros((4, 2, 200))}, "windows are float64, not float32"),
        ({"labels": np.zeros(3, int)}, "labels has shape (3,) for 4 windows; expected (4,)"),
        ({"starts_s": np.zeros(5)}, "starts_s has shape (5,)"),
        ({"trials": np.zeros((4, 1), int)}, "trials has shape (4, 1)"),
        ({"labels": np.array([0, 1, 2, 3])}, "label 3; Test has the classes 0 to 2"),
        ({"labels": np.array([0, 1, 2, -1])}, "label -1; Test has the classes 0 to 2"),
        ({"labels": np.zeros(4)}, "labels are float64, not integers"),
        (
            {"values": with_value(np.nan, (2, 1, 7))},
            "not finite (NaN or infinite) in the window at 2 s, channel E1",
        ),
        ({"values": with_value(np.inf, (0, 0, 0), (0, 1, 0))}, "window at 0 s, channels E0, E1"),
        ({"values": with_value(-np.inf, (3, 0, 0))}, "window at 3 s, channel E0"),
    ],
)
def test_anything_else_is_refused(changes: dict[str, Any], expected: str, make_spec: Any) -> None:
    with pytest.raises(DataError) as error:
        check_windows(windows(**changes), make_spec(), "s01_2")
    assert str(error.value).startswith("s01_2: ")
    assert expected in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("labels", [np.zeros(4, int), np.float32([0, 1, np.nan, 0])])
def test_regression_needs_finite_numbers(labels: np.ndarray, make_spec: Any) -> None:
    with pytest.raises(DataError, match="a label is not a finite number"):
        check_windows(windows(labels=labels), make_spec(task="regression"), "r")


def test_fault_in_a_sequence_names_the_channel(make_spec: Any) -> None:
    values = np.zeros((4, 3, 2, 200), np.float32)
    values[1, 2, 1, 5] = np.nan
    spec = make_spec(sequence_length=3)
    with pytest.raises(DataError, match=r"window at 1 s, channel E1$"):
        check_windows(windows(values=values, labels=np.zeros((4, 3), int)), spec, "r")
