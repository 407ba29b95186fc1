"""Stores of earlier code, written here as that code wrote them, become stores of this project."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lmdb
import numpy as np
import pytest

from neuroprism.core.errors import ConfigError, DataError
from neuroprism.eeg.catalog import datasets
from neuroprism.eeg.dataset_registry import Dataset
from neuroprism.eeg.legacy_names import natural_order, parse_name
from neuroprism.eeg.legacy_store import import_legacy
from neuroprism.eeg.store import EegStore

Sample = dict[str, Any]


def sample(seed: int, shape: tuple[int, ...] = (20, 5, 200), label: Any = 0) -> Sample:
    return {"sample": np.random.default_rng(seed).normal(0, 20, shape), "label": label}


def write_lmdb(path: Path, splits: dict[str, dict[str, Any]], keys: Any = None) -> Path:
    """Write as the preprocessing scripts do: one pickled dict a key, the splits under `__keys__`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with lmdb.open(str(path), map_size=2**26) as environment, environment.begin(write=True) as transaction:
        for samples in splits.values():
            for key, value in samples.items():
                content = value if isinstance(value, bytes) else pickle.dumps(value)
                transaction.put(key.encode(), content)
        names = {split: list(samples) for split, samples in splits.items()} if keys is None else keys
        transaction.put(b"__keys__", pickle.dumps(names))
    return path


def small_lmdb(path: Path, **more: dict[str, Any]) -> Path:
    """Two subjects for training and one each for the others, rest and task."""
    splits: dict[str, dict[str, Any]] = {}
    subjects = {"train": ("00", "01"), "val": ("28",), "test": ("32",)}
    for split, names in subjects.items():
        splits[split] = {
            f"Subject{name}_{k}-{w}": sample(int(name) * 100 + 10 * k + w, label=k - 1)
            for name in names
            for k in (1, 2)
            for w in (0, 1, 10, 2)
        }
    for split, extra in more.items():
        splits[split] |= extra
    return write_lmdb(path, splits)


def convert(name: str, old: Path, out: Path, **options: Any) -> EegStore:
    import_legacy(datasets[name], old, out, progress=False, **options)
    return EegStore.open(out, name)


def refused(name: str, old: Path, out: Path, **options: Any) -> str:
    with pytest.raises(DataError) as error:
        convert(name, old, out, **options)
    assert "\n" not in str(error.value)
    assert not out.exists()
    return str(error.value)


def test_lmdb_keeps_windows_labels_splits_and_subjects(tmp_path: Path) -> None:
    old = small_lmdb(tmp_path / "old")
    store = convert("MentalArithmetic", old, tmp_path / "new")
    assert len(store) == 32
    assert {s: len(store.indices(s)) for s in ("train", "val", "test")} == {"train": 16, "val": 8, "test": 8}
    assert sorted(set(store.subjects)) == ["00", "01", "28", "32"]
    assert store.recordings[0] == "Subject00_1"
    # In the order of the numbers, not of the letters: 0, 1, 2, 10.
    for row, seed in ((0, 10), (2, 12), (3, 20), (31, 3230)):
        expected = sample(seed)["sample"].reshape(20, 1000)
        assert np.abs(store.read([row])[0] - expected).max() < 0.01
    assert store.labels[:8].tolist() == [0] * 4 + [1] * 4
    assert np.isnan(store.starts_s).all()
    card = store.card
    assert card.made_by == "import"
    assert card.split_rule == "as the store of earlier code has it"
    assert not card.is_published_split
    assert card.verdict == "part of the dataset: 4 of 36 subjects"
    assert "whose filters may differ" in card.notes[0]


def test_conversion_can_be_repeated_exactly(tmp_path: Path) -> None:
    old = small_lmdb(tmp_path / "old")
    one = convert("MentalArithmetic", old, tmp_path / "one")
    assert convert("MentalArithmetic", old, tmp_path / "two").fingerprint() == one.fingerprint()
    # lmdb refuses a second handle on one environment while the first one lives.
    assert convert("MentalArithmetic", old, tmp_path / "three").fingerprint() == one.fingerprint()


def test_names_that_do_not_tell_subjects_are_said_so(tmp_path: Path) -> None:
    spec = datasets["MentalArithmetic"].spec
    names = {"train": range(3), "val": range(3, 5), "test": range(5, 6)}
    old = write_lmdb(tmp_path / "old", {s: {f"{k}": sample(k) for k in ks} for s, ks in names.items()})
    report = import_legacy(datasets[spec.name], old, tmp_path / "new", progress=False)
    assert "The names of 6 samples do not tell their subject" in report.text()
    store = EegStore.open(tmp_path / "new")
    assert set(store.subjects) == {"unknown"}
    assert {s: store.indices(s).tolist() for s in ("train", "val", "test")} == {  # type: ignore[arg-type]
        "train": [1, 2, 3],
        "val": [4, 5],
        "test": [0],
    }
    assert store.card.n_subjects == 0


