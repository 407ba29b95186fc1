"""Stated probabilities and intervals against what happened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from neuroprism.figures import save_figure
from neuroprism.figures.calibration import Coverage, Reliability, plot_calibration

RELIABILITY = Reliability(
    event="wave V present",
    predicted=np.array([0.02, 0.4, 0.8, 0.99]),
    observed=np.array([0.03, 0.35, 0.7, 1.0]),
    low=np.array([0.01, 0.3, 0.65, 0.98]),
    high=np.array([0.06, 0.4, 0.75, 1.0]),
    probability=np.repeat([0.01, 0.42, 0.97], [20, 10, 70]),
)
NOMINAL = np.array([0.1, 0.5, 0.9, 0.95])
COVERAGE = [
    Coverage(
        quantity=name,
        nominal=NOMINAL,
        observed=NOMINAL - shift,
        low=NOMINAL - shift - 0.03,
        high=NOMINAL - shift + 0.03,
    )
    for name, shift in (("latency", 0.05), ("amplitude", 0.0), ("threshold", -0.02))
]


def test_points_and_their_intervals_are_in_per_cent() -> None:
    axes, histogram, _ = plot_calibration(RELIABILITY, COVERAGE).axes
    points = next(line for line in axes.lines if line.get_marker() == "o")
    np.testing.assert_allclose(points.get_xdata(), [2, 40, 80, 99])
    np.testing.assert_allclose(points.get_ydata(), [3, 35, 70, 100])
    bars = np.array([path.vertices for path in axes.collections[0].get_paths()])
    np.testing.assert_allclose(bars[:, :, 1], [[1, 6], [30, 40], [65, 75], [98, 100]])
    heights = [bar.get_height() for bar in histogram.patches]  # type: ignore[attr-defined]
    assert (heights[0], heights[8], heights[19], sum(heights)) == (20, 10, 70, 100)
    assert histogram.get_xlabel() == "stated probability (%), 100 recordings"
    assert axes.get_title(loc="left") == "Probability: wave V present"


def test_each_quantity_has_its_own_look_and_band() -> None:
    figure = plot_calibration(None, COVERAGE)
    (axes,) = [axes for axes in figure.axes if axes.lines]
    curves = [line for line in axes.lines if line.get_marker() in "os^"]
    assert len({(line.get_marker(), line.get_color()) for line in curves}) == 3
    np.testing.assert_allclose(curves[0].get_ydata(), 100 * NOMINAL - 5)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "latency",
        "amplitude",
        "threshold",
    ]
    band = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == (pytest.approx(2.0), pytest.approx(93.0))


@pytest.mark.parametrize("parts", ["both", "probability", "intervals"])
def test_the_diagonal_is_drawn_and_texts_keep_apart(
    parts: str, tmp_path: Path, check_texts: Callable[[Figure], None]
) -> None:
    figure = plot_calibration(
        None if parts == "intervals" else RELIABILITY, [] if parts == "probability" else COVERAGE
    )
    large = [axes for axes in figure.axes if axes.lines]
    assert len(large) == (2 if parts == "both" else 1)
    for axes in large:
        assert any(list(line.get_xdata()) == list(line.get_ydata()) == [0, 100] for line in axes.lines)
    check_texts(figure)
    save_figure(figure, tmp_path / "calibration.png")
    assert (tmp_path / "calibration.png").stat().st_size < 300 * 1024


def test_nothing_and_too_much_are_refused() -> None:
    for coverage in ([], [replace(COVERAGE[0], quantity=str(n)) for n in range(6)]):
        with pytest.raises(ValueError, match="one to 5"):
            plot_calibration(None, coverage)
