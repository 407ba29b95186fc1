"""Alert on a learning rate that does not follow its declared schedule."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import numpy as np
from annotated_types import Gt

from neuroprism.core.records import Alert, Severity
from neuroprism.monitor.facts import DeclaredSchedule
from neuroprism.monitor.history import LR, History
from neuroprism.monitor.history.curve import FloatArray
from neuroprism.monitor.rules.registry import rule
from neuroprism.monitor.rules.subjects import only_component, spell

_LEAST_ROWS = 48
_SAME = 1e-6


@rule("lr_frozen", at="course", needs=("lr",))
def lr_frozen(
    history: History,
    *,
    severity: Severity = "warning",
    frozen_share: Annotated[float, Gt(0)] = 0.25,
    zero_share: Annotated[float, Gt(0)] = 0.1,
) -> Iterator[Alert]:
    """The learning rate stays where its declared schedule would have changed it, changes where it would not, or is zero.

    Without a declared schedule only a rate of zero is found. A schedule that
    waits for a plateau is held to nothing.

    Parameters
    ----------
    severity
        Of the alert.
    frozen_share
        Share of the run, to now, in which the rate must have stayed the same.
    zero_share
        Share of the steps whose rate must be zero.
    """
    stream = history.stream
    if stream.n_rows < _LEAST_ROWS:
        return
    low, high = _ends(history)
    if not len(low):
        return
    if stream.n_zero_rate > zero_share * stream.n_rows:
        what = f"the learning rate is 0 in {stream.n_zero_rate} of {stream.n_rows} steps"
        yield _alert(history, severity, what, low, high)
        return
    schedule = history.facts.schedule
    if schedule is None:
        return
    what = _contradiction(history, schedule, low, high, frozen_share)
    if what is not None:
        yield _alert(history, severity, f"{what}, but the declared schedule is '{schedule.type}'", low, high)


def _ends(history: History) -> tuple[FloatArray, FloatArray]:
    """Return the lowest and highest rate of every bin that has one."""
    stream = history.stream
    column = stream.index(LR)
    low, high = stream.curve.lows()[:, column], stream.curve.highs()[:, column]
    known = np.isfinite(low)
    return low[known], high[known]


def _contradiction(
    history: History, schedule: DeclaredSchedule, low: FloatArray, high: FloatArray, frozen_share: float
) -> str | None:
    """Return what the rate does against its schedule, None where it follows."""
    stream = history.stream
    warmup = _warmup_rows(history, schedule)
    if warmup > 0 and stream.n_rows >= warmup and _is_same(low, high):
        return f"the learning rate has stayed at {spell(float(high[-1]))} through a declared warm-up"
    after = low[int(np.ceil(warmup / stream.curve.bin_rows)) :]
    after_high = high[int(np.ceil(warmup / stream.curve.bin_rows)) :]
    if len(after) < 4:
        return None
    if schedule.type == "constant":
        if not _is_same(after, after_high):
            return f"the learning rate changes from {spell(float(after[0]))} to {spell(float(after[-1]))}"
        return None
    due = _rows_until_change(history, schedule)
    if due is None:
        return None
    n_same = _same_at_end(after, after_high)
    rows_same = n_same * stream.curve.bin_rows
    has_ended = n_same < len(after) and after_high[-1] <= 0.02 * after_high.max()
    if due == 0 and n_same >= max(4, frozen_share * len(after)) and rows_same >= _LEAST_ROWS and not has_ended:
        return f"the learning rate has stayed at {spell(float(after_high[-1]))} for {rows_same} steps"
    if due > 0 and n_same == len(after) and stream.n_rows - warmup > 1.1 * due + 2 * stream.curve.bin_rows:
        return f"the learning rate has stayed at {spell(float(after_high[-1]))} for {rows_same} steps"
    return None


def _warmup_rows(history: History, schedule: DeclaredSchedule) -> float:
    return schedule.warmup_steps or schedule.warmup_epochs * _steps_per_epoch(history)


def _steps_per_epoch(history: History) -> float:
    if history.facts.steps_per_epoch:
        return float(history.facts.steps_per_epoch)
    closed = history.all_epochs
    return closed[-1].step / closed[-1].epoch if closed and closed[-1].epoch else float(history.stream.n_rows)


def _rows_until_change(history: History, schedule: DeclaredSchedule) -> float | None:
    """Return the rows after the warm-up before which the rate may stay, None where the schedule leaves it open."""
    if schedule.first_change_steps is not None:
        return float(schedule.first_change_steps)
    if schedule.first_change_epochs is None:
        return None
    n_epochs = history.facts.n_epochs
    if n_epochs and schedule.first_change_epochs > n_epochs:
        # More epochs than there are: a foreign schedule that counts steps.
        return schedule.first_change_epochs
    return schedule.first_change_epochs * _steps_per_epoch(history)


def _is_same(low: FloatArray, high: FloatArray) -> bool:
    return bool(high.max() - low.min() <= _SAME * abs(high.max()))


def _same_at_end(low: FloatArray, high: FloatArray) -> int:
    """Return how many of the last bins have one and the same rate."""
    last = high[-1]
    different = (np.abs(low - last) > _SAME * abs(last)) | (np.abs(high - last) > _SAME * abs(last))
    places = np.flatnonzero(different)
    return len(low) - 1 - int(places[-1]) if len(places) else len(low)


def _alert(history: History, severity: Severity, what: str, low: FloatArray, high: FloatArray) -> Alert:
    stream = history.stream
    return Alert(
        rule="lr_frozen",
        kind="lr_frozen",
        severity=severity,
        component=only_component(history),
        step=stream.step,
        epoch=stream.epoch,
        message=f"{what}",
        evidence={"lr": float(high[-1]), "lowest": float(low.min()), "highest": float(high.max())},
        advice=(
            "check that the scheduler is stepped once per optimizer step and knows the optimizer in use; "
            "compare training.scheduler with the recorded lr"
        ),
    )
