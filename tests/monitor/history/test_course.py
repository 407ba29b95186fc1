from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from neuroprism.monitor.history import Course, Curve, slope_interval
from neuroprism.monitor.history.course import course_of, slope_intervals

FloatArray = npt.NDArray[np.float64]
Z_OF_95 = float(stats.norm.ppf(0.975))


def course(*series: FloatArray, lr: FloatArray | float = 1e-3) -> Course:
    """Return the course of series; the last column is the learning rate."""
    n = len(series[0])
    rows = np.column_stack([*series, np.ones(n) * lr])
    curve = Curve(rows.shape[1])
    curve.add(rows, np.isfinite(rows), np.arange(1, n + 1))
    found = course_of(curve, rows[:8], rate=rows.shape[1] - 1)
    assert found is not None
    return found


def noise(n: int, seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).standard_normal(n)


@given(st.integers(8, 24), st.integers(0, 2**32 - 1), st.floats(-1, 1))
@settings(max_examples=40, deadline=None)
def test_slope_and_interval_are_those_of_scipy(n: int, seed: int, trend: float) -> None:
    values = noise(n, seed) + trend * np.arange(n)
    expected = stats.theilslopes(values, np.arange(n), alpha=0.95)
    slope, low, high = slope_interval(values, z=Z_OF_95)
    assert slope == pytest.approx(expected.slope)
    ordered = np.sort([(values[j] - values[i]) / (j - i) for i in range(n) for j in range(i + 1, n)])
    ours, theirs = (
        np.abs(ordered[:, None] - ends).argmin(axis=0)
        for ends in ([low, high], [expected.low_slope, expected.high_slope])
    )
    # Which of two neighbouring slopes ends the interval is a matter of rounding.
    assert np.abs(ours - theirs).max() <= 1


@pytest.mark.parametrize("n", [8, 12, 24])
def test_a_rise_is_as_certain_as_the_same_fall(n: int) -> None:
    slope, low, high = slope_interval(noise(n))
    assert slope_interval(-noise(n)) == pytest.approx((-slope, -high, -low))


def test_long_series_are_averaged_first() -> None:
    values = 3.0 - 0.25 * np.arange(1000) + noise(1000)
    slope, low, high = slope_interval(values)
    assert slope == pytest.approx(-0.25, abs=0.001)
    assert low < slope < high < 0


def test_a_slope_is_per_value_however_long_the_series() -> None:
    for n in (4, 23, 24, 25, 48, 49, 100, 128):
        assert slope_interval(2.0 * np.arange(n))[0] == pytest.approx(2.0)


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_few_values_say_nothing(n: int) -> None:
    assert slope_interval([1.0] * n) == (0.0, -np.inf, np.inf)


def test_columns_are_judged_apart() -> None:
    series = np.column_stack([noise(20, seed) + seed * np.arange(20) for seed in range(3)])
    together = slope_intervals(series)
    for k in range(3):
        assert [float(part[k]) for part in together] == pytest.approx(slope_interval(series[:, k]))


def test_the_interval_holds_the_true_slope_in_most_cases() -> None:
    held = [low <= 0 <= high for low, high in (slope_interval(noise(24, seed))[1:] for seed in range(300))]
    assert 0.9 < np.mean(held) <= 1.0


def test_levels_of_a_falling_loss() -> None:
    values = np.linspace(4.0, 1.0, 1024)
    found = course(values)
    assert found.start[0] == pytest.approx(4.0, abs=0.01)
    assert found.now[0] == pytest.approx(values[-128:].mean(), abs=0.05)
    assert found.best[0] == pytest.approx(1.0, abs=0.05)
    assert found.gain[0] == pytest.approx(found.start[0] - found.now[0])
    assert found.relative_gain[0] == pytest.approx(found.gain[0] / found.start[0])
    assert found.is_falling[0]
    assert not found.is_rising[0]


def test_a_rise_and_a_plateau() -> None:
    found = course(np.linspace(1.0, 4.0, 640), 1 + 0.1 * noise(640))
    assert found.is_rising[0]
    assert found.best[0] == pytest.approx(1.0, abs=0.05)
    assert not found.is_rising[1]
    assert not found.is_falling[1]


def test_noise_of_rows_and_of_bins() -> None:
    found = course(5 + 0.5 * noise(8192))
    assert found.row_noise[0] == pytest.approx(0.5, rel=0.1)
    assert found.noise[0] == pytest.approx(0.5 / 8, rel=0.4)


def test_one_low_bin_is_not_the_best_level() -> None:
    values = np.full(128, 3.0)
    values[60] = 0.0
    assert course(values).best[0] == 3.0


def test_six_bins_are_needed() -> None:
    rows = np.ones((5, 2))
    curve = Curve(2)
    curve.add(rows, np.isfinite(rows), np.arange(1, 6))
    assert course_of(curve, rows, rate=1) is None
    curve.add(rows[:1], np.isfinite(rows[:1]), np.array([6]))
    assert course_of(curve, rows, rate=1) is not None


def test_relative_gain_from_zero_is_unknown_and_negative_losses_have_one() -> None:
    found = course(np.zeros(64), np.linspace(-1.0, -3.0, 64))
    assert np.isnan(found.relative_gain[0])
    assert found.relative_gain[1] == pytest.approx(2.0, rel=0.15)


def test_gaps_are_filled_from_the_bin_before() -> None:
    values = np.linspace(4.0, 1.0, 64)
    values[20:24] = np.nan
    found = course(values, np.full(64, np.nan))
    assert found.means[20:24, 0].tolist() == [values[19]] * 4
    assert np.isnan(found.now[1])
    assert not found.is_falling[1]


def test_the_start_of_a_series_with_gaps_is_of_what_is_known() -> None:
    rows = np.column_stack([np.full(64, 2.0), np.ones(64)])
    curve = Curve(2)
    curve.add(rows, np.isfinite(rows), np.arange(1, 65))
    first = np.full((8, 2), np.nan)
    first[:5, 0] = [3.0, np.nan, 4.0, 5.0, 7.0]
    found = course_of(curve, first, rate=1)
    assert found is not None
    assert (found.start[0], found.early[0]) == (3.5, 4.5)
    assert np.isnan(found.start[1])


def test_rows_at_full_rate_begin_at_half_of_the_highest() -> None:
    n, warmup = 1024, 256
    rate = np.minimum(np.arange(1, n + 1) / warmup, 1.0)
    found = course(np.ones(n), lr=rate)
    assert found.rows_at_full_rate == pytest.approx(n - warmup / 2, abs=16)
    assert course(np.ones(n), lr=np.nan).rows_at_full_rate == n
    assert course(np.ones(n), lr=0.0).rows_at_full_rate == n


@given(st.floats(1e-3, 1e3), st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_judgements_do_not_depend_on_the_unit(factor: float, seed: int) -> None:
    values = np.linspace(3, 1, 300) + 0.1 * noise(300, seed)
    one, other = course(values), course(factor * values)
    np.testing.assert_allclose(other.now[0], factor * one.now[0])
    np.testing.assert_allclose(other.row_noise[0], factor * one.row_noise[0])
    np.testing.assert_allclose(other.relative_gain[0], one.relative_gain[0])
    assert bool(other.is_falling[0]) == bool(one.is_falling[0])
