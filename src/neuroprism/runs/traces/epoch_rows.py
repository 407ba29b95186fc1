"""From rows of a log to the epochs of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from neuroprism.core.records import TOTAL, Component, EpochRecord, weighted_total
from neuroprism.monitor.window import FloatArray, IntArray, StepWindow
from neuroprism.runs.traces.step_rows import merged, whole_numbers
from neuroprism.runs.traces.table import BoolArray, Table

VALIDATION, TRAINING = "val/", "train/"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Places:
    """Where epochs end.

    Attributes
    ----------
    epoch, step
        (n,) number of each, and optimizer steps taken then.
    """

    epoch: IntArray
    step: IntArray


def epoch_records(
    table: Table, components: tuple[Component, ...], steps: StepWindow, n_epochs: int | None = None
) -> tuple[EpochRecord, ...]:
    """Return the epochs that rows with ``val/...`` and ``train/...`` tell of.

    Parameters
    ----------
    table
        Such rows only, with ``epoch`` and ``step`` where they are known.
    components
        Of the loss; all other series are metrics.
    steps
        Of the run: they give what the rows lack.
    n_epochs
        Planned.
    """
    number = _epoch_numbers(table)
    key = whole_numbers(table, "step")
    if key is None:
        key = number
    if key is not None:
        rows = np.arange(table.n_rows)
        _, last = merged(Table(n_rows=table.n_rows, columns={}), key)
        starts = np.flatnonzero(np.diff(key, prepend=key[0] - 1)) if len(key) else rows
        table, _ = merged(table, key)
        number = None if number is None else number[np.append(starts[1:], len(rows)) - 1]
        keep = _kept(last)
        table, number = table.take(keep), None if number is None else number[keep]
    if number is None or (np.diff(number) <= 0).any():
        number = np.arange(1, table.n_rows + 1)
    places = _Places(epoch=number, step=_steps_taken(table, number, steps, n_epochs))
    order = np.argsort(places.step, kind="stable")
    records = [_record(table, int(i), components, places) for i in order]
    return _with_training_means(records, components, steps)


def _kept(key: IntArray) -> BoolArray:
    """Return which rows no later row replaces."""
    later = np.minimum.accumulate(key[::-1])[::-1]
    kept: BoolArray = np.append(key[:-1] < later[1:], True)[: len(key)]
    return kept


def _epoch_numbers(table: Table) -> IntArray | None:
    """Return the epochs of the rows; a share of an epoch counts as the epoch that it belongs to."""
    whole = whole_numbers(table, "epoch")
    if whole is not None or "epoch" not in table:
        return whole
    column = table["epoch"]
    if not column.given.all() or not np.isfinite(column.values).all() or (np.abs(column.values) > 1e9).any():
        return None
    return np.ceil(column.values).astype(np.int64)


def _steps_taken(table: Table, number: IntArray, steps: StepWindow, n_epochs: int | None) -> IntArray:
    given = whole_numbers(table, "step")
    if given is not None:
        return given
    n = len(number)
    if not len(steps):
        return number
    if len(np.unique(steps.epoch)) > 1:
        # The last step of each epoch; before its first step for one without.
        place = np.searchsorted(steps.epoch, number, side="right")
        taken: IntArray = np.where(place > 0, steps.step[np.maximum(place, 1) - 1], 0)
        return taken
    planned = max(n_epochs or n, n)
    spread: IntArray = np.rint(steps.step[-1] * np.arange(1, n + 1) / planned).astype(np.int64)
    return spread


def _record(table: Table, i: int, components: tuple[Component, ...], places: _Places) -> EpochRecord:
    names = {component.name for component in components} | {TOTAL}
    row = {name: float(c.values[i]) for name, c in table.columns.items() if c.given[i]}
    val, val_metrics = _split(row, VALIDATION, names)
    train, train_metrics = _split(row, TRAINING, names)
    return EpochRecord(
        time="",
        epoch=int(places.epoch[i]),
        step=int(places.step[i]),
        train=with_total(train, components),
        val=with_total(val, components),
        train_metrics=train_metrics,
        val_metrics=val_metrics,
        lr=row.get("lr"),
        grad_norm=row.get("grad_norm"),
        seconds=row.get("seconds", 0.0),
        samples_per_second=row.get("samples_per_second"),
    )


def _split(
    row: Mapping[str, float], prefix: str, names: set[str]
) -> tuple[dict[str, float], dict[str, float]]:
    """Return the losses and the metrics of a row that begin with `prefix`."""
    found = {key.removeprefix(prefix): value for key, value in row.items() if key.startswith(prefix)}
    losses = {name: value for name, value in found.items() if name in names}
    return losses, {name: value for name, value in found.items() if name not in names}


def with_total(losses: Mapping[str, float], components: tuple[Component, ...]) -> dict[str, float]:
    """Return losses with what follows from them: the total, or the only component."""
    if not losses:
        return {}
    values = dict(losses)
    if len(components) == 1 and TOTAL in values:
        values.setdefault(components[0].name, values[TOTAL])
    elif TOTAL not in values and all(component.name in values for component in components):
        values[TOTAL] = weighted_total(components, values)
    return values


def _with_training_means(
    records: list[EpochRecord], components: tuple[Component, ...], steps: StepWindow
) -> tuple[EpochRecord, ...]:
    """Fill training losses that are absent with the means of the steps since the record before."""
    names = [*(component.name for component in components), TOTAL]
    values = np.column_stack([steps.losses, steps.total])
    computed = np.column_stack([steps.counts > 0, (steps.counts > 0).any(axis=1)])
    start = 0
    for record in records:
        stop = int(np.searchsorted(steps.step, record.step, side="right"))
        if stop > start:
            means = _means(values[start:stop], computed[start:stop])
            record.train = {n: m for n, m in zip(names, means, strict=True) if m is not None} | record.train
            start = stop
    return tuple(records)


def _means(values: FloatArray, computed: BoolArray) -> list[float | None]:
    n = computed.sum(axis=0)
    with np.errstate(invalid="ignore", over="ignore"):
        sums = np.where(computed, values, 0.0).sum(axis=0)
    return [float(s / k) if k else None for s, k in zip(sums, n, strict=True)]
