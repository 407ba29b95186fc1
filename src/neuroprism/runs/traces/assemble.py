"""From the tables of a log to the trace of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from neuroprism.core.errors import DataError
from neuroprism.core.records import TOTAL, Component, EpochRecord, Gradients
from neuroprism.monitor.window import FloatArray, IntArray, StepWindow
from neuroprism.runs.traces.declared import Declared
from neuroprism.runs.traces.epoch_rows import TRAINING, VALIDATION, epoch_records
from neuroprism.runs.traces.series_names import TOTAL_LOSS, as_loss
from neuroprism.runs.traces.step_rows import in_order, step_window, weighted_sum, whole_numbers
from neuroprism.runs.traces.table import BoolArray, Column, Table
from neuroprism.runs.traces.trace import Trace

LOSS, NORM = "loss/", "grad_norm/"
ONLY = "loss"
"""Name of the component of a log with one loss that has no name."""

_SAME_TOTAL = 1e-3
_MOST_COMPONENTS = 256


def trace_of(
    name: str,
    table: Table,
    notes: list[str],
    *,
    declared: Declared | None = None,
    epochs: Table | None = None,
) -> Trace:
    """Return the trace that the rows of a log make.

    Parameters
    ----------
    name
        Of the run.
    table
        Its rows, with series named as here.
    notes
        What was odd so far; what is odd here is added.
    declared
        What is known beside the rows.
    epochs
        Rows of epochs; None where they stand among the others.

    Raises
    ------
    DataError
        If there is no loss.
    """
    declared = declared or Declared()
    table = _training_losses(table, is_all=epochs is None)
    if epochs is None and not _has(table, (LOSS,)):
        epochs, table = table, Table(n_rows=0, columns={})
    if epochs is not None and not _has(table, (LOSS,)):
        table = _steps_of_epochs(epochs)
    components = _components(table, epochs, declared, notes)
    n = len(components)
    if not n or n > _MOST_COMPONENTS:
        raise DataError("no loss in it" if not n else f"more than {_MOST_COMPONENTS} losses: no log of a run")
    rows, step = in_order(_step_rows(table), notes)
    if epochs is None:
        epochs = _epoch_rows(table)
    if "step" in rows and not np.array_equal(rows["step"].values, step):
        epochs = epochs.without("step")
    steps = step_window(rows, step, np.ones(len(step), dtype=np.int64), components)
    closed = epoch_records(epochs, components, steps, declared.n_epochs) if epochs.n_rows else ()
    epoch = _epoch_column(rows, step, closed)
    steps = replace(steps, epoch=epoch)
    if epochs.n_rows and whole_numbers(epochs, "step") is None:
        closed = epoch_records(epochs, components, steps, declared.n_epochs)
    _check_total(rows, steps, declared, notes)
    return Trace(
        name=declared.name or name,
        facts=declared.facts(components),
        steps=steps,
        events=_in_order(_gradients(rows, step, epoch, components), closed),
        notes=tuple(notes),
    )


def _has(table: Table, prefixes: tuple[str, ...]) -> bool:
    return any(name.startswith(prefixes) for name in table.columns)


def _training_losses(table: Table, *, is_all: bool) -> Table:
    """Return the table in which ``train/...`` is the loss of a step, where no other is."""
    if _has(table, (LOSS,)) or not _has(table, (TRAINING,)) or (is_all and _is_by_epoch(table)):
        return table
    return table.renamed({name: as_loss(name) for name in table.columns})


def _is_by_epoch(table: Table) -> bool:
    """Tell whether every row is an epoch: each has another one."""
    epoch = whole_numbers(table, "epoch")
    return epoch is not None and bool((np.diff(epoch) != 0).all())


def _steps_of_epochs(epochs: Table) -> Table:
    """Return one row an epoch in the place of steps, for a log of epochs only."""
    names = {name: as_loss(name) for name in epochs.columns if as_loss(name) != name}
    places = {name: name for name in ("epoch", "lr", "grad_norm", "step") if name in epochs}
    return epochs.renamed({**places, **names})


def _components(
    table: Table, epochs: Table | None, declared: Declared, notes: list[str]
) -> tuple[Component, ...]:
    found = [name.removeprefix(LOSS) for name in table.columns if name.startswith(LOSS)]
    names = [name for name in found if name != TOTAL]
    if not found:
        return ()
    if not names:
        only = next(iter(declared.components), ONLY)
        names = [only] if len(declared.components) <= 1 else [ONLY]
    known = declared.components
    listed = [name for name in known if name in names]
    if listed and len(listed) < len(names):
        others = ", ".join(name for name in names if name not in known)
        notes.append(f"no component is declared for {others}: left out of the judgement")
    elif known and not listed:
        notes.append("none of the declared components is in the log: every loss in it counts with weight 1")
    absent = [name for name in known if name not in names]
    if listed and absent:
        notes.append(f"declared, but not in the log: {', '.join(absent)}")
    chosen = listed or names
    return tuple(known.get(name, Component(name=name, label=name)) for name in chosen)


def _step_rows(table: Table) -> Table:
    """Return the rows that belong to training, with rates carried over from the rows between."""
    if not table.n_rows:
        return table
    validated = _any(table, lambda name: name.startswith(VALIDATION))
    columns = dict(table.columns)
    for name, column in table.columns.items():
        if name.startswith((LOSS, "grad_norm")) and column.null is not None:
            # A null beside validation stands for no training in this row, elsewhere for no number.
            columns[name] = replace(column, given=column.given & ~(column.null & validated), null=None)
        elif column.null is not None:
            columns[name] = replace(column, given=column.given & ~column.null, null=None)
    if "lr" in columns:
        columns["lr"] = _carried(columns["lr"])
    table = Table(n_rows=table.n_rows, columns=columns)
    trained = _any(table, lambda name: name.startswith((LOSS, "grad_norm")))
    return table if trained.all() else table.take(trained)


def _any(table: Table, wanted: Callable[[str], bool]) -> BoolArray:
    found = np.zeros(table.n_rows, dtype=np.bool_)
    for name, column in table.columns.items():
        if wanted(name):
            found |= column.numbers if name.startswith(VALIDATION) else column.given
    return found


def _carried(column: Column) -> Column:
    if column.given.all():
        return column
    place = np.where(column.given, np.arange(len(column.given)), -1)
    last = np.maximum.accumulate(place)
    values = np.where(last >= 0, column.values[np.maximum(last, 0)], np.nan)
    return Column(values=values, given=last >= 0)


def _epoch_rows(table: Table) -> Table:
    """Return the rows with validation losses or means of epochs, of a log in which they stand among steps."""
    columns = {
        name: replace(column, given=column.numbers, null=None)
        for name, column in table.columns.items()
        if name.startswith((VALIDATION, TRAINING))
        or name in ("epoch", "step", "seconds", "samples_per_second")
    }
    kept = Table(n_rows=table.n_rows, columns=columns)
    closing = _any(kept, lambda name: name.startswith((VALIDATION, TRAINING)))
    return kept.take(closing)


def _epoch_column(rows: Table, step: IntArray, closed: tuple[EpochRecord, ...]) -> IntArray:
    whole = whole_numbers(rows, "epoch")
    if whole is not None:
        return whole
    if "epoch" in rows:
        values = rows["epoch"].values
        if np.isfinite(values).all() and (np.abs(values) < 1e9).all():
            return np.maximum(np.ceil(values), 1).astype(np.int64)
    if closed:
        ends = np.array([record.step for record in closed])
        return np.searchsorted(ends, step) + closed[0].epoch
    return np.ones(len(step), dtype=np.int64)


def _gradients(
    rows: Table, step: IntArray, epoch: IntArray, components: tuple[Component, ...]
) -> list[Gradients]:
    names = [c.name for c in components if NORM + c.name in rows]
    if not names:
        return []
    given = np.stack([rows[NORM + name].given for name in names], axis=1)
    values = np.stack([rows[NORM + name].values for name in names], axis=1)
    return [
        Gradients(
            time="",
            step=int(step[i]),
            epoch=int(epoch[i]),
            norms={name: float(values[i, k]) for k, name in enumerate(names) if given[i, k]},
        )
        for i in np.flatnonzero(given.any(axis=1)).tolist()
    ]


def _in_order(
    gradients: Iterable[Gradients], epochs: Iterable[EpochRecord]
) -> tuple[Gradients | EpochRecord, ...]:
    return tuple(sorted([*gradients, *epochs], key=lambda event: event.step))


def _check_total(rows: Table, steps: StepWindow, declared: Declared, notes: list[str]) -> None:
    """Note where the logged total is not what the weights say."""
    components = steps.components
    if TOTAL_LOSS not in rows or len(components) < 2:
        return
    computed = steps.counts > 0
    usable = computed.all(axis=1) & rows[TOTAL_LOSS].given & np.isfinite(steps.total)
    usable &= np.isfinite(steps.losses).all(axis=1)
    if not usable.any():
        return
    sums = weighted_sum(steps.losses, computed, _weights(steps))[usable]
    off = np.abs(sums - steps.total[usable]) / np.maximum(np.abs(sums), np.finfo(np.float64).tiny)
    if float(np.median(off)) > _SAME_TOTAL:
        what = "plain" if not declared.components else "weighted"
        notes.append(
            f"the logged total is not the {what} sum of the components: shares are those of the {what} sum; "
            "declare the weights in meta.json"
        )


def _weights(steps: StepWindow) -> FloatArray:
    return np.array([c.weight for c in steps.components]) if steps.weights is None else steps.weights
