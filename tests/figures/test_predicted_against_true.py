"""Predicted over true values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure

from neuroprism.figures import save_figure
from neuroprism.figures.predicted_against_true import PredictedAgainstTrue, plot_predicted_against_true

N = 5_000


def quantity(name: str, unit: str, true: np.ndarray, sd: float) -> PredictedAgainstTrue:
    error = sd * np.random.default_rng(1).standard_normal(len(true))
    return PredictedAgainstTrue(quantity=name, unit=unit, true=true, predicted=true + error)


def three(n: int = N) -> list[PredictedAgainstTrue]:
    rng = np.random.default_rng(0)
    return [
        quantity("Latency of wave V", "ms", rng.uniform(5, 10, n), 0.15),
        quantity("Amplitude of wave V", "µV", rng.uniform(0.05, 0.8, n), 0.05),
        quantity("Threshold", "dB nHL", 5.0 * rng.integers(0, 21, n), 6.0),
    ]


def mesh(axes: Axes) -> QuadMesh:
    return next(found for found in axes.collections if isinstance(found, QuadMesh))


def test_every_recording_is_in_a_cell() -> None:
    figure = plot_predicted_against_true(three())
    for axes in figure.axes[:3]:
        assert np.ma.sum(mesh(axes).get_array()) == N
    assert len({mesh(axes).get_clim() for axes in figure.axes[:3]}) == 1
    assert figure.axes[3].get_xlabel() == "recordings in a cell"


def test_levels_on_a_grid_get_one_column_each() -> None:
    axes = plot_predicted_against_true(three()).axes[2]
    counts = np.ma.filled(mesh(axes).get_array(), 0)
    assert np.count_nonzero(counts.sum(axis=0)) == 21
    edges = mesh(axes).get_coordinates()[0, :, 0]
    np.testing.assert_allclose(np.diff(edges), 5)
    np.testing.assert_allclose(edges % 5, 2.5)


def test_few_recordings_are_points_and_gaps_are_left_out() -> None:
    one = PredictedAgainstTrue(
        quantity="latency",
        unit="ms",
        true=np.array([6.0, 7.0, np.nan, 8.0]),
        predicted=np.array([6.5, 6.5, 7.0, np.nan]),
    )
    figure = plot_predicted_against_true([one])
    points = next(line for line in figure.axes[0].lines if line.get_marker() == "o")
    np.testing.assert_array_equal(points.get_xdata(), [6, 7])
    assert len(figure.axes) == 1
    assert [text.get_text() for text in figure.axes[0].texts] == ["MAE 0.5 ms\nn = 2"]


def test_axes_are_equal_and_have_units() -> None:
    for axes, (_, unit) in zip(
        plot_predicted_against_true(three()).axes,
        [("latency", "ms"), ("amplitude", "µV"), ("threshold", "dB nHL")],
        strict=False,
    ):
        assert axes.get_xlim() == axes.get_ylim()
        assert (axes.get_xlabel(), axes.get_ylabel()) == (f"true ({unit})", f"predicted ({unit})")
        identity = axes.lines[-1]
        assert list(identity.get_xdata()) == list(identity.get_ydata()) == list(axes.get_xlim())
    # A difference of levels is in dB, whatever their reference.
    assert "dB\n" in axes.texts[0].get_text()


@pytest.mark.parametrize("n", [1, 40, N])
def test_the_file_is_small_and_texts_keep_apart(
    n: int, tmp_path: Path, check_texts: Callable[[Figure], None]
) -> None:
    figure = plot_predicted_against_true(three(n))
    check_texts(figure)
    save_figure(figure, tmp_path / "scatter.png")
    assert (tmp_path / "scatter.png").stat().st_size < 300 * 1024


def test_nothing_to_draw_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        plot_predicted_against_true([])
    empty = PredictedAgainstTrue(
        quantity="latency", unit="ms", true=np.array([np.nan]), predicted=np.array([1.0])
    )
    with pytest.raises(ValueError, match="no recording has a true and a predicted latency"):
        plot_predicted_against_true([empty])
