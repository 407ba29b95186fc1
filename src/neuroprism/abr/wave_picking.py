"""Where waves peak on a trace, and how far it falls after them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Places = NDArray[np.int64]

TROUGH_MS = 3.5
"""How long after wave V its trough is looked for: the SN10 trough is broad."""

NEXT_WAVE_MS = 1.0
"""How long after waves I and III their troughs are looked for: the next wave comes 1 to 2 ms later."""


def pick_wave(
    signal_uv: NDArray[Any],
    time_ms: Floats,
    expected_ms: NDArray[Any],
    *,
    reach_ms: float,
    trough_ms: float = TROUGH_MS,
) -> tuple[Floats, Floats]:
    """Return the latency (ms) and the peak-to-trough amplitude of one wave, (N,) each.

    The wave is the largest local maximum close to where it is expected; a parabola through three samples
    places it between them. Its amplitude is the way down to the lowest sample that follows. Both are NaN
    where there is no local maximum within reach, or no place is expected.

    Parameters
    ----------
    signal_uv
        (N, T); the amplitude comes in its unit.
    time_ms
        (T,), equally spaced.
    expected_ms
        Where the wave is looked for, (N,).
    reach_ms
        How far from there it may be.
    trough_ms
        How long after the peak its trough is looked for.
    """
    near = np.abs(time_ms[None, :] - np.asarray(expected_ms, dtype=np.float64)[:, None]) <= reach_ms
    candidate = near & local_maxima(signal_uv)
    peak = np.where(candidate, signal_uv, -np.inf).argmax(axis=1)
    found = candidate.any(axis=1)
    top = signal_uv[np.arange(len(peak)), peak].astype(np.float64)
    _, bottom = following_trough(signal_uv, time_ms, peak, trough_ms)
    return (
        np.where(found, between_samples(signal_uv, time_ms, peak), np.nan),
        np.where(found, top - bottom, np.nan),
    )


def pick_interpeaks(
    signal_uv: NDArray[Any],
    time_ms: Floats,
    expected_ms: NDArray[Any],
    *,
    reach_ms: float,
    least_uv: NDArray[Any] | float = 0.0,
) -> Floats:
    """Return the intervals I-III, III-V and I-V in ms, (N, 3); NaN where one of the two waves is not found.

    Parameters
    ----------
    signal_uv, time_ms
        As for `pick_wave`.
    expected_ms
        Where waves I, III and V are looked for, (N, 3); NaN: the wave is not looked for.
    reach_ms
        How far from there they may be.
    least_uv
        Amplitude from which a peak counts as a wave, a number or (N,): noise has maxima as well.
    """
    found = []
    for wave, trough_ms in enumerate((NEXT_WAVE_MS, NEXT_WAVE_MS, TROUGH_MS)):
        latency, amplitude = pick_wave(
            signal_uv, time_ms, expected_ms[:, wave], reach_ms=reach_ms, trough_ms=trough_ms
        )
        found.append(np.where(amplitude >= least_uv, latency, np.nan))
    first, third, fifth = found
    return np.stack([third - first, fifth - third, fifth - first], axis=1)


def local_maxima(signal: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which samples are above the one before and not below the one after, (N, T); no edge is."""
    inside = np.zeros(signal.shape, dtype=np.bool_)
    inside[:, 1:-1] = (signal[:, 1:-1] > signal[:, :-2]) & (signal[:, 1:-1] >= signal[:, 2:])
    return inside


def between_samples(signal: NDArray[Any], time_ms: Floats, peak: Places) -> Floats:
    """Return the time of the top of the parabola through a maximum and its neighbours, (N,).

    Parameters
    ----------
    signal
        (N, T).
    time_ms
        (T,), equally spaced.
    peak
        Sample of the maximum, (N,). At an edge, where there is no parabola, its own time is returned, or half
        a sample from it.
    """
    rows, last = np.arange(len(signal)), len(time_ms) - 1
    left, top, right = (signal[rows, np.clip(peak + n, 0, last)].astype(np.float64) for n in (-1, 0, 1))
    bend = left - 2 * top + right
    shift = np.divide(0.5 * (left - right), bend, out=np.zeros_like(top), where=bend < 0)
    step_ms = time_ms[1] - time_ms[0]
    latency_ms: Floats = time_ms[peak] + np.clip(shift, -0.5, 0.5) * step_ms
    return latency_ms


def following_trough(
    signal: NDArray[Any], time_ms: Floats, peak: Places, reach_ms: float
) -> tuple[Places, Floats]:
    """Return the sample of the lowest point within `reach_ms` after each peak, and its value, (N,) each.

    The value is NaN where no sample follows within reach.
    """
    after = (time_ms[None, :] > time_ms[peak][:, None]) & (
        time_ms[None, :] <= time_ms[peak][:, None] + reach_ms
    )
    trough = np.where(after, signal, np.inf).argmin(axis=1)
    value = signal[np.arange(len(signal)), trough].astype(np.float64)
    return trough, np.where(after.any(axis=1), value, np.nan)
