"""What holds of every trivial and classical method, whatever it answers."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from neuroprism.abr import split_by_patient
from neuroprism.abr.answers import Answers, Fit, Method
from neuroprism.abr.evaluation.methods import BASELINES
from neuroprism.abr.evaluation.methods.hand_features import HandFeatures
from neuroprism.abr.recordings import AbrRecordings
from neuroprism.abr.simulate import SimulationConfig, simulate
from neuroprism.abr.splits import SplitConfig

NAMES = (
    "constant",
    "conditions only",
    "Fmp, criterion 3.1",
    "Fmp, chosen criterion",
    "peak picking",
    "template matching",
    "hand features",
)
PER_RECORDING = (
    "v_score",
    "v_present",
    "latency_ms",
    "amplitude_uv",
    "threshold_db_nhl",
    "ear_threshold_db_nhl",
)


@pytest.fixture(scope="module")
def parts() -> tuple[AbrRecordings, AbrRecordings]:
    """Return some 1,400 training and 200 other recordings."""
    recordings = simulate(SimulationConfig(n_patients=100, preset="balanced", seed=21))
    split = split_by_patient(recordings, SplitConfig(train_ratio=0.85, val_ratio=0.15, test_ratio=0.0))
    return recordings.select(split.train), recordings.select(split.val)


@pytest.fixture(scope="module")
def fitted(parts: tuple[AbrRecordings, AbrRecordings]) -> dict[str, Method]:
    methods = [fit(parts[0]) for fit in BASELINES]
    return {method.name: method for method in methods}


def given(answers: Answers) -> dict[str, np.ndarray]:
    found = {field.name: getattr(answers, field.name) for field in fields(Answers)}
    return {name: values for name, values in found.items() if values is not None}


def same(first: Answers, second: Answers) -> None:
    one, other = given(first), given(second)
    assert one.keys() == other.keys()
    for name, values in one.items():
        np.testing.assert_array_equal(values, other[name], err_msg=name)


def scrambled(r: AbrRecordings) -> AbrRecordings:
    """Return the recordings with labels that are all wrong or gone."""
    rng = np.random.default_rng(0)
    n = len(r)
    return replace(
        r,
        clean_uv=None,
        wave_latency_ms=np.full_like(r.wave_latency_ms, np.nan),
        wave_amplitude_uv=np.full_like(r.wave_amplitude_uv, np.nan),
        v_marked=np.zeros(n, dtype=np.bool_),
        v_present=np.zeros(n, dtype=np.bool_),
        hearing_class=rng.permutation(r.hearing_class),
        threshold_db_nhl=np.full_like(r.threshold_db_nhl, np.nan),
        threshold_censored=~r.threshold_censored,
        air_bone_gap_db=rng.permutation(r.air_bone_gap_db),
    )


def test_names_are_known_and_fit_a_table(fitted: dict[str, Method]) -> None:
    assert tuple(fitted) == NAMES
    assert max(map(len, fitted)) <= 24
    kinds = [method.kind for method in fitted.values()]
    assert kinds == ["trivial"] * 2 + ["classical"] * 5


@pytest.mark.parametrize("name", NAMES)
def test_answers_have_their_form(
    name: str, fitted: dict[str, Method], parts: tuple[AbrRecordings, AbrRecordings]
) -> None:
    r = parts[1]
    found = given(fitted[name].answer(r))
    for part in PER_RECORDING:
        if part in found:
            assert found[part].shape == (len(r),)
            assert found[part].dtype == (np.bool_ if part == "v_present" else np.float64)
            assert part == "ear_threshold_db_nhl" or np.isfinite(found[part]).all()
    if "class_probability" in found:
        assert found["class_probability"].shape == (len(r), len(r.class_names))
        np.testing.assert_allclose(found["class_probability"].sum(axis=1), 1.0, rtol=1e-6)
    ear = found["ear_threshold_db_nhl"]
    for one in np.unique(r.ear_id):
        rows = r.ear_id == one
        several = len(np.unique(r.level_db_nhl[rows])) > 1
        assert np.isnan(ear[rows]).all() != several
        assert len(np.unique(ear[rows])) == 1


@pytest.mark.parametrize("name", NAMES)
def test_labels_are_not_looked_at_for_answers(
    name: str, fitted: dict[str, Method], parts: tuple[AbrRecordings, AbrRecordings]
) -> None:
    same(fitted[name].answer(parts[1]), fitted[name].answer(scrambled(parts[1])))


@pytest.mark.parametrize("fit", BASELINES)
def test_a_method_fitted_twice_answers_the_same(
    fit: Fit, fitted: dict[str, Method], parts: tuple[AbrRecordings, AbrRecordings]
) -> None:
    again = fit(parts[0])
    same(again.answer(parts[1]), fitted[again.name].answer(parts[1]))


def test_an_answer_depends_on_the_recordings_of_the_ear_alone(
    fitted: dict[str, Method], parts: tuple[AbrRecordings, AbrRecordings]
) -> None:
    r = parts[1]
    rows = np.flatnonzero(r.patient_id == r.patient_id[0])[::-1]
    for method in fitted.values():
        alone, among = given(method.answer(r.select(rows))), given(method.answer(r))
        for name, values in alone.items():
            # A product of matrices rounds differently for other numbers of rows.
            np.testing.assert_allclose(values, among[name][rows], rtol=1e-6, atol=1e-9, err_msg=name)


def test_ears_that_are_not_known_have_no_threshold(
    fitted: dict[str, Method], parts: tuple[AbrRecordings, AbrRecordings]
) -> None:
    r = replace(parts[1], ear=np.full(len(parts[1]), "unknown"))
    for method in fitted.values():
        assert np.isnan(given(method.answer(r))["ear_threshold_db_nhl"]).all()


def test_trivial_methods_do_not_see_the_trace(
    fitted: dict[str, Method], parts: tuple[AbrRecordings, AbrRecordings]
) -> None:
    r = parts[1]
    other = replace(r, signal_uv=r.signal_uv[::-1].copy(), fmp=r.fmp[::-1].copy())
    for name, method in fitted.items():
        if method.kind == "trivial":
            same(method.answer(r), method.answer(other))
        else:
            assert (method.answer(r).v_score != method.answer(other).v_score).any(), name


@pytest.mark.parametrize("fit", BASELINES)
def test_tasks_without_labels_are_left_unanswered(
    fit: Fit, parts: tuple[AbrRecordings, AbrRecordings]
) -> None:
    train, test = (part.select(np.arange(150)) for part in parts)
    assert not given(fit(_without_labels(train)).answer(test)) or fit.__name__ == "fit_critical_fmp"
    only_presence = replace(_without_labels(train), v_marked=train.v_marked, v_present=train.v_present)
    assert set(given(fit(only_presence).answer(test))) <= {"v_score", "v_present"}
    only_class = replace(_without_labels(train), hearing_class=train.hearing_class)
    assert set(given(fit(only_class).answer(test))) <= {"class_probability", "v_score", "v_present"}


def _without_labels(r: AbrRecordings) -> AbrRecordings:
    return replace(scrambled(r), hearing_class=np.full(len(r), -1, dtype=np.int64))


@pytest.mark.parametrize("fit", BASELINES)
def test_unknown_conditions_and_lost_scales_are_lived_with(
    fit: Fit, parts: tuple[AbrRecordings, AbrRecordings]
) -> None:
    train, test = (_as_scores(part.select(np.arange(150))) for part in parts)
    answers = given(fit(train).answer(test))
    assert "amplitude_uv" not in answers
    for name, values in answers.items():
        assert name == "ear_threshold_db_nhl" or np.isfinite(values).all(), name


def _as_scores(r: AbrRecordings) -> AbrRecordings:
    """Return the recordings with z-scores for traces, and no age, rate, Fmp or noise."""
    unknown = np.full(len(r), np.nan, dtype=np.float32)
    signal = (r.signal_uv - r.signal_uv.mean(axis=1, keepdims=True)) / r.signal_uv.std(axis=1, keepdims=True)
    return replace(
        r,
        signal_uv=signal,
        signal_unit="zscore",
        clean_uv=None,
        age_years=unknown,
        rate_hz=unknown,
        fmp=unknown,
        residual_noise_uv=unknown,
    )


def test_levels_in_sound_pressure_and_another_preset_are_lived_with(fitted: dict[str, Method]) -> None:
    r = simulate(SimulationConfig(n_patients=6, preset="clinical", seed=22))
    unknown = np.full(len(r), np.nan, dtype=np.float32)
    pressure = replace(r, level_db_spl=r.level_db_nhl + np.float32(30.0), level_db_nhl=unknown)
    for name, method in fitted.items():
        for tested in (r, pressure):
            for task, values in given(method.answer(tested)).items():
                assert task == "ear_threshold_db_nhl" or np.isfinite(values).all(), (name, task)
        # Without a level that training knows there is no series along which to look for a threshold.
        assert np.isnan(given(method.answer(pressure))["ear_threshold_db_nhl"]).all()


def test_more_is_known_from_the_trace_than_from_the_conditions(
    fitted: dict[str, Method], parts: tuple[AbrRecordings, AbrRecordings]
) -> None:
    r = parts[1]
    found = {name: fitted[name].answer(r) for name in ("constant", "conditions only", "hand features")}
    errors = []
    for answers in found.values():
        assert answers.latency_ms is not None
        errors.append(np.abs(answers.latency_ms - r.v_latency_ms)[r.latency_mask].mean())
    constant, conditions, features = errors
    assert constant > conditions > 1.5 * features


def test_hand_features_see_what_a_network_sees(small_set: AbrRecordings, balanced_set: AbrRecordings) -> None:
    """Noise that is known from sub-averages would be an advantage."""
    features = HandFeatures.fit(balanced_set)
    nothing = np.full(len(small_set), np.nan, dtype=np.float32)
    blind = replace(small_set, fmp=nothing, residual_noise_uv=nothing)
    np.testing.assert_array_equal(features.measure(blind), features.measure(small_set))
