"""The file that keeps baselines beside the windows they were computed on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from neuroprism.core.errors import DataError
from neuroprism.eeg.baselines import read_baselines, run_baselines, write_baselines
from neuroprism.eeg.dataset_registry import Dataset, datasets
from neuroprism.eeg.preparation import prepare
from neuroprism.eeg.recordings import Found, Recording, Windows
from neuroprism.eeg.spec import DatasetSpec
from neuroprism.eeg.split_rules import BySubjectNumber
from neuroprism.eeg.store import EegStore


@pytest.fixture
def store(
    make_spec: Callable[..., DatasetSpec],
    planted: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> EegStore:
    """Planted windows, prepared into a store on disk."""
    source = planted("binary")
    spec = make_spec("Planted", task="binary", n_channels=4, n_patches=2)
    rule = BySubjectNumber(train=range(4), val=range(4, 6), test=range(6, 8))
    object.__setattr__(spec, "split", rule)
    raw = tmp_path / "raw"
    raw.mkdir()
    for k in range(8):
        (raw / f"s{k}.txt").write_text(str(k))

    def find(root: Path) -> Found:
        paths = sorted(root.glob("*.txt"))
        return Found(recordings=tuple(Recording(key=p.stem, paths=(p,), subject=p.stem[1:]) for p in paths))

    def cut(recording: Recording) -> Windows:
        rows = np.flatnonzero(source.subjects == recording.key)
        return Windows(
            values=source.values[rows],
            labels=source.labels[rows],
            starts_s=np.arange(len(rows)) * 2.0,
            trials=np.arange(len(rows)),
        )

    dataset = Dataset(spec=spec, find=find, cut=cut)
    monkeypatch.setitem(datasets._entries, "Planted", dataset)
    prepare(dataset, raw, tmp_path / "store", progress=False)
    return EegStore.open(tmp_path / "store", "Planted")


def test_a_store_on_disk_gives_what_its_windows_give(store: EegStore, planted: Callable[..., Any]) -> None:
    on_disk, in_memory = run_baselines(store), run_baselines(planted("binary"))
    for mine, other in zip(on_disk, in_memory, strict=True):
        # Windows are stored as integers, so the last digits differ.
        assert mine.test == pytest.approx(other.test, abs=0.05)


def test_what_is_written_is_read(store: EegStore) -> None:
    assert read_baselines(store.path) == []
    results = run_baselines(store)
    path = write_baselines(store, results, seed=4)
    found = read_baselines(store.path)
    assert {r.method: r for r in found} == {r.method: r for r in results}
    values = [r.val["roc_auc"] for r in found]
    assert values == sorted(values, reverse=True)
    content = json.loads(path.read_text(), parse_constant=lambda _: pytest.fail("not strict JSON"))
    assert (content["dataset"], content["selection"], content["seed"]) == ("Planted", "val/roc_auc", 4)
    assert content["windows"] == {"train": 48, "val": 24, "test": 24}
    assert [p.name for p in store.path.iterdir() if p.name.startswith(".")] == []


def test_results_of_other_methods_stay(store: EegStore) -> None:
    write_baselines(store, run_baselines(store, ["chance"]), seed=0)
    (new,) = run_baselines(store, ["band_power"])
    write_baselines(store, [new], seed=0)
    again = msgspec.structs.replace(new, seconds=99.0)
    write_baselines(store, [again], seed=0)
    assert [(r.method, r.seconds == 99.0) for r in read_baselines(store.path)] == [
        ("band_power", True),
        ("chance", False),
    ]


def test_results_of_other_windows_are_not_those_of_this_store(store: EegStore) -> None:
    path = write_baselines(store, run_baselines(store, ["chance"]), seed=0)
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"store": "0" * 16}))
    assert read_baselines(store.path) == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": "other"}', "\x00"])
def test_a_damaged_file_is_named_and_can_be_replaced(store: EegStore, text: str) -> None:
    path = store.path / "baseline.json"
    path.write_text(text)
    with pytest.raises(DataError, match=r"baseline\.json is damaged .*neuroprism baseline"):
        read_baselines(store.path)
    write_baselines(store, run_baselines(store, ["chance"]), seed=0)
    assert [r.method for r in read_baselines(store.path)] == ["chance"]


def test_a_place_that_cannot_be_written_is_named(store: EegStore) -> None:
    (store.path / "baseline.json").mkdir()
    results = run_baselines(store, ["chance"])
    with pytest.raises(DataError, match="cannot read"):
        read_baselines(store.path)
    with pytest.raises(DataError, match="cannot write"):
        write_baselines(store, results, seed=0)
