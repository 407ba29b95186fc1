"""A curve in one line of text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from neuroprism.monitor.window import FloatArray, IntArray

BLOCKS = "▁▂▃▄▅▆▇█"
BROKEN, MARK = "!", "^"
_DECADES = 1.5


@dataclass(frozen=True, kw_only=True)
class Sparkline:
    """A curve as eight heights of blocks.

    Attributes
    ----------
    text
        A block for each bin; ``!`` where it has a value that is not finite.
    first, last
        Means of the first and the last bin, not finite where one of their values is not.
    is_log
        Whether heights are logarithms.
    last_steps
        (bins,) last step of each bin.
    """

    text: str
    first: float
    last: float
    is_log: bool
    last_steps: IntArray

    def marks(self, steps: Iterable[int]) -> str:
        """Return a line that marks the bins of these steps; empty where there are none."""
        places = {int(np.searchsorted(self.last_steps, step)) for step in steps}
        places = {min(place, len(self.text) - 1) for place in places}
        return "".join(MARK if k in places else " " for k in range(max(places, default=-1) + 1))


def sparkline(values: FloatArray, steps: IntArray, *, width: int = 48) -> Sparkline | None:
    """Return a curve as a line of blocks, None for one without values.

    Parameters
    ----------
    values
        (n,) may hold values that are not finite.
    steps
        (n,) where they belong, rising.
    width
        Most blocks of the line.
    """
    n = len(values)
    if not n:
        return None
    borders = np.unique(np.linspace(0, n, min(width, n) + 1).astype(np.int64))
    with np.errstate(invalid="ignore", over="ignore"):
        means = np.add.reduceat(values, borders[:-1]) / np.diff(borders)
    known = means[np.isfinite(means)]
    is_log = len(known) > 0 and bool(known.min() > 0 and np.ptp(np.log10(known)) >= _DECADES)
    return Sparkline(
        text=_blocks(np.log10(means) if is_log else means),
        first=float(means[0]),
        last=float(means[-1]),
        is_log=is_log,
        last_steps=steps[borders[1:] - 1],
    )


def _blocks(heights: FloatArray) -> str:
    known = heights[np.isfinite(heights)]
    if not len(known):
        return BROKEN * len(heights)
    # Halves, so that the span of the largest numbers is a number.
    heights = heights / 2
    low, high = known.min() / 2, known.max() / 2
    span, top = (high - low, len(BLOCKS) - 1) if high > low else (1.0, 0)
    return "".join(
        BLOCKS[round(float((height - low) / span * top))] if np.isfinite(height) else BROKEN
        for height in heights
    )
