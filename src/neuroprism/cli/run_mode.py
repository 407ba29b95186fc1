"""How a training run is started, and where."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from neuroprism.core.errors import RunError

LONGEST_NAME = 255
"""Bytes that the common file systems allow in a name."""


@dataclass(frozen=True, kw_only=True)
class RunMode:
    """How a run is started.

    Attributes
    ----------
    resume
        Continue from the last checkpoint of the folder.
    overwrite
        Replace the run of the folder.
    quiet
        Only warnings and alerts on the console.
    short
        Validate on the first batches only, for a quick look whether everything runs.
    one_batch
        Train on one batch again and again.
    """

    resume: bool = False
    overwrite: bool = False
    quiet: bool = False
    short: bool = False
    one_batch: bool = False


def check_place(folder: Path) -> None:
    """Look whether the folder of a run can be made, and write nothing.

    Raises
    ------
    RunError
        If it cannot; the message names what stands in the way.
    """
    for part in folder.parts:
        if len(os.fsencode(part)) > LONGEST_NAME or not part.isprintable():
            raise RunError(f"cannot write run folder {str(folder)!r}: {part[:40]!r} cannot name a folder")
    there = next(place for place in (folder, *folder.parents) if os.path.lexists(place))
    if not there.is_dir():
        raise RunError(f"cannot write run folder {folder}: {there} is not a folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise RunError(f"cannot write run folder {folder}: {there} is not writable")
