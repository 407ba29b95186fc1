"""Alerts told outside the run: to a program, to a web address."""

from __future__ import annotations

import contextlib
import queue
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from neuroprism.core import strict_json
from neuroprism.core.errors import printable
from neuroprism.core.files import LineAppender
from neuroprism.core.records import Alert, RunRecord, Severity
from neuroprism.monitor import layout
from neuroprism.monitor.format import LEVELS, alert_lines
from neuroprism.monitor.sinks.messengers import Command, Messenger, NotTold, Webhook
from neuroprism.monitor.sinks.protocol import Record
from neuroprism.monitor.sinks.text_log import log_line

MOST_WAITING = 64


class OnAlert:
    """Tells of every alert that is raised or becomes more severe; training never waits for it.

    Both places get one line of strict JSON, ``{"run": ..., "id": ..., "text": ...,
    "alert": {...}}``: the name and id of the run, the lines that the console
    shows, and every field of the alert. A thread of its own tells one alert
    after the other. What goes wrong is said once, in one line on standard error
    and in `training.log`, and is no alert itself.

    Parameters
    ----------
    command
        Program and arguments, started without a shell; the JSON is its standard
        input, its output is discarded.
    webhook
        Address that gets the JSON as a POST request. Redirects are not followed.
    severity
        Least severity that is told.
    timeout_seconds
        Time after which a program is ended or an address given up, and the most
        that `close` waits.
    """

    name = "on_alert"

    def __init__(
        self,
        command: Sequence[str] = (),
        webhook: str | None = None,
        *,
        severity: Severity = "warning",
        timeout_seconds: float = 10.0,
    ) -> None:
        self._messengers: list[Messenger] = [Command(command)] if command else []
        if webhook is not None:
            self._messengers.append(Webhook(webhook))
        self._least = LEVELS.index(severity)
        self._timeout_seconds = timeout_seconds
        self._waiting: queue.Queue[bytes | None] = queue.Queue(MOST_WAITING)
        self._deadline = float("inf")
        self._thread: threading.Thread | None = None
        self._log: LineAppender | None = None
        self._said: set[str] = set()
        self._saying = threading.Lock()

    def open(self, run: RunRecord, folder: Path) -> None:
        """Remember the run; the thread starts with the first alert."""
        self._run = run
        self._log = LineAppender(folder / layout.TEXT_LOG)

    def write(self, record: Record) -> None:
        """Have an alert told that is news and severe enough."""
        if not isinstance(record, Alert) or not record.is_news:
            return
        if LEVELS.index(record.severity) < self._least:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="neuroprism-on-alert", daemon=True)
            self._thread.start()
        try:
            # The alert changes later: what is told is how it stands now.
            self._waiting.put_nowait(message_of(self._run, record))
        except queue.Full:
            self._say(f"on_alert left out alerts: {MOST_WAITING} of them are waiting to be told")

    def close(self) -> None:
        """Wait until the alerts are told, for `timeout_seconds` at most."""
        if self._thread is not None:
            self._deadline = time.monotonic() + self._timeout_seconds
            with contextlib.suppress(queue.Full):
                self._waiting.put(None, timeout=self._timeout_seconds)
            self._thread.join(max(0.0, self._deadline - time.monotonic()))
            if self._thread.is_alive():
                self._give_up()
            self._thread = None
        with self._saying:
            log, self._log = self._log, None
        if log is not None:
            log.close()

    def _work(self) -> None:
        while (message := self._waiting.get()) is not None:
            for messenger in self._messengers:
                seconds = min(self._timeout_seconds, self._deadline - time.monotonic())
                if seconds <= 0:
                    self._give_up()
                    return
                try:
                    messenger.send(message, seconds)
                except NotTold as failure:
                    self._say(f"on_alert {messenger.name} failed: {failure}")
                except Exception as error:  # noqa: BLE001 - the text of an unknown error may hold the address
                    self._say(f"on_alert {messenger.name} failed: {type(error).__name__}")

    def _give_up(self) -> None:
        for messenger in self._messengers:
            messenger.stop()
        self._say(f"on_alert gave up at the end of the run, after {self._timeout_seconds:g} s")

    def _say(self, line: str) -> None:
        """Say a line where people look, unless it was said before; the progress bar stays intact."""
        from tqdm import tqdm

        with self._saying:
            if line in self._said:
                return
            self._said.add(line)
            with contextlib.suppress(OSError, ValueError):
                if self._log is not None:
                    self._log.append(log_line("warning", printable(line)).encode())
                if sys.stderr is not None:
                    tqdm.write(f"neuroprism: {printable(line)}", file=sys.stderr)


def message_of(run: RunRecord, alert: Alert) -> bytes:
    """Return what is told of an alert, as one line of JSON; fields without a value are null."""
    names = (name for name in alert.__struct_fields__ if name != "told")
    fields: dict[str, Any] = {name: getattr(alert, name) for name in names}
    text = "\n".join(alert_lines(run.components, alert))
    return strict_json.encode({"run": run.name, "id": run.id, "text": text, "alert": fields}) + b"\n"
