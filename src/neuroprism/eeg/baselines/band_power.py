"""Features by rhythm: the log power of each channel in six bands."""

from __future__ import annotations

import numpy as np

from neuroprism.eeg.baselines.split_windows import Matrix, SplitWindows
from neuroprism.eeg.spec import SAMPLE_RATE_HZ

BANDS_HZ = {
    "delta": (1, 4),
    "theta": (4, 8),
    "alpha": (8, 13),
    "beta1": (13, 20),
    "beta2": (20, 30),
    "gamma": (30, 45),
}
"""Each from its lower edge up to, and without, its upper one."""

SEGMENT_S = 2
"""Length of Welch's segments; shorter windows are one segment."""

_LEAST_DENSITY = 1e-6
"""Microvolt squared per Hz: far below the noise of any amplifier, so that a flat channel has a logarithm."""


def log_band_power(windows: Matrix) -> Matrix:
    """Return the log of the mean spectral density in each band, by Welch's method.

    Parameters
    ----------
    windows
        (n, C, T) in microvolt at 200 Hz.

    Returns
    -------
    Matrix
        (n, 6 C), the bands of a channel beside each other.
    """
    from scipy.signal import welch

    length = min(SEGMENT_S * SAMPLE_RATE_HZ, windows.shape[-1])
    frequency_hz, density = welch(windows, fs=SAMPLE_RATE_HZ, nperseg=length, axis=-1)
    bands = [
        density[..., (frequency_hz >= low) & (frequency_hz < high)].mean(axis=-1)
        for low, high in BANDS_HZ.values()
    ]
    power = np.log(np.maximum(np.stack(bands, axis=-1), _LEAST_DENSITY))
    return np.asarray(power.reshape(len(windows), -1), dtype=np.float32)


class BandPowerFeatures:
    """Log band power; learns nothing from the training split."""

    notes: tuple[str, ...] = ()

    def fit(self, train: SplitWindows) -> Matrix:
        """Return the features of the training split."""
        return self.transform(train)

    def transform(self, windows: SplitWindows) -> Matrix:
        """Return the features of a split."""
        return windows.compute(log_band_power, "band power")
