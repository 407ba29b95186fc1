"""Tangent vectors against linear algebra written out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import eigvalsh
from scipy.signal import butter, sosfiltfilt
from sklearn.covariance import oas

from neuroprism.eeg.baselines import tangent_space
from neuroprism.eeg.baselines.split_windows import SplitWindows
from neuroprism.eeg.baselines.tangent_space import (
    TangentSpaceFeatures,
    align,
    covariance_vectors,
    pack,
    shrunk_covariances,
    unpack,
)


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 9), st.integers(1, 4), st.integers(0, 99))
def test_packing_keeps_symmetric_matrices(size: int, n: int, seed: int) -> None:
    half = np.random.default_rng(seed).normal(size=(n, size, size)).astype(np.float32)
    matrices = (half + half.swapaxes(1, 2)).astype(np.float64)
    vectors = pack(matrices)
    assert vectors.shape == (n, size * (size + 1) // 2)
    np.testing.assert_array_equal(unpack(vectors), matrices)


def test_the_band_is_kept_and_the_rest_is_filtered_out() -> None:
    t = np.arange(800) / 200
    windows = np.stack([np.sin(2 * np.pi * f * t) for f in (2, 15, 25, 60)]).astype(np.float32)[:, None]
    slow, middle, upper, mains = covariance_vectors(windows)[:, 0]
    assert middle == pytest.approx(0.5, rel=0.05)
    assert upper == pytest.approx(0.5, rel=0.15)
    assert max(slow, mains) < 0.005


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 12), st.integers(2, 40), st.integers(0, 99))
def test_shrinkage_is_that_of_scikit_learn(n_channels: int, n_times: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    signals = rng.normal(size=(2, n_channels, n_channels)) @ rng.normal(size=(2, n_channels, n_times)) + 3
    for mine, signal in zip(shrunk_covariances(signals), signals, strict=True):
        expected = oas(signal.T)[0].reshape(n_channels, n_channels)
        np.testing.assert_allclose(mine, expected, rtol=1e-9, atol=1e-9)


def test_filtering_in_single_precision_loses_nothing_that_matters() -> None:
    rng = np.random.default_rng(0)
    windows = np.cumsum(rng.normal(size=(4, 5, 1000)), axis=-1) + rng.normal(size=(4, 5, 1000)) + 5000
    sections = butter(4, (8, 30), btype="bandpass", fs=200, output="sos")
    exact = shrunk_covariances(sosfiltfilt(sections, windows, axis=-1))
    found = unpack(covariance_vectors(windows.astype(np.float32)))
    np.testing.assert_allclose(found, exact, rtol=1e-2, atol=1e-3 * np.abs(exact).max())


@pytest.mark.parametrize("n_channels", [3, 128])
def test_covariances_are_positive_definite_with_many_channels_and_flat_windows(n_channels: int) -> None:
    windows = np.random.default_rng(0).normal(size=(3, n_channels, 200)).astype(np.float32) * 10
    windows[1] = 0
    windows[2, 0] = 0
    for matrix in unpack(covariance_vectors(windows)):
        assert eigvalsh(matrix)[0] > 0


def test_the_length_of_a_tangent_vector_is_the_distance_from_the_reference(
    planted: Callable[..., Any],
) -> None:
    windows = SplitWindows(planted("binary"), "train")
    covariances = unpack(windows.compute(covariance_vectors, "test"))
    features = TangentSpaceFeatures()
    vectors = features.fit(windows)
    reference = features._tangent_space.reference_
    for covariance, vector in zip(covariances, vectors, strict=True):
        distance = np.sqrt((np.log(eigvalsh(covariance, reference)) ** 2).sum())
        assert np.linalg.norm(vector) == pytest.approx(distance, rel=1e-3)
    # At the Riemannian mean tangent vectors cancel.
    np.testing.assert_allclose(vectors.mean(axis=0), 0, atol=1e-4)


def test_many_windows_give_a_reference_from_some_of_them(
    planted: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    windows = SplitWindows(planted("binary"), "train")
    exact = TangentSpaceFeatures()
    vectors = exact.fit(windows)
    assert exact.notes == ()
    monkeypatch.setattr(tangent_space, "N_REFERENCE", 24)
    fewer = TangentSpaceFeatures()
    others = fewer.fit(windows)
    assert fewer.notes == ("reference point from 24 of 48 training windows, evenly spaced",)
    assert np.abs(others - vectors).max() < 0.5 * np.abs(vectors).max()


def test_blocks_do_not_matter(planted: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    windows = SplitWindows(planted("binary"), "train")
    whole = TangentSpaceFeatures(aligned=True).fit(windows)
    monkeypatch.setattr(tangent_space, "_BLOCK", 7)
    np.testing.assert_allclose(TangentSpaceFeatures(aligned=True).fit(windows), whole, atol=1e-5)


def test_alignment_makes_every_subject_white_on_average() -> None:
    rng = np.random.default_rng(1)
    subjects = np.repeat(["a", "b"], 30)
    windows = rng.normal(size=(60, 4, 400))
    windows[30:] = rng.normal(size=(4, 4)) @ windows[30:]
    aligned = align(covariance_vectors(windows.astype(np.float32)), subjects)
    for subject in ("a", "b"):
        mean = unpack(aligned)[subjects == subject].mean(axis=0)
        np.testing.assert_allclose(mean, np.eye(4), atol=1e-4)
