"""`steps.jsonl`: one JSON object per optimizer step, raw values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from neuroprism.core.files import LineAppender
from neuroprism.core.records import TOTAL, RunRecord, step_series
from neuroprism.core.strict_json import name_non_finite
from neuroprism.monitor import layout
from neuroprism.monitor.sinks.protocol import Record
from neuroprism.monitor.window import StepWindow

_ENCODER = msgspec.json.Encoder()


class StepsFile:
    """Appends the rows of every window in one write."""

    name = "steps_file"

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
    names = ["step", "epoch", *columns]
    lists = [values.tolist() for values, _ in columns.values()]
    rows: list[dict[str, Any]] = [
        dict(zip(names, row, strict=True))
        for row in zip(window.step.tolist(), window.epoch.tolist(), *lists, strict=True)
    ]
    for name, (values, present) in columns.items():
        for i in np.flatnonzero(~np.isfinite(values)):
            rows[i][name] = name_non_finite(float(values[i]))
        for i in np.flatnonzero(~present):
            del rows[i][name]
    for i in np.flatnonzero(window.skipped):
        rows[i]["skipped"] = True
    return _ENCODER.encode_lines(rows)


def _columns(window: StepWindow) -> dict[str, tuple[Any, Any]]:
    """Return values and presence of every column that has at least one value."""
    computed = window.counts > 0
    columns = {
        "lr": (window.lr, ~np.isnan(window.lr)),
        "grad_norm": (window.grad_norm, window.grad_norm_given),
        step_series(TOTAL): (window.total, computed.any(axis=1)),
    }
    for k, component in enumerate(window.components):
        columns[step_series(component.name)] = (window.losses[:, k], computed[:, k])
    for name, values in window.metrics.items():
        columns[f"metric/{name}"] = (values, window.metrics_given[name])
    return {name: pair for name, pair in columns.items() if pair[1].any()}
