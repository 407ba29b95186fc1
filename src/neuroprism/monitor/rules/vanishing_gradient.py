"""Alert on gradients too small to learn from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt

from neuroprism.core.records import TOTAL, Alert, Severity
from neuroprism.monitor.history import GRAD_NORM, History
from neuroprism.monitor.rules.progress import has_had_time, has_improved, has_lost, still_falls
from neuroprism.monitor.rules.registry import rule
from neuroprism.monitor.rules.subjects import only_component, spell, total_column

_LEAST_PART = 0.1


@rule("vanishing_gradient", at="course", confirm=2, needs=("grad_norm",), yields_to=("explosion",))
def vanishing_gradient(
    history: History,
    *,
    severity: Severity = "warning",
    relative_norm: Annotated[float, Gt(0)] = 1e-3,
    collapse: Annotated[float, Gt(0)] = 0.05,
    least_gain: Annotated[float, Ge(0)] = 0.05,
    least_steps: Annotated[int, Ge(8)] = 48,
) -> Iterator[Alert]:
    """Find a gradient too small to learn from while the loss has gained nothing, or lost it.

    Too small is: beside the loss, or beside the gradient of the first steps.

    Sees the norm over all parameters: a network whose first layers get no
    gradient while the last ones do may only show as a stall.

    Parameters
    ----------
    severity
        Of the alert.
    relative_norm
        Norm in units of the loss below which it counts as tiny.
    collapse
        Norm in units of the first steps' below which it counts as collapsed.
    least_gain
        Gain of the loss, in units of its start, above which the norm does not matter.
    least_steps
        Steps at full learning rate before anything is said.
    """
    course, stream = history.stream.course, history.stream
    if course is None or not has_had_time(history, least_steps=least_steps):
        return
    total, norm = total_column(history), stream.index(GRAD_NORM)
    first = stream.first[:, norm]
    known = first[np.isfinite(first)]
    now = float(course.now[norm])
    if not len(known) or np.isnan(now):
        return
    before = float(np.median(known))
    loss = abs(float(course.now[total]))
    if not (now < relative_norm * loss or now < collapse * before):
        return
    if still_falls(course, total):
        return
    weights = [component.weight for component in history.components]
    parts = np.abs(course.start[: total + 1] * [*weights, 1.0])
    matter = [column for column in range(total + 1) if parts[column] >= _LEAST_PART * parts[total]]
    lost = any(has_lost(course, column, part=0.25) for column in matter)
    if has_improved(course, total, least_gain=least_gain) and not lost:
        return
    yield Alert(
        rule="vanishing_gradient",
        kind="vanishing_gradient",
        severity=severity,
        component=only_component(history) or TOTAL,
        step=stream.step,
        epoch=stream.epoch,
        message=(
            f"the gradient norm is {spell(now)} (first steps: {spell(before)}) while the total loss stays at "
            f"{spell(float(course.now[total]))} of {spell(float(course.start[total]))} at the start"
        ),
        evidence={
            "grad_norm": now,
            "grad_norm_at_start": before,
            "total": float(course.now[total]),
            "total_at_start": float(course.start[total]),
            "thresholds": {"relative_norm": relative_norm, "collapse": collapse},
        },
        advice=(
            "look for saturated activations and dead units: use normalisation or residual connections and "
            "a smaller initialisation; check hardware.mixed_precision (half precision underflows)"
        ),
    )
