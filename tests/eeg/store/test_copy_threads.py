"""Windows copied in several threads are those copied in one."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from neuroprism.eeg.copy_threads import BYTES_A_THREAD, MOST_THREADS, share_out
from neuroprism.eeg.store import EegStore


@pytest.fixture(params=[1, 2, 3, 16])
def n_threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.parametrize("n_items", [0, 1, 2, 3, 7, 32])
def test_every_item_is_worked_on_once(n_threads: int, n_items: int) -> None:
    done: list[tuple[int, int]] = []

    def work(part: slice) -> None:
        done.extend((k, threading.get_ident()) for k in range(n_items)[part])

    share_out(work, n_items, 100 * BYTES_A_THREAD)
    assert sorted(k for k, _ in done) == list(range(n_items))
    assert len({thread for _, thread in done}) <= min(n_threads, MOST_THREADS)


def test_little_work_stays_in_this_thread(n_threads: int) -> None:
    threads: list[int] = []
    share_out(lambda _: threads.append(threading.get_ident()), 32, 2 * BYTES_A_THREAD - 1)
    assert threads == [threading.get_ident()]


def test_fault_in_a_thread_is_raised(n_threads: int) -> None:
    def work(part: slice) -> None:
        if 31 in range(32)[part]:
            raise ValueError("last")

    with pytest.raises(ValueError, match="last"):
        share_out(work, 32, 100 * BYTES_A_THREAD)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_fork_gets_threads_of_its_own() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        share_out(lambda _: None, 32, 100 * BYTES_A_THREAD)
        done: list[slice] = []
        child = os.fork()
        if child == 0:
            share_out(done.append, 32, 100 * BYTES_A_THREAD)
            os._exit(len(done))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 2
    finally:
        torch.set_num_threads(before)


def test_windows_do_not_depend_on_threads(
    store: EegStore, n_threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("neuroprism.eeg.copy_threads.BYTES_A_THREAD", 1000)
    order = np.random.default_rng(0).permutation(60)
    expected = np.stack([store.read([row])[0] for row in order])
    assert np.array_equal(store.read(order), expected)
