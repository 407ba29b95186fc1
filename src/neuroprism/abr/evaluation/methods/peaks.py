"""The peak that a reader would take for wave V, and how far it stands out of the noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuroprism.abr.evaluation.methods.latency_level import LatencyLevel
from neuroprism.abr.recordings import AbrRecordings
from neuroprism.abr.wave_picking import pick_interpeaks, pick_wave

Floats = NDArray[np.float64]

SMOOTHING_MS = 0.2
"""SD of the Gaussian that smooths traces before peaks are picked; a low-pass near 650 Hz (-3 dB)."""

REACH_MS = 1.2
"""How far from the latency-level function wave V is looked for."""

INTERPEAK_MS = (2.0, 2.0)
"""Usual intervals I-III and III-V, by which waves I and III are looked for before the picked wave V."""

INTERPEAK_REACH_MS = 0.4


@dataclass(frozen=True, kw_only=True)
class Peaks:
    """Picked waves of N recordings.

    Attributes
    ----------
    expected_ms
        Where wave V was looked for, (N,).
    latency_ms, amplitude
        Of the picked wave V, the amplitude in the unit of the signals, (N,); NaN: no peak within reach.
    height_over_noise
        Amplitude over the SD of the residual noise, (N,); 0 without a peak.
    interpeak_ms
        Intervals I-III, III-V and I-V, (N, 3); NaN where a wave does not stand out of the noise.
    """

    expected_ms: Floats
    latency_ms: Floats
    amplitude: Floats
    height_over_noise: Floats
    interpeak_ms: Floats


def pick_peaks(recordings: AbrRecordings, curve: LatencyLevel) -> Peaks:
    """Pick the largest peak of each smoothed trace around the latency that its conditions predict."""
    smooth, time_ms = smoothed(recordings), recordings.time_ms
    expected_ms = curve.expected_ms(recordings)
    latency, amplitude = pick_wave(smooth, time_ms, expected_ms, reach_ms=REACH_MS)
    noise = residual_noise(recordings)
    first_third, third_fifth = INTERPEAK_MS
    places = np.column_stack([latency - first_third - third_fifth, latency - third_fifth, latency])
    return Peaks(
        expected_ms=expected_ms,
        latency_ms=latency,
        amplitude=amplitude,
        height_over_noise=np.nan_to_num(amplitude) / noise,
        interpeak_ms=pick_interpeaks(
            smooth, time_ms, places, reach_ms=INTERPEAK_REACH_MS, least_uv=2.0 * noise
        ),
    )


def smoothed(recordings: AbrRecordings) -> Floats:
    """Return the traces after a Gaussian filter, (N, T)."""
    from scipy.ndimage import gaussian_filter1d

    width = SMOOTHING_MS * recordings.sample_rate_hz / 1000.0
    found: Floats = gaussian_filter1d(recordings.signal_uv.astype(np.float64), width, axis=1)
    return found


def residual_noise(recordings: AbrRecordings) -> Floats:
    """Return the SD of the residual noise in the unit of the signals, (N,).

    As the device measured it; where it did not, or the scale is lost, the SD of the whole trace.
    """
    measured = recordings.residual_noise_uv.astype(np.float64)
    usable = (measured > 0) & (recordings.signal_unit == "uV")
    whole = recordings.signal_uv.std(axis=1, dtype=np.float64)
    return np.maximum(np.where(usable, measured, whole), np.finfo(np.float32).tiny)
