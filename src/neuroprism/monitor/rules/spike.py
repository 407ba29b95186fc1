"""Alert on short rises of a loss far beyond what its own tail makes probable."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt

from neuroprism.core.records import Alert, Severity
from neuroprism.monitor.history import Excursion, History
from neuroprism.monitor.history.recent import HIGHER_THAN_EVER, is_early
from neuroprism.monitor.rules.registry import rule
from neuroprism.monitor.rules.remedies import clip_gradients, larger_batches
from neuroprism.monitor.rules.subjects import loss_columns, name_of, spell

_ROWS_AFTER_A_RISE = 32


@rule("spike", at="block", quiet=8, yields_to=("non_finite", "explosion", "oscillation"))
def spike(
    history: History,
    *,
    severity: Severity = "warning",
    deviations: Annotated[float, Gt(0)] = 8.0,
    tail_factor: Annotated[float, Gt(0)] = 1.0,
    least_rise: Annotated[float, Ge(0)] = 0.5,
    relative_rise: Annotated[float, Ge(0)] = 0.5,
) -> Iterator[Alert]:
    """Find short rises of a loss component far above all values before, as a bad batch makes them.

    In the first 96 steps a rise may be how the data are, and is told as information
    only. Blind in the first 24, after a restart of the learning rate, and to batches
    that are bad without a high loss.

    Parameters
    ----------
    severity
        Of the alert.
    deviations
        Least height over the median of the last 64 steps, in robust standard deviations.
    tail_factor
        Least height in units of the one that the tail of the component's own values
        makes improbable (1 in 10,000 steps).
    least_rise
        Least height in units of how far the component has come down since the start.
    relative_rise
        Least height in units of the median of the steps before.
    """
    stream = history.stream
    losses = dict(loss_columns(history))
    names = {column: name for name, column in losses.items()}
    high = [
        excursion
        for excursion in stream.excursions
        if excursion.series in names
        and excursion.score >= max(deviations, tail_factor * excursion.limit)
        and excursion.value - excursion.center >= least_rise * _descent(history, excursion)
        and excursion.value - excursion.center >= relative_rise * abs(excursion.center)
        and excursion.value - excursion.center >= HIGHER_THAN_EVER * excursion.tallest
        and not 0 <= excursion.row - stream.rate_rose_row < _ROWS_AFTER_A_RISE
    ]
    for excursion in _leading(history, high, names):
        name = names[excursion.series]
        times = f"{excursion.score:.0f} robust standard deviations above the median of the steps before"
        yield Alert(
            rule="spike",
            kind="spike",
            severity="info" if is_early(excursion) else severity,
            component=name,
            step=excursion.step,
            epoch=excursion.epoch,
            message=(
                f"{name_of(name)} rose to {spell(excursion.value)} at step {excursion.step}, {times} "
                f"({spell(excursion.center)})"
            ),
            evidence={
                "value": excursion.value,
                "median": excursion.center,
                "robust_sd": excursion.scale,
                "threshold": excursion.center + max(deviations, excursion.limit) * excursion.scale,
                "n_steps": excursion.n_rows,
            },
            advice=_advice(history),
        )


def _descent(history: History, excursion: Excursion) -> float:
    """Return how far the series has come down since its first values."""
    first = history.stream.first[:, excursion.series]
    known = first[np.isfinite(first)]
    return max(0.0, float(np.median(known)) - excursion.center) if len(known) else 0.0


def _leading(history: History, high: list[Excursion], names: dict[int, str]) -> list[Excursion]:
    """Return the excursions that are no mere share of a higher one at the same step."""
    weights = {c.name: abs(c.weight) for c in history.components}

    def height(excursion: Excursion) -> float:
        return weights.get(names[excursion.series], 1.0) * (excursion.value - excursion.center)

    leading = []
    for excursion in high:
        beside = [other for other in high if abs(other.row - excursion.row) <= 1]
        if height(excursion) >= 0.2 * max(height(other) for other in beside):
            leading.append(excursion)
    return leading


def _advice(history: History) -> str:
    return f"look at the samples of that step; {clip_gradients(history)}; {larger_batches(history)}"
