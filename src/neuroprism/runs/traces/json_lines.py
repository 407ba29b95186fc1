"""Reading JSON lines of metric dictionaries, whatever their names."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from neuroprism.core.errors import DataError
from neuroprism.runs.traces.table import MOST_COLUMNS, Table, full_column, join, table_of_rows

_CHUNK_BYTES = 1 << 21
_LONGEST_LINE = 1 << 20
_DEEPEST = 8
_MARK = b"\xef\xbb\xbf"


def read_json_lines(path: Path, notes: list[str]) -> Table:
    """Read a file of one JSON object a line; nested ones become names with slashes.

    Bare NaN and Infinity are taken as well. A last line that is torn is left out.

    Parameters
    ----------
    path
        File to read.
    notes
        Gets a line about everything odd.

    Raises
    ------
    DataError
        If a line is no JSON object, or there is none at all; names file and line.
    """
    tables = []
    try:
        for number, chunk, is_last in _chunks(path):
            table = _uniform(chunk) or _mixed(chunk, path, number, notes, is_last=is_last)
            if table.n_rows:
                tables.append(table)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from None
    if not tables:
        raise DataError(f"{path} has no row")
    return join(tables)


def _chunks(path: Path) -> Iterator[tuple[int, bytes, bool]]:
    """Yield the number of the first line, whole lines, and whether they end with the file, not a newline."""
    number, rest = 1, b""
    with path.open("rb") as file:
        if file.read(len(_MARK)) != _MARK:
            file.seek(0)
        while block := file.read(_CHUNK_BYTES):
            head, newline, tail = block.rpartition(b"\n")
            if newline:
                chunk = rest + head + newline
                yield number, chunk, False
                number += chunk.count(b"\n")
                rest = tail
            else:
                rest += block
            if len(rest) > _LONGEST_LINE:
                raise _too_long(path, number)
    if rest.strip():
        yield number, rest, True


def _too_long(path: Path, number: int) -> DataError:
    return DataError(f"{path}, line {number} is longer than {_LONGEST_LINE >> 20} MiB: no row of metrics")


def _uniform(chunk: bytes) -> Table | None:
    """Return the table of rows that all have the keys of the first and numbers only, as most logs do."""
    try:
        names = tuple(msgspec.json.decode(chunk[: chunk.index(b"\n")], type=dict[str, float]))
        if not names or len(names) > MOST_COLUMNS:
            return None
        rows = msgspec.json.Decoder(_row_type(names)).decode_lines(chunk)
    except (ValueError, msgspec.DecodeError, RecursionError):
        return None
    values = np.fromiter(chain.from_iterable(map(msgspec.structs.astuple, rows)), dtype=np.float64)
    block = values.reshape(len(rows), len(names))
    columns = {name: full_column(block[:, k].copy()) for k, name in enumerate(names)}
    return Table(n_rows=len(rows), columns=columns)


@cache
def _row_type(names: tuple[str, ...]) -> type[msgspec.Struct]:
    fields = [(f"n{k}", float) for k in range(len(names))]
    renamed = {f"n{k}": name for k, name in enumerate(names)}
    return msgspec.defstruct("Numbers", fields, rename=renamed, gc=False, forbid_unknown_fields=True)


def _mixed(chunk: bytes, path: Path, first: int, notes: list[str], *, is_last: bool) -> Table:
    rows: list[dict[str, Any]] = []
    lines = chunk.split(b"\n")
    for number, line in enumerate(lines, start=first):
        if len(line) > _LONGEST_LINE:
            raise _too_long(path, number)
        if not line.strip():
            continue
        try:
            rows.append(flat(_object(line)))
        except ValueError as error:
            if is_last and number == first + len(lines) - 1 and number > 1:
                notes.append(f"{path.name}, line {number} is incomplete and was left out")
                break
            raise DataError(f"{path}, line {number}: {error}") from None
    return table_of_rows(rows, source=str(path))


def _object(line: bytes) -> dict[str, Any]:
    """Return the object on a line.

    Raises
    ------
    ValueError
        If there is none.
    """
    value: Any
    try:
        value = msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError):
        try:
            value = json.loads(line)
        except UnicodeDecodeError:
            raise ValueError("not text") from None
        except json.JSONDecodeError as error:
            raise ValueError(f"not JSON: {error.msg}") from None
        except (ValueError, RecursionError):
            raise ValueError("no JSON that a row of metrics can hold") from None
    if not isinstance(value, dict):
        raise ValueError("not a JSON object with names and numbers")
    return value


def flat(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested tables as one, names joined by slashes; what lies too deep is left out."""
    if not any(isinstance(item, dict) for item in value.values()):
        return dict(value)
    found: dict[str, Any] = {}
    _flatten(value, "", found, _DEEPEST)
    return found


def _flatten(value: Mapping[str, Any], prefix: str, found: dict[str, Any], depth: int) -> None:
    for key, item in value.items():
        if not isinstance(item, dict):
            found[prefix + key] = item
        elif depth:
            _flatten(item, f"{prefix}{key}/", found, depth - 1)
