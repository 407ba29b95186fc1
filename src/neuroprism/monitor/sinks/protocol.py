"""What a sink is."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, runtime_checkable

from neuroprism.core.records import AnyEvent, RunRecord
from neuroprism.monitor.histograms import Histograms
from neuroprism.monitor.window import StepWindow

Record = StepWindow | Histograms | AnyEvent


@runtime_checkable
class Sink(Protocol):
    """A place where the record of a run goes.

    The monitor calls `open` once, `write` for every flushed window and every
    event in the order in which they happened, and `close` once. A sink that
    raises, or does not come back within 20 s (2 minutes for `open` and
    `close`), is detached with one warning and one `sink_failed` alert; the
    others go on. One with ``is_record = True`` is waited for. A sink that
    wants every step as it happens (a progress bar) also has ``tick()``; it
    receives no values there, because they are not read yet.
    """

    name: str

    def open(self, run: RunRecord, folder: Path) -> None:
        """Prepare to write the record of `run` into `folder`."""

    def write(self, record: Record) -> None:
        """Write a window of steps, histograms or an event; a sink ignores what it has no place for."""

    def close(self) -> None:
        """Flush and release everything."""
