"""Copying in several threads, where there is enough to copy."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise

import torch

MOST_THREADS = 4
"""More than these wait for memory and for each other."""

BYTES_A_THREAD = 2**20
"""Below this, waking a thread costs more than it saves."""


def share_out(work: Callable[[slice], None], n_items: int, n_bytes: int) -> None:
    """Call `work` with parts of the items, in as many threads as torch is told to use.

    A worker of a data loader has one, and so has a process under
    ``OMP_NUM_THREADS=1``.

    Parameters
    ----------
    work
        Called with the slice of the items that it is to do; must release the
        interpreter while it copies, as numpy does.
    n_items
        All items.
    n_bytes
        What they come to.
    """
    n_threads = min(torch.get_num_threads(), MOST_THREADS, n_items, n_bytes // BYTES_A_THREAD)
    if n_threads <= 1:
        work(slice(0, n_items))
        return
    ends = [n_items * k // n_threads for k in range(n_threads + 1)]
    parts = [slice(*pair) for pair in pairwise(ends)]
    waiting = [_pool(os.getpid()).submit(work, part) for part in parts[1:]]
    work(parts[0])
    for part in waiting:
        part.result()


@cache
def _pool(_pid: int) -> ThreadPoolExecutor:
    """Return the threads of a process; a fork has none of those of its parent."""
    return ThreadPoolExecutor(MOST_THREADS - 1, thread_name_prefix="windows")
