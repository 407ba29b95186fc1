"""Places in the writing of files at which a process kills itself, so that no luck is needed to hit them."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neuroprism.core import files

POINTS = ("half of an append", "half of a replacement", "before the rename", "after the rename")


@dataclass(frozen=True)
class Fault:
    """A moment in the life of a process.

    Attributes
    ----------
    point
        One of `POINTS`.
    file
        Name of the file that is written.
    call
        How often the process gets there before it dies, from 1.
    """

    point: str
    file: str
    call: int


SIDE = ("steps.superseded.jsonl", "steps.jsonl", "events.superseded.jsonl", "events.jsonl")
REWIND = [Fault(point, file, 1) for file in SIDE for point in POINTS[1:]]
"""Every moment of a resume that moves rows aside, in the order in which they come."""


class Deadly:
    """Counts how often a process comes by each point, and kills it at one of them.

    Parameters
    ----------
    fault
        Where; None only counts.
    """

    def __init__(self, fault: Fault | None = None) -> None:
        self.seen: Counter[tuple[str, str]] = Counter()
        self._fault = fault

    def arm(self) -> None:
        """Watch the writing of files in this process from now on."""
        append, fsync, replace = files.LineAppender.append, os.fsync, os.replace

        def deadly_append(appender: files.LineAppender, lines: bytes) -> None:
            name = appender.path.name
            self._at("half of an append", name, lambda: append(appender, lines[: len(lines) // 2]))
            append(appender, lines)

        def deadly_fsync(descriptor: int) -> None:
            # The name of a temporary file is .NAME.PID.tmp.
            name = Path(os.readlink(f"/proc/self/fd/{descriptor}")).name[1:].rsplit(".", 2)[0]
            size = os.fstat(descriptor).st_size
            self._at("half of a replacement", name, lambda: os.ftruncate(descriptor, size // 2))
            fsync(descriptor)

        def deadly_replace(source: Any, target: Any) -> None:
            name = Path(target).name
            self._at("before the rename", name)
            replace(source, target)
            self._at("after the rename", name)

        files.LineAppender.append = deadly_append  # type: ignore[method-assign]
        os.fsync, os.replace = deadly_fsync, deadly_replace  # type: ignore[assignment]

    def _at(self, point: str, file: str, last_deed: Callable[[], Any] = lambda: None) -> None:
        # Claims of the folder are numbered.
        file = "claim" if file.isdecimal() else file
        self.seen[point, file] += 1
        if self._fault == Fault(point, file, self.seen[point, file]):
            last_deed()
            os.kill(os.getpid(), signal.SIGKILL)
