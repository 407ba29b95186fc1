"""Alert on a loss component that is exactly constant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import numpy as np
from annotated_types import Ge

from neuroprism.core.records import Alert, Component, Severity
from neuroprism.monitor.history import History
from neuroprism.monitor.rules.progress import has_had_time, share_of_run
from neuroprism.monitor.rules.registry import rule
from neuroprism.monitor.rules.subjects import loss_columns, name_of, spell

_CONVERGED = 0.25
_BINS_BEFORE = 8
_LONG, _VERY_LONG = 96, 400
_LARGE_SHARE = 0.4


@rule("dead_component", at="block", yields_to=("non_finite", "explosion"))
def dead_component(
    history: History, *, severity: Severity = "warning", least_steps: Annotated[int, Ge(5)] = 24
) -> Iterator[Alert]:
    """Find a component that is exactly zero or constant and had not come near that value before.

    A hinge that is satisfied reaches zero by itself, through ever smaller values:
    that is no fault. A component that is constant from the start may be switched
    on later; unless it declares a baseline it has two fifths of the run for that.
    Components of weight 0 are left alone.

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
        if before == value or (before is None and _may_be_meant(history, component)):
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
            message=(
                f"{name_of(name)} is exactly {spell(value)} in {n_equal} steps up to step {stream.step}"
                f"{came_from}"
            ),
            evidence={"value": value, "n_steps": n_equal, "before": before, "threshold": least_steps},
            advice=(
                f"check the mask and the targets behind {name_of(name)}, that its output is connected and "
                "that no clamp or ReLU holds it; set its key in loss.weights to 0 if it is meant to be off"
            ),
        )


def _level_before(history: History, column: int, n_equal: int) -> float | None:
    """Return the level before the equal values: the same value if it was reached step by step.

    None where the equal values began with the run.
    """
    stream = history.stream
    # A component that is not computed in every row has fewer values than there are rows.
    n_known = float(stream.curve.counts(complete=False)[:, column].sum())
    if n_equal >= n_known - 1:
        return None
    means = stream.curve.means(complete=False)[:, column]
    last = int((1 - n_equal / n_known) * stream.n_rows) // stream.curve.bin_rows
    lows = stream.curve.lows(complete=False)[: max(last, 1), column]
    known = np.isfinite(lows)
    if not known.any():
        return None
    # A hinge on its way to zero touches it, or nearly, before it stays there; a lost mask comes unannounced.
    value = float(stream.recent.latest[-1, column])
    level = float(means[: max(last, 1)][known][-_BINS_BEFORE:].mean())
    nearest = float(np.abs(lows[known][-_BINS_BEFORE:] - value).min())
    near = _CONVERGED * abs(level) if value == 0 else 0.0
    return value if nearest <= near else level


def _may_be_meant(history: History, component: Component) -> bool:
    """Tell whether a component that is constant from the start may have been so by design until now."""
    if component.baseline is not None and component.baseline > 0:
        return False
    long = _LONG if share_of_run(history) is not None else _VERY_LONG
    return not has_had_time(history, least_steps=long, least_share=_LARGE_SHARE)
