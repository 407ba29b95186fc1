"""Alert on a loss component that is exactly constant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import numpy as np
from annotated_types import Ge

from neuroprism.core.records import Alert, Severity
from neuroprism.monitor.history import History
from neuroprism.monitor.rules.registry import rule
from neuroprism.monitor.rules.subjects import loss_columns, name_of, spell

_CONVERGED = 0.15
_BINS_BEFORE = 8


@rule("dead_component", at="block", yields_to=("non_finite", "explosion"))
def dead_component(
    history: History, *, severity: Severity = "warning", least_steps: Annotated[int, Ge(5)] = 24
) -> Iterator[Alert]:
    """A component that is exactly zero or exactly constant, where it had not come near that value before.

    A hinge that is satisfied reaches zero by itself, through ever smaller values:
    that is no fault. Components of weight 0 are left alone.

    Parameters
    ----------
    severity
        Of the alert.
    least_steps
        Equal values in a row.
    """
    stream = history.stream
    for (name, column), component in zip(loss_columns(history), history.components, strict=True):
        n_equal = int(stream.recent.equal_run[column])
        if component.weight == 0 or n_equal < least_steps or not stream.has(name):
            continue
        value = float(stream.recent.latest[-1, column])
        before = _level_before(history, column, n_equal)
        if before is not None and _came_near(value, before, float(np.nanmedian(stream.first[:3, column]))):
            continue
        since = stream.step - n_equal + 1
        came_from = "" if before is None else f"; it was {spell(before)} before"
        yield Alert(
            rule="dead_component",
            kind="dead_component",
            severity=severity,
            component=name,
            step=since,
            epoch=stream.epoch,
            message=f"{name_of(name)} is exactly {spell(value)} in {n_equal} steps up to step {stream.step}{came_from}",
            evidence={"value": value, "n_steps": n_equal, "before": before, "threshold": least_steps},
            advice=(
                f"check the mask and the targets behind {name_of(name)}, that its output is connected and "
                "that no clamp or ReLU holds it; set its key in loss.weights to 0 if it is meant to be off"
            ),
        )


def _level_before(history: History, column: int, n_equal: int) -> float | None:
    """Return the level just before the equal values, None where they began with the run."""
    stream = history.stream
    if n_equal >= stream.n_rows - 1:
        return None
    means = stream.curve.means(complete=False)[:, column]
    last = (stream.n_rows - n_equal) // stream.curve.bin_rows
    lows = stream.curve.lows(complete=False)[: max(last, 1), column]
    known = np.isfinite(lows)
    if not known.any():
        return None
    # A hinge on its way to zero touches it before it stays there; a mask that is lost comes without notice.
    value = float(stream.recent.latest[-1, column])
    if np.abs(lows[known][-_BINS_BEFORE:] - value).min() <= _CONVERGED * abs(float(lows[known].max()) - value):
        return value
    return float(means[: max(last, 1)][known][-1])


def _came_near(value: float, before: float, start: float) -> bool:
    """Tell whether the series had gone most of the way to its constant value before."""
    way = abs(start - value)
    return way > 0 and abs(before - value) <= _CONVERGED * way
