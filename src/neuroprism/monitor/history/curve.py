"""The whole course of a run in a bounded number of bins.

A bin holds what a fixed number of consecutive rows came to. When all bins are
full, pairs of neighbours are merged and bins become twice as long, so that
64 to 128 bins always cover the run from its first row. Bin borders depend on
the number of rows alone, never on how they were flushed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

N_BINS = 128

_FIELDS = (
    "count",
    "sum",
    "low",
    "high",
    "absolute_change",
    "squared_change",
    "product_of_changes",
    "n_changes",
)


class Curve:
    """Statistics of S series in bins of `bin_rows` rows.

    Attributes
    ----------
    bin_rows
        Rows of a full bin, a power of two.
    n_rows
        Rows so far.
    """

    def __init__(self, n_series: int) -> None:
        self.n_series = n_series
        self.bin_rows = 1
        self.n_rows = 0
        self._bins = {name: _empty(name, n_series) for name in _FIELDS}
        self._last_step = np.zeros(N_BINS, dtype=np.int64)
        self._last = np.full(n_series, np.nan)
        self._last_change = np.full(n_series, np.nan)

    def __len__(self) -> int:
        """Bins that hold rows; the last one may be incomplete."""
        return (self.n_rows + self.bin_rows - 1) // self.bin_rows

    def add(self, rows: FloatArray, accepted: npt.NDArray[np.bool_], steps: npt.NDArray[np.int64]) -> None:
        """Take in rows.

        Parameters
        ----------
        rows
            (n, S) values.
        accepted
            (n, S) False where a value is missing, not finite or an outlier: it counts nowhere.
        steps
            (n,) optimizer steps.
        """
        start = 0
        while start < len(rows):
            if self.n_rows == N_BINS * self.bin_rows:
                self._merge_pairs()
            fitting = N_BINS * self.bin_rows - self.n_rows
            stop = min(len(rows), start + fitting)
            self._add(rows[start:stop], accepted[start:stop], steps[start:stop])
            start = stop

    def means(self, *, complete: bool = True) -> FloatArray:
        """Return (bins, S) means, NaN where nothing was accepted; `complete` leaves out a bin that fills."""
        n = self._n(complete=complete)
        with np.errstate(invalid="ignore", divide="ignore"):
            means: FloatArray = self._bins["sum"][:n] / self._bins["count"][:n]
        return means

    def counts(self, *, complete: bool = True) -> FloatArray:
        """Return (bins, S) accepted values."""
        return self._bins["count"][: self._n(complete=complete)]

    def lows(self, *, complete: bool = True) -> FloatArray:
        """Return (bins, S) smallest accepted values, +inf where there is none."""
        return self._bins["low"][: self._n(complete=complete)]

    def highs(self, *, complete: bool = True) -> FloatArray:
        """Return (bins, S) largest accepted values, -inf where there is none."""
        return self._bins["high"][: self._n(complete=complete)]

    def row_noise(self, *, complete: bool = True) -> FloatArray:
        """Return (bins, S) standard deviations of single rows about a slow course, NaN where not known.

        From the mean absolute difference of neighbouring rows, 2 / sqrt(pi)
        times the standard deviation of independent Gaussian noise.
        """
        n = self._n(complete=complete)
        with np.errstate(invalid="ignore", divide="ignore"):
            noise: FloatArray = self._bins["absolute_change"][:n] / self._bins["n_changes"][:n]
        noise *= np.sqrt(np.pi) / 2.0
        return noise

    def serial_correlation(self, first_bin: int) -> FloatArray:
        """Return the (S,) correlation of changes that follow each other, from a bin on.

        Values that scatter independently about a slow course give -0.5, values
        that alternate -1, smooth swings give more than 0.
        """
        n = self._n(complete=True)
        products = self._bins["product_of_changes"][first_bin:n].sum(axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            correlation: FloatArray = products / self._bins["squared_change"][first_bin:n].sum(axis=0)
        return correlation

    def last_steps(self, *, complete: bool = True) -> npt.NDArray[np.int64]:
        """Return (bins,) the last optimizer step of every bin."""
        return self._last_step[: self._n(complete=complete)]

    def state_dict(self) -> dict[str, Any]:
        """Return everything as plain numbers and lists."""
        n = len(self)
        return {
            "bin_rows": self.bin_rows,
            "n_rows": self.n_rows,
            "bins": {name: values[:n].tolist() for name, values in self._bins.items()},
            "last_step": self._last_step[:n].tolist(),
            "last": self._last.tolist(),
            "last_change": self._last_change.tolist(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state_dict`."""
        self.bin_rows, self.n_rows = int(state["bin_rows"]), int(state["n_rows"])
        n = len(self)
        self._bins = {name: _empty(name, self.n_series) for name in _FIELDS}
        for name, values in state["bins"].items():
            self._bins[name][:n] = np.array(values).reshape(n, self.n_series)
        self._last_step = np.zeros(N_BINS, dtype=np.int64)
        self._last_step[:n] = state["last_step"]
        self._last = np.array(state["last"], dtype=np.float64)
        self._last_change = np.array(state["last_change"], dtype=np.float64)

    def _n(self, *, complete: bool) -> int:
        return self.n_rows // self.bin_rows if complete else len(self)

    def _add(self, rows: FloatArray, accepted: npt.NDArray[np.bool_], steps: npt.NDArray[np.int64]) -> None:
        """Take in rows that all fit."""
        values = np.where(accepted, rows, np.nan)
        filled, self._last = _carried(values, self._last)
        signed = values - filled[:-1]
        before, self._last_change = np.concatenate([self._last_change[None], signed[:-1]]), signed[-1]
        changes = np.abs(signed)
        first = self.n_rows // self.bin_rows
        bins = (self.n_rows + np.arange(len(rows))) // self.bin_rows
        borders = np.flatnonzero(np.diff(bins, prepend=bins[0] - 1))
        places = bins[borders]
        known = ~np.isnan(changes)
        store = self._bins
        store["count"][places] += np.add.reduceat(accepted.astype(np.float64), borders, axis=0)
        store["sum"][places] += np.add.reduceat(np.where(accepted, rows, 0.0), borders, axis=0)
        store["absolute_change"][places] += np.add.reduceat(np.where(known, changes, 0.0), borders, axis=0)
        with np.errstate(over="ignore"):
            products = np.where(known & ~np.isnan(before), signed * before, 0.0)
            squares = np.where(known, signed * signed, 0.0)
        store["squared_change"][places] += np.add.reduceat(squares, borders, axis=0)
        store["product_of_changes"][places] += np.add.reduceat(products, borders, axis=0)
        store["n_changes"][places] += np.add.reduceat(known.astype(np.float64), borders, axis=0)
        low = np.minimum.reduceat(np.where(accepted, rows, np.inf), borders, axis=0)
        high = np.maximum.reduceat(np.where(accepted, rows, -np.inf), borders, axis=0)
        store["low"][places] = np.minimum(store["low"][places], low)
        store["high"][places] = np.maximum(store["high"][places], high)
        last_rows = np.append(borders[1:], len(rows)) - 1
        self._last_step[first : first + len(places)] = steps[last_rows]
        self.n_rows += len(rows)

    def _merge_pairs(self) -> None:
        half = N_BINS // 2
        for name, values in self._bins.items():
            merge = {"low": np.minimum, "high": np.maximum}.get(name, np.add)
            merged = merge(values[0::2], values[1::2])
            values[:] = _empty(name, self.n_series)
            values[:half] = merged
        self._last_step[:half] = self._last_step[1::2]
        self._last_step[half:] = 0
        self.bin_rows *= 2


def _empty(name: str, n_series: int) -> FloatArray:
    fill = {"low": np.inf, "high": -np.inf}.get(name, 0.0)
    return np.full((N_BINS, n_series), fill)


def _carried(values: FloatArray, last: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return rows with gaps filled by the value before, `last` in front of them, and the new last."""
    whole = np.concatenate([last[None], values])
    known = ~np.isnan(whole)
    # Most series are there in every row, or in none: nothing has to be carried then.
    if (known[1:].all(axis=0) | ~known[1:].any(axis=0)).all():
        return whole, np.where(known[-1], whole[-1], last)
    index = np.where(known, np.arange(len(whole))[:, None], 0)
    np.maximum.accumulate(index, axis=0, out=index)
    filled: FloatArray = np.take_along_axis(whole, index, axis=0)
    return filled, filled[-1].copy()
