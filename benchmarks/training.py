"""Monitored training beside bare training, ABR and EEG: time, and calls that wait for a device.

Two copies of a network train on the same batches in one process, one step each in turn, so that a busy
machine slows both. The monitored copy has every default sink and TensorBoard. A round is 10 steps, with one
flush. The time spent inside the monitor's methods is measured besides: it does not depend on the noise of
the training step.

    python benchmarks/training.py [--rounds N] [--programs NAME ...]
"""

from __future__ import annotations

import argparse
import contextlib
import io
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

sys.path.insert(0, str(Path(__file__).parent))

from loops.training_loop import BATCH, HEAVY, LOOPS, TrainingLoop
from neuroprism.monitor import Monitor
from neuroprism.monitor.build import default_sinks
from neuroprism.monitor.sinks.tensorboard import TensorBoard

N_THREADS, STEPS_PER_ROUND = 2, 10
BUDGET = 1.01
WAITING = {"item", "tolist", "cpu", "numpy", "__float__", "__int__", "__bool__", "__index__"}


@dataclass
class Watch:
    """Adds up the time inside calls."""

    seconds: float = 0.0
    marks: list[float] = field(default_factory=list)

    @contextlib.contextmanager
    def __call__(self) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds += time.perf_counter() - start

    def mark(self) -> None:
        """End a round."""
        self.marks.append(self.seconds)
        self.seconds = 0.0


@contextlib.contextmanager
def watched(loop: TrainingLoop) -> Iterator[Monitor]:
    """Open a monitor with every default sink and TensorBoard in a folder that is removed afterwards."""
    sinks = [*default_sinks(STEPS_PER_ROUND), TensorBoard(STEPS_PER_ROUND)]
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        Monitor(
            Path(folder) / "run",
            loop.task.components,
            log_frequency=STEPS_PER_ROUND,
            flush_seconds=1e9,
            sinks=sinks,
        ) as monitor,
    ):
        yield monitor


def measure(make: Callable[[], TrainingLoop], n_rounds: int) -> dict[str, list[float]]:
    """Return the seconds of every round: bare, monitored, and inside the monitor."""
    bare, own = make(), make()
    total = {"bare": Watch(), "monitored": Watch(), "inside": Watch()}

    def bare_step(number: int) -> None:
        with total["bare"]():
            bare.step(number, bare.weighted_sum)

    with watched(own) as monitor:

        def monitored_step(number: int) -> None:
            with total["monitored"]():
                terms, norm = own.step(number, monitor.combine)
                with total["inside"]():
                    monitor.step(terms.values, lr=2e-3, grad_norm=norm, n_samples=BATCH, counts=terms.counts)

        for number in range(n_rounds + 1):
            for step in range(STEPS_PER_ROUND):
                turns = (bare_step, monitored_step) if step % 2 else (monitored_step, bare_step)
                for turn in turns:
                    turn(number * STEPS_PER_ROUND + step)
            for watch in total.values():
                if number == 0:  # the first round warms up
                    watch.seconds = 0.0
                else:
                    watch.mark()
    return {name: watch.marks for name, watch in total.items()}


class CountWaiting(TorchFunctionMode):
    """Counts the calls that would wait for a device."""

    def __init__(self) -> None:
        super().__init__()
        self.n = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "")
        # A change of type stays on the device, a change of device does not.
        moves = name == "to" and not all(isinstance(value, torch.dtype) for value in args[1:])
        self.n += moves or name in WAITING
        return func(*args, **(kwargs or {}))


def device_reads(loop: TrainingLoop, n_windows: int = 3) -> tuple[int, float]:
    """Return how often a device is waited for between flushes, and on average at a flush.

    Tensors in host memory take the way of tensors on a device here. Counted are the calls of the monitor that
    would wait: at a flush `cpu`, and `tolist` of what `cpu` brought, which is one transfer.
    """
    between, at_flush = CountWaiting(), CountWaiting()
    is_cpu = torch.Tensor.is_cpu
    with watched(loop) as monitor:
        for number in range(1, n_windows * STEPS_PER_ROUND + 1):
            terms, norm = loop.step(number, monitor.combine)
            counts = {name: value for name, value in terms.counts.items() if isinstance(value, Tensor)}
            torch.Tensor.is_cpu = property(lambda _: False)  # type: ignore[assignment, misc]
            try:
                with at_flush if number % STEPS_PER_ROUND == 0 else between:
                    monitor.step(terms.values, grad_norm=norm, n_samples=BATCH, counts=counts)
            finally:
                torch.Tensor.is_cpu = is_cpu  # type: ignore[misc]
    return between.n, at_flush.n / n_windows


def row(name: str, n_rounds: int) -> str:
    """Measure one program and return its row."""
    make = LOOPS[name]
    seconds = measure(make, max(2, n_rounds // 5) if name == HEAVY else n_rounds)
    ratios = [own / bare for own, bare in zip(seconds["monitored"], seconds["bare"], strict=True)]
    low, middle, high = np.quantile(ratios, [0.25, 0.5, 0.75])
    bare, own, inside = (
        1e3 * statistics.median(seconds[name]) / STEPS_PER_ROUND for name in ("bare", "monitored", "inside")
    )
    # The monitor is the same for every network: the small ones show what it waits for.
    waits = "as above" if name == HEAVY else "{} / {:g}".format(*device_reads(make()))
    ratio = 1 + inside / bare
    return (
        f"| {name} | {bare:.2f} | {own:.2f} | {middle:.4f} ({low:.4f} to {high:.4f}) | {inside:.3f} "
        f"| {ratio:.4f} | {'met' if ratio <= BUDGET else '**not met**'} | {waits} |"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Time monitored training beside bare training.")
    parser.add_argument("--rounds", type=int, default=15, metavar="N")
    parser.add_argument("--programs", nargs="+", choices=LOOPS, default=list(LOOPS))
    given = parser.parse_args()
    torch.set_num_threads(N_THREADS)
    print("## Monitored training beside bare training\n")
    print(
        f"Batch {BATCH}, {N_THREADS} threads, {given.rounds} rounds of {STEPS_PER_ROUND} steps in turn "
        "(EEGMamba a fifth of them), one flush a round; all default sinks and TensorBoard.\n"
    )
    print(
        "| network | bare step, ms | monitored, ms | monitored / bare, median of rounds (quartiles) "
        f"| inside the monitor, ms a step | 1 + inside / bare | <= {BUDGET:g} | waits for a device between "
        "flushes / at a flush |\n|---|--:|--:|--:|--:|--:|---|--:|"
    )
    for name in given.programs:
        print(row(name, given.rounds), flush=True)
    print(
        "\nThe verdict is by the time inside the monitor, flush included; the quartiles of the ratio "
        "show how far the training step itself varies. "
        "The two waits at a flush are `cpu` and `tolist` of the copy."
    )


if __name__ == "__main__":
    main()
