"""What two processes do together; the tests start it twice and look at what it leaves behind.

Every scenario trains once or more in folders below OUT, and each process writes
how it went to ``OUT/<name>.<rank>.json``.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import math
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from neuroprism.core.errors import NeuroprismError
from neuroprism.core.launch import read_launch
from neuroprism.core.records import Alert
from neuroprism.monitor import Monitor, ResumePoint, SilentMonitor
from neuroprism.train import (
    HardwareConfig,
    Processes,
    ReproducibilityConfig,
    Trainer,
    TrainingConfig,
    load_checkpoint,
    process_group,
)

_spec = importlib.util.spec_from_file_location("toy", Path(__file__).with_name("conftest.py"))
assert _spec is not None
assert _spec.loader is not None
toy = importlib.util.module_from_spec(_spec)
sys.modules["toy"] = toy
_spec.loader.exec_module(toy)

Prepare = Callable[[Any, Trainer], None]
BATCH_NORM_AND_NOISE = {"dropout": 0.3, "batch_norm": True}
UNEVEN: dict[str, Any] = {"n": 51, "drop_last": False}
"""The last batch of an epoch is short and cannot be halved."""
SGD = {"type": "sgd", "learning_rate": 0.05}


class WithMetrics(Trainer):
    def _update_metrics(self, metrics: Any, loss_components: Any, batch: Any) -> None:
        metrics.mean_id = batch["id"].double().mean()


def play(
    out: Path,
    name: str,
    training: TrainingConfig,
    task: Any,
    *,
    folder: str | None = None,
    batch_size: int = 8,
    resume: bool = False,
    prepare: Prepare = lambda task, trainer: None,
    rules: Any = None,
    **options: Any,
) -> dict[str, Any]:
    """Train once; return, and write down, how it went for this process."""
    place = out / (folder or name)
    rank = read_launch().rank
    checkpoint = load_checkpoint(place) if resume else None
    point = ResumePoint.from_state(checkpoint.monitor) if checkpoint else None
    monitor: Monitor
    if rank == 0:
        monitor = Monitor(
            place,
            task.components,
            log_frequency=training.log_frequency,
            sinks=None,
            rules=rules,
            resume=point,
        )
    else:
        monitor = SilentMonitor(place, task.components, resume=point)
    trainer = WithMetrics(
        training,
        hardware=HardwareConfig(device="cpu"),
        reproducibility=ReproducibilityConfig(seed=5),
        monitor=monitor,
        folder=place,
    )
    prepare(task, trainer)
    story: dict[str, Any] = {"error": None}
    try:
        result = trainer.fit(task, *toy.loaders(batch_size=batch_size, **options), resume=checkpoint)
        story |= {
            "n_epochs": result.n_epochs,
            "n_steps": result.n_steps,
            "best": [result.best_epoch, result.best_value],
            "stopped_early": result.stopped_early,
        }
    except NeuroprismError as error:
        story |= {"error": type(error).__name__, "message": str(error), "said_by": error.said_by}
    monitor.close()
    story |= {
        "steps_seen": monitor.n_steps,
        "parameters": digest(dict(task.model.named_parameters())),
        "buffers": digest(dict(task.model.named_buffers())),
    }
    (out / f"{name}.{rank}.json").write_text(json.dumps(story))
    return story


def digest(state: dict[str, Any]) -> str:
    whole = hashlib.sha256()
    for value in state.values():
        whole.update(value.detach().numpy().tobytes())
    return whole.hexdigest()


def at_batch(number: int, rank: int, act: Callable[[Any], None]) -> Prepare:
    """Let `act` have the batch `number`, from 0, of the process `rank`."""

    def prepare(task: Any, trainer: Trainer) -> None:
        seen = iter(range(10**6))

        def before_loss(batch: Any) -> None:
            if next(seen) == number and trainer.processes.rank == rank:
                act(batch)

        task.before_loss = before_loss

    return prepare


def poison(batch: Any) -> None:
    batch["x"] = batch["x"] * math.nan


def press(number: signal.Signals) -> Callable[[Any], None]:
    return lambda batch: os.kill(os.getpid(), number)


def scripted(values: list[float]) -> Prepare:
    """Give `val/score` these values, one for each validation."""

    def prepare(task: Any, trainer: Trainer) -> None:
        script = iter(values)
        task.before_evaluation = lambda: setattr(task, "metrics", {"score": next(script)})

    return prepare


def equivalence(accumulate: int) -> TrainingConfig:
    return toy.config(epochs=2, accumulation_steps=accumulate, gradient_clip=0.5, optimizer=SGD)


def noisy(epochs: int) -> TrainingConfig:
    return toy.config(epochs=epochs, optimizer=SGD, ema_decay=0.9)


def diverged(history: Any) -> list[Alert]:
    return [Alert(rule="r", kind="k", severity="critical", message="diverged", stop=True)]


def scenarios(out: Path, processes: Processes) -> None:
    for accumulate in (1, 2):
        play(out, f"equal_{accumulate}", equivalence(accumulate), toy.ToyTask(dropout=0.0), **UNEVEN)

    def task() -> Any:
        return toy.ToyTask(**BATCH_NORM_AND_NOISE)

    play(out, "whole", noisy(3), task(), n=130)
    play(out, "first_half", noisy(2), task(), folder="halves", n=130)
    play(out, "second_half", noisy(3), task(), folder="halves", n=130, resume=True)
    for name, number, rank in (("ctrl_c", signal.SIGINT, 1), ("terminated", signal.SIGTERM, 0)):
        asked = at_batch(12, rank, press(number))
        play(out, name, noisy(3), task(), folder=f"cut_{name}", n=130, prepare=asked)
        play(out, f"after_{name}", noisy(3), task(), folder=f"cut_{name}", n=130, resume=True)

    bad = at_batch(4, 1, poison)
    play(out, "stop", toy.config(log_frequency=100), task(), prepare=bad)
    play(out, "skip", toy.config(on_non_finite="skip"), task(), prepare=bad)
    play(out, "alert", toy.config(epochs=3), task(), rules=[diverged])
    play(out, "cut_alert", toy.config(epochs=2), task(), rules=[diverged])
    play(out, "after_alert", toy.config(epochs=2), task(), folder="cut_alert", rules=[diverged], resume=True)
    stopping = {"monitor": "val/score", "mode": "max", "patience": 2}
    early = toy.config(epochs=9, early_stopping=stopping)
    play(out, "early", early, task(), prepare=scripted([-0.5, -0.2, -0.2, -0.3, 0.9]))
    exchanged(out, processes)
    idle = toy.ToyTask()
    idle.model.idle = torch.nn.Linear(2, 2)
    play(out, "idle", toy.config(), idle)
    # The last one: after it there is nobody to talk to.
    play(out, "lost", toy.config(), task(), prepare=at_batch(3, 1, lambda batch: os._exit(9)))


def exchanged(out: Path, processes: Processes) -> None:
    """Write down what the processes tell each other."""
    said: dict[str, Any] = {
        "gathered": processes.gather(processes.rank),
        "mean": processes.mean(torch.tensor([1.0, math.inf]) * (processes.rank + 1)).tolist(),
        "from_first": processes.from_first(lambda: f"by {processes.rank}"),
        "drawn": float(torch.rand(())),
    }
    for rank in (0, 1):
        try:
            with processes.agreeing():
                if processes.rank == rank:
                    raise ZeroDivisionError("no way")
        except (ZeroDivisionError, NeuroprismError) as error:
            said[f"failure of {rank}"] = [type(error).__name__, str(error)]
    (out / f"exchanged.{processes.rank}.json").write_text(json.dumps(said))


def main() -> None:
    out = Path(sys.argv[1])
    try:
        with process_group(HardwareConfig(device="cpu")) as processes:
            scenarios(out, processes)
    except NeuroprismError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
