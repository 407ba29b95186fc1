"""What the latest rows were like, and which new ones stand out from them.

Centre and scale of every series come from its last accepted values: the median,
and the larger of the scaled median absolute deviation and the upper decile.
How far an honest series strays depends on its tail, so the limit of what counts
as a spike is read off the tail of the run itself: the deviations that were
largest so far are extrapolated with Hill's estimator (Hill 1975, Ann. Statist.
3, 1163) to a value that one row in `1 / TAIL_PROBABILITY` would exceed.

Rows that stand out do not enter these statistics. A row of them is no spike but
a new level, from which the statistics begin again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neuroprism.monitor.history.curve import FloatArray

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

N_VALUES = 64
N_BEFORE_JUDGING = 24
N_BEFORE_A_SPIKE, N_BEFORE_A_SPARSE_SPIKE = 96, 32
N_TAIL = 12
N_FOR_A_NEW_LEVEL = 8
OUTLIER = 6.0
TAIL_PROBABILITY = 1e-4
HIGHER_THAN_EVER = 1.5

_FALLEN_BACK = 0.5
_SPARSE = 5
_RELATIVE_FLOOR = 1e-3
_TAIL_INDEX = (0.15, 1.0)
_MAD = 1.4826
_DECILE = 1.2816


@dataclass(frozen=True, kw_only=True, slots=True)
class Excursion:
    """A short run of rows of one series that lay far above the rows before it.

    Attributes
    ----------
    series
        Column of the series.
    step, epoch
        Of the largest value.
    row
        Number of its row in the run.
    value
        The largest value.
    center, scale
        Of the accepted values before it.
    score
        ``(value - center) / scale``.
    limit
        Score that the tail of the series makes improbable.
    tallest
        Largest rise of an earlier row above its neighbours.
    n_rows
        Rows that stood out one after the other.
    """

    series: int
    step: int
    epoch: int
    row: int
    value: float
    center: float
    scale: float
    score: float
    limit: float
    tallest: float
    n_rows: int = 1


class Recent:
    """The last accepted values of S series.

    Attributes
    ----------
    latest
        (8, S) last known values, outliers included, NaN where there were fewer.
    equal_run
        (S,) rows since the value last changed.
    """

    def __init__(self, n_series: int) -> None:
        self.n_series = n_series
        self.latest = np.full((N_FOR_A_NEW_LEVEL, n_series), np.nan)
        self.equal_run = np.zeros(n_series, dtype=np.int64)
        self._values = np.full((n_series, N_VALUES), np.nan)
        self._n = np.zeros(n_series, dtype=np.int64)
        self._tail = np.zeros((n_series, N_TAIL))
        self._n_scored = np.zeros(n_series, dtype=np.int64)
        self._tallest = np.zeros(n_series)
        self._open: dict[int, list[Excursion]] = {}

    def centers(self) -> tuple[FloatArray, FloatArray]:
        """Return the (S,) centre and scale of the accepted values, NaN where none is judged yet."""
        center, scale = np.full(self.n_series, np.nan), np.full(self.n_series, np.nan)
        # Most series have equally many values: they are judged together.
        for n in sorted(set(self._n[self._n >= N_BEFORE_JUDGING].tolist())):
            series = self._n == n
            center[series], scale[series] = _center_and_scale(self._values[series, N_VALUES - n :])
        return center, scale

    def add(
        self, rows: FloatArray, known: BoolArray, steps: IntArray, epochs: IntArray, first_row: int
    ) -> tuple[BoolArray, list[Excursion]]:
        """Take in a block of rows.

        Parameters
        ----------
        rows
            (n, S) values.
        known
            (n, S) whether the value is there and finite.
        steps, epochs
            (n,) where the rows belong.
        first_row
            Number of the first one in the run.

        Returns
        -------
        accepted : array
            (n, S) known values that do not stand out.
        excursions : list of Excursion
            Those that ended in this block.
        """
        center, scale = self.centers()
        with np.errstate(invalid="ignore", over="ignore"):
            scores = (rows - center) / scale
            standing_out = known & (scores > OUTLIER)
        accepted = known & ~standing_out
        found: list[Excursion] = []
        places = _Places(rows=rows, scores=scores, steps=steps, epochs=epochs, first_row=first_row)
        for series in sorted({*np.flatnonzero(standing_out.any(axis=0)).tolist(), *self._open}):
            reference = _Reference(
                center=float(center[series]),
                scale=float(scale[series]),
                limit=self._limit(series),
                tallest=float(self._tallest[series]),
            )
            out, ok = standing_out[:, series], accepted[:, series]
            found += self._follow(series, places, out, ok, reference)
        self._keep_tail(scores, accepted)
        self._keep_tallest(rows, known, center, found)
        self._keep_values(rows, accepted)
        self._keep_latest(rows, known)
        return accepted, found

    def close(self) -> list[Excursion]:
        """Return the excursions that were still open when the run ended."""
        return [_largest(points) for _, points in sorted(self._open.items())]

    def state_dict(self) -> dict[str, Any]:
        """Return everything as plain numbers and lists."""
        return {
            "latest": self.latest.tolist(),
            "equal_run": self.equal_run.tolist(),
            "values": self._values.tolist(),
            "n": self._n.tolist(),
            "tail": self._tail.tolist(),
            "n_scored": self._n_scored.tolist(),
            "tallest": self._tallest.tolist(),
            "open": [[series, [asdict(p) for p in points]] for series, points in self._open.items()],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state_dict`."""
        self.latest = np.array(state["latest"], dtype=np.float64)
        self.equal_run = np.array(state["equal_run"], dtype=np.int64)
        self._values = np.array(state["values"], dtype=np.float64)
        self._n = np.array(state["n"], dtype=np.int64)
        self._tail = np.array(state["tail"], dtype=np.float64)
        self._n_scored = np.array(state["n_scored"], dtype=np.int64)
        self._tallest = np.array(state["tallest"], dtype=np.float64)
        self._open = {int(s): [Excursion(**p) for p in points] for s, points in state["open"]}

    def _limit(self, series: int) -> float:
        """Return the score that the tail of the series makes improbable."""
        tail = np.sort(self._tail[series])
        least = max(tail[0], 1.0)
        index = float(np.log(np.maximum(tail, least) / least)[1:].mean())
        index = min(max(index, _TAIL_INDEX[0]), _TAIL_INDEX[1])
        share = N_TAIL / max(int(self._n_scored[series]), N_TAIL)
        return float(least * (share / TAIL_PROBABILITY) ** index)

    def _follow(
        self,
        series: int,
        places: _Places,
        standing_out: BoolArray,
        accepted: BoolArray,
        reference: _Reference,
    ) -> list[Excursion]:
        """Follow the runs of outliers of one series through a block; `accepted` is a view, corrected here."""
        points = self._open.pop(series, [])
        found: list[Excursion] = []
        for i in range(len(standing_out)):
            if standing_out[i]:
                points.append(places.excursion(series, i, reference))
                if len(points) >= N_FOR_A_NEW_LEVEL:
                    self._begin_again(series)
                    accepted[max(0, i - len(points) + 1) :] |= standing_out[max(0, i - len(points) + 1) :]
                    peak = _largest(points)
                    falls_back = points[-1].value - peak.center < _FALLEN_BACK * (peak.value - peak.center)
                    return [*found, peak] if falls_back else found
            elif accepted[i] and points:
                found.append(_largest(points))
                points = []
        if points:
            self._open[series] = points
        for excursion in found:
            if excursion.score < excursion.limit:
                self._enter_tail(series, np.array([excursion.score]))
        return found

    def _begin_again(self, series: int) -> None:
        """Forget the former level of a series."""
        self._values[series] = np.nan
        self._n[series] = 0

    def _keep_tail(self, scores: FloatArray, accepted: BoolArray) -> None:
        judged = accepted & ~np.isnan(scores)
        self._n_scored += judged.sum(axis=0)
        high = np.where(judged, scores, 0.0).max(axis=0, initial=0.0)
        for series in np.flatnonzero(high > self._tail.min(axis=1)).tolist():
            self._enter_tail(series, scores[judged[:, series], series])

    def _keep_tallest(
        self, rows: FloatArray, known: BoolArray, center: FloatArray, found: list[Excursion]
    ) -> None:
        """Remember the largest rise so far; before there is a centre, from one row to the next."""
        rises = np.where(known, rows - center, -np.inf)
        for series in np.flatnonzero(np.isnan(center) & known.any(axis=0)).tolist():
            values = np.concatenate([self.latest[-1:, series], rows[known[:, series], series]])
            rises[:, series] = np.nanmax(np.diff(values), initial=0.0)
        for spike in filter(is_out_of_the_ordinary, found):
            column = rises[:, spike.series]
            column[column >= spike.value - spike.center] = -np.inf
        self._tallest = np.fmax(self._tallest, rises.max(axis=0))

    def _enter_tail(self, series: int, scores: FloatArray) -> None:
        both = np.concatenate([self._tail[series], scores])
        self._tail[series] = np.partition(both, len(both) - N_TAIL)[-N_TAIL:]

    def _keep_values(self, rows: FloatArray, accepted: BoolArray) -> None:
        n_new = accepted.sum(axis=0)
        whole = n_new == len(rows)
        joined = np.concatenate([self._values[whole], rows[:, whole].T], axis=1)
        self._values[whole] = joined[:, -N_VALUES:]
        for series in np.flatnonzero((n_new > 0) & ~whole).tolist():
            new = rows[accepted[:, series], series]
            self._values[series] = np.concatenate([self._values[series], new])[-N_VALUES:]
        self._n = np.minimum(self._n + n_new, N_VALUES)

    def _keep_latest(self, rows: FloatArray, known: BoolArray) -> None:
        n_known = known.sum(axis=0)
        whole = n_known == len(rows)
        self._keep_latest_of(whole, rows[:, whole])
        for series in np.flatnonzero((n_known > 0) & ~whole).tolist():
            self._keep_latest_of([series], rows[known[:, series], series][:, None])

    def _keep_latest_of(self, series: Any, rows: FloatArray) -> None:
        """Take in rows of some series, all of them known."""
        before = self.latest[:, series]
        joined = np.concatenate([before, rows])
        changed = joined[len(before) :] != joined[len(before) - 1 : -1]
        since = np.where(
            changed.any(axis=0), changed[::-1].argmax(axis=0) + 1, self.equal_run[series] + len(rows)
        )
        self.equal_run[series] = since
        self.latest[:, series] = joined[-N_FOR_A_NEW_LEVEL:]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Places:
    """A block, from which excursions are cut."""

    rows: FloatArray
    scores: FloatArray
    steps: IntArray
    epochs: IntArray
    first_row: int

    def excursion(self, series: int, i: int, reference: _Reference) -> Excursion:
        """Return what stands out in a row."""
        return Excursion(
            series=series,
            step=int(self.steps[i]),
            epoch=int(self.epochs[i]),
            row=self.first_row + i,
            value=float(self.rows[i, series]),
            center=reference.center,
            scale=reference.scale,
            score=float(self.scores[i, series]),
            limit=reference.limit,
            tallest=reference.tallest,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Reference:
    """What a series was like before a block."""

    center: float
    scale: float
    limit: float
    tallest: float


def is_early(excursion: Excursion) -> bool:
    """Tell whether too little is known of the series to call a rise anything but how the data are."""
    is_sparse = excursion.step >= _SPARSE * (excursion.row + 1)
    return excursion.row < (N_BEFORE_A_SPARSE_SPIKE if is_sparse else N_BEFORE_A_SPIKE)


def is_out_of_the_ordinary(excursion: Excursion) -> bool:
    """Tell whether neither the tail of the series nor an earlier rise makes the excursion likely."""
    rise = excursion.value - excursion.center
    return (
        not is_early(excursion)
        and excursion.score >= excursion.limit
        and rise >= HIGHER_THAN_EVER * excursion.tallest
    )


def _largest(points: list[Excursion]) -> Excursion:
    """Return the excursion that a run of outliers makes."""
    top = max(points, key=lambda point: point.score)
    return Excursion(**{**asdict(top), "n_rows": len(points)})


def _center_and_scale(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the robust centre and scale of the rows of (S, n) values."""
    n = values.shape[1]
    low, high, decile = (n - 1) // 2, n // 2, round(0.9 * (n - 1))
    ordered = np.partition(values, (low, high, decile), axis=1)
    center = (ordered[:, low] + ordered[:, high]) / 2
    deviation = np.partition(np.abs(values - center[:, None]), high, axis=1)[:, high]
    spread = np.maximum(_MAD * deviation, (ordered[:, decile] - center) / _DECILE)
    floor = np.maximum(_RELATIVE_FLOOR * np.abs(center), np.finfo(np.float64).tiny)
    return center, np.maximum(spread, floor)
