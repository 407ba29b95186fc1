"""Generated recordings as files: `.npz` as every set of recordings, or a table (`.csv`).

A table has one row a signal: conditions, predictions with their intervals, and the samples in microvolt in
the columns 1, 2, 3 and so on. The provenance, the sampling rate and the time of the first sample stand
beside it in `NAME.provenance.json`; a set of recordings has them in its schema.
"""

from __future__ import annotations

from pathlib import Path

from neuroprism.abr.csv_table import encode_csv
from neuroprism.abr.generation import Generated
from neuroprism.abr.store import save_recordings, schema_path
from neuroprism.core import strict_json
from neuroprism.core.errors import UserError
from neuroprism.core.output_file import require_free, write_output

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
    beside = (side_path(path), figure_path(path))
    require_free(path, overwrite=overwrite, example="generated.npz", beside=beside)


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
    write_output(path, _table(generated))
    write_output(side_path(path), strict_json.encode_pretty(beside))


def _table(generated: Generated) -> bytes:
    samples = generated.recordings.signal_uv.astype(float).T.tolist()
    return encode_csv(
        {**generated.predictions.columns(), **{str(k): values for k, values in enumerate(samples, start=1)}}
    )
