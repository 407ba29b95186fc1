"""Trackers side by side: time, memory and bytes of a step of 8 scalars, and time to finish and to read back.

Each tracker runs in a process of its own, all of them in every round, in turn; medians over the rounds. A
tracker that is slow logs fewer steps: no more than what it does in `--seconds`. With several numbers of steps
there is a table for each, and may be a limit for each; a tracker that did not do the smaller number is not
tried with the larger one.

    python benchmarks/tracker_overhead.py [--rounds N] [--steps N ...] [--seconds S ...] [--peers-python PATH]

mlflow, aim, swanlab, dvclive and Lightning need an environment apart: `benchmarks/peers-requirements.txt`
says why and how it is made. `--peers-python`, or the variable NEUROPRISM_PEERS_PYTHON, names its interpreter;
without it the table says what is missing.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from tracking.cost import Cost
from tracking.interpreters import Home, absent_line, add_option, homes
from tracking.logging_loops import LOOPS, NOTES

TIME_LIMIT_SECONDS = 1800
"""Three rounds of eleven trackers, with 100,000 and with 1,000,000 steps."""
BASE = "neuroprism"

Outcome = Cost | str
"""What was measured, or why nothing was."""


def in_own_process(name: str, python: str, *, n_steps: int, seconds: float) -> Outcome:
    """Measure a tracker in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        options = ["--steps", str(n_steps), "--seconds", str(seconds)]
        command = [python, str(Path(__file__).resolve()), "--tracker", name, "--folder", folder, *options]
        try:
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, timeout=5 * seconds + 120, check=True
            )
        except subprocess.TimeoutExpired as error:
            return f"no end after {error.timeout:.0f} s"
        except subprocess.CalledProcessError as error:
            lines = str(error.stderr).strip().splitlines() or [f"exit code {error.returncode}"]
            return lines[-1].replace("|", "/")[:120]
    # Some trackers print a greeting or a farewell.
    (line,) = [line for line in done.stdout.splitlines() if line.startswith('{"steps"')]
    return Cost(**json.loads(line))


def measured(
    names: list[str], home: dict[str, Home], n_rounds: int, *, n_steps: int, seconds: float
) -> dict[str, list[Outcome]]:
    """Measure the trackers in turn, round after round."""
    found: dict[str, list[Outcome]] = {name: [] for name in names}
    for _ in range(n_rounds):
        for name in names:
            python = home[LOOPS[name][0]].python
            found[name].append(in_own_process(name, python, n_steps=n_steps, seconds=seconds))
    return found


def table(found: dict[str, list[Outcome]], home: dict[str, Home], n_steps: int) -> str:
    """Return the table of one number of steps as Markdown."""
    rows = [
        f"| tracker | version | steps of {n_steps:,} | us per step | times neuroprism | memory, MB "
        "| bytes per step | finish, s | read back, s |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    base = medians(found[BASE]).get("us", float("nan"))
    for name, outcomes in found.items():
        start = f"| {name} | {home[LOOPS[name][0]].version} "
        value = medians(outcomes)
        if not value:
            rows.append(f"{start}| could not be measured: {outcomes[0]} | | | | | | |")
            continue
        read = f"{value['read_s']:.2f}" if "read_s" in value else "-"
        rows.append(
            f"{start}| {value['steps']:,.0f} | {value['us']:.1f} | {value['us'] / base:.1f} "
            f"| {value['memory_mb']:.0f} | {value['bytes']:.0f} | {value['close_s']:.2f} | {read} |"
        )
        if value.get("read_steps", value["steps"]) != value["steps"]:
            rows[-1] += f" {value['read_steps']:,.0f} steps were read"
    return "\n".join(rows)


def medians(outcomes: list[Outcome]) -> dict[str, float]:
    """Return the median of every number that was measured."""
    costs = [asdict(outcome) for outcome in outcomes if isinstance(outcome, Cost)]
    columns = {key: [cost[key] for cost in costs if cost[key] is not None] for key in (costs or [{}])[0]}
    return {key: statistics.median(values) for key, values in columns.items() if values}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description="Measure trackers side by side.")
    parser.add_argument("--rounds", type=int, default=2, metavar="N")
    parser.add_argument("--steps", type=int, nargs="+", default=[100_000, 1_000_000], metavar="N")
    parser.add_argument("--seconds", type=float, nargs="+", default=[10.0, 30.0], metavar="S")
    add_option(parser)
    parser.add_argument("--tracker", choices=LOOPS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.tracker:
        os.chdir(given.folder)
        cost = LOOPS[given.tracker][1](given.folder, given.steps[0], given.seconds[0])
        print("\n" + json.dumps(asdict(cost)))
        return
    home = homes([package for package, _ in LOOPS.values()], given.peers_python)
    names = [name for name, (package, _) in LOOPS.items() if package in home]
    for number, n_steps in enumerate(sorted(given.steps)):
        seconds = sorted(given.seconds)[min(number, len(given.seconds) - 1)]
        found = measured(names, home, given.rounds, n_steps=n_steps, seconds=seconds)
        print(("\n" if number else "") + table(found, home, n_steps), flush=True)
        done = [name for name in names if name == BASE or medians(found[name]).get("steps") == n_steps]
        if slow := [name for name in names if name not in done and medians(found[name])]:
            print(f"\nFewer than {n_steps:,} steps in {seconds:g} s: {'; '.join(slow)}.")
        names = done
    notes = [f"{given.rounds} rounds; memory with the tracker's own libraries, in its own process only."]
    notes += [note for name, note in NOTES.items() if LOOPS[name][0] in home]
    print("\n" + " ".join(notes))
    if absent := [name for name, (package, _) in LOOPS.items() if package not in home]:
        print("\n" + absent_line(absent))


if __name__ == "__main__":
    main()
