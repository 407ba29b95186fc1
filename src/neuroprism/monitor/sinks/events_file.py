"""`events.jsonl`: everything that happens in a run, except its steps."""

from __future__ import annotations

from pathlib import Path

from neuroprism.core import strict_json
from neuroprism.core.files import LineAppender
from neuroprism.core.records import Event, RunRecord
from neuroprism.monitor import layout
from neuroprism.monitor.sinks.protocol import Record


class EventsFile:
    """Appends every event as one line of strict JSON."""

    name = "events_file"
    is_record = True

    def __init__(self) -> None:
        self._file: LineAppender | None = None

    def open(self, run: RunRecord, folder: Path) -> None:
        """Open the file for appending; a torn last line is cut off."""
        self._file = LineAppender(folder / layout.EVENTS)

    def write(self, record: Record) -> None:
        """Append an event."""
        if isinstance(record, Event) and self._file is not None:
            self._file.append(strict_json.encode(record) + b"\n")

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
