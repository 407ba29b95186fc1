"""Noise of simulated sub-averages, and Fmp measured on them.

A recording is the mean of `N_BLOCKS` sub-averages, as clinical devices keep
them. Their noise is coloured like EEG and EMG behind a 100-3000 Hz filter, with
mains and a slow baseline, and its variance changes from block to block (Don and
Elberling 1994).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neuroprism.abr.physiology import Floats

N_BLOCKS = 16
FMP_FROM_MS = 1.0
"""Fmp leaves out the stimulus artefact before this time."""

MAINS_HZ, MAINS_SHARE = 50.0, 0.10
BASELINE_HZ, BASELINE_SHARE = 17.0, 0.10
BLOCK_SPREAD = 0.4
EEG_SLOPE, MUSCLE_LEVEL = 3.0, 0.003

ARTEFACT_DECAY_MS = 0.15
ARTEFACT_SD_UV = 0.05
"""At 80 dB nHL."""

Traces = NDArray[np.float32]


def spectrum(n_times: int, sample_rate_hz: float) -> Floats:
    """Return the amplitude spectrum of the coloured noise at the frequencies of `rfft`, unit power in all.

    EEG falls with frequency, muscle adds a plateau up to about 1500 Hz, behind
    band limits of fourth order at 100 Hz and second order at 3000 Hz. Slope and
    limits are chosen so that Fmp over 10 ms without a response follows
    F(5, 250), as Elberling and Don 1984 found.
    """
    f = np.fft.rfftfreq(n_times, 1.0 / sample_rate_hz)
    power = np.zeros_like(f)
    positive = f[1:]
    eeg = (100.0 / positive) ** EEG_SLOPE
    muscle = MUSCLE_LEVEL / (1.0 + (positive / 1500.0) ** 4)
    band = 1.0 / (1.0 + (100.0 / positive) ** 8) / (1.0 + (positive / 3000.0) ** 4)
    power[1:] = (eeg + muscle) * band
    amplitude: Floats = np.sqrt(power / power.sum())
    return amplitude


def noise_blocks(n: int, n_times: int, sample_rate_hz: float, rng: np.random.Generator) -> Traces:
    """Return noise of unit variance, (n, N_BLOCKS, T), independent from block to block."""
    # Twice the window: what comes from a Fourier series must not be periodic in it.
    length = 2 * n_times
    shape = spectrum(length, sample_rate_hz).astype(np.float32)
    parts = rng.standard_normal((2, n, N_BLOCKS, len(shape)), dtype=np.float32)
    white = (parts[0] + 1j * parts[1]) * (shape * np.float32(length / 2.0))
    coloured = np.fft.irfft(white, length, axis=-1)[..., :n_times].astype(np.float32)
    rest = 1.0 - MAINS_SHARE**2 - BASELINE_SHARE**2
    slow = _slow_waves(n, n_times, sample_rate_hz, rng)
    result: Traces = coloured * np.float32(np.sqrt(rest)) + slow
    return result


def averaged_noise(n: int, n_times: int, sample_rate_hz: float, rng: np.random.Generator) -> Traces:
    """Return noise of unit variance as it is left in recordings, (n, T): the mean of sub-averages, scaled."""
    blocks = noise_blocks(n, n_times, sample_rate_hz, rng)
    result: Traces = blocks.mean(axis=1) * np.float32(np.sqrt(N_BLOCKS))
    return result


def unit_noise_covariance(n_times: int, sample_rate_hz: float) -> Floats:
    """Return the covariance of `noise_blocks`, (T, T).

    The coloured part is a Fourier series over twice the window with independent Gaussian coefficients; mains
    and baseline are sinusoids with Gaussian coefficients of their cosine and sine. All are stationary.
    """
    lag_s = np.arange(n_times) / sample_rate_hz
    length = 2 * n_times
    power = spectrum(length, sample_rate_hz) ** 2
    # The inverse Fourier transform takes the Nyquist term once and its real part only.
    power[-1] /= 4.0
    frequency_hz = np.fft.rfftfreq(length, 1.0 / sample_rate_hz)
    by_lag = (1.0 - MAINS_SHARE**2 - BASELINE_SHARE**2) * (
        np.cos(2 * np.pi * lag_s[:, None] * frequency_hz) @ power
    )
    for slow_hz, share in ((MAINS_HZ, MAINS_SHARE), (BASELINE_HZ, BASELINE_SHARE)):
        by_lag += share**2 * np.cos(2 * np.pi * slow_hz * lag_s)
    samples = np.arange(n_times)
    covariance: Floats = by_lag[np.abs(samples[:, None] - samples)]
    return covariance


def artefact_shape(time_ms: Floats) -> Floats:
    """Return the stimulus artefact at unit amplitude, (T,)."""
    shape: Floats = np.exp(-time_ms / ARTEFACT_DECAY_MS)
    return shape


def artefact_growth(level_db_nhl: Floats | float) -> Floats:
    """Return the factor on the amplitude of the stimulus artefact; 1 at 80 dB nHL."""
    growth: Floats = 10.0 ** ((np.asarray(level_db_nhl, dtype=np.float64) - 80.0) / 40.0)
    return growth


def artefact_sd_uv(level_db_nhl: Floats | float) -> Floats:
    """Return the SD of the amplitude of the stimulus artefact."""
    return ARTEFACT_SD_UV * artefact_growth(level_db_nhl)


def _slow_waves(n: int, n_times: int, sample_rate_hz: float, rng: np.random.Generator) -> Traces:
    """Return mains and baseline of random phase: Gaussian coefficients of a cosine and a sine each."""
    time_s = np.arange(n_times) / sample_rate_hz
    basis = [
        share * wave(2 * np.pi * frequency * time_s)
        for frequency, share in ((MAINS_HZ, MAINS_SHARE), (BASELINE_HZ, BASELINE_SHARE))
        for wave in (np.cos, np.sin)
    ]
    coefficients = rng.standard_normal((n, N_BLOCKS, len(basis)), dtype=np.float32)
    result: Traces = coefficients @ np.array(basis, dtype=np.float32)
    return result


def block_sd_uv(residual_noise_uv: Floats, rng: np.random.Generator) -> Floats:
    """Return the SD of each block, (n, N_BLOCKS), so that their mean has the stated residual noise."""
    spread = rng.lognormal(0.0, BLOCK_SPREAD, (len(residual_noise_uv), N_BLOCKS))
    spread /= np.sqrt((spread**2).mean(axis=1, keepdims=True))
    sd: Floats = residual_noise_uv[:, None] * np.sqrt(N_BLOCKS) * spread
    return sd


def fmp(blocks: Traces, time_ms: Floats) -> Floats:
    """Return the variance ratio Fmp of recordings from their sub-averages, (n,).

    The variance of the average over time, over the variance of its noise,
    estimated at every point from the scatter of the blocks (Elberling and Don
    1984; Fsp uses a single point). Without a response it follows an F
    distribution with mean about 1.

    Parameters
    ----------
    blocks
        (n, blocks, T).
    time_ms
        (T,).
    """
    used = blocks[:, :, time_ms >= FMP_FROM_MS].astype(np.float64)
    signal = used.mean(axis=1).var(axis=1, ddof=1)
    noise = used.var(axis=1, ddof=1).mean(axis=1) / blocks.shape[1]
    ratio: Floats = signal / noise
    return ratio
