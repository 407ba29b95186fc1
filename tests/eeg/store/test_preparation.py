"""Raw recordings become a store, or one line says why not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from neuroprism.core.errors import ConfigError, DataError
from neuroprism.eeg.dataset_registry import Dataset
from neuroprism.eeg.preparation import prepare
from neuroprism.eeg.recordings import Recording
from neuroprism.eeg.split_rules import AsProvided, BySortedFiles, ByTrial
from neuroprism.eeg.store import EegStore

Declare = Callable[..., Dataset]


def run(dataset: Dataset, raw: Path, out: Path, **options: Any) -> Any:
    return prepare(dataset, raw, out, progress=False, **options)


def content(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def refused(dataset: Dataset, raw: Path, out: Path, **options: Any) -> str:
    with pytest.raises(DataError) as error:
        run(dataset, raw, out, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_store_holds_windows_index_and_card(
    dataset: Dataset, raw: Path, tmp_path: Path, small: ModuleType
) -> None:
    (raw / "notes.txt").write_text("x")
    report = run(dataset, raw, tmp_path / "store")
    assert (report.n_found, report.n_cut, report.n_unchanged) == (12, 12, 0)
    names = set(content(tmp_path / "store"))
    assert names == {"card.json", "index.jsonl"} | {
        f"recordings/s{s}_{k}.npy" for s in range(6) for k in (0, 1)
    }
    card = json.loads((tmp_path / "store" / "card.json").read_text())
    assert card["verdict"] == "complete: equals the published counts"
    assert card["is_published_split"] is True
    assert card["counts"] == {"train": 30, "val": 10, "test": 20}
    assert card["classes"]["train"] == {"calm": 15, "busy": 15}
    assert card["subjects"]["test"] == ["4", "5"]
    assert card["skipped"] == [{"what": "notes.txt", "reason": "not an array"}]
    assert card["left_out"] == {"shorter than a window": 12}
    assert card["preprocessing"]["scale_uv"] == 100
    assert "resampling" not in card["preprocessing"]
    assert {"python", "numpy", "mne"} <= set(card["versions"])
    lines = (tmp_path / "store" / "index.jsonl").read_text().splitlines()
    first = json.loads(lines[0])
    assert len(lines) == 12
    assert (first["key"], first["subject"], first["split"], first["labels"]) == (
        "s0_0",
        "0",
        "train",
        [0] * 5,
    )
    stored = np.load(tmp_path / "store" / "recordings" / "s0_0.npy", mmap_mode="r", allow_pickle=False)
    assert (stored.dtype, stored.shape) == (np.int16, (5, 3, 400))
    text = report.text()
    for line in (
        "12 recordings found",
        "Complete: equals the published counts",
        "Skipped: notes.txt: not an array",
        "shorter than a window (12)",
        "(the published split)",
    ):
        assert line in text


@pytest.mark.parametrize(
    ("changes", "subjects", "expected"),
    [
        ({}, range(6), "complete: equals the published counts"),
        ({}, range(4), "part of the dataset: 4 of 6 subjects"),
        (
            {"expected": {"train": 31, "val": 10, "test": 19}},
            range(6),
            "complete, but differs from the published counts: train 30 instead of 31, test 20 instead of 19",
        ),
        ({"expected": {}}, range(6), "complete: 6 subjects; no counts are published"),
    ],
)
def test_counts_are_compared_with_the_published_ones(
    changes: dict[str, Any],
    subjects: range,
    expected: str,
    declare: Declare,
    small: ModuleType,
    tmp_path: Path,
) -> None:
    raw = small.write_raw(tmp_path / "raw", subjects)
    report = run(declare(**changes), raw, tmp_path / "store")
    assert report.card.verdict == expected
    assert report.card.is_published_split == expected.startswith("complete")
    assert ("No window belongs to the split 'test'" in report.text()) == (len(subjects) == 4)


def test_nothing_is_done_twice(dataset: Dataset, raw: Path, tmp_path: Path, small: ModuleType) -> None:
    out = tmp_path / "store"
    run(dataset, raw, out)
    before = content(out)
    assert len(small.calls(raw)) == 12
    report = run(dataset, raw, out)
    assert (report.n_cut, report.n_unchanged) == (0, 12)
    assert small.calls(raw) == []
    assert content(out) == before


@pytest.mark.parametrize("n", [3, 60])
def test_unknown_subject_names_those_that_exist(
    n: int, declare: Declare, small: ModuleType, tmp_path: Path
) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    for k in range(n):
        np.save(raw / f"s{k:02d}_0.npy", np.zeros((3, 400), np.float32))
    message = refused(declare(), raw, tmp_path / "store", subjects=["01", "77"])
    assert message.startswith(f"{raw}: no subject 77; there are 00, 01, 02")
    assert message.endswith("00, 01, 02" if n == 3 else "38, 39, ... 59 (60 in all)")
    assert not (tmp_path / "store").exists()


def test_raw_folder_must_hold_the_dataset(dataset: Dataset, tmp_path: Path) -> None:
    assert refused(dataset, tmp_path / "none", tmp_path / "store").startswith("no raw folder at")
    (tmp_path / "raw").mkdir()
    message = refused(dataset, tmp_path / "raw", tmp_path / "store")
    assert message.endswith("no recording of Small found; expected: sN_S.npy")
    assert not (tmp_path / "store").exists()


def test_folder_of_something_else_is_left_alone(dataset: Dataset, raw: Path, tmp_path: Path) -> None:
    before = content(tmp_path)
    assert "the folder holds other files (s0_0.npy)" in refused(dataset, raw, raw)
    (tmp_path / "file").write_text("x")
    assert "it is a file" in refused(dataset, raw, tmp_path / "file")
    assert "cannot write" in refused(dataset, raw, tmp_path / "file" / "store")
    (tmp_path / "file").unlink()
    assert content(tmp_path) == before


def test_store_of_another_dataset_or_version_is_not_written_to(
    declare: Declare, raw: Path, tmp_path: Path
) -> None:
    out = tmp_path / "store"
    run(declare(), raw, out)
    assert "holds Small, not Other" in refused(declare(name="Other"), raw, out)
    card = json.loads((out / "card.json").read_text())
    (out / "card.json").write_text(json.dumps(card | {"version": 99}))
    assert "store version 99" in refused(declare(), raw, out)
    (out / "card.json").write_text(json.dumps(card | {"made_by": "import"}))
    assert "converted from a store of earlier code" in refused(declare(), raw, out)


def test_index_alone_is_enough_to_reuse(dataset: Dataset, raw: Path, tmp_path: Path) -> None:
    out = tmp_path / "store"
    run(dataset, raw, out)
    (out / "card.json").unlink()
    assert run(dataset, raw, out).n_unchanged == 12


def recordings(raw: Path, **of: Any) -> Any:
    """Return a `find` that gives one recording of each name, with these attributes."""

    def find(_: Path) -> Any:
        from neuroprism.eeg.recordings import Found

        paths = sorted(raw.glob("*.npy"))
        return Found(
            recordings=tuple(
                Recording(
                    key=p.stem,
                    paths=(p,),
                    subject=p.stem[1],
                    session="0",
                    **{k: f(p.stem) for k, f in of.items()},
                )
                for p in paths
            )
        )

    return find


def test_subject_in_two_splits_is_refused_before_anything_is_cut(
    declare: Declare, raw: Path, tmp_path: Path, small: ModuleType
) -> None:
    find = recordings(raw, provided=lambda key: "train" if key < "s3_1" else "val")
    dataset = declare(split=AsProvided())
    split = Dataset(spec=dataset.spec, find=find, cut=dataset.cut)
    message = refused(split, raw, tmp_path / "store")
    assert message == f"{raw}: subject '3' is in train and val; Small splits by subject"
    assert small.calls(raw) == []
    allowed = declare(split=AsProvided(), within_subject=True)
    run(Dataset(spec=allowed.spec, find=find, cut=allowed.cut), raw, tmp_path / "store")
    assert len(EegStore.open(tmp_path / "store").indices("train")) == 35


def test_trials_of_one_recording_can_be_in_different_splits(
    declare: Declare, raw: Path, tmp_path: Path
) -> None:
    by_trial = ByTrial(train=range(2), val=range(2, 3), test=range(3, 4))
    report = run(declare(split=by_trial, within_subject=True), raw, tmp_path / "store")
    assert report.card.counts == {"train": 24, "val": 12, "test": 12, "unused": 12}
    store = EegStore.open(tmp_path / "store")
    assert store.indices("train")[:4].tolist() == [0, 1, 5, 6]
    assert store.starts_s[store.indices("test")].tolist() == [6.0] * 12
    # A protocol by subject cannot divide a subject's trials.
    assert "is in train and val and test" in refused(declare(split=by_trial), raw, tmp_path / "other")


def test_subjects_in_no_split_are_named(declare: Declare, small: ModuleType, tmp_path: Path) -> None:
    raw = small.write_raw(tmp_path / "raw", range(5, 8))
    report = run(declare(), raw, tmp_path / "store")
    assert report.card.counts == {"train": 0, "val": 0, "test": 10, "unused": 20}
    assert "Subjects in no split: 6, 7" in report.text()
    assert len(EegStore.open(tmp_path / "store")) == 30


def test_split_over_sorted_files_follows_what_is_there(
    declare: Declare, small: ModuleType, tmp_path: Path
) -> None:
    dataset = declare(split=BySortedFiles(counts=(("", (6, 2, 4)),)))
    raw = small.write_raw(tmp_path / "raw", range(3))
    out = tmp_path / "store"
    assert run(dataset, raw, out).card.subjects == {"train": ["0"], "val": ["1"], "test": ["2"]}
    small.write_raw(raw)
    # A part of the folder is placed as in the whole of it.
    report = run(dataset, raw, out, subjects=["4"])
    assert report.card.subjects == {"train": ["0", "1", "2"], "val": [], "test": ["4"]}
    assert not report.card.is_published_split
    assert report.moved == ("s1_0", "s1_1", "s2_0", "s2_1")
    assert "In another split than before: s1_0, s1_1, s2_0, s2_1" in report.text()
    assert run(dataset, raw, out).card.is_published_split


@pytest.mark.parametrize(
    ("key", "expected"),
    [(lambda _: "same", "two recordings are named 'same'"), (lambda s: f"a/{s}", "cannot be a file name")],
)
def test_names_of_recordings_must_be_distinct_file_names(
    key: Any, expected: str, dataset: Dataset, raw: Path, tmp_path: Path
) -> None:
    found = dataset.find(raw)
    renamed = [Recording(key=key(r.key), paths=r.paths, subject=r.subject) for r in found.recordings]
    odd = Dataset(spec=dataset.spec, find=lambda _: type(found)(recordings=tuple(renamed)), cut=dataset.cut)
    assert expected in refused(odd, raw, tmp_path / "store")


def test_full_disk_is_one_line(
    dataset: Dataset, raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("neuroprism.eeg.store_writer.replace_with", full)
    assert "No space left on device" in refused(dataset, raw, tmp_path / "store")


def test_unreadable_source_is_one_line(
    dataset: Dataset, raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = dataset.find(raw)
    shutil.rmtree(raw)
    raw.mkdir()
    gone = Dataset(spec=dataset.spec, find=lambda _: found, cut=dataset.cut)
    assert refused(gone, raw, tmp_path / "store") == f"{raw}/s0_0.npy: No such file or directory"


def test_jobs_must_be_positive(dataset: Dataset, raw: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="jobs: 0; at least 1"):
        run(dataset, raw, tmp_path / "store", jobs=0)
