"""Counts of recordings by their true and their predicted class."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from neuroprism.figures.style import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Counts = npt.NDArray[np.integer]

_DARK = 0.55
"""Share of a row from which the text of its cell is white."""

_INCHES_PER_CLASS = 0.72


def plot_confusion(counts: Counts, class_names: Sequence[str]) -> Figure:
    """Draw how the recordings of each class were classified.

    Shades are shares of the true class, so that a rare class is read as easily
    as a frequent one; each cell has its count and its per cent of the row. The
    row names say how many recordings the class has.

    Parameters
    ----------
    counts
        Recordings by true class (rows) and predicted class (columns), (K, K).
    class_names
        Names of the K classes.

    Raises
    ------
    ValueError
        If there is no class, or if counts and names do not belong together.
    """
    from matplotlib.figure import Figure

    n = len(class_names)
    if not n or counts.shape != (n, n):
        raise ValueError(f"counts of shape {counts.shape} do not fit {n} class names")
    with style():
        side = _INCHES_PER_CLASS * n
        figure = Figure(figsize=(max(side, 1.8) + 2.2, max(side, 1.4) + 1.0), layout="constrained")
        axes = figure.subplots()
        draw_confusion(axes, counts, _cell_text, fontsize=8.0)
        rows = [f"{name}\nn = {size:,}" for name, size in zip(class_names, counts.sum(axis=1), strict=True)]
        axes.set_yticks(range(n), rows)
        long = max(map(len, class_names)) > 9 and n > 1
        axes.set_xticks(
            range(n), list(class_names), rotation=30 if long else 0, ha="right" if long else "center"
        )
        if long:
            # The end of a slanted name stands below its column.
            for label in axes.get_xticklabels():
                label.set_rotation_mode("anchor")
        axes.set_xlabel("predicted class")
        axes.set_ylabel("true class")
        axes.set_title(f"{int(counts.sum()):,} recordings")
        colours = figure.colorbar(axes.images[0], ax=axes, label="% of the true class", shrink=0.8, pad=0.02)
        colours.set_ticks([0.0, 0.5, 1.0], labels=["0", "50", "100"])
        colours.outline.set_visible(False)
    return figure


def _cell_text(count: int, share: float) -> str:
    """Return count and per cent; only none is 0 %, only all is 100 %."""
    percent = f"{100 * share:.0f}"
    if percent == "0" and count:
        percent = "< 1"
    elif percent == "100" and share < 1:
        percent = "> 99"
    return f"{count:,}\n{percent} %"


def draw_confusion(
    axes: Axes,
    counts: Counts,
    text: Callable[[int, float], str] | None,
    *,
    fontsize: float,
) -> None:
    """Shade each cell by its share of its row, and write into it.

    Parameters
    ----------
    axes
        Where; its ticks are left to the caller.
    counts
        By true class (rows) and predicted class (columns), (K, K).
    text
        Makes the text of a cell of its count and its share of the row, 0 to 1; None: cells stay empty.
    fontsize
        Of the texts in points.
    """
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    if text is None:
        return
    for (i, j), count in np.ndenumerate(counts):
        colour = "white" if share[i, j] > _DARK else "black"
        said = text(int(count), float(share[i, j]))
        axes.text(j, i, said, ha="center", va="center", fontsize=fontsize, color=colour)
