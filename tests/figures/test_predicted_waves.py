"""Predictions drawn into the traces."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from neuroprism.figures import save_figure
from neuroprism.figures.predicted_waves import PredictedSeries, plot_predicted_waves
from neuroprism.figures.style import BLUE, VERMILLION

TIME_MS = np.arange(256) * 0.05
LEVELS = np.array([20.0, 40.0, 60.0, 80.0])


def series(title: str = "normal") -> PredictedSeries:
    clean = 0.4 * np.exp(-0.5 * ((TIME_MS - 6.0) / 0.4) ** 2) * (LEVELS >= 40)[:, None]
    noise = 0.05 * np.random.default_rng(3).standard_normal(clean.shape)
    return PredictedSeries(
        title=title,
        time_ms=TIME_MS,
        signal_uv=clean + noise,
        level_db=LEVELS,
        v_probability=np.array([0.03, 0.7, 0.98, 1.0]),
        latency_ms=np.array([7.0, 6.1, 6.0, 5.9]),
        latency_low_ms=np.array([5.0, 5.6, 5.8, 5.8]),
        latency_high_ms=np.array([9.0, 6.6, 6.2, 6.0]),
        threshold_db=33.0,
        threshold_low_db=25.0,
        threshold_high_db=41.0,
        true_latency_ms=np.array([np.nan, 6.0, 6.0, 14.0]),
        true_threshold_db=40.0,
        denoised_uv=clean,
    )


def marked(axes: Axes, marker: str) -> list[Line2D]:
    return [line for line in axes.lines if line.get_marker() == marker]


def texts(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def test_the_predicted_wave_stands_on_its_trace_with_its_interval() -> None:
    panel = series()
    axes = plot_predicted_waves([panel]).axes[0]
    dots = marked(axes, "o")
    # At 20 dB wave V is not likely there.
    assert [float(np.asarray(dot.get_xdata())[0]) for dot in dots] == [6.1, 6.0, 5.9]
    denoised = [line for line in axes.lines if line.get_color() == BLUE]
    heights = [float(np.asarray(dot.get_ydata())[0]) for dot in dots]
    for height, line, latency in zip(heights, denoised[1:], panel.latency_ms[1:], strict=True):
        assert height == pytest.approx(np.interp(latency, TIME_MS, np.asarray(line.get_ydata(), dtype=float)))
    bars = [line for line in axes.lines if line.get_color() == VERMILLION and line.get_linewidth() == 1.6]
    assert [list(line.get_xdata()) for line in bars] == [[5.6, 6.6], [5.8, 6.2], [5.8, 6.0]]
    assert [list(line.get_ydata()) for line in bars] == [[height] * 2 for height in heights]


def test_true_waves_in_the_window_are_marked() -> None:
    strokes = marked(plot_predicted_waves([series()]).axes[0], "|")
    assert [float(np.asarray(stroke.get_xdata())[0]) for stroke in strokes] == [6.0, 6.0]
    assert not marked(plot_predicted_waves([replace(series(), true_latency_ms=None)]).axes[0], "|")


def test_thresholds_are_lines_on_the_level_axis() -> None:
    axes = plot_predicted_waves([series()]).axes[0]
    across = [line for line in axes.lines if list(line.get_xdata()) == [0, 1]]
    assert {float(np.asarray(line.get_ydata())[0]) for line in across} == {33.0, 40.0}
    assert "threshold 33 (25 to 41) dB nHL\ntrue 40 dB nHL" in texts(axes)
    silent = replace(series(), true_threshold_db=80.0, true_threshold_censored=True)
    axes = plot_predicted_waves([silent]).axes[0]
    assert len([line for line in axes.lines if list(line.get_xdata()) == [0, 1]]) == 1
    assert "threshold 33 (25 to 41) dB nHL\ntrue: no response up to 80" in texts(axes)


def test_the_probability_stands_beside_its_level() -> None:
    axes = plot_predicted_waves([series()]).axes[0]
    beside = {
        text.get_position()[1]: text.get_text() for text in axes.texts if text.get_text().endswith(" %")
    }
    assert beside == {20.0: "3 %", 40.0: "70 %", 60.0: "98 %", 80.0: "100 %"}
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("time (ms)", "level (dB nHL)")


def test_without_intervals_and_truth_none_are_drawn() -> None:
    nothing = np.full(4, np.nan)
    bare = replace(
        series(),
        latency_low_ms=nothing,
        latency_high_ms=nothing,
        threshold_low_db=np.nan,
        threshold_high_db=np.nan,
        true_latency_ms=None,
        true_threshold_db=None,
        denoised_uv=None,
        level_unit="dB SPL",
    )
    figure = plot_predicted_waves([bare])
    assert len(marked(figure.axes[0], "o")) == 3
    assert "threshold 33 dB SPL" in texts(figure.axes[0])
    assert figure.axes[0].get_ylabel() == "level (dB SPL)"
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["recorded", "predicted wave V", "predicted threshold"]
    with pytest.raises(ValueError, match="at least one panel"):
        plot_predicted_waves([])


@pytest.mark.parametrize("n", [1, 2, 5])
def test_the_file_is_small_and_texts_keep_apart(
    n: int, tmp_path: Path, check_texts: Callable[[Figure], None]
) -> None:
    names = ("normal", "neuropathy", "sensorineural", "total", "conductive")
    figure = plot_predicted_waves([series(name) for name in names[:n]])
    check_texts(figure)
    save_figure(figure, tmp_path / "waves.png")
    assert (tmp_path / "waves.png").stat().st_size < 300 * 1024
