"""Handing records to sinks: the one place where a sink may fail."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from neuroprism.core.records import Alert, RunRecord
from neuroprism.monitor.sinks.protocol import Record, Sink


class FanOut:
    """Gives every record to every sink; a sink that raises is detached for good.

    Parameters
    ----------
    sinks
        In the order in which they get each record.
    report
        Gets one alert for each failed sink.
    """

    def __init__(self, sinks: Sequence[Sink], report: Callable[[Alert], None]) -> None:
        self._sinks = list(sinks)
        self._report = report
        self.ticks = self._find_ticks()
        """Functions to call at every step: what sinks with a ``tick()`` want to hear."""

    def open(self, run: RunRecord, folder: Path) -> None:
        """Open every sink."""
        failed = []
        for sink in tuple(self._sinks):
            try:
                sink.open(run, folder)
            except Exception as error:  # noqa: BLE001 - the seam: a sink never harms the training
                failed.append((sink, error))
                self._sinks.remove(sink)
        # Reported when all others are open.
        for sink, reason in failed:
            self._detach(sink, reason)

    def write(self, record: Record) -> None:
        """Give `record` to every sink."""
        for sink in tuple(self._sinks):
            try:
                sink.write(record)
            except Exception as error:  # noqa: BLE001 - the seam
                self._detach(sink, error)

    def close(self) -> None:
        """Close every sink."""
        sinks, self._sinks = self._sinks, []
        self.ticks = []
        for sink in sinks:
            try:
                sink.close()
            except Exception as error:  # noqa: BLE001 - the seam
                say(_message(sink, error))

    def _find_ticks(self) -> list[Callable[[], None]]:
        return [self._guarded(sink, sink.tick) for sink in self._sinks if hasattr(sink, "tick")]

    def _guarded(self, sink: Sink, tick: Callable[[], None]) -> Callable[[], None]:
        def guarded() -> None:
            try:
                tick()
            except Exception as error:  # noqa: BLE001 - the seam
                self._detach(sink, error)

        return guarded

    def _detach(self, sink: Sink, error: Exception) -> None:
        if sink in self._sinks:
            self._sinks.remove(sink)
        self.ticks = self._find_ticks()
        with contextlib.suppress(Exception):
            sink.close()
        if not any(other.name == "console" for other in self._sinks):
            say(_message(sink, error))
        self._report(
            Alert(
                rule="sink",
                kind="sink_failed",
                severity="warning",
                message=_message(sink, error),
                evidence={"sink": sink.name, "error": type(error).__name__},
            )
        )


def say(line: str) -> None:
    """Write one line to standard error, where there is one."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(f"neuroprism: {line}\n")


def _message(sink: Sink, error: Exception) -> str:
    reason = " ".join(str(error).split()) or "no reason given"
    return f"sink '{sink.name}' failed and is off for the rest of the run: {type(error).__name__}: {reason}"
