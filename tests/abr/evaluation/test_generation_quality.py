"""A trained network is judged by what it generates, from end to end."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest

from neuroprism.abr import AbrConfig, split_by_patient
from neuroprism.abr.evaluation.generation import GenerationQuality, GenerationSettings, judge_generated
from neuroprism.abr.evaluation.generation.generated_set import generate_like
from neuroprism.abr.recordings import AbrRecordings
from neuroprism.abr.sampling import SamplerSettings
from neuroprism.abr.trained import TrainedAbr, load_trained
from neuroprism.core import strict_json
from neuroprism.core.errors import DataError, UserError

SETTINGS = GenerationSettings(n=60, sampler=SamplerSettings(steps=3), seed=4)


@pytest.fixture(scope="module")
def trained(trained_run: Any) -> TrainedAbr:
    return load_trained(trained_run.folder)


@pytest.fixture(scope="module")
def parts(small_set: AbrRecordings) -> tuple[AbrRecordings, AbrRecordings]:
    split = split_by_patient(small_set, AbrConfig().data.splits)
    return small_set.select(split.train), small_set.select(np.concatenate([split.val, split.test]))


@pytest.fixture(scope="module")
def found(trained: TrainedAbr, parts: tuple[AbrRecordings, AbrRecordings]) -> GenerationQuality:
    return judge_generated(trained, *parts, SETTINGS, progress=False)


def test_everything_is_judged_and_can_be_stored(found: GenerationQuality, trained: TrainedAbr) -> None:
    assert found.n_generated == 60
    assert {one.task for one in found.transfer} == {"wave_v_presence", "hearing_class"}
    assert {"trace_sd_uv", "wave_v_present"} <= {one.quantity for one in found.distributions}
    # A network after a few steps copies nothing.
    assert not found.memorisation.copying
    assert found.sampling["checkpoint"] == str(trained.path)
    stored = strict_json.encode_pretty(found)
    assert b"NaN" not in stored
    assert b"Infinity" not in stored
    assert msgspec.json.decode(stored, type=GenerationQuality) == found


def test_equal_seeds_give_equal_judgements(
    found: GenerationQuality, trained: TrainedAbr, parts: tuple[AbrRecordings, AbrRecordings]
) -> None:
    again = judge_generated(trained, *parts, SETTINGS, progress=False)
    assert strict_json.encode(again) == strict_json.encode(found)


def test_conditions_are_those_of_test_recordings(
    trained: TrainedAbr, parts: tuple[AbrRecordings, AbrRecordings]
) -> None:
    test = parts[1].select(np.arange(40))
    made = generate_like(trained, test, SETTINGS, progress=False)
    # Every recording lends its condition once before any does twice.
    assert set(np.bincount(made.rows, minlength=40).tolist()) == {1, 2}
    lent = test.select(made.rows)
    np.testing.assert_allclose(made.recordings.level_db_nhl, lent.level_db_nhl)
    np.testing.assert_allclose(made.recordings.age_years, lent.age_years)
    np.testing.assert_array_equal(made.patients, lent.patient_id)
    # The same condition twice has two different signals.
    first, second = np.flatnonzero(made.rows == made.rows[0])[:2]
    assert np.abs(made.recordings.signal_uv[first] - made.recordings.signal_uv[second]).max() > 1e-3


def test_what_nothing_can_be_generated_for_is_refused(
    trained: TrainedAbr, parts: tuple[AbrRecordings, AbrRecordings]
) -> None:
    training, test = parts
    with pytest.raises(UserError, match="two or more"):
        GenerationSettings(n=1)
    short = replace(test, signal_uv=test.signal_uv[:, :200])
    with pytest.raises(DataError, match="cannot be compared"):
        judge_generated(trained, training, short, SETTINGS, progress=False)
    level = np.full(len(test), np.nan, dtype=np.float32)
    unheard = replace(test, level_db_nhl=level, level_db_spl=np.full_like(level, 60.0))
    with pytest.raises(DataError, match="dB nHL"):
        judge_generated(trained, training, unheard, SETTINGS, progress=False)


def test_classes_with_other_names_are_not_compared(
    trained: TrainedAbr, parts: tuple[AbrRecordings, AbrRecordings]
) -> None:
    training, test = parts
    other = replace(test, class_names=("a", "b", "c", "d", "e"))
    found = judge_generated(trained, training, other, SETTINGS, progress=False)
    assert [one.task for one in found.transfer] == ["wave_v_presence"]
    assert any("class" in note for note in found.notes)


def test_a_network_of_responses_gets_the_noise_of_the_test_recordings(
    trained: TrainedAbr, parts: tuple[AbrRecordings, AbrRecordings]
) -> None:
    data = trained.config.data.model_copy(update={"signal_target": "clean"})
    clean = replace(trained, config=trained.config.model_copy(update={"data": data}))
    training, test = parts
    made = generate_like(clean, test, SETTINGS, progress=False)
    assert made.recordings.clean_uv is not None
    noise = made.recordings.signal_uv - made.recordings.clean_uv
    ratio = noise.std(axis=1) / test.residual_noise_uv[made.rows]
    assert ratio.mean() == pytest.approx(1.0, abs=0.15)
    # Labels are those of what the network reads from the noisy trace.
    np.testing.assert_array_equal(made.recordings.v_present, made.predictions.v_present)
    found = judge_generated(clean, training, test, SETTINGS, progress=False)
    assert "noise" in found.notes[0]
    unknown = replace(test, residual_noise_uv=np.full(len(test), np.nan, dtype=np.float32))
    with pytest.raises(DataError, match="residual noise"):
        generate_like(clean, unknown, SETTINGS, progress=False)
