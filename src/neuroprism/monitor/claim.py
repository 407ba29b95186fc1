"""One writer at a time in the folder of a run, on file systems without locks too.

A writer makes the file `.writers/<n>`, with who it is, where n follows the
highest number that is there. Files are only ever added, and a claim is given
back by replacing its content.

Why two processes never both hold the folder: a number is taken by creating its
file exclusively, which every file system does for one process only, network
file systems included (POSIX locks and appends of several machines are what
they get wrong). Claim n + 1 is made only by a process that has found n given
back or its process gone, neither of which is ever undone; as no file is
removed, n + 1 names the same claim for everybody and for ever. Who acts on an
old view of the folder tries a number that is taken, fails, and looks again.

Why a dead process does not hold it for ever: on the computer of the claim its
process is looked up, by number and start. From another computer it counts as
gone when it gave no sign of life for 10 minutes, or when the batch system has
started the job anew whose claim it is. A process that died between making the
file and writing who it is holds the folder for a minute.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import msgspec

from neuroprism.core import strict_json
from neuroprism.core.errors import RunError
from neuroprism.core.files import replace_bytes, writing_into
from neuroprism.monitor import layout
from neuroprism.monitor.reading import HEARTBEAT_LOST_SECONDS
from neuroprism.monitor.run_identity import can_see_processes, host, process_started

NAMELESS_SECONDS = 60.0


class Writer(msgspec.Struct, frozen=True):
    """Who writes.

    Attributes
    ----------
    host, pid, process_started
        The process, as in `run.json`.
    job, restart
        Identifier of a job of SLURM and how often it was started again; empty without one.
    """

    host: str
    pid: int
    process_started: float | None = None
    job: str = ""
    restart: str = ""


class Claim:
    """The right to write into the folder of a run, until it is given back.

    Parameters
    ----------
    path
        File of the claim.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pid = os.getpid()

    def give_back(self) -> None:
        """Let the next one write; a folder that is gone, full or read-only is no error."""
        # A fork inherits the object, but not the right.
        if self._pid == os.getpid():
            with contextlib.suppress(OSError):
                replace_bytes(self._path, FREE)


FREE = b"given back"


def claim(folder: Path) -> Claim:
    """Take the folder of a run, which exists, for this process.

    A process that holds it already takes it again, as in a notebook that is run twice.

    Raises
    ------
    RunError
        If another process holds it, or nothing can be written.
    """
    place = folder / layout.WRITERS
    me = Writer(
        host=host(),
        pid=os.getpid(),
        process_started=process_started(os.getpid()),
        job=os.environ.get("SLURM_JOB_ID", ""),
        restart=os.environ.get("SLURM_RESTART_COUNT", ""),
    )
    with writing_into(folder):
        place.mkdir(exist_ok=True)
        while True:
            number = _last(place)
            check_free(folder)
            path = place / str(number + 1)
            with contextlib.suppress(FileExistsError), path.open("xb", buffering=0) as file:
                file.write(strict_json.encode(me))
                return Claim(path)


def check_free(folder: Path) -> None:
    """Look whether another process holds the folder of a run.

    Raises
    ------
    RunError
        If so; the message names it.
    """
    place = folder / layout.WRITERS
    number = _last(place)
    if number == 0:
        return
    path = place / str(number)
    try:
        content = path.read_bytes()
        age = time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return
    if content == FREE:
        return
    try:
        writer = msgspec.json.decode(content, type=Writer)
    except strict_json.UNREADABLE:
        if age < NAMELESS_SECONDS:
            raise RunError(f"{folder} was taken by another process just now; try again in a minute") from None
        return
    if _lives(writer, age=min(age, _silence(folder))):
        where = "" if writer.host == host() else f" on {writer.host}"
        raise RunError(f"{folder} is being written by process {writer.pid}{where}; stop it first")


def _last(place: Path) -> int:
    """Return the number of the last claim, 0 without any."""
    try:
        names = os.listdir(place)
    except (FileNotFoundError, NotADirectoryError):
        return 0
    return max((int(name) for name in names if name.isdecimal()), default=0)


def _silence(folder: Path) -> float:
    """Return the seconds since the last sign of life of the run."""
    try:
        return time.time() - (folder / layout.RUN).stat().st_mtime
    except FileNotFoundError:
        return float("inf")


def _lives(writer: Writer, *, age: float) -> bool:
    """Tell whether a writer other than this process still may be there."""
    if writer.host == host() and can_see_processes():
        if writer.pid == os.getpid():
            return False
        started = process_started(writer.pid)
        return started is not None and writer.process_started in (None, started)
    job, restart = os.environ.get("SLURM_JOB_ID", ""), os.environ.get("SLURM_RESTART_COUNT", "")
    if job and writer.job == job and writer.restart != restart:
        return False
    return age < HEARTBEAT_LOST_SECONDS
