"""16-bit integers in place of floats, where nothing of the signal is lost by it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

LARGEST = 32767

RANGE_SHARE = 1 / 20_000
"""A rounding error above this share of the range of a recording is too much."""

NOISE_SHARE = 0.01
"""Rounding noise above this share of the amplitude of the quietest channel is too much: -40 dB."""

_SAMPLES = 200_000
"""Values a channel, at most, from which its amplitude is estimated."""


@dataclass(frozen=True, kw_only=True)
class Quantised:
    """Values as they are stored.

    Attributes
    ----------
    values
        int16, or the float32 values themselves.
    scale_uv
        Microvolt of one unit; 1 for float32.
    """

    values: npt.NDArray[np.int16] | npt.NDArray[np.float32]
    scale_uv: float


def quantise(values: npt.NDArray[np.float32]) -> Quantised:
    """Return int16 values with one scale, or the values unchanged where int16 would lose too much.

    The scale is the largest absolute value over 32767, and the error of a
    value at most half of it. That is too much where a recording lies far from
    zero (an offset), or where one artefact is so large that a quiet channel
    would be left with few steps.

    Parameters
    ----------
    values
        (n, ..., C, T) finite microvolt.

    Examples
    --------
    >>> stored = quantise(np.float32([[[-100.0, 50.0, 0.0]]]))
    >>> stored.values.tolist()
    [[[-32767, 16384, 0]]]
    """
    lowest, highest = (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
    peak = max(-lowest, highest)
    # In single precision, in which the loader multiplies.
    scale = float(np.float32(peak / LARGEST)) if peak > 0 else 1.0
    if scale == 0 or _loses_too_much(values, scale, highest - lowest):
        return Quantised(values=values, scale_uv=1.0)
    stored = np.empty(values.shape, dtype=np.int16)
    for row, window in zip(stored, values, strict=True):
        row[...] = np.rint(window / np.float32(scale)).clip(-LARGEST, LARGEST)
    return Quantised(values=stored, scale_uv=scale)


def _loses_too_much(values: npt.NDArray[np.float32], scale: float, extent: float) -> bool:
    if extent == 0:
        # One value throughout has no range to compare with; only zero is stored without an error.
        return bool(values.any())
    noise = scale / np.sqrt(12)
    return scale / 2 > RANGE_SHARE * extent or noise > NOISE_SHARE * _quietest(values)


def _quietest(values: npt.NDArray[np.float32]) -> float:
    """Return the least amplitude of a channel: half the distance of its 5th and 95th percentile."""
    n_times = values.size // values.shape[-2]
    sample = values[:: max(1, n_times // _SAMPLES)]
    low, high = np.percentile(np.moveaxis(sample, -2, 0).reshape(values.shape[-2], -1), (5, 95), axis=1)
    amplitudes = (high - low) / 2
    # A channel that is zero throughout stays exactly that.
    return float(amplitudes[amplitudes > 0].min(initial=np.inf))
