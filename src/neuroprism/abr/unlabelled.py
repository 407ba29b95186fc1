"""Traces without labels as recordings, with the checks that every trace must pass before it is judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuroprism.abr.columns import COLUMNS, WAVES
from neuroprism.abr.recordings import PLAUSIBLE_SD_UV, AbrRecordings
from neuroprism.core.errors import DataError, UnknownNameError

UNITS_UV = {"uv": 1.0, "nv": 1e-3, "mv": 1e3, "v": 1e6}
"""Microvolt in each unit that a trace may be given in; upper and lower case are the same."""

GIVEN = ("age_years", "level_db_nhl", "rate_hz", "fmp", "residual_noise_uv")
"""What may be given beside a trace, by the name of its array."""

UNKNOWN_EAR = "unknown"
_LIMITS = {column.name: column for column in COLUMNS if column.name in GIVEN}


def unlabelled(
    traces: ArrayLike,
    *,
    sample_rate_hz: float | None,
    start_ms: float = 0.0,
    unit: str = "uv",
    patient_id: ArrayLike = "",
    ear: ArrayLike = UNKNOWN_EAR,
) -> AbrRecordings:
    """Return traces as recordings of which nothing else is known; `with_conditions` adds what is.

    Parameters
    ----------
    traces
        Averaged responses, (N, T) or (T,).
    sample_rate_hz
        Samples per second.
    start_ms
        Time of the first sample after the onset of the stimulus.
    unit
        Of the traces: one of `UNITS_UV`.
    patient_id, ear
        Whose ear each trace is of, (N,) or one for all; ear: L, R or unknown.

    Raises
    ------
    DataError
        If the rate is not given, or the traces are no table of numbers.
    """
    try:
        signal = np.atleast_2d(np.asarray(traces, dtype=np.float64))
    except (TypeError, ValueError):
        raise DataError("the traces are not a table of numbers, recordings x samples") from None
    if signal.ndim != 2 or signal.size == 0:
        raise DataError("there is no recording: the traces are empty or no table recordings x samples")
    if unit.casefold() not in UNITS_UV:
        raise UnknownNameError("unit", unit, UNITS_UV)
    rate_hz = _sample_rate(sample_rate_hz)
    if not np.isfinite(start_ms):
        raise DataError(f"start_ms must be a time, not {start_ms}")
    n = len(signal)
    unknown = np.full(n, np.nan, dtype=np.float32)
    no_waves = np.full((n, len(WAVES)), np.nan, dtype=np.float32)
    no = np.zeros(n, dtype=np.bool_)
    return AbrRecordings(
        signal_uv=(signal * UNITS_UV[unit.casefold()]).astype(np.float32),
        level_db_nhl=unknown,
        rate_hz=unknown,
        age_years=unknown,
        fmp=unknown,
        residual_noise_uv=unknown,
        n_sweeps=np.zeros(n, dtype=np.int32),
        sex=np.zeros(n, dtype=np.int8),
        polarity=np.full(n, "unknown"),
        patient_id=np.broadcast_to(np.asarray(patient_id, dtype=np.str_), n),
        ear=np.broadcast_to(np.asarray(ear, dtype=np.str_), n),
        wave_latency_ms=no_waves,
        wave_amplitude_uv=no_waves,
        v_marked=no,
        v_present=no,
        hearing_class=np.full(n, -1, dtype=np.int64),
        threshold_db_nhl=unknown,
        threshold_censored=no,
        air_bone_gap_db=unknown,
        sample_rate_hz=rate_hz,
        window_ms=signal.shape[1] * 1000.0 / rate_hz,
        start_ms=float(start_ms),
    )


def with_conditions(recordings: AbrRecordings, conditions: Mapping[str, Any]) -> AbrRecordings:
    """Return the recordings with `conditions` put in, (N,) or one for all; None leaves a condition alone.

    Raises
    ------
    UserError
        If a name is not in `GIVEN`, or a value is not a number or implausible.
    """
    arrays: dict[str, NDArray[np.float32]] = {}
    for name, value in conditions.items():
        if name not in GIVEN:
            raise UnknownNameError("condition", name, GIVEN)
        if value is not None:
            arrays[name] = _column(name, value, len(recordings))
    return replace(recordings, **arrays)  # type: ignore[arg-type]


def check_traces(recordings: AbrRecordings) -> None:
    """Refuse traces that nothing can be read from.

    Raises
    ------
    DataError
        With one line that names the first recording at fault, counted from 1.
    """
    signal = recordings.signal_uv
    if signal.ndim != 2 or signal.size == 0:
        raise DataError("there is no recording to predict from")
    n_bad = (~np.isfinite(signal)).sum(axis=1)
    if n_bad.any():
        row = int(n_bad.argmax() if n_bad.max() == signal.shape[1] else np.flatnonzero(n_bad)[0])
        what = "holds no number" if n_bad[row] == signal.shape[1] else f"has {n_bad[row]} non-finite samples"
        raise DataError(f"recording {row + 1} {what}: it cannot be judged")
    flat = np.ptp(signal, axis=1) <= 1e-6 * np.abs(signal).max(axis=1)
    if flat.any():
        row = int(np.flatnonzero(flat)[0])
        raise DataError(f"recording {row + 1} is flat: every sample is {signal[row, 0]:g} uV")
    if recordings.signal_unit == "uV":
        _check_size(signal)


def _check_size(signal_uv: NDArray[np.float32]) -> None:
    sd = float(np.median(signal_uv.std(axis=1, dtype=np.float64)))
    low, high = PLAUSIBLE_SD_UV
    if not low <= sd <= high:
        guess = "volts or millivolts" if sd < low else "nanovolts or raw counts"
        raise DataError(
            f"the traces have a median SD of {sd:.3g} uV, outside {low:g} to {high:g}: "
            f"they look like {guess}; say their unit ({', '.join(UNITS_UV)})"
        )


def _sample_rate(value: float | None) -> float:
    if value is None:
        raise DataError("the sampling rate of the traces is missing: give sample_rate_hz (--sample-rate-hz)")
    if not (np.isfinite(value) and value > 0):
        raise DataError(f"sample_rate_hz must be positive, not {value:g}")
    return float(value)


def _column(name: str, value: Any, n: int) -> NDArray[np.float32]:
    try:
        column = np.broadcast_to(np.asarray(value, dtype=np.float32), n)
    except (TypeError, ValueError):
        raise DataError(f"{name} must be one number, or one for each of the {n} recordings") from None
    limits = _LIMITS[name]
    low = -np.inf if limits.low is None else limits.low
    high = np.inf if limits.high is None else limits.high
    wrong = ~np.isnan(column) & ~((column >= low) & (column <= high) & np.isfinite(column))
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise DataError(
            f"{name} is {column[row]:g} in recording {row + 1}, outside the plausible {low:g} to {high:g}"
        )
    return column
