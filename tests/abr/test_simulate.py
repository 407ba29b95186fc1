"""A simulated set against published and clinical statistics, and its truth against its traces."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import stats

from neuroprism.abr.columns import COLUMNS, HEARING_CLASSES, WAVE_V
from neuroprism.abr.recordings import AbrRecordings
from neuroprism.abr.simulate import SimulationConfig, simulate
from neuroprism.abr.traces import measure_wave_v

Statistic = Callable[[AbrRecordings], float]


def share(name: str) -> Statistic:
    return lambda r: float((r.hearing_class == HEARING_CLASSES.index(name)).mean())


def presence(name: str) -> Statistic:
    return lambda r: float(r.v_present[r.hearing_class == HEARING_CLASSES.index(name)].mean())


# Quantity, statistic, value in 51,961 clinical recordings of 2,038 patients, tolerance.
CLINICAL: list[tuple[str, Statistic, float, float]] = [
    ("share of normal", share("normal"), 0.797, 0.03),
    ("share of neuropathy", share("neuropathy"), 0.008, 0.005),
    ("share of sensorineural", share("sensorineural"), 0.106, 0.02),
    ("share of total", share("total"), 0.033, 0.02),
    ("share of conductive", share("conductive"), 0.056, 0.015),
    ("V present, normal", presence("normal"), 0.798, 0.06),
    ("V present, sensorineural", presence("sensorineural"), 0.629, 0.07),
    ("V present, total", presence("total"), 0.022, 0.025),
    ("V present, conductive", presence("conductive"), 0.718, 0.07),
    ("V present", lambda r: float(r.v_present.mean()), 0.746, 0.05),
    ("V latency, mean (ms)", lambda r: float(np.nanmean(r.v_latency_ms)), 7.834, 0.40),
    ("V amplitude, mean (uV)", lambda r: float(np.nanmean(r.v_amplitude_uv)), 0.174, 0.06),
    ("level, mean (dB nHL)", lambda r: float(r.level_db_nhl.mean()), 43.97, 4.0),
    ("level, SD (dB)", lambda r: float(r.level_db_nhl.std()), 29.76, 5.0),
    ("levels", lambda r: float(len(np.unique(r.level_db_nhl))), 21, 0.1),
    ("rate, mean (1/s)", lambda r: float(r.rate_hz.mean()), 33.68, 0.7),
    ("rate, SD (1/s)", lambda r: float(r.rate_hz.std()), 3.62, 0.7),
    ("age, mean (years)", lambda r: float(np.nanmean(r.age_years)), 2.64, 1.0),
    ("age, SD (years)", lambda r: float(np.nanstd(r.age_years)), 7.39, 1.8),
    ("Fmp above 3", lambda r: float((r.fmp > 3).mean()), 0.204, 0.05),
    ("Fmp, mean", lambda r: float(r.fmp.mean()), 2.4, 0.6),
]


@pytest.mark.parametrize(
    ("name", "statistic", "clinical", "tolerance"), CLINICAL, ids=[row[0] for row in CLINICAL]
)
def test_a_clinical_set_resembles_clinical_records(
    clinical_set: AbrRecordings, name: str, statistic: Statistic, clinical: float, tolerance: float
) -> None:
    assert statistic(clinical_set) == pytest.approx(clinical, abs=tolerance), name


def test_neuropathy_shows_wave_v_as_seldom_as_in_clinical_records(balanced_set: AbrRecordings) -> None:
    assert presence("neuropathy")(balanced_set) == pytest.approx(0.266, abs=0.1)


def test_balanced_means_as_many_patients_of_each_class(balanced_set: AbrRecordings) -> None:
    _, first = np.unique(balanced_set.patient_id, return_index=True)
    counts = np.bincount(balanced_set.hearing_class[first], minlength=5)
    np.testing.assert_array_equal(counts, 50)


def test_an_ear_has_one_threshold_and_one_class(clinical_set: AbrRecordings) -> None:
    _, owner = np.unique(clinical_set.ear_id, return_inverse=True)
    for name in ("threshold_db_nhl", "hearing_class", "air_bone_gap_db", "threshold_censored", "rate_hz"):
        values = getattr(clinical_set, name).astype(float)
        first = np.full(owner.max() + 1, np.nan)
        first[owner[::-1]] = values[::-1]
        np.testing.assert_array_equal(values, first[owner])


def test_wave_v_is_there_at_and_above_the_threshold_of_its_ear(balanced_set: AbrRecordings) -> None:
    r = balanced_set
    expected = (r.level_db_nhl >= r.threshold_db_nhl) & ~r.threshold_censored
    np.testing.assert_array_equal(r.v_present, expected)
    assert r.v_marked.all()
    np.testing.assert_array_equal(np.isfinite(r.v_latency_ms), r.v_present)
    np.testing.assert_array_equal(np.isfinite(r.v_amplitude_uv), r.v_present)


def test_labels_of_wave_v_are_what_the_clean_trace_shows(balanced_set: AbrRecordings) -> None:
    r = balanced_set
    assert r.clean_uv is not None
    # Rows whose trough lies in the window too.
    rows = np.flatnonzero(r.v_present & (r.v_latency_ms < 8.5))
    latency, amplitude = measure_wave_v(r.clean_uv[rows], r.time_ms, r.v_latency_ms[rows].astype(float))
    np.testing.assert_allclose(latency, r.v_latency_ms[rows], atol=1e-4)
    np.testing.assert_allclose(amplitude, r.v_amplitude_uv[rows], atol=2e-4)


def test_interpeak_intervals_are_normal_but_for_the_personal_scatter(clinical_set: AbrRecordings) -> None:
    r = clinical_set
    adult = (r.age_years > 8) & (r.level_db_nhl >= 60) & (r.hearing_class == 0)
    i, iii, v = (r.wave_latency_ms[adult][:, wave] for wave in (0, 2, 4))
    seen = np.isfinite(i) & np.isfinite(iii) & np.isfinite(v)
    assert seen.sum() > 20
    # Monaural norms 2.03, 2.00 and 3.98 ms at 10 per second; 33 per second adds 0.13 ms.
    assert (iii - i)[seen].mean() == pytest.approx(2.03, abs=0.25)
    assert (v - iii)[seen].mean() == pytest.approx(2.00, abs=0.25)
    assert (v - i)[seen].mean() == pytest.approx(3.98 + 0.13, abs=0.25)
    assert ((v - i)[seen] < 4.8).all()


def test_the_noise_has_the_stated_level(balanced_set: AbrRecordings) -> None:
    r = balanced_set
    assert r.clean_uv is not None
    late = r.time_ms > 1.0
    noise = (r.signal_uv - r.clean_uv)[:, late].astype(float)
    stated = r.residual_noise_uv.astype(float)
    assert np.sqrt((noise**2).mean() / (stated**2).mean()) == pytest.approx(1.0, abs=0.03)
    for low, high in ((0.0, 0.04), (0.04, 0.08), (0.08, 1.0)):
        rows = (stated >= low) & (stated < high)
        ratio = np.sqrt((noise[rows] ** 2).mean() / (stated[rows] ** 2).mean())
        assert ratio == pytest.approx(1.0, abs=0.06)
    # 1 to 5 uV a sweep, 1,000 to 4,000 sweeps.
    assert 0.02 < np.quantile(stated, 0.05) < np.quantile(stated, 0.95) < 0.15
    sweep = stated * np.sqrt(r.n_sweeps)
    assert 1.0 < np.quantile(sweep, 0.05) < np.quantile(sweep, 0.95) < 6.0


def test_fmp_is_measured_and_no_function_of_the_labels(clinical_set: AbrRecordings) -> None:
    r = clinical_set
    silent = ~np.isfinite(r.wave_latency_ms).any(axis=1)
    by_class = [r.fmp[silent & (r.hearing_class == label)] for label in (0, 2, 3, 4)]
    # Without a response Fmp has one distribution, whatever the class.
    for values in by_class[1:]:
        assert stats.ks_2samp(by_class[0], values).pvalue > 0.001
    assert r.fmp[silent].mean() == pytest.approx(stats.f(5, 250).mean(), abs=0.08)
    # With a response it varies between recordings of equal truth, and overlaps with silence.
    rows = np.flatnonzero(r.v_present)
    truth = np.stack([r.ear_id[rows], r.level_db_nhl[rows].astype(str)], axis=1)
    _, owner, times = np.unique(truth, axis=0, return_inverse=True, return_counts=True)
    twice = times[owner] == 2
    pairs = np.log(r.fmp[rows][twice][np.argsort(owner[twice], kind="stable")]).reshape(-1, 2)
    assert np.abs(pairs[:, 0] - pairs[:, 1]).mean() > 0.3
    assert r.fmp[r.v_present].mean() > 2 * r.fmp[silent].mean()


def test_the_artefact_ends_before_the_first_wave(balanced_set: AbrRecordings) -> None:
    r = balanced_set
    assert r.clean_uv is not None
    residue = (r.signal_uv - r.clean_uv).astype(float)
    loud = r.level_db_nhl >= 90
    spread = residue[loud].std(axis=0)
    assert spread[0] > 1.5 * spread[40]
    assert spread[r.time_ms >= 0.8].max() < 1.2 * spread[40]


def test_the_microphonic_follows_the_polarity_and_cancels_in_alternation() -> None:
    separate = simulate(SimulationConfig(n_patients=20, preset="balanced", polarity="separate", seed=3))
    assert separate.clean_uv is not None
    assert set(separate.polarity) == {"rarefaction", "condensation"}
    early = (separate.time_ms > 0.3) & (separate.time_ms < 0.7)
    normal = (separate.hearing_class == 0) & (separate.level_db_nhl >= 60)
    lobe = separate.clean_uv[:, early].mean(axis=1)
    assert (lobe[normal & (separate.polarity == "rarefaction")] > 0.001).all()
    assert (lobe[normal & (separate.polarity == "condensation")] < -0.001).all()
    sensorineural = separate.hearing_class == 2
    assert np.abs(lobe[sensorineural]).max() < 1e-4
    neural = separate.hearing_class == 1
    _, owner = np.unique(separate.ear_id[neural], return_inverse=True)
    has = np.bincount(owner, np.abs(lobe[neural]) > 1e-3) > 0
    assert 0.2 < has.mean() < 0.95
    mixed = simulate(SimulationConfig(n_patients=20, preset="balanced", seed=3))
    assert mixed.clean_uv is not None
    assert set(mixed.polarity) == {"alternating"}
    assert np.abs(mixed.clean_uv[mixed.hearing_class == 3]).max() == 0


def test_equal_configurations_give_equal_sets_and_others_do_not() -> None:
    first, second, other = (simulate(SimulationConfig(n_patients=6, seed=seed)) for seed in (7, 7, 8))
    for column in COLUMNS:
        np.testing.assert_array_equal(getattr(first, column.name), getattr(second, column.name))
    assert first.provenance == second.provenance
    assert not np.array_equal(first.signal_uv[0], other.signal_uv[0])
    assert not set(first.patient_id) & set(other.patient_id)


def test_the_window_does_not_change_the_truth() -> None:
    short, long = (simulate(SimulationConfig(n_patients=8, window_ms=ms, seed=1)) for ms in (10.0, 15.0))
    assert (short.n_times, long.n_times) == (200, 300)
    for name in ("level_db_nhl", "v_latency_ms", "v_amplitude_uv", "threshold_db_nhl", "hearing_class"):
        np.testing.assert_array_equal(getattr(short, name), getattr(long, name))
    assert short.clean_uv is not None
    assert long.clean_uv is not None
    np.testing.assert_array_equal(short.clean_uv, long.clean_uv[:, :200])


def test_wave_v_behind_a_short_window_is_masked_and_counted(clinical_set: AbrRecordings) -> None:
    late = clinical_set.v_present & (clinical_set.v_latency_ms > clinical_set.time_ms[-1])
    assert late.any()
    np.testing.assert_array_equal(clinical_set.v_outside_window, late)
    assert clinical_set.counts()["v_outside_window"] == late.sum()
    assert not clinical_set.latency_mask[late].any()
    assert not clinical_set.v_mask[late].any()


def test_some_ages_are_not_known(clinical_set: AbrRecordings) -> None:
    assert clinical_set.counts()["missing_age"] / len(clinical_set) == pytest.approx(0.03, abs=0.02)


def test_wave_latencies_are_in_order(balanced_set: AbrRecordings) -> None:
    latency = balanced_set.wave_latency_ms[:, [0, 2, WAVE_V, 6]]
    following = np.diff(latency, axis=1)
    assert (following[np.isfinite(following)] > 0).all()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"window_ms": 11.0}, "window_ms must be one of 10.0, 12.8, 15.0, not 11"),
        ({"n_patients": 0}, "n_patients"),
        ({"preset": "mixed"}, "preset"),
        ({"seed": -1}, "seed"),
    ],
)
def test_impossible_settings_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SimulationConfig.model_validate(values)


def test_one_patient_is_enough_for_a_valid_set() -> None:
    one = simulate(SimulationConfig(n_patients=1, seed=2))
    assert one.n_patients == 1
    assert {field.name for field in fields(one)} >= {column.name for column in COLUMNS}
    assert one.threshold_provenance == "simulated"
    assert one.provenance["seed"] == 2
