"""Commands that run side by side, some at a time, and end together when they must."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Job:
    """A command to run.

    Attributes
    ----------
    name
        What people call it.
    words
        Program and arguments.
    output
        File that gets what it prints, behind what is there.
    """

    name: str
    words: Sequence[str]
    output: Path


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a command ended.

    Attributes
    ----------
    code
        Exit code; negative for the signal that ended it.
    last_line
        The last that it printed.
    """

    job: Job
    code: int
    seconds: float
    last_line: str


class Terminated(KeyboardInterrupt):
    """SIGTERM came."""


class Children:
    """Processes of which some run at a time; a context that none of them outlives.

    Each gets a session of its own, so that Ctrl-C in the terminal reaches this
    process only. Where the body is left by an exception, processes that run are
    sent SIGINT (SIGTERM if that is what came) and waited for, and no further one
    is started. A second Ctrl-C is passed on as well.

    Parameters
    ----------
    n
        Processes at a time.
    environment
        Of all processes.
    """

    def __init__(self, n: int, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)
        self._pool = ThreadPoolExecutor(n)
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._ending = False
        self._former: Any = None

    def __enter__(self) -> Children:
        if threading.current_thread() is threading.main_thread():
            self._former = signal.signal(signal.SIGTERM, _terminate)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        sent = signal.SIGTERM if isinstance(error, Terminated) else signal.SIGINT
        while True:
            try:
                if error is not None:
                    self._send(sent)
                self._pool.shutdown(cancel_futures=True)
                break
            except KeyboardInterrupt as again:
                error = error or again
        if self._former is not None:
            signal.signal(signal.SIGTERM, self._former)

    def run(self, jobs: Sequence[Job]) -> Iterator[Ended]:
        """Start the jobs, and yield each when it has ended."""
        futures = [self._pool.submit(self._run, job) for job in jobs]
        return (future.result() for future in as_completed(futures))

    def _send(self, number: signal.Signals) -> None:
        with self._lock:
            self._ending = True
            for process in self._running:
                process.send_signal(number)

    def _run(self, job: Job) -> Ended:
        job.output.parent.mkdir(parents=True, exist_ok=True)
        begun = time.monotonic()
        with job.output.open("ab") as output:
            start = output.tell()
            with self._lock:
                if self._ending:
                    raise CancelledError
                process = subprocess.Popen(
                    job.words,
                    env=self._environment,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
                self._running.add(process)
            code = process.wait()
            with self._lock:
                self._running.discard(process)
        return Ended(
            job=job, code=code, seconds=time.monotonic() - begun, last_line=_last_line(job.output, start)
        )


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise Terminated


def _last_line(path: Path, start: int) -> str:
    with path.open("rb") as file:
        file.seek(start)
        lines = file.read().decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
