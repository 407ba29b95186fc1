"""Predicted values over the true ones, for thousands of recordings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from neuroprism.figures.style import BLUE, VERMILLION, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

Floats = npt.NDArray[np.floating]

FEW = 300
"""Up to so many recordings each is drawn as a point; more as a density."""

_CELLS = 48
_MARGIN = 0.04


@dataclass(frozen=True, kw_only=True)
class PredictedAgainstTrue:
    """One quantity, one panel of `plot_predicted_against_true`.

    Attributes
    ----------
    quantity, unit
        E.g. ``latency of wave V`` and ``ms``.
    true, predicted
        (N,) each, in `unit`; recordings without one of the two (NaN) are left out.
    """

    quantity: str
    unit: str
    true: Floats
    predicted: Floats


def plot_predicted_against_true(quantities: Sequence[PredictedAgainstTrue]) -> Figure:
    """Draw predicted over true values, one panel a quantity, with the mean absolute error.

    On the line both are the same. Many recordings are drawn as a density, with
    one scale of counts for all panels.

    Raises
    ------
    ValueError
        If there is no quantity, or one without recordings that have both values.
    """
    from matplotlib.figure import Figure

    if not quantities:
        raise ValueError("plot_predicted_against_true needs at least one quantity")
    with style():
        figure = Figure(figsize=(2.45 * len(quantities) + 0.2, 3.15), layout="constrained")
        panels = figure.subplots(1, len(quantities), squeeze=False)[0]
        drawn = [_draw(axes, one) for axes, one in zip(panels, quantities, strict=True)]
        _scale_of_counts(figure, [cells for cells in drawn if cells is not None])
    return figure


def _draw(axes: Axes, one: PredictedAgainstTrue) -> QuadMesh | None:
    """Draw one panel; return its cells where it is a density."""
    known = np.isfinite(one.true) & np.isfinite(one.predicted)
    if not known.any():
        raise ValueError(f"no recording has a true and a predicted {one.quantity}")
    true, predicted = one.true[known], one.predicted[known]
    both = np.concatenate([true, predicted])
    margin = _MARGIN * float(np.ptp(both)) or 0.5
    low, high = float(both.min()) - margin, float(both.max()) + margin
    cells = None
    if len(true) > FEW:
        edges = _edges(true, low, high)
        counts, _, _ = np.histogram2d(predicted, true, bins=(edges, edges))
        shown = np.ma.masked_equal(counts, 0)
        cells = axes.pcolormesh(edges, edges, shown, cmap=_shades(), rasterized=True, zorder=2)
    else:
        axes.plot(true, predicted, "o", color=BLUE, markersize=3, alpha=0.5, markeredgewidth=0, zorder=2)
    axes.plot([low, high], [low, high], color=VERMILLION, linewidth=0.9, zorder=3)
    axes.set_xlim(low, high)
    axes.set_ylim(low, high)
    axes.set_box_aspect(1)
    axes.locator_params(nbins=5)
    axes.set_xlabel(f"true ({one.unit})")
    axes.set_ylabel(f"predicted ({one.unit})")
    axes.set_title(one.quantity)
    _write_error(axes, true, predicted, one.unit)
    return cells


def _edges(true: Floats, low: float, high: float) -> Floats:
    """Return the edges of the cells, which hold equally many values of a grid, as levels are."""
    values, cell = np.unique(true), (high - low) / _CELLS
    step = float(np.diff(values).min()) if len(values) > 1 else cell
    cell = step * math.ceil(cell / step)
    first = float(values[0]) - step / 2
    return np.arange(first - cell * math.ceil((first - low) / cell), high + cell, cell)


def _write_error(axes: Axes, true: Floats, predicted: Floats, unit: str) -> None:
    error = float(np.abs(predicted - true).mean())
    # The difference of two levels has no reference: dB, not dB nHL.
    axes.text(
        0.04,
        0.97,
        f"MAE {error:.3g} {unit.split()[0]}\nn = {len(true):,}",
        transform=axes.transAxes,
        ha="left",
        va="top",
        fontsize=7.5,
        # Readable over points.
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.0},
        zorder=4,
    )


def _shades() -> Colormap:
    """Return blues of which the lightest, a single recording, is told from paper."""
    import matplotlib as mpl
    from matplotlib.colors import ListedColormap

    return ListedColormap(mpl.colormaps["Blues"](np.linspace(0.25, 1.0, 256)))


def _scale_of_counts(figure: Figure, densities: Sequence[QuadMesh]) -> None:
    """Give all densities one logarithmic scale, and draw it below them."""
    from matplotlib.colors import LogNorm

    if not densities:
        return
    most = max(cells.get_clim()[1] for cells in densities)
    norm = LogNorm(1.0, max(most, 10.0))
    for cells in densities:
        cells.set_norm(norm)
    scale = figure.colorbar(
        densities[0],
        ax=figure.axes,
        location="bottom",
        label="recordings in a cell",
        shrink=0.4,
        aspect=40,
        pad=0.02,
        format="{x:,.0f}",
    )
    scale.ax.minorticks_off()
    scale.outline.set_visible(False)
