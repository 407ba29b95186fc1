"""Alert on training in which nothing improves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import numpy as np
from annotated_types import Ge

from neuroprism.core.records import TOTAL, Alert, Severity
from neuroprism.monitor.history import LR, Course, History
from neuroprism.monitor.rules.progress import (
    has_had_time,
    has_improved,
    is_flat,
    largest_gain,
    latest_validation,
    noise_of,
    still_falls,
)
from neuroprism.monitor.rules.registry import rule
from neuroprism.monitor.rules.remedies import raise_rate
from neuroprism.monitor.rules.subjects import loss_columns, only_component, spell, total_column

_NEAR_BASELINE = 0.9
_NOISES, _SMALLEST_FALL = 3.0, 0.002
_AT_BASELINE = 0.97
_LEARNT_BY_HEART = 0.25
_N_VALIDATIONS = 3
_LONG, _LARGE_SHARE = 96, 0.4


@rule(
    "stall", at="course", confirm=2, yields_to=("non_finite", "explosion", "vanishing_gradient", "lr_frozen")
)
def stall(
    history: History,
    *,
    severity: Severity = "warning",
    least_gain: Annotated[float, Ge(0)] = 0.05,
    clear_gain: Annotated[float, Ge(0)] = 0.1,
    least_steps: Annotated[int, Ge(8)] = 192,
    least_share: Annotated[float, Ge(0)] = 0.35,
) -> Iterator[Alert]:
    """Find that nothing improves from the start: no component nor the total, in training or validation.

    A plateau after an improvement is no stall. Where all components declare
    baselines and are validated, never getting below them is one, whatever the
    training loss does. Blind to a run that begins at the best loss that it can
    have, unless baselines tell.

    Parameters
    ----------
    severity
        Of the alert.
    least_gain
        Gain in units of the start's size below which it counts as none.
    clear_gain
        Gain in units of the start's size that counts even where noise may only hide it.
    least_steps
        Steps at full learning rate before anything is said.
    least_share
        Share of the planned run before anything is said: some networks learn late.
    """
    course, stream = history.stream.course, history.stream
    if course is None or not has_had_time(history, least_steps=least_steps, least_share=least_share):
        return
    columns = [*(column for _, column in loss_columns(history)), total_column(history)]
    known = [column for column in columns if not np.isnan(course.now[column])]
    if not known:
        return
    at_baselines = _stays_at_baselines(history)
    if not at_baselines:
        if any(_moves(course, column, least_gain, clear_gain) for column in known):
            return
        if _is_good(history) or _validation_improves(history, least_gain):
            return
    total = total_column(history)
    what = "no validation loss has come below its baseline" if at_baselines else "nothing has improved"
    rate = float(course.now[stream.index(LR)])
    yield Alert(
        rule="stall",
        kind="stall",
        severity=severity,
        component=only_component(history) or TOTAL,
        step=stream.step,
        epoch=stream.epoch,
        message=(
            f"{what} in {stream.n_rows} steps: the total loss is {spell(float(course.now[total]))} and "
            f"began at {spell(float(course.start[total]))}"
        ),
        evidence={
            "total": float(course.now[total]),
            "total_at_start": float(course.start[total]),
            "noise": float(course.noise[total]),
            "lr": rate,
            "n_steps": stream.n_rows,
        },
        advice=(
            "check that the optimizer has the parameters and that gradients reach them; "
            f"{raise_rate(history, by=10)}; try --overfit_batch: a network that cannot learn one batch has "
            "a fault"
        ),
    )


def _moves(course: Course, column: int, least_gain: float, clear_gain: float) -> bool:
    """Tell whether a series has fallen, or may have as far as noise lets it be seen."""
    size = abs(float(course.start[column]))
    if not is_flat(course, column, least_gain=clear_gain) or float(course.gain[column]) > clear_gain * size:
        return True
    may_hide = largest_gain(course, column) > 3 * clear_gain * size
    return may_hide or has_improved(course, column, least_gain=least_gain) or still_falls(course, column)


def _stays_at_baselines(history: History) -> bool:
    """Tell whether no component has ever been validated below its baseline, nor is learnt by heart."""
    course, n = history.stream.course, len(history.all_epochs)
    if course is None or course.rows_at_full_rate < _LONG:
        return False
    if not has_had_time(history, least_steps=_LONG, least_share=_LARGE_SHARE):
        return False
    for k, component in enumerate(history.components):
        values = latest_validation(history, component.name, n=n)
        if component.baseline is None or component.baseline <= 0 or len(values) < _N_VALIDATIONS:
            return False
        limit = _AT_BASELINE * component.baseline
        approaches = values[-1] < values[0] - (1 - _AT_BASELINE) * component.baseline
        if not min(values) >= limit or approaches or course.relative_gain[k] > _LEARNT_BY_HEART:
            return False
    return True


def _is_good(history: History) -> bool:
    """Tell whether all components that declare a baseline are well below it."""
    course = history.stream.course
    assert course is not None
    declared = [
        min([float(course.now[k]), *latest_validation(history, component.name)])
        < _NEAR_BASELINE * component.baseline
        for k, component in enumerate(history.components)
        if component.baseline is not None and component.baseline > 0
    ]
    return bool(declared) and all(declared)


def _validation_improves(history: History, least_gain: float) -> bool:
    """Tell whether validation has come down by something, or still comes down beyond its noise."""
    values = np.array(latest_validation(history, TOTAL, n=len(history.all_epochs)))
    if len(values) < 2 or not np.isfinite(values).all():
        return False
    if values[0] - values[1:].min() > least_gain * abs(values[0]):
        return True
    late = values[len(values) // 2 :]
    noise = noise_of(values)
    fell = float(late[0] - late[-1])
    return len(late) > 2 and fell > max(_NOISES * noise, _SMALLEST_FALL * abs(float(late[0])))
