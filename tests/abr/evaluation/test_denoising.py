from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neuroprism.abr.evaluation.denoising import INPUT_SNRS_DB, LinearDenoiser, denoising_results
from neuroprism.abr.noise import noise_blocks
from neuroprism.abr.recordings import AbrRecordings
from neuroprism.abr.trained import load_trained


@pytest.fixture(scope="module")
def results(trained_run, balanced_set: AbrRecordings, small_set: AbrRecordings):
    trained = load_trained(trained_run.best)
    return denoising_results(trained, balanced_set, small_set, n_recordings=40, seed=0)


def of(results, name: str, snr_db: float | None):
    return next(one for one in results if one.name == name and one.input_snr_db == snr_db).scores


def test_the_input_has_the_stated_ratio(results) -> None:
    for ratio in INPUT_SNRS_DB:
        assert of(results, "snr_gain_db", ratio)["noisy input"].value == pytest.approx(0.0, abs=1e-9)
        # r of a signal and itself with noise of this ratio, where the noise is not correlated with it.
        expected = 1 / np.sqrt(1 + 10 ** (-ratio / 10))
        assert of(results, "correlation", ratio)["noisy input"].value == pytest.approx(expected, abs=0.06)


def test_less_noise_is_denoised_better(results) -> None:
    for method in ("network", "linear estimate"):
        errors = [of(results, "mse_uv2", ratio)[method].value for ratio in INPUT_SNRS_DB]
        assert errors == sorted(errors, reverse=True)


def test_the_response_alone_has_no_gain(results) -> None:
    assert not [one for one in results if one.input_snr_db is None and one.name == "snr_gain_db"]
    assert of(results, "correlation", None)["linear estimate"].value > 0.999


def test_the_linear_estimate_beats_its_input_and_a_band_pass(
    results, balanced_set: AbrRecordings, small_set: AbrRecordings
) -> None:
    for ratio in INPUT_SNRS_DB:
        scores = of(results, "mse_uv2", ratio)
        assert scores["linear estimate"].value < scores["noisy input"].value


def test_the_linear_estimate_is_the_conditional_mean_of_gaussian_signals(balanced_set: AbrRecordings) -> None:
    """Where signals are Gaussian no estimate is better; one that takes another noise for true is worse."""
    rng = np.random.default_rng(2)
    part = balanced_set.select(np.arange(400))
    assert part.clean_uv is not None
    # Signals with the mean and covariance of the responses, but Gaussian.
    responses = balanced_set.clean_uv[balanced_set.v_present].astype(np.float64)
    gaussian = rng.multivariate_normal(
        responses.mean(axis=0), np.cov(responses, rowvar=False), len(part), check_valid="ignore"
    )
    unit = noise_blocks(len(part), part.n_times, part.sample_rate_hz, rng).mean(axis=1) * 4.0
    noise_uv = np.full(len(part), 0.1, dtype=np.float32)
    noisy = replace(part, signal_uv=(gaussian + 0.1 * unit).astype(np.float32), residual_noise_uv=noise_uv)
    linear = LinearDenoiser(balanced_set)
    right = np.mean((linear(noisy) - gaussian) ** 2)
    for factor in (0.5, 2.0):
        wrong = linear(replace(noisy, residual_noise_uv=noise_uv * np.float32(factor)))
        assert right < np.mean((wrong - gaussian) ** 2)


def test_without_true_responses_nothing_is_measured(trained_run, small_set: AbrRecordings) -> None:
    trained = load_trained(trained_run.best)
    real = replace(small_set, clean_uv=None)
    for training, test in ((small_set, real), (real, small_set)):
        assert denoising_results(trained, training, test, n_recordings=5, seed=0) == []
