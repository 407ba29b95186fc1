from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuroprism.monitor.history import Curve
from neuroprism.monitor.history.curve import N_BINS

FloatArray = npt.NDArray[np.float64]


def curve_of(rows: Any, accepted: Any = None, *, cuts: tuple[int, ...] = ()) -> Curve:
    """Return the curve of (n, S) rows that come in pieces."""
    values = np.asarray(rows, dtype=np.float64)
    values = values[:, None] if values.ndim == 1 else values
    known = np.isfinite(values) if accepted is None else np.asarray(accepted, dtype=np.bool_)
    known = known[:, None] if known.ndim == 1 else known
    curve = Curve(values.shape[1])
    steps = np.arange(1, len(values) + 1)
    for part in np.split(np.arange(len(values)), sorted(cuts)):
        curve.add(values[part], known[part], steps[part])
    return curve


def noise(n: int, seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).standard_normal(n)


@pytest.mark.parametrize("n", [1, 127, 128, 129, 256, 1000, 5000])
def test_bins_are_plain_statistics_of_equal_pieces(n: int) -> None:
    values = noise(n)
    curve = curve_of(values)
    size = curve.bin_rows
    pieces = [values[k : k + size] for k in range(0, n, size)]
    whole = [piece for piece in pieces if len(piece) == size]
    np.testing.assert_allclose(curve.means()[:, 0], [piece.mean() for piece in whole])
    np.testing.assert_allclose(curve.means(complete=False)[:, 0], [piece.mean() for piece in pieces])
    np.testing.assert_array_equal(curve.lows(complete=False)[:, 0], [piece.min() for piece in pieces])
    np.testing.assert_array_equal(curve.highs(complete=False)[:, 0], [piece.max() for piece in pieces])
    np.testing.assert_array_equal(curve.counts()[:, 0], [size] * len(whole))
    np.testing.assert_array_equal(curve.last_steps(), np.arange(size, n + 1, size))


@given(st.integers(1, 3000))
@settings(max_examples=30, deadline=None)
def test_64_to_128_bins_cover_a_run(n: int) -> None:
    curve = curve_of(np.arange(n))
    assert curve.n_rows == n
    assert len(curve) <= N_BINS
    assert n < N_BINS or len(curve) > N_BINS // 2
    assert curve.bin_rows & (curve.bin_rows - 1) == 0
    assert curve.last_steps(complete=False)[-1] == n


@given(
    st.lists(st.one_of(st.integers(-1000, 1000).map(float), st.just(np.nan)), min_size=1, max_size=700),
    st.lists(st.integers(0, 700), max_size=6),
)
@settings(max_examples=60, deadline=None)
def test_pieces_make_the_same_bins_to_the_last_bit(values: list[float], cuts: list[int]) -> None:
    # Sums of small whole numbers are exact, so that nothing but the bins themselves is compared.
    whole, pieces = curve_of(values), curve_of(values, cuts=tuple(min(cut, len(values)) for cut in cuts))
    assert json.dumps(whole.state_dict()) == json.dumps(pieces.state_dict())


def test_merged_bins_are_those_of_a_coarser_curve() -> None:
    values = np.round(100 * noise(1024))
    fine, coarse = curve_of(values[:128]), curve_of(values)
    assert (fine.bin_rows, coarse.bin_rows) == (1, 8)
    np.testing.assert_array_equal(coarse.means()[:16, 0], values[:128].reshape(16, 8).mean(axis=1))
    np.testing.assert_array_equal(coarse.lows()[:16, 0], values[:128].reshape(16, 8).min(axis=1))
    np.testing.assert_array_equal(coarse.highs()[:16, 0], values[:128].reshape(16, 8).max(axis=1))


def test_what_is_not_accepted_counts_nowhere() -> None:
    values = noise(512)
    accepted = np.random.default_rng(1).random(512) < 0.7
    spoiled = np.where(accepted, values, np.where(values > 0, np.inf, 1e9))
    curve = curve_of(spoiled, accepted)
    pieces = zip(values.reshape(-1, 4), accepted.reshape(-1, 4), strict=True)
    expected = [piece[known].mean() if known.any() else np.nan for piece, known in pieces]
    np.testing.assert_allclose(curve.means()[:, 0], expected)
    assert curve.highs().max() == values[accepted].max()
    assert curve.counts().sum() == accepted.sum()


def test_a_series_that_is_never_there_has_no_mean() -> None:
    curve = curve_of(np.column_stack([noise(300), np.full(300, np.nan)]))
    assert np.isnan(curve.means()[:, 1]).all()
    assert not curve.counts()[:, 1].any()
    assert (curve.lows()[:, 1] == np.inf).all()
    assert np.isnan(curve.row_noise()[:, 1]).all()
    assert np.isnan(curve.serial_correlation(0)[1])


def test_noise_of_rows_is_found_on_a_slope() -> None:
    slope = np.linspace(0, 20, 8192)
    curve = curve_of(slope + 0.5 * noise(8192))
    assert np.median(curve.row_noise()) == pytest.approx(0.5, rel=0.05)


def test_noise_leaves_gaps_out() -> None:
    values = noise(4096)
    values[np.random.default_rng(2).random(4096) < 0.3] = np.nan
    assert np.median(curve_of(values).row_noise()) == pytest.approx(1.0, rel=0.1)


def test_changes_of_white_noise_correlate_by_minus_one_half() -> None:
    correlation = curve_of(noise(8192)).serial_correlation(0)[0]
    assert correlation == pytest.approx(-0.5, abs=0.05)


def test_changes_that_alternate_or_swing_do_not_look_like_noise() -> None:
    k = np.arange(4096)
    alternating = 1 + 0.1 * (-1.0) ** k
    swinging = np.sin(k / 10)
    correlation = curve_of(np.column_stack([alternating, swinging])).serial_correlation(0)
    np.testing.assert_allclose(correlation, [-1, np.cos(0.1)], atol=0.01)


def test_correlation_is_that_of_numpy_from_a_bin_on() -> None:
    values = np.cumsum(noise(1024, 3)) + 5 * noise(1024, 4)
    curve = curve_of(values)
    changes = np.diff(values)[64 * curve.bin_rows - 1 :]
    before = np.diff(values)[64 * curve.bin_rows - 2 : -1]
    expected = (changes * before).sum() / (changes * changes).sum()
    assert curve.serial_correlation(64)[0] == pytest.approx(expected)


@given(st.integers(1, 400), st.integers(0, 400))
@settings(max_examples=30, deadline=None)
def test_a_saved_curve_goes_on_to_the_last_bit(n: int, more: int) -> None:
    values = np.column_stack([noise(n + more), np.where(noise(n + more, 5) > 0, 1.0, np.nan)])
    known, steps = np.isfinite(values), np.arange(1, n + more + 1)
    curve, other = Curve(2), Curve(2)
    curve.add(values[:n], known[:n], steps[:n])
    other.load_state_dict(json.loads(json.dumps(curve.state_dict())))
    for each in (curve, other):
        each.add(values[n:], known[n:], steps[n:])
    assert json.dumps(curve.state_dict()) == json.dumps(other.state_dict())
