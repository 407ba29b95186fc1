"""What a network says of recordings, in their units and with everything that was done to them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from neuroprism.abr.dataset import AbrDataset
from neuroprism.abr.estimate import INTERVAL_Z
from neuroprism.abr.predictions import STATEMENT, AbrPredictions
from neuroprism.abr.predictor import AbrPredictor
from neuroprism.abr.recordings import AbrRecordings
from neuroprism.abr.trained import load_trained
from neuroprism.core.errors import UserError


@pytest.fixture(scope="module")
def predictor(trained_run: Any) -> AbrPredictor:
    return AbrPredictor.from_checkpoint(trained_run.folder)


@pytest.fixture(scope="module")
def found(predictor: AbrPredictor, small_set: AbrRecordings) -> AbrPredictions:
    return predictor.predict(small_set)


def refusal(predictor: AbrPredictor, recordings: Any, **options: Any) -> str:
    with pytest.raises(UserError) as caught:
        predictor.predict(recordings, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_values_are_those_of_the_network_in_the_units_of_the_scaler(
    trained_run: Any, found: AbrPredictions
) -> None:
    trained, recordings = load_trained(trained_run.folder), trained_run.recordings
    batch = AbrDataset(recordings, np.arange(len(recordings)), trained.scaler).everything
    with torch.no_grad():
        tasks = trained.network.predict_tasks(batch.observed, batch.condition, batch.condition_missing)
    latency = trained.scaler.targets["latency_ms"]
    np.testing.assert_allclose(
        found.latency_ms.value, tasks.latency_mean * latency.sd + latency.mean, rtol=1e-4
    )
    np.testing.assert_allclose(found.latency_ms.sd, tasks.latency_scale * latency.sd, rtol=1e-4)
    np.testing.assert_allclose(
        found.latency_ms.high - found.latency_ms.value, INTERVAL_Z * found.latency_ms.sd, rtol=1e-6
    )
    np.testing.assert_allclose(found.v_probability, torch.sigmoid(tasks.peak_logit), rtol=1e-4)
    np.testing.assert_allclose(found.class_probability.sum(axis=1), 1.0)
    assert found.class_names == recordings.class_names
    assert 5 < found.latency_ms.value.mean() < 11
    assert found.statement == STATEMENT
    assert found.provenance["epoch"] == 3


def test_predictions_do_not_depend_on_the_batches(
    predictor: AbrPredictor, found: AbrPredictions, small_set: AbrRecordings
) -> None:
    one_by_one = predictor.predict(small_set.select(np.arange(5)), batch_size=1)
    np.testing.assert_allclose(one_by_one.latency_ms.value, found.latency_ms.value[:5], rtol=1e-5)
    np.testing.assert_allclose(one_by_one.threshold_db_nhl.sd, found.threshold_db_nhl.sd[:5], rtol=1e-5)


def test_plain_traces_say_the_same_as_a_set(
    predictor: AbrPredictor, found: AbrPredictions, small_set: AbrRecordings
) -> None:
    rows = np.flatnonzero(np.isfinite(small_set.age_years))[:3]
    plain = predictor.predict(
        small_set.signal_uv[rows] / 1000,
        sample_rate_hz=20_000,
        unit="mV",
        level_db_nhl=small_set.level_db_nhl[rows],
        rate_hz=small_set.rate_hz[rows],
        age_years=small_set.age_years[rows],
    )
    np.testing.assert_allclose(plain.v_probability, found.v_probability[rows], rtol=1e-4)
    assert plain.notes == ()
    assert plain.ears == ()


def test_series_are_those_of_the_ears(found: AbrPredictions, small_set: AbrRecordings) -> None:
    several = [ear for ear in np.unique(small_set.ear_id) if _n_levels(small_set, ear) > 1]
    assert [ear.ear_id for ear in found.ears] == several
    for ear in found.ears:
        assert (small_set.ear_id[list(ear.rows)] == ear.ear_id).all()
        inside = found.threshold_db_nhl.value[list(ear.rows)]
        assert inside.min() - 5.0 <= ear.threshold_db_nhl <= inside.max() + 5.0


def _n_levels(recordings: AbrRecordings, ear: str) -> int:
    return len(np.unique(recordings.level_db_nhl[recordings.ear_id == ear]))


def test_another_rate_and_a_longer_window_are_said_and_change_little(
    predictor: AbrPredictor, found: AbrPredictions, small_set: AbrRecordings
) -> None:
    from scipy.signal import resample_poly

    finer = resample_poly(small_set.signal_uv[:20], 2, 1, axis=1, padtype="line").astype(np.float32)
    longer = np.pad(finer, ((0, 0), (40, 40)), mode="edge")
    other = replace(
        small_set.select(np.arange(20)),
        signal_uv=longer,
        clean_uv=None,
        sample_rate_hz=40_000.0,
        start_ms=-1.0,
        window_ms=14.8,
    )
    again = predictor.predict(other)
    assert [note.split()[0] for note in again.notes if "unlike" not in note][:2] == ["resampled", "cropped"]
    np.testing.assert_allclose(again.v_probability, found.v_probability[:20], atol=0.02)


def test_conditions_outside_the_training_range_are_warned_of(
    predictor: AbrPredictor, small_set: AbrRecordings
) -> None:
    _, high = predictor.trained.condition_ranges["level_db_nhl"]
    few = small_set.select(np.arange(3))
    warned = predictor.predict(few, level_db_nhl=[high, high + 20, high])
    assert (
        f"level_db_nhl {high + 20:g} is outside the training range 0 to {high:g} (1 of 3 recordings)"
        in warned.notes
    )
    assert "level_db_nhl was given: that of the recordings is not used" in warned.notes
    assert [bool("level_db_nhl" in words) for words in warned.unlike_training] == [False, True, False]


def test_recordings_of_another_kind_are_flagged(
    predictor: AbrPredictor, small_set: AbrRecordings, found: AbrPredictions
) -> None:
    assert sum("signal" in words for words in found.unlike_training) < 0.05 * len(found)
    noise = np.random.default_rng(0).standard_normal((4, 256))
    strange = predictor.predict(noise, sample_rate_hz=20_000, level_db_nhl=80, rate_hz=33.1)
    assert all("fast parts" in words for words in strange.unlike_training)
    assert "4 of 4 recordings look unlike the training recordings" in strange.notes
    assert "age_years is not known for 4 of 4 recordings" in strange.notes


def test_an_older_checkpoint_says_that_only_sizes_are_compared(
    predictor: AbrPredictor, small_set: AbrRecordings
) -> None:
    older = AbrPredictor(replace(predictor.trained, profile=None))
    usual = older.predict(small_set.select(np.arange(50)))
    assert sum("signal" in words for words in usual.unlike_training) < 5
    assert any("only their size is compared" in note for note in usual.notes)
    large = older.predict(20 * small_set.signal_uv[:3], sample_rate_hz=20_000, level_db_nhl=80, rate_hz=33.1)
    assert set(large.unlike_training) == {"signal: size"}


def test_a_loss_without_likelihood_gives_no_interval(
    predictor: AbrPredictor, small_set: AbrRecordings
) -> None:
    from neuroprism.abr.loss_config import Huber

    loss = predictor.trained.config.loss.model_copy(update={"peak_latency": Huber()})
    config = predictor.trained.config.model_copy(update={"loss": loss})
    without = AbrPredictor(replace(predictor.trained, config=config)).predict(small_set.select(np.arange(3)))
    assert np.isnan(without.latency_ms.low).all()
    assert np.isfinite(without.latency_ms.value).all()
    assert np.isfinite(without.amplitude_uv.low).all()
    assert "latency_ms has no interval: its loss in training was huber, which learns none" in without.notes


def test_a_condition_that_training_lacked_is_left_out(
    predictor: AbrPredictor, small_set: AbrRecordings
) -> None:
    from neuroprism.abr.scaler import Standard

    trained = predictor.trained
    conditions = {**trained.scaler.conditions, "rate_hz": Standard(0.0, 1.0, 0.0)}
    narrow = AbrPredictor(replace(trained, scaler=replace(trained.scaler, conditions=conditions)))
    trace = small_set.signal_uv[0]
    with_rate = narrow.predict(trace, sample_rate_hz=20_000, level_db_nhl=80, age_years=1, rate_hz=33.1)
    without = narrow.predict(trace, sample_rate_hz=20_000, level_db_nhl=80, age_years=1)
    assert with_rate.notes == ("rate_hz is left out: the training recordings had none",)
    np.testing.assert_array_equal(with_rate.v_probability, without.v_probability)


def test_denoised_traces_are_in_microvolt(predictor: AbrPredictor, small_set: AbrRecordings) -> None:
    few = small_set.select(np.arange(4))
    denoised = predictor.predict(few, denoised=True).denoised_uv
    assert denoised is not None
    assert denoised.shape == few.signal_uv.shape
    low, high = predictor.trained.signal_range_uv
    assert low - 1e-5 <= denoised.min() < denoised.max() <= high + 1e-5
    given = predictor.predict(few, denoised=True, residual_noise_uv=few.residual_noise_uv).denoised_uv
    np.testing.assert_array_equal(denoised, given)


def test_bad_input_is_one_line(predictor: AbrPredictor, small_set: AbrRecordings) -> None:
    trace = small_set.signal_uv[0]
    known: dict[str, Any] = {"sample_rate_hz": 20_000, "level_db_nhl": 80, "rate_hz": 33.1}
    assert "there is no recording" in refusal(predictor, np.empty((0, 256)), **known)
    assert "holds no number" in refusal(predictor, np.full(256, np.nan), **known)
    assert "is flat" in refusal(predictor, np.full(256, 0.1), **known)
    assert "volts or millivolts" in refusal(predictor, trace * 1e-6, **known)
    assert "nanovolts or raw counts" in refusal(predictor, trace * 1e6, **known)
    assert "sampling rate" in refusal(predictor, trace, **{**known, "sample_rate_hz": None})
    assert "cover 0 to 4.95 ms" in refusal(predictor, trace[:100], **known)
    assert "give rate_hz (--rate)" in refusal(predictor, trace, **{**known, "rate_hz": None})
    assert "did you mean 'level_db_nhl'" in refusal(predictor, trace, **known, level_db_nhll=3)
    assert "has its own sampling rate" in refusal(predictor, small_set, sample_rate_hz=20_000)
    assert "residual_noise_uv" in refusal(predictor, trace, **known, denoised=True)
