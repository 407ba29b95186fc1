from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
import torch

from neuroprism.abr.columns import WAVE_V
from neuroprism.abr.dataset import AbrBatch, AbrDataset, as_is
from neuroprism.abr.recordings import AbrRecordings
from neuroprism.abr.scaler import AbrScaler
from neuroprism.abr.splits import SplitConfig, split_by_patient
from neuroprism.core.errors import DataError
from neuroprism.train import DataLoaderConfig, make_loader

NAMES = [field.name for field in fields(AbrBatch)]


@pytest.fixture(scope="module")
def scaler(small_set: AbrRecordings) -> AbrScaler:
    return AbrScaler.fit(small_set.select(split_by_patient(small_set, SplitConfig()).train))


@pytest.fixture(scope="module")
def dataset(small_set: AbrRecordings, scaler: AbrScaler) -> AbrDataset:
    return AbrDataset(small_set, split_by_patient(small_set, SplitConfig()).train, scaler)


def assert_same(one: AbrBatch, other: AbrBatch) -> None:
    for name in NAMES:
        torch.testing.assert_close(getattr(one, name), getattr(other, name), rtol=0, atol=0, msg=name)


def test_a_batch_has_the_shapes_and_types_of_its_description(dataset: AbrDataset) -> None:
    batch = dataset.__getitems__([3, 1, 4])
    assert len(batch) == 3
    shapes = {
        "observed": (3, 1, 256),
        "target": (3, 1, 256),
        "condition": (3, 4),
        "condition_missing": (3, 4),
    }
    flags = {name for name in NAMES if name.endswith(("_mask", "_missing", "_censored"))}
    for name in NAMES:
        tensor = getattr(batch, name)
        assert tuple(tensor.shape) == shapes.get(name, (3,)), name
        whole = torch.int64 if name in ("hearing_class", "index") else torch.float32
        assert tensor.dtype == (torch.bool if name in flags else whole), name
        assert torch.isfinite(tensor.float()).all()


def test_targets_come_back_in_their_units(
    small_set: AbrRecordings, dataset: AbrDataset, scaler: AbrScaler
) -> None:
    everything = dataset.everything
    part = small_set.select(everything.index.numpy())
    for name, target, truth in (
        ("latency", "latency_ms", part.v_latency_ms),
        ("amplitude", "amplitude_uv", part.v_amplitude_uv),
        ("threshold", "threshold_db_nhl", part.threshold_db_nhl),
    ):
        mask = getattr(everything, f"{name}_mask").numpy()
        assert mask.any()
        values = scaler.targets[target].invert(getattr(everything, name).numpy().astype(float))
        np.testing.assert_allclose(values[mask], truth[mask], rtol=1e-4, atol=1e-4)
        assert (getattr(everything, name).numpy()[~mask] == 0).all()
    signal = scaler.signal.invert(everything.observed[:, 0].numpy())
    np.testing.assert_allclose(signal, part.signal_uv, atol=1e-5)
    np.testing.assert_array_equal(everything.hearing_class.numpy(), part.hearing_class)
    np.testing.assert_array_equal(everything.v_present.numpy(), part.v_present)
    np.testing.assert_array_equal(everything.threshold_censored.numpy(), part.threshold_censored)


def test_what_is_absent_unmarked_or_outside_is_masked(small_set: AbrRecordings, scaler: AbrScaler) -> None:
    present = np.flatnonzero(small_set.v_present)
    outside, unmarked, unjudged, unknown = present[:4]
    latency, threshold = small_set.wave_latency_ms.copy(), small_set.threshold_db_nhl.copy()
    marked, v_present = small_set.v_marked.copy(), small_set.v_present.copy()
    latency[outside, WAVE_V], latency[unmarked, WAVE_V] = 13.5, np.nan
    marked[unjudged] = v_present[unjudged] = False
    threshold[unknown] = np.nan
    r = replace(
        small_set,
        wave_latency_ms=latency,
        v_marked=marked,
        v_present=v_present,
        threshold_db_nhl=threshold,
    ).validate()
    batch = AbrDataset(r, np.arange(len(r)), scaler).everything

    def flags(row: int) -> tuple[bool, ...]:
        masks = (batch.v_mask, batch.latency_mask, batch.amplitude_mask, batch.threshold_mask)
        return tuple(bool(mask[row]) for mask in masks)

    assert flags(outside) == (False, False, False, True)
    assert flags(unmarked) == (True, False, True, True)
    assert flags(unjudged) == (False, False, False, True)
    assert flags(unknown) == (True, True, True, False)
    absent = int(np.flatnonzero(~small_set.v_present)[0])
    assert flags(absent) == (True, False, False, True)
    for row in (outside, unmarked, unjudged):
        assert float(batch.latency[row]) == 0
    assert float(batch.threshold[unknown]) == 0


