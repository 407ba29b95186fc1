"""Runs every benchmark in a process of its own and writes RESULTS.md.

A benchmark is any other file in this folder. What it prints becomes a section: as it is where it begins
with a Markdown heading, otherwise under the first line of its docstring. One that fails is reported with its
last line and makes the exit code 1; the others run all the same. Those that are named replace their own
sections; the others stay, as long as machine and versions are those of the page.

    python benchmarks/run.py [--out FILE] [NAME ...]
"""

from __future__ import annotations

import argparse
import ast
import os
import platform
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

FOLDER = Path(__file__).parent
PACKAGES = ("neuroprism", "torch", "lightning-fabric", "numpy", "pydantic", "msgspec", "tensorboard")
TIME_LIMIT_SECONDS = 600
"""Of a benchmark that has no constant of this name itself."""
BUSY = 0.25
"""Share of the cores that other processes use, above which times are called uncertain."""
LOOK_SECONDS = 0.2
"""How long others are looked at before a benchmark."""


@dataclass(frozen=True)
class Outcome:
    """What one benchmark left.

    Attributes
    ----------
    section
        Markdown.
    failed
        Whether it ended with an error.
    """

    section: str
    failed: bool


def benchmarks(names: list[str]) -> list[Path]:
    """Return the files to run; all of them where no name is given."""
    found = {path.stem: path for path in sorted(FOLDER.glob("*.py")) if path.stem != Path(__file__).stem}
    unknown = [name for name in names if name not in found]
    if unknown:
        sys.exit(f"no benchmark named {', '.join(unknown)}; there are: {', '.join(found)}")
    return [found[name] for name in names or found]


def measure(path: Path) -> Outcome:
    """Run one benchmark and return its section."""
    others, start, limit = busy_cores(), time.perf_counter(), time_limit(path)
    try:
        done = subprocess.run(
            [sys.executable, str(path)],
            capture_output=True,
            text=True,
            timeout=limit,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Outcome(section(path, "", f"Stopped after {limit} s without a result."), failed=True)
    note = f"Took {time.perf_counter() - start:.0f} s on {datetime.now(UTC):%Y-%m-%d}. {load_line(others)}"
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no message"]
        note = f"FAILED with exit code {done.returncode}: `{lines[-1]}`"
    return Outcome(section(path, done.stdout.strip("\n"), note), failed=bool(done.returncode))


def time_limit(path: Path) -> int:
    """Return the longest time that a benchmark may take, in seconds."""
    own = re.search(r"^TIME_LIMIT_SECONDS = (\d[\d_]*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return int(own[1]) if own else TIME_LIMIT_SECONDS


def section(path: Path, printed: str, note: str) -> str:
    """Return the Markdown of one benchmark."""
    if not printed.startswith("#"):
        heading = f"## {title(path)}"
        # Tables and prose of a benchmark stay as they are; plain columns need a fence.
        body = printed if printed.startswith("|") or not printed else f"```text\n{printed}\n```"
        printed = f"{heading}\n\n{body}".rstrip()
    return f"{printed}\n\n`{path.name}`. {note}\n"


def sections(page: str) -> dict[str, str]:
    """Return the sections of a page by the names of their benchmarks."""
    found, begun = {}, ""
    for part in re.split(r"^(?=## )", page, flags=re.MULTILINE)[1:]:
        begun += part
        # A benchmark may print headings of its own; the name stands in the last line.
        if own := re.match(r"`(\w+)\.py`\. ", begun.rstrip().splitlines()[-1]):
            found[own[1]], begun = begun.rstrip() + "\n", ""
    return found


def kept(page: Path, head: str) -> dict[str, str]:
    """Return the sections of an earlier page that were measured under the same head."""
    try:
        text = page.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    return sections(text) if text.startswith(head) else {}


def title(path: Path) -> str:
    """Return the first line of a file's docstring, or its name."""
    lines = (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or path.stem).splitlines()
    return lines[0].rstrip(".")


def machine() -> str:
    """Return processor, cores, memory and system; no name of the computer."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    python = f"Python {platform.python_version()}"
    return f"{processor()}, {usable_cores()} cores, {memory:.0f} GiB, {platform.system()}, {python}"


def processor() -> str:
    """Return the name of the processor as far as it is known."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def usable_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def busy_cores() -> float:
    """Return how many cores are in use now; the load average where the system does not say.

    The load average still counts the benchmark that has just ended.
    """
    try:
        total, idle = _ticks()
        time.sleep(LOOK_SECONDS)
        total_then, idle_then = _ticks()
    except OSError:
        return os.getloadavg()[0]
    return usable_cores() * (1 - (idle_then - idle) / max(1, total_then - total))


def _ticks() -> tuple[int, int]:
    """Return all ticks of the processors since the start of the system, and the idle ones."""
    words = Path("/proc/stat").read_text(encoding="utf-8").splitlines()[0].split()[1:]
    # Guests are counted among the users already; waiting for a disk is idle.
    ticks = [int(word) for word in words[:8]]
    return sum(ticks), ticks[3] + ticks[4]


def load_line(cores: float) -> str:
    """Say how busy the machine was before a benchmark."""
    text = f"Other programs used {cores:.1f} of {usable_cores()} cores before it"
    if cores > BUSY * usable_cores():
        return text + ". **The machine was busy: times are upper bounds; ratios hold better.**"
    return text + " (idle)."


def head_of_page() -> str:
    """Return what the page begins with: where it was measured."""
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return (
        "# Benchmarks\n\n"
        "Written by `make bench`; every number comes from the machine described here. A GPU was not used.\n\n"
        f"- Machine: {machine()}\n"
        f"- {versions}\n"
    )


def main() -> int:
    """Run what is asked for and write the results."""
    parser = argparse.ArgumentParser(description="Run the benchmarks and write RESULTS.md.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="run only these; other sections stay")
    parser.add_argument("--out", type=Path, default=FOLDER / "RESULTS.md", metavar="FILE")
    arguments = parser.parse_args()
    head = head_of_page()
    chosen = benchmarks(arguments.names)
    found = kept(arguments.out, head) if arguments.names else {}
    failed = False
    for path in chosen:
        print(f"{path.name} ...", flush=True)
        outcome = measure(path)
        found[path.stem] = outcome.section
        failed |= outcome.failed
        # After every one: an hour of measuring should not be lost to an interruption.
        page = [head, *(found[path.stem] for path in benchmarks([]) if path.stem in found)]
        arguments.out.write_text("\n".join(page), encoding="utf-8")
    print(f"Results: {arguments.out}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
