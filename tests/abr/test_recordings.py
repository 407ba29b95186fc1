from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from neuroprism.abr.columns import COLUMNS, WAVE_V
from neuroprism.abr.recordings import AbrRecordings
from neuroprism.core.errors import DataError


def changed(recordings: AbrRecordings, name: str, row: int, value: Any) -> AbrRecordings:
    """The set with one value replaced."""
    array = np.array(getattr(recordings, name))
    array[row] = value
    return replace(recordings, **{name: array})


def test_a_simulated_set_is_valid_and_validation_returns_it(small_set: AbrRecordings) -> None:
    assert small_set.validate() is small_set


@pytest.mark.parametrize(
    ("name", "row", "value", "message"),
    [
        ("signal_uv", (5, 3), np.nan, "signal_uv: 1 non-finite values, the first in recording 5"),
        ("signal_uv", (2, 0), np.inf, "signal_uv: 1 non-finite values, the first in recording 2"),
        ("clean_uv", (4, 1), np.nan, "clean_uv: 1 non-finite values, the first in recording 4"),
        ("level_db_nhl", 7, np.nan, "level_db_nhl: 1 non-finite values, the first in recording 7"),
        ("level_db_nhl", 3, 400.0, "level_db_nhl is 400 dB nHL in recording 3, above the plausible 130"),
        ("rate_hz", 6, 0.0, "rate_hz is 0 1/s in recording 6, below the plausible 0.1"),
        ("age_years", 1, -1.0, "age_years is -1 years in recording 1, below the plausible 0"),
        ("age_years", 1, np.inf, "age_years: 1 non-finite values, the first in recording 1"),
        ("fmp", 9, -0.5, "fmp is -0.5 in recording 9, below the plausible 0"),
        ("n_sweeps", 8, -1, "n_sweeps is -1 in recording 8, below the plausible 0"),
        ("sex", 2, 3, "sex is 3 in recording 2, above the plausible 2"),
        ("hearing_class", 4, 5, "hearing_class is 5 in recording 4, but there are 5 class names"),
        ("hearing_class", 4, -2, "hearing_class is -2 in recording 4, below the plausible -1"),
        ("ear", 11, "X", "ear is 'X' in recording 11; allowed: L, R, unknown"),
        ("patient_id", 12, "", "patient_id is empty in recording 12"),
    ],
)
def test_one_wrong_value_is_named_with_its_recording(
    small_set: AbrRecordings, name: str, row: Any, value: Any, message: str
) -> None:
    with pytest.raises(DataError) as caught:
        changed(small_set, name, row, value).validate()
    assert str(caught.value) == message


def test_a_polarity_that_does_not_exist_is_refused(small_set: AbrRecordings) -> None:
    polarity = np.full(len(small_set), "alternating").astype("U20")
    polarity[3] = "sideways"
    with pytest.raises(DataError, match="polarity is 'sideways' in recording 3; allowed: alternating"):
        replace(small_set, polarity=polarity).validate()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"sample_rate_hz": 0.0}, "sample_rate_hz must be positive, not 0.0"),
        ({"sample_rate_hz": 40_000.0}, "256 samples at 40000 Hz, which is 6.4 ms, but window_ms says 12.8"),
        ({"window_ms": 10.0}, "which is 12.8 ms, but window_ms says 10"),
        ({"signal_unit": "mV"}, "signal_unit must be 'uV' or 'zscore', not 'mV'"),
        ({"class_names": ("normal", "normal")}, "class_names must be two or more different names"),
        ({"signal_uv": np.zeros((0, 256), np.float32)}, "non-empty table recordings x samples"),
        ({"signal_uv": np.zeros(256, np.float32)}, "non-empty table recordings x samples"),
    ],
)
def test_wrong_descriptions_are_refused(
    small_set: AbrRecordings, values: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message.replace("(", r"\(")):
        replace(small_set, **values).validate()


def test_wrong_shapes_and_types_are_refused(small_set: AbrRecordings) -> None:
    n = len(small_set)
    with pytest.raises(DataError, match=rf"level_db_nhl must have shape \({n},\), not \({n - 1},\)"):
        replace(small_set, level_db_nhl=small_set.level_db_nhl[:-1]).validate()
    with pytest.raises(DataError, match=rf"wave_latency_ms must have shape \({n}, 7\), not \({n}, 6\)"):
        replace(small_set, wave_latency_ms=small_set.wave_latency_ms[:, :6]).validate()
    with pytest.raises(DataError, match="hearing_class must hold int64 values, not float64"):
        replace(small_set, hearing_class=small_set.hearing_class.astype(float)).validate()  # type: ignore[arg-type]
    with pytest.raises(DataError, match="fmp must have shape"):
        replace(small_set, fmp=None).validate()  # type: ignore[arg-type]
    assert replace(small_set, clean_uv=None).validate().clean_uv is None


@pytest.mark.parametrize(
    ("factor", "message"), [(1e-6, "volts"), (1e3, "nanovolts"), (0.0, "constant in most recordings")]
)
def test_signals_in_another_unit_are_recognised(
    small_set: AbrRecordings, factor: float, message: str
) -> None:
    scaled = replace(small_set, signal_uv=small_set.signal_uv * np.float32(factor))
    with pytest.raises(DataError, match=message):
        scaled.validate()
    if factor:
        # A set that says that its scale is lost may have any.
        replace(scaled, signal_unit="zscore").validate()


