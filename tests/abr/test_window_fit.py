"""Other rates and windows become those of the network, and every change is said."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neuroprism.abr.scaler import AbrScaler
from neuroprism.abr.unlabelled import unlabelled
from neuroprism.abr.window_fit import fit_to_window
from neuroprism.core.errors import DataError


@pytest.fixture
def scaler(trained_run: Any) -> AbrScaler:
    return trained_run.scaler


def wave(time_ms: np.ndarray) -> np.ndarray:
    """Return something smooth that is defined at every time."""
    return 0.3 * np.sin(2 * np.pi * time_ms / 3.1) * np.exp(-(((time_ms - 6) / 3) ** 2))


def fit(scaler: AbrScaler, sample_rate_hz: float, start_ms: float, end_ms: float) -> Any:
    time_ms = np.arange(start_ms, end_ms, 1000.0 / sample_rate_hz)
    return fit_to_window(unlabelled(wave(time_ms), sample_rate_hz=sample_rate_hz, start_ms=start_ms), scaler)


def test_recordings_that_fit_stay_as_they_are(trained_run: Any) -> None:
    found, notes = fit_to_window(trained_run.recordings, trained_run.scaler)
    np.testing.assert_array_equal(found.signal_uv, trained_run.recordings.signal_uv)
    np.testing.assert_array_equal(found.hearing_class, trained_run.recordings.hearing_class)
    assert notes == []


@pytest.mark.parametrize("sample_rate_hz", [20_000.0, 48_000.0, 24_414.0625, 10_000.0, 100_000.0])
@pytest.mark.parametrize("start_ms", [0.0, -1.0, -1.013])
def test_samples_keep_their_time(scaler: AbrScaler, sample_rate_hz: float, start_ms: float) -> None:
    found, notes = fit(scaler, sample_rate_hz, start_ms, 15.0)
    assert (found.n_times, found.start_ms, found.sample_rate_hz) == (256, 0.0, 20_000.0)
    np.testing.assert_allclose(found.signal_uv[0], wave(found.time_ms), atol=2e-3)
    said = "; ".join(notes)
    assert ("resampled from" in said) == (sample_rate_hz != 20_000)
    assert ("interpolated" in said) == (start_ms == -1.013)
    assert f"cropped from {start_ms:g}" in said


def test_a_little_missing_time_is_padded_and_more_is_refused(scaler: AbrScaler) -> None:
    found, notes = fit(scaler, 20_000.0, 0.3, 12.5)
    assert notes == ["padded by 0.6 ms to 0 to 12.75 ms"]
    np.testing.assert_allclose(found.signal_uv[0, 6:250], wave(found.time_ms[6:250]), atol=1e-6)
    assert (found.signal_uv[0, :6] == found.signal_uv[0, 6]).all()
    with pytest.raises(DataError, match=r"cover 0 to 9\.95 ms .* needs 0 to 12\.75 ms"):
        fit(scaler, 20_000.0, 0.0, 10.0)
    with pytest.raises(DataError, match=r"cover 1 to 14\.95 ms"):
        fit(scaler, 20_000.0, 1.0, 15.0)


def test_an_absurd_rate_is_refused(scaler: AbrScaler) -> None:
    with pytest.raises(DataError, match="cannot be brought to"):
        fit_to_window(unlabelled(np.arange(9.0), sample_rate_hz=1e12), scaler)


def test_scale_follows_the_network_where_it_can(trained_run: Any) -> None:
    from dataclasses import replace

    zscore = replace(trained_run.scaler, signal_unit="zscore")
    found, notes = fit_to_window(trained_run.recordings, zscore)
    np.testing.assert_allclose(found.signal_uv.std(axis=1), 1.0, rtol=1e-5)
    assert "scaled to mean 0" in notes[0]
    with pytest.raises(DataError, match="lost their scale"):
        fit_to_window(replace(trained_run.recordings, signal_unit="zscore"), trained_run.scaler)


def test_classes_of_others_are_left_out(trained_run: Any) -> None:
    from dataclasses import replace

    found, _ = fit_to_window(replace(trained_run.recordings, class_names=("a", "b")), trained_run.scaler)
    assert (found.hearing_class == -1).all()
    assert found.class_names == trained_run.scaler.class_names
