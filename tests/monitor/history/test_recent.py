from __future__ import annotations

import json

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuroprism.monitor.history import Excursion, Recent
from neuroprism.monitor.history.recent import N_BEFORE_JUDGING, N_FOR_A_NEW_LEVEL, N_VALUES

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
BLOCK = 8


def noise(n: int, seed: int = 0) -> FloatArray:
    return 1 + 0.05 * np.random.default_rng(seed).standard_normal(n)


def feed(recent: Recent, rows: FloatArray, *, first: int = 0) -> tuple[BoolArray, list[Excursion]]:
    """Add rows in blocks; return which were accepted, and the excursions."""
    rows = rows[:, None] if rows.ndim == 1 else rows
    accepted, found = [], []
    for k in range(0, len(rows), BLOCK):
        part = rows[k : k + BLOCK]
        steps = np.arange(first + k, first + k + len(part))
        ok, some = recent.add(part, np.isfinite(part), steps + 1, np.ones_like(steps), first + k)
        accepted.append(ok)
        found += some
    return np.concatenate(accepted), found


def test_centre_and_scale_are_robust_statistics_of_the_last_values() -> None:
    recent, values = Recent(1), noise(400)
    feed(recent, values)
    center, scale = recent.centers()
    last = values[-N_VALUES:]
    mad = 1.4826 * np.median(np.abs(last - np.median(last)))
    assert center[0] == np.median(last)
    assert mad * 0.99 <= scale[0] < 2 * mad


def test_too_few_values_have_no_centre() -> None:
    recent = Recent(2)
    rows = np.column_stack([noise(N_BEFORE_JUDGING), np.full(N_BEFORE_JUDGING, np.nan)])
    feed(recent, rows[:-BLOCK])
    assert np.isnan(recent.centers()[0]).all()
    feed(recent, rows[-BLOCK:])
    center, scale = recent.centers()
    assert center[0] == pytest.approx(1, abs=0.1)
    assert scale[0] > 0
    assert np.isnan(center[1])


def test_a_value_far_above_is_an_excursion_and_not_accepted() -> None:
    recent, values = Recent(1), noise(200)
    values[151] = 5.0
    before, _ = feed(Recent(1), values[:151])
    accepted, found = feed(recent, values)
    assert before.all()
    assert np.flatnonzero(~accepted[:, 0]).tolist() == [151]
    (spike,) = found
    assert (spike.series, spike.row, spike.step, spike.value, spike.n_rows) == (0, 151, 152, 5.0, 1)
    assert spike.center == pytest.approx(1, abs=0.05)
    assert spike.score == pytest.approx((5 - spike.center) / spike.scale)
    assert spike.score > spike.limit
    assert spike.tallest < 0.5


def test_a_value_far_below_is_accepted() -> None:
    values = noise(200)
    values[150] = -5.0
    accepted, found = feed(Recent(1), values)
    assert accepted.all()
    assert found == []


def test_rows_that_stand_out_together_are_one_excursion_with_the_largest_value() -> None:
    values = noise(200)
    values[150:154] = [3.0, 6.0, 5.0, 2.5]
    (spike,) = feed(Recent(1), values)[1]
    assert (spike.row, spike.value, spike.n_rows) == (151, 6.0, 4)


def test_a_lasting_rise_is_a_new_level_and_no_spike() -> None:
    recent, values = Recent(1), noise(400)
    values[200:] += 4
    accepted, found = feed(recent, values)
    assert found == []
    assert recent.centers()[0][0] == pytest.approx(5, abs=0.1)
    # What comes after is accepted, and judged by the new level.
    assert accepted[200 + N_FOR_A_NEW_LEVEL :].all()


def test_an_excursion_that_is_open_at_the_end_is_told() -> None:
    recent, values = Recent(1), noise(160)
    values[-2:] = 9.0
    assert feed(recent, values)[1] == []
    (spike,) = recent.close()
    assert (spike.value, spike.n_rows) == (9.0, 2)


def test_the_limit_follows_the_tail_of_the_series() -> None:
    random = np.random.default_rng(3)
    light, heavy = noise(1024), 1 + 0.05 * random.standard_t(2, 1024)
    limits = []
    for values in (light, heavy):
        recent = Recent(1)
        feed(recent, np.append(values, [1e3, *noise(7)]))
        limits.append(feed(recent, np.array([1e3, *noise(7)]), first=1032)[1][0].limit)
    assert limits[1] > 3 * limits[0]


def test_honest_noise_hardly_ever_passes_its_own_limit() -> None:
    found = [spike for seed in range(10) for spike in feed(Recent(1), noise(1000, seed))[1]]
    assert sum(spike.score > spike.limit for spike in found) <= 1


def test_missing_values_are_passed_over() -> None:
    values = noise(400)
    holes = np.random.default_rng(4).random(400) < 0.5
    spoiled = np.where(holes, np.nan, values)
    recent, dense = Recent(1), Recent(1)
    accepted, _ = feed(recent, spoiled)
    feed(dense, values[~holes])
    np.testing.assert_array_equal(accepted[:, 0], ~holes)
    np.testing.assert_array_equal(recent.latest, dense.latest)


def test_latest_values_and_how_long_they_have_been_equal() -> None:
    recent = Recent(2)
    rows = np.column_stack([np.r_[noise(30), np.full(34, 0.25)], noise(64)])
    feed(recent, rows)
    np.testing.assert_array_equal(recent.latest, rows[-N_FOR_A_NEW_LEVEL:])
    assert recent.equal_run.tolist() == [34, 1]


def test_outliers_are_among_the_latest_values() -> None:
    recent, values = Recent(1), noise(160)
    values[-1] = 50.0
    feed(recent, values)
    assert recent.latest[-1, 0] == 50.0


@given(st.integers(0, 300), st.integers(0, 2**16), st.booleans())
@settings(max_examples=25, deadline=None)
def test_a_saved_state_goes_on_to_the_last_bit(n: int, seed: int, spiky: bool) -> None:
    values = np.column_stack([noise(400, seed), np.where(noise(400, seed + 1) > 1, 1.0, np.nan)])
    if spiky:
        values[max(0, n - 3) : n + 2, 0] = 20.0
    n -= n % BLOCK
    recent, other = Recent(2), Recent(2)
    if n:
        feed(recent, values[:n])
    other.load_state_dict(json.loads(json.dumps(recent.state_dict())))
    one, two = feed(recent, values[n:], first=n), feed(other, values[n:], first=n)
    np.testing.assert_array_equal(one[0], two[0])
    assert one[1] == two[1]
    assert json.dumps(recent.state_dict()) == json.dumps(other.state_dict())


def test_the_state_does_not_grow() -> None:
    recent = Recent(2)
    sizes = []
    for k in range(4):
        feed(recent, np.column_stack([noise(800, k), noise(800, 10 + k)]), first=800 * k)
        sizes.append(len(recent.state_dict()["values"][0]))
    assert set(sizes) == {N_VALUES}
