"""`training.log`: the text log of a run."""

from __future__ import annotations

import time
from pathlib import Path

from neuroprism.core.files import LineAppender
from neuroprism.core.records import RunRecord
from neuroprism.monitor.format import Level
from neuroprism.monitor.sinks.protocol import Record
from neuroprism.monitor.text_lines import record_lines

FILE_NAME = "training.log"


class TextLog:
    """Appends step lines, epoch summaries, alerts and notes to `training.log`.

    Lines read ``2026-01-31 14:05:09,123 - neuroprism - INFO - message`` in
    local time, as Python's logging writes them. Every record is in the file
    when `write` returns; the level is INFO, whatever the console shows.

    Parameters
    ----------
    log_frequency
        A step line is written for every multiple of this number of steps.
    """

    name = "text_log"

    def __init__(self, log_frequency: int = 100) -> None:
        self.log_frequency = log_frequency

    def open(self, run: RunRecord, folder: Path) -> None:
        """Open the log for appending; a torn last line is cut off."""
        self._run = run
        self._file = LineAppender(folder / FILE_NAME)

    def write(self, record: Record) -> None:
        """Append the lines of `record` in one write."""
        lines = [
            log_line(level, part)
            for level, text in record_lines(self._run, record, self.log_frequency)
            if level != "debug"
            for part in text.splitlines()
        ]
        if lines:
            self._file.append("".join(lines).encode())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def log_line(level: Level, text: str) -> str:
    """Return a line of the log, with the time of now and a newline."""
    return f"{_timestamp()} - neuroprism - {level.upper()} - {text}\n"


def _timestamp() -> str:
    now = time.time()
    return f"{time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(now))},{int(now % 1 * 1000):03d}"
