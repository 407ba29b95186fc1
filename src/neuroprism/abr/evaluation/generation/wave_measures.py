"""What is measured on single traces, generated or recorded, by the same rules.

No label of the traces is looked at. Wave V is picked near to where the network reads it, and waves I and III
near to where they usually come before wave V.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuroprism.abr.columns import WAVE_V, WAVES
from neuroprism.abr.predictions import AbrPredictions
from neuroprism.abr.recordings import AbrRecordings
from neuroprism.abr.wave_picking import pick_interpeaks, pick_wave

Floats = NDArray[np.float64]

V_REACH_MS = 0.6
"""How far from where it is read wave V may be picked."""

INTERPEAK_REACH_MS = 0.7
"""How far waves I and III may be from their usual place before wave V."""

LEAST_MARKS = 30
"""Training recordings with a marked wave from which its place can be fitted."""

BANDS_HZ = ((0.0, 300.0), (300.0, 1000.0), (1000.0, np.inf))
"""Slow baseline and wave V, the faster waves, and what is mostly noise."""


@dataclass(frozen=True)
class Reading:
    """Where the network reads a wave V, (N,), and its latency in ms, (N,)."""

    present: NDArray[np.bool_]
    latency_ms: Floats

    @classmethod
    def of(cls, said: AbrPredictions) -> Reading:
        """Take what is needed here from predictions."""
        return cls(said.v_present, said.latency_ms.value)


@dataclass(frozen=True)
class UsualIntervals:
    """How long before wave V waves I and III come, by level, age and rate.

    A place that is expected from the conditions alone would not do for wave V itself: its latency depends on
    the ear, and a wave V that is generated too late would be looked for where it is not.

    Attributes
    ----------
    before_v_ms
        Coefficients, (F,) for each of the two waves; None where too few training recordings have the mark.
    usual
        Median of level, age and rate, for recordings of which one is not known.
    """

    before_v_ms: tuple[Floats | None, Floats | None]
    usual: Floats

    @classmethod
    def fit(cls, training: AbrRecordings) -> UsualIntervals:
        """Fit by least squares on the marked waves of training recordings."""
        known = [column[np.isfinite(column)] for column in _conditions(training)]
        usual = np.array([np.median(column) if len(column) else 0.0 for column in known])
        features = _features(training, usual)
        latency_ms = np.where(training.latency_mask[:, None], training.wave_latency_ms, np.nan)
        before = [latency_ms[:, WAVE_V] - latency_ms[:, WAVES.index(wave)] for wave in ("I", "III")]
        return cls((_least_squares(features, before[0]), _least_squares(features, before[1])), usual)

    def at(self, recordings: AbrRecordings) -> Floats:
        """Return how long before wave V waves I and III come, (N, 2); NaN where it is not known."""
        features, unknown = _features(recordings, self.usual), np.full(len(recordings), np.nan)
        found = [unknown if fitted is None else features @ fitted for fitted in self.before_v_ms]
        return np.stack(found, axis=1)


def measure(
    recordings: AbrRecordings, reading: Reading, intervals: UsualIntervals, *, least_wave: float
) -> dict[str, Floats]:
    """Return what is measured on each trace, (N,) each, NaN where it does not apply; units in the names.

    Parameters
    ----------
    recordings
        N traces with their conditions.
    reading
        Where wave V counts as there, and is looked for; waves are measured on these traces only.
    intervals
        Where waves I and III are looked for.
    least_wave
        Amplitude from which a peak counts as a wave in the intervals between waves: noise peaks as well.
    """
    signal, time_ms = recordings.signal_uv, recordings.time_ms
    unit = "uv" if recordings.signal_unit == "uV" else "sd"
    place = np.where(reading.present, reading.latency_ms, np.nan)
    latency, amplitude = pick_wave(signal, time_ms, place, reach_ms=V_REACH_MS)
    waves = np.column_stack([latency[:, None] - intervals.at(recordings), latency])
    gaps = pick_interpeaks(signal, time_ms, waves, reach_ms=INTERPEAK_REACH_MS, least_uv=least_wave)
    return {
        "wave_v_present": reading.present.astype(np.float64),
        "wave_v_latency_ms": latency,
        f"wave_v_amplitude_{unit}": amplitude,
        "interpeak_i_iii_ms": gaps[:, 0],
        "interpeak_iii_v_ms": gaps[:, 1],
        "interpeak_i_v_ms": gaps[:, 2],
        f"trace_sd_{unit}": signal.std(axis=1, dtype=np.float64),
        **_band_sds(recordings, unit),
    }


def _band_sds(recordings: AbrRecordings, unit: str) -> dict[str, Floats]:
    """Return the SD of each trace within frequency bands, by a Hann window, which keeps slow drift slow."""
    signal = recordings.signal_uv.astype(np.float64)
    window = np.hanning(recordings.n_times + 2)[1:-1]
    centred = signal - (signal @ window / window.sum())[:, None]
    power = np.abs(np.fft.rfft(centred * window, axis=1)) ** 2
    # Both halves of the spectrum, and the mean square of the window, make the bands add up to the variance.
    power *= 2 / (recordings.n_times * np.square(window).sum())
    frequency = np.fft.rfftfreq(recordings.n_times, 1 / recordings.sample_rate_hz)
    bands = {}
    for low, high in BANDS_HZ:
        inside = (frequency >= low) & (frequency < high)
        name = f"above_{low:g}" if np.isinf(high) else f"{low:g}_to_{high:g}"
        bands[f"sd_{name}_hz_{unit}"] = np.sqrt(power[:, inside].sum(axis=1))
    return bands


def _conditions(recordings: AbrRecordings) -> list[Floats]:
    level, age, rate = recordings.level_db_nhl, recordings.age_years, recordings.rate_hz
    return [level / 100.0, np.log1p(age.astype(np.float64)), rate / 100.0]


def _features(recordings: AbrRecordings, usual: Floats) -> Floats:
    """Return a parabola in level and in the logarithm of age, and a line in rate, (N, 6)."""
    level, age, rate = (
        np.where(np.isfinite(column), column, stand_in).astype(np.float64)
        for column, stand_in in zip(_conditions(recordings), usual, strict=True)
    )
    return np.stack([np.ones_like(level), level, level**2, age, age**2, rate], axis=1)


def _least_squares(features: Floats, values: Floats) -> Floats | None:
    known = np.isfinite(values)
    if known.sum() < LEAST_MARKS:
        return None
    fitted: Floats = np.asarray(np.linalg.lstsq(features[known], values[known], rcond=None)[0], np.float64)
    return fitted
