"""The same task over many items, in this process or in several."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import TypeVar

from tqdm import tqdm

from neuroprism.core.errors import ConfigError, NeuroprismError

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


class Workers:
    """Runs tasks with a progress bar, one item at a time or several.

    Processes are spawned, not forked: a fork would inherit threads and locks
    in the middle of their work.

    Parameters
    ----------
    jobs
        Items that are worked on at the same time; 1 stays in this process.
    progress
        Show a bar where standard error is a terminal.

    Raises
    ------
    ConfigError
        If `jobs` is below 1.
    """

    def __init__(self, jobs: int, *, progress: bool) -> None:
        if jobs < 1:
            raise ConfigError(f"jobs: {jobs}; at least 1")
        self._jobs = jobs
        self._progress = progress
        self._stopped = False

    def stop(self) -> None:
        """Begin no further item of the present run; those that were begun are still reported."""
        self._stopped = True

    def run(
        self, what: str, task: Callable[[ItemT], ResultT], items: Sequence[ItemT]
    ) -> Iterator[tuple[ItemT, ResultT]]:
        """Yield each item with its result as they are finished; items are begun in order.

        Parameters
        ----------
        what
            Stands before the bar.
        task
            Called with one item; it and the items must be picklable where `jobs` is above 1.
        items
            What to work on.

        Raises
        ------
        NeuroprismError
            If a process died.
        """
        self._stopped = False
        jobs = min(self._jobs, len(items))
        results = self._here(task, items) if jobs <= 1 else self._in_processes(task, items, jobs)
        # None: no bar where there is no terminal.
        hidden = None if self._progress else True
        yield from tqdm(results, desc=what, total=len(items), unit="recording", disable=hidden)

    def _here(
        self, task: Callable[[ItemT], ResultT], items: Sequence[ItemT]
    ) -> Iterator[tuple[ItemT, ResultT]]:
        for item in items:
            if self._stopped:
                return
            yield item, task(item)

    def _in_processes(
        self, task: Callable[[ItemT], ResultT], items: Sequence[ItemT], jobs: int
    ) -> Iterator[tuple[ItemT, ResultT]]:
        executor = ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_ignore_ctrl_c)
        try:
            futures = {executor.submit(task, item): item for item in items}
            for future in as_completed(futures):
                if not future.cancelled():
                    yield futures[future], future.result()
                if self._stopped:
                    for waiting in futures:
                        waiting.cancel()
        except BrokenProcessPool:
            raise NeuroprismError(
                "a process that prepared recordings died, perhaps for lack of memory; "
                "run it again with fewer --jobs (finished recordings are reused)"
            ) from None
        finally:
            executor.shutdown(wait=True, cancel_futures=True)


def _ignore_ctrl_c() -> None:
    """Leave Ctrl-C to the parent, which tells the workers to end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
