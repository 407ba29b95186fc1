"""Step lines, epoch summaries and alerts on the screen."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from neuroprism.core.records import RunRecord
from neuroprism.monitor.format import LEVELS, Level
from neuroprism.monitor.sinks.protocol import Record
from neuroprism.monitor.text_lines import record_lines

_COLOURS = {"warning": "\033[33m", "critical": "\033[31m"}
_RESET = "\033[0m"


class Console:
    """Prints lines above the progress bar, which stays intact.

    Parameters
    ----------
    log_frequency
        A step line is printed for every multiple of this number of steps.
    level
        Least level that is printed; ``"warning"`` leaves alerts and warnings only.
    stream
        Where to print; standard output as it is at the time of printing when
        None. Warnings and alerts have colour on a terminal.
    """

    name = "console"

    def __init__(
        self, log_frequency: int = 100, *, level: Level = "info", stream: TextIO | None = None
    ) -> None:
        self.log_frequency = log_frequency
        self.level: Level = level
        self._least = LEVELS.index(level)
        self._stream = stream

    def open(self, run: RunRecord, folder: Path) -> None:
        """Remember the run, whose components name the columns."""
        from tqdm import tqdm

        self._run = run
        self._print: Callable[..., None] = tqdm.write

    def write(self, record: Record) -> None:
        """Print the lines of `record` that reach the level."""
        stream = self._stream or sys.stdout
        lines = [
            self._colour(level, text, stream)
            for level, text in record_lines(self._run, record, self.log_frequency)
            if LEVELS.index(level) >= self._least
        ]
        if lines:
            self._print("\n".join(lines), file=stream)
            stream.flush()

    def close(self) -> None:
        """Do nothing: the stream belongs to the process."""

    def _colour(self, level: Level, text: str, stream: TextIO) -> str:
        if level in _COLOURS and stream.isatty():
            return f"{_COLOURS[level]}{text}{_RESET}"
        return text
