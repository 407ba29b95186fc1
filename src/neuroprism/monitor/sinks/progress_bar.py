"""The progress bar: one line that shows every component while an epoch runs.

``Epoch 1/200: 19%|█▉        | 215/1140 [37:38<2:24:26, Total=138.007 | LR=1.00e-04 | Signal=1.030 | ...]``
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol, TextIO

from neuroprism.core.records import EpochRecord, Resumed, RunRecord
from neuroprism.monitor.format import bar_postfix, epoch_name
from neuroprism.monitor.sinks.protocol import Record
from neuroprism.monitor.window import StepWindow

WITH_TOTAL = "{desc}: {percentage:.0f}%|{bar:10}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}{postfix}]"
WITHOUT_TOTAL = "{desc}: {n_fmt} steps [{elapsed}{postfix}]"


class _Postfix:
    """The newest values, fitted to the room that a line has."""

    def __init__(self, run: RunRecord) -> None:
        self._components = run.components
        self._values: Mapping[str, float] = {}
        self._lr: float | None = None

    def update(self, window: StepWindow) -> None:
        self._values = window.row(-1)
        lr = float(window.lr[-1])
        self._lr = None if math.isnan(lr) else lr

    def text(self, room: int | None) -> str:
        """Return the postfix in at most `room` characters; None: no limit."""
        if not self._values:
            return ""
        if room is None:
            return bar_postfix(self._components, self._values, self._lr)
        return bar_postfix(self._components, self._values, self._lr, lambda text: len(text) <= room)


@dataclass(frozen=True, kw_only=True)
class _Line:
    """What stays the same in the line of one epoch; `start` is when the epoch began."""

    label: str
    total: int | None
    initial: int
    start: float
    postfix: _Postfix

    def bar_format(self, count: int) -> str:
        # An epoch that is longer than announced has no end that could be shown.
        return WITHOUT_TOTAL if self.total is None or count > self.total else WITH_TOTAL


class _Surface(Protocol):
    """Where the line of one epoch is drawn."""

    period: float

    first_wait: float

    def draw(self, count: int) -> None:
        """Show `count` steps and the newest values."""

    def close(self) -> None:
        """Leave the line as it is."""


class ProgressBar:
    """Shows the steps of the running epoch, the time left and every component.

    On a terminal and in a notebook this is a tqdm bar of its own for each
    epoch. Elsewhere (a file, a pipe) it is the same line, printed at most
    every `plain_seconds` and at the end of the epoch, without control
    characters.

    Parameters
    ----------
    steps_per_epoch
        Optimizer steps of an epoch, None where unknown: the bar then counts
        steps without an end.
    stream
        Where to draw; standard error when None.
    min_seconds
        Least time between two drawings on a terminal.
    plain_seconds
        Least time between two lines elsewhere.
    """

    name = "progress_bar"

    def __init__(
        self,
        steps_per_epoch: int | None = None,
        *,
        stream: TextIO | None = None,
        min_seconds: float = 0.1,
        plain_seconds: float = 10.0,
    ) -> None:
        self.steps_per_epoch = steps_per_epoch
        self._stream = stream
        self._periods = (min_seconds, plain_seconds)
        self._surface: _Surface | None = None
        self._due = 0.0
        self._count = 0
        self._epoch = 1

    def open(self, run: RunRecord, folder: Path) -> None:
        """Start the clock of the first epoch; the bar appears with its first step."""
        import tqdm.auto

        self._tqdm: Any = tqdm.auto.tqdm
        self._run = run
        self._postfix = _Postfix(run)
        self._first_count = 0
        self._epoch_start = perf_counter()

    def tick(self) -> None:
        """Count one optimizer step; draw when it is time."""
        self._count += 1
        if perf_counter() >= self._due:
            self._draw_when_due()

    def write(self, record: Record) -> None:
        """Take the values of a window; start and end the bars of epochs."""
        if isinstance(record, StepWindow) and len(record):
            self._postfix.update(record)
            if perf_counter() >= self._due:
                self._draw_when_due()
        elif isinstance(record, EpochRecord):
            self._end_epoch()
            self._begin_epoch(record.epoch + 1, 0)
        elif isinstance(record, Resumed):
            self._resume(record)

    def close(self) -> None:
        """Draw the last state of an unfinished epoch and leave the line."""
        self._end_epoch()

    def _resume(self, record: Resumed) -> None:
        per_epoch = self.steps_per_epoch
        done = 0 if per_epoch is None else record.step - (record.epoch - 1) * per_epoch
        if per_epoch is not None and done >= per_epoch:
            self._begin_epoch(record.epoch + 1, 0)
        else:
            self._begin_epoch(record.epoch, max(0, done))

    def _begin_epoch(self, epoch: int, count: int) -> None:
        self._epoch, self._count, self._first_count = epoch, count, count
        self._epoch_start = perf_counter()
        self._due = 0.0

    def _end_epoch(self) -> None:
        if self._count > self._first_count:
            if self._surface is None:
                self._surface = self._new_surface()
            self._surface.draw(self._count)
        if self._surface is not None:
            self._surface.close()
            self._surface = None

    def _draw_when_due(self) -> None:
        if self._count == self._first_count:
            return
        if self._surface is None:
            self._surface = self._new_surface()
            self._due = self._epoch_start + self._surface.first_wait
        now = perf_counter()
        if now >= self._due:
            self._surface.draw(self._count)
            self._due = now + self._surface.period

    def _new_surface(self) -> _Surface:
        stream = self._stream or sys.stderr
        line = _Line(
            label=epoch_name(self._epoch, self._run.n_epochs),
            total=self.steps_per_epoch,
            initial=self._first_count,
            start=self._epoch_start,
            postfix=self._postfix,
        )
        in_notebook = any(base.__module__ == "tqdm.notebook" for base in self._tqdm.__mro__)
        if in_notebook or stream.isatty():
            return _Bar(line, self._tqdm, stream, self._periods[0])
        return _PlainLines(line, self._tqdm, stream, self._periods[1])


def _bar_class(tqdm: Any, postfix: _Postfix) -> Any:
    """Return a tqdm class whose line has the postfix that fits at the moment of drawing."""

    class Bar(tqdm):  # type: ignore[misc]
        monitor_interval = 0  # draws when it is told to: needs no thread

        @property
        def format_dict(self) -> dict[str, Any]:
            state: dict[str, Any] = super().format_dict
            room = None
            if state["ncols"]:
                bare = self.format_meter(**{**state, "ncols": None, "postfix": None})
                room = state["ncols"] - len(bare) - len(", ")
            return {**state, "postfix": postfix.text(room)}

    return Bar


class _Bar:
    """A tqdm bar on a terminal or in a notebook."""

    first_wait = 0.0

    def __init__(self, line: _Line, tqdm: Any, stream: TextIO, period: float) -> None:
        self.period = period
        self._bar = _bar_class(tqdm, line.postfix)(
            desc=line.label,
            total=line.total,
            initial=line.initial,
            file=stream,
            dynamic_ncols=True,
            mininterval=0,
            miniters=1,
            delay=1e-9,  # no empty bar before the first values
            bar_format=line.bar_format(line.initial),
        )
        self._bar.start_t = self._bar.last_print_t = self._bar.start_t - (perf_counter() - line.start)
        self._line = line

    def draw(self, count: int) -> None:
        self._bar.bar_format = self._line.bar_format(count)
        if count > self._bar.n:
            self._bar.update(count - self._bar.n)
        else:
            self._bar.refresh()

    def close(self) -> None:
        self._bar.close()


class _PlainLines:
    """The same line, printed now and then where there is no terminal."""

    def __init__(self, line: _Line, tqdm: Any, stream: TextIO, period: float) -> None:
        self.period = self.first_wait = period
        self._line, self._tqdm, self._stream = line, tqdm, stream
        self._shown: tuple[int, str] | None = None

    def draw(self, count: int) -> None:
        text = self._line.postfix.text(None)
        if (count, text) == self._shown:
            return
        self._shown = (count, text)
        meter = self._tqdm.format_meter(
            count,
            self._line.total,
            perf_counter() - self._line.start,
            initial=self._line.initial,
            prefix=self._line.label,
            postfix=text,
            ascii=not _has_blocks(self._stream),
            bar_format=self._line.bar_format(count),
        )
        self._stream.write(meter + "\n")
        self._stream.flush()

    def close(self) -> None:
        """Do nothing: every line is complete."""


def _has_blocks(stream: TextIO) -> bool:
    try:
        "█▏".encode(stream.encoding or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
