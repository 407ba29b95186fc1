"""Distributions of waves, size and spectrum, with fresh recordings and with changed ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest

from neuroprism.abr.columns import WAVE_V
from neuroprism.abr.evaluation.generation.distributions import ALL, Distribution, judge_distributions
from neuroprism.abr.evaluation.generation.generated_set import GeneratedSet
from neuroprism.abr.evaluation.generation.matched import matched_rows
from neuroprism.abr.evaluation.generation.wave_measures import Reading, UsualIntervals, measure
from neuroprism.abr.predictions import AbrPredictions
from neuroprism.abr.recordings import AbrRecordings
from neuroprism.abr.simulate import SimulationConfig, simulate

N = 400
RNG = np.random.default_rng(3)


@pytest.fixture(scope="module")
def fresh() -> AbrRecordings:
    others = simulate(SimulationConfig(n_patients=80, preset="balanced", seed=79))
    return others.select(RNG.permutation(len(others))[:N])


def read(recordings: AbrRecordings) -> Reading:
    """Read wave V as a good network would: with an error of 0.1 ms."""
    error_ms = np.random.default_rng(0).normal(0.0, 0.1, len(recordings))
    return Reading(recordings.v_present, recordings.v_latency_ms + error_ms)


def judge(made: AbrRecordings, training: AbrRecordings, test: AbrRecordings) -> dict[Any, Distribution]:
    rows = matched_rows(test, made, seed=0)
    compared = training.select(matched_rows(training, test.select(rows), seed=0))
    found = judge_distributions(
        GeneratedSet(
            recordings=made,
            predictions=cast("AbrPredictions", None),
            rows=rows,
            patients=test.patient_id[rows],
        ),
        training,
        compared,
        test,
        (read(made), read(compared), read(test)),
    )
    return {(one.quantity, one.group): one for one in found}


def test_fresh_recordings_are_as_near_as_training_recordings(
    training: AbrRecordings, test_set: AbrRecordings, fresh: AbrRecordings
) -> None:
    found = judge(fresh, training, test_set)
    for name in ("wave_v_latency_ms", "wave_v_amplitude_uv", "interpeak_i_v_ms", "sd_300_to_1000_hz_uv"):
        one = found[name, ALL]
        assert one.excess is not None
        assert one.excess.low is not None
        assert one.excess.low <= 0.05 * one.test_sd
        assert one.distance_over_sd is not None
        assert one.distance_over_sd < 0.2
    bands = {group for name, group in found if name == "wave_v_latency_ms"}
    assert len(bands) > 3
    assert {group for name, group in found if name == "trace_sd_uv"} == {ALL}


def test_signals_of_half_the_size_are_told(
    training: AbrRecordings, test_set: AbrRecordings, fresh: AbrRecordings
) -> None:
    found = judge(replace(fresh, signal_uv=0.5 * fresh.signal_uv), training, test_set)
    for name in ("wave_v_amplitude_uv", "trace_sd_uv", "sd_0_to_300_hz_uv"):
        one = found[name, ALL]
        assert one.excess is not None
        assert one.excess.low is not None
        assert one.excess.low > 0
        assert one.generated_mean == pytest.approx(0.5 * one.test_mean, rel=0.15)
        assert one.mean_shift is not None
        assert one.mean_shift.value == pytest.approx(one.generated_mean - one.test_mean)
        assert one.sd_ratio is not None
        assert one.sd_ratio.value == pytest.approx(0.5, abs=0.12)


def test_late_waves_are_measured_as_late_as_they_are(training: AbrRecordings, fresh: AbrRecordings) -> None:
    samples = 8
    shift_ms = samples * 1000 / fresh.sample_rate_hz
    late = replace(
        fresh,
        signal_uv=np.roll(fresh.signal_uv, samples, axis=1),
        wave_latency_ms=(fresh.wave_latency_ms + shift_ms).astype(np.float32),
    )
    intervals = UsualIntervals.fit(training)
    before, after = (measure(part, read(part), intervals, least_wave=0.1) for part in (fresh, late))
    moved = np.nanmean(after["wave_v_latency_ms"]) - np.nanmean(before["wave_v_latency_ms"])
    assert moved == pytest.approx(shift_ms, rel=0.03)
    # Waves that are delayed together keep their intervals.
    intervals_ms = [np.nanmean(part["interpeak_iii_v_ms"]) for part in (before, after)]
    assert intervals_ms[1] == pytest.approx(intervals_ms[0], abs=0.03)


def test_quantities_that_hardly_any_trace_has_are_left_out(
    training: AbrRecordings, test_set: AbrRecordings, fresh: AbrRecordings
) -> None:
    found = judge(replace(fresh, v_present=np.zeros(N, dtype=np.bool_)), training, test_set)
    assert ("wave_v_latency_ms", ALL) not in found
    assert found["wave_v_present", ALL].distance.value == pytest.approx(test_set.v_present.mean())
    assert ("trace_sd_uv", ALL) in found


def test_waves_are_found_where_they_are(training: AbrRecordings, fresh: AbrRecordings) -> None:
    assert fresh.clean_uv is not None
    clean = replace(fresh, signal_uv=fresh.clean_uv)
    found = measure(clean, read(fresh), UsualIntervals.fit(training), least_wave=0.02)
    rows = fresh.v_present & (fresh.v_amplitude_uv > 0.1)
    error_ms = np.abs(found["wave_v_latency_ms"] - fresh.v_latency_ms)[rows]
    assert np.median(error_ms) < 0.05
    assert np.isnan(found["wave_v_latency_ms"][~fresh.v_present]).all()
    truth = fresh.wave_latency_ms[:, WAVE_V] - fresh.wave_latency_ms[:, 0]
    both = rows & np.isfinite(truth) & np.isfinite(found["interpeak_i_v_ms"])
    assert both.sum() > 20
    assert np.median(np.abs(found["interpeak_i_v_ms"] - truth)[both]) < 0.1


def test_bands_hold_what_lies_in_them(training: AbrRecordings, fresh: AbrRecordings) -> None:
    time_s = fresh.time_ms / 1000
    tones = np.stack([np.sin(2 * np.pi * hz * time_s) for hz in (156.25, 625.0, 2500.0)])
    made = replace(fresh.select([0, 1, 2]), signal_uv=tones.astype(np.float32))
    found = measure(made, read(made), UsualIntervals.fit(training), least_wave=0.1)
    bands = np.stack([found[f"sd_{name}_hz_uv"] for name in ("0_to_300", "300_to_1000", "above_1000")])
    np.testing.assert_allclose(np.diag(bands), np.sqrt(0.5), rtol=0.01)
    assert (bands[~np.eye(3, dtype=bool)] < 0.01).all()
    np.testing.assert_allclose(found["trace_sd_uv"], np.sqrt(0.5), rtol=1e-6)


def test_a_set_without_marks_and_scale(training: AbrRecordings, fresh: AbrRecordings) -> None:
    unmarked = replace(training, wave_latency_ms=np.full_like(training.wave_latency_ms, np.nan))
    other = replace(fresh, signal_unit="zscore")
    found = measure(other, read(fresh), UsualIntervals.fit(unmarked), least_wave=0.1)
    for name in ("interpeak_i_iii_ms", "interpeak_iii_v_ms", "interpeak_i_v_ms"):
        assert np.isnan(found[name]).all()
    assert np.isfinite(found["wave_v_latency_ms"]).any()
    assert "trace_sd_sd" in found
    assert not [name for name in found if name.endswith("_uv")]


def test_matched_recordings_have_the_conditions(training: AbrRecordings, test_set: AbrRecordings) -> None:
    rows = matched_rows(training, test_set, seed=0)
    lent = training.select(rows)
    assert np.corrcoef(lent.level_db_nhl, test_set.level_db_nhl)[0, 1] > 0.95
    known = np.isfinite(lent.age_years) & np.isfinite(test_set.age_years)
    assert np.corrcoef(lent.age_years[known], test_set.age_years[known])[0, 1] > 0.9
    # Hardly any recording is taken often, and another seed takes others.
    assert np.bincount(rows).max() < 12
    assert (matched_rows(training, test_set, seed=1) != rows).mean() > 0.5
    alone = matched_rows(training.select([3]), test_set, seed=0)
    assert (alone == 0).all()


def test_recordings_that_the_network_cannot_read_are_not_matched(
    training: AbrRecordings, test_set: AbrRecordings
) -> None:
    rate_hz = training.rate_hz.copy()
    rate_hz[::2] = np.nan
    rows = matched_rows(replace(training, rate_hz=rate_hz), test_set, seed=0)
    assert (rows % 2 == 1).all()
    never = np.full_like(training.rate_hz, np.nan)
    unknown = replace(training, rate_hz=never, age_years=never, level_db_nhl=never)
    assert len(matched_rows(unknown, test_set, seed=0)) == len(test_set)
