"""Generated recordings as files: `.npz` as every set of recordings, or a table (`.csv`).

A table has one row a signal: conditions, predictions with their intervals, and the samples in microvolt in
the columns 1, 2, 3 and so on. The provenance, the sampling rate and the time of the first sample stand
beside it in `NAME.provenance.json`; a set of recordings has them in its schema.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from neuroprism.abr.generation import Generated
from neuroprism.abr.store import save_recordings, schema_path
from neuroprism.core import strict_json
from neuroprism.core.errors import DataError, UserError
from neuroprism.core.files import replace_bytes

SUFFIXES = (".npz", ".csv")


def side_path(path: Path) -> Path:
    """Return the file beside `path` that says where it comes from."""
    return schema_path(path) if path.suffix == ".npz" else path.with_suffix(".provenance.json")


def figure_path(path: Path) -> Path:
    """Return where the picture of the recordings at `path` lies."""
    return path.with_suffix(".traces.png")


def check_target(path: Path, *, overwrite: bool) -> None:
    """Refuse a file that cannot be written as asked, before anything is computed.

    The files beside it count as well.

    Raises
    ------
    UserError
        If the ending is another one, or the file exists and may not be replaced.
    """
    if path.suffix not in SUFFIXES:
        raise UserError(f"OUT {path}: the name must end in {' or '.join(SUFFIXES)}")
    try:
        if path.is_dir():
            raise DataError(f"'{path}' is a folder; name the file to write, e.g. generated.npz")
        for file in (path, side_path(path), figure_path(path)):
            if file.exists() and not overwrite:
                raise DataError(f"{file} exists; replace it with --overwrite")
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror}") from None


def write_generated(path: Path, generated: Generated) -> None:
    """Write the file that `path` names, and the one beside it.

    Raises
    ------
    DataError
        If the folder cannot be written.
    """
    if path.suffix == ".npz":
        save_recordings(path, generated.recordings)
        return
    recordings = generated.recordings
    beside = {
        "sample_rate_hz": recordings.sample_rate_hz,
        "start_ms": recordings.start_ms,
        "signal_unit": recordings.signal_unit,
        **recordings.provenance,
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_bytes(path, _table(generated))
        replace_bytes(side_path(path), strict_json.encode_pretty(beside))
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror or error}") from None


def _table(generated: Generated) -> bytes:
    columns = generated.predictions.columns()
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*columns, *range(1, generated.recordings.n_times + 1)])
    rows = zip(*columns.values(), strict=True)
    for row, signal in zip(rows, generated.recordings.signal_uv, strict=True):
        writer.writerow([_cell(value) for value in (*row, *signal.tolist())])
    return text.getvalue().encode()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    return f"{value:.6g}" if isinstance(value, float) else str(value)
