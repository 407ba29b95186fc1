"""Recordings on disk: one `.npz` without pickles, and a schema beside it that says what it holds.

`recordings.npz` holds the arrays, `recordings.schema.json` their types, shapes,
units and meaning, the scalars, the provenance and the SHA-256 of the arrays'
file. The schema is written last: without it a set counts as unfinished.
"""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import numpy as np

from neuroprism.abr.columns import COLUMNS, Column
from neuroprism.abr.recordings import AbrRecordings
from neuroprism.core import npy_file, strict_json
from neuroprism.core.errors import DataError, suggest
from neuroprism.core.files import replace_bytes, replace_with

SCHEMA_VERSION = 1
FORMAT = "neuroprism.abr"

_LARGE, _MOST_PACKED = 1 << 30, 100
"""A set of more bytes is refused where it was packed more tightly than any signal can be."""

_SCALARS = ("sample_rate_hz", "window_ms", "start_ms", "signal_unit", "threshold_provenance")


class _ArraySchema(msgspec.Struct, kw_only=True):
    """What one array is."""

    dtype: str
    shape: tuple[int, ...]
    unit: str
    meaning: str


class _Schema(msgspec.Struct, kw_only=True):
    """What a stored set is."""

    format: str
    version: int
    sha256: str
    n_recordings: int
    n_patients: int
    class_names: tuple[str, ...]
    sample_rate_hz: float
    window_ms: float
    start_ms: float
    signal_unit: str
    threshold_provenance: str
    provenance: dict[str, str | int | float]
    arrays: dict[str, _ArraySchema]


def schema_path(path: Path) -> Path:
    """Return where the schema of the set at `path` lies."""
    return path.with_suffix(".schema.json")


def save_recordings(path: Path, recordings: AbrRecordings) -> str:
    """Write a set and its schema atomically; return the SHA-256 of the arrays' file.

    Raises
    ------
    DataError
        If the set is not valid, or the folder cannot be written.
    """
    recordings.validate()
    arrays = {c.name: getattr(recordings, c.name) for c in COLUMNS if getattr(recordings, c.name) is not None}

    def write(file: BinaryIO) -> None:
        np.savez_compressed(file, allow_pickle=False, **arrays)

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # A schema of an earlier set must not stand beside the arrays of this one.
        schema_path(path).unlink(missing_ok=True)
        replace_with(path, write)
        digest = file_sha256(path)
        replace_bytes(schema_path(path), strict_json.encode_pretty(_describe(recordings, arrays, digest)))
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror or error}") from None
    return digest


def load_recordings(path: Path) -> AbrRecordings:
    """Read and check a set.

    Raises
    ------
    DataError
        If a file is missing, damaged, of another version, or does not hold
        what its schema says; one line that names the file and the fault.
    """
    schema = _read_schema(path)
    arrays = _read_arrays(path, schema)
    return AbrRecordings(
        **arrays,
        **{name: getattr(schema, name) for name in _SCALARS},
        class_names=schema.class_names,
        provenance={**schema.provenance, "sha256": schema.sha256},
    ).validate()


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _describe(recordings: AbrRecordings, arrays: dict[str, Any], digest: str) -> _Schema:
    return _Schema(
        format=FORMAT,
        version=SCHEMA_VERSION,
        sha256=digest,
        n_recordings=len(recordings),
        n_patients=recordings.n_patients,
        class_names=recordings.class_names,
        provenance=dict(recordings.provenance),
        arrays={
            column.name: _ArraySchema(
                dtype=arrays[column.name].dtype.str,
                shape=arrays[column.name].shape,
                unit=_unit(column, recordings.signal_unit),
                meaning=column.meaning,
            )
            for column in COLUMNS
            if column.name in arrays
        },
        **{name: getattr(recordings, name) for name in _SCALARS},
    )


def _read_schema(path: Path) -> _Schema:
    if not path.exists():
        present = [found.name for found in path.parent.glob("*.npz")] if path.parent.is_dir() else []
        raise DataError(f"no recordings at {path}{suggest(path.name, present)}")
    try:
        content = msgspec.json.decode(schema_path(path).read_bytes())
    except FileNotFoundError:
        raise DataError(f"{path}: its schema {schema_path(path).name} is missing") from None
    except (OSError, *strict_json.UNREADABLE):
        raise DataError(f"{schema_path(path)} cannot be read as a schema") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise DataError(f"{schema_path(path)} does not describe ABR recordings of neuroprism")
    if content.get("version") != SCHEMA_VERSION:
        raise DataError(
            f"{path} has schema version {content.get('version')}; this program reads version {SCHEMA_VERSION}"
        )
    try:
        return msgspec.convert(content, _Schema)
    except msgspec.ValidationError as error:
        raise DataError(f"{schema_path(path)}: {error}") from None


def _read_arrays(path: Path, schema: _Schema) -> dict[str, Any]:
    try:
        if file_sha256(path) != schema.sha256:
            raise DataError(f"{path} is damaged: its SHA-256 is not the one in {schema_path(path).name}")
        if not zipfile.is_zipfile(path):
            raise DataError(f"{path} is not an .npz file")
        with zipfile.ZipFile(path) as stored:
            _refuse_bomb(path, stored)
            arrays = dict(_read_array(path, stored, member) for member in stored.infolist())
    except (*npy_file.FAULTS, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"cannot read recordings {path}: {' '.join(str(error).split())}") from None
    _check_arrays(path, schema, arrays)
    return arrays


def _refuse_bomb(path: Path, stored: zipfile.ZipFile) -> None:
    unpacked = sum(member.file_size for member in stored.infolist())
    if unpacked > _LARGE and unpacked > _MOST_PACKED * path.stat().st_size:
        raise DataError(f"{path} would become {unpacked >> 20:,} MiB in memory: no recordings")


def _read_array(path: Path, stored: zipfile.ZipFile, member: zipfile.ZipInfo) -> tuple[str, Any]:
    """Return name and content of a member; no stored object can run code, as none is read."""
    if not member.filename.endswith(".npy"):
        raise DataError(f"{path} holds an unknown array '{member.filename}'")
    with stored.open(member) as file:
        return member.filename.removesuffix(".npy"), npy_file.read_array(file, member.file_size)


def _check_arrays(path: Path, schema: _Schema, arrays: dict[str, Any]) -> None:
    for column in COLUMNS:
        if column.name not in arrays and not column.optional:
            raise DataError(f"{path} lacks the array '{column.name}'")
    units = {column.name: _unit(column, schema.signal_unit) for column in COLUMNS}
    for name, array in arrays.items():
        if name not in units:
            raise DataError(f"{path} holds an unknown array '{name}'{suggest(name, units)}")
        said = schema.arrays.get(name)
        if said is None or said.dtype != array.dtype.str or said.shape != array.shape:
            raise DataError(f"{path}: the array '{name}' is not what {schema_path(path).name} says")
        if said.unit != units[name]:
            raise DataError(
                f"{schema_path(path)} gives '{name}' in '{said.unit}'; it must be in '{units[name]}'"
            )


def _unit(column: Column, signal_unit: str) -> str:
    return signal_unit if column.axes == ("time",) else column.unit
