"""The signal chain against known sinusoids, scipy's frequency response and FFT resampling."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal as scipy_signal

from neuroprism.core.errors import DataError
from neuroprism.eeg.signal import (
    bipolar,
    condition,
    cut_windows,
    derivations,
    rate_ratio,
    resample,
    windows_at,
)
from neuroprism.eeg.spec import Preprocessing

NONE = Preprocessing()
FIR = Preprocessing(high_pass_hz=0.3, low_pass_hz=75.0, notch_hz=60.0)


def tone(frequency_hz: float, rate_hz: float, seconds: float) -> np.ndarray:
    return np.cos(2 * np.pi * frequency_hz * np.arange(round(seconds * rate_hz)) / rate_hz)


def middle(values: np.ndarray, rate_hz: float, edge_s: float) -> np.ndarray:
    edge = round(edge_s * rate_hz)
    return values[..., edge:-edge]


@pytest.mark.parametrize("rate", [160, 250, 256, 500, 512, 1000])
def test_polyphase_resampling_keeps_a_band_limited_signal(rate: int) -> None:
    rng = np.random.default_rng(rate)
    frequencies = rng.integers(1, 61, size=8)
    phases = rng.uniform(0, 2 * np.pi, size=8)

    def at(rate_hz: float) -> np.ndarray:
        times = np.arange(round(10 * rate_hz)) / rate_hz
        return np.cos(2 * np.pi * frequencies[:, None] * times + phases[:, None]).sum(axis=0)

    found = resample(at(rate), rate)
    by_fft = scipy_signal.resample(at(rate), 2000)  # exact: the signal is periodic in the window
    np.testing.assert_allclose(by_fft, at(200), atol=1e-9)
    # The polyphase filter ripples by 0.3 per cent; only the ends differ by more.
    assert np.abs(middle(found - by_fft, 200, 0.5)).max() < 0.01 * np.abs(by_fft).max()


@pytest.mark.parametrize("rate", [256, 500, 1000])
def test_what_200_hz_cannot_hold_does_not_alias(rate: int) -> None:
    found = resample(tone(120, rate, 10), rate)
    assert np.abs(middle(found, 200, 1)).max() < 0.01


def test_an_offset_and_a_drift_do_not_ring_at_the_edges() -> None:
    ramp = 4000.0 + 3.0 * np.arange(2560) / 256
    found = resample(ramp, 256)
    np.testing.assert_allclose(found, 4000.0 + 3.0 * np.arange(2000) / 200, rtol=1e-12)


def test_a_signal_of_200_hz_is_not_touched() -> None:
    values = np.random.default_rng(0).standard_normal((3, 777))
    np.testing.assert_array_equal(condition(values, 200.0, NONE), values)


@pytest.mark.parametrize(
    ("frequency", "gain"), [(0.02, 0.0), (1.0, 1.0), (10.0, 1.0), (40.0, 1.0), (60.0, 0.0), (97.0, 0.0)]
)
def test_filters_pass_and_stop_what_is_declared(frequency: float, gain: float) -> None:
    seconds = 120.0
    found = condition(tone(frequency, 256, seconds)[None], 256.0, FIR)[0]
    expected = gain * tone(frequency, 200, seconds)
    # Equal sample by sample: the gain is right, and there is no delay.
    assert np.abs(middle(found - expected, 200, 15)).max() < 0.02


def test_impulse_response_is_symmetric() -> None:
    impulse = np.zeros((1, 12_001))
    impulse[0, 6000] = 1.0
    found = condition(impulse, 200.0, FIR)[0]
    np.testing.assert_allclose(found, found[::-1], atol=1e-9)
    assert found.argmax() == 6000


def test_butterworth_equals_the_squared_response_of_scipy() -> None:
    declared = Preprocessing(high_pass_hz=0.3, low_pass_hz=40.0, butterworth_order=5)
    impulse = np.zeros((1, 40_001))
    impulse[0, 20_000] = 1.0
    found = condition(impulse, 200.0, declared)[0]
    frequencies, spectrum = np.fft.rfftfreq(len(found), 1 / 200), np.abs(np.fft.rfft(found))
    sections = scipy_signal.butter(5, (0.3, 40.0), "bandpass", fs=200.0, output="sos")
    _, once = scipy_signal.sosfreqz(sections, worN=frequencies, fs=200.0)
    np.testing.assert_allclose(spectrum, np.abs(once) ** 2, atol=2e-3)
    np.testing.assert_allclose(found, found[::-1], atol=1e-6)


def test_one_edge_alone_is_a_high_or_low_pass() -> None:
    slow, fast = tone(0.02, 200, 200)[None], tone(80.0, 200, 200)[None]
    high = Preprocessing(high_pass_hz=0.3, butterworth_order=5)
    low = Preprocessing(low_pass_hz=40.0, butterworth_order=5)
    for declared, stopped, passed in ((high, slow, fast), (low, fast, slow)):
        assert np.abs(middle(condition(stopped, 200.0, declared), 200, 30)).max() < 0.01
        np.testing.assert_allclose(
            middle(condition(passed, 200.0, declared), 200, 30), middle(passed, 200, 30), atol=0.01
        )


def test_average_reference_commutes_with_the_filters() -> None:
    values = np.random.default_rng(1).standard_normal((5, 20 * 160)) * 20 + 7
    declared = Preprocessing(high_pass_hz=0.3, notch_hz=60.0, reference="average")
    found = condition(values, 160.0, declared)
    np.testing.assert_allclose(found.sum(axis=0), 0.0, atol=1e-9)
    filtered = condition(values, 160.0, Preprocessing(high_pass_hz=0.3, notch_hz=60.0))
    np.testing.assert_allclose(found, filtered - filtered.mean(axis=0), atol=1e-9)


def test_channels_are_worked_through_alike_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(2).standard_normal((5, 20 * 256))
    whole = condition(values, 256.0, FIR)
    monkeypatch.setattr("neuroprism.eeg.signal._BLOCK_VALUES", 2 * values.shape[1])
    np.testing.assert_allclose(condition(values, 256.0, FIR), whole, atol=1e-12)


def test_a_recording_shorter_than_the_filter_is_refused_not_distorted() -> None:
    condition(np.ones((1, 11 * 200)), 200.0, Preprocessing(high_pass_hz=0.3))
    with pytest.raises(
        DataError, match=r"a\.edf: lasts 5\.0 s, shorter than the 11\.0 s of the declared filter"
    ):
        condition(np.ones((1, 1000)), 200.0, Preprocessing(high_pass_hz=0.3), where="a.edf")


def test_a_filter_above_half_the_rate_is_refused() -> None:
    with pytest.raises(DataError, match="sampled at 100 Hz, too low for the declared filter at 75 Hz"):
        condition(np.ones((1, 10_000)), 100.0, FIR)


@settings(max_examples=60, deadline=None)
@given(n=st.integers(0, 60), n_times=st.integers(1, 20), stride=st.integers(1, 30))
def test_windows_are_the_pieces_of_the_signal(n: int, n_times: int, stride: int) -> None:
    values = np.arange(2 * n, dtype=float).reshape(2, n)
    cut, starts_s = cut_windows(values, n_times, stride)
    assert cut.shape[0] == max(0, (n - n_times) // stride + 1)
    assert cut.dtype == np.float32
    np.testing.assert_allclose(starts_s * 200, stride * np.arange(len(cut)), rtol=1e-12)
    for window, start in zip(cut, stride * np.arange(len(cut)), strict=True):
        np.testing.assert_array_equal(window, values[:, start : start + n_times])
    beside, _ = cut_windows(values, n_times)
    assert len(beside) == n // n_times


def test_windows_at_given_samples() -> None:
    values = np.arange(20.0).reshape(2, 10)
    np.testing.assert_array_equal(windows_at(values, [7, 0], 3)[:, 1], [[17, 18, 19], [10, 11, 12]])


def test_bipolar_derivations_and_what_is_missing() -> None:
    values = np.array([[1.0, 2.0], [10.0, 30.0], [5.0, 5.0]])
    pairs = derivations(("FP1-F7", "F7-T3"))
    assert pairs == [("FP1", "F7"), ("F7", "T3")]
    np.testing.assert_array_equal(bipolar(values, ["T3", "Fp1", "F7"], pairs), [[5.0, 25.0], [4.0, 3.0]])
    with pytest.raises(DataError, match="x: missing channel T3; the file has FP1, F7"):
        bipolar(values[:2], ["FP1", "F7"], pairs, where="x")


@given(st.sampled_from([128.0, 160.0, 200.0, 250.0, 256.0, 500.0, 512.0, 1000.0]), st.integers(2, 3000))
@settings(max_examples=40, deadline=None)
def test_length_after_resampling(rate: float, n: int) -> None:
    ratio = rate_ratio(rate)
    assert float(ratio) == pytest.approx(200 / rate)
    assert condition(np.ones((1, n)), rate, NONE).shape == (1, int(np.ceil(n * 200 / rate)))
