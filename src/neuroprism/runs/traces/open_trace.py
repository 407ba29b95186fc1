"""Finding out what kind of log a path is, and reading it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from neuroprism.core.errors import DataError, RunError
from neuroprism.monitor import layout
from neuroprism.runs.traces.assemble import trace_of
from neuroprism.runs.traces.csv_rows import read_csv
from neuroprism.runs.traces.event_files import is_event_file, read_event_files
from neuroprism.runs.traces.json_document import read_json_document
from neuroprism.runs.traces.json_lines import read_json_lines
from neuroprism.runs.traces.naming import named
from neuroprism.runs.traces.run_folder import read_run_folder
from neuroprism.runs.traces.steps_folder import read_steps_folder
from neuroprism.runs.traces.trace import Trace

Kind = Literal["events", "document", "lines", "csv"]

TRAINER_STATE, LIGHTNING = "trainer_state.json", "metrics.csv"
EVENT_FILE = "tfevents"
_HEAD_BYTES = 1 << 16
_NAMED = (TRAINER_STATE, LIGHTNING, layout.TRAINING_LOG)
_SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson")
_CHECKPOINT = re.compile(r"checkpoint-(\d+)")


def read_trace(path: str | Path, mapping: Mapping[str, str] | None = None) -> Trace:
    """Read a log of a training run, whatever its format.

    Parameters
    ----------
    path
        A run folder, a folder with `steps.jsonl` or one other log, or a file:
        JSON lines, CSV, TensorBoard events, `trainer_state.json`, `training_log.json`.
    mapping
        Names here by names in the log, e.g. ``{"recon": "loss/signal"}``.

    Raises
    ------
    DataError, RunError, ConfigError, UnknownNameError
        If it cannot be read.
    """
    path, mapping = Path(path), mapping or {}
    if not os.path.lexists(path):
        raise DataError(f"no run or log at {path}")
    try:
        if path.is_dir():
            return _read_folder(path, mapping)
        return _read_file(path, mapping)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise DataError(f"{path} is damaged: it holds bytes that are no text") from None


def _read_folder(folder: Path, mapping: Mapping[str, str]) -> Trace:
    if (folder / layout.RUN).exists():
        return read_run_folder(folder)
    if (folder / layout.STEPS).is_file():
        return read_steps_folder(folder, mapping)
    files = sorted(path for path in folder.iterdir() if path.is_file())
    events = [path for path in files if EVENT_FILE in path.name and path.stat().st_size]
    logs = [path for path in files if path.name in _NAMED]
    if not logs and not events:
        logs = [path for path in files if path.suffix in _SUFFIXES] or _latest_checkpoint(folder)
    if len(logs) + bool(events) > 1:
        shown = ", ".join([*(path.name for path in logs), *(["event files"] if events else [])])
        raise RunError(f"{folder} holds several logs: {shown}; give the path of one")
    if events:
        return read_event_files(events, folder.resolve().name, mapping)
    if not logs:
        raise RunError(f"{folder} holds no log that is known; give the path of a file{_inside(folder)}")
    return _read_file(logs[0], mapping)


def _latest_checkpoint(folder: Path) -> list[Path]:
    """Return the state in the latest checkpoint of transformers, which tells of all of the training."""
    found = [
        (int(match[1]), state)
        for inner in folder.iterdir()
        if (match := _CHECKPOINT.fullmatch(inner.name)) and (state := inner / TRAINER_STATE).is_file()
    ]
    return [max(found)[1]] if found else []


def _inside(folder: Path) -> str:
    """Return which folders inside hold one, for the message."""
    inner = sorted(path.name for path in folder.iterdir() if path.is_dir() and _has_log(path))
    return (
        f" or of a folder inside: {', '.join(inner[:5])}{', ...' if len(inner) > 5 else ''}" if inner else ""
    )


def _has_log(folder: Path) -> bool:
    names = (layout.RUN, layout.STEPS, *_NAMED)
    return any((folder / name).is_file() for name in names) or any(folder.glob(f"*{EVENT_FILE}*"))


def _read_file(path: Path, mapping: Mapping[str, str]) -> Trace:
    if path.name in (layout.STEPS, layout.TRAINING_LOG, layout.RUN) and (path.parent / layout.RUN).exists():
        return read_run_folder(path.parent)
    if path.name == layout.STEPS:
        return read_steps_folder(path.parent, mapping)
    kind = kind_of(path)
    if kind == "events":
        return read_event_files([path], path.resolve().parent.name, mapping)
    if kind == "document":
        return read_json_document(path, mapping)
    notes: list[str] = []
    table = read_csv(path, notes) if kind == "csv" else read_json_lines(path, notes)
    table, _ = named(table, None, mapping, source=path)
    return trace_of(path.stem if path.name not in _NAMED else path.resolve().parent.name, table, notes)


def kind_of(path: Path) -> Kind:
    """Tell by its content what kind of log a file is.

    Raises
    ------
    DataError
        If it is none.
    """
    if not path.is_file():
        raise DataError(f"{path} is no file")
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if not head.strip():
        raise DataError(f"{path} is empty")
    if is_event_file(head):
        return "events"
    if EVENT_FILE in path.name:
        raise DataError(f"{path} is no event file, or damaged from its beginning")
    if b"\0" in head:
        raise DataError(f"{path} is not a text file")
    begin = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if begin.startswith(b"["):
        return "document"
    if begin.startswith(b"{"):
        return "lines" if _is_row(begin) else "document"
    return "csv"


def _is_row(begin: bytes) -> bool:
    """Tell whether the first line is a row of a log rather than the beginning or all of a document."""
    line, newline, rest = begin.partition(b"\n")
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        # A damaged or overlong row: more rows tell it from a document over several lines.
        return rest.lstrip().startswith(b"{") or (not newline and len(begin) >= _HEAD_BYTES - 8)
    return not any(isinstance(value, list) for value in content.values()) or rest.lstrip().startswith(b"{")
