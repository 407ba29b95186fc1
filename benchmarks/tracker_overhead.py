"""Trackers side by side: time, memory and bytes of a step of 8 scalars, and time to finish and to read back.

Each tracker runs in a process of its own, all of them in every round, in turn; medians over the rounds. A
tracker that is slow logs fewer steps: no more than what it does in `--seconds`.

    python benchmarks/tracker_overhead.py [--rounds N] [--steps N] [--seconds S]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from tracking.trackers import TRACKERS, installed

NAMES = [f"component_{k}" for k in range(8)]
BLOCK = 1000
"""Steps between two looks at the clock."""

Found = dict[str, float | None]


def measure(name: str, folder: Path, *, n_steps: int, seconds: float) -> Found:
    """Return what one tracker costs in this process."""
    generator = random.Random(0)
    rows = [{n: generator.random() for n in NAMES} for _ in range(100)]
    before = memory_mb()
    tracker = TRACKERS[name][1](folder, NAMES)
    begin = time.perf_counter()
    done = 0
    while done < n_steps and time.perf_counter() - begin < seconds:
        for step in range(done, min(done + BLOCK, n_steps)):
            tracker.log(rows[step % 100], step)
        done = min(done + BLOCK, n_steps)
    logged = time.perf_counter()
    tracker.close()
    closed = time.perf_counter()
    found: Found = {
        "steps": done,
        "us": (logged - begin) / done * 1e6,
        "memory_mb": memory_mb() - before,
        "bytes": sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / done,
        "close_s": closed - logged,
        "read_s": None,
        "read_steps": None,
    }
    if tracker.read is not None:
        start = time.perf_counter()
        found["read_steps"] = tracker.read()
        found["read_s"] = time.perf_counter() - start
    return found


def memory_mb() -> float:
    """Return the resident memory of this process; the largest so far where the system does not say."""
    with contextlib.suppress(OSError):
        pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
        return pages * resource.getpagesize() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def in_own_process(name: str, *, n_steps: int, seconds: float) -> Found | None:
    """Measure a tracker in a process of its own; None where it does not work here."""
    with tempfile.TemporaryDirectory() as folder:
        options = ["--steps", str(n_steps), "--seconds", str(seconds)]
        command = [sys.executable, __file__, "--tracker", name, "--folder", folder, *options]
        try:
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, timeout=20 * seconds + 60, check=True
            )
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            print(f"{name} could not be measured: {str(error.stderr)[-300:]}", file=sys.stderr)
            return None
    # Some trackers print a greeting or a farewell.
    found: Found = json.loads([line for line in done.stdout.splitlines() if line.startswith('{"steps"')][-1])
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Measure trackers side by side.")
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    parser.add_argument("--steps", type=int, default=100_000, metavar="N")
    parser.add_argument("--seconds", type=float, default=10.0, metavar="S")
    parser.add_argument("--tracker", choices=TRACKERS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    limits = {"n_steps": given.steps, "seconds": given.seconds}
    if given.tracker:
        os.chdir(given.folder)
        print(json.dumps(measure(given.tracker, given.folder, **limits)))
        return
    rounds = [{name: in_own_process(name, **limits) for name in installed()} for _ in range(given.rounds)]
    print(
        "| tracker | steps | us per step | times neuroprism | memory, MB | bytes per step | finish, s "
        "| read back, s |\n|---|--:|--:|--:|--:|--:|--:|--:|"
    )
    base = median(rounds, "neuroprism", "us") or float("nan")
    for name in installed():
        values = {
            key: median(rounds, name, key)
            for key in ("steps", "us", "memory_mb", "bytes", "close_s", "read_s")
        }
        if values["us"] is None:
            print(f"| {name} | could not be measured here | | | | | | |")
            continue
        read = "-" if values["read_s"] is None else f"{values['read_s']:.2f}"
        print(
            f"| {name} | {values['steps']:,.0f} | {values['us']:.1f} | {values['us'] / base:.1f} "
            f"| {values['memory_mb']:.0f} | {values['bytes']:.0f} | {values['close_s']:.2f} | {read} |"
        )
    absent = [name for name in TRACKERS if name not in installed()]
    print(f"\n{given.rounds} rounds; memory with the tracker's own libraries, in its own process only.")
    if absent:
        print(f"Not installed here: {', '.join(absent)}.")


def median(rounds: list[dict[str, Found | None]], name: str, key: str) -> float | None:
    """Return the median over the rounds of one number; None where there is none."""
    values = [found[name] for found in rounds]
    numbers = [value for one in values if one is not None and (value := one[key]) is not None]
    return statistics.median(numbers) if numbers else None


if __name__ == "__main__":
    main()
