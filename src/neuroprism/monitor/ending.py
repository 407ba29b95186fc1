"""How a run ends: what an exception means, and closing what a program leaves open."""

from __future__ import annotations

import atexit
import weakref
from collections.abc import Callable
from typing import Protocol

from neuroprism.core.records import Status


class Closable(Protocol):
    """Something that records how it ended."""

    def close(self, status: Status = "finished", message: str | None = None) -> None:
        """Record the end and release everything."""


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
