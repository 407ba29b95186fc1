"""Drawing and reading a run: the progress figure, the summary and the whole record, by length of the run.

A recorded run of 8 components is written for each length; each thing is then done several times in one
process, after one that warms up. The command in the last column runs in a process of its own and pays for the
loading of matplotlib too.

    python benchmarks/figures_and_reading.py [--rounds N] [--epochs N ...]
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from neuroprism.core.records import Component
from neuroprism.figures.saving import save_figure
from neuroprism.figures.training_progress import plot_losses
from neuroprism.monitor import Monitor
from neuroprism.monitor.build import file_sinks
from neuroprism.runs.load import load_run
from neuroprism.runs.summary import run_summary

NAMES = [f"component_{k}" for k in range(8)]
STEPS_PER_EPOCH = 100


def record(folder: Path, n_epochs: int) -> Path:
    """Write a run whose losses fall with some noise."""
    generator = random.Random(0)
    components = [Component(name=name, label=name[-3:]) for name in NAMES]
    with Monitor(folder, components, sinks=file_sinks(), rules=(), n_epochs=n_epochs) as monitor:
        for epoch in range(1, n_epochs + 1):
            for _ in range(STEPS_PER_EPOCH):
                level = math.exp(-epoch / n_epochs)
                monitor.step(
                    {name: level * generator.uniform(0.9, 1.1) for name in NAMES}, lr=1e-3, grad_norm=1.0
                )
            val = {name: level * generator.uniform(0.95, 1.15) for name in NAMES}
            monitor.epoch(val=val, metrics={"accuracy": 1 - level / 2, "auroc": 1 - level / 3})
    return folder


def median_seconds(deed: Callable[[], object], n_rounds: int) -> float:
    """Return the median time after one that warms up."""
    times = []
    for _ in range(n_rounds + 1):
        start = time.perf_counter()
        deed()
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def first_picture_seconds(folder: Path, out: Path) -> float:
    """Return the time of `neuroprism plot training` from its start to its end."""
    command = [sys.executable, "-m", "neuroprism", "plot", str(folder), "--out", str(out)]
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def measured(place: Path, n_epochs: int, n_rounds: int) -> str:
    """Return the row of one length."""
    folder = record(place / str(n_epochs), n_epochs)
    run = load_run(folder)
    if len(run.steps["step"]) != n_epochs * STEPS_PER_EPOCH:
        raise RuntimeError("not every step was read back")
    png, pdf = place / "picture.png", place / "picture.pdf"

    def draw(path: Path) -> None:
        save_figure(plot_losses(run.components, run.epoch_records, title=run.name), path)

    times = [
        median_seconds(lambda: load_run(folder), n_rounds),
        median_seconds(lambda: load_run(folder).steps, n_rounds),
        median_seconds(lambda: run_summary(load_run(folder)), n_rounds),
        median_seconds(lambda: draw(png), n_rounds),
        median_seconds(lambda: draw(pdf), n_rounds),
    ]
    cells = " | ".join(f"{seconds:.3f}" for seconds in times)
    size = png.stat().st_size / 1024
    whole = first_picture_seconds(folder, place / "whole.png")
    return f"| {n_epochs:,} | {n_epochs * STEPS_PER_EPOCH:,} | {cells} | {size:.0f} | {whole:.1f} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Time figures and the reading of runs.")
    parser.add_argument("--rounds", type=int, default=5, metavar="N")
    parser.add_argument("--epochs", type=int, nargs="+", default=[10, 100, 1000], metavar="N")
    given = parser.parse_args()
    print("## Drawing and reading a run of 8 components\n")
    print(
        "| epochs | steps | `load_run`, s | steps of it as a table, s | summary, s "
        "| progress figure as PNG, s | as PDF, s | PNG, KiB | `neuroprism plot`, whole command, s |\n"
        "|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
    )
    with tempfile.TemporaryDirectory() as place:
        for n_epochs in given.epochs:
            print(measured(Path(place), n_epochs, given.rounds), flush=True)


if __name__ == "__main__":
    main()
