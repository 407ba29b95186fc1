"""Killing: what SIGKILL, SIGTERM and Ctrl-C at random moments leave of training runs, and of trackers.

ABR training and EEG fine-tuning are killed several times in each run: at moments that the clock draws, in the
middle of an append or a replacement, before and after a rename. After each death every file is read and the
steps are counted; every run is then resumed to its end and compared with one that was never interrupted.

    python benchmarks/kill_test.py [--kills N] [--signals N] [--rounds N] [--seed N] [--every-fault NAME]

Standard error says how far it is; what was counted so far stands in the file of --json after every run.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import random
import signal
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

# Forks must not share threads; set before the first import of torch.
os.environ["OMP_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).parent))

from killing.chains import LONGEST_CHAIN, Killing, Tally
from killing.life import Blow
from killing.peers import peer_table
from killing.programs import abr, eeg
from neuroprism.core.files import replace_bytes

TIME_LIMIT_SECONDS = 3600
"""Two hundred deaths, each with its resume."""

PROGRAMS = {"ABR": abr, "EEG": eeg}


def kill(killing: Killing, generator: random.Random, given: argparse.Namespace) -> None:
    """Kill a program as often as asked."""
    n_kills = given.kills // len(given.programs)
    while killing.tally.n_deaths < n_kills and not killing.tally.broken:
        n = min(LONGEST_CHAIN, n_kills - killing.tally.n_deaths)
        killing.chain([killing.random_end(generator) for _ in range(n)])
    if killing.program.name in given.every_fault:
        for chain in killing.every_fault(generator):
            killing.chain(chain)
    for number in (signal.SIGTERM, signal.SIGINT):
        n_left = given.signals // len(given.programs)
        while n_left > 0 and not killing.tally.broken:
            moments = [generator.uniform(0, killing.seconds) for _ in range(min(LONGEST_CHAIN, n_left))]
            killing.chain([Blow(number, moment) for moment in moments])
            n_left = given.signals // len(given.programs) - killing.tally.deaths.get(number.name, 0)


class Progress:
    """Says how far the killing is, and keeps what was counted: a long run may itself be interrupted.

    Parameters
    ----------
    path
        Gets the counts as JSON; None keeps nothing.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path.resolve() if path else None
        self._began = time.monotonic()
        self.tallies: dict[str, Tally] = {}

    def __call__(self, name: str, tally: Tally) -> None:
        """Note the counts of one program as they are now."""
        self.tallies[name] = tally
        if self._path:
            counts = {name: asdict(tally) for name, tally in self.tallies.items()}
            replace_bytes(self._path, json.dumps(counts, indent=2).encode())
        counted = f"{tally.n_deaths} deaths, {tally.runs} runs whole, {len(tally.broken)} guarantees broken"
        print(f"{name}: {counted}, {time.monotonic() - self._began:.0f} s", file=sys.stderr, flush=True)


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description="Kill training runs and read what is left.")
    parser.add_argument("--kills", type=int, default=200, metavar="N", help="SIGKILLs over both programs")
    parser.add_argument("--signals", type=int, default=20, metavar="N", help="SIGTERMs, and as many SIGINTs")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="kills of each tracker")
    parser.add_argument("--programs", nargs="+", choices=PROGRAMS, default=list(PROGRAMS))
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    parser.add_argument("--every-fault", nargs="+", choices=PROGRAMS, default=[], help="die at every point")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was counted")
    given = parser.parse_args()
    progress = Progress(given.json)
    with tempfile.TemporaryDirectory() as name:
        os.chdir(name)
        for make in [PROGRAMS[name] for name in given.programs]:
            generator = random.Random(given.seed)
            data = Path(name) / f"{make.__name__}_data"
            data.mkdir()
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                program = make(data)
            kill(Killing(program, Path(name) / make.__name__, progress), generator, given)
        os.chdir(Path(__file__).parent)
    print_tallies(progress.tallies)
    if given.rounds:
        print(peer_table(given.rounds, given.seed))
    broken = [line for tally in progress.tallies.values() for line in tally.broken]
    print("".join(f"BROKEN {line}\n" for line in broken), file=sys.stderr, end="")
    return int(bool(broken))


def print_tallies(tallies: dict[str, Tally]) -> None:
    """Print what was counted, a row for each program."""
    print(
        "| program | deaths | runs, all bit-equal to an uninterrupted one | steps taken by the killed "
        "| of them in no file | rows kept aside | guarantees broken |\n|---|--:|--:|--:|--:|--:|--:|"
    )
    for name, tally in tallies.items():
        print(
            f"| {name} | {tally.n_deaths} | {tally.runs} | {tally.steps_taken:,} "
            f"| {tally.steps_lost} | {tally.superseded:,} | {len(tally.broken)} |"
        )
    for name, tally in tallies.items():
        causes = ", ".join(f"{cause} {n}" for cause, n in sorted(tally.deaths.items()))
        print(f"\n{name}: {causes}; {len(tally.missed)} moments did not come.")


if __name__ == "__main__":
    sys.exit(main())
