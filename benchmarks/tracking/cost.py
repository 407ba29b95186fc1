"""What a tracker costs, and how memory and bytes are counted."""

from __future__ import annotations

import contextlib
import resource
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Cost:
    """What one tracker cost in one process.

    Attributes
    ----------
    steps
        Steps that were logged.
    us
        Microseconds per step.
    memory_mb
        What the process grew by, the tracker's libraries included.
    bytes
        On disk, per step.
    close_s
        From the last step until everything is on disk.
    read_s
        Reading one scalar back; None where there is no public way to read.
    read_steps
        How many of its steps were read.
    """

    steps: int
    us: float
    memory_mb: float
    bytes: float
    close_s: float
    read_s: float | None = None
    read_steps: int | None = None


def memory_mb() -> float:
    """Return the resident memory of this process; the largest so far where the system does not say."""
    with contextlib.suppress(OSError):
        pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
        return pages * resource.getpagesize() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def bytes_below(folder: Path) -> int:
    """Return the size of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
