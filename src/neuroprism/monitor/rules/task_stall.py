"""Alert on one component that does not improve while others do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt

from neuroprism.core.records import Alert, Component, Severity
from neuroprism.monitor.history import Course, History
from neuroprism.monitor.rules.progress import (
    has_had_time,
    has_improved,
    is_flat,
    is_without_noise,
    largest_gain,
    latest_validation,
    noise_of_level,
    still_falls,
)
from neuroprism.monitor.rules.registry import rule
from neuroprism.monitor.rules.remedies import weight
from neuroprism.monitor.rules.subjects import loss_columns, name_of, spell, total_column

_N_VALIDATIONS = 3
_RISEN = 0.3
_SMALLEST_SHARE = 0.01
_SLOW_GAIN, _FLAT = 0.05, 0.1
_LEAST_PART = 0.05
_LEARNT_BY_HEART = 0.25


@rule(
    "task_stall",
    at=("course", "epoch"),
    needs=("several_components",),
    confirm=2,
    yields_to=("explosion", "stall", "vanishing_gradient", "dead_component", "oscillation"),
)
def task_stall(
    history: History,
    *,
    severity: Severity = "warning",
    least_gain: Annotated[float, Ge(0)] = 0.2,
    gain_of_others: Annotated[float, Gt(0)] = 0.25,
    near_baseline: Annotated[float, Gt(0)] = 0.97,
    least_steps: Annotated[int, Ge(8)] = 96,
    late_share: Annotated[float, Ge(0)] = 0.6,
) -> Iterator[Alert]:
    """Find a component that does not improve while another one does.

    Where a component declares its baseline, staying at it counts as no
    improvement however far it fell before; validation is looked at first. A
    penalty that moves smoothly with the weights is no task. Blind to a task that
    is learnt by heart, unless it is validated and has a baseline.

    Parameters
    ----------
    severity
        Of the alert.
    least_gain
        Gain in units of the start's size below which it counts as none.
    gain_of_others
        Gain that at least one other component must have.
    near_baseline
        Share of its baseline that a component must get below to count as learnt.
    least_steps
        Steps at full learning rate before anything is said; of a component without baseline
        three times as many.
    late_share
        Share of the planned run before anything is said of a component without baseline.
    """
    course, stream = history.stream.course, history.stream
    if course is None or not has_had_time(history, least_steps=least_steps):
        return
    gains = {name: float(course.relative_gain[column]) for name, column in loss_columns(history)}
    parts = {
        name: abs(component.weight * float(course.start[column]))
        for (name, column), component in zip(loss_columns(history), history.components, strict=True)
    }
    least_part = _LEAST_PART * sum(part for part in parts.values() if not np.isnan(part))
    for (name, column), component in zip(loss_columns(history), history.components, strict=True):
        # A small penalty that falls says nothing about the tasks.
        others = [
            gain
            for other, gain in gains.items()
            if other != name and not np.isnan(gain) and parts[other] >= least_part
        ]
        if component.weight == 0 or not others or max(others) < gain_of_others:
            continue
        if component.baseline is None and not has_had_time(
            history, least_steps=3 * least_steps, least_share=late_share
        ):
            continue
        evidence = _stalled(history, course, component, column, least_gain, near_baseline)
        if evidence is None or is_without_noise(course, column):
            continue
        yield Alert(
            rule="task_stall",
            kind="task_stall",
            severity=severity,
            component=name,
            step=stream.step,
            epoch=stream.epoch,
            message=(
                f"{name_of(name)} does not improve: {spell(float(course.now[column]))} now, "
                f"{spell(float(course.start[column]))} at the start"
                + (f", baseline {spell(component.baseline)}" if component.baseline is not None else "")
                + f", while another component has fallen by {max(others):.0%}"
            ),
            evidence={**evidence, "relative_gains": gains, "n_steps": stream.n_rows},
            advice=(
                f"check the targets and the masks of {name_of(name)} and that its head gets a gradient; "
                f"{weight(history, name, by=3)}"
            ),
        )


def _stalled(
    history: History,
    course: Course,
    component: Component,
    column: int,
    least_gain: float,
    near_baseline: float,
) -> dict[str, float] | None:
    """Return what shows that a component has not improved, None where it has or nothing can be said."""
    now, start = float(course.now[column]), float(course.start[column])
    if np.isnan(now) or np.isnan(start) or now == 0 or start == 0:
        return None
    baseline = component.baseline
    if baseline is not None and baseline > 0:
        return _beside_baseline(history, course, component, column, near_baseline)
    if has_improved(course, column, least_gain=least_gain) or still_falls(course, column):
        return None
    falls_slowly = bool(course.has_fallen[column]) and start - now > _SLOW_GAIN * abs(start)
    if falls_slowly or not is_flat(course, column, least_gain=_FLAT):
        return None
    if largest_gain(course, column) > 2 * least_gain * abs(start) or _validation_improves(
        history, component.name
    ):
        return None
    if abs(component.weight * now) < _SMALLEST_SHARE * abs(float(course.now[total_column(history)])):
        return None
    if now - start > max(_RISEN * abs(start), 4.0 * noise_of_level(course, column)):
        # What rises is another matter: a divergence that is traded against a reconstruction, a penalty.
        return None
    return {"now": now, "start": start, "noise": float(course.noise[column])}


def _validation_improves(history: History, name: str) -> bool:
    values = latest_validation(history, name, n=len(history.all_epochs))
    return len(values) >= _N_VALIDATIONS and values[0] - min(values[1:]) > _SLOW_GAIN * abs(values[0])


def _beside_baseline(
    history: History, course: Course, component: Component, column: int, near_baseline: float
) -> dict[str, float] | None:
    baseline = component.baseline
    assert baseline is not None
    values = latest_validation(history, component.name, n=_N_VALIDATIONS)
    limit = near_baseline * baseline
    if len(values) == _N_VALIDATIONS:
        if not min(values) >= limit or values[-1] < values[0] - 0.02 * baseline:
            return None
        if float(course.relative_gain[column]) > _LEARNT_BY_HEART and float(course.now[column]) < limit:
            return None
        return {"val": values[-1], "baseline": baseline, "threshold": limit}
    now = float(course.now[column])
    if now < limit or still_falls(course, column):
        return None
    return {"now": now, "baseline": baseline, "threshold": limit}
