"""The Gaussian of the noise against noise that the simulator drew."""

from __future__ import annotations

import numpy as np
import pytest

from neuroprism.abr.ideal_observer.noise_model import NoiseModel
from neuroprism.abr.noise import artefact_sd_uv, artefact_shape, unit_noise_covariance
from neuroprism.abr.recordings import AbrRecordings


def test_whitened_noise_and_artefact_are_independent_of_unit_variance(balanced_set: AbrRecordings) -> None:
    assert balanced_set.clean_uv is not None
    rest = balanced_set.signal_uv.astype(np.float64) - balanced_set.clean_uv
    model = NoiseModel(balanced_set.n_times, balanced_set.sample_rate_hz)
    rows = zip(rest, balanced_set.residual_noise_uv, balanced_set.level_db_nhl, strict=True)
    white = np.array([model.whitened(row, float(noise), float(level)) for row, noise, level in rows])
    size2, n = (white**2).sum(axis=1), balanced_set.n_times
    for low_db, high_db in ((0, 50), (50, 80), (80, 101)):
        part = size2[(balanced_set.level_db_nhl >= low_db) & (balanced_set.level_db_nhl < high_db)]
        # Chi-squared with as many degrees of freedom as samples.
        assert abs(part.mean() - n) < 4 * np.sqrt(2 * n / len(part))
        assert part.var() == pytest.approx(2 * n, rel=5 * np.sqrt(2 / len(part)) + 0.05)


def test_fit_is_the_likelihood_ratio_of_dense_algebra(small_set: AbrRecordings) -> None:
    assert small_set.clean_uv is not None
    model = NoiseModel(small_set.n_times, small_set.sample_rate_hz)
    noise, level = float(small_set.residual_noise_uv[0]), 90.0
    artefact = float(artefact_sd_uv(level)) * artefact_shape(small_set.time_ms)
    unit = unit_noise_covariance(small_set.n_times, small_set.sample_rate_hz)
    inverse = np.linalg.inv(noise**2 * unit + np.outer(artefact, artefact))
    trace, responses = small_set.signal_uv[0].astype(np.float64), small_set.clean_uv[:200]
    fit = model.fit(model.hear(small_set.signal_uv[0], noise, level), responses)
    assert fit.b == pytest.approx(responses @ inverse @ trace, abs=0.01)
    power = np.einsum("pt,tu,pu->p", responses.astype(np.float64), inverse, responses)
    assert fit.c == pytest.approx(power, abs=0.01)
    white = model.whitened(trace, noise, level)
    assert white @ white == pytest.approx(trace @ inverse @ trace, rel=1e-9)
