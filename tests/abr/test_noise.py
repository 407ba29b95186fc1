from __future__ import annotations

import numpy as np
import pytest
from scipy import signal, stats

from neuroprism.abr.noise import (
    N_BLOCKS,
    block_sd_uv,
    fmp,
    noise_blocks,
    spectrum,
    unit_noise_covariance,
)

RATE_HZ = 20_000.0
TIME_MS = np.arange(200) * 0.05


def recordings(n: int, rng: np.random.Generator, residual_uv: float = 0.04) -> np.ndarray:
    sd = block_sd_uv(np.full(n, residual_uv), rng)
    return noise_blocks(n, len(TIME_MS), RATE_HZ, rng) * sd[:, :, None].astype(np.float32)


def test_blocks_have_unit_variance_and_are_independent() -> None:
    blocks = noise_blocks(600, 200, RATE_HZ, np.random.default_rng(0))
    assert blocks.shape == (600, N_BLOCKS, 200)
    assert blocks.dtype == np.float32
    assert float((blocks.astype(float) ** 2).mean()) == pytest.approx(1.0, abs=0.03)
    # Every sample has the same variance: the window has no special places.
    by_sample = (blocks.astype(float) ** 2).mean(axis=(0, 1))
    assert np.abs(by_sample - 1).max() < 0.1
    between = [np.corrcoef(blocks[:, 0, k], blocks[:, 1, k])[0, 1] for k in range(0, 200, 20)]
    assert np.abs(np.mean(between)) < 0.05


def test_the_ends_of_a_window_are_not_alike() -> None:
    blocks = noise_blocks(600, 200, RATE_HZ, np.random.default_rng(1)).reshape(-1, 200)
    neighbours = np.corrcoef(blocks[:, 0], blocks[:, 1])[0, 1]
    ends = np.corrcoef(blocks[:, 0], blocks[:, -1])[0, 1]
    assert neighbours > 0.9
    assert abs(ends) < 0.6


def test_the_spectrum_falls_from_100_hz_behind_its_band_limits() -> None:
    power = spectrum(4000, RATE_HZ) ** 2
    f = np.fft.rfftfreq(4000, 1 / RATE_HZ)
    assert power.sum() == pytest.approx(1)
    at = {hz: power[np.argmin(np.abs(f - hz))] for hz in (20, 50, 110, 300, 1000, 3000, 8000)}
    assert at[20] < 0.01 * at[110]
    assert at[110] > at[300] > at[1000] > at[3000] > at[8000]
    assert at[8000] < 1e-4 * at[110]


def test_noise_has_that_spectrum() -> None:
    # Welch's estimate of long noise, without the slow waves' share below 80 Hz.
    blocks = noise_blocks(40, 4000, RATE_HZ, np.random.default_rng(2))
    f, density = signal.welch(blocks.astype(float), RATE_HZ, nperseg=4000, window="boxcar", axis=-1)
    found = density.mean(axis=(0, 1))
    expected = spectrum(4000, RATE_HZ) ** 2
    band = (f >= 100) & (f <= 1000)
    ratio = (found[band] / found[band].sum()) / (expected[band] / expected[band].sum())
    assert np.abs(ratio - 1).max() < 0.25


@pytest.mark.parametrize("residual_uv", [0.02, 0.1])
def test_the_average_has_the_stated_residual_noise(residual_uv: float) -> None:
    average = recordings(3000, np.random.default_rng(3), residual_uv).mean(axis=1).astype(float)
    assert np.sqrt((average**2).mean()) == pytest.approx(residual_uv, rel=0.03)


def test_noise_changes_over_a_recording() -> None:
    sd = block_sd_uv(np.full(2000, 0.04), np.random.default_rng(4))
    np.testing.assert_allclose((sd**2).mean(axis=1), 0.04**2 * N_BLOCKS, rtol=1e-9)
    assert 0.25 < (sd.std(axis=1) / sd.mean(axis=1)).mean() < 0.55


def test_fmp_without_a_response_follows_f_5_250() -> None:
    # Elberling and Don 1984; the conventional criterion is 3.1.
    rng = np.random.default_rng(5)
    values = np.concatenate([fmp(recordings(1000, rng), TIME_MS) for _ in range(6)])
    reference = stats.f(5, 250)
    assert values.mean() == pytest.approx(reference.mean(), abs=0.05)
    assert np.median(values) == pytest.approx(reference.median(), abs=0.08)
    assert np.quantile(values, 0.95) == pytest.approx(reference.ppf(0.95), abs=0.15)
    assert np.quantile(values, 0.99) == pytest.approx(reference.ppf(0.99), abs=0.4)
    assert (values > reference.ppf(0.99)).mean() == pytest.approx(0.01, abs=0.005)


def test_fmp_is_the_ratio_of_variances() -> None:
    blocks = recordings(3, np.random.default_rng(6))
    for n, value in enumerate(fmp(blocks, TIME_MS)):
        used = blocks[n][:, TIME_MS >= 1.0].astype(float)
        averaged = np.var([used[:, t].mean() for t in range(used.shape[1])], ddof=1)
        single = np.mean([np.var(used[:, t], ddof=1) for t in range(used.shape[1])])
        assert value == pytest.approx(averaged / (single / N_BLOCKS), rel=1e-6)


def test_fmp_grows_with_a_response_and_ignores_the_artefact() -> None:
    blocks = recordings(200, np.random.default_rng(7))
    without = fmp(blocks, TIME_MS)
    response = 0.2 * np.exp(-0.5 * ((TIME_MS - 6.0) / 0.4) ** 2).astype(np.float32)
    assert (fmp(blocks + response, TIME_MS) > 1.2 * without).mean() > 0.9
    artefact = np.where(TIME_MS < 0.9, 5.0, 0.0).astype(np.float32)
    np.testing.assert_allclose(fmp(blocks + artefact, TIME_MS), without)


@pytest.mark.parametrize("n_times", [200, 256])
def test_covariance_is_that_of_drawn_noise(n_times: int) -> None:
    drawn = noise_blocks(2000, n_times, RATE_HZ, np.random.default_rng(0)).reshape(-1, n_times)
    empirical = drawn.T.astype(np.float64) @ drawn / len(drawn)
    expected = unit_noise_covariance(n_times, RATE_HZ)
    variance = np.diag(expected)
    # Variance of an empirical covariance of Gaussians (Isserlis 1918).
    error = np.sqrt((np.outer(variance, variance) + expected**2) / len(drawn))
    assert np.abs((empirical - expected) / error).max() < 5.5
    assert variance == pytest.approx(1.0, abs=1e-6)
