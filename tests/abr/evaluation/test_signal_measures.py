from __future__ import annotations

import numpy as np
import pytest
from scipy import signal, spatial

from neuroprism.abr.evaluation import signal_measures

RATE_HZ = 20_000.0


@pytest.fixture
def pair() -> tuple[np.ndarray, np.ndarray]:
    """Return noisy and clean traces, (6, 256)."""
    rng = np.random.default_rng(0)
    time_ms = np.arange(256) / 20.0
    clean = np.exp(-0.5 * ((time_ms - rng.uniform(5, 8, (6, 1))) / 0.4) ** 2)
    return clean + rng.normal(0, 0.1, clean.shape), clean


def test_each_measure_is_that_of_scipy(pair) -> None:
    found, clean = pair
    for k in range(len(found)):
        one = found[k : k + 1], clean[k : k + 1]
        assert signal_measures.correlation(*one)[0] == pytest.approx(np.corrcoef(found[k], clean[k])[0, 1])
        assert signal_measures.mean_squared_error(*one)[0] == pytest.approx(
            np.mean((found[k] - clean[k]) ** 2)
        )
        spectra = [signal.welch(x[k], RATE_HZ, nperseg=128)[1] for x in pair]
        assert signal_measures.spectral_similarity(*one, RATE_HZ)[0] == pytest.approx(
            1 - spatial.distance.cosine(*spectra)
        )
        envelopes = [np.abs(signal.hilbert(x[k] - x[k].mean())) for x in pair]
        assert signal_measures.envelope_similarity(*one)[0] == pytest.approx(np.corrcoef(*envelopes)[0, 1])


def test_the_ratio_is_that_of_the_noise_that_was_added() -> None:
    rng = np.random.default_rng(1)
    clean = rng.normal(0, 1.0, (4, 20_000))
    noisy = clean + rng.normal(0, 0.1, clean.shape)
    np.testing.assert_allclose(signal_measures.snr_db(noisy, clean), 20.0, atol=0.15)
    assert (signal_measures.snr_db(clean, clean) > 100).all()


def test_a_flat_trace_has_no_correlation(pair) -> None:
    found, clean = pair
    assert np.isnan(signal_measures.correlation(np.zeros_like(found), clean)).all()
