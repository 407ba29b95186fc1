"""Choosing the ears that stand for their hearing class in a figure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neuroprism.abr.columns import UNKNOWN_CLASS
from neuroprism.abr.recordings import AbrRecordings
from neuroprism.core.errors import DataError
from neuroprism.figures.waveforms import LevelSeries

SPACING_DB = 10.0
"""Least distance of two levels in a picture: closer traces run into each other."""


def example_series(recordings: AbrRecordings) -> list[LevelSeries]:
    """Return the ears of `example_ears` for a picture.

    Raises
    ------
    DataError
        If the signals have lost their scale, or the levels have different units.
    """
    if recordings.signal_unit != "uV":
        raise DataError("these recordings have lost their scale in microvolt and cannot be stacked by level")
    return [_series(recordings.select(rows), title) for title, rows in example_ears(recordings).items()]


def example_ears(recordings: AbrRecordings) -> dict[str, NDArray[np.int64]]:
    """Return recordings of one ear for each hearing class that the set holds, and of one of no known class.

    Of the ears with a response, or of all where none of the class has one, it
    is the one with the widest series, and of several the first by name. From
    its lowest level with a response upwards and downwards, levels that stand
    closer than 10 dB are left out; of several recordings at one level the first
    is taken.

    Raises
    ------
    DataError
        If the levels have different units.
    """
    _, owner = np.unique(recordings.ear_id, return_inverse=True)
    n_ears = int(owner.max()) + 1
    pairs = np.unique(np.stack([owner, recordings.level_db // SPACING_DB]), axis=1)
    n_levels = np.bincount(pairs[0].astype(np.int64), minlength=n_ears)
    responds = np.bincount(owner, weights=recordings.v_present, minlength=n_ears) > 0
    rank = n_levels + responds * (n_levels.max() + 1)
    found = {}
    for label, name in [*enumerate(recordings.class_names), (UNKNOWN_CLASS, "class not known")]:
        members = np.flatnonzero(recordings.hearing_class == label)
        if len(members):
            ear = np.unique(owner[members])
            chosen = ear[int(np.argmax(rank[ear]))]
            found[name] = _apart(recordings, members[owner[members] == chosen])
    return found


def _apart(recordings: AbrRecordings, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return those recordings of an ear that are drawn, by increasing level."""
    level_db = recordings.level_db[rows]
    levels, first = np.unique(level_db, return_index=True)
    heard = levels[np.isin(levels, level_db[recordings.v_present[rows]])]
    lowest = float(heard[0]) if len(heard) else float(levels[-1])
    return np.asarray(rows[first[_spaced(levels.astype(np.float64), lowest)]], dtype=np.int64)


def _series(part: AbrRecordings, name: str) -> LevelSeries:
    # A threshold in dB nHL has no place on an axis of sound pressure.
    threshold = float(part.threshold_db_nhl[0]) if part.level_unit == "dB nHL" else float("nan")
    return LevelSeries(
        title=name,
        time_ms=part.time_ms,
        signal_uv=part.signal_uv,
        clean_uv=part.clean_uv,
        level_db=part.level_db,
        wave_latency_ms=part.wave_latency_ms,
        threshold_db_nhl=threshold if np.isfinite(threshold) else None,
        threshold_censored=bool(part.threshold_censored[0]),
        level_unit=part.level_unit,
    )


def _spaced(levels: NDArray[np.float64], anchor: float) -> NDArray[np.bool_]:
    """Return which of the sorted levels, among them `anchor`, stand far enough apart to be drawn."""
    keep: NDArray[np.bool_] = levels == anchor
    for order in (range(len(levels)), range(len(levels) - 1, -1, -1)):
        last = anchor
        for n in order:
            beyond = levels[n] > anchor if order.step > 0 else levels[n] < anchor
            if beyond and abs(levels[n] - last) >= SPACING_DB:
                keep[n], last = True, levels[n]
    return keep
