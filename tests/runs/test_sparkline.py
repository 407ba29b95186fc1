from __future__ import annotations

import numpy as np
import pytest

from neuroprism.runs.sparkline import BLOCKS, sparkline


def steps(n: int) -> np.ndarray:
    return np.arange(1, n + 1)


def test_eight_heights() -> None:
    line = sparkline(np.arange(8.0), steps(8))
    assert line is not None
    assert (line.text, line.first, line.last, line.is_log) == (BLOCKS, 0.0, 7.0, False)


def test_a_long_curve_is_averaged() -> None:
    line = sparkline(np.repeat([2.0, 1.0], 5000), steps(10_000), width=10)
    assert line is not None
    assert line.text == "█████▁▁▁▁▁"
    assert line.last_steps.tolist() == list(range(1000, 10_001, 1000))


def test_decades_have_a_logarithmic_scale() -> None:
    line = sparkline(np.array([1000.0, 100.0, 10.0, 1.0]), steps(4))
    assert line is not None
    assert line.is_log
    assert line.text == "█▆▃▁"
    below = sparkline(np.array([1000.0, 100.0, 10.0, -1.0]), steps(4))
    assert below is not None
    assert not below.is_log


def test_values_that_are_not_finite_show() -> None:
    line = sparkline(np.array([1.0, 2.0, np.nan, np.inf]), steps(4))
    assert line is not None
    assert line.text == "▁█!!"
    assert not np.isfinite(line.last)
    nothing = sparkline(np.array([np.nan]), steps(1))
    assert nothing is not None
    assert nothing.text == "!"


def test_one_value_that_is_not_finite_shows_among_many() -> None:
    values = np.ones(1000)
    values[555] = np.inf
    line = sparkline(values, steps(1000), width=10)
    assert line is not None
    assert line.text == "▁▁▁▁▁!▁▁▁▁"


def test_marks() -> None:
    line = sparkline(np.arange(100.0), steps(100), width=10)
    assert line is not None
    assert line.marks([1, 55, 100, 500]) == "^    ^   ^"
    assert line.marks([]) == ""


@pytest.mark.parametrize("values", [[0.0], [1.0, 1.0], [1e308, -1e308], [1e-320, 1e300]])
def test_odd_curves(values: list[float]) -> None:
    line = sparkline(np.array(values), steps(len(values)))
    assert line is not None
    assert len(line.text) == len(values)


def test_nothing_to_draw() -> None:
    assert sparkline(np.empty(0), steps(0)) is None
