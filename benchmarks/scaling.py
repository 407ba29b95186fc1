"""How the monitor scales: with components, with steps, and with runs that are compared.

Every part runs in a process of its own, so that its memory is its own. Cost per step is measured in turns
over the numbers of components; a long run is timed in tenths, so that a slow growth would show.

    python benchmarks/scaling.py [--steps N] [--runs N]
"""

from __future__ import annotations

import argparse
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

from neuroprism.core.records import Component
from neuroprism.monitor import Monitor
from neuroprism.monitor.build import file_sinks

N_COMPONENTS = (1, 2, 4, 8, 16, 32, 64)
LOG_FREQUENCY, STEPS_PER_ROUND, N_ROUNDS = 100, 2000, 7
N_PARTS = 10
EPOCHS_OF_A_RUN = 30
MEMORY_BUDGET_MB, COMPARE_BUDGET_S = 50, 10


def monitor_of(folder: Path, n_components: int) -> Monitor:
    """Return a monitor with its files and rules; no bar, no console, no TensorBoard."""
    components = [Component(name=f"component_{k}", label=f"C{k}") for k in range(n_components)]
    return Monitor(folder, components, sinks=file_sinks(), log_frequency=LOG_FREQUENCY)


def rows(n_components: int) -> list[dict[str, float]]:
    """Return the losses of some steps."""
    generator = random.Random(0)
    names = [f"component_{k}" for k in range(n_components)]
    return [{name: generator.random() for name in names} for _ in range(LOG_FREQUENCY)]


def by_components(folder: Path) -> dict[int, float]:
    """Return the median cost of a step in microseconds for each number of components."""
    monitors = {n: monitor_of(folder / str(n), n) for n in N_COMPONENTS}
    losses = {n: rows(n) for n in N_COMPONENTS}
    times: dict[int, list[float]] = {n: [] for n in N_COMPONENTS}
    for number in range(N_ROUNDS + 1):
        for n, monitor in monitors.items():
            start = time.perf_counter()
            for step in range(STEPS_PER_ROUND):
                monitor.step(losses[n][step % LOG_FREQUENCY], lr=1e-3, grad_norm=0.5)
            if number:
                times[n].append((time.perf_counter() - start) / STEPS_PER_ROUND * 1e6)
    for monitor in monitors.values():
        monitor.close()
    return {n: statistics.median(values) for n, values in times.items()}


def long_run(folder: Path, n_steps: int) -> dict[str, list[float]]:
    """Return cost per step (us) and memory (MB above that before the run) in each tenth of a long run."""
    losses = rows(8)
    monitor = monitor_of(folder / "long", 8)
    before = memory_mb()
    cost, memory = [], []
    for _ in range(N_PARTS):
        start = time.perf_counter()
        for step in range(n_steps // N_PARTS):
            monitor.step(losses[step % LOG_FREQUENCY], lr=1e-3, grad_norm=0.5)
        cost.append((time.perf_counter() - start) / (n_steps // N_PARTS) * 1e6)
        memory.append(memory_mb() - before)
        # What is measured is the monitor, not the disk that the file fills.
        os.truncate(folder / "long" / "steps.jsonl", 0)
    monitor.close()
    return {"cost": cost, "memory": memory}


def memory_mb() -> float:
    """Return the resident memory of this process; the largest so far where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return pages * resource.getpagesize() / 2**20


def compare_seconds(folder: Path, n_runs: int) -> float:
    """Return the time of `neuroprism compare` on runs with 30 epochs each, in a fresh process."""
    generator = random.Random(0)
    for number in range(n_runs):
        monitor = monitor_of(folder / f"run_{number:04d}", 6)
        for _ in range(EPOCHS_OF_A_RUN):
            monitor.step({f"component_{k}": generator.random() for k in range(6)}, lr=1e-3)
            monitor.epoch(
                val={f"component_{k}": generator.random() for k in range(6)},
                metrics={"accuracy": generator.random()},
            )
        monitor.close()
    folders = sorted(map(str, folder.glob("run_*")))
    program = "from neuroprism.cli import main; main()"
    command = [sys.executable, "-c", program, "compare", *folders, "--metric", "val/total"]
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def in_own_process(part: str, count: int) -> object:
    """Run one part in a process of its own and return what it found."""
    command = [sys.executable, __file__, "--part", part, "--steps", str(count), "--runs", str(count)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description="Measure how the monitor scales.")
    parser.add_argument("--steps", type=int, default=10_000_000, metavar="N")
    parser.add_argument("--runs", type=int, default=1000, metavar="N")
    parser.add_argument("--part", choices=("components", "steps", "runs"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            found: object = {
                "components": lambda: by_components(folder),
                "steps": lambda: long_run(folder, given.steps),
                "runs": lambda: compare_seconds(folder, given.runs),
            }[given.part]()
        print(json.dumps(found))
        return
    show(
        in_own_process("components", 0),
        in_own_process("steps", given.steps),
        in_own_process("runs", given.runs),
        n_steps=given.steps,
        n_runs=given.runs,
    )


def show(components: object, steps: object, seconds: object, *, n_steps: int, n_runs: int) -> None:
    """Print what was found."""
    assert isinstance(components, dict)
    assert isinstance(steps, dict)
    assert isinstance(seconds, float)
    print("| components | " + " | ".join(components) + " |\n|---|" + "--:|" * len(components))
    print("| us per step | " + " | ".join(f"{value:.1f}" for value in components.values()) + " |")
    print(
        "| us per step and component | "
        + " | ".join(f"{value / int(n):.2f}" for n, value in components.items())
        + " |"
    )
    cost, memory = steps["cost"], max(steps["memory"])
    met = "met" if memory <= MEMORY_BUDGET_MB else "**not met**"
    print(f"\n{n_steps:,} steps of 8 components, in tenths: us per step ", end="")
    print(", ".join(f"{value:.1f}" for value in cost), end="; ")
    print(f"memory of the monitor at most {memory:.1f} MB (<= {MEMORY_BUDGET_MB} MB: {met}).")
    met = "met" if seconds <= COMPARE_BUDGET_S else "**not met**"
    print(
        f"\n`neuroprism compare` of {n_runs:,} runs with {EPOCHS_OF_A_RUN} epochs: {seconds:.1f} s ", end=""
    )
    print(f"(<= {COMPARE_BUDGET_S} s: {met}).")


if __name__ == "__main__":
    main()
