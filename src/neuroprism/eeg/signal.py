"""From a continuous recording to windows: filter, reference, resample, cut - in this order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from neuroprism.core.errors import DataError
from neuroprism.eeg.checks import pick
from neuroprism.eeg.spec import SAMPLE_RATE_HZ, Preprocessing

Signal = npt.NDArray[np.float64]

_BLOCK_VALUES = 4_000_000
"""Values that are filtered at a time: 32 MB."""

_NOTCH_SECONDS = 6.6
"""Length of the notch: 3.3 divided by its transition of 0.5 Hz (Hamming window)."""


def condition(
    signal_uv: npt.NDArray[np.floating],
    sample_rate_hz: float,
    preprocessing: Preprocessing,
    *,
    where: str = "recording",
) -> Signal:
    """Filter a continuous signal without phase shift, reference and resample it.

    The reference comes first in the code: it is the same linear combination at
    every instant, so the order of filter and reference does not matter, and the
    channels can then be worked through a few at a time in little memory. Bipolar
    derivations are formed before, with `bipolar`.

    Parameters
    ----------
    signal_uv
        (C, T) microvolt.
    sample_rate_hz
        Of the signal.
    preprocessing
        What the dataset declares.
    where
        Names the recording in error messages.

    Returns
    -------
    (C, T') float64 microvolt at 200 Hz, T' = ceil(T x 200 / rate).

    Raises
    ------
    DataError
        If the recording is shorter than the impulse response of a filter, or
        an edge of the filter lies above half the sample rate.
    """
    _check_filters(signal_uv.shape[1], sample_rate_hz, preprocessing, where)
    common = signal_uv.mean(axis=0, dtype=np.float64) if preprocessing.reference == "average" else 0.0
    ratio = rate_ratio(sample_rate_hz)
    out = np.empty((len(signal_uv), -(-signal_uv.shape[1] * ratio.numerator // ratio.denominator)))
    n_rows = max(1, _BLOCK_VALUES // max(1, signal_uv.shape[1]))
    for k in range(0, len(signal_uv), n_rows):
        block = signal_uv[k : k + n_rows].astype(np.float64) - common
        out[k : k + n_rows] = resample(_filter(block, sample_rate_hz, preprocessing), sample_rate_hz)
    return out


def rate_ratio(sample_rate_hz: float) -> Fraction:
    """Return 200 Hz over `sample_rate_hz` as a fraction of small integers, e.g. 5/4 for 160 Hz."""
    return SAMPLE_RATE_HZ / Fraction(sample_rate_hz).limit_denominator(1000)


def resample(signal: npt.NDArray[np.floating], sample_rate_hz: float) -> Signal:
    """Resample the last axis to 200 Hz with a polyphase filter.

    The line through the two ends is taken off before and put back after: an
    offset or a slow drift then neither rings at the edges nor comes through as
    a ripple of the filter's phases.
    """
    from scipy.signal import resample_poly

    ratio = rate_ratio(sample_rate_hz)
    values = np.asarray(signal, dtype=np.float64)
    if ratio == 1:
        return values
    n = values.shape[-1]
    slope = (values[..., -1:] - values[..., :1]) / max(1, n - 1)
    level = values - (values[..., :1] + slope * np.arange(n))
    resampled: Signal = resample_poly(level, ratio.numerator, ratio.denominator, axis=-1)
    resampled += values[..., :1] + slope * (np.arange(resampled.shape[-1]) / float(ratio))
    return resampled


def cut_windows(
    signal: npt.NDArray[np.floating], n_times: int, stride: int | None = None
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]:
    """Cut a signal of 200 Hz into windows; a remainder that fills no window is dropped.

    Parameters
    ----------
    signal
        (C, T).
    n_times
        Samples of a window.
    stride
        Samples from one start to the next; None cuts windows side by side.

    Returns
    -------
    values
        (n, C, n_times) float32.
    starts_s
        (n,) seconds.
    """
    starts = np.arange(0, signal.shape[1] - n_times + 1, stride or n_times)
    return windows_at(signal, starts, n_times), starts / SAMPLE_RATE_HZ


def windows_at(
    signal: npt.NDArray[np.floating], starts: npt.ArrayLike, n_times: int
) -> npt.NDArray[np.float32]:
    """Cut windows of `n_times` samples at the given first samples: (n, C, n_times) float32."""
    firsts = np.asarray(starts, dtype=np.int64)
    values = np.empty((len(firsts), len(signal), n_times), dtype=np.float32)
    for row, first in zip(values, firsts, strict=True):
        row[:] = signal[:, first : first + n_times]
    return values


def derivations(channels: Sequence[str]) -> list[tuple[str, str]]:
    """Return the two electrodes of each channel, e.g. ("FP1", "F7") for ``"FP1-F7"``."""
    return [(anode, cathode) for anode, cathode in (name.split("-") for name in channels)]


def bipolar(
    signal: npt.NDArray[np.floating],
    names: Sequence[str],
    pairs: Sequence[tuple[str, str]],
    *,
    where: str = "recording",
) -> Signal:
    """Form derivations: the first electrode of each pair minus the second.

    Parameters
    ----------
    signal
        (C, T) against one common reference.
    names
        (C,) electrode names.
    pairs
        Electrodes of each derivation.
    where
        Names the recording in error messages.

    Returns
    -------
    (len(pairs), T) float64.

    Raises
    ------
    DataError
        If an electrode is missing.
    """
    wanted = list(dict.fromkeys(electrode for pair in pairs for electrode in pair))
    rows = dict(zip(wanted, pick(names, wanted, where), strict=True))
    out = np.empty((len(pairs), signal.shape[1]))
    for k, (anode, cathode) in enumerate(pairs):
        np.subtract(signal[rows[anode]], signal[rows[cathode]], out=out[k])
    return out


def _check_filters(n_times: int, rate: float, preprocessing: Preprocessing, where: str) -> None:
    """Refuse what a filter would distort without a word."""
    edges = (preprocessing.high_pass_hz, preprocessing.low_pass_hz, preprocessing.notch_hz)
    highest = max((edge for edge in edges if edge is not None), default=0.0)
    if highest >= rate / 2:
        raise DataError(f"{where}: sampled at {rate:g} Hz, too low for the declared filter at {highest:g} Hz")
    needed = max(_band_seconds(rate, preprocessing), _NOTCH_SECONDS if preprocessing.notch_hz else 0.0)
    if n_times < math.ceil(needed * rate):
        raise DataError(
            f"{where}: lasts {n_times / rate:.1f} s, shorter than the {needed:.1f} s of the declared filter"
        )


def _band_seconds(rate: float, preprocessing: Preprocessing) -> float:
    """Return the length of the impulse response of the band filter.

    The transition bands are MNE's: a quarter of the edge, at least 2 Hz, but
    no wider than what is left below the high-pass edge or above the low-pass edge.
    """
    low, high = preprocessing.high_pass_hz, preprocessing.low_pass_hz
    widths = []
    if low is not None:
        widths.append(min(max(low * 0.25, 2.0), low))
    if high is not None:
        widths.append(min(max(high * 0.25, 2.0), rate / 2 - high))
    return 3.3 / min(widths) if widths else 0.0


def _filter(signal: Signal, rate: float, preprocessing: Preprocessing) -> Signal:
    """Filter (C, T) without phase shift."""
    low, high = preprocessing.high_pass_hz, preprocessing.low_pass_hz
    if preprocessing.butterworth_order is not None:
        signal = _butterworth(signal, rate, low, high, preprocessing.butterworth_order)
    elif low is not None or high is not None:
        from mne.filter import filter_data

        signal = filter_data(signal, rate, low, high, copy=False, verbose="ERROR")
    if preprocessing.notch_hz is not None:
        from mne.filter import notch_filter

        signal = notch_filter(signal, rate, preprocessing.notch_hz, copy=False, verbose="ERROR")
    return signal


def _butterworth(signal: Signal, rate: float, low: float | None, high: float | None, order: int) -> Signal:
    """Run a Butterworth filter in second-order sections forward and backward."""
    from scipy.signal import butter, sosfiltfilt

    edges: list[float] = [edge for edge in (low, high) if edge is not None]
    if not edges:
        return signal
    kind = "bandpass" if len(edges) == 2 else "highpass" if low is not None else "lowpass"
    sections = butter(order, edges if len(edges) == 2 else edges[0], kind, fs=rate, output="sos")
    # One period of the lowest edge settles the start-up transient outside of the recording.
    pad = min(signal.shape[1] - 1, math.ceil(rate / min(edges)))
    result: Signal = sosfiltfilt(sections, signal, axis=1, padlen=pad)
    return result
