"""From rows of a log to the steps of a run: one row a step, in order."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from neuroprism.core.records import TOTAL, Component, step_series, weight_series
from neuroprism.monitor.history import STEP_SECONDS
from neuroprism.monitor.window import FloatArray, IntArray, StepWindow
from neuroprism.runs.traces.series_names import TOTAL_LOSS
from neuroprism.runs.traces.table import BoolArray, Column, Table

_LARGEST = 2.0**53


def in_order(table: Table, notes: list[str]) -> tuple[Table, IntArray]:
    """Return one row a step with strictly rising steps.

    Rows of one step that follow each other become one. Where the steps go back,
    the run was resumed, and what is repeated replaces what was there before;
    where they go back in a new epoch, steps are counted through.

    Parameters
    ----------
    table
        Rows with series named as here.
    notes
        Gets a line about everything that was changed.
    """
    step = whole_numbers(table, "step")
    if step is None:
        if "step" in table:
            notes.append("the steps are not whole numbers: rows are counted instead")
        return table, np.arange(1, table.n_rows + 1)
    table, step = merged(table, step)
    back = np.flatnonzero(np.diff(step) <= 0)
    if not len(back):
        return table, step
    epoch = whole_numbers(table, "epoch")
    if epoch is not None and (epoch[back + 1] > epoch[back]).all():
        notes.append("the steps begin again in every epoch: they are counted through")
        return table, np.arange(1, len(step) + 1)
    later = np.minimum.accumulate(step[::-1])[::-1]
    keep = np.append(step[:-1] < later[1:], True)
    notes.append(
        f"the steps go back {_times(len(back))}: {int((~keep).sum())} repeated rows were left out, "
        "the last of each step counts"
    )
    return table.take(keep), step[keep]


def _times(n: int) -> str:
    return "once" if n == 1 else f"{n} times"


def whole_numbers(table: Table, name: str) -> IntArray | None:
    """Return a column as whole numbers, None where it is absent or has others."""
    if name not in table:
        return None
    column = table[name]
    values = column.values
    if not column.given.all() or not np.isfinite(values).all() or (np.abs(values) >= _LARGEST).any():
        return None
    whole = values.astype(np.int64)
    return whole if (whole == values).all() else None


def merged(table: Table, key: IntArray) -> tuple[Table, IntArray]:
    """Return rows of equal key that follow each other as one, with the last value of each column."""
    if not len(key):
        return table, key
    starts = np.flatnonzero(np.diff(key, prepend=key[0] - 1))
    if len(starts) == len(key):
        return table, key
    columns: dict[str, Column] = {}
    for name, column in table.columns.items():
        place = np.where(column.given, np.arange(table.n_rows), -1)
        last = np.maximum.reduceat(place, starts)
        kept = column[np.maximum(last, 0)]
        given = last >= 0
        columns[name] = Column(values=np.where(given, kept.values, np.nan), given=given, null=kept.null)
    return Table(n_rows=len(starts), columns=columns), key[starts]


def step_window(
    table: Table, step: IntArray, epoch: IntArray, components: tuple[Component, ...]
) -> StepWindow:
    """Return rows, in order, as one window.

    Parameters
    ----------
    table
        With the series ``loss/...``, ``weight/...``, ``metric/...``, ``lr``, ``grad_norm``,
        ``step_seconds``, ``skipped``.
    step, epoch
        (n,) of the rows.
    components
        Of the loss.
    """
    n = table.n_rows
    absent = Column(values=np.full(n, np.nan), given=np.zeros(n, dtype=np.bool_))
    losses = [_loss(table, component, components, absent) for component in components]
    values = np.stack([column.values for column in losses], axis=1)
    computed = np.stack([column.given for column in losses], axis=1)
    norm = table.columns.get("grad_norm", absent)
    skipped = table.columns.get("skipped", absent)
    metrics = {
        name.removeprefix("metric/"): column
        for name, column in table.columns.items()
        if name.startswith("metric/")
    }
    if STEP_SECONDS in table:
        metrics[STEP_SECONDS] = table[STEP_SECONDS]
    return StepWindow(
        components=components,
        step=step,
        epoch=epoch,
        losses=np.where(computed, values, np.nan),
        counts=computed.astype(np.float64),
        total=_total(table.columns, values, computed, _weights_now(table, components)),
        weights=_weights(table, components),
        lr=table.columns.get("lr", absent).values,
        grad_norm=norm.values,
        grad_norm_given=norm.given,
        n_samples=np.ones(n),
        skipped=skipped.given & (skipped.values == 1),
        metrics={name: column.values for name, column in metrics.items()},
        metrics_given={name: column.given for name, column in metrics.items()},
    )


def _loss(table: Table, component: Component, components: tuple[Component, ...], absent: Column) -> Column:
    name = step_series(component.name)
    if name not in table and len(components) == 1:
        name = TOTAL_LOSS
    return table.columns.get(name, absent)


def _weights(table: Table, components: tuple[Component, ...]) -> FloatArray | None:
    """Return the (n, K) weights of every step, None where they do not change."""
    names = [weight_series(component.name) for component in components]
    if not any(name in table for name in names):
        return None
    weights = np.tile([component.weight for component in components], (table.n_rows, 1))
    for k, name in enumerate(names):
        if name in table:
            weights[:, k] = np.where(table[name].given, table[name].values, weights[:, k])
    return weights


def _weights_now(table: Table, components: tuple[Component, ...]) -> FloatArray:
    weights = _weights(table, components)
    return np.array([component.weight for component in components]) if weights is None else weights


def _total(
    columns: Mapping[str, Column], values: FloatArray, computed: BoolArray, weights: FloatArray
) -> FloatArray:
    """Return the total as logged, and the weighted sum of the components where it is not."""
    total = weighted_sum(values, computed, weights)
    logged = columns.get(step_series(TOTAL))
    return total if logged is None else np.where(logged.given, logged.values, total)


def weighted_sum(values: FloatArray, computed: BoolArray, weights: FloatArray) -> FloatArray:
    """Return (n,) the sum of weight x component over what was computed, NaN where nothing was."""
    with np.errstate(invalid="ignore", over="ignore"):
        parts = np.where(computed, weights * values, 0.0)
        # Added in order, as everywhere: numpy's sum would group them.
        total: FloatArray = np.add.accumulate(parts, axis=1)[:, -1]
    return np.where(computed.any(axis=1), total, np.nan)
