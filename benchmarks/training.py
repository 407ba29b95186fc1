"""What the monitor costs the shipped ABR training: a monitored loop beside a bare one.

Two copies of the shipped network train on the same batches in one process, one step each in turn, so that a
busy machine slows both. The monitored copy has every default sink and TensorBoard. A round is 10 steps, with
one flush. The time spent inside the monitor's methods is measured besides: it does not depend on the noise of
the training step.

    python benchmarks/training_overhead.py [n_rounds]
"""

from __future__ import annotations

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

from neuroprism.abr.config import AbrConfig
from neuroprism.abr.dataset import AbrDataset
from neuroprism.abr.scaler import AbrScaler
from neuroprism.abr.simulate import SimulationConfig, simulate
from neuroprism.abr.splits import split_by_patient
from neuroprism.abr.task import AbrTask
from neuroprism.core.config import load
from neuroprism.monitor import Monitor
from neuroprism.monitor.build import default_sinks
from neuroprism.monitor.sinks.tensorboard import TensorBoard
from neuroprism.train.optim import build_optimizer

N_THREADS, N_ROUNDS, STEPS_PER_ROUND, BATCH = 2, 15, 10, 32
BUDGET = 1.01
WAITING = {"item", "tolist", "cpu", "numpy", "__float__", "__int__", "__bool__", "__index__"}


class Loop:
    """One copy of the shipped task with its optimizer."""

    def __init__(self, config: AbrConfig, recordings: Any) -> None:
        torch.manual_seed(0)
        split = split_by_patient(recordings, config.data.splits)
        scaler = AbrScaler.fit(recordings.select(split.train))
        train, val = (AbrDataset(recordings, rows, scaler) for rows in (split.train, split.val))
        self.task = AbrTask(config, scaler, training=train.everything, validation=val.everything)
        self.everything = train.everything
        self.optimizer = build_optimizer(self.task.model, config.training.optimizer)
        self.weights = {c.name: c.weight for c in self.task.components}

    def step(self, rows: Tensor, combine: Callable[[dict[str, Tensor]], Tensor]) -> tuple[Any, Tensor]:
        self.optimizer.zero_grad()
        terms = self.task.losses(self.task.model, self.everything.select(rows))
        combine(dict(terms.values)).backward()
        norm = torch.nn.utils.clip_grad_norm_(self.task.model.parameters(), 1.0)
        self.optimizer.step()
        return terms, norm

    def weighted_sum(self, losses: dict[str, Tensor]) -> Tensor:
        return torch.stack([self.weights[name] * loss for name, loss in losses.items()]).sum()


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
        self.marks.append(self.seconds)
        self.seconds = 0.0


@contextlib.contextmanager
def watched(loop: Loop, *, flush_seconds: float = 1e9) -> Iterator[Monitor]:
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
            flush_seconds=flush_seconds,
            sinks=sinks,
        ) as monitor,
    ):
        yield monitor


def measure(config: AbrConfig, recordings: Any, n_rounds: int) -> dict[str, list[float]]:
    """Return the seconds of every round: bare, monitored, and inside the monitor."""
    bare, own = Loop(config, recordings), Loop(config, recordings)
    total = {"bare": Watch(), "monitored": Watch(), "inside": Watch()}
    rng = np.random.default_rng(0)

    def bare_step(rows: Tensor) -> None:
        with total["bare"]():
            bare.step(rows, bare.weighted_sum)

    with watched(own) as monitor:

        def monitored_step(rows: Tensor) -> None:
            with total["monitored"]():
                terms, norm = own.step(rows, monitor.combine)
                with total["inside"]():
                    monitor.step(
                        terms.values, lr=2e-3, grad_norm=norm, n_samples=len(rows), counts=terms.counts
                    )

        for number in range(n_rounds + 1):
            for step in range(STEPS_PER_ROUND):
                rows = torch.from_numpy(rng.choice(len(own.everything), BATCH, replace=False))
                turns = (bare_step, monitored_step) if step % 2 else (monitored_step, bare_step)
                for turn in turns:
                    turn(rows)
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


def device_reads(config: AbrConfig, recordings: Any, n_windows: int = 5) -> tuple[int, float]:
    """Return how often a device is waited for between flushes, and on average at a flush.

    Tensors in host memory take the way of tensors on a device here. Counted are the calls of the monitor that
    would wait: at a flush `cpu`, and `tolist` of what `cpu` brought, which is one transfer.
    """
    loop = Loop(config, recordings)
    rows = torch.arange(BATCH)
    between, at_flush = CountWaiting(), CountWaiting()
    is_cpu = torch.Tensor.is_cpu
    with watched(loop) as monitor:
        for number in range(1, n_windows * STEPS_PER_ROUND + 1):
            terms, norm = loop.step(rows, monitor.combine)
            counts = {name: value for name, value in terms.counts.items() if isinstance(value, Tensor)}
            torch.Tensor.is_cpu = property(lambda _: False)  # type: ignore[assignment, misc]
            try:
                with at_flush if number % STEPS_PER_ROUND == 0 else between:
                    monitor.step(terms.values, grad_norm=norm, n_samples=BATCH, counts=counts)
            finally:
                torch.Tensor.is_cpu = is_cpu  # type: ignore[misc]
    return between.n, at_flush.n / n_windows


def main() -> None:
    torch.set_num_threads(N_THREADS)
    n_rounds = int(sys.argv[1]) if len(sys.argv) > 1 else N_ROUNDS
    config = load(AbrConfig, file=Path(__file__).parent.parent / "configs" / "config.yaml")
    recordings = simulate(SimulationConfig(n_patients=60))
    seconds = measure(config, recordings, n_rounds)
    ratios = [own / bare for own, bare in zip(seconds["monitored"], seconds["bare"], strict=True)]
    low, middle, high = np.quantile(ratios, [0.25, 0.5, 0.75])
    bare, own, inside = (
        1e3 * statistics.median(seconds[name]) / STEPS_PER_ROUND for name in ("bare", "monitored", "inside")
    )
    between, at_flush = device_reads(config, recordings)
    print("## Monitored training beside bare training\n")
    print(
        f"Shipped ABR task, batch {BATCH}, {N_THREADS} threads, {n_rounds} rounds of "
        f"{STEPS_PER_ROUND} steps in turn, one flush a round; all default sinks and TensorBoard.\n"
    )
    print("| quantity | value |\n|---|--:|")
    print(f"| bare step, median | {bare:.2f} ms |")
    print(f"| monitored step, median | {own:.2f} ms |")
    print(f"| monitored / bare, median of rounds (quartiles) | {middle:.4f} ({low:.4f} to {high:.4f}) |")
    print(f"| inside `Monitor.step`, flush included, median per step | {inside:.3f} ms |")
    print(f"| 1 + inside / bare | {1 + inside / bare:.4f} |")
    print(f"| budget for the ratio | {BUDGET} |")
    print(f"| calls that wait for a device between flushes | {between} |")
    print(f"| calls that wait for a device at a flush (`cpu`, then `tolist` of the copy) | {at_flush:g} |")
    verdict = "kept" if 1 + inside / bare <= BUDGET else "NOT kept"
    print(
        f"\nThe budget is {verdict} by the time inside the monitor; the quartiles of the ratio show "
        "how far the training step itself varies."
    )


if __name__ == "__main__":
    main()
