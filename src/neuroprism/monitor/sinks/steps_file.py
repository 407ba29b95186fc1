"""`steps.jsonl`: one JSON object per optimizer step, raw values."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from neuroprism.core.files import LineAppender
from neuroprism.core.records import TOTAL, RunRecord, step_series, weight_series
from neuroprism.core.strict_json import name_non_finite
from neuroprism.monitor import layout
from neuroprism.monitor.sinks.protocol import Record
from neuroprism.monitor.window import FloatArray, StepWindow

BoolArray = npt.NDArray[np.bool_]

_ENCODER = msgspec.json.Encoder()


class StepsFile:
    """Appends the rows of every window in one write."""

    name = "steps_file"
    is_record = True

    def __init__(self) -> None:
        self._file: LineAppender | None = None

    def open(self, run: RunRecord, folder: Path) -> None:
        """Open the file for appending; a torn last line is cut off."""
        self._file = LineAppender(folder / layout.STEPS)

    def write(self, record: Record) -> None:
        """Append the rows of a window."""
        if isinstance(record, StepWindow) and self._file is not None:
            self._file.append(encode_rows(record))

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


def encode_rows(window: StepWindow) -> bytes:
    """Return the rows of a window as lines of strict JSON.

    A value that was not computed or not given is absent; non-finite numbers
    are strings.
    """
    columns = _columns(window)
    values = np.stack([column for column, _ in columns.values()])
    present = np.stack([given for _, given in columns.values()])
    row_type = _row_type(("step", "epoch", *columns, *(["skipped"] if window.skipped.any() else [])))
    table = [window.step.tolist(), window.epoch.tolist(), *values.tolist()]
    if window.skipped.any():
        table.append([True if skipped else msgspec.UNSET for skipped in window.skipped])
    rows = list(map(row_type, *table))
    for column, row in np.argwhere(~(present & np.isfinite(values))).tolist():
        shown = name_non_finite(values[column, row]) if present[column, row] else msgspec.UNSET
        setattr(rows[row], f"field_{column + 2}", shown)
    return _ENCODER.encode_lines(rows)


@cache
def _row_type(names: tuple[str, ...]) -> Callable[..., msgspec.Struct]:
    """Return a struct with these keys: built and encoded several times faster than a dict.

    Fields that are unset are left out of the row.
    """
    fields = [(f"field_{k}", Any) for k in range(len(names))]
    renamed = {f"field_{k}": name for k, name in enumerate(names)}
    return msgspec.defstruct("Row", fields, rename=renamed, gc=False)


def _columns(window: StepWindow) -> dict[str, tuple[FloatArray, BoolArray]]:
    """Return values and presence of every column that has at least one value."""
    computed: BoolArray = window.counts > 0
    columns: dict[str, tuple[FloatArray, BoolArray]] = {
        "lr": (window.lr, ~np.isnan(window.lr)),
        "grad_norm": (window.grad_norm, window.grad_norm_given),
        step_series(TOTAL): (window.total, np.any(computed, axis=1)),
    }
    for k, component in enumerate(window.components):
        columns[step_series(component.name)] = (window.losses[:, k], computed[:, k])
    if window.weights is not None:
        for k, component in enumerate(window.components):
            columns[weight_series(component.name)] = (window.weights[:, k], computed[:, k])
    for name, values in window.metrics.items():
        columns[f"metric/{name}"] = (values, window.metrics_given[name])
    is_used = np.any(np.stack([given for _, given in columns.values()]), axis=1)
    return {name: pair for used, (name, pair) in zip(is_used, columns.items(), strict=True) if used}
