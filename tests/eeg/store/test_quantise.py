"""Integers lose less than is promised, or floats are kept."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from neuroprism.eeg.quantise import quantise


def decoded(values: np.ndarray) -> np.ndarray:
    stored = quantise(values)
    return stored.values.astype(np.float32) * np.float32(stored.scale_uv)


@given(
    values=arrays.arrays(
        np.float32,
        (2, 2, 6),
        elements=st.floats(-300, 300, width=32).map(lambda v: v if abs(v) > 1e-3 else 0.0),
    )
)
def test_error_is_at_most_half_a_step_and_a_share_of_the_range(values: np.ndarray) -> None:
    stored = quantise(values)
    error = np.abs(decoded(values) - values).max()
    if stored.values.dtype == np.int16:
        # Single precision rounds the product once more.
        assert error <= stored.scale_uv / 2 + np.abs(values).max() * 2**-22
        assert error <= (values.max() - values.min()) / 20_000 * 1.01
    else:
        assert error == 0
        assert stored.scale_uv == 1


def eeg(seed: int = 0, sd_uv: float = 20) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, sd_uv, (6, 4, 400)).astype(np.float32)


@pytest.mark.parametrize("sd_uv", [0.5, 20, 3000])
def test_eeg_is_stored_as_integers(sd_uv: float) -> None:
    values = eeg(sd_uv=sd_uv)
    stored = quantise(values)
    assert stored.values.dtype == np.int16
    assert np.abs(stored.values).max() == 32767
    noise = decoded(values) - values
    assert noise.std() < values.std() * 1e-4


def test_offset_far_from_zero_keeps_floats() -> None:
    values = eeg() + 50_000
    assert quantise(values).values.dtype == np.float32
    assert np.array_equal(decoded(values), values)


def test_huge_artefact_does_not_cost_the_quiet_channels() -> None:
    values = eeg()
    values[2, 1, 7] = 1e5
    assert quantise(values).values.dtype == np.float32
    values[2, 1, 7] = 1e3
    assert quantise(values).values.dtype == np.int16


def test_flat_channel_does_not_count_as_a_quiet_one() -> None:
    values = eeg()
    values[:, 2] = 0
    stored = quantise(values)
    assert stored.values.dtype == np.int16
    assert not stored.values[:, 2].any()


@pytest.mark.parametrize("value", [0.0, 3.25, -1e-30, 1e-44])
def test_constant_recording_is_exact(value: float) -> None:
    values = np.full((2, 3, 10), value, np.float32)
    assert np.array_equal(decoded(values), values)


def test_sequences_and_no_windows() -> None:
    assert quantise(eeg().reshape(3, 2, 4, 400)).values.shape == (3, 2, 4, 400)
    empty = quantise(np.empty((0, 4, 400), np.float32))
    assert (empty.values.dtype, empty.values.shape) == (np.int16, (0, 4, 400))
