"""Vertical axes fitted to what is drawn."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = npt.NDArray[np.float64]


def fit_loss_axis(axes: Axes, values: Floats) -> None:
    """Fit the axis of a loss; logarithmic where positive values span more than a factor of 20."""
    from matplotlib.ticker import MaxNLocator

    if not len(values):
        axes.set_yticks([])
        return
    low, high = float(values.min()), float(values.max())
    if low > 0 and high / low > 20:
        fit_log_axis(axes, values)
        return
    margin = 0.08 * (high - low) or 0.1 * abs(high) or 0.1
    axes.set_ylim(low - margin, high + margin)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5))


def fit_log_axis(axes: Axes, values: Floats, *, form: str = "{:g}") -> None:
    """Give positive values a logarithmic axis of a decade or more; others stay linear, NaN counts as none."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    finite = values[np.isfinite(values)]
    if not len(finite) or finite.min() <= 0:
        return
    low, high = float(finite.min()), float(finite.max())
    # At least a decade in sight, so that a constant rate keeps its ticks.
    if high / low < 10:
        middle = math.sqrt(low * high)
        low, high = middle / 10**0.5, middle * 10**0.5
    axes.set_yscale("log")
    axes.set_ylim(low / 1.3, high * 1.3)
    subs = (1.0, 2.0, 5.0) if high / low < 100 else (1.0,)
    axes.yaxis.set_major_locator(LogLocator(subs=subs, numticks=8))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: form.format(value)))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(axis="y", which="minor", length=0)
