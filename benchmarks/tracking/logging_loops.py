"""The loops that log: a plain one for every tracker, and Lightning's, which has to be the trainer's own."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tracking.cost import Cost, bytes_below, memory_mb
from tracking.trackers import TRACKERS, Open, Scalars

NAMES = [f"component_{k}" for k in range(8)]
BLOCK = 100
"""Steps between two looks at the clock; of Lightning's loop, steps of an epoch."""
LOG_DICT = "Lightning `log_dict`, CSVLogger, log_every_n_steps=1"


def scalars() -> list[Scalars]:
    """Return the numbers of 100 steps, which are logged again and again."""
    generator = random.Random(0)
    return [{name: generator.random() for name in NAMES} for _ in range(100)]


def plain_loop(start: Open, folder: Path, n_steps: int, seconds: float) -> Cost:
    """Log steps one after the other, until there are `n_steps` or the seconds are over.

    Time starts when the tracker is open: what it imports and greets with is not counted.
    """
    rows, before = scalars(), memory_mb()
    tracker = start(folder, NAMES)
    begin = time.perf_counter()
    done = 0
    while done < n_steps and time.perf_counter() - begin < seconds:
        for step in range(done, min(done + BLOCK, n_steps)):
            tracker.log(rows[step % 100], step)
        done = min(done + BLOCK, n_steps)
    logged = time.perf_counter()
    tracker.close()
    closed = time.perf_counter()
    grown, size = memory_mb() - before, bytes_below(folder)
    read_s = read_steps = None
    if tracker.read is not None:
        start_of_reading = time.perf_counter()
        read_steps = tracker.read()
        read_s = time.perf_counter() - start_of_reading
    return Cost(done, (logged - begin) / done * 1e6, grown, size / done, closed - logged, read_s, read_steps)


def lightning_loop(folder: Path, n_steps: int, seconds: float) -> Cost:
    """Train with Lightning's `Trainer`, every other epoch with `log_dict`; return what these take longer.

    The bare epochs hold what the trainer does in any case. Both kinds run in turn in the same process; what
    counts is the difference of their medians. Reading is that of the file that the logger leaves.
    """
    before, rows = memory_mb(), scalars()
    import pandas as pd
    import torch
    from lightning.pytorch import LightningModule, Trainer
    from lightning.pytorch.loggers import CSVLogger
    from torch.utils.data import DataLoader

    times: dict[bool, list[float]] = {True: [], False: []}

    class Line(LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.line = torch.nn.Linear(1, 1)
            self.begin = self.epoch_begin = self.last = 0.0

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), lr=1e-3)

        def training_step(self, batch: torch.Tensor, index: int) -> torch.Tensor:
            if self.current_epoch % 2:
                self.log_dict(rows[index])
            return self.line(batch).sum()

        def on_train_epoch_start(self) -> None:
            self.epoch_begin = time.perf_counter()
            self.begin = self.begin or self.epoch_begin

        def on_train_epoch_end(self) -> None:
            self.last = time.perf_counter()
            times[bool(self.current_epoch % 2)].append((self.last - self.epoch_begin) / BLOCK * 1e6)
            both = len(times[True]) and len(times[True]) == len(times[False])
            if both and (self.last - self.begin >= seconds or BLOCK * len(times[True]) >= n_steps):
                self.trainer.should_stop = True

    logger = CSVLogger(str(folder), name="run", version=0)
    trainer = Trainer(
        max_epochs=-1,
        accelerator="cpu",
        logger=logger,
        log_every_n_steps=1,
        enable_progress_bar=False,
        enable_checkpointing=False,
        enable_model_summary=False,
    )
    module = Line()
    trainer.fit(module, DataLoader(torch.ones(BLOCK, 1), batch_size=1))
    closed = time.perf_counter()
    grown = memory_mb() - before
    done = BLOCK * len(times[True])
    found = len(pd.read_csv(Path(logger.log_dir) / "metrics.csv")[NAMES[0]].dropna())
    read_s = time.perf_counter() - closed
    us = statistics.median(times[True]) - statistics.median(times[False])
    return Cost(done, us, grown, bytes_below(folder) / done, closed - module.last, read_s, found)


Loop = Callable[[Path, int, float], Cost]

LOOPS: dict[str, tuple[str, Loop]] = {
    **{name: (package, partial(plain_loop, start)) for name, (package, start) in TRACKERS.items()},
    LOG_DICT: ("lightning", lightning_loop),
}
"""Package and loop of each tracker."""

NOTES = {
    "dvclive": "dvclive reads all its steps again at each step, so that its time grows with their number.",
    "aim": "What aim takes to read includes the index, without which a repository shows no run.",
    LOG_DICT: "`log_dict` is what epochs with it took longer than those without, in one run of the trainer.",
}
"""What a reader of the table has to know of single trackers."""