def test_presence_without_a_judgement_is_refused(small_set: AbrRecordings) -> None:
    row = int(np.flatnonzero(small_set.v_present)[0])
    with pytest.raises(
        DataError, match=f"v_present is set where wave V was not judged, first in recording {row}"
    ):
        changed(small_set, "v_marked", row, False).validate()


def test_masks_leave_out_what_cannot_be_asked(small_set: AbrRecordings) -> None:
    row, other, third = np.flatnonzero(small_set.v_present)[:3]
    latency, amplitude = small_set.wave_latency_ms.copy(), small_set.wave_amplitude_uv.copy()
    latency[row, WAVE_V] = 13.0
    latency[other, WAVE_V] = np.nan
    amplitude[third, WAVE_V] = np.nan
    r = replace(small_set, wave_latency_ms=latency, wave_amplitude_uv=amplitude).validate()
    assert r.v_outside_window[row]
    assert (r.v_mask[row], r.latency_mask[row], r.amplitude_mask[row]) == (False, False, False)
    assert (r.v_mask[other], r.latency_mask[other], r.amplitude_mask[other]) == (True, False, True)
    assert (r.v_mask[third], r.latency_mask[third], r.amplitude_mask[third]) == (True, True, False)
    absent = ~r.v_present
    assert r.v_mask[absent].all()
    assert not r.latency_mask[absent].any()
    counts = r.counts()
    assert counts["v_outside_window"] == 1
    assert counts["unmarked_v_latency"] == counts["unmarked_v_amplitude"] == 1


def test_a_later_start_shifts_the_window(small_set: AbrRecordings) -> None:
    late = replace(small_set, start_ms=7.0)
    assert late.time_ms[0] == 7.0
    assert late.time_ms[-1] == pytest.approx(7.0 + 255 * 0.05)
    early = small_set.v_present & (small_set.v_latency_ms < 7.0)
    np.testing.assert_array_equal(late.v_outside_window, early)


def test_counts_add_up(clinical_set: AbrRecordings) -> None:
    r, counts = clinical_set, clinical_set.counts()
    assert counts["recordings"] == len(r) == sum(r.class_counts().values())
    assert counts["patients"] == 900
    assert counts["absent_v"] == int((~r.v_present).sum())
    assert counts["missing_age"] == int(np.isnan(r.age_years).sum()) > 0
    assert counts["censored_threshold"] == int(r.threshold_censored.sum()) > 0
    assert counts["unjudged_v"] == counts["missing_threshold"] == 0
    unjudged = replace(r, v_marked=np.zeros(len(r), bool), v_present=np.zeros(len(r), bool)).counts()
    assert unjudged["unjudged_v"] == len(r)
    assert unjudged["absent_v"] == 0


def test_selection_keeps_order_and_every_array(small_set: AbrRecordings) -> None:
    index = np.array([7, 2, 7])
    part = small_set.select(index)
    for column in COLUMNS:
        whole = getattr(small_set, column.name)
        expected = None if whole is None else whole[index]
        np.testing.assert_array_equal(getattr(part, column.name), expected)
    mask = small_set.hearing_class == 1
    np.testing.assert_array_equal(small_set.select(mask).signal_uv, small_set.signal_uv[mask])
    assert len(small_set.select([])) == 0
    assert replace(small_set, clean_uv=None).select(index).clean_uv is None


def test_ears_are_told_apart_by_patient_and_side(small_set: AbrRecordings) -> None:
    assert len(np.unique(small_set.ear_id)) == 2 * small_set.n_patients
    assert small_set.ear_id[0] == f"{small_set.patient_id[0]}/{small_set.ear[0]}"


def test_what_is_not_known_is_masked_and_counted(small_set: AbrRecordings) -> None:
    unknown = small_set
    for name, value in (("hearing_class", -1), ("rate_hz", np.nan), ("age_years", np.nan)):
        unknown = changed(unknown, name, [0, 1], value)
    ear = unknown.ear.astype("U7")
    ear[:2] = "unknown"
    unknown = replace(unknown, ear=ear).validate()
    counts = unknown.counts()
    assert [counts[name] for name in ("missing_class", "missing_rate", "unknown_ear")] == [2, 2, 2]
    assert unknown.class_mask.tolist()[:3] == [False, False, True]
    assert sum(unknown.class_counts().values()) == len(unknown) - 2


def test_a_level_may_be_known_as_sound_pressure_only(small_set: AbrRecordings) -> None:
    assert small_set.level_unit == "dB nHL"
    assert small_set.level_db is small_set.level_db_nhl
    nowhere = np.full(len(small_set), np.nan, np.float32)
    pressure = replace(small_set, level_db_nhl=nowhere, level_db_spl=small_set.level_db_nhl + 30).validate()
    assert pressure.level_unit == "dB SPL"
    assert np.array_equal(pressure.level_db, small_set.level_db_nhl + 30)
    assert pressure.counts()["missing_level_nhl"] == len(small_set)
    with pytest.raises(DataError, match=f"level_db_nhl: {len(small_set)} non-finite values"):
        replace(pressure, level_db_spl=nowhere).validate()
    mixed = changed(changed(pressure, "level_db_nhl", 0, 40.0), "level_db_spl", 0, np.nan).validate()
    with pytest.raises(DataError, match="some levels are known in dB nHL only and others in dB SPL only"):
        _ = mixed.level_db
