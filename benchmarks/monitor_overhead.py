"""What watching costs: a monitored step beside other trackers, the import, and reading a long run back.

Everything is measured in turns within one process, so that a busy machine slows all of it; the medians
over the turns are shown. A tracker with threads of its own runs in a process of its own, again in turns
with the monitor. The verdict is on the median; on a machine that others use, look at the ratios.

    python benchmarks/monitor_overhead.py [--rounds N] [--rows N]
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from neuroprism.core.records import Component
from neuroprism.monitor import Monitor, StepWindow, read_steps
from neuroprism.monitor.build import file_sinks
from neuroprism.monitor.sinks.console import Console
from neuroprism.monitor.sinks.progress_bar import ProgressBar
from neuroprism.monitor.sinks.protocol import Sink
from neuroprism.monitor.sinks.steps_file import encode_rows
from neuroprism.monitor.sinks.tensorboard import TensorBoard
from neuroprism.monitor.sinks.text_log import TextLog

N_SCALARS, N_STEPS, LOG_FREQUENCY = 8, 1000, 100
NAMES = [f"component_{k}" for k in range(N_SCALARS)]
COMPONENTS = tuple(Component(name=name, label=name[-3:].title()) for name in NAMES)
TRACKERS = {
    "tensorboard": "`SummaryWriter.add_scalar` x 8",
    "wandb": "`wandb` offline, one call",
    "trackio": "`trackio` offline, one call",
}
LEAST_TIMES = {"tensorboard": 20}
"""How many times dearer a tracker has to be, where that is more than once."""
ROWS_PER_WINDOW = 10_000

Log = Callable[[int], None]
Opened = tuple[Callable[[dict[str, float], int], object], Callable[[], object]]
"""What logs a row of a step, and what ends the run."""


@dataclass(frozen=True)
class Line:
    """One row of the table."""

    what: str
    measured: str
    beside: str
    budget: str
    met: bool | None

    def __str__(self) -> str:
        verdict = {None: "", True: "met", False: "**not met**"}[self.met]
        return f"| {self.what} | {self.measured} | {self.beside} | {self.budget} | {verdict} |"


def monitored(folder: Path, losses: list[dict[str, Any]], *, step_lines: bool = False) -> tuple[Monitor, Log]:
    """Return a monitor with files, rules, bar and TensorBoard, and its call per step.

    `step_lines` adds the console and `training.log`.
    """
    sinks: list[Sink] = [
        *file_sinks(),
        ProgressBar(N_STEPS, stream=io.StringIO()),
        TensorBoard(LOG_FREQUENCY),
    ]
    if step_lines:
        sinks += [TextLog(LOG_FREQUENCY), Console(LOG_FREQUENCY, stream=io.StringIO())]
    monitor = Monitor(folder, COMPONENTS, sinks=sinks, log_frequency=LOG_FREQUENCY)

    def log(step: int) -> None:
        monitor.step(losses[step % len(losses)], lr=1e-3, grad_norm=0.5)

    return monitor, log


def values(seed: int) -> list[dict[str, float]]:
    generator = random.Random(seed)
    return [{name: generator.random() for name in NAMES} for _ in range(LOG_FREQUENCY)]


def in_turns(logs: dict[str, Log], n_rounds: int, n_steps: dict[str, int]) -> dict[str, float]:
    """Return median and fastest time of a step in microseconds; the first round warms up."""
    times: dict[str, list[float]] = {name: [] for name in logs}
    for number in range(n_rounds + 1):
        for name, log in logs.items():
            n = n_steps.get(name, N_STEPS)
            start = time.perf_counter()
            for step in range(number * n, (number + 1) * n):
                log(step)
            if number:
                times[name].append((time.perf_counter() - start) / n * 1e6)
    fastest = {f"{name} fastest": min(values) for name, values in times.items()}
    return {name: statistics.median(values) for name, values in times.items()} | fastest


def steps(folder: Path, n_rounds: int) -> dict[str, float]:
    """Return the cost of a step of 8 scalars from floats and from tensors.

    `floats` and `tensors` have what the budget names; `lines` has the console and `training.log` too.
    """
    import torch

    numbers = values(0)
    tensors = [{name: torch.tensor(value) for name, value in row.items()} for row in numbers]
    opened = {
        "floats": monitored(folder / "floats", numbers),
        "tensors": monitored(folder / "tensors", tensors),
        "lines": monitored(folder / "lines", numbers, step_lines=True),
    }
    found = in_turns({name: log for name, (_, log) in opened.items()}, n_rounds, {})
    for monitor, _ in opened.values():
        monitor.close()
    return found


def tracker_alone(name: str, folder: Path, n_rounds: int) -> dict[str, float]:
    """Return the cost of a step of 8 scalars with a tracker, and of a monitored step beside it."""
    numbers = values(0)
    monitor, log = monitored(folder / "floats", numbers)
    call, finish = OPENERS[name](folder)
    logs: dict[str, Log] = {"floats": log, name: lambda step: call(numbers[step % len(numbers)], step)}
    found = in_turns(logs, n_rounds, {name: N_STEPS // 5})
    monitor.close()
    finish()
    return found


def add_scalar(folder: Path) -> Opened:
    """Open torch's `SummaryWriter`."""
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(str(folder / "add_scalar"))

    def call(row: dict[str, float], step: int) -> None:
        for name, value in row.items():
            writer.add_scalar(name, value, step)

    return call, writer.close


