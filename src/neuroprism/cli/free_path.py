"""Where a set of recordings is written."""

from __future__ import annotations

from pathlib import Path

from neuroprism.core.output_file import require_free


def free_path(out: Path, *, overwrite: bool) -> Path:
    """Return the file to write, its name completed; an existing one only if it may be replaced.

    Raises
    ------
    DataError
        If it is a folder, exists, or cannot be looked at.
    """
    # A folder is refused before its name is completed to that of a file.
    require_free(out, overwrite=True, example="recordings.npz")
    path = out if out.suffix == ".npz" else out.with_name(out.name + ".npz")
    require_free(path, overwrite=overwrite, example="recordings.npz")
    return path