def test_a_batch_is_its_items_put_together(dataset: AbrDataset) -> None:
    places = [5, 0, 9]
    batch = dataset.__getitems__(places)
    for row, place in enumerate(places):
        assert_same(batch.select(torch.tensor([row])), dataset[place])
    assert_same(as_is(batch), batch)


def test_clean_traces_can_be_the_target(small_set: AbrRecordings, scaler: AbrScaler) -> None:
    index = np.arange(20)
    clean = AbrDataset(small_set, index, scaler, signal_target="clean").everything
    recorded = AbrDataset(small_set, index, scaler).everything
    assert small_set.clean_uv is not None
    back = scaler.signal.invert(clean.target[:, 0].numpy())
    np.testing.assert_allclose(back, small_set.clean_uv[index], atol=1e-5)
    torch.testing.assert_close(clean.observed, recorded.observed)
    torch.testing.assert_close(recorded.target, recorded.observed)
    with pytest.raises(DataError, match="'clean', but these recordings have no clean trace"):
        AbrDataset(replace(small_set, clean_uv=None), index, scaler, signal_target="clean")


def test_another_window_than_the_scalers_is_refused(small_set: AbrRecordings, scaler: AbrScaler) -> None:
    shorter = replace(
        small_set, signal_uv=small_set.signal_uv[:, :200], clean_uv=None, window_ms=10.0
    ).validate()
    with pytest.raises(DataError, match="the recordings have n_times 200, the scaler expects 256"):
        AbrDataset(shorter, np.arange(5), scaler)


@pytest.mark.parametrize(
    "values",
    [
        {"sample_rate_hz": 10_000.0, "window_ms": 25.6},
        {"start_ms": 1.0},
        {"signal_unit": "zscore"},
        {"class_names": ("normal", "mild", "moderate", "severe", "profound")},
    ],
)
def test_recordings_that_mean_something_else_are_refused(
    small_set: AbrRecordings, scaler: AbrScaler, values: dict[str, Any]
) -> None:
    with pytest.raises(DataError, match=f"the recordings have {next(iter(values))} "):
        AbrDataset(replace(small_set, **values).validate(), np.arange(5), scaler)


@pytest.mark.parametrize("n_workers", [0, 2])
def test_a_loader_serves_every_recording_in_whole_batches(dataset: AbrDataset, n_workers: int) -> None:
    config = DataLoaderConfig(batch_size=64, num_workers=n_workers, persistent_workers=False)
    loader = make_loader(dataset, config, training=False, collate=as_is)
    batches = list(loader)
    assert len(batches) == len(loader) == -(-len(dataset) // 64)
    served = torch.cat([batch.index for batch in batches])
    torch.testing.assert_close(served, dataset.everything.index)
    assert_same(batches[1], dataset.everything.select(torch.arange(64, 128)))


def test_training_order_is_shuffled_and_repeatable(dataset: AbrDataset) -> None:
    config = DataLoaderConfig(batch_size=32)
    orders = [
        torch.cat([b.index for b in make_loader(dataset, config, training=True, seed=seed, collate=as_is)])
        for seed in (1, 1, 2)
    ]
    torch.testing.assert_close(orders[0], orders[1])
    assert not torch.equal(orders[0], orders[2])
    assert len(orders[0]) == len(dataset) // 32 * 32
    assert len(torch.unique(orders[0])) == len(orders[0])


def test_batches_move_to_a_device(dataset: AbrDataset) -> None:
    moved = dataset[0].to("meta")
    assert {getattr(moved, name).device.type for name in NAMES} == {"meta"}
    assert_same(dataset[0].to("cpu", non_blocking=True), dataset[0])