def wandb(folder: Path) -> Opened:
    """Open an offline run of Weights & Biases."""
    os.environ |= {"WANDB_MODE": "offline", "WANDB_SILENT": "true"}
    import wandb as package

    run: Any = package.init(project="overhead", dir=str(folder))
    return lambda row, step: run.log(dict(row)), run.finish


def trackio(folder: Path) -> Opened:
    """Open a local run of trackio."""
    os.environ["TRACKIO_DIR"] = str(folder / "trackio")
    import trackio as package

    run: Any = package.init(project="overhead", embed=False, auto_log_cpu=False, auto_log_gpu=False)
    return lambda row, step: run.log(dict(row)), run.finish


OPENERS = {"tensorboard": add_scalar, "wandb": wandb, "trackio": trackio}


def tracker(name: str, n_rounds: int) -> dict[str, float] | None:
    """Run `tracker_alone` in a process of its own; None where the tracker does not work here."""
    if importlib.util.find_spec(name) is None:
        return None
    command = [sys.executable, __file__, "--tracker", name, "--rounds", str(n_rounds)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        print(f"{name} could not be measured: {str(error.stderr)[-200:]}", file=sys.stderr)
        return None
    # Some trackers print a greeting or a farewell.
    found: dict[str, float] = json.loads(next(line for line in done.stdout.splitlines() if line[:1] == "{"))
    return found


def import_seconds(n_rounds: int) -> float:
    """Return the median time of the import in a fresh interpreter."""
    code = "import time; t = time.perf_counter(); import neuroprism.monitor; print(time.perf_counter() - t)"
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        for _ in range(n_rounds)
    ]
    return statistics.median(float(run.stdout) for run in runs)


def read_seconds(folder: Path, n_rows: int) -> float:
    """Return the time to read a run of `n_rows` steps x 8 scalars back, after checking what was read."""
    folder.mkdir()
    generator = np.random.default_rng(0)
    with (folder / "steps.jsonl").open("wb") as file:
        for first in range(1, n_rows + 1, ROWS_PER_WINDOW):
            n = min(ROWS_PER_WINDOW, n_rows + 1 - first)
            losses = generator.random((n, N_SCALARS))
            file.write(encode_rows(_window(first, losses)))
    start = time.perf_counter()
    columns = read_steps(folder)
    seconds = time.perf_counter() - start
    if columns["step"][-1] != n_rows or columns[f"loss/{NAMES[-1]}"][-1] != losses[-1, -1]:
        raise RuntimeError("what was read differs from what was written")
    return seconds


def _window(first: int, losses: np.ndarray) -> StepWindow:
    n = len(losses)
    return StepWindow(
        components=COMPONENTS,
        step=np.arange(first, first + n),
        epoch=np.ones(n, dtype=np.int64),
        losses=losses,
        counts=np.ones_like(losses),
        total=losses.sum(axis=1),
        lr=np.full(n, 1e-3),
        grad_norm=np.full(n, 0.5),
        grad_norm_given=np.ones(n, dtype=np.bool_),
        n_samples=np.ones(n),
        skipped=np.zeros(n, dtype=np.bool_),
    )


def table(folder: Path, n_rounds: int, n_rows: int) -> list[Line]:
    """Measure everything."""
    found = steps(folder, n_rounds)
    floats, tensors = found["floats"], found["tensors"]
    what = "step of 8 scalars: record, JSON, rules, bar, TensorBoard; from"
    lines = [
        Line(f"{what} floats", _time(found, "floats"), "", "<= 12 us", floats <= 12),
        Line(f"{what} CPU tensors", _time(found, "tensors"), "", "<= 25 us", tensors <= 25),
        Line("the same from floats, with step lines in console and log", _time(found, "lines"), "", "", None),
    ]
    for name, what in TRACKERS.items():
        cost = tracker(name, n_rounds)
        if cost is not None:
            ratio, least = cost[name] / cost["floats"], LEAST_TIMES.get(name, 1)
            beside = f"{ratio:.0f} x the step from floats beside it, {_time(cost, 'floats')}"
            lines.append(Line(what, _time(cost, name), beside, f">= {least} x", ratio >= least))
    seconds = import_seconds(n_rounds)
    lines.append(Line("import of `neuroprism.monitor`", f"{seconds:.3f} s", "", "< 0.3 s", seconds < 0.3))
    seconds = read_seconds(folder / "long", n_rows)
    what = f"reading {n_rows:,} steps x {N_SCALARS} back"
    is_whole = n_rows == 1_000_000
    rate = f"{n_rows / seconds:,.0f} rows/s"
    lines.append(
        Line(what, f"{seconds:.2f} s", rate, "<= 3 s for 1,000,000", seconds <= 3 if is_whole else None)
    )
    return lines


def _time(found: dict[str, float], name: str) -> str:
    return f"{found[name]:.1f} us ({found[f'{name} fastest']:.1f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--tracker", choices=TRACKERS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        if arguments.tracker:
            print(json.dumps(tracker_alone(arguments.tracker, Path(name), arguments.rounds)))
            return
        lines = table(Path(name), arguments.rounds, arguments.rows)
    print("| what | median (fastest) | beside | budget | |\n|---|---|---|---|---|")
    for line in lines:
        print(line)


if __name__ == "__main__":
    main()
