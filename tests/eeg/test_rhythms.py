"""Simulated signals have EEG's amplitude and spectrum, and a rhythm that tells the class."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import welch

from neuroprism.eeg.simulate.rhythms import (
    background,
    rhythm_of,
    simulate_balance,
    simulate_eeg,
    simulate_timeline,
    subject_gain,
)

SHAPE = {"n_channels": 16, "n_times": 6000, "sample_rate_hz": 200.0}


def power(signal: np.ndarray, low: float, high: float, rate: float = 200.0) -> np.ndarray:
    frequencies, density = welch(signal, rate, nperseg=400, axis=-1)
    return density[..., (frequencies >= low) & (frequencies <= high)].mean(axis=-1)


def test_background_falls_with_frequency_and_is_shared_by_neighbours() -> None:
    noise = background(np.random.default_rng(0), n_channels=32, n_times=40_000, sample_rate_hz=200.0)
    assert noise.shape == (32, 40_000)
    assert noise.dtype == np.float32
    assert noise.std() == pytest.approx(10, rel=1e-3)
    ratio = power(noise, 4, 6).mean() / power(noise, 40, 60).mean()
    assert 7 < ratio < 14  # 1/f predicts 10
    correlation = np.corrcoef(noise)
    assert np.diag(correlation, 1).mean() > 0.5
    assert abs(correlation[0, -1]) < 0.3


@pytest.mark.parametrize("n_rhythms", [2, 4, 9])
def test_the_rhythm_of_a_class_is_where_and_how_fast_it_is_declared(n_rhythms: int) -> None:
    for label in range(n_rhythms):
        signal = simulate_eeg(np.random.default_rng(label), rhythm=label, n_rhythms=n_rhythms, **SHAPE)
        frequency, pattern = rhythm_of(label, n_rhythms, 16)
        at = power(signal, frequency - 1.5, frequency + 1.5)
        frequencies, density = welch(signal, 200.0, nperseg=400)
        peak = frequencies[density[pattern.argmax()][frequencies > 3].argmax() + (frequencies <= 3).sum()]
        assert abs(peak - frequency) <= max(0.5, 0.06 * frequency)
        assert at[pattern.argmax()] > 2 * at[pattern.argmin()]
        assert 5 < signal.std() < 40


def test_a_timeline_has_its_rhythm_only_where_it_says() -> None:
    timeline = [(10.0, 20.0, 1)]
    signal = simulate_timeline(np.random.default_rng(3), timeline=timeline, n_rhythms=2, **SHAPE)
    frequency, pattern = rhythm_of(1, 2, 16)
    best = signal[pattern.argmax()]
    inside = power(best[2000:4000], frequency - 1.5, frequency + 1.5)
    outside = power(np.delete(best, slice(2000, 4000)), frequency - 1.5, frequency + 1.5)
    assert inside > 20 * outside


def test_balance_follows_the_target() -> None:
    ratios = []
    for value in (0.1, 0.5, 0.9):
        signal = simulate_balance(np.random.default_rng(4), targets=[(0.0, 30.0, value)], **SHAPE)
        ratios.append(power(signal, 5.5, 6.5).mean() / power(signal, 9.5, 10.5).mean())
    assert ratios[0] * 4 < ratios[1]
    assert ratios[1] * 4 < ratios[2]


def test_the_seed_decides() -> None:
    made = [simulate_eeg(np.random.default_rng(seed), rhythm=0, n_rhythms=2, **SHAPE) for seed in (5, 5, 6)]
    np.testing.assert_array_equal(made[0], made[1])
    assert np.abs(made[0] - made[2]).max() > 1


def test_gain_scales_everything() -> None:
    once, twice = (
        simulate_eeg(np.random.default_rng(7), rhythm=0, n_rhythms=2, gain=gain, **SHAPE) for gain in (1, 2)
    )
    np.testing.assert_allclose(twice, 2 * once, rtol=1e-5)
    gains = [subject_gain(np.random.default_rng(seed)) for seed in range(50)]
    assert 0.8 <= min(gains) < max(gains) <= 1.25


def test_a_class_that_is_not_declared_is_refused() -> None:
    with pytest.raises(ValueError, match="rhythm 2 of 2"):
        rhythm_of(2, 2, 16)
