"""Alert on training that runs away."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator
from typing import Annotated

import numpy as np
from annotated_types import Gt

from neuroprism.core.records import TOTAL, Alert, Severity
from neuroprism.monitor.history import GRAD_NORM, History
from neuroprism.monitor.rules.registry import rule
from neuroprism.monitor.rules.remedies import clip_gradients, full_precision, lower_rate
from neuroprism.monitor.rules.subjects import loss_columns, name_of, only_component, spell, total_column

_LARGEST_SHARE = 0.7
_LOST = 0.7
_FALLS_BACK = 0.6
_N_LATEST = 8


@rule("explosion", at="block", quiet=4)
def explosion(
    history: History,
    *,
    severity: Severity = "critical",
    growth: Annotated[float, Gt(0)] = 1.5,
    gradient_growth: Annotated[float, Gt(1)] = 100.0,
) -> Iterator[Alert]:
    """Find a training loss that runs away, or a gradient that does while the loss is lost.

    Judged on the lower quartile of the last eight steps, so that noise and single
    bad batches do not count; a loss that is falling back is given time. Blind to a divergence
    that ends below the loss of the beginning.

    Parameters
    ----------
    severity
        Of the alert.
    growth
        Rise of the total above its start, in units of the larger of the start's size and
        what was gained since.
    gradient_growth
        Growth of the median gradient norm that counts while the loss has lost what it had gained.
    """
    stream = history.stream
    if stream.n_rows < 2 * _N_LATEST:
        return
    column = total_column(history)
    start, best = _levels(history, column)
    latest = stream.recent.latest[:, column].tolist()
    # Most of the last rows must be high, so that noise alone does not count.
    level = sorted(latest)[_N_LATEST // 4] if all(map(math.isfinite, latest)) else math.nan
    limit = start + growth * max(abs(start), start - best)
    early = _median([value for value in stream.first[:, column].tolist() if math.isfinite(value)] or [start])
    if level > limit and level > early + growth * abs(early):
        falls_back = _median(latest[-3:]) - best < _FALLS_BACK * (_median(latest[:3]) - best)
        if not falls_back:
            yield _of_the_loss(history, severity, level=level, start=start, best=best, limit=limit)
        return
    norm = stream.index(GRAD_NORM)
    first_norm, _ = _levels(history, norm)
    if not first_norm > 0 or not stream.recent.latest[-1, norm] > first_norm:
        return
    latest_norm = _median(stream.recent.latest[:, norm].tolist())
    lost = start - best > 0 and level > best + _LOST * (start - best)
    if latest_norm > gradient_growth * first_norm and (lost or level > start):
        yield Alert(
            rule="explosion",
            kind="explosion",
            severity=severity,
            component=only_component(history) or TOTAL,
            step=stream.step,
            epoch=stream.epoch,
            message=(
                f"the gradient norm grew from {spell(first_norm)} to {spell(latest_norm)} by step "
                f"{stream.step}, and the total loss is back at {spell(level)} of {spell(start)}"
            ),
            evidence={"grad_norm": latest_norm, "grad_norm_at_start": first_norm, "total": level},
            advice=_advice(history),
        )


def _median(values: list[float]) -> float:
    """Return the median of a few values, many times faster than numpy's; NaN where there is one."""
    return math.nan if any(value != value for value in values) else statistics.median(values)


def _levels(history: History, column: int) -> tuple[float, float]:
    """Return the level of a series at its start and its lowest so far."""
    stream = history.stream
    known = [value for value in stream.first[:3, column].tolist() if np.isfinite(value)]
    if not known:
        return np.nan, np.nan
    start = min(known[0], sorted(known)[len(known) // 2])
    lowest = float(stream.lowest[column])
    return start, min(start, lowest) if np.isfinite(lowest) else start


def _of_the_loss(
    history: History, severity: Severity, *, level: float, start: float, best: float, limit: float
) -> Alert:
    stream = history.stream
    component, rises = _component_at_fault(history)
    return Alert(
        rule="explosion",
        kind="explosion",
        severity=severity,
        component=component,
        step=stream.step,
        epoch=stream.epoch,
        message=(
            f"the total loss is {spell(level)} at step {stream.step}; it began at {spell(start)} and was "
            f"{spell(best)} at best"
            + (
                f"; {name_of(component)} makes up most of the rise"
                if len(rises) > 1 and component != TOTAL
                else ""
            )
        ),
        evidence={"total": level, "start": start, "best": best, "threshold": limit, "weighted_rises": rises},
        advice=_advice(history),
    )


def _component_at_fault(history: History) -> tuple[str, dict[str, float]]:
    """Return the component that makes up most of the rise, or the total, and the weighted rise of each."""
    latest = history.stream.recent.latest
    rises = {}
    for (name, column), component in zip(loss_columns(history), history.components, strict=True):
        best = _levels(history, column)[1]
        known = [value for value in latest[:, column].tolist() if math.isfinite(value)]
        rise = component.weight * (_median(known or [math.nan]) - best)
        rises[name] = rise if math.isfinite(rise) else 0.0
    if len(rises) == 1:
        return next(iter(rises)), rises
    name = max(rises, key=lambda name: rises[name])
    total = sum(max(rise, 0.0) for rise in rises.values())
    return (name if rises[name] >= _LARGEST_SHARE * total else TOTAL), rises


def _advice(history: History) -> str:
    return "; ".join(
        [
            lower_rate(history, by=10),
            clip_gradients(history),
            "add training.scheduler.warmup_epochs",
            *full_precision(history),
        ]
    )
