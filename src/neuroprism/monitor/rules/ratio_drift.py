"""Alert on a component that deteriorates while the others improve."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt

from neuroprism.core.records import Alert, Severity
from neuroprism.monitor.history import History
from neuroprism.monitor.rules.progress import has_had_time, noise_of_level
from neuroprism.monitor.rules.registry import rule
from neuroprism.monitor.rules.remedies import weight
from neuroprism.monitor.rules.subjects import loss_columns, name_of, spell


@rule(
    "ratio_drift",
    at="course",
    needs=("several_components",),
    confirm=2,
    yields_to=("non_finite", "explosion", "stall", "oscillation", "vanishing_gradient"),
)
def ratio_drift(
    history: History,
    *,
    severity: Severity = "warning",
    drift: Annotated[float, Gt(1)] = 1.5,
    learnt: Annotated[float, Ge(0)] = 0.3,
    share: Annotated[float, Ge(0)] = 0.1,
    least_steps: Annotated[int, Ge(8)] = 96,
) -> Iterator[Alert]:
    """Find a component that had been learnt and rises steadily, so that its ratio to the others drifts.

    A ratio that drifts because one component is learnt faster than another is
    how training goes, and no fault; nor is one that rises from the start, as a
    divergence that is traded against a reconstruction. Components that do not
    stay above zero are compared by differences.

    Parameters
    ----------
    severity
        Of the alert.
    drift
        Factor by which the component lies above its lowest level.
    learnt
        Gain in units of the start's size that it must have had at its best.
    share
        Share of the weighted total that the component must have now.
    least_steps
        Steps at full learning rate before anything is said.
    """
    course, stream = history.stream.course, history.stream
    if course is None or not has_had_time(history, least_steps=least_steps) or len(history.components) < 2:
        return
    parts = {
        name: abs(component.weight * float(course.now[column]))
        for (name, column), component in zip(loss_columns(history), history.components, strict=True)
    }
    whole = sum(part for part in parts.values() if not np.isnan(part))
    for (name, column), component in zip(loss_columns(history), history.components, strict=True):
        now, best, start = float(course.now[column]), float(course.best[column]), float(course.start[column])
        if component.weight == 0 or np.isnan(now) or not whole > 0:
            continue
        size = abs(best) if best > 0 else max(abs(best), abs(start - best))
        if now - best <= max((drift - 1) * size, 6 * noise_of_level(course, column)):
            continue
        if not start - best > learnt * abs(start):
            continue
        if parts[name] < share * whole or not course.is_rising[column]:
            continue
        yield Alert(
            rule="ratio_drift",
            kind="ratio_drift",
            severity=severity,
            component=name,
            step=stream.step,
            epoch=stream.epoch,
            message=(
                f"{name_of(name)} rises: {spell(now)} after {spell(best)} at best, now "
                f"{parts[name] / whole:.0%} of the total, while the others do not"
            ),
            evidence={
                "now": now,
                "best": best,
                "start": start,
                "share": parts[name] / whole,
                "threshold": drift,
            },
            advice=(
                f"{weight(history, name, by=2)}, or set loss.balancing; look whether the gradients of the "
                "other components oppose it"
            ),
        )
