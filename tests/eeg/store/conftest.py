"""A small dataset, raw and prepared."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from neuroprism.eeg.dataset_registry import Dataset, datasets
from neuroprism.eeg.preparation import prepare
from neuroprism.eeg.store import EegStore


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module of the small dataset, importable by processes that are spawned."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    return importlib.import_module("small_dataset")


@pytest.fixture
def declare(small: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Dataset]:
    """Declare the small dataset for the time of the test, with changes."""

    def declare(**changes: object) -> Dataset:
        dataset: Dataset = small.make_dataset(**changes)
        monkeypatch.setitem(datasets._entries, dataset.spec.name, dataset)
        return dataset

    return declare


@pytest.fixture
def dataset(declare: Callable[..., Dataset]) -> Dataset:
    """The small dataset as it is."""
    return declare()


@pytest.fixture
def raw(small: ModuleType, tmp_path: Path) -> Path:
    """Raw recordings of all six subjects."""
    folder: Path = small.write_raw(tmp_path / "raw")
    return folder


@pytest.fixture
def store(dataset: Dataset, raw: Path, tmp_path: Path) -> EegStore:
    """The complete small dataset, prepared."""
    prepare(dataset, raw, tmp_path / "store", progress=False)
    return EegStore.open(tmp_path / "store", "Small")
