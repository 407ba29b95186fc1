"""The look of all figures: colours that colour-blind readers tell apart, thin axes, real fonts in PDF."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito, "Color Universal Design" (2008): black is left for text and baselines.
BLUE = "#0072B2"
VERMILLION = "#D55E00"
GREEN = "#009E73"
ORANGE = "#E69F00"
SKY = "#56B4E9"
PURPLE = "#CC79A7"
YELLOW = "#F0E442"
GREY = "#6E6E6E"

CYCLE = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILLION, YELLOW, GREY)
"""Colours of parts that stand side by side; more than eight get hatches."""

TRAIN = BLUE
VALIDATION = VERMILLION
BASELINE = GREY

_SETTINGS: Any = {
    "font.size": 8.5,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 8.5,
    "axes.linewidth": 0.7,
    "axes.edgecolor": "#444444",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.6,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "lines.linewidth": 1.5,
    "legend.fontsize": 7.5,
    "legend.frameon": False,
    "hatch.linewidth": 0.5,
    # Text stays text: journals refuse outlines (Type 3).
    "pdf.fonttype": 42,
    "figure.dpi": 100,
    # A name with a dollar sign in it is no formula.
    "text.parse_math": False,
}


def style() -> AbstractContextManager[None]:
    """Return a context in which figures are drawn in the project's style."""
    import matplotlib as mpl

    return mpl.rc_context(_SETTINGS)


def whole_epochs(axes: Axes, first: int, last: int) -> None:
    """Give the epoch axis whole numbers and room for a single epoch."""
    from matplotlib.ticker import MaxNLocator

    margin = max(0.5, 0.02 * (last - first))
    axes.set_xlim(first - margin, last + margin)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=1))
