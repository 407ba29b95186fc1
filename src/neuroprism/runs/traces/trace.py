"""The course of a recorded run, in the form in which rules look at it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from neuroprism.core.records import Alert, EpochRecord, Gradients, Status
from neuroprism.monitor.facts import RunFacts
from neuroprism.monitor.window import StepWindow

SHORT_WINDOW, LONG_WINDOW = 8, 64
N_SHORT = 1024
"""Rows at the beginning that are shown in short windows. Windows end where the blocks of a live run do, so
that an alert is closed and raised again where it was then."""

Looked = StepWindow | EpochRecord | Gradients


@dataclass(frozen=True, kw_only=True, eq=False)
class Trace:
    """What a log tells of a run, whatever its format.

    Attributes
    ----------
    name
        Of the run.
    facts
        What the run declares about itself.
    steps
        All steps in one window.
    events
        Epochs and gradients in the order of the run.
    notes
        What a reader of the diagnosis should know about the log.
    status
        Of the run; a foreign log counts as finished.
    config
        Resolved configuration, empty without one.
    alerts
        Every record of an alert that the run left, in order.
    """

    name: str
    facts: RunFacts
    steps: StepWindow
    events: tuple[EpochRecord | Gradients, ...] = ()
    notes: tuple[str, ...] = ()
    status: Status = "finished"
    config: Mapping[str, Any] = field(default_factory=dict)
    alerts: tuple[Alert, ...] = ()

    @property
    def epochs(self) -> tuple[EpochRecord, ...]:
        """The epochs."""
        return tuple(event for event in self.events if isinstance(event, EpochRecord))

    @property
    def records(self) -> Iterator[Looked]:
        """Yield steps, epochs and gradients as the run did: an event comes after the steps that it closes."""
        start = 0
        for event in self.events:
            stop = max(start, int(np.searchsorted(self.steps.step, event.step, side="right")))
            yield from _windows(self.steps, start, stop)
            yield event
            start = stop
        yield from _windows(self.steps, start, len(self.steps))


def _windows(steps: StepWindow, start: int, stop: int) -> Iterator[StepWindow]:
    while start < stop:
        length = SHORT_WINDOW if start < N_SHORT else LONG_WINDOW
        end = min(start - start % length + length, stop)
        yield part_of(steps, slice(start, end))
        start = end


def part_of(window: StepWindow, rows: slice) -> StepWindow:
    """Return some rows of a window, without copying."""
    arrays: dict[str, Any] = {
        f.name: values[rows]
        for f in fields(window)
        if isinstance(values := getattr(window, f.name), np.ndarray | tuple) and f.name != "components"
    }
    return replace(
        window,
        **arrays,
        metrics={name: values[rows] for name, values in window.metrics.items()},
        metrics_given={name: given[rows] for name, given in window.metrics_given.items()},
    )
