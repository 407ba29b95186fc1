"""Noise-free traces from waves, and the measurement of wave V on them.

Each wave is a Gaussian (valid for ABRs: Kamerer et al. 2020); wave V is
followed by a broad negative Gaussian, the SN10 trough.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neuroprism.abr.columns import WAVE_V
from neuroprism.abr.physiology import Floats
from neuroprism.abr.wave_picking import TROUGH_MS, between_samples, following_trough
from neuroprism.abr.waves import Waves

TROUGH_AFTER_V_MS = 1.5
TROUGH_WIDTH_MS = 0.9
TROUGH_SHARE = 0.6
"""Depth of the trough over the height of wave V, before the two overlap."""

SEARCH_PEAK_MS = 0.45
MEASURED_MS = 24.0
"""Length of trace on which wave V is measured, so that a late trough is never cut off."""


def clean_traces(waves: Waves, time_ms: Floats) -> NDArray[np.float32]:
    """Return the traces (N, T) in microvolt."""
    time = time_ms.astype(np.float32)
    trace = np.zeros((len(waves.present), len(time)), dtype=np.float32)
    for wave in range(waves.present.shape[1]):
        rows = np.flatnonzero(waves.present[:, wave])
        width = waves.width_ms[rows, wave]
        height = waves.height_uv[rows, wave]
        if wave == WAVE_V:
            height = height / _peak_to_trough(width)
            late = waves.latency_ms[rows, wave] + TROUGH_AFTER_V_MS
            depth = TROUGH_SHARE * height
            trace[rows] -= _gaussian(time, late, np.full(len(rows), TROUGH_WIDTH_MS), depth)
        trace[rows] += _gaussian(time, waves.latency_ms[rows, wave], width, height)
    return trace


def measure_wave_v(trace: NDArray[np.float32], time_ms: Floats, expected_ms: Floats) -> tuple[Floats, Floats]:
    """Return latency (ms) and peak-to-trough amplitude (uV) of wave V on clean traces.

    Parameters
    ----------
    trace
        (N, T), long enough to hold the trough.
    time_ms
        (T,), equally spaced.
    expected_ms
        Where wave V was put, (N,).
    """
    near = np.abs(time_ms[None, :] - expected_ms[:, None]) <= SEARCH_PEAK_MS
    # Without noise the greatest sample is the peak.
    peak = np.where(near, trace, -np.inf).argmax(axis=1)
    top = trace[np.arange(len(trace)), peak].astype(np.float64)
    _, bottom = following_trough(trace, time_ms, peak, TROUGH_MS)
    return between_samples(trace, time_ms, peak), top - bottom


def _gaussian(time: NDArray[np.float32], centre: Floats, sd: Floats, height: Floats) -> NDArray[np.float32]:
    z = (time[None, :] - centre.astype(np.float32)[:, None]) / sd.astype(np.float32)[:, None]
    result: NDArray[np.float32] = height.astype(np.float32)[:, None] * np.exp(-0.5 * z * z)
    return result


_WIDTHS = np.linspace(0.2, 0.7, 101)


def _table() -> Floats:
    time = np.arange(-2.0, 6.0, 0.002)[None, :]
    peak = np.exp(-0.5 * (time / _WIDTHS[:, None]) ** 2)
    trough = TROUGH_SHARE * np.exp(-0.5 * ((time - TROUGH_AFTER_V_MS) / TROUGH_WIDTH_MS) ** 2)
    shape = peak - trough
    extent: Floats = shape.max(axis=1) - shape.min(axis=1)
    return extent


_PEAK_TO_TROUGH = _table()


def _peak_to_trough(width_ms: Floats) -> Floats:
    """Return peak to trough of a wave V of unit height, by its width."""
    return np.interp(width_ms, _WIDTHS, _PEAK_TO_TROUGH)
