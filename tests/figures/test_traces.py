"""Means with spread: what is drawn, and where it is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from neuroprism.figures import save_figure
from neuroprism.figures.traces import COLOURS, SINGLE, TracePanel, plot_traces

TIME_MS = np.arange(100) * 0.1
RNG = np.random.default_rng(0)
FIRST, SECOND = RNG.standard_normal((40, 100)), 2.0 + RNG.standard_normal((7, 100))


def test_mean_spread_and_single_traces_are_those_of_the_group() -> None:
    axes = plot_traces([TracePanel(title="a", groups={"made": FIRST})], TIME_MS, n_single=5).axes[0]
    mean = next(line for line in axes.lines if line.get_color() == COLOURS[0])
    np.testing.assert_allclose(mean.get_ydata(), FIRST.mean(axis=0))
    single = [line for line in axes.lines if line.get_color() == SINGLE]
    np.testing.assert_array_equal([line.get_ydata() for line in single], FIRST[:5])
    shade = axes.collections[0].get_paths()[0].vertices
    assert shade.max(axis=0)[1] == pytest.approx(np.percentile(FIRST, 90, axis=0).max())
    assert axes.texts[0].get_text() == "n = 40"


def test_groups_have_colours_lines_and_counts_and_empty_ones_are_left_out() -> None:
    panels = [
        TracePanel(title="both", groups={"made": FIRST, "real": SECOND}),
        TracePanel(title="one", groups={"made": FIRST[:0], "real": SECOND}),
    ]
    figure = plot_traces(panels, TIME_MS)
    both, one = figure.axes
    assert [line.get_color() for line in both.lines] == list(COLOURS[:2])
    assert both.lines[0].get_linestyle() != both.lines[1].get_linestyle()
    assert both.texts[0].get_text() == "n = 40 / 7"
    assert [line.get_color() for line in one.lines] == [COLOURS[1]]
    said = [text.get_text() for text in figure.legends[0].get_texts()]
    assert said == ["made, mean", "real, mean", "10-90 %"]


def test_every_column_and_row_has_units_and_the_file_is_small(tmp_path: Path) -> None:
    figure = plot_traces([TracePanel(title=str(n), groups={"made": FIRST}) for n in range(5)], TIME_MS)
    shown = [axes for axes in figure.axes if axes.axison]
    assert [axes.get_xlabel() for axes in shown] == ["", "", "time (ms)", "time (ms)", "time (ms)"]
    assert [axes.get_ylabel() for axes in shown] == ["amplitude (µV)", "", "", "amplitude (µV)", ""]
    save_figure(figure, tmp_path / "traces.png", dpi=150)
    assert 5_000 < (tmp_path / "traces.png").stat().st_size < 300 * 1024


def test_what_cannot_be_drawn() -> None:
    with pytest.raises(ValueError, match="at most 3 groups"):
        plot_traces([], TIME_MS)
    with pytest.raises(ValueError, match="at most 3 groups"):
        plot_traces([TracePanel(title="a", groups=dict.fromkeys("abcd", FIRST))], TIME_MS)
