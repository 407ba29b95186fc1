"""Latency of wave V over the level."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from neuroprism.figures import save_figure
from neuroprism.figures.latency_intensity import LatencySeries, NormalRange, plot_latency_intensity

LEVEL = np.repeat([40.0, 80.0, 90.0], [4, 5, 2])
LATENCY = np.array([7.0, 7.2, 7.4, np.nan, 6.0, 6.1, 6.2, 6.3, 6.4, 5.0, 5.0])
NORMAL = NormalRange(
    label="norm", level_db=np.array([20.0, 60.0]), low_ms=np.array([6.0, 5.0]), high_ms=np.array([9.0, 6.0])
)


def test_medians_stand_where_there_are_enough_latencies() -> None:
    figure = plot_latency_intensity(
        [LatencySeries(label="normal", level_db=LEVEL, latency_ms=LATENCY)], [NORMAL]
    )
    axes = figure.axes[0]
    line = axes.lines[0]
    # Two recordings at 90 dB are too few.
    np.testing.assert_allclose(line.get_xdata(), [40, 80])
    np.testing.assert_allclose(line.get_ydata(), [7.2, 6.2])
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("level (dB nHL)", "latency of wave V (ms)")
    assert {text.get_text() for text in figure.legends[0].get_texts()} == {"norm", "normal"}
    assert axes.collections[0].get_paths()[0].vertices.max(axis=0).tolist() == [60.0, 9.0]


def test_groups_differ_in_marker_and_colour(tmp_path: Path) -> None:
    series = [
        LatencySeries(label=name, level_db=LEVEL, latency_ms=LATENCY + n) for n, name in enumerate("abc")
    ]
    figure = plot_latency_intensity(series, [], level_unit="dB SPL")
    lines = [line for line in figure.axes[0].lines if line.get_marker() in "os^"]
    assert len({(line.get_marker(), line.get_color()) for line in lines}) == 3
    assert figure.axes[0].get_xlabel() == "level (dB SPL)"
    save_figure(figure, tmp_path / "function.png", dpi=150)
    assert (tmp_path / "function.png").stat().st_size < 300 * 1024


def test_without_latencies_there_is_nothing_to_draw() -> None:
    silent = LatencySeries(label="total", level_db=LEVEL, latency_ms=np.full(len(LEVEL), np.nan))
    with pytest.raises(ValueError, match="no group has 3 latencies"):
        plot_latency_intensity([silent], [NORMAL])
