"""Recordings of another rate, window or scale brought to those of a network, and every change said."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.signal import resample_poly

from neuroprism.abr.recordings import AbrRecordings
from neuroprism.abr.scaler import AbrScaler
from neuroprism.core.errors import DataError

MAX_PADDED_MS = 0.5
"""Time that may be missing at either end; the first or last sample is held over it."""

_SAME_PLACE = 0.01
_MAX_FACTOR = 10_000

Floats = NDArray[np.float64]


def fit_to_window(recordings: AbrRecordings, scaler: AbrScaler) -> tuple[AbrRecordings, list[str]]:
    """Return the recordings with rate, window, unit and class names of `scaler`, and what was changed.

    Labels of the recordings are left out where their classes are other ones.

    Raises
    ------
    DataError
        If the recordings lack more than 0.5 ms of the window, or their scale.
    """
    signal, notes = recordings.signal_uv.astype(np.float64), list[str]()
    rate_hz = scaler.sample_rate_hz
    if abs(recordings.sample_rate_hz - rate_hz) > 1e-6 * rate_hz:
        signal = _resample(signal, recordings.sample_rate_hz, rate_hz)
        notes.append(f"resampled from {recordings.sample_rate_hz:g} to {rate_hz:g} Hz")
    signal, said = _place(signal, recordings.start_ms, scaler)
    notes += said
    unit = recordings.signal_unit
    if unit != scaler.signal_unit:
        if unit != "uV":
            raise DataError("these recordings have lost their scale in microvolt, which this network needs")
        signal = (signal - signal.mean(axis=1, keepdims=True)) / signal.std(axis=1, keepdims=True)
        unit = "zscore"
        notes.append("scaled to mean 0 and SD 1 each, as the training recordings were")
    hearing_class = recordings.hearing_class
    if recordings.class_names != scaler.class_names:
        hearing_class = np.full(len(recordings), -1, dtype=np.int64)
    fitted = replace(
        recordings,
        signal_uv=signal.astype(np.float32),
        clean_uv=None,
        sample_rate_hz=rate_hz,
        window_ms=scaler.window_ms,
        start_ms=scaler.start_ms,
        signal_unit=unit,
        class_names=scaler.class_names,
        hearing_class=hearing_class,
    )
    return fitted, notes


def _resample(signal: Floats, from_hz: float, to_hz: float) -> Floats:
    """Resample by a polyphase filter; the straight line from first to last sample is kept apart."""
    ratio = Fraction(to_hz / from_hz).limit_denominator(_MAX_FACTOR)
    if ratio == 0 or ratio.numerator > _MAX_FACTOR:
        raise DataError(f"a sampling rate of {from_hz:g} Hz cannot be brought to {to_hz:g} Hz")
    resampled: Floats = resample_poly(signal, ratio.numerator, ratio.denominator, axis=1, padtype="line")
    return resampled


def _place(signal: Floats, start_ms: float, scaler: AbrScaler) -> tuple[Floats, list[str]]:
    """Return the samples at the times of the network's window."""
    per_ms, notes = scaler.sample_rate_hz / 1000.0, list[str]()
    end_ms = start_ms + (signal.shape[1] - 1) / per_ms
    offset = (scaler.start_ms - start_ms) * per_ms
    first = round(offset)
    if abs(offset - first) > _SAME_PLACE:
        first = int(np.floor(offset))
        places = np.arange(signal.shape[1] - 1) + (offset - first)
        signal = CubicSpline(np.arange(signal.shape[1]), signal, axis=1)(places)
        notes.append("interpolated onto the sample times of the network")
    before, after = max(0, -first), max(0, first + scaler.n_times - signal.shape[1])
    wanted = f"{scaler.start_ms:g} to {scaler.start_ms + (scaler.n_times - 1) / per_ms:g} ms"
    if max(before, after) > MAX_PADDED_MS * per_ms:
        raise DataError(
            f"the recordings cover {start_ms:g} to {end_ms:g} ms after the stimulus; "
            f"this network needs {wanted}"
        )
    if before or after:
        signal = np.pad(signal, ((0, 0), (before, after)), mode="edge")
        notes.append(f"padded by {(before + after) / per_ms:g} ms to {wanted}")
    begin = first + before
    if signal.shape[1] > begin + scaler.n_times or begin:
        notes.append(f"cropped from {start_ms:g} to {end_ms:g} ms to {wanted}")
    return signal[:, begin : begin + scaler.n_times], notes
