"""Preparing the folder of a run: new, overwritten or resumed."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from neuroprism.core.errors import DataError, RunError
from neuroprism.core.files import writing_into
from neuroprism.core.records import CheckpointSaved
from neuroprism.monitor import layout
from neuroprism.monitor.claim import Claim, check_free, claim
from neuroprism.monitor.reading import is_alive, read_events, read_run


def prepare(folder: Path, *, resume: bool, overwrite: bool) -> Claim:
    """Make `folder` ready for a run, and take it for this process.

    Raises
    ------
    RunError
        As `check` does, or if the folder cannot be written. Nothing was changed then.
    """
    check(folder, resume=resume, overwrite=overwrite)
    _check_writable(folder)
    taken = claim(folder)
    try:
        # Another process may have come and gone meanwhile.
        check(folder, resume=resume, overwrite=overwrite)
        _remove_unfinished(folder)
        if overwrite:
            remove_record(folder)
    except BaseException:
        taken.give_back()
        raise
    return taken


def check(folder: Path, *, resume: bool, overwrite: bool) -> None:
    """Look whether `folder` can be used as asked, and write nothing.

    Raises
    ------
    RunError
        If the folder holds a run and neither `resume` nor `overwrite` is
        asked for, if there is nothing to resume, or if another process still
        writes there.
    """
    exists = (folder / layout.RUN).exists()
    if resume and overwrite:
        raise RunError(f"{folder}: --resume and --overwrite exclude each other")
    if exists and not (resume or overwrite):
        raise RunError(
            f"{folder} already holds a run; continue it with --resume or replace it with --overwrite"
        )
    if resume and not exists:
        raise RunError(f"cannot resume in {folder}: {layout.RUN} is missing")
    check_free(folder)
    if exists:
        _check_nobody_writes(folder)


def remove_record(folder: Path) -> None:
    """Remove the files that a run writes, and nothing else.

    Raises
    ------
    RunError
        If a folder bears the name of such a file; nothing was removed then.
    """
    written = [path for pattern in reversed(layout.WRITTEN) for path in folder.glob(pattern)]
    paths = [*_checkpoints(folder), *written]
    for path in paths:
        if path.is_dir():
            raise RunError(f"cannot replace the run in {folder}: {path} is a folder where a file belongs")
    with writing_into(folder):
        for path in paths:
            path.unlink(missing_ok=True)


def _remove_unfinished(folder: Path) -> None:
    """Remove what a killed process left of files that it was about to replace."""
    for pattern in layout.UNFINISHED:
        for path in folder.glob(pattern):
            if not path.is_dir():
                path.unlink(missing_ok=True)


def _checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints inside the folder that the run's events name."""
    try:
        events = read_events(folder)
    except DataError:
        return []
    root = folder.resolve()
    paths = []
    for event in events:
        # A path without a file: gone, too long, with a null byte, links in a circle.
        with contextlib.suppress(OSError, ValueError, RuntimeError):
            if isinstance(event, CheckpointSaved):
                path = (folder / event.path).resolve()
                path.lstat()
                paths.append(path)
    # Claims are never removed, whatever the events say.
    return [
        p for p in paths if p != root and p.is_relative_to(root) and root / layout.WRITERS not in p.parents
    ]


def _check_nobody_writes(folder: Path) -> None:
    """Refuse a run that says of itself that it is being written, as those without claims do."""
    try:
        run = read_run(folder)
    except RunError:
        return
    if run.status == "running" and run.pid != os.getpid() and run.process_started is not None:
        from neuroprism.monitor.run_identity import host

        if run.host == host() and is_alive(run, folder):
            raise RunError(f"{folder} is being written by process {run.pid}; stop it first")


def _check_writable(folder: Path) -> None:
    probe = folder / f".writable.{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
    except OSError as error:
        raise RunError(f"cannot write run folder {folder}: {error.strerror}") from None
    finally:
        with contextlib.suppress(OSError):
            probe.unlink()
