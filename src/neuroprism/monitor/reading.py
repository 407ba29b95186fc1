"""Reading the record of a run back: identity, status, steps, events.

Every reader drops a torn last line, so a run can be read while it is written
and after it was killed.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from neuroprism.core import strict_json
from neuroprism.core.errors import DataError, RunError, printable
from neuroprism.core.files import whole_lines
from neuroprism.core.records import Alert, AnyEvent, RunRecord, Status
from neuroprism.monitor import layout
from neuroprism.monitor.run_identity import can_see_processes, host, process_started

HEARTBEAT_LOST_SECONDS = 600.0
_LONGEST_NAME, _LONGEST_RUN = 60, 255
_CHUNK_BYTES = 1 << 20
_MSGPACK_SHORT_ARRAY = 16
_INTEGERS = {"step": np.int64, "epoch": np.int64, "skipped": np.bool_}

Column = npt.NDArray[Any]
_Number = float | bool | Literal["NaN", "Infinity", "-Infinity"]


def read_run(folder: str | Path) -> RunRecord:
    """Return the identity card of a run, as it was written.

    `run_status` tells whether a run that calls itself running still does.

    Raises
    ------
    RunError
        If the folder holds no run, or its card cannot be read.
    """
    path = Path(folder) / layout.RUN
    try:
        return _shown(msgspec.json.decode(path.read_bytes(), type=RunRecord, strict=False))
    except FileNotFoundError:
        raise RunError(f"{folder} holds no run: {layout.RUN} is missing") from None
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror}") from None
    except strict_json.UNREADABLE as error:
        raise RunError(f"{path} is damaged: {error}") from None


def _shown(run: RunRecord) -> RunRecord:
    """Return the card with names that can be shown in one line, in a terminal and in a picture."""
    components = tuple(
        component
        if _is_plain(component.label)
        else msgspec.structs.replace(component, label=printable(component.label)[:_LONGEST_NAME])
        for component in run.components
    )
    name = run.name if _is_plain(run.name, _LONGEST_RUN) else printable(run.name)[:_LONGEST_RUN]
    return msgspec.structs.replace(run, name=name, components=components)


def _is_plain(name: str, longest: int = _LONGEST_NAME) -> bool:
    return len(name) <= longest and name.isprintable()


def run_status(folder: str | Path) -> Status:
    """Return the status of a run; `lost` where it calls itself running and is not.

    On the computer of the run its process is looked up. From another computer
    a run counts as lost when it gave no sign of life for 10 minutes.

    Raises
    ------
    RunError
        If the folder holds no run, or its card cannot be read.
    """
    run = read_run(folder)
    if run.status != "running":
        return run.status
    return "running" if is_alive(run, Path(folder)) else "lost"


def is_alive(run: RunRecord, folder: Path) -> bool:
    """Tell whether the process that writes `run` still exists, as far as can be known from here."""
    if run.host == host() and can_see_processes():
        started = process_started(run.pid)
        return started is not None and (run.process_started is None or started == run.process_started)
    return time.time() - (folder / layout.RUN).stat().st_mtime < HEARTBEAT_LOST_SECONDS


def read_events(folder: str | Path) -> list[AnyEvent]:
    """Return the events of a run in order; none where nothing was written yet.

    Raises
    ------
    DataError
        If a line is no event; the message names file and line.
    """
    path = Path(folder) / layout.EVENTS
    # Lax decoding turns the strings for non-finite numbers back where a number belongs.
    decoder = msgspec.json.Decoder(AnyEvent, strict=False)
    events = []
    for number, line in enumerate(whole_lines(path), start=1):
        try:
            event = decoder.decode(line)
        except strict_json.UNREADABLE as error:
            raise DataError(f"{path}, line {number}: {error}") from None
        if isinstance(event, Alert):
            event.evidence = strict_json.restore(event.evidence)
        events.append(event)
    return events


def read_steps(folder: str | Path) -> dict[str, Column]:
    """Return the step rows of a run as columns.

    Returns
    -------
    dict
        One array per name, n rows each: ``step`` and ``epoch`` as int64,
        ``skipped`` as bool where any step was, all others (``lr``,
        ``grad_norm``, ``loss/...``, ``metric/...``) as float64 with NaN where
        a row lacks them. Without rows, ``step`` and ``epoch`` are empty.

    Raises
    ------
    DataError
        If a line is no step row; the message names file and line.
    """
    path = Path(folder) / layout.STEPS
    blocks = [_columns(chunk, path, first) for first, chunk in _chunks(path)]
    names = dict.fromkeys(chain(("step", "epoch"), *blocks))
    return {name: _join(name, blocks) for name in names}


def _chunks(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield pieces of whole lines, each with the number of its first line."""
    if not path.exists():
        return
    number, rest = 1, b""
    with path.open("rb") as file:
        while block := file.read(_CHUNK_BYTES):
            head, newline, tail = block.rpartition(b"\n")
            if newline:
                chunk = rest + head + newline
                yield number, chunk
                number += chunk.count(b"\n")
                rest = tail
            else:
                rest += block


