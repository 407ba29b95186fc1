"""Where a set of recordings is written."""

from __future__ import annotations

from pathlib import Path

from neuroprism.core.errors import DataError


def free_path(out: Path, *, overwrite: bool) -> Path:
    """Return the file to write, its name completed; an existing one only if it may be replaced.

    Raises
    ------
    DataError
        If it is a folder, exists, or cannot be looked at.
    """
    try:
        if out.is_dir():
            raise DataError(f"'{out}' is a folder; name the file to write, e.g. recordings.npz")
        path = out if out.suffix == ".npz" else out.with_name(out.name + ".npz")
        if path.exists() and not overwrite:
            raise DataError(f"{path} exists; replace it with --overwrite")
    except OSError as error:
        raise DataError(f"cannot write {out}: {error.strerror}") from None
    return path
