"""`run.json`: the identity card of a run, and its heartbeat."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import msgspec

from neuroprism.core import strict_json
from neuroprism.core.errors import RunError
from neuroprism.core.files import replace_bytes
from neuroprism.core.records import Finished, RunRecord
from neuroprism.monitor import layout
from neuroprism.monitor.reading import read_run
from neuroprism.monitor.sinks.protocol import Record

HEARTBEAT_SECONDS = 10.0


class RunFile:
    """Writes the card at the start and at the end; touches it at least every 10 s while records come."""

    name = "run_file"
    is_record = True

    def __init__(self) -> None:
        self._path: Path | None = None
        self._run: RunRecord | None = None
        self._last_beat = 0.0

    def open(self, run: RunRecord, folder: Path) -> None:
        """Write the card with the status `running`."""
        self._path, self._run = folder / layout.RUN, run
        self._replace()

    def write(self, record: Record) -> None:
        """Note the end of the run; anything else is a sign of life."""
        if self._path is None or self._run is None:
            return
        if isinstance(record, Finished):
            if self._was_replaced(self._run):
                return
            self._run = msgspec.structs.replace(
                self._run, status=record.status, ended=record.time, message=record.message
            )
            self._replace()
        elif time.monotonic() - self._last_beat >= HEARTBEAT_SECONDS:
            with contextlib.suppress(FileNotFoundError):
                os.utime(self._path)
            self._last_beat = time.monotonic()

    def close(self) -> None:
        """Leave the card as it is: a run that is closed without an end did not finish."""

    def _was_replaced(self, run: RunRecord) -> bool:
        """Tell whether another run or attempt has begun in the folder, as in a notebook run twice."""
        if self._path is None:
            return False
        try:
            found = read_run(self._path.parent)
        except RunError:
            return False
        return (found.id, found.attempts) != (run.id, run.attempts)

    def _replace(self) -> None:
        if self._path is not None:
            replace_bytes(self._path, strict_json.encode_pretty(self._run))
            self._last_beat = time.monotonic()