def test_numbers_of_any_kind_are_labels(tmp_path: Path) -> None:
    labels = (1, 1.0, np.int64(1), np.float32(1), np.array(1), np.array([1]), True)
    train = {f"Subject00_2-{k}": sample(k, label=label) for k, label in enumerate(labels)}
    old = write_lmdb(tmp_path / "old", {"train": train, "val": {"Subject28_1-0": sample(9)}, "test": {}})
    assert convert("MentalArithmetic", old, tmp_path / "new").labels.tolist() == [1] * 7 + [0]


def test_regression_keeps_its_target(tmp_path: Path) -> None:
    shape = (17, 8, 200)
    train = {f"1_20151124_noon_2.mat-{k}": sample(k, shape, label=0.25 * k) for k in range(3)}
    old = write_lmdb(
        tmp_path / "old", {"train": train, "val": {"2_20151106_noon.mat-0": sample(5, shape, 0.125)}}
    )
    store = convert("SEED-VIG", old, tmp_path / "new")
    assert store.labels.tolist() == [0, 0.25, 0.5, 0.125]
    assert store.subjects.tolist() == ["1", "1", "1", "2"]


class Hostile:
    def __reduce__(self) -> Any:
        return os.system, ("touch executed",)


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        (Hostile(), "refused: it asks for posix.system"),
        ({"sample": np.array([None, 1]), "label": 0}, "an array of type 'O8'"),
        ({"sample": "text", "label": 0}, "'sample' is not an array of numbers"),
        ({"sample": np.zeros((20, 5, 200))}, "not a dict with a signal and a label"),
        ([1, 2], "not a dict with a signal and a label"),
        (b"\x80\x04garbage", "not a readable pickle"),
        (sample(0, (19, 5, 200)), "sample of shape (19, 5, 200); MentalArithmetic declares (20, 5, 200)"),
        (sample(0, (20, 4, 200)), "sample of shape (20, 4, 200)"),
        (sample(0, label=2), "label 2; MentalArithmetic has the classes 0 to 1"),
        (sample(0, label=0.5), "the label 0.5 is not a whole number"),
        (sample(0, label=[0, 1]), "a label of shape (2,); expected one number"),
        (sample(0, label="rest"), "a label of shape ()"),
        (sample(0) | {"sample": np.full((20, 5, 200), np.nan)}, "not finite (NaN or infinite)"),
    ],
)
def test_bad_sample_is_refused_and_nothing_is_left_or_executed(
    extra: Any, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    old = small_lmdb(tmp_path / "old", test={"Subject33_1-0": extra})
    message = refused("MentalArithmetic", old, tmp_path / "new")
    assert expected in message
    assert "Subject33_1" in message
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"train": ["Subject00_1-0", "gone"], "val": [], "test": []}, "the LMDB has no entry 'gone'"),
        (
            {"train": ["Subject00_1-0"], "val": ["Subject00_1-0"]},
            "'Subject00_1-0' is listed twice (train and val)",
        ),
        ({"train": ["Subject00_1-0"], "val": ["Subject00_2-0"]}, "subject '00' is in train and val"),
        ({"train": [], "val": []}, "holds no sample"),
        ({"training": []}, "not a dict of the splits train, val and test"),
        (["Subject00_1-0"], "not a dict of the splits"),
        ({"train": "Subject00_1-0"}, "'train' is not a list of names"),
        ({"train": [Hostile()]}, "refused: it asks for posix.system"),
    ],
)
def test_bad_list_of_keys_is_refused(keys: Any, expected: str, tmp_path: Path) -> None:
    old = write_lmdb(tmp_path / "old", {"train": {f"Subject00_{k}-0": sample(k) for k in (1, 2)}}, keys)
    assert expected in refused("MentalArithmetic", old, tmp_path / "new")


def test_lmdb_without_keys_or_damaged_is_refused(tmp_path: Path) -> None:
    lmdb.open(str(tmp_path / "empty")).close()
    assert "has no entry '__keys__'" in refused("MentalArithmetic", tmp_path / "empty", tmp_path / "new")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "data.mdb").write_bytes(b"x" * 10_000)
    assert "not a readable LMDB" in refused("MentalArithmetic", tmp_path / "bad", tmp_path / "new")


