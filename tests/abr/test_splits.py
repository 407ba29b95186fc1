from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from neuroprism.abr.columns import COLUMNS, WAVES
from neuroprism.abr.recordings import AbrRecordings
from neuroprism.abr.splits import (
    SPLIT_NAMES,
    SplitConfig,
    make_manifest,
    read_split,
    split_by_patient,
    write_manifest,
)
from neuroprism.core.errors import DataError


def recordings_of(patients: list[int], classes: list[int]) -> AbrRecordings:
    """Recordings of which only patient and class matter."""
    n = len(patients)
    sizes = {"time": 4, "wave": len(WAVES)}
    kinds = {"text": "U9", "float32": np.float32, "bool": bool, "int8": np.int8}
    arrays = {
        c.name: np.zeros((n, *(sizes[axis] for axis in c.axes)), dtype=kinds.get(c.kind, c.kind))
        for c in COLUMNS
    }
    arrays |= {
        "patient_id": np.array([f"p{number:04d}" for number in patients]),
        "hearing_class": np.array(classes, dtype=np.int64),
    }
    return AbrRecordings(**arrays, sample_rate_hz=20_000.0, window_ms=0.2)  # type: ignore[arg-type]


RATIOS = st.sampled_from([(0.75, 0.15, 0.10), (0.6, 0.2, 0.2), (0.8, 0.2, 0.0), (0.34, 0.33, 0.33)])


@settings(max_examples=60, deadline=None)
@given(
    classes=st.lists(st.integers(0, 4), max_size=60),
    per_patient=st.integers(1, 5),
    ratios=RATIOS,
    seed=st.integers(0, 2**32 - 1),
    data=st.randoms(use_true_random=False),
)
def test_no_patient_is_in_two_splits_and_every_recording_in_exactly_one(
    classes: list[int], per_patient: int, ratios: tuple[float, float, float], seed: int, data: object
) -> None:
    classes = [*classes, 0, 0, 0]  # one class that fills every split
    patients = [p for p in range(len(classes)) for _ in range(per_patient)]
    data.shuffle(patients)  # type: ignore[attr-defined]
    r = recordings_of(patients, [classes[p] for p in patients])
    config = SplitConfig(train_ratio=ratios[0], val_ratio=ratios[1], test_ratio=ratios[2], random_seed=seed)
    split = split_by_patient(r, config)
    everything = np.concatenate([split[name] for name in SPLIT_NAMES])
    np.testing.assert_array_equal(np.sort(everything), np.arange(len(r)))
    owners = [set(r.patient_id[split[name]]) for name in SPLIT_NAMES]
    assert len(owners[0] | owners[1] | owners[2]) == sum(map(len, owners))
    again = split_by_patient(r, config)
    for name in SPLIT_NAMES:
        np.testing.assert_array_equal(split[name], again[name])
        assert (np.diff(split[name]) > 0).all()
    assert set(r.hearing_class[split.train]) == set(r.hearing_class)


@settings(max_examples=60, deadline=None)
@given(counts=st.lists(st.integers(3, 80), min_size=1, max_size=5), ratios=RATIOS)
def test_every_class_has_its_share_of_every_split(
    counts: list[int], ratios: tuple[float, float, float]
) -> None:
    classes = [label for label, n in enumerate(counts) for _ in range(n)]
    r = recordings_of(list(range(len(classes))), classes)
    config = SplitConfig(train_ratio=ratios[0], val_ratio=ratios[1], test_ratio=ratios[2])
    split = split_by_patient(r, config)
    for label, n in enumerate(counts):
        for name, ratio in zip(SPLIT_NAMES, ratios, strict=True):
            found = int((r.hearing_class[split[name]] == label).sum())
            # Largest remainder, and at least one patient where the split exists.
            assert abs(found - n * ratio) < 2.0
            assert (found > 0) == (ratio > 0)


def test_another_seed_gives_another_split_and_the_order_of_recordings_does_not_matter() -> None:
    patients = [p for p in range(40) for _ in range(3)]
    classes = [p % 5 for p in patients]
    r = recordings_of(patients, classes)
    split = split_by_patient(r, SplitConfig())
    other = split_by_patient(r, SplitConfig(random_seed=43))
    assert not np.array_equal(split.train, other.train)
    order = np.random.default_rng(0).permutation(len(r))
    shuffled = r.select(order)
    same = split_by_patient(shuffled, SplitConfig())
    for name in SPLIT_NAMES:
        assert set(shuffled.patient_id[same[name]]) == set(r.patient_id[split[name]])


def test_a_patient_counts_for_the_class_of_most_recordings() -> None:
    # Patient 0: two recordings of class 1, one of class 0; on a tie (patient 1) the first class counts.
    patients = [0, 0, 0, 1, 1, *range(2, 40)]
    classes = [0, 1, 1, 2, 0, *[number % 3 for number in range(2, 40)]]
    r = recordings_of(patients, classes)
    manifest = make_manifest(split_by_patient(r, SplitConfig()), r, SplitConfig())
    assert sum(manifest.classes[name]["neuropathy"] for name in SPLIT_NAMES) == classes.count(1)


