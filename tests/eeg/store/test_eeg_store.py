"""A store gives back what was cut, and refuses to open where anything is wrong with it."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from neuroprism.core.errors import DataError, UnknownNameError
from neuroprism.eeg.config import EegDataConfig
from neuroprism.eeg.dataset_registry import Dataset, datasets
from neuroprism.eeg.preparation import prepare
from neuroprism.eeg.splits import divide
from neuroprism.eeg.store import EegStore

Declare = Callable[..., Dataset]


def refused(path: Path, dataset: str | None = "Small") -> str:
    with pytest.raises(DataError) as error:
        EegStore.open(path, dataset)
    assert "\n" not in str(error.value)
    return str(error.value)


def change_card(path: Path, **changes: Any) -> None:
    card = json.loads((path / "card.json").read_text())
    (path / "card.json").write_text(json.dumps(card | changes))


def change_index(path: Path, **changes: Any) -> None:
    """Change the first line and make the card agree."""
    lines = (path / "index.jsonl").read_text().splitlines()
    lines[0] = json.dumps(json.loads(lines[0]) | changes)
    content = ("\n".join(lines) + "\n").encode()
    (path / "index.jsonl").write_bytes(content)
    change_card(path, index_sha256=hashlib.sha256(content).hexdigest())


def test_windows_come_back_within_half_a_step(store: EegStore, dataset: Dataset, raw: Path) -> None:
    cut = {r.key: dataset.cut(r) for r in dataset.find(raw).recordings}
    expected = np.concatenate([cut[key].values for key in sorted(cut)])
    assert len(store) == len(expected) == 60
    step = max(np.abs(windows.values).max() for windows in cut.values()) / 32767
    found = store.read(np.arange(60))
    assert found.dtype == np.float32
    assert np.abs(found - expected).max() <= step / 2 * 1.01
    order = np.random.default_rng(0).permutation(60)
    assert np.array_equal(store.read(order), found[order])
    assert np.array_equal(store.read(7), found[7:8])
    assert store.read([]).shape == (0, 3, 400)


@pytest.mark.parametrize("row", [-1, 60])
def test_there_is_no_window_beyond_the_last(row: int, store: EegStore) -> None:
    with pytest.raises(IndexError, match="windows 0 to 59"):
        store.read([row])


def test_columns_say_what_each_window_is(store: EegStore) -> None:
    assert store.labels.dtype == np.int64
    assert store.labels[:12].tolist() == [0] * 5 + [1] * 5 + [0] * 2
    assert store.subjects[[0, 9, 10, 59]].tolist() == ["0", "0", "1", "5"]
    assert store.recordings[[0, 5, 59]].tolist() == ["s0_0", "s0_1", "s5_1"]
    assert store.starts_s[:6].tolist() == [0, 2, 4, 6, 8, 0]
    split = {name: store.indices(name) for name in ("train", "val", "test")}
    assert {name: len(rows) for name, rows in split.items()} == {"train": 30, "val": 10, "test": 20}
    assert sorted(np.concatenate(list(split.values())).tolist()) == list(range(60))
    for name, subjects in (("train", {"0", "1", "2"}), ("val", {"3"}), ("test", {"4", "5"})):
        assert set(store.subjects[split[name]]) == subjects


def test_fingerprint_says_which_data(store: EegStore, dataset: Dataset, raw: Path, tmp_path: Path) -> None:
    prepare(dataset, raw, tmp_path / "again", progress=False)
    prepare(dataset, raw, tmp_path / "part", subjects=["0", "3"], progress=False)
    assert EegStore.open(tmp_path / "again").fingerprint() == store.fingerprint()
    assert EegStore.open(tmp_path / "part").fingerprint() != store.fingerprint()


def test_sequences_and_numbers_as_labels(declare: Declare, raw: Path, tmp_path: Path) -> None:
    base = declare(task="regression", class_names=(), sequence_length=2, expected={})

    def cut(recording: Any) -> Any:
        windows = base.cut(recording)
        pairs = windows.values[:4].reshape(2, 2, 3, 400)
        labels = np.array([[0.25, -1.5], [1e-3, 7.0]], dtype=np.float32)
        return type(windows)(
            values=pairs, labels=labels, starts_s=windows.starts_s[:4:2], trials=np.arange(2)
        )

    prepare(Dataset(spec=base.spec, find=base.find, cut=cut), raw, tmp_path / "store", progress=False)
    store = EegStore.open(tmp_path / "store")
    assert store.labels.dtype == np.float32
    assert np.array_equal(store.labels[:2], np.float32([[0.25, -1.5], [1e-3, 7.0]]))
    assert store.read([0, 23]).shape == (2, 2, 3, 400)
    assert store.card.classes == {}


def test_recording_without_windows_is_kept_in_the_index(declare: Declare, raw: Path, tmp_path: Path) -> None:
    dataset = declare()
    np.save(raw / "s1_0.npy", np.ones((3, 10), np.float32))

    def cut(recording: Any) -> Any:
        if recording.key != "s1_0":
            return dataset.cut(recording)
        whole = dataset.cut(dataset.find(raw).recordings[0])
        return type(whole)(
            values=whole.values[:0],
            labels=whole.labels[:0],
            starts_s=whole.starts_s[:0],
            trials=whole.trials[:0],
        )

    prepare(Dataset(spec=dataset.spec, find=dataset.find, cut=cut), raw, tmp_path / "store", progress=False)
    store = EegStore.open(tmp_path / "store")
    assert len(store) == 55
    assert store.recordings[store.read(np.arange(10, 12)).shape[0] + 8] == "s1_1"
    assert store.card.n_recordings == 12


def test_files_are_not_kept_open(store: EegStore) -> None:
    if not Path("/proc/self/fd").exists():
        pytest.skip("needs /proc")
    before = len(os.listdir("/proc/self/fd"))
    store.read(np.arange(60))
    assert len(os.listdir("/proc/self/fd")) == before


def test_copy_for_another_process_carries_no_windows(store: EegStore) -> None:
    size = len(pickle.dumps(store))
    values = store.read(np.arange(60))
    assert len(pickle.dumps(store)) == size < values.nbytes / 4
    assert np.array_equal(pickle.loads(pickle.dumps(store)).read(np.arange(60)), values)


def test_mapped_windows_cannot_change_the_store(store: EegStore) -> None:
    before = store.read([0]).copy()
    store.shards._map(0)[:] = 0
    assert np.array_equal(EegStore.open(store.path).read([0]), before)


def test_what_is_no_store_is_refused(tmp_path: Path, store: EegStore) -> None:
    assert refused(tmp_path / "none") == f"no store at {tmp_path}/none: there is no such folder"
    assert "is not a prepared store: it has no card.json" in refused(tmp_path / "raw")
    assert "no store at" in refused(store.path / "card.json")
    (tmp_path / "raw" / "data.mdb").touch()
    assert "convert it with `neuroprism import-lmdb`" in refused(tmp_path / "raw")


def test_store_of_another_dataset_is_refused(store: EegStore, declare: Declare) -> None:
    declare(name="Other")
    assert refused(store.path, "Other") == f"{store.path} holds Small, not Other"
    with pytest.raises(UnknownNameError, match="did you mean 'Small'"):
        EegStore.open(store.path, "Smal")
    del datasets._entries["Small"]
    assert "a dataset that is not declared" in refused(store.path, None)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"channels": ("Fz", "Cz", "Oz")}, "(other channels); prepare it again"),
        ({"class_names": ("busy", "calm")}, "(other class_names)"),
        ({"sequence_length": 3}, "(other window_shape)"),
        ({"task": "multiclass", "class_names": ("a", "b", "c")}, "(other class_names)"),
    ],
)
def test_store_of_another_declaration_is_refused(
    changes: dict[str, Any], expected: str, store: EegStore, declare: Declare
) -> None:
    declare(**changes)
    message = refused(store.path)
    assert "was prepared under another declaration of Small" in message
    assert expected in message


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"{", "card.json is damaged: it is not JSON"),
        (b"[]", "does not describe an EEG store"),
        (b'{"format": "other"}', "does not describe an EEG store"),
        (b'{"format": "neuroprism.eeg", "version": 2}', "has store version 2; this program reads version 1"),
        (b'{"format": "neuroprism.eeg", "version": 1}', "missing required field"),
    ],
)
def test_damaged_card_is_refused(content: bytes, expected: str, store: EegStore) -> None:
    (store.path / "card.json").write_bytes(content)
    assert expected in refused(store.path)


def test_damaged_index_is_refused(store: EegStore) -> None:
    index = store.path / "index.jsonl"
    content = index.read_bytes()
    index.write_bytes(content[:-20])
    assert refused(store.path) == f"{index} is damaged: its SHA-256 is not the one in the card"
    index.unlink()
    assert "cannot read the index" in refused(store.path)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"n": "five"}, "Expected `int`"),
        ({"extra": 1}, "unknown field"),
        ({"labels": [0, 1]}, "s0_0 is not consistent"),
        ({"labels": ["a"] * 5}, "labels do not fit Small"),
        ({"splits": ["train"], "split": None}, "s0_0 is not consistent"),
        ({"split": "val"}, "subject '0' is in train and val; Small splits by subject"),
    ],
)
def test_index_that_does_not_fit_is_refused(changes: dict[str, Any], expected: str, store: EegStore) -> None:
    change_index(store.path, **changes)
    assert expected in refused(store.path)


def test_missing_and_truncated_windows_are_refused(store: EegStore) -> None:
    path = store.path / "recordings" / "s2_0.npy"
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    assert f"{path} is damaged: {len(content) - 1:,} bytes instead of {len(content):,}" in refused(store.path)
    path.unlink()
    assert f"{path}: No such file or directory" in refused(store.path)


def test_file_that_is_no_array_is_refused_when_read(store: EegStore) -> None:
    path = store.path / "recordings" / "s0_0.npy"
    size = path.stat().st_size
    path.write_bytes(b"x" * size)
    reopened = EegStore.open(store.path)
    with pytest.raises(DataError, match=r"s0_0\.npy is damaged"):
        reopened.read([0])
    with path.open("wb") as file:
        np.save(file, np.zeros((4, 3, 400), np.int16))
        file.write(b"\0" * (size - file.tell()))
    with pytest.raises(DataError, match=r"damaged: int16 \(4, 3, 400\) instead of int16 \(5, 3, 400\)"):
        EegStore.open(store.path).read([0])


def test_store_without_windows_for_training_or_selection_is_refused(
    dataset: Dataset, small: ModuleType, tmp_path: Path
) -> None:
    raw = small.write_raw(tmp_path / "raw")
    for subjects, missing in ((["0", "5"], "val"), (["3"], "train")):
        prepare(dataset, raw, tmp_path / missing, subjects=subjects, progress=False)
        with pytest.raises(DataError, match=f"no window belongs to the split '{missing}'"):
            divide(EegStore.open(tmp_path / missing), EegDataConfig())
