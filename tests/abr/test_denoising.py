"""Denoised recordings: exact where the answer is known, repeatable, refused where it cannot be had."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from neuroprism.abr import denoising
from neuroprism.abr.denoising import RecordingNoise, denoise
from neuroprism.abr.noise import unit_noise_covariance
from neuroprism.abr.recordings import AbrRecordings
from neuroprism.abr.trained import TrainedAbr, load_trained
from neuroprism.core.errors import DataError, UserError

QUICK: dict[str, Any] = {"steps": 3, "draws": 2}


@pytest.fixture(scope="module")
def trained(trained_run: Any) -> TrainedAbr:
    return load_trained(trained_run.folder)


@pytest.fixture(scope="module")
def recordings(trained_run: Any) -> AbrRecordings:
    return trained_run.recordings.select(np.arange(6))


class Known:
    """A network that gives the expected clean signal in closed form."""

    def __init__(self, trained: TrainedAbr, clean: Any) -> None:
        self.trained = trained
        self.clean = clean

    def predict_signal(self, x_t: Tensor, t: Tensor, *_: Any) -> Tensor:
        schedule = self.trained.schedule
        x0 = self.clean(x_t, schedule.signal[t].view(-1, 1, 1), schedule.noise[t].view(-1, 1, 1))
        return schedule.target(x0, schedule.to_noise(x0, x_t, t, "x0"), t)


def with_network(trained: TrainedAbr, clean: Any) -> TrainedAbr:
    wide = replace(trained.scaler, clip=(-1e6, 1e6))
    known: Any = Known(trained, clean)
    return replace(trained, network=known, scaler=wide)


def test_the_response_to_gaussian_signals_is_the_exact_conditional_mean(
    trained: TrainedAbr, recordings: AbrRecordings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For signals x ~ N(0, I) the network's estimate is known, and so is E[x | y] = (I + s^2 C)^-1 y."""
    monkeypatch.setattr(denoising, "TRUST", 1.0)
    exact = with_network(trained, lambda x_t, signal, noise: signal * x_t)
    scale = trained.scaler.signal
    rng = np.random.default_rng(0)
    n_times, ratio = trained.n_times, 0.7
    covariance = ratio**2 * unit_noise_covariance(n_times, trained.sample_rate_hz)
    y = rng.multivariate_normal(np.zeros(n_times), np.eye(n_times) + covariance, len(recordings))
    noisy = replace(recordings, signal_uv=scale.invert(y).astype(np.float32))
    found = denoise(exact, noisy, residual_noise_uv=ratio * scale.sd, steps=8, draws=200)
    expected = scale.invert(np.linalg.solve(np.eye(n_times) + covariance, y.T).T)
    # A draw has an SD of at most 1 around the mean, 200 draws 0.07.
    assert np.abs(found - expected).mean() / scale.sd < 0.06
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.995


def test_a_network_that_knows_the_response_returns_it(trained: TrainedAbr, recordings: AbrRecordings) -> None:
    response = 0.5 * torch.sin(torch.arange(trained.n_times) / 9.0)
    exact = with_network(trained, lambda x_t, signal, noise: response.expand_as(x_t))
    rng = np.random.default_rng(1)
    covariance = unit_noise_covariance(trained.n_times, trained.sample_rate_hz)
    noise = rng.multivariate_normal(np.zeros(trained.n_times), covariance, len(recordings))
    scale = trained.scaler.signal
    expected = scale.invert(response.double()).numpy()
    noisy = replace(recordings, signal_uv=(expected + 0.05 * noise).astype(np.float32))
    found = denoise(exact, noisy, residual_noise_uv=0.05, steps=20, draws=1)
    assert np.abs(found - expected).max() < 0.1 * np.abs(noisy.signal_uv - expected).max()


def test_without_noise_a_recording_is_its_response(trained: TrainedAbr, recordings: AbrRecordings) -> None:
    found = denoise(trained, recordings, residual_noise_uv=0.0, **QUICK)
    np.testing.assert_allclose(found, recordings.signal_uv, atol=1e-5)


def test_the_level_covers_the_noise_in_every_direction(trained: TrainedAbr) -> None:
    residual_uv = np.array([0.0, 0.01, 0.05, 0.2, 1e6])
    noise = RecordingNoise.of(trained, residual_uv)
    assert noise.levels[0] == 0
    assert noise.levels[-1] == trained.schedule.n_steps - 1
    assert (noise.levels.diff() >= 0).all()
    covered = noise.white[:4] ** 2 >= noise.variance[:4] * (1 - 1e-6)
    assert bool(covered.all())
    # One level lower would not.
    lower = trained.schedule.snr[noise.levels[1:4] - 1].rsqrt()
    assert bool((lower < noise.variance[1:4].amax(dim=(1, 2)).sqrt()).all())


def test_white_noise_is_made_of_that_of_the_recordings(trained: TrainedAbr) -> None:
    noise = RecordingNoise.of(trained, np.array([0.05]))
    generator = torch.Generator().manual_seed(0)
    extra = noise.complement(torch.randn(20_000, 1, trained.n_times, generator=generator)).squeeze(1)
    scale = (0.05 / trained.scaler.signal.sd) ** 2
    own = scale * torch.from_numpy(unit_noise_covariance(trained.n_times, trained.sample_rate_hz)).float()
    total = extra.T @ extra / len(extra) + own
    white = float(noise.white) ** 2
    torch.testing.assert_close(total, white * torch.eye(trained.n_times), atol=0.05 * white, rtol=0)


def test_equal_seeds_give_equal_responses_in_batches_of_any_size(
    trained: TrainedAbr, recordings: AbrRecordings
) -> None:
    found = denoise(trained, recordings, **QUICK)
    assert found.shape == recordings.signal_uv.shape
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, denoise(trained, recordings, **QUICK))
    np.testing.assert_allclose(denoise(trained, recordings, batch_size=5, **QUICK), found, atol=1e-5)
    few = denoise(trained, recordings.select(np.arange(2)), **QUICK)
    np.testing.assert_allclose(few, found[:2], atol=1e-5)
    assert np.abs(denoise(trained, recordings, seed=1, **QUICK) - found).max() > 1e-4
    assert np.abs(found - recordings.signal_uv).max() > 0.01


def test_recordings_that_cannot_be_denoised(trained: TrainedAbr, recordings: AbrRecordings) -> None:
    noise_uv = recordings.residual_noise_uv.copy()
    noise_uv[1:3] = np.nan
    unknown = replace(recordings, residual_noise_uv=noise_uv)
    with pytest.raises(DataError, match="residual_noise_uv is not known for 2 recordings"):
        denoise(trained, unknown)
    denoise(trained, unknown, residual_noise_uv=0.05, steps=1, draws=1)
    with pytest.raises(DataError, match="must be 0 or more, not -1"):
        denoise(trained, recordings, residual_noise_uv=-1.0)
    for name in ("steps", "draws"):
        with pytest.raises(UserError, match=f"{name} must be 1 or more"):
            denoise(trained, recordings, **{name: 0})
    with pytest.raises(DataError, match="sample_rate_hz"):
        denoise(trained, replace(recordings, sample_rate_hz=1000.0))
    with pytest.raises(DataError, match="lost their scale"):
        denoise(trained, replace(recordings, signal_unit="zscore"))
