"""What the console and `training.log` both print of a record."""

from __future__ import annotations

from collections.abc import Iterator

from neuroprism.core.errors import printable, printable_lines
from neuroprism.core.records import Finished, Note, RunRecord
from neuroprism.monitor.format import Line, event_lines, step_line
from neuroprism.monitor.histograms import Histograms
from neuroprism.monitor.sinks.protocol import Record
from neuroprism.monitor.window import StepWindow


def record_lines(run: RunRecord, record: Record, log_frequency: int) -> Iterator[Line]:
    """Yield the (level, text) lines of any record.

    Of a window these are the steps that are multiples of `log_frequency`,
    each with the values of that very step. Names and messages may hold
    anything: what could break a line or steer a terminal is spelled out. Only
    notes, and the reason of an end, may have several lines.
    """
    spelled = printable_lines if isinstance(record, Note | Finished) else printable
    for level, text in _raw_lines(run, record, log_frequency):
        yield level, spelled(text)


def _raw_lines(run: RunRecord, record: Record, log_frequency: int) -> Iterator[Line]:
    if isinstance(record, StepWindow):
        for index in (record.step % log_frequency == 0).nonzero()[0]:
            i = int(index)
            skipped = bool(record.skipped[i])
            yield "info", step_line(run.components, int(record.step[i]), record.row(i), skipped=skipped)
    elif not isinstance(record, Histograms):
        yield from event_lines(run, record)
