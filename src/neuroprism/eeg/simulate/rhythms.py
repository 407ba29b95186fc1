"""EEG-like signals whose rhythm tells the class, so that a model can learn it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

RHYTHM_UV = 14.0
"""Amplitude of a rhythm where its scalp pattern is strongest."""

BACKGROUND_UV = 10.0
"""Standard deviation of the background."""

LOWEST_HZ, HIGHEST_HZ = 6.0, 28.0
"""Band over which the rhythms of the classes are spread, inside every declared filter."""

# Third-order approximation of a 1/f spectrum (Kellet; in Smith, Spectral Audio Signal Processing, 2011).
_PINK_B = (0.049922035, -0.095993537, 0.050612699, -0.004408786)
_PINK_A = (1.0, -2.494956002, 2.017265875, -0.522189400)

_BLOCK_S = 30.0
"""Length of the pieces in which rhythms are added, to keep memory small."""

Signal = npt.NDArray[np.float32]
Timeline = Sequence[tuple[float, float, int]]


def simulate_eeg(
    rng: np.random.Generator,
    *,
    n_channels: int,
    n_times: int,
    sample_rate_hz: float,
    rhythm: int,
    n_rhythms: int,
    gain: float = 1.0,
) -> Signal:
    """Simulate a stretch with the rhythm of one class.

    Parameters
    ----------
    rng
        Source of randomness.
    n_channels, n_times, sample_rate_hz
        Shape of the result.
    rhythm
        Class, from 0.
    n_rhythms
        Number of classes.
    gain
        Factor on the whole signal, e.g. of a subject (see `subject_gain`).

    Returns
    -------
    (C, T) float32 microvolt.
    """
    timeline = [(0.0, n_times / sample_rate_hz, rhythm)]
    return simulate_timeline(
        rng,
        n_channels=n_channels,
        n_times=n_times,
        sample_rate_hz=sample_rate_hz,
        timeline=timeline,
        n_rhythms=n_rhythms,
        gain=gain,
    )


def simulate_timeline(
    rng: np.random.Generator,
    *,
    n_channels: int,
    n_times: int,
    sample_rate_hz: float,
    timeline: Timeline,
    n_rhythms: int,
    gain: float = 1.0,
) -> Signal:
    """Simulate a continuous recording whose class changes over time.

    Parameters
    ----------
    rng, n_channels, n_times, sample_rate_hz, n_rhythms, gain
        As in `simulate_eeg`.
    timeline
        (start_s, stop_s, class) of each stretch; outside of them there is background only.

    Returns
    -------
    (C, T) float32 microvolt.
    """
    signal = background(rng, n_channels=n_channels, n_times=n_times, sample_rate_hz=sample_rate_hz)
    for start_s, stop_s, label in timeline:
        frequency, pattern = rhythm_of(label, n_rhythms, n_channels)
        _add(signal, rng, sample_rate_hz, (start_s, stop_s), frequency, RHYTHM_UV * pattern)
    signal *= np.float32(gain)
    return signal


def simulate_balance(
    rng: np.random.Generator,
    *,
    n_channels: int,
    n_times: int,
    sample_rate_hz: float,
    targets: Sequence[tuple[float, float, float]],
    gain: float = 1.0,
) -> Signal:
    """Simulate a recording whose balance of theta and alpha follows a target.

    Parameters
    ----------
    rng, n_channels, n_times, sample_rate_hz, gain
        As in `simulate_eeg`.
    targets
        (start_s, stop_s, value in [0, 1]); theta (6 Hz) grows with the value, alpha (10 Hz) falls.

    Returns
    -------
    (C, T) float32 microvolt.
    """
    signal = background(rng, n_channels=n_channels, n_times=n_times, sample_rate_hz=sample_rate_hz)
    theta, alpha = (rhythm_of(k, 2, n_channels)[1] for k in (0, 1))
    for start_s, stop_s, value in targets:
        _add(signal, rng, sample_rate_hz, (start_s, stop_s), 6.0, RHYTHM_UV * value * theta)
        _add(signal, rng, sample_rate_hz, (start_s, stop_s), 10.0, RHYTHM_UV * (1 - value) * alpha)
    signal *= np.float32(gain)
    return signal


def background(rng: np.random.Generator, *, n_channels: int, n_times: int, sample_rate_hz: float) -> Signal:
    """Return noise with a spectrum near 1/f that neighbouring channels share: (C, T) float32 microvolt."""
    from scipy.signal import lfilter

    # The filter needs a few seconds until its slowest pole has settled.
    n_settle = int(4 * sample_rate_hz)
    white = rng.standard_normal((n_channels, n_times + n_settle), dtype=np.float32)
    pink = lfilter(np.asarray(_PINK_B, np.float32), np.asarray(_PINK_A, np.float32), white, axis=1)[
        :, n_settle:
    ]
    position = np.arange(n_channels) / max(1, n_channels - 1)
    mixing = np.exp(-0.5 * ((position[:, None] - position[None, :]) / 0.1) ** 2) + 0.5 * np.eye(n_channels)
    mixing /= np.linalg.norm(mixing, axis=1, keepdims=True)
    mixed: Signal = mixing.astype(np.float32) @ pink
    mixed *= np.float32(BACKGROUND_UV / mixed.std())
    return mixed


def rhythm_of(label: int, n_rhythms: int, n_channels: int) -> tuple[float, npt.NDArray[np.float64]]:
    """Return frequency in Hz and scalp pattern (C,) of a class.

    Raises
    ------
    ValueError
        If `label` is not below `n_rhythms`.
    """
    if not 0 <= label < n_rhythms:
        raise ValueError(f"rhythm {label} of {n_rhythms}")
    share = label / max(1, n_rhythms - 1)
    frequency = LOWEST_HZ * (HIGHEST_HZ / LOWEST_HZ) ** share
    position = np.arange(n_channels) / max(1, n_channels - 1)
    # Several maxima over the channels: differences of channels, in whatever order, keep the rhythm.
    pattern = 0.55 + 0.45 * np.cos(np.pi * (6 * position - share))
    return frequency, pattern


def subject_gain(rng: np.random.Generator) -> float:
    """Draw the gain of a subject: people differ by tens of per cent in amplitude."""
    return float(rng.uniform(0.8, 1.25))


def _add(
    signal: Signal,
    rng: np.random.Generator,
    sample_rate_hz: float,
    span_s: tuple[float, float],
    frequency_hz: float,
    amplitudes_uv: npt.NDArray[np.float64],
) -> None:
    """Add a rhythm to a stretch in place; its frequency and amplitude wander from block to block."""
    first, last = (min(signal.shape[1], max(0, round(t * sample_rate_hz))) for t in span_s)
    step = round(_BLOCK_S * sample_rate_hz)
    for begin in range(first, last, step):
        n = min(step, last - begin)
        drawn = frequency_hz * rng.uniform(0.96, 1.04)
        wave = np.sin(2 * np.pi * drawn * np.arange(n) / sample_rate_hz + rng.uniform(0, 2 * np.pi))
        weights = (amplitudes_uv * rng.uniform(0.8, 1.2)).astype(np.float32)
        signal[:, begin : begin + n] += weights[:, None] * wave.astype(np.float32)
