from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from neuroprism.figures import LevelSeries, plot_level_series, save_figure
from neuroprism.figures.style import BLUE
from neuroprism.figures.waveforms import MARKED, RECORDED

TIME_MS = np.arange(200) * 0.05
LEVELS = np.array([20.0, 40.0, 60.0, 80.0])


def series(title: str = "normal", *, size_uv: float = 0.4, threshold: float | None = 40.0) -> LevelSeries:
    rng = np.random.default_rng(3)
    clean = size_uv * np.exp(-0.5 * ((TIME_MS - 6.0) / 0.4) ** 2) * (LEVELS >= 40)[:, None]
    latency = np.full((4, 7), np.nan)
    latency[1:, 4] = 6.0
    latency[3, 0] = 1.5
    latency[3, 2] = 12.0
    return LevelSeries(
        title=title,
        time_ms=TIME_MS,
        signal_uv=clean + size_uv * 0.1 * rng.standard_normal(clean.shape),
        clean_uv=clean,
        level_db=LEVELS,
        wave_latency_ms=latency,
        threshold_db_nhl=threshold,
    )


def of_colour(axes: Axes, colour: str) -> list[Line2D]:
    return [line for line in axes.lines if line.get_color() == colour]


def texts(axes: Axes) -> str:
    return " | ".join(text.get_text() for text in axes.texts)


def test_traces_stand_at_their_levels_and_the_bar_states_their_scale() -> None:
    panel = series()
    axes = plot_level_series([panel]).axes[0]
    clean, recorded = of_colour(axes, BLUE), of_colour(axes, RECORDED)
    assert len(clean) == len(recorded) == 4
    bar = next(line for line in of_colour(axes, "black") if line.get_linewidth() > 1.5)
    bottom, top = np.asarray(bar.get_ydata(), dtype=float)
    said_uv = float(texts(axes).split(" µV")[0].split()[-1])
    db_per_uv = (top - bottom) / said_uv
    assert panel.clean_uv is not None
    for n, level in enumerate(LEVELS):
        np.testing.assert_allclose(clean[n].get_ydata(), level + db_per_uv * panel.clean_uv[n], rtol=1e-9)
        np.testing.assert_allclose(recorded[n].get_ydata(), level + db_per_uv * panel.signal_uv[n], rtol=1e-9)


@pytest.mark.parametrize("size_uv", [0.01, 0.4, 6.0])
def test_the_scale_bar_fits_the_traces(size_uv: float) -> None:
    axes = plot_level_series([series(size_uv=size_uv)]).axes[0]
    bar = next(line for line in of_colour(axes, "black") if line.get_linewidth() > 1.5)
    length = float(np.ptp(np.asarray(bar.get_ydata(), dtype=float)))
    assert 5.0 < length <= 13.0 + 1e-9


def test_waves_in_the_window_are_marked_on_the_trace() -> None:
    axes = plot_level_series([series()]).axes[0]
    found = {
        name: [(float(line.get_xdata()[0]), float(line.get_ydata()[0])) for line in of_colour(axes, colour)]  # type: ignore[index, arg-type]
        for name, _, colour in MARKED.values()
    }
    assert [x for x, _ in found["V"]] == [6.0, 6.0, 6.0]
    # Wave I stands where the clean trace is flat: at the level itself.
    assert found["I"] == [(1.5, pytest.approx(80.0, abs=1e-6))]
    assert found["III"] == []
    assert all(y > level + 5 for (_, y), level in zip(found["V"], LEVELS[1:], strict=True))


def test_the_threshold_separates_the_levels_with_a_response_from_the_others() -> None:
    axes = plot_level_series([series(threshold=40.0)]).axes[0]
    dashed = next(line for line in of_colour(axes, "black") if line.get_linestyle() == "--")
    assert 20.0 < float(dashed.get_ydata()[0]) < 40.0  # type: ignore[index, arg-type]
    assert "threshold 40 dB nHL" in texts(axes)
    silent = plot_level_series([replace(series(threshold=100.0), threshold_censored=True)]).axes[0]
    assert "no response up to\n100 dB nHL" in texts(silent)
    assert not [line for line in of_colour(silent, "black") if line.get_linestyle() == "--"]
    unknown = plot_level_series([series(threshold=None)]).axes[0]
    assert "dB nHL" not in texts(unknown)


def test_axes_have_units_and_columns_share_them() -> None:
    figure = plot_level_series([series("normal"), series("conductive", size_uv=0.1)])
    first, second = figure.axes
    assert (first.get_ylabel(), first.get_xlabel(), second.get_xlabel()) == (
        "level (dB nHL)",
        "time (ms)",
        "time (ms)",
    )
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["normal", "conductive"]
    assert first.get_ylim() == second.get_ylim()
    np.testing.assert_array_equal(first.get_yticks(), [20, 40, 60, 80])


def test_without_clean_traces_none_are_promised() -> None:
    figure = plot_level_series([replace(series(), clean_uv=None)])
    assert not of_colour(figure.axes[0], BLUE)
    assert "without noise" not in [text.get_text() for text in figure.legends[0].get_texts()]


def test_one_level_is_enough_and_no_panel_is_refused() -> None:
    panel = series()
    one = replace(
        panel,
        signal_uv=panel.signal_uv[3:],
        clean_uv=None,
        level_db=LEVELS[3:],
        wave_latency_ms=panel.wave_latency_ms[3:],
    )
    np.testing.assert_array_equal(plot_level_series([one]).axes[0].get_yticks(), [80])
    with pytest.raises(ValueError, match="at least one panel"):
        plot_level_series([])


def test_files_are_small_and_texts_stay_inside(tmp_path: Path) -> None:
    figure = plot_level_series(
        [series(name) for name in ("normal", "neuropathy", "sensorineural", "total", "conductive")]
    )
    for name in ("series.png", "series.pdf"):
        save_figure(figure, tmp_path / name)
        assert 5_000 < (tmp_path / name).stat().st_size < 300 * 1024
    width, height = figure.get_size_inches() * figure.dpi
    for axes in figure.axes:
        for text in axes.texts:
            box = text.get_window_extent()
            assert box.x0 >= 0
            assert box.y0 >= 0
            assert box.x1 <= width
            assert box.y1 <= height
