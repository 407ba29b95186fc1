"""Who runs: identifier, host, process, git revision and versions."""

from __future__ import annotations

import os
import platform
import socket
import subprocess
import sys
from pathlib import Path

PACKAGES = ("neuroprism", "torch", "numpy", "lightning-fabric", "torchmetrics", "scipy", "mne")


def new_run_id() -> str:
    """Return 12 random hexadecimal digits."""
    return os.urandom(6).hex()


def host() -> str:
    """Return the name of this computer."""
    return socket.gethostname()


def git_revision(folder: Path | None = None) -> str | None:
    """Return the commit of `folder` (default: the working folder), with ``-dirty`` for local changes.

    None where there is no repository, or no git.
    """
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None


def versions() -> dict[str, str]:
    """Return the versions of Python, the platform and the packages that shape a result; none is imported."""
    from importlib import metadata

    found = {"python": platform.python_version(), "platform": platform.platform()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def process_started(pid: int) -> float | None:
    """Return when a process of this computer began, as a number that only that process has.

    On Linux these are seconds since boot, elsewhere the Unix time that ``ps``
    reports; the number serves to tell a process from a later one with the same
    identifier. None where the process is gone or nothing can be known.
    """
    if sys.platform == "linux":
        return _started_on_linux(pid)
    return None if sys.platform == "win32" else _started_by_ps(pid)


def can_see_processes() -> bool:
    """Tell whether `process_started` knows anything on this computer."""
    return process_started(os.getpid()) is not None


def _started_on_linux(pid: int) -> float | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The command name in parentheses may hold anything; state and start time are fields 3 and 22.
    fields = stat.rpartition(")")[2].split()
    if fields[0] in "ZX":
        return None
    return int(fields[19]) / os.sysconf("SC_CLK_TCK")


def _started_by_ps(pid: int) -> float | None:
    command = ["ps", "-o", "lstart=", "-p", str(pid)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=5, check=False, env={**os.environ, "LC_ALL": "C"}
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return _parse_lstart(done.stdout)


def _parse_lstart(text: str) -> float | None:
    from datetime import datetime

    try:
        return datetime.strptime(text.strip(), "%a %b %d %H:%M:%S %Y").timestamp()
    except ValueError:
        return None
