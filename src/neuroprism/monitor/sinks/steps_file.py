"""`steps.jsonl`: one JSON object per optimizer step, raw values."""

from __future__ import annotations

import re
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
_NOT_IN_STRUCTS = re.compile(r'[\x00-\x1f"\\]')


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
    names, values, present = _table(window)
    row_type = _row_type(("step", "epoch", *names, *(["skipped"] if window.skipped.any() else [])))
    table = [window.step.tolist(), window.epoch.tolist(), *values.tolist()]
    if window.skipped.any():
        table.append([True if skipped else msgspec.UNSET for skipped in window.skipped])
    for column, row in np.argwhere(~(present & np.isfinite(values))).tolist():
        shown = name_non_finite(values[column, row]) if present[column, row] else msgspec.UNSET
        table[column + 2][row] = shown
    return _ENCODER.encode_lines(list(map(row_type, *table)))


@cache
def _row_type(names: tuple[str, ...]) -> Callable[..., Any]:
    """Return a struct with these keys: built and encoded several times faster than a dict.

    Fields that are unset are left out of the row. Names with quotes, backslashes or control
    characters, which a struct cannot have, make dicts.
    """
    if any(_NOT_IN_STRUCTS.search(name) for name in names):
        return lambda *row: {k: v for k, v in zip(names, row, strict=True) if v is not msgspec.UNSET}
    fields = [(f"field_{k}", Any) for k in range(len(names))]
    renamed = {f"field_{k}": name for k, name in enumerate(names)}
    return msgspec.defstruct("Row", fields, rename=renamed, gc=False)


def _table(window: StepWindow) -> tuple[list[str], FloatArray, BoolArray]:
    """Return the names of the columns that have at least one value, their (S, n) values and presence."""
    components = [component.name for component in window.components]
    n_components, n_weights = len(components), 0 if window.weights is None else len(components)
    names = ["lr", "grad_norm", step_series(TOTAL), *map(step_series, components)]
    names += map(weight_series, components[:n_weights])
    names += [f"metric/{name}" for name in window.metrics]
    values = np.empty((len(names), len(window)))
    present = np.empty(values.shape, dtype=np.bool_)
    computed: BoolArray = (window.counts > 0).T
    values[0], present[0] = window.lr, ~np.isnan(window.lr)
    values[1], present[1] = window.grad_norm, window.grad_norm_given
    values[2], present[2] = window.total, computed.any(axis=0)
    end = 3 + n_components
    values[3:end], present[3:end] = window.losses.T, computed
    if window.weights is not None:
        values[end : end + n_weights], present[end : end + n_weights] = window.weights.T, computed
    for k, name in enumerate(window.metrics, start=end + n_weights):
        values[k], present[k] = window.metrics[name], window.metrics_given[name]
    used = np.flatnonzero(present.any(axis=1))
    if len(used) == len(names):
        return names, values, present
    return [names[k] for k in used.tolist()], values[used], present[used]
