"""Reading logs that are one JSON document: a list of rows, `trainer_state.json`, `training_log.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from neuroprism.core.errors import DataError
from neuroprism.runs.history import LISTS, METRIC_LISTS, TrainingHistory
from neuroprism.runs.traces.assemble import trace_of
from neuroprism.runs.traces.declared import Declared
from neuroprism.runs.traces.json_lines import flat
from neuroprism.runs.traces.naming import named
from neuroprism.runs.traces.series_names import TOTAL_TRAINING, is_metric
from neuroprism.runs.traces.table import Column, Table, join, table_of_rows
from neuroprism.runs.traces.trace import Trace
from neuroprism.runs.training_log import read_training_log

_LARGEST_BYTES = 1 << 28
_END_OF_TRAINING = "train_runtime"
_SECONDS = 60.0


def read_json_document(path: Path, mapping: Mapping[str, str]) -> Trace:
    """Read a log that is one JSON document.

    Raises
    ------
    DataError
        If it is none that is known.
    """
    content = _document(path)
    if isinstance(content, dict) and isinstance(content.get("log_history"), list):
        return _trainer_state(content, path, mapping)
    if isinstance(content, dict) and any(isinstance(content.get(key), list) for key in LISTS):
        return _training_log(read_training_log(path))
    if isinstance(content, list):
        return _of_rows(path.stem, content, path, mapping, Declared())
    raise DataError(f"{path} is JSON, but no log that is known: neither rows nor log_history nor train_loss")


def _document(path: Path) -> Any:
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise DataError(f"{path} is larger than {_LARGEST_BYTES >> 20} MiB")
        return json.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise DataError(f"{path} is not a text file") from None
    except json.JSONDecodeError as error:
        raise DataError(f"{path} is not JSON: {error.msg} in line {error.lineno}") from None
    except (ValueError, RecursionError):
        raise DataError(f"{path} is no JSON that a log can hold") from None


def _of_rows(
    name: str, rows: Sequence[Any], path: Path, mapping: Mapping[str, str], declared: Declared
) -> Trace:
    objects = [flat(row) for row in rows if isinstance(row, dict)]
    if not objects:
        raise DataError(f"{path} has no row")
    notes: list[str] = []
    table, _ = named(join([table_of_rows(objects, source=str(path))]), None, mapping, source=path)
    return trace_of(name, table, notes, declared=declared)


def _trainer_state(content: Mapping[str, Any], path: Path, mapping: Mapping[str, str]) -> Trace:
    """Read the state of a trainer of transformers; its last row, of the whole training, is passed over."""
    rows = [row for row in content["log_history"] if isinstance(row, dict) and _END_OF_TRAINING not in row]
    folder = path.resolve().parent
    name = folder.parent.name if folder.name.startswith("checkpoint-") else folder.name
    declared = Declared(
        n_epochs=_positive(content.get("num_train_epochs")),
        batch_size=_positive(content.get("train_batch_size")),
    )
    return _of_rows(name, rows, path, mapping, declared)


def _positive(value: Any) -> int | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and 1 <= value < 1e9
    return int(value) if is_number else None


def _training_log(history: TrainingHistory) -> Trace:
    """Return the epochs of a training log; each stands for a step as well."""
    columns = {"epoch": _listed(list(range(1, history.n_epochs + 1)), history.n_epochs)}
    for key, values in history.items():
        name = _series(key)
        if name is not None and isinstance(values, list) and values:
            columns[name] = _listed(values, history.n_epochs)
    if "seconds" in columns:
        minutes = columns["seconds"]
        columns["seconds"] = Column(values=minutes.values * _SECONDS, given=minutes.given)
    table = Table(n_rows=history.n_epochs, columns=columns)
    declared = Declared(components={component.name: component for component in history.context.components})
    if not history.n_epochs:
        raise DataError(f"{history.path} has no epoch")
    return trace_of(history.title, table, list(history.notes), declared=declared)


def _series(key: str) -> str | None:
    """Return what a list of the log is called here, None for one that is passed over."""
    named = {"train_loss": TOTAL_TRAINING, "learning_rate": "lr", "epoch_time": "seconds", **METRIC_LISTS}
    if key in named:
        return named[key]
    is_series = key.startswith(("train/", "val/")) and not (key.startswith("train/") and is_metric(key[6:]))
    return key if is_series else None


def _listed(values: Sequence[Any], n: int) -> Column:
    """Return a list as a column; null is no number, what the list lacks is no value."""
    column, given = np.full(n, np.nan), np.zeros(n, dtype=np.bool_)
    column[: len(values)] = [np.nan if value is None else float(value) for value in values]
    given[: len(values)] = True
    return Column(values=column, given=given)
