"""Trackers under the same blow: rows lost by a kill, and what a resume makes of the rows done again.

    python benchmarks/killing/peers.py [--rounds N] [--seed N] [--peers-python PATH]

prints the table alone. mlflow, aim, swanlab and dvclive need an environment apart, which
`benchmarks/peers-requirements.txt` describes; `--peers-python`, or the variable NEUROPRISM_PEERS_PYTHON,
names its interpreter.
"""

from __future__ import annotations

import argparse
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

sys.path.insert(0, str(Path(__file__).parent.parent))

from killing.peer_trackers import PEERS
from tracking.interpreters import VARIABLE, Home, absent_line, add_option, homes

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


class UnusableError(Exception):
    """A tracker that cannot be run, resumed or read here."""


def one_round(name: str, python: str, generator: random.Random) -> Found:
    """Kill a run once, resume it, and read it.

    Raises
    ------
    UnusableError
        If the tracker does not work here.
    """
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "progress").write_bytes(bytes(4))
        last = generator.randint(2 * CHECKPOINT_EVERY, N_STEPS - CHECKPOINT_EVERY)
        taken = _train_until(last, _command(python, name, "train", folder), folder)
        after_kill = _read(python, name, folder)
        _finish(_command(python, name, "train", folder), folder)
        at_end = _read(python, name, folder)
    lost = len(set(range(1, taken + 1)) - set(after_kill["steps"]))
    steps = at_end["steps"]
    missing = len(set(range(1, N_STEPS + 1)) - set(steps))
    return Found(lost, missing, len(steps) - len(set(steps)), after_kill["status"])


def _train_until(last: int, command: list[str], folder: Path) -> int:
    """Kill the training when it has come to a step; return the step at which it died."""
    progress = folder / "progress"
    with (folder / "said").open("w") as said:
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=said)
    begin = time.monotonic()
    while int.from_bytes(progress.read_bytes(), "little") < last:
        time.sleep(STEP_SECONDS / 4)
        if process.poll() is not None or time.monotonic() - begin > TIMEOUT_SECONDS:
            process.kill()
            process.wait()
            raise UnusableError(_last_line((folder / "said").read_text(), "no step"))
    process.send_signal(signal.SIGKILL)
    process.wait()
    return int.from_bytes(progress.read_bytes(), "little")


def _finish(command: list[str], folder: Path) -> str:
    """Run a process to its end; return what it printed."""
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=True
        )
    except subprocess.CalledProcessError as error:
        raise UnusableError(_last_line(error.stderr, f"exit code {error.returncode}")) from error
    except subprocess.TimeoutExpired as error:
        raise UnusableError(f"no end after {TIMEOUT_SECONDS} s") from error
    return done.stdout


def _read(python: str, name: str, folder: Path) -> dict:
    """Read in a process of its own, as who looks at the run later does."""
    printed = _finish(_command(python, name, "read", folder), folder)
    # Some trackers print a greeting or a farewell.
    (row,) = [line for line in printed.splitlines() if line.startswith('{"steps"')]
    found: dict = json.loads(row)
    return found


def _last_line(said: str, otherwise: str) -> str:
    lines = said.strip().splitlines()
    return lines[-1].replace("|", "/")[:120] if lines else otherwise


def _command(python: str, name: str, what: str, folder: Path) -> list[str]:
    return [python, str(Path(__file__).resolve().parent / "peer_process.py"), name, what, str(folder)]


def peer_table(n_rounds: int, seed: int, peers_python: str | None = os.environ.get(VARIABLE)) -> str:
    """Return the table of all trackers as Markdown."""
    home = homes([peer.package for peer in PEERS.values()], peers_python)
    rows = [
        "",
        f"Trackers, killed once in {N_STEPS} steps and resumed from a checkpoint (one in {CHECKPOINT_EVERY}",
        f"steps) as their documentation says, with their own settings; medians of {n_rounds} rounds:",
        "",
        "| tracker | version | rows lost by the kill | steps missing at the end | rows twice at the end "
        "| status after the kill |",
        "|---|---|--:|--:|--:|---|",
    ]
    rows += [
        row(name, home[peer.package], n_rounds, seed) for name, peer in PEERS.items() if peer.package in home
    ]
    if absent := [name for name, peer in PEERS.items() if peer.package not in home]:
        rows += ["", absent_line(absent)]
    return "\n".join(rows)


def row(name: str, home: Home, n_rounds: int, seed: int) -> str:
    """Return the row of one tracker; all get the same moments."""
    generator = random.Random(seed)
    try:
        rounds = [one_round(name, home.python, generator) for _ in range(n_rounds)]
    except UnusableError as error:
        return f"| {name} | {home.version} | could not be run: {error} | | | |"
    numbers = (
        statistics.median(getattr(found, key) for found in rounds) for key in ("lost", "missing", "twice")
    )
    shown = " | ".join(f"{number:g}" for number in numbers)
    return f"| {name} | {home.version} | {shown} | {rounds[0].status} |"


def main() -> None:
    """Print the table alone."""
    parser = argparse.ArgumentParser(description="Kill trackers, resume them and read what they kept.")
    parser.add_argument("--rounds", type=int, default=5, metavar="N")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    add_option(parser)
    given = parser.parse_args()
    print(peer_table(given.rounds, given.seed, given.peers_python).lstrip("\n"))


if __name__ == "__main__":
    main()
