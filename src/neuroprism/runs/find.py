"""Finding training logs."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from neuroprism.core.errors import DataError, RunError
from neuroprism.monitor import layout
from neuroprism.runs.console_lines import read_console_log
from neuroprism.runs.history import TrainingHistory
from neuroprism.runs.training_log import read_training_log


def newest_training_log(folder: str | Path = ".") -> Path:
    """Return the `training_log.json` below `folder` that was written last; hidden folders are passed over.

    Raises
    ------
    RunError
        If there is none.
    """
    folder = Path(folder)
    found: list[tuple[int, str]] = []
    for place, inner, files in os.walk(folder):
        inner[:] = [name for name in inner if not name.startswith(".")]
        path = Path(place) / layout.TRAINING_LOG
        if layout.TRAINING_LOG in files and path.is_file():
            found.append((path.stat().st_mtime_ns, str(path)))
    if not found:
        raise RunError(
            f"no {layout.TRAINING_LOG} in {folder.resolve()} or below; give the path of a run or log"
        )
    return Path(max(found)[1])


def find_log(path: str | Path | None) -> Path:
    """Return the log that `path` means: the file itself, or the newest one in or below a folder.

    Raises
    ------
    DataError
        If there is nothing at `path`.
    RunError
        If there is no log in or below the folder.
    """
    if path is None:
        return newest_training_log()
    path = Path(path)
    if path.is_dir():
        own = path / layout.TRAINING_LOG
        return own if own.is_file() else newest_training_log(path)
    if not os.path.lexists(path):
        raise DataError(f"no run or training log at {path}")
    return path


def read_history(path: str | Path | None = None) -> TrainingHistory:
    """Read a log: `training_log.json`, a folder with one, or a file of console output of earlier code.

    Parameters
    ----------
    path
        None for the newest log below the current folder. Of a console output
        with several runs the last one is read, and a note says so.

    Raises
    ------
    DataError, RunError
        If there is none or it cannot be read.
    """
    log = find_log(path)
    if log.suffix in (".json", ""):
        return read_training_log(log)
    runs = read_console_log(log)
    if len(runs) > 1:
        note = f"the last of {len(runs)} runs in the console output"
        return replace(runs[-1], notes=(note, *runs[-1].notes))
    return runs[-1]
