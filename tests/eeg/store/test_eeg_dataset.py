"""Batches hold exactly the declared windows, scaled as told, in this process and in workers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from neuroprism.eeg.dataset import EegBatch, EegDataset, as_is, standardise
from neuroprism.eeg.dataset_registry import Dataset
from neuroprism.eeg.preparation import prepare
from neuroprism.eeg.store import EegStore
from neuroprism.train.data_order import DataLoaderConfig, make_loader


def test_batch_is_scaled_patches_with_labels(store: EegStore) -> None:
    rows = store.indices("test")
    data = EegDataset(store, rows)
    assert len(data) == 20
    batch = data.__getitems__([3, 0, 19])
    assert batch.x.shape == (3, 3, 2, 200)
    assert (batch.x.dtype, batch.y.dtype, batch.index.dtype) == (torch.float32, torch.int64, torch.int64)
    assert batch.index.tolist() == rows[[3, 0, 19]].tolist()
    assert batch.y.tolist() == store.labels[rows[[3, 0, 19]]].tolist()
    expected = store.read(rows[[3, 0, 19]]).reshape(3, 3, 2, 200) / 100
    np.testing.assert_allclose(batch.x.numpy(), expected, rtol=1e-6)
    assert torch.equal(data[3].x, batch.x[:1])
    assert torch.equal(batch.to("cpu").x, batch.x)


def test_declared_scale_is_the_one_of_the_dataset(declare: Any, raw: Path, tmp_path: Path) -> None:
    from neuroprism.eeg.spec import Preprocessing

    prepare(declare(preprocessing=Preprocessing(scale_uv=20.0)), raw, tmp_path / "store", progress=False)
    store = EegStore.open(tmp_path / "store")
    np.testing.assert_allclose(EegDataset(store, np.arange(3))[1].x.std(), 1, atol=0.1)


def test_zscore_is_numpy_s_over_channels_and_times(store: EegStore) -> None:
    batch = EegDataset(store, np.arange(60), scaling="zscore").__getitems__([5, 50])
    values = store.read([5, 50]).astype(np.float64)
    mean = values.mean(axis=(1, 2), keepdims=True)
    expected = (values - mean) / (values.std(axis=(1, 2), keepdims=True) + 1e-8)
    np.testing.assert_allclose(batch.x.numpy().reshape(2, 3, 400), expected, atol=1e-5)


def test_each_window_of_a_sequence_is_standardised() -> None:
    rng = np.random.default_rng(0)
    windows = rng.normal(5, [[[[1.0]], [[50.0]]]], (1, 2, 3, 400))
    found = standardise(windows.astype(np.float32)).astype(np.float64)
    np.testing.assert_allclose(found.mean(axis=(-2, -1)), 0, atol=1e-6)
    np.testing.assert_allclose(found.std(axis=(-2, -1)), 1, rtol=1e-5)


@pytest.mark.parametrize("value", [0.0, 0.1, 123.456, -1e4])
def test_constant_window_becomes_zero(value: float) -> None:
    assert not standardise(np.full((1, 3, 400), value, np.float32)).any()


def test_sequences_keep_their_axis(declare: Any, raw: Path, tmp_path: Path) -> None:
    base = declare(sequence_length=2, expected={})

    def cut(recording: Any) -> Any:
        windows = base.cut(recording)
        return type(windows)(
            values=windows.values[:4].reshape(2, 2, 3, 400),
            labels=windows.labels[:4].reshape(2, 2),
            starts_s=np.zeros(2),
            trials=np.arange(2),
        )

    prepare(Dataset(spec=base.spec, find=base.find, cut=cut), raw, tmp_path / "store", progress=False)
    batch = EegDataset(EegStore.open(tmp_path / "store"), np.arange(24)).__getitems__([0, 1, 2])
    assert batch.x.shape == (3, 2, 3, 2, 200)
    assert batch.y.shape == (3, 2)


@pytest.mark.parametrize(
    ("workers", "context"), [(0, None), (2, "fork"), pytest.param(1, "spawn", marks=pytest.mark.slow)]
)
def test_every_loader_yields_exactly_the_declared_windows(
    workers: int, context: str | None, store: EegStore
) -> None:
    store.read([0])  # Mapped before the processes start.
    for split in ("train", "val", "test"):
        if context == "spawn" and split != "val":
            continue
        rows = store.indices(split)
        loader = DataLoader(
            EegDataset(store, rows),
            batch_size=7,
            collate_fn=as_is,
            num_workers=workers,
            multiprocessing_context=context,
        )
        batches: list[EegBatch] = list(loader)
        index = torch.cat([batch.index for batch in batches])
        assert index.tolist() == rows.tolist()
        x = torch.cat([batch.x for batch in batches]).numpy()
        np.testing.assert_allclose(x.reshape(len(rows), 3, 400), store.read(rows) / 100, rtol=1e-6)


def test_the_project_s_loader_serves_it(store: EegStore) -> None:
    config = DataLoaderConfig(batch_size=8, pin_memory=False)
    data = EegDataset(store, store.indices("train"))
    shuffled = list(make_loader(data, config, training=True, seed=3, collate=as_is))
    assert [len(batch) for batch in shuffled] == [8, 8, 8]
    whole = list(make_loader(data, config, training=False, collate=as_is))
    assert torch.cat([batch.index for batch in whole]).tolist() == store.indices("train").tolist()
