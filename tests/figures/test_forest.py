"""Methods beside each other."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from neuroprism.figures import save_figure
from neuroprism.figures.forest import LOOKS, Kind, MetricPanel, MetricValue, plot_forest

METHODS: Mapping[str, Kind] = {
    "network": "network",
    "level alone": "trivial",
    "peak picking": "classical",
    "ideal observer": "ceiling",
}
LATENCY = MetricPanel(
    metric="Latency: MAE",
    unit="ms",
    better="lower",
    values={
        "network": MetricValue(value=0.15, low=0.14, high=0.16),
        "level alone": MetricValue(value=0.9, low=0.85, high=0.96),
        "peak picking": MetricValue(math.nan),
        "ideal observer": MetricValue(value=0.1),
    },
)
AUC = MetricPanel(
    metric="Presence of wave V: AUC",
    unit="",
    better="higher",
    values={name: MetricValue(value=0.9, low=0.891, high=0.912) for name in METHODS},
)


def test_each_method_has_its_row_value_and_interval() -> None:
    axes = plot_forest([LATENCY], METHODS).axes[0]
    points = {
        line.get_marker(): (float(np.asarray(line.get_xdata())[0]), float(np.asarray(line.get_ydata())[0]))
        for line in axes.lines
        if line.get_marker() in {marker for _, marker in LOOKS.values()}
    }
    assert points == {"o": (0.15, 0), "X": (0.9, 1), "D": (0.1, 3)}
    spans = [list(line.get_xdata()) for line in axes.lines if list(line.get_ydata()) in ([0, 0], [1, 1])]
    assert spans == [[0.14, 0.16], [0.85, 0.96]]
    assert [label.get_text() for label in axes.get_yticklabels()] == list(METHODS)
    said = [text.get_text() for text in axes.texts]
    assert said[:4] == ["0.150 (0.140 to 0.160)", "0.900 (0.850 to 0.960)", "no answer", "0.100"]


@pytest.mark.parametrize(
    ("low", "high", "said"), [(59.4, 75.2, "70"), (9.1, 11.3, "70.0"), (0.8, 1.0, "70.00"), (5, 5, "70.000")]
)
def test_decimals_follow_the_width_of_the_interval(low: float, high: float, said: str) -> None:
    panel = MetricPanel(
        metric="m", unit="%", better="higher", values={"network": MetricValue(70.0, low, high)}
    )
    text = plot_forest([panel], {"network": "network"}).axes[0].texts[0].get_text()
    assert text.split(" (")[0] == said


def test_the_panel_says_its_unit_and_what_is_better() -> None:
    latency, auc = plot_forest([LATENCY, AUC], METHODS).axes
    assert (latency.get_xlabel(), latency.texts[-1].get_text()) == ("ms", "lower is better")
    assert (auc.get_xlabel(), auc.texts[-1].get_text()) == ("", "higher is better")
    assert latency.get_xlim() != auc.get_xlim()


def test_the_network_stands_out() -> None:
    figure = plot_forest([AUC], METHODS)
    weights = [label.get_fontweight() for label in figure.axes[0].get_yticklabels()]
    assert weights == ["bold", "normal", "normal", "normal"]
    assert any(list(line.get_xdata()) == [0.9, 0.9] for line in figure.axes[0].lines)
    assert len(figure.legends[0].get_texts()) == 4


@pytest.mark.parametrize("n", [1, 2, 5])
def test_the_file_is_small_and_texts_keep_apart(
    n: int, tmp_path: Path, check_texts: Callable[[Figure], None]
) -> None:
    figure = plot_forest([LATENCY, AUC, LATENCY, AUC, LATENCY][:n], METHODS)
    check_texts(figure)
    save_figure(figure, tmp_path / "forest.png")
    assert (tmp_path / "forest.png").stat().st_size < 300 * 1024


def test_a_value_without_a_row_is_refused() -> None:
    with pytest.raises(ValueError, match="no row for ideal observer, level alone, peak picking"):
        plot_forest([LATENCY], {"network": "network"})
    with pytest.raises(ValueError, match="at least one metric"):
        plot_forest([], METHODS)
