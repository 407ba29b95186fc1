"""Reading the scalars of TensorBoard's event files."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from neuroprism.core.errors import DataError
from neuroprism.monitor.sinks.tfrecord import masked_crc32c
from neuroprism.monitor.window import FloatArray, IntArray
from neuroprism.runs.traces.assemble import trace_of
from neuroprism.runs.traces.naming import known_names
from neuroprism.runs.traces.series_names import as_loss
from neuroprism.runs.traces.table import MOST_COLUMNS, Column, Table, full_column
from neuroprism.runs.traces.trace import Trace

_Point = tuple[int, float, float]
_Series = tuple[IntArray, FloatArray, FloatArray]
_EVALUATION = ("val/", "train/")
_OWN, _OWN_EPOCHS = (
    "step/",
    ("train/lr", "train/grad_norm", "train/samples_per_second", "train/epoch_seconds"),
)
_HEADER, _FOOTER = 12, 4
_DT_FLOAT, _DT_DOUBLE = 1, 2
_NEAR = 1.5


def is_event_file(head: bytes) -> bool:
    """Tell whether a file begins like an event file."""
    if len(head) < _HEADER:
        return False
    return bool(struct.unpack("<I", head[8:12])[0] == masked_crc32c(head[:8]))


def read_event_files(paths: list[Path], name: str, mapping: Mapping[str, str]) -> Trace:
    """Read event files of one run, the oldest first.

    Parameters
    ----------
    paths
        At least one.
    name
        Of the run.
    mapping
        Names here by tags.

    Raises
    ------
    DataError
        If they cannot be read or have no loss.
    """
    notes: list[str] = []
    points: dict[str, list[_Point]] = {}
    for path in sorted(paths):
        for event in _events(path, notes):
            for value in event.summary.value:
                number = _scalar(value)
                if number is not None:
                    points.setdefault(value.tag, []).append((event.step, event.wall_time, number))
        if len(points) > MOST_COLUMNS:
            raise DataError(f"{path} has more than {MOST_COLUMNS} tags: no log of a training run")
    if not points:
        raise DataError(f"{paths[0]} has no scalars")
    series = {tag: _in_order(values, tag, notes) for tag, values in _without_doubles(points).items()}
    names = known_names(series, mapping, source=paths[0])
    if not any(ours.startswith("loss/") for ours in names.values()):
        names = {tag: as_loss(ours) for tag, ours in names.items()}
    by_epoch = {tag: series[tag] for tag, ours in names.items() if ours.startswith(_EVALUATION)}
    training = {tag: series[tag] for tag in names if tag not in by_epoch}
    if not any(names[tag].startswith("loss/") for tag in training):
        return trace_of(name, _table(series, names), notes)
    epochs = _epochs(by_epoch, training, names) if by_epoch else None
    return trace_of(name, _table(training, names), notes, epochs=epochs)


def _events(path: Path, notes: list[str]) -> Iterator[Any]:
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    from neuroprism.monitor.sinks.event_protos import parse_event

    try:
        data = memoryview(path.read_bytes())
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from None
    place = 0
    while place + _HEADER <= len(data):
        if not is_event_file(bytes(data[place : place + _HEADER])):
            break
        (length,) = struct.unpack("<Q", data[place : place + 8])
        end = place + _HEADER + length
        if end + _FOOTER > len(data):
            break
        try:
            yield parse_event(bytes(data[place + _HEADER : end]))
        except DecodeError:
            break
        place = end + _FOOTER
    if place < len(data):
        if not place:
            raise DataError(f"{path} is no event file, or damaged from its beginning")
        notes.append(f"{path.name} is damaged after {place} of {len(data)} bytes: what follows was left out")


def _scalar(value: Any) -> float | None:
    """Return the number of a summary value, None where it is none."""
    if value.HasField("simple_value"):
        return float(value.simple_value)
    if not value.HasField("tensor") or value.tensor.tensor_shape.dim:
        return None
    tensor = value.tensor
    numbers = {_DT_FLOAT: tensor.float_val, _DT_DOUBLE: tensor.double_val}.get(tensor.dtype)
    if numbers is None:
        return None
    if len(numbers) == 1:
        return float(numbers[0])
    kind = "<f4" if tensor.dtype == _DT_FLOAT else "<f8"
    content = tensor.tensor_content
    return float(np.frombuffer(content, kind)[0]) if len(content) == np.dtype(kind).itemsize else None


def _without_doubles(points: dict[str, list[_Point]]) -> dict[str, list[_Point]]:
    """Return tags that tell different things: of this project's own files those of steps and epochs."""
    if not any(tag.startswith(_OWN) for tag in points):
        return points
    kept = {
        tag: values
        for tag, values in points.items()
        if tag.startswith((_OWN, *_EVALUATION)) and tag not in _OWN_EPOCHS
    }
    gradients = {
        tag.replace("gradient/", "grad_norm/", 1): values
        for tag, values in points.items()
        if tag.startswith("gradient/")
    }
    return kept | gradients


def _in_order(points: list[_Point], tag: str, notes: list[str]) -> _Series:
    """Return steps, wall times and values of a tag; what was repeated after a resume counts as repeated."""
    step = np.array([point[0] for point in points], dtype=np.int64)
    wall = np.array([point[1] for point in points], dtype=np.float64)
    value = np.array([point[2] for point in points], dtype=np.float64)
    later = np.minimum.accumulate(step[::-1])[::-1]
    keep = np.append(step[:-1] < later[1:], True)
    if not keep.all():
        notes.append(f"{tag} goes back: {int((~keep).sum())} repeated points were left out, the last count")
    return step[keep], wall[keep], value[keep]


def _table(series: Mapping[str, _Series], names: Mapping[str, str]) -> Table:
    """Return one row a step."""
    series = {tag: values for tag, values in series.items() if tag in names}
    steps = np.unique(np.concatenate([step for step, _, _ in series.values()]))
    columns = {}
    for tag, (step, _, value) in series.items():
        values, given = np.full(len(steps), np.nan), np.zeros(len(steps), dtype=np.bool_)
        rows = np.searchsorted(steps, step)
        values[rows], given[rows] = value, True
        columns[tag] = Column(values=values, given=given)
    table = Table(n_rows=len(steps), columns=columns).renamed({tag: names[tag] for tag in columns})
    return Table(n_rows=len(steps), columns={**table.columns, "step": full_column(steps.astype(np.float64))})


def _epochs(
    evaluation: Mapping[str, _Series], training: Mapping[str, _Series], names: Mapping[str, str]
) -> Table:
    """Return one row an evaluation; those counted by epochs get the step that the clock says."""
    table = _table(evaluation, names)
    count = table["step"].values
    wall = np.zeros(len(count))
    for step, times, _ in evaluation.values():
        rows = np.searchsorted(count, step)
        wall[rows] = np.maximum(wall[rows], times)
    steps = np.concatenate([step for step, _, _ in training.values()])
    times = np.concatenate([times for _, times, _ in training.values()])
    order = np.argsort(times, kind="stable")
    place = np.searchsorted(times[order], wall, side="right")
    taken = np.where(place > 0, steps[order][np.maximum(place, 1) - 1], 0)
    if taken[-1] <= _NEAR * (count[-1] + 1):
        return table
    columns = {**table.columns, "epoch": table["step"], "step": full_column(taken.astype(np.float64))}
    if (np.diff(taken) <= 0).any():
        # Written one series after the other: the clock says nothing.
        del columns["step"]
    return Table(n_rows=table.n_rows, columns=columns)
