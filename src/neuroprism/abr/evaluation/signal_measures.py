"""How near a trace comes to the true response: one number a recording."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neuroprism.abr.answers import Floats

Traces = NDArray[np.floating]


def mean_squared_error(found: Traces, clean: Traces) -> Floats:
    """Return the mean squared difference of traces (N, T), in the square of their unit, (N,)."""
    result: Floats = np.square(found.astype(np.float64) - clean).mean(axis=1)
    return result


def correlation(found: Traces, clean: Traces) -> Floats:
    """Return Pearson's correlation over time of each pair of traces (N, T), (N,); NaN of a flat one."""
    a, b = (x.astype(np.float64) - x.mean(axis=1, keepdims=True, dtype=np.float64) for x in (found, clean))
    return _cosine(a, b)


def snr_db(found: Traces, clean: Traces) -> Floats:
    """Return power of the response (its mean taken off) over power of the error, in dB, (N,)."""
    power = clean.astype(np.float64).var(axis=1)
    error = mean_squared_error(found, clean)
    # An error of exactly zero is rounding: its ratio would be infinite, and no mean could hold it.
    result: Floats = 10 * np.log10(power / np.maximum(error, 1e-12 * power))
    return result


def spectral_similarity(found: Traces, clean: Traces, sample_rate_hz: float) -> Floats:
    """Return the cosine of Welch's power spectra (segments of half the window) of traces (N, T), (N,)."""
    from scipy.signal import welch

    spectra = [
        welch(x.astype(np.float64), fs=sample_rate_hz, nperseg=x.shape[1] // 2, axis=1)[1]
        for x in (found, clean)
    ]
    return _cosine(*spectra)


def envelope_similarity(found: Traces, clean: Traces) -> Floats:
    """Return the correlation of the Hilbert envelopes of traces (N, T), (N,)."""
    from scipy.signal import hilbert

    envelopes = [
        np.abs(hilbert(x.astype(np.float64) - x.mean(axis=1, keepdims=True), axis=1)) for x in (found, clean)
    ]
    return correlation(envelopes[0], envelopes[1])


def _cosine(a: Floats, b: Floats) -> Floats:
    product = (a * b).sum(axis=1)
    size = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    cosine: Floats = np.divide(product, size, out=np.full_like(product, np.nan), where=size > 0)
    return cosine
