"""Axes show every value, and are logarithmic only where that helps."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neuroprism.figures.axis_scales import fit_log_axis, fit_loss_axis


@pytest.fixture
def axes() -> Axes:
    return Figure().subplots()


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        ([0.1, 1.9], "linear"),
        ([0.1, 2.1], "log"),
        ([-0.1, 2.1], "linear"),
        ([0.0, 2.1], "linear"),
        ([3.0, 3.0], "linear"),
        ([0.0, 0.0], "linear"),
    ],
)
def test_loss_axis(axes: Axes, values: list[float], scale: str) -> None:
    fit_loss_axis(axes, np.array(values))
    low, high = axes.get_ylim()
    assert axes.get_yscale() == scale
    assert low < min(values) <= max(values) < high


def test_loss_axis_of_nothing_has_no_ticks(axes: Axes) -> None:
    fit_loss_axis(axes, np.array([]))
    assert not len(axes.get_yticks())


def test_log_axis_spans_a_decade_and_leaves_nan_out(axes: Axes) -> None:
    fit_log_axis(axes, np.array([1e-3, np.nan, 1e-3]), form="{:.0e}")
    low, high = axes.get_ylim()
    assert axes.get_yscale() == "log"
    assert low < 1e-3 < high
    assert high / low > 10


@pytest.mark.parametrize("values", [[], [np.nan], [0.0, 1.0], [-1.0, 5.0]])
def test_log_axis_leaves_other_values_linear(axes: Axes, values: list[float]) -> None:
    fit_log_axis(axes, np.array(values, dtype=float))
    assert axes.get_yscale() == "linear"
