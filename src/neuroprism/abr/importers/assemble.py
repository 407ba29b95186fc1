"""From readings to a checked set: units, gaps, and what cannot be used."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroprism.abr.columns import COLUMNS, UNKNOWN_CLASS, WAVES, Column
from neuroprism.abr.importers.declared import MICROVOLT_PER, Declared
from neuroprism.abr.importers.readings import Floats, Readings
from neuroprism.abr.recordings import AbrRecordings
from neuroprism.core.errors import DataError

LEVEL_UNIT_NAMES = {"nhl": "dB nHL", "spl": "dB SPL", "pespl": "dB peSPL"}
_KINDS: dict[str, Any] = {"float32": np.float32, "text": np.str_, "bool": np.bool_}
_LARGEST = 1e12
_UNKNOWN: dict[str, Any] = {
    "float32": np.nan,
    "int8": 0,
    "int32": 0,
    "int64": UNKNOWN_CLASS,
    "bool": False,
    "text": "unknown",
}


@dataclass(frozen=True)
class Assembled:
    """A checked set, and what happened on the way.

    Attributes
    ----------
    recordings
        The set.
    left_out
        Recordings that cannot be used, by reason.
    out_of_range
        Values beyond what can be, taken as not known, by array.
    notes
        In words.
    """

    recordings: AbrRecordings
    left_out: dict[str, int]
    out_of_range: dict[str, int]
    notes: tuple[str, ...]


def assemble(readings: Readings, declared: Declared, source: Path, provenance: dict[str, Any]) -> Assembled:
    """Return a checked set.

    Raises
    ------
    DataError
        If no recording can be used, or the set is not valid.
    """
    usable, left_out = _usable(readings, source)
    n_times = _n_times(readings, declared, source)
    signal = readings.signal[usable, :n_times]
    scale = MICROVOLT_PER.get(readings.unit, 1.0)
    levels, level_notes = _levels(readings, declared)
    known = {**readings.columns, **levels}
    if declared.rate_hz is not None and "rate_hz" not in known:
        known["rate_hz"] = np.full(len(usable), declared.rate_hz)
    if declared.ear is not None and "ear" not in known:
        known["ear"] = np.full(len(usable), declared.ear)
    arrays: dict[str, Any] = {
        column.name: _filled(column, known, len(usable))[usable]
        for column in COLUMNS
        if column.axes != ("time",) and (not column.optional or column.name in known)
    }
    out_of_range = _mask_impossible(arrays)
    recordings = AbrRecordings(
        signal_uv=(signal * scale).astype(np.float32),
        **arrays,
        sample_rate_hz=float(readings.sample_rate_hz),
        window_ms=n_times * 1000.0 / readings.sample_rate_hz,
        start_ms=float(readings.start_ms),
        class_names=readings.class_names,
        signal_unit="zscore" if readings.unit == "zscore" else "uV",
        threshold_provenance=_threshold_provenance(readings, arrays["threshold_db_nhl"]),
        provenance={"level_unit": LEVEL_UNIT_NAMES[readings.level_unit], **readings.provenance, **provenance},
    )
    try:
        recordings.validate()
    except DataError as error:
        hint = f"; is the unit {readings.unit} right?" if "median SD" in str(error) else ""
        raise DataError(f"{source}: {error}{hint}") from None
    return Assembled(recordings, left_out, out_of_range, (*readings.notes, *level_notes))


def _usable(readings: Readings, source: Path) -> tuple[NDArray[np.bool_], dict[str, int]]:
    """Return which recordings have a whole trace that is not flat, and count the others."""
    if readings.signal.ndim != 2 or readings.signal.size == 0:
        raise DataError(f"{source} holds no recording")
    # Larger numbers are no voltages in any unit, and their squares leave single precision.
    finite = np.isfinite(readings.signal) & (np.abs(readings.signal) < _LARGEST)
    empty = ~finite.any(axis=1)
    incomplete = ~finite.all(axis=1) & ~empty
    with np.errstate(invalid="ignore"):
        flat = finite.all(axis=1) & (np.ptp(readings.signal, axis=1) == 0)
    no_level = ~np.isfinite(readings.level_db) & ~(empty | incomplete | flat)
    usable: NDArray[np.bool_] = ~(empty | incomplete | flat | no_level)
    reasons = {
        "without any number": empty,
        "with missing samples": incomplete,
        "flat": flat,
        "without a level": no_level,
    }
    counts = {reason: int(where.sum()) for reason, where in reasons.items() if where.any()}
    if not usable.any():
        found = ", ".join(f"{count} {reason}" for reason, count in counts.items())
        raise DataError(f"{source} holds no usable recording: {found}")
    return usable, {**readings.left_out, **counts}


def _n_times(readings: Readings, declared: Declared, source: Path) -> int:
    n_times: int = readings.signal.shape[1]
    if declared.window_ms is None:
        return n_times
    wanted: int = round(declared.window_ms * readings.sample_rate_hz / 1000.0)
    if not 2 <= wanted <= n_times:
        length_ms = n_times * 1000.0 / readings.sample_rate_hz
        raise DataError(f"--window-ms {declared.window_ms:g} does not fit: {source} has {length_ms:g} ms")
    return wanted


def _levels(readings: Readings, declared: Declared) -> tuple[dict[str, Floats], tuple[str, ...]]:
    """Return levels and thresholds in dB nHL where they can be had, and the levels of sound pressure."""
    level, threshold = readings.level_db.astype(np.float64), readings.threshold_db
    nowhere = np.full(len(level), np.nan)
    threshold = nowhere if threshold is None else threshold.astype(np.float64)
    if readings.level_unit == "nhl":
        return {"level_db_nhl": level, "threshold_db_nhl": threshold}, ()
    name = LEVEL_UNIT_NAMES[readings.level_unit]
    if declared.nhl_zero_db_spl is None:
        lost = int(np.isfinite(threshold).sum())
        note = f"levels are in {name}, which is not dB nHL; declare --nhl-zero-db-spl to convert them"
        more = (f"{lost} thresholds in {name} left out for the same reason",) if lost else ()
        return {"level_db_nhl": nowhere, "level_db_spl": level, "threshold_db_nhl": nowhere}, (note, *more)
    zero = declared.nhl_zero_db_spl
    converted = {"level_db_nhl": level - zero, "level_db_spl": level, "threshold_db_nhl": threshold - zero}
    return converted, (f"dB nHL = {name} - {zero:g}, as declared",)


def _filled(column: Column, known: dict[str, Any], n: int) -> NDArray[Any]:
    """Return an array in the type of its column, unknown where the source does not have it."""
    kind = _KINDS.get(column.kind, column.kind)
    shape = (n, *(len(WAVES) for axis in column.axes if axis == "wave"))
    if column.name not in known:
        return np.full(shape, _UNKNOWN[column.kind], dtype=None if column.kind == "text" else kind)
    # A number that single precision cannot hold becomes infinite, and is judged as such.
    with np.errstate(over="ignore"):
        return np.asarray(known[column.name]).astype(kind)


def _mask_impossible(arrays: dict[str, Any]) -> dict[str, int]:
    """Set values to "not known" that lie beyond what their column allows, and count them."""
    counts = {}
    for column in COLUMNS:
        if column.missing and column.name in arrays:
            values = arrays[column.name]
            low = -np.inf if column.low is None else column.low
            high = np.inf if column.high is None else column.high
            wrong = (values < low) | (values > high) | np.isinf(values)
            if wrong.any():
                counts[column.name] = int(wrong.sum())
                arrays[column.name] = np.where(wrong, np.float32(np.nan), values)
    return counts


def _threshold_provenance(readings: Readings, threshold: Floats) -> str:
    return readings.threshold_provenance if np.isfinite(threshold).any() else "none"
