"""Alert on a learning rate that does not follow its declared schedule."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import numpy as np
from annotated_types import Gt

from neuroprism.core.records import Alert, Severity
from neuroprism.monitor.declared_schedule import DeclaredSchedule, in_steps
from neuroprism.monitor.history import LR, History
from neuroprism.monitor.history.curve import FloatArray
from neuroprism.monitor.rules.progress import steps_per_epoch, steps_per_row
from neuroprism.monitor.rules.registry import rule
from neuroprism.monitor.rules.subjects import only_component, spell

_LEAST_ROWS = 48
_LEAST_BINS = 8
_SAME = 1e-6
_LATE = 1.1
_ENDED = 0.02
_PEAK_PASSED = 0.97


@rule("lr_frozen", at="course", needs=("lr",))
def lr_frozen(
    history: History,
    *,
    severity: Severity = "warning",
    frozen_share: Annotated[float, Gt(0)] = 0.25,
    deviation: Annotated[float, Gt(0)] = 0.25,
    zero_share: Annotated[float, Gt(0)] = 0.1,
) -> Iterator[Alert]:
    """Find a learning rate that stays, rises or falls where its declared schedule does not, or is zero.

    Without a declared schedule only a rate of zero is found. A schedule that
    waits for a plateau is held to nothing, one with restarts to changing at all.

    Parameters
    ----------
    severity
        Of the alert.
    frozen_share
        Share of the run, to now, in which the rate has stayed the same against its schedule.
    deviation
        Distance from the declared course, in units of the peak, over a sixth of the planned run.
    zero_share
        Share of the steps whose rate is zero.
    """
    stream = history.stream
    if stream.n_rows < _LEAST_ROWS:
        return
    column = stream.index(LR)
    low, high = stream.curve.lows()[:, column], stream.curve.highs()[:, column]
    if len(low) < _LEAST_BINS or not np.isfinite(low).all():
        return
    what: str | None = None
    schedule = history.facts.schedule
    if stream.n_zero_rate > zero_share * stream.n_rows and not _ends_in_zero(high):
        what = f"the learning rate is 0 in {stream.n_zero_rate} of {stream.n_rows} steps"
    elif schedule is not None:
        contradiction = _frozen(history, schedule, low, high, frozen_share)
        if contradiction is None:
            contradiction = _astray(history, schedule, (low + high) / 2, deviation)
        what = contradiction and f"{contradiction}; the declared schedule is '{schedule.type}'"
    if what is None:
        return
    yield Alert(
        rule="lr_frozen",
        kind="lr_frozen",
        severity=severity,
        component=only_component(history),
        step=stream.step,
        epoch=stream.epoch,
        message=what,
        evidence={"lr": float(high[-1]), "lowest": float(low.min()), "highest": float(high.max())},
        advice=(
            "step the scheduler once per optimizer step, on the optimizer that is in use, with its length "
            "in steps; compare training.scheduler with the recorded lr"
        ),
    )


def _ends_in_zero(high: FloatArray) -> bool:
    """Tell whether the rate was above zero first and fell to it in the end."""
    return bool(high[0] > 0 and high[-1] == 0 and (np.diff(high) <= 0).mean() > 0.5)


def _frozen(
    history: History, schedule: DeclaredSchedule, low: FloatArray, high: FloatArray, share: float
) -> str | None:
    """Return where the rate stays the same against its schedule, None where it does not."""
    stream, per_epoch = history.stream, steps_per_epoch(history)
    warmup = schedule.warmup(per_epoch) if per_epoch or schedule.warmup_steps else 0.0
    steps = stream.curve.last_steps()
    same = f"the learning rate has stayed at {spell(float(high[-1]))}"
    if warmup and stream.step >= warmup and _is_same(low, high):
        return f"{same} through a declared warm-up"
    first = int(np.searchsorted(steps, warmup))
    low, high = low[first:], high[first:]
    if schedule.type in ("constant", "reduce_on_plateau") or len(low) < _LEAST_BINS:
        return None
    if schedule.type in ("step", "multistep"):
        due = _steps_until_change(history, schedule, per_epoch)
        after = stream.step - warmup
        is_late = due is not None and after > _LATE * due + 2 * _steps_per_bin(history)
        return f"{same} for {after:.0f} steps" if is_late and _is_same(low, high) else None
    n_same = _same_at_end(low, high)
    has_ended = n_same < len(low) and high[-1] <= _ENDED * high.max()
    long = n_same >= share * len(low) and n_same * stream.curve.bin_rows >= _LEAST_ROWS
    return f"{same} since step {steps[-n_same]}" if long and not has_ended else None


def _steps_until_change(history: History, schedule: DeclaredSchedule, per_epoch: float) -> float | None:
    """Return the steps after the warm-up in which a schedule by steps stays the same."""
    if schedule.change_after is None or not per_epoch:
        return None
    n_epochs = history.facts.n_epochs or 0
    return in_steps(schedule.change_after, steps_per_epoch=per_epoch, n_epochs=n_epochs)


def _steps_per_bin(history: History) -> float:
    return history.stream.curve.bin_rows * steps_per_row(history)


def _astray(history: History, schedule: DeclaredSchedule, rates: FloatArray, deviation: float) -> str | None:
    """Return how far the rate is from its declared course, None where it is near or nothing is declared."""
    per_epoch, n_epochs = steps_per_epoch(history), history.facts.n_epochs
    if not per_epoch or not n_epochs:
        return None
    n_steps, length = per_epoch * n_epochs, _steps_per_bin(history)
    steps = history.stream.curve.last_steps().tolist()
    declared = [
        schedule.relative_rate(
            step - length / 2, steps_per_epoch=per_epoch, n_steps=n_steps, n_epochs=n_epochs
        )
        for step in steps
    ]
    wanted = np.array([np.nan if rate is None else rate for rate in declared])
    peak = history.facts.learning_rate
    if peak is None:
        # The highest rate so far is the peak only after the declared course has had its own.
        peak = float(rates.max()) if np.nan_to_num(wanted).max() > _PEAK_PASSED else None
    if not peak:
        return None
    with np.errstate(invalid="ignore"):
        far = np.abs(rates / peak - wanted) > deviation
    if far.sum() * length < max(_LEAST_ROWS, n_steps / 6):
        return None
    last = int(np.flatnonzero(far)[-1])
    return (
        f"the learning rate is {spell(float(rates[last]))} at step {steps[last]} where "
        f"{spell(peak * float(wanted[last]))} is declared"
    )


def _is_same(low: FloatArray, high: FloatArray) -> bool:
    return bool(high.max() - low.min() <= _SAME * abs(high.max()))


def _same_at_end(low: FloatArray, high: FloatArray) -> int:
    """Return how many of the last bins have one and the same rate."""
    last = high[-1]
    different = (np.abs(low - last) > _SAME * abs(last)) | (np.abs(high - last) > _SAME * abs(last))
    places = np.flatnonzero(different)
    return len(low) - 1 - int(places[-1]) if len(places) else len(low)
