"""Whether stated probabilities and intervals come true."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neuroprism.figures.style import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILLION, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = npt.NDArray[np.floating]

LOOKS = ((VERMILLION, "o"), (GREEN, "s"), (PURPLE, "^"), (ORANGE, "D"), (SKY, "v"))
"""Colour and marker of the coverage of each quantity."""

N_BARS = 20
"""Bars of the histogram of the predictions."""


@dataclass(frozen=True, kw_only=True)
class Reliability:
    """How often an event happened, by the probability that was stated for it.

    Attributes
    ----------
    event
        What the probability is of, e.g. ``wave V present``.
    predicted
        Mean stated probability of each bin, (K,), increasing; bins with equal counts.
    observed, low, high
        Share of the recordings of each bin in which the event happened, and its interval of 95 %, (K,) each.
    probability
        Stated probability of every recording, (N,).
    """

    event: str
    predicted: Floats
    observed: Floats
    low: Floats
    high: Floats
    probability: Floats


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """How often central intervals of a quantity held the truth.

    Attributes
    ----------
    quantity
        E.g. ``latency``.
    nominal
        Stated probability of the intervals, (L,), increasing, 0 to 1.
    observed, low, high
        Share of intervals that held the truth, and its pointwise interval of 95 %, (L,) each.
    """

    quantity: str
    nominal: Floats
    observed: Floats
    low: Floats
    high: Floats


def plot_calibration(reliability: Reliability | None, coverage: Sequence[Coverage]) -> Figure:
    """Draw stated probabilities and intervals against what happened; on the diagonal they come true.

    Left: the event's frequency in bins of the stated probability, over a
    histogram of all stated probabilities. Right: the share of central intervals
    that held the truth; below the diagonal intervals are too narrow. A part
    that is not given gets no panel.

    Raises
    ------
    ValueError
        If neither part is given, or more than five quantities.
    """
    from matplotlib.figure import Figure

    n_panels = (reliability is not None) + bool(coverage)
    if not n_panels or len(coverage) > len(LOOKS):
        raise ValueError(f"plot_calibration needs a probability or one to {len(LOOKS)} kinds of intervals")
    with style():
        figure = Figure(figsize=(3.5 * n_panels, 3.9), layout="constrained")
        grid = figure.add_gridspec(2, n_panels, height_ratios=(5.0, 1.0))
        if reliability is not None:
            axes = figure.add_subplot(grid[0, 0])
            _draw_reliability(axes, reliability)
            _draw_histogram(figure.add_subplot(grid[1, 0], sharex=axes), reliability)
        if coverage:
            _draw_coverage(figure.add_subplot(grid[:, -1]), coverage)
            figure.legend(loc="outside lower right", ncols=min(1 + n_panels, len(coverage)))
    return figure


def _draw_reliability(axes: Axes, reliability: Reliability) -> None:
    _draw_diagonal(axes)
    predicted = 100 * reliability.predicted
    axes.vlines(predicted, 100 * reliability.low, 100 * reliability.high, color=BLUE, linewidth=1.0, zorder=3)
    axes.plot(
        predicted, 100 * reliability.observed, color=BLUE, marker="o", markersize=4, linewidth=0.8, zorder=3
    )
    axes.tick_params(labelbottom=False)
    axes.set_ylabel("observed (%)")
    axes.set_title(f"Probability: {reliability.event}")


def _draw_histogram(axes: Axes, reliability: Reliability) -> None:
    n = len(reliability.probability)
    counts, edges = np.histogram(100 * reliability.probability, bins=N_BARS, range=(0.0, 100.0))
    share = 100 * counts / max(n, 1)
    axes.bar(edges[:-1], share, width=100 / N_BARS, align="edge", color=BLUE, alpha=0.6)
    axes.grid(visible=False)
    axes.locator_params(axis="y", nbins=3)
    axes.set_ylabel("share (%)")
    axes.set_xlabel(f"stated probability (%), {n:,} recordings")


def _draw_coverage(axes: Axes, coverage: Sequence[Coverage]) -> None:
    _draw_diagonal(axes)
    for (colour, marker), one in zip(LOOKS, coverage, strict=False):
        nominal = 100 * one.nominal
        axes.fill_between(nominal, 100 * one.low, 100 * one.high, color=colour, alpha=0.2, linewidth=0)
        axes.plot(
            nominal,
            100 * one.observed,
            color=colour,
            marker=marker,
            markersize=3.5,
            linewidth=1.0,
            label=one.quantity,
            zorder=3,
        )
    look: Any = {"transform": axes.transAxes, "fontsize": 7.5, "color": GREY}
    axes.text(0.03, 0.97, "too wide", ha="left", va="top", **look)
    axes.text(0.97, 0.03, "too narrow", ha="right", va="bottom", **look)
    axes.set_xlabel("stated coverage of the intervals (%)")
    axes.set_ylabel("intervals that held the truth (%)")
    axes.set_title("Central intervals")


def _draw_diagonal(axes: Axes) -> None:
    axes.plot([0, 100], [0, 100], color=GREY, linewidth=1.0, linestyle=(0, (4, 2.5)), zorder=1)
    axes.set_xlim(-2, 102)
    axes.set_ylim(-2, 102)
