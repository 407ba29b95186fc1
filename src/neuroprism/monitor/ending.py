"""How a run ends: what an exception means, and closing what a program leaves open."""

from __future__ import annotations

import atexit
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import Self

from neuroprism.core.records import Status


class Closable(ABC):
    """Something that records how it ended; a context manager that ends as its body does."""

    @abstractmethod
    def close(self, status: Status = "finished", message: str | None = None) -> None:
        """Record the end and release everything."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(*how_it_ended(error))


def close_at_exit(target: Closable) -> Callable[[], None]:
    """Have `target` closed as interrupted when the program ends without doing so.

    Returns
    -------
    callable
        Call it where `target` was closed otherwise. `target` is not kept alive.
    """
    reference = weakref.ref(target)

    def close() -> None:
        forgotten = reference()
        if forgotten is not None:
            forgotten.close("interrupted", "the program ended without closing the monitor")

    atexit.register(close)
    return lambda: atexit.unregister(close)


def how_it_ended(error: BaseException | None) -> tuple[Status, str | None]:
    """Return the status of a run that `error` ended, None if nothing went wrong, and why in one line."""
    if error is None:
        return "finished", None
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", "stopped by Ctrl-C"
    return "failed", f"{type(error).__name__}: {' '.join(str(error).split())}"
