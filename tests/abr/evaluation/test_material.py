from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from neuroprism.abr import split_by_patient
from neuroprism.abr.evaluation.material import gather, without_labels
from neuroprism.abr.recordings import AbrRecordings
from neuroprism.abr.splits import SPLIT_FILE, SplitConfig, make_manifest, write_manifest
from neuroprism.abr.store import save_recordings
from neuroprism.abr.trained import TrainedAbr, load_trained
from neuroprism.core.errors import DataError, UserError


@pytest.fixture
def own_file(small_set: AbrRecordings, tmp_path: Path) -> Path:
    path = tmp_path / "own.npz"
    save_recordings(path, small_set)
    return path


@pytest.fixture
def trained(trained_run) -> TrainedAbr:
    return load_trained(trained_run.best)


def test_no_patient_of_training_is_measured_on(trained: TrainedAbr, own_file: Path) -> None:
    material = gather(trained, training=own_file)
    assert not set(material.training.patient_id) & set(material.test.patient_id)
    assert len(material.test) > 0


def test_the_split_is_that_of_the_run(trained: TrainedAbr, small_set: AbrRecordings, own_file: Path) -> None:
    split = split_by_patient(small_set, trained.config.data.splits)
    for name in ("train", "val", "test"):
        material = gather(trained, split=name, training=own_file)
        assert set(material.test.patient_id) == set(small_set.patient_id[split[name]])
        assert len(material.training) == len(split.train)


def test_a_stored_split_goes_before_a_dealt_one(
    trained: TrainedAbr, small_set: AbrRecordings, own_file: Path, tmp_path: Path
) -> None:
    other = SplitConfig(random_seed=7)
    folder = tmp_path / "run"
    (folder / "checkpoints").mkdir(parents=True)
    split = split_by_patient(small_set, other)
    write_manifest(folder / SPLIT_FILE, make_manifest(split, small_set, other))
    moved = replace(trained, path=folder / "checkpoints" / "best.pt")
    material = gather(moved, training=own_file)
    assert set(material.test.patient_id) == set(small_set.patient_id[split.test])


def test_other_recordings_lose_the_patients_of_training(
    trained: TrainedAbr, small_set: AbrRecordings, own_file: Path
) -> None:
    material = gather(trained, data=own_file, training=own_file)
    split = split_by_patient(small_set, trained.config.data.splits)
    assert set(material.test.patient_id) == set(small_set.patient_id[split.test])
    assert "are left out" in material.notes[0]
    # What fits is not touched.
    assert material.test.clean_uv is not None


def test_other_recordings_of_another_rate_are_brought_to_the_window(
    trained: TrainedAbr, small_set: AbrRecordings, own_file: Path, tmp_path: Path
) -> None:
    halved = replace(
        small_set,
        signal_uv=small_set.signal_uv[:, ::2],
        clean_uv=None,
        sample_rate_hz=10_000.0,
        patient_id=np.char.add("other:", small_set.patient_id),
    )
    path = tmp_path / "halved.npz"
    save_recordings(path, halved)
    material = gather(trained, data=path, training=own_file)
    assert material.test.n_times == trained.n_times
    assert any("resampled" in note for note in material.notes)
    assert len(material.test) == len(small_set)


def test_only_known_patients_leave_nothing(
    trained: TrainedAbr, small_set: AbrRecordings, own_file: Path, tmp_path: Path
) -> None:
    split = split_by_patient(small_set, trained.config.data.splits)
    path = tmp_path / "training.npz"
    save_recordings(path, small_set.select(split.train))
    with pytest.raises(DataError, match="nothing to measure on"):
        gather(trained, data=path, training=own_file)


def test_wrong_names_are_refused(trained: TrainedAbr, own_file: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="did you mean 'test'"):
        gather(trained, split="tset", training=own_file)
    moved = trained.config.data.model_copy(update={"dataset_path": tmp_path / "gone.npz"})
    lost = replace(trained, config=trained.config.model_copy(update={"data": moved}))
    with pytest.raises(DataError, match="--training"):
        gather(lost)


def test_labels_are_taken_away(small_set: AbrRecordings) -> None:
    bare = without_labels(small_set)
    assert bare.clean_uv is None
    assert not bare.v_mask.any()
    assert not bare.class_mask.any()
    assert not bare.threshold_mask.any()
    assert np.isnan(bare.wave_latency_ms).all()
    np.testing.assert_array_equal(bare.signal_uv, small_set.signal_uv)
    np.testing.assert_array_equal(bare.fmp, small_set.fmp)
    bare.validate()
