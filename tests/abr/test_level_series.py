from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neuroprism.abr.level_series import example_series
from neuroprism.abr.recordings import AbrRecordings
from neuroprism.core.errors import DataError
from neuroprism.figures import plot_level_series


def test_each_class_is_shown_by_one_ear_with_many_levels(balanced_set: AbrRecordings) -> None:
    r = balanced_set
    series = example_series(r)
    assert [one.title for one in series] == list(r.class_names)
    for label, one in enumerate(series):
        assert len(one.level_db) >= 5
        assert (np.diff(one.level_db) >= 10).all()
        # Traces, levels, latencies and threshold belong together: they come from the same rows of one ear.
        rows = [int(np.flatnonzero((r.signal_uv == trace).all(axis=1))[0]) for trace in one.signal_uv]
        assert len(set(r.ear_id[rows])) == 1
        assert (r.hearing_class[rows] == label).all()
        np.testing.assert_array_equal(r.level_db_nhl[rows], one.level_db)
        np.testing.assert_array_equal(r.wave_latency_ms[rows], one.wave_latency_ms)
        assert one.threshold_db_nhl == r.threshold_db_nhl[rows[0]]
        ear = r.ear_id == r.ear_id[rows[0]]
        heard = r.level_db_nhl[ear & r.v_present]
        # The level at which the response sets in is shown, and one below it.
        assert len(heard) == 0 or (heard.min() in one.level_db and one.level_db[0] < heard.min())
        responds = r.v_present[r.hearing_class == label].any()
        assert np.isfinite(one.wave_latency_ms[:, 4]).any() == responds == (not one.threshold_censored)


def test_the_choice_is_the_same_every_time_and_can_be_drawn(small_set: AbrRecordings) -> None:
    first, second = example_series(small_set), example_series(small_set)
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.signal_uv, other.signal_uv)
    assert len(plot_level_series(first).axes) == 5


def test_classes_without_recordings_have_no_column(small_set: AbrRecordings) -> None:
    part = small_set.select(np.isin(small_set.hearing_class, (0, 3)))
    assert [one.title for one in example_series(replace(part, clean_uv=None))] == ["normal", "total"]


def test_thresholds_that_nobody_knows_are_left_out(small_set: AbrRecordings) -> None:
    unknown = np.full(len(small_set), np.nan, dtype=np.float32)
    assert {one.threshold_db_nhl for one in example_series(replace(small_set, threshold_db_nhl=unknown))} == {
        None
    }


def test_signals_without_a_scale_are_refused(small_set: AbrRecordings) -> None:
    with pytest.raises(DataError, match="lost their scale"):
        example_series(replace(small_set, signal_unit="zscore"))


def test_ears_without_a_known_class_and_levels_of_sound_pressure_are_shown(small_set: AbrRecordings) -> None:
    unknown = replace(
        small_set,
        hearing_class=np.full(len(small_set), -1, np.int64),
        level_db_nhl=np.full(len(small_set), np.nan, np.float32),
        level_db_spl=small_set.level_db_nhl + np.float32(30.0),
    ).validate()
    (series,) = example_series(unknown)
    assert (series.title, series.level_unit) == ("class not known", "dB SPL")
    assert series.threshold_db_nhl is None
    assert series.level_db.max() > small_set.level_db_nhl.min() + 30
    assert (np.diff(series.level_db) >= 10).all()
