"""Log band power against what is known of sines and noise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuroprism.eeg.baselines.band_power import BANDS_HZ, log_band_power

NAMES = list(BANDS_HZ)


def _sine(frequency_hz: float, seconds: int = 4) -> np.ndarray:
    return np.sin(2 * np.pi * frequency_hz * np.arange(200 * seconds) / 200)


@pytest.mark.parametrize(
    ("frequency_hz", "band"),
    [(2, "delta"), (6, "theta"), (10, "alpha"), (16, "beta1"), (25, "beta2"), (40, "gamma")],
)
def test_a_sine_lies_in_its_band_and_channel(frequency_hz: float, band: str) -> None:
    rng = np.random.default_rng(0)
    windows = rng.normal(size=(1, 3, 800))
    windows[0, 1] += 50 * _sine(frequency_hz)
    features = log_band_power(windows.astype(np.float32)).reshape(3, len(NAMES))
    assert np.unravel_index(features.argmax(), features.shape) == (1, NAMES.index(band))


def test_white_noise_has_its_density_in_every_band() -> None:
    windows = np.random.default_rng(1).normal(scale=5, size=(4, 2, 40_000)).astype(np.float32)
    # 25 uV^2 spread over the 100 Hz up to the Nyquist frequency.
    np.testing.assert_allclose(log_band_power(windows), np.log(0.25), atol=0.15)


@settings(deadline=None, max_examples=20)
@given(st.floats(0.5, 50), st.sampled_from([200, 400, 1000]))
def test_amplitude_adds_to_every_feature(factor: float, n_times: int) -> None:
    windows = np.random.default_rng(2).normal(size=(2, 3, n_times)).astype(np.float32) * 10
    louder = log_band_power((windows * factor).astype(np.float32))
    np.testing.assert_allclose(louder, log_band_power(windows) + 2 * np.log(factor), atol=1e-3)


def test_a_flat_channel_and_a_window_of_one_second_have_features() -> None:
    windows = np.random.default_rng(3).normal(size=(2, 2, 200)).astype(np.float32)
    windows[0, 1] = 0
    features = log_band_power(windows)
    assert features.shape == (2, 2 * len(BANDS_HZ))
    assert features.dtype == np.float32
    assert np.isfinite(features).all()
