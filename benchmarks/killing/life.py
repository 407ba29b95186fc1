"""One life of a training process, forked from one that has imported everything already."""

from __future__ import annotations

import importlib
import json
import mmap
import os
import resource
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from killing.faults import Deadly, Fault

LONGEST_SECONDS = 120


@dataclass(frozen=True)
class Blow:
    """A signal from outside.

    Attributes
    ----------
    number
        Of the signal.
    after_seconds
        Since the fork.
    """

    number: signal.Signals
    after_seconds: float


@dataclass(frozen=True)
class Life:
    """How a process lived and ended.

    Attributes
    ----------
    code
        Exit code, negative for a signal.
    steps
        The last step that the monitor was told of and had accepted.
    seconds
        From fork to end.
    errors
        What it wrote to standard error.
    """

    code: int
    steps: int
    seconds: float
    errors: str


def live(words: list[str], scratch: Path, *, end: Fault | Blow | None = None, census: bool = False) -> Life:
    """Run a command of the program in a fork of this process.

    Parameters
    ----------
    words
        The command line.
    scratch
        Folder for what the process says.
    end
        What kills it.
    census
        Write the modules and the fault points that it met into `scratch`.
    """
    counter = mmap.mmap(-1, 8)
    began = time.monotonic()
    pid = os.fork()
    if pid == 0:
        _child(words, scratch, counter, end if isinstance(end, Fault) else None, census=census)
    if isinstance(end, Blow):
        _strike(pid, end)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    steps = int.from_bytes(counter[:8], "little")
    counter.close()
    errors = (scratch / "stderr").read_text(errors="replace") if (scratch / "stderr").exists() else ""
    return Life(code, steps, time.monotonic() - began, errors)


def _strike(pid: int, blow: Blow) -> None:
    time.sleep(blow.after_seconds)
    # Not waited for yet, so the number still belongs to that process even if it has ended.
    os.kill(pid, blow.number)


def _child(words: list[str], scratch: Path, counter: mmap.mmap, fault: Fault | None, *, census: bool) -> None:
    code = 70
    try:
        out = os.open(scratch / "stdout", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        err = os.open(scratch / "stderr", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(out, 1)
        os.dup2(err, 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        resource.setrlimit(resource.RLIMIT_CPU, (LONGEST_SECONDS, LONGEST_SECONDS))
        deadly = Deadly(fault)
        deadly.arm()
        _count_steps(counter)
        from neuroprism.cli.app import run

        code = run(words)
        if census:
            points = [[point, file, n] for (point, file), n in deadly.seen.items()]
            content = {"modules": sorted(sys.modules), "points": points}
            (scratch / "census.json").write_text(json.dumps(content))
    except KeyboardInterrupt:
        code = 128 + signal.SIGINT
    except BaseException as error:  # noqa: BLE001 - said, and the code tells
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _count_steps(counter: mmap.mmap) -> None:
    """Have the number of the last accepted step survive the process."""
    from neuroprism.monitor import Monitor

    plain = Monitor.step

    def step(monitor: Monitor, *given: object, **named: object) -> None:
        plain(monitor, *given, **named)  # type: ignore[arg-type]
        counter[:8] = monitor.n_steps.to_bytes(8, "little")

    Monitor.step = step  # type: ignore[assignment, method-assign]


def warm_up(scratch: Path) -> list[Fault]:
    """Import what the life with a census imported; return the last call of every point that it met."""
    census = json.loads((scratch / "census.json").read_text())
    for name in census["modules"]:
        if name.partition(".")[0] in WARM and name not in sys.modules:
            importlib.import_module(name)
    return [Fault(point, file, n) for point, file, n in census["points"]]


WARM = ("neuroprism", "torch", "numpy", "scipy", "lightning_fabric", "torchmetrics", "tqdm", "tensorboard")
"""Packages that are worth importing once."""
