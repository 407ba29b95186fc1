"""Traces stacked by level: each stands at the height of its level, in microvolt by a scale bar."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = npt.NDArray[np.floating]


class Column(Protocol):
    """What every column of stacked traces has: traces (n, T) with their levels (n,) in one unit."""

    @property
    def signal_uv(self) -> Floats: ...  # noqa: D102

    @property
    def level_db(self) -> Floats: ...  # noqa: D102

    @property
    def level_unit(self) -> str: ...  # noqa: D102


ColumnT = TypeVar("ColumnT", bound=Column)


def stack_columns(
    columns: Sequence[ColumnT],
    draw: Callable[[Axes, ColumnT, float], None],
    *,
    inches: tuple[float, float],
    margin_inches: float,
) -> Figure:
    """Return a figure of columns side by side that share one level axis and one scale of the traces.

    Parameters
    ----------
    columns
        One or more.
    draw
        Draws one column; is given its axes, the column and how many dB of the axis one microvolt takes.
    inches
        Width of a column, and height.
    margin_inches
        Room for the level axis.
    """
    from matplotlib.figure import Figure

    width = inches[0] * len(columns) + margin_inches + 1.5 / len(columns)
    figure = Figure(figsize=(width, inches[1]), layout="constrained")
    axes = figure.subplots(1, len(columns), sharex=True, sharey=True, squeeze=False)[0]
    db_per_uv = fit_db_per_uv([column.signal_uv for column in columns])
    for axis, column in zip(axes, columns, strict=True):
        draw(axis, column, db_per_uv)
    levels = np.concatenate([column.level_db for column in columns])
    finish_level_axis(axes[0], levels, db_per_uv, unit=columns[0].level_unit)
    return figure


def fit_db_per_uv(signals_uv: Iterable[Floats]) -> float:
    """Return how many dB on the axis one microvolt takes: large traces fill about two steps of level.

    Parameters
    ----------
    signals_uv
        Traces (n, T) of each panel.
    """
    extent = max(float(np.percentile(np.ptp(signal, axis=1), 90)) for signal in signals_uv)
    return 18.0 / max(extent, 1e-9)


def fit_time_axis(axes: Axes, time_ms: Floats) -> None:
    """Give one column its time axis (T,), and no lines at the levels."""
    from matplotlib.ticker import MaxNLocator

    axes.set_xlabel("time (ms)")
    axes.set_xlim(time_ms[0], time_ms[-1])
    # The last tick of one column must not run into the first of the next.
    axes.xaxis.set_major_locator(MaxNLocator(nbins=4, integer=True, prune="upper"))
    axes.grid(visible=False, axis="y")


def finish_level_axis(axes: Axes, levels_db: Floats, db_per_uv: float, *, unit: str) -> None:
    """Fit the level axis to the levels of all columns, and draw the scale bar.

    Parameters
    ----------
    axes
        The first column; the others share its level axis.
    levels_db
        All levels, (n,), in `unit`.
    db_per_uv
        Scale of the traces.
    unit
        Of the levels.
    """
    scale_uv = _round_scale(13.0 / db_per_uv)
    # Room for a line of text below, and for a large response and the scale bar above.
    axes.set_ylim(levels_db.min() - 13.0, levels_db.max() + 10.0 + scale_uv * db_per_uv)
    axes.set_yticks(_ticks(levels_db))
    axes.set_ylabel(f"level ({unit})")
    _scale_bar(axes, scale_uv, db_per_uv)


def _ticks(levels: Floats) -> Floats:
    """Return multiples of 20 dB within the tested range; the levels themselves where that is narrow."""
    low, high = float(levels.min()), float(levels.max())
    return np.unique(levels) if high - low < 40 else np.arange(20 * np.ceil(low / 20), high + 1, 20)


def _round_scale(largest_uv: float) -> float:
    """Return the largest of 1, 2 and 5 times a power of ten that is not above `largest_uv`."""
    power = 10.0 ** np.floor(np.log10(largest_uv))
    return float(power * max(step for step in (1.0, 2.0, 5.0) if step * power <= largest_uv))


def _scale_bar(axes: Axes, scale_uv: float, db_per_uv: float) -> None:
    """Draw the bar in the upper right corner, above the traces."""
    _, high = axes.get_ylim()
    first, last = axes.get_xlim()
    x, top = last - 0.04 * (last - first), high - 1.0
    length = scale_uv * db_per_uv
    axes.plot([x, x], [top - length, top], color="black", linewidth=1.8, solid_capstyle="butt", zorder=5)
    middle = (x - 0.04 * (last - first), top - 0.5 * length)
    axes.text(*middle, f"{scale_uv:g} µV", ha="right", va="center", fontsize=7.5)
