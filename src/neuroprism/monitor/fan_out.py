"""Handing records to sinks: the one place where a sink may fail."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from neuroprism.core.errors import printable
from neuroprism.core.records import Alert, RunRecord
from neuroprism.monitor.patience import at_most
from neuroprism.monitor.sinks.protocol import Record, Sink

OPEN_SECONDS = 120.0
"""How long a sink may take to begin or to end; some ask a service, some draw."""
WRITE_SECONDS = 20.0
"""How long training waits for a sink that takes a record."""


class FanOut:
    """Gives every record to every sink; a sink that raises or hangs is detached for good.

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
                with at_most(_limit(sink, OPEN_SECONDS)):
                    sink.open(run, folder)
            except Exception as error:  # noqa: BLE001 - the seam: a sink never harms the training
                failed.append((sink, error))
        # Nothing is reported before the others are open, and to none that is not.
        self._sinks = [sink for sink in self._sinks if all(sink is not other for other, _ in failed)]
        for sink, reason in failed:
            self._drop(sink, reason)

    def write(self, record: Record) -> None:
        """Give `record` to every sink."""
        for sink in tuple(self._sinks):
            try:
                # The report about one sink may have cost another one.
                if sink in self._sinks:
                    with at_most(_limit(sink, WRITE_SECONDS)):
                        sink.write(record)
            except Exception as error:  # noqa: BLE001 - the seam
                self._detach(sink, error)

    def close(self) -> None:
        """Close every sink, the last one first, so that the first ones can still report a failure."""
        self.ticks = []
        while self._sinks:
            sink = self._sinks.pop()
            try:
                with at_most(_limit(sink, OPEN_SECONDS)):
                    sink.close()
            except Exception as error:  # noqa: BLE001 - the seam
                self._tell(sink, error)

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
            self._drop(sink, error)

    def _drop(self, sink: Sink, error: Exception) -> None:
        self.ticks = self._find_ticks()
        with contextlib.suppress(Exception), at_most(_limit(sink, WRITE_SECONDS)):
            sink.close()
        self._tell(sink, error)

    def _tell(self, sink: Sink, error: Exception) -> None:
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


def harmless(call: Callable[[Alert], None] | None, name: str) -> Callable[[Alert], None]:
    """Return a function that passes alerts to `call` until that raises, and never raises itself."""
    calls = [] if call is None else [call]

    def pass_on(alert: Alert) -> None:
        for listener in tuple(calls):
            try:
                listener(alert)
            except Exception as error:  # noqa: BLE001 - the seam: watching never kills training
                calls.clear()
                say(f"{name} raised {type(error).__name__}: {error}; it is not called again")

    return pass_on


def say(line: str) -> None:
    """Write one line to standard error, where there is one."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(f"neuroprism: {printable(line)}\n")


def _limit(sink: Sink, seconds: float) -> float | None:
    """Return how long to wait: for ever where the sink is the record itself, on a disk that may be slow."""
    return None if getattr(sink, "is_record", False) else seconds


def _message(sink: Sink, error: Exception) -> str:
    reason = printable(" ".join(str(error).split())) or "no reason given"
    return f"sink '{sink.name}' failed and is off for the rest of the run: {type(error).__name__}: {reason}"