@pytest.mark.parametrize(("n_rare", "expected"), [(1, (1, 0, 0)), (2, (1, 1, 0)), (3, (1, 1, 1))])
def test_rare_classes_go_to_training_first(n_rare: int, expected: tuple[int, int, int]) -> None:
    classes = [0] * 40 + [1] * n_rare
    r = recordings_of(list(range(len(classes))), classes)
    split = split_by_patient(r, SplitConfig())
    assert tuple(int((r.hearing_class[split[name]] == 1).sum()) for name in SPLIT_NAMES) == expected


def test_too_few_patients_are_refused() -> None:
    with pytest.raises(DataError, match="1 patient cannot be divided into train, val, test"):
        split_by_patient(recordings_of([0, 0, 0], [0, 0, 0]), SplitConfig())
    with pytest.raises(DataError, match="2 patients cannot be divided"):
        split_by_patient(recordings_of([0, 1], [0, 0]), SplitConfig())
    two = split_by_patient(
        recordings_of([0, 1], [0, 0]), SplitConfig(train_ratio=0.8, val_ratio=0.2, test_ratio=0)
    )
    assert (len(two.train), len(two.val), len(two.test)) == (1, 1, 0)


def test_a_class_that_training_would_never_see_is_named() -> None:
    # Conductive is nobody's modal class: its one recording goes where its patient happens to go.
    patients = [p for p in range(30) for _ in range(3)]
    plain = recordings_of(patients, [0] * 90)
    mixed = recordings_of(patients, [4] + [0] * 89)
    outcomes = set()
    for seed in range(30):
        config = SplitConfig(random_seed=seed)
        trained = 0 in split_by_patient(plain, config).train
        outcomes.add(trained)
        if trained:
            assert 0 in split_by_patient(mixed, config).train
        else:
            with pytest.raises(DataError, match=r"^class 'conductive' is absent from the training split$"):
                split_by_patient(mixed, config)
    assert outcomes == {True, False}


def test_a_manifest_comes_back_as_the_same_split(small_set: AbrRecordings, tmp_path: Path) -> None:
    config = SplitConfig(random_seed=3)
    split = split_by_patient(small_set, config)
    manifest = make_manifest(split, small_set, config)
    assert sum(manifest.recordings.values()) == len(small_set)
    path = tmp_path / "split.json"
    write_manifest(path, manifest)
    back = read_split(path, small_set)
    for name in SPLIT_NAMES:
        np.testing.assert_array_equal(back[name], split[name])
        assert manifest.patients[name] == sorted(set(small_set.patient_id[split[name]].tolist()))


def test_a_manifest_of_other_recordings_is_refused(small_set: AbrRecordings, tmp_path: Path) -> None:
    config = SplitConfig()
    manifest = make_manifest(split_by_patient(small_set, config), small_set, config)
    path = tmp_path / "split.json"
    write_manifest(path, manifest)
    with pytest.raises(DataError, match="belongs to other recordings"):
        read_split(path, small_set.select(np.arange(10)))
    relabelled = small_set.hearing_class.copy()
    relabelled[0] = (relabelled[0] + 1) % 5
    with pytest.raises(DataError, match="belongs to other recordings"):
        read_split(path, replace(small_set, hearing_class=relabelled))


def test_an_edited_manifest_is_refused(small_set: AbrRecordings, tmp_path: Path) -> None:
    config = SplitConfig()
    manifest = make_manifest(split_by_patient(small_set, config), small_set, config)
    path = tmp_path / "split.json"

    def refused(patients: dict[str, list[str]]) -> str:
        write_manifest(path, msgspec.structs.replace(manifest, patients=patients))
        with pytest.raises(DataError) as caught:
            read_split(path, small_set)
        return str(caught.value)

    twice = {**manifest.patients, "val": manifest.patients["val"] + manifest.patients["train"][:1]}
    assert refused(twice) == "a patient stands in two splits"
    assert "leaves out some patients" in refused({**manifest.patients, "test": []})
    assert "absent from the training split" in refused({"val": manifest.patients["val"]})
    path.write_text("{}")
    with pytest.raises(DataError, match="cannot read the split"):
        read_split(path, small_set)
    with pytest.raises(DataError, match="cannot read the split"):
        read_split(tmp_path / "nowhere.json", small_set)


def test_ratios_must_add_up_to_one() -> None:
    with pytest.raises(ValidationError, match=r"must add up to 1, not 1\.1"):
        SplitConfig(train_ratio=0.8, val_ratio=0.2, test_ratio=0.1)
    with pytest.raises(ValidationError, match="val_ratio"):
        SplitConfig(train_ratio=0.9, val_ratio=0.0, test_ratio=0.1)


def test_patients_without_a_known_class_are_divided_like_a_class_of_their_own() -> None:
    patients = [p for p in range(40) for _ in range(2)]
    classes = [-1 if p < 20 else (p % 2 if n else -1) for p in range(40) for n in range(2)]
    split = split_by_patient(recordings_of(patients, classes), SplitConfig())
    assert sum(len(split[name]) for name in SPLIT_NAMES) == 80
    for name in SPLIT_NAMES:
        known = np.array(classes)[split[name]]
        assert (known == -1).any()
        assert (known >= 0).any()
    nothing = split_by_patient(recordings_of(patients, [-1] * 80), SplitConfig())
    assert all(len(nothing[name]) for name in SPLIT_NAMES)