def _columns(chunk: bytes, path: Path, first_line: int) -> dict[str, Column]:
    try:
        return _uniform_columns(chunk)
    except (*strict_json.UNREADABLE, ValueError):
        # Rows of several kinds, or names that a struct cannot have.
        rows = _decode_rows(chunk, path, first_line)
    names = dict.fromkeys(chain.from_iterable(rows))
    missing = {name: (0.0 if name in _INTEGERS else np.nan) for name in names}
    return {name: _typed(name, _floats([row.get(name, missing[name]) for row in rows])) for name in names}


def _uniform_columns(chunk: bytes) -> dict[str, Column]:
    """Return the columns of rows that all have the keys of the first, as most runs do."""
    names = tuple(msgspec.json.decode(chunk[: chunk.index(b"\n")], type=dict[str, Any]))
    try:
        table = _finite_table(chunk, names)
    except msgspec.ValidationError:
        rows = msgspec.json.Decoder(_row_type(names, _Number)).decode_lines(chunk)
        values = chain.from_iterable(map(msgspec.structs.astuple, rows))
        table = _floats(values).reshape(len(rows), len(names))
    return {name: _typed(name, table[:, k].copy()) for k, name in enumerate(names)}


def _finite_table(chunk: bytes, names: tuple[str, ...]) -> npt.NDArray[np.float64]:
    """Return the (rows, names) table of rows with finite numbers only, in half the time of the general way.

    MessagePack writes a float as a mark and 8 bytes, so that all rows have the
    same length and numpy takes them from the packed text at a stroke.
    """
    rows = msgspec.json.Decoder(_row_type(names, float)).decode_lines(chunk)
    packed = msgspec.msgpack.encode(list(map(msgspec.structs.astuple, rows)))
    head = 1 if len(names) < _MSGPACK_SHORT_ARRAY else 3
    number = np.dtype([("mark", "V1"), ("value", ">f8")])
    row = np.dtype([("head", f"V{head}"), ("numbers", number, (len(names),))])
    table = np.frombuffer(packed, row, offset=len(packed) - len(rows) * row.itemsize)
    return table["numbers"]["value"].astype(np.float64)


@cache
def _row_type(names: tuple[str, ...], kind: Any) -> type[msgspec.Struct]:
    """Return a struct with these keys; it decodes several times faster than a dict."""
    fields = [(f"field_{k}", kind) for k in range(len(names))]
    renamed = {f"field_{k}": name for k, name in enumerate(names)}
    return msgspec.defstruct("Row", fields, rename=renamed, gc=False, forbid_unknown_fields=True)


def _decode_rows(chunk: bytes, path: Path, first_line: int) -> list[dict[str, Any]]:
    decoder = msgspec.json.Decoder(dict[str, _Number])
    rows = []
    for number, line in enumerate(chunk.split(b"\n")[:-1], start=first_line):
        try:
            rows.append(decoder.decode(line))
        except strict_json.UNREADABLE as error:
            raise DataError(f"{path}, line {number}: {error}") from None
    return rows


def _floats(values: Iterable[Any]) -> npt.NDArray[np.float64]:
    # The strings for non-finite numbers are read as the numbers they stand for.
    return np.fromiter(values, dtype=np.float64)


def _typed(name: str, values: npt.NDArray[np.float64]) -> Column:
    return values.astype(_INTEGERS[name]) if name in _INTEGERS else values


def _join(name: str, blocks: list[dict[str, Column]]) -> Column:
    dtype = _INTEGERS.get(name, np.float64)
    fill = 0 if name in _INTEGERS else np.nan
    if not blocks:
        return np.empty(0, dtype=dtype)
    parts = []
    for block in blocks:
        rows = len(next(iter(block.values())))
        parts.append(block[name] if name in block else np.full(rows, fill, dtype=dtype))
    return np.concatenate(parts)