@pytest.mark.parametrize("scale", [1 / 100, 1e6])
def test_values_in_another_unit_need_a_factor(scale: float, tmp_path: Path) -> None:
    train = {f"Subject00_2-{k}": {"sample": sample(k)["sample"] * scale, "label": 1} for k in range(2)}
    old = write_lmdb(tmp_path / "old", {"train": train})
    assert "say with --factor" in refused("MentalArithmetic", old, tmp_path / "new")
    store = convert("MentalArithmetic", old, tmp_path / "new", factor=1 / scale)
    assert np.abs(store.read([1])[0] - sample(1)["sample"].reshape(20, 1000)).max() < 0.01
    for factor in (0, -1, float("nan"), float("inf")):
        with pytest.raises(ConfigError, match="factor"):
            convert("MentalArithmetic", old, tmp_path / "other", factor=factor)


def write_pickles(folder: Path, files: dict[str, Any]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pickle.dumps(content))
    return folder


def test_tuab_folders_of_pickles(tmp_path: Path) -> None:
    names = {"train": "aaaaamye", "val": "aaaaanoq", "test": "aaaaabdo"}
    x = {split: np.random.default_rng(k).normal(0, 20, (3, 16, 2000)) for k, split in enumerate(names)}
    files = {
        f"{split}/{name}_s001_t000-{w}.pkl": {"X": x[split][w], "y": w % 2}
        for split, name in names.items()
        for w in range(3)
    }
    store = convert("TUAB", write_pickles(tmp_path / "old", files), tmp_path / "new")
    assert store.subjects.tolist() == [n for n in sorted(names.values()) for _ in range(3)]
    assert store.labels.tolist() == [0, 1, 0] * 3
    for split, windows in x.items():
        assert np.abs(store.read(store.indices(split)) - windows).max() < 0.01  # type: ignore[arg-type]


def test_tuev_evaluation_folder_is_the_validation_and_labels_begin_at_one(tmp_path: Path) -> None:
    folders = {"processed_train": "train", "processed_eval": "val", "processed_test": "test"}
    subjects = {"processed_train": "aaaaaaar", "processed_eval": "aaaaaabs", "processed_test": "gped"}
    files = {
        f"{folder}/{subjects[folder]}_00000001-{k}.pkl": {
            "signal": np.random.default_rng(k).normal(0, 20, (16, 1000)),
            "offending_channel": np.array([k]),
            "label": np.array([k + 1]),
        }
        for folder in folders
        for k in range(6)
    }
    store = convert("TUEV", write_pickles(tmp_path / "old", files), tmp_path / "new")
    for folder, split in folders.items():
        rows = store.indices(split)  # type: ignore[arg-type]
        assert store.labels[rows].tolist() == list(range(6))
        assert set(store.subjects[rows]) == {subjects[folder]}


def test_chb_mit_windows_of_256_hz_are_resampled(tmp_path: Path) -> None:
    t = np.arange(2560) / 256
    wave = 50 * np.sin(2 * np.pi * 10 * t)
    files = {
        f"{split}/{case}_03-{k}.pkl": {"X": np.tile(wave, (16, 1)), "y": k}
        for split, case in (("train", "chb01"), ("val", "chb21"), ("test", "chb23"))
        for k in (0, 1)
    }
    store = convert("CHB-MIT", write_pickles(tmp_path / "old", files), tmp_path / "new")
    expected = 50 * np.sin(2 * np.pi * 10 * np.arange(2000) / 200)
    assert np.abs(store.read([0])[0, :, 100:-100] - expected[100:-100]).max() < 1


def test_pickles_of_other_content_are_refused(tmp_path: Path) -> None:
    old = write_pickles(tmp_path / "old", {"train/aaaaamye_s001_t000-0.pkl": {"X": Hostile(), "y": 0}})
    message = refused("TUAB", old, tmp_path / "new")
    assert f"{old}/train/aaaaamye_s001_t000-0.pkl: refused: it asks for posix.system" in message


def write_sequences(folder: Path, subjects: tuple[int, ...], n: int = 11) -> Path:
    for subject in subjects:
        for kind in ("seq", "labels"):
            place = folder / kind / f"ISRUC-group1-{subject}"
            place.mkdir(parents=True)
            for k in range(n):
                content = (
                    np.full(20, k % 5)
                    if kind == "labels"
                    else np.random.default_rng(k).normal(0, 20, (20, 6, 6000)).astype(np.float32)
                )
                np.save(place / f"ISRUC-group1-{subject}-{k}.npy", content)
    return folder


