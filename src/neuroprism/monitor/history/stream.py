"""From flushed windows to a bounded history, block by block.

Windows end where somebody flushed. Blocks end at row numbers that only the run
decides, so that what is judged does not depend on flushing: 8 rows at first, up
to 256 later on. The course of the run is looked at when eight more of its bins
are full.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from neuroprism.core.records import TOTAL, Component
from neuroprism.monitor.history.course import Course, course_of
from neuroprism.monitor.history.curve import Curve, FloatArray
from neuroprism.monitor.history.recent import BoolArray, Excursion, IntArray, Recent
from neuroprism.monitor.window import StepWindow

GRAD_NORM, LR, STEP_SECONDS = "grad_norm", "lr", "step_seconds"

_SHORTEST_BLOCK, _LONGEST_BLOCK = 8, 256
_BLOCKS_OF_A_RUN = 16
_BINS_OF_A_COURSE = 8
_N_FIRST = 8
_RATE_ROSE = 1.2
_SAME_RATE = 1.001


class Stream:
    """Everything that rules know of the steps of a run, in bounded memory.

    Attributes
    ----------
    names
        The S series: components, ``total``, ``grad_norm``, ``lr``, ``step_seconds``.
    curve
        Of the whole run.
    recent
        The last accepted values.
    first
        (8, S) the first known values of every series, NaN where there were fewer.
    excursions
        Excursions that ended in the last block.
    lowest
        (S,) best level when the course was last looked at, NaN before.
    n_rows
        Rows absorbed so far.
    step, epoch
        Of the last absorbed row.
    rate_rose_row
        Row at which the learning rate last jumped back up, as at a warm restart; -1 for never.
    n_zero_rate
        Rows whose learning rate was 0.
    n_clipped
        Rows whose gradient norm exceeded the declared limit.
    is_course
        Whether the last block ended where the course is to be looked at.
    """

    def __init__(self, components: tuple[Component, ...], *, gradient_clip: float | None = None) -> None:
        self.components = components
        self.names = (*(c.name for c in components), TOTAL, GRAD_NORM, LR, STEP_SECONDS)
        self.gradient_clip = gradient_clip
        n = len(self.names)
        self.curve, self.recent = Curve(n), Recent(n)
        self.first = np.full((_N_FIRST, n), np.nan)
        self.excursions: tuple[Excursion, ...] = ()
        self.n_rows = self.step = self.epoch = self.n_zero_rate = self.n_clipped = 0
        self.rate_rose_row = -1
        self.is_course = False
        self._last_rate = self._highest_rate = np.nan
        self._rows = np.empty((0, n))
        self._places = np.empty((0, 2), dtype=np.int64)
        self._course: tuple[int, Course | None] = (-1, None)
        self.lowest = np.full(n, np.nan)

    def index(self, name: str) -> int:
        """Return the column of a series."""
        return self.names.index(name)

    @property
    def course(self) -> Course | None:
        """How far every series has come; None before there are six bins."""
        if self._course[0] != self.n_rows:
            self._course = (self.n_rows, course_of(self.curve, self.first, rate=self.index(LR)))
        return self._course[1]

    def has(self, name: str) -> bool:
        """Tell whether the series has had any value."""
        return bool(self.curve.counts(complete=False)[:, self.index(name)].any())

    def pieces(self, window: StepWindow) -> Iterator[StepWindow]:
        """Yield the parts of `window` that end where a block does, and what is left of it."""
        start = 0
        while start < len(window):
            missing = _block_rows(self.n_rows) - len(self._rows)
            yield window.part(start, start + missing)
            start += missing

    def push(self, piece: StepWindow) -> bool:
        """Take in a piece of a window; return whether it completed a block."""
        self._rows = np.concatenate([self._rows, _table(piece)])
        self._places = np.concatenate([self._places, np.stack([piece.step, piece.epoch], axis=1)])
        if len(self._rows) < _block_rows(self.n_rows):
            return False
        rows, places = self._rows, self._places
        self._rows, self._places = rows[:0], places[:0]
        self._absorb(rows, places)
        return True

    def close(self) -> None:
        """Absorb the rows that complete no block: nothing comes after them."""
        rows, places = self._rows, self._places
        self._rows, self._places = rows[:0], places[:0]
        if len(rows):
            self._absorb(rows, places)
        else:
            self.excursions = ()
        self.excursions += tuple(self.recent.close())
        self.is_course = True

    def state_dict(self) -> dict[str, Any]:
        """Return everything as plain numbers and lists."""
        return {
            "names": list(self.names),
            "curve": self.curve.state_dict(),
            "recent": self.recent.state_dict(),
            "first": self.first.tolist(),
            "rows": self._rows.tolist(),
            "places": self._places.tolist(),
            "last_rate": float(self._last_rate),
            "highest_rate": float(self._highest_rate),
            "lowest": self.lowest.tolist(),
            **{name: getattr(self, name) for name in _COUNTERS},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state_dict`; with other series nothing can be continued, and all begins anew."""
        if list(state["names"]) != list(self.names):
            return
        n = len(self.names)
        self.curve.load_state_dict(state["curve"])
        self.recent.load_state_dict(state["recent"])
        self.first = np.array(state["first"], dtype=np.float64).reshape(_N_FIRST, n)
        self._rows = np.array(state["rows"], dtype=np.float64).reshape(-1, n)
        self._places = np.array(state["places"], dtype=np.int64).reshape(-1, 2)
        self._last_rate = float(state["last_rate"])
        self._highest_rate = float(state["highest_rate"])
        self.lowest = np.array(state["lowest"], dtype=np.float64)
        for name in _COUNTERS:
            setattr(self, name, int(state[name]))

    def _absorb(self, rows: FloatArray, places: IntArray) -> None:
        steps, epochs = places[:, 0], places[:, 1]
        known = np.isfinite(rows)
        accepted, found = self.recent.add(rows, known, steps, epochs, self.n_rows)
        # What the optimizer did and how long it took is no matter of outliers.
        accepted[:, -2:] = known[:, -2:]
        if np.isnan(self.first[-1]).any():
            self._keep_first(rows, known)
        self.curve.add(rows, accepted, steps)
        self.excursions = tuple(found)
        self._follow_rate(rows[:, -2])
        if self.gradient_clip is not None:
            self.n_clipped += int((rows[:, -3] > self.gradient_clip).sum())
        self.n_rows += len(rows)
        self.step, self.epoch = int(steps[-1]), int(epochs[-1])
        self.is_course = self.n_rows % (_BINS_OF_A_COURSE * self.curve.bin_rows) == 0
        if self.is_course and self.course is not None:
            self.lowest = np.fmin(self.lowest, self.course.best)

    def _keep_first(self, rows: FloatArray, known: BoolArray) -> None:
        """Fill in the first values of the series that have had fewer than eight."""
        for series in np.flatnonzero(np.isnan(self.first[-1]) & known.any(axis=0)).tolist():
            n = int(np.isfinite(self.first[:, series]).sum())
            new = rows[known[:, series], series][: _N_FIRST - n]
            self.first[n : n + len(new), series] = new

    def _follow_rate(self, rates: FloatArray) -> None:
        if (rates == self._last_rate).all() and self._last_rate > 0:
            return
        before = np.concatenate([[self._last_rate], rates[:-1]])
        with np.errstate(invalid="ignore"):
            # A restart goes back to a rate that the run has had; beyond it, something else happened.
            ever = np.maximum.accumulate(np.fmax(before, self._highest_rate))
            rose = np.flatnonzero((rates > _RATE_ROSE * before) & (rates <= _SAME_RATE * ever))
            self._highest_rate = float(np.fmax.reduce(np.append(rates, self._highest_rate)))
        if len(rose):
            self.rate_rose_row = self.n_rows + int(rose[-1])
        self.n_zero_rate += int((rates == 0).sum())
        if not np.isnan(rates[-1]):
            self._last_rate = rates[-1]


_COUNTERS = ("n_rows", "step", "epoch", "n_zero_rate", "n_clipped", "rate_rose_row")


def _block_rows(n_rows: int) -> int:
    """Return the length of the block that begins after `n_rows` rows, a power of two."""
    length = _SHORTEST_BLOCK
    while length < _LONGEST_BLOCK and n_rows >= 2 * length * _BLOCKS_OF_A_RUN:
        length *= 2
    return length


def _table(window: StepWindow) -> FloatArray:
    """Return the (n, S) values of a window, NaN where there is none."""
    n = len(window)
    losses = np.where(window.counts > 0, window.losses, np.nan)
    norm = np.where(window.grad_norm_given, window.grad_norm, np.nan)
    seconds = window.metrics.get(STEP_SECONDS, np.full(n, np.nan))
    return np.column_stack([losses, window.total, norm, window.lr, seconds])
