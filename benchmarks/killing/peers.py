"""Trackers under the same blow: rows lost by a kill, and what a resume makes of the rows done again."""

from __future__ import annotations

import importlib.util
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from killing.peer_trackers import PEERS

N_STEPS = 400
CHECKPOINT_EVERY = 50
STEP_SECONDS = 0.002
TIMEOUT_SECONDS = 120


@dataclass(frozen=True)
class Found:
    """What was left of one run.

    Attributes
    ----------
    lost
        Steps logged before the kill that nobody can read afterwards.
    missing, twice
        After the resumed run: steps that are not there, and rows beyond one for each step.
    status
        What the tracker says of the run after the kill.
    """

    lost: int
    missing: int
    twice: int
    status: str


def train(name: str, folder: Path) -> None:
    """Log steps from the last checkpoint to the end, as a training loop does."""
    checkpoint = folder / "checkpoint.json"
    state = json.loads(checkpoint.read_text()) if checkpoint.exists() else {"step": 0}
    tracker = PEERS[name].open(folder, state)
    for step in range(state["step"] + 1, N_STEPS + 1):
        time.sleep(STEP_SECONDS)
        tracker.log(step, 1.0 / step)
        os.pwrite(tracker.progress, step.to_bytes(4, "little"), 0)
        if step % CHECKPOINT_EVERY == 0:
            fresh = folder / "checkpoint.new"
            fresh.write_text(json.dumps({"step": step, **tracker.state()}))
            os.replace(fresh, checkpoint)
    tracker.close()


def one_round(name: str, generator: random.Random) -> Found | None:
    """Kill a run once, resume it, and read it; None where the tracker does not work here."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        progress = folder / "progress"
        progress.write_bytes(bytes(4))
        last = generator.randint(2 * CHECKPOINT_EVERY, N_STEPS - CHECKPOINT_EVERY)
        process = subprocess.Popen(_command(name, "train", folder), cwd=folder, **_QUIET)
        begin = time.monotonic()
        while int.from_bytes(progress.read_bytes(), "little") < last:
            time.sleep(STEP_SECONDS / 4)
            if process.poll() is not None or time.monotonic() - begin > TIMEOUT_SECONDS:
                process.kill()
                process.wait()
                return None
        process.send_signal(signal.SIGKILL)
        process.wait()
        taken = int.from_bytes(progress.read_bytes(), "little")
        after_kill = _read(name, folder)
        resumed = subprocess.Popen(_command(name, "train", folder), cwd=folder, **_QUIET)
        code = resumed.wait(TIMEOUT_SECONDS)
        at_end = _read(name, folder)
        if after_kill is None or at_end is None or code:
            return None
    lost = len(set(range(1, taken + 1)) - set(after_kill["steps"]))
    steps = at_end["steps"]
    missing = len(set(range(1, N_STEPS + 1)) - set(steps))
    return Found(lost, missing, len(steps) - len(set(steps)), after_kill["status"])


def _read(name: str, folder: Path) -> dict | None:
    """Read in a process of its own, as who looks at the run later does."""
    done = subprocess.run(
        _command(name, "read", folder),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    rows = [line for line in done.stdout.splitlines() if line.startswith('{"steps"')]
    if not rows:
        print(f"{name} cannot be read: {done.stderr[-300:]}", file=sys.stderr)
    return json.loads(rows[-1]) if rows else None


def _command(name: str, what: str, folder: Path) -> list[str]:
    return [sys.executable, str(Path(__file__).parent / "peer_process.py"), name, what, str(folder)]


_QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def peer_table(n_rounds: int, seed: int) -> str:
    """Return the table of all trackers as Markdown."""
    rows = [
        "",
        f"Trackers, killed once in {N_STEPS} steps and resumed from a checkpoint (one in {CHECKPOINT_EVERY}",
        f"steps) as their documentation says, with their own settings; medians of {n_rounds} rounds:",
        "",
        "| tracker | rows lost by the kill | steps missing at the end | rows twice at the end "
        "| status after the kill |",
        "|---|--:|--:|--:|---|",
    ]
    for name, peer in PEERS.items():
        if importlib.util.find_spec(peer.package) is None:
            rows.append(f"| {name} | not installed | | | |")
            continue
        generator = random.Random(seed)
        rounds = [found for found in (one_round(name, generator) for _ in range(n_rounds)) if found]
        if not rounds:
            rows.append(f"| {name} | could not be run here | | | |")
            continue
        numbers = (
            statistics.median(getattr(found, key) for found in rounds) for key in ("lost", "missing", "twice")
        )
        shown = " | ".join(f"{number:g}" for number in numbers)
        rows.append(f"| {name} | {shown} | {rounds[0].status} |")
    return "\n".join(rows)
