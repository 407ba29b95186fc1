"""Order of the data: seeded by (seed, epoch), resumable, equal for any number of workers."""

from __future__ import annotations

from itertools import islice
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import Dataset

from neuroprism.core.errors import DataError
from neuroprism.train.data_order import DataLoaderConfig, EpochBatches, batches_of, make_loader


class Numbers(Dataset[int]):
    def __init__(self, n: int) -> None:
        self.n = n

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: int) -> int:
        return index


def lists(loader: Any, **position: int) -> list[list[int]]:
    return [batch.tolist() for batch in batches_of(loader, **position)]


@given(
    n=st.integers(1, 40),
    batch_size=st.integers(1, 12),
    epoch=st.integers(1, 5),
    shuffle=st.booleans(),
    drop_last=st.booleans(),
)
def test_an_epoch_holds_every_sample_once(
    n: int, batch_size: int, epoch: int, shuffle: bool, drop_last: bool
) -> None:
    order = EpochBatches(n, batch_size=batch_size, shuffle=shuffle, drop_last=drop_last, seed=1)
    order.set_position(epoch=epoch)
    batches = list(order)
    seen = [index for batch in batches for index in batch]
    assert len(batches) == len(order)
    assert len(set(seen)) == len(seen) == (n - n % batch_size if drop_last else n)
    if not shuffle:
        assert seen == list(range(len(seen)))
    for start in range(len(batches) + 1):
        order.set_position(epoch=epoch, first_batch=start)
        assert list(order) == batches[start:]


def test_order_depends_on_seed_and_epoch_and_nothing_else() -> None:
    def order(seed: int, epoch: int) -> list[list[int]]:
        loader = make_loader(Numbers(30), DataLoaderConfig(batch_size=4), training=True, seed=seed)
        return lists(loader, epoch=epoch)

    first = order(1, 1)
    torch.manual_seed(99)
    assert order(1, 1) == first
    assert order(1, 2) != first
    assert order(2, 1) != first
    assert len(first) == 7


def test_iterating_leaves_the_global_random_state_alone() -> None:
    loader = make_loader(Numbers(30), DataLoaderConfig(batch_size=4), training=True)
    before = torch.get_rng_state()
    lists(loader, epoch=1)
    assert torch.equal(before, torch.get_rng_state())


def test_validation_is_in_order_and_complete() -> None:
    config = DataLoaderConfig(batch_size=4, drop_last=True, shuffle_train=True)
    loader = make_loader(Numbers(10), config, training=False)
    assert lists(loader, epoch=1) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_shuffle_and_drop_last_can_be_switched_off() -> None:
    config = DataLoaderConfig(batch_size=4, drop_last=False, shuffle_train=False)
    assert lists(make_loader(Numbers(6), config, training=True), epoch=3) == [[0, 1, 2, 3], [4, 5]]


@pytest.mark.parametrize("persistent", [True, False])
def test_workers_change_nothing_even_after_an_epoch_was_left_early(persistent: bool) -> None:
    plain = make_loader(Numbers(30), DataLoaderConfig(batch_size=4), training=True, seed=7)
    options = DataLoaderConfig(batch_size=4, num_workers=2, prefetch_factor=3, persistent_workers=persistent)
    loader = make_loader(Numbers(30), options, training=True, seed=7)
    assert (loader.num_workers, loader.prefetch_factor, loader.persistent_workers) == (2, 3, persistent)
    assert lists(loader, epoch=1) == lists(plain, epoch=1)
    list(islice(batches_of(loader, epoch=2), 2))
    assert lists(loader, epoch=2, first_batch=2) == lists(plain, epoch=2)[2:]


def test_memory_is_pinned_for_cuda_only() -> None:
    config = DataLoaderConfig(batch_size=4, pin_memory=True)
    assert make_loader(Numbers(8), config, training=True, device="cuda").pin_memory
    assert not make_loader(Numbers(8), config, training=True, device="cpu").pin_memory
    unpinned = DataLoaderConfig(batch_size=4, pin_memory=False)
    assert not make_loader(Numbers(8), unpinned, training=True, device="cuda").pin_memory


def test_too_few_samples_for_a_batch_are_an_error() -> None:
    with pytest.raises(DataError, match="3 samples are too few"):
        make_loader(Numbers(3), DataLoaderConfig(batch_size=4), training=True)


@settings(max_examples=20)
@given(start=st.integers(0, 5))
def test_any_iterable_can_be_entered_in_the_middle(start: int) -> None:
    assert list(batches_of(["a", "b", "c"], epoch=4, first_batch=start)) == ["a", "b", "c"][start:]


# Several processes


@given(
    n=st.integers(1, 60),
    batch_size=st.integers(1, 7),
    n_processes=st.integers(1, 5),
    shuffle=st.booleans(),
    drop_last=st.booleans(),
    epoch=st.integers(1, 3),
)
def test_shares_make_up_the_batches_of_one_process(
    n: int, batch_size: int, n_processes: int, shuffle: bool, drop_last: bool, epoch: int
) -> None:
    options: dict[str, Any] = {"shuffle": shuffle, "drop_last": drop_last, "seed": 4}
    alone = EpochBatches(n, batch_size=batch_size * n_processes, **options)
    alone.set_position(epoch=epoch)
    shares = []
    for rank in range(n_processes):
        share = EpochBatches(n, batch_size=batch_size, rank=rank, n_processes=n_processes, **options)
        share.set_position(epoch=epoch)
        shares.append(list(share))
        assert len(shares[-1]) == len(share) == len(alone)
    for whole, *parts in zip(alone, *shares, strict=True):
        joined = [index for part in parts for index in part]
        assert joined[: len(whole)] == whole
        # Samples are used twice only where a process would have none.
        assert len(joined) == max(len(whole), n_processes)
        assert max(map(len, parts)) - min(map(len, parts)) <= 1
        assert 0 < min(map(len, parts)) <= max(map(len, parts)) <= batch_size


def test_a_share_can_be_continued_from_the_middle() -> None:
    def share() -> EpochBatches:
        return EpochBatches(40, batch_size=4, shuffle=True, drop_last=True, seed=1, rank=1, n_processes=2)

    whole, rest = share(), share()
    whole.set_position(epoch=2)
    rest.set_position(epoch=2, first_batch=3)
    assert list(rest) == list(whole)[3:]


def launched(monkeypatch: pytest.MonkeyPatch, rank: int) -> None:
    values = {"WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2, "RANK": rank, "LOCAL_RANK": rank, "MASTER_PORT": 1}
    for name, value in values.items():
        monkeypatch.setenv(name, str(value))


def test_torchrun_shares_out_training_and_leaves_validation_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    config = DataLoaderConfig(batch_size=4, shuffle_train=False)
    launched(monkeypatch, 1)
    assert lists(make_loader(Numbers(16), config, training=True), epoch=1) == [
        [4, 5, 6, 7],
        [12, 13, 14, 15],
    ]
    assert len(lists(make_loader(Numbers(16), config, training=False), epoch=1)) == 4
    with pytest.raises(DataError, match="6 samples are too few for one batch of 4 in each of 2 processes"):
        make_loader(Numbers(6), config, training=True)


def test_workers_of_different_processes_draw_differently(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds = []
    for rank in (None, 0, 1):
        if rank is not None:
            launched(monkeypatch, rank)
        loader = make_loader(Numbers(16), DataLoaderConfig(batch_size=4), training=True)
        batches_of(loader, epoch=1)
        assert loader.generator is not None
        seeds.append(loader.generator.initial_seed())
    assert seeds[0] == seeds[1] != seeds[2]
