"""How the samples of noise hang together, so that a filter can weigh them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neuroprism.abr.recordings import AbrRecordings

Floats = NDArray[np.float64]

ARTEFACT_MS = 1.0
"""The stimulus artefact fills the time before; no filter looks at it."""

MIN_RECORDINGS = 20
RIDGE = 3e-3
"""Share of white noise that is added: the tail of the spectrum is not known better."""


def after_artefact(time_ms: Floats) -> NDArray[np.bool_]:
    """Return which samples are looked at, (T,)."""
    return time_ms >= ARTEFACT_MS


def noise_correlation(training: AbrRecordings) -> Floats:
    """Return the correlation matrix of noise at the samples looked at, (T', T').

    From recordings in which wave V was judged absent, as stationary noise: a single autocorrelation for all
    times. White noise where there are fewer than `MIN_RECORDINGS` of them.
    """
    used = after_artefact(training.time_ms)
    noise = training.signal_uv[training.v_mask & ~training.v_present][:, used].astype(np.float64)
    n_times = int(used.sum())
    power = (noise**2).mean(axis=1)
    noise = noise[power > 0] / np.sqrt(power[power > 0])[:, None]
    if len(noise) < MIN_RECORDINGS:
        return np.eye(n_times)
    # Twice the length keeps the ends of the window apart.
    spectrum = (np.abs(np.fft.rfft(noise, 2 * n_times, axis=1)) ** 2).mean(axis=0)
    correlation = np.fft.irfft(spectrum)[:n_times] / np.arange(n_times, 0, -1)
    # A taper keeps the matrix positive definite, which unbiased estimates need not be.
    correlation *= np.linspace(1.0, 0.0, n_times, endpoint=False)
    place = np.arange(n_times)
    found: Floats = correlation[np.abs(place[:, None] - place[None, :])] / correlation[0]
    return (1.0 - RIDGE) * found + RIDGE * np.eye(n_times)