def test_isruc_pairs_are_matched_by_number(tmp_path: Path) -> None:
    old = write_sequences(tmp_path / "old", (1,))
    write_sequences(tmp_path / "old", (85, 91), n=1)
    store = convert("ISRUC", old, tmp_path / "new")
    assert len(store) == 13
    assert store.labels[:11, 0].tolist() == [k % 5 for k in range(11)]
    expected = np.random.default_rng(10).normal(0, 20, (20, 6, 6000))
    assert np.abs(store.read([10])[0] - expected).max() < 0.01
    assert store.subjects[store.indices("val")].tolist() == ["85"]
    assert store.subjects[store.indices("test")].tolist() == ["91"]
    assert store.card.split_rule == datasets["ISRUC"].spec.split.text


def test_isruc_array_without_partner_is_refused(tmp_path: Path) -> None:
    old = write_sequences(tmp_path / "old", (1,), n=2)
    gone = old / "labels" / "ISRUC-group1-1" / "ISRUC-group1-1-1.npy"
    content = gone.read_bytes()
    gone.unlink()
    message = refused("ISRUC", old, tmp_path / "new")
    assert "ISRUC-group1-1-1.npy has no labels (1 arrays without a partner)" in message
    gone.with_name("ISRUC-group1-1-0b.npy").write_bytes(content)
    assert "numbered like ISRUC-group1-1-0.npy" in refused("ISRUC", old, tmp_path / "new")
    gone.with_name("ISRUC-group1-1-0b.npy").unlink()
    gone.write_bytes(content[:-8])
    assert "not a readable array" in refused("ISRUC", old, tmp_path / "new")
    np.save(gone, np.array([Hostile()] * 20), allow_pickle=True)
    assert "not a readable array" in refused("ISRUC", old, tmp_path / "new")


def test_other_folders_are_refused(tmp_path: Path) -> None:
    assert "no store of earlier code at" in refused("FACED", tmp_path / "none", tmp_path / "new")
    (tmp_path / "some").mkdir()
    assert "expected an LMDB (data.mdb), folders train" in refused(
        "FACED", tmp_path / "some", tmp_path / "new"
    )
    (tmp_path / "some" / "train").mkdir()
    assert "holds no sample" in refused("FACED", tmp_path / "some", tmp_path / "new")


def test_existing_store_is_not_replaced(store: EegStore, dataset: Dataset, tmp_path: Path) -> None:
    old = small_lmdb(tmp_path / "old")
    before = store.fingerprint()
    with pytest.raises(DataError, match="holds a store already"):
        import_legacy(datasets["MentalArithmetic"], old, store.path, progress=False)
    assert EegStore.open(store.path).fingerprint() == before


@pytest.mark.parametrize(
    ("dataset", "key", "recording", "subject"),
    [
        ("FACED", "sub012.pkl-3-1", "sub012", "012"),
        ("SEED-V", "10_2_20180519.cnt-3-17", "10_2_20180519", "10"),
        ("PhysioNet-MI", "S109R14-7", "S109R14", "S109"),
        (
            "SHU-MI",
            "sub-003_ses-05_task_motorimagery_eeg.mat-44",
            "sub-003_ses-05_task_motorimagery_eeg",
            "003",
        ),
        ("CHB-MIT", "chb17a_03-s-2-add-1.pkl", "chb17a_03", "chb17"),
        ("Mumtaz2016", "MDD S12 EC.edf-40", "MDD S12 EC", "MDD S12"),
        ("Mumtaz2016", "H S1 EO-0", "H S1 EO", "H S1"),
        ("BCIC-IV-2a", "A07E-3-11", "A07E", "A07"),
        ("MODMA", "02010002rest 20150416 1017..mat-3", "02010002rest", "02010002"),
        ("TUAB", "aaaaamye_s001_t000_12.pkl", "aaaaamye_s001_t000", "aaaaamye"),
        ("TUEV", "aaaaaabs_00000001-12.pkl", "aaaaaabs_00000001", "aaaaaabs"),
        ("BCIC2020-3", "train-3-17", "", "unknown"),
        ("MentalArithmetic", "Subject1_1-0", "", "unknown"),
    ],
)
def test_names_are_read(dataset: str, key: str, recording: str, subject: str) -> None:
    found = parse_name(dataset, key)
    assert (found.recording, found.subject) == (recording, subject)


def test_numbers_in_names_are_ordered_as_numbers() -> None:
    names: Callable[[str], Any] = natural_order
    assert sorted(["a-10", "a-9", "a-1"], key=names) == ["a-1", "a-9", "a-10"]
