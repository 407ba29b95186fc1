"""Thresholds of ears from level series: what all recordings say, and how sure that is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuroprism.abr.ear_thresholds import GRID_DB_NHL, EarThreshold, ear_thresholds
from neuroprism.abr.estimate import Estimate


def estimate(values: list[float], sd: float | list[float] = 1.0) -> Estimate:
    return Estimate.normal(np.array(values), np.broadcast_to(np.array(sd, dtype=float), len(values)))


def of_one_ear(level: list[float], probability: list[float], threshold: Estimate) -> EarThreshold:
    n = len(level)
    (ear,) = ear_thresholds(
        np.array(["a/L"] * n), np.ones(n, dtype=bool), np.array(level), np.array(probability), threshold
    )
    return ear


def test_a_series_without_estimates_reads_where_wave_v_begins() -> None:
    """Estimates that say nothing leave wave V: there from 40 dB up, so between 35 and 40."""
    level = [20.0, 30.0, 40.0, 50.0, 60.0]
    ear = of_one_ear(level, [0.001, 0.001, 0.999, 0.999, 0.999], estimate([40.0] * 5, 1e4))
    assert ear.threshold_db_nhl in (35.0, 40.0)
    assert ear.lowest_level_with_v_db_nhl == 40.0
    assert not ear.v_missing_above


def test_without_doubt_about_wave_v_estimates_count_by_inverse_variance() -> None:
    # Wave V says nothing at 0.5. Weights 1/25 and 1/100: 0.8 * 20 + 0.2 * 45 = 25.
    ear = of_one_ear([80.0, 60.0], [0.5, 0.5], estimate([20.0, 45.0], [5.0, 10.0]))
    assert ear.threshold_db_nhl == 25.0
    # The average of two normal log densities has the variance 2 / (1/25 + 1/100), an SD of 6.3 dB.
    assert (ear.low_db_nhl, ear.high_db_nhl) == (15.0, 35.0)


def test_wave_v_moves_the_threshold() -> None:
    unsure = estimate([45.0, 45.0, 45.0], 15.0)
    heard = of_one_ear([30.0, 40.0, 50.0], [0.99, 0.99, 0.99], unsure)
    unheard = of_one_ear([30.0, 40.0, 50.0], [0.01, 0.01, 0.01], unsure)
    assert heard.threshold_db_nhl < 45.0 < unheard.threshold_db_nhl


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([20.0, 40.0, 60.0, 80.0]),
            st.floats(0.0, 1.0),
            st.floats(-10.0, 120.0),
            st.floats(2.0, 30.0),
        ),
        min_size=2,
        max_size=6,
    ).filter(lambda rows: len({level for level, *_ in rows}) > 1),
    st.integers(2, 5),
)
def test_recording_everything_again_changes_nothing(rows: list[tuple[float, ...]], times: int) -> None:
    """Errors that are all the same are not averaged away."""

    def found(rows: list[tuple[float, ...]]) -> EarThreshold:
        level, probability, mean, sd = (list(column) for column in zip(*rows, strict=True))
        return of_one_ear(level, probability, estimate(mean, sd))

    once, often = found(rows), found(rows * times)
    for name in ("low_db_nhl", "threshold_db_nhl", "high_db_nhl"):
        assert getattr(once, name) in GRID_DB_NHL
        # A quantile at the edge of a step may fall to either side by rounding.
        assert abs(getattr(once, name) - getattr(often, name)) <= 5.0
    assert once.low_db_nhl <= once.threshold_db_nhl <= once.high_db_nhl


@pytest.mark.parametrize(
    ("probability", "lowest", "missing_above"),
    [
        ([0.1, 0.2, 0.8, 0.9], 60.0, False),
        ([0.9, 0.2, 0.8, 0.9], 20.0, True),
        ([0.1, 0.1, 0.1, 0.1], None, False),
    ],
)
def test_lowest_level_with_v(probability: list[float], lowest: float | None, missing_above: bool) -> None:
    ear = of_one_ear([20.0, 40.0, 60.0, 80.0], probability, estimate([50.0] * 4, np.nan))
    assert (ear.lowest_level_with_v_db_nhl, ear.v_missing_above) == (lowest, missing_above)
    assert ear.levels_db_nhl == (20.0, 40.0, 60.0, 80.0)
    # Without intervals there is nothing to weigh by.
    assert ear.threshold_db_nhl == 50.0
    assert np.isnan(ear.low_db_nhl)


def test_repeated_levels_count_by_their_mean_and_single_levels_are_no_series() -> None:
    level, probability = np.array([40.0, 40.0, 60.0, 60.0]), np.array([0.9, 0.3, 0.4, 0.5])
    ear = of_one_ear(level.tolist(), probability.tolist(), estimate([1.0] * 4))
    assert ear.lowest_level_with_v_db_nhl == 40.0
    assert ear.v_missing_above
    ears = np.array(["a/L"] * 2)
    assert not ear_thresholds(ears, np.ones(2, dtype=bool), level[:2], probability[:2], estimate([1.0] * 2))


def test_ears_that_are_not_known_have_no_threshold() -> None:
    nobody = np.zeros(2, dtype=bool)
    level = np.array([40.0, 60.0])
    assert ear_thresholds(np.array(["", ""]), nobody, level, np.zeros(2), estimate([1.0, 2.0])) == ()


def test_recordings_of_ears_may_stand_in_any_order() -> None:
    level, value = np.array([40.0, 60.0, 80.0, 65.0]), estimate([10.0, 50.0, 20.0, 60.0])
    ears = ear_thresholds(np.array(["b", "a", "b", "a"]), np.ones(4, dtype=bool), level, np.ones(4), value)
    assert [(ear.ear_id, ear.rows, ear.threshold_db_nhl) for ear in ears] == [
        ("a", (1, 3), 55.0),
        ("b", (0, 2), 15.0),
    ]
