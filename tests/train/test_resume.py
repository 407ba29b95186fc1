"""Resume and interruption: as if nothing had happened, bit for bit."""

from __future__ import annotations

import json
import math
import os
import random
import signal
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from neuroprism.core.errors import ConfigError, DataError
from neuroprism.train import TrainingInterrupted, load_checkpoint

SCHEDULES: list[dict[str, Any]] = [
    {"type": "cosine_annealing_warm_restarts", "T_0": 1, "warmup_epochs": 0.5},
    {"type": "reduce_on_plateau", "patience": 0, "threshold": 10.0},
    {"type": "exponential"},
]


def rows(folder: Path) -> list[str]:
    return (folder / "steps.jsonl").read_text().splitlines()


def epochs(folder: Path) -> list[dict[str, Any]]:
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    clock = ("time", "seconds", "samples_per_second")
    return [
        {k: v for k, v in event.items() if k not in clock} for event in events if event["event"] == "epoch"
    ]


def noisy(toy: Any) -> Any:
    """A task that draws from every global random state, with dropout."""
    task = toy.Task(dropout=0.3)

    def disturb(batch: dict[str, torch.Tensor]) -> None:
        batch["x"] = batch["x"] + 0.1 * random.random() + 0.1 * np.random.standard_normal()  # noqa: NPY002

    task.before_loss = disturb
    return task


@pytest.fixture
def train(make_run: Any, open_monitor: Any, toy: Any, tmp_path: Path) -> Any:
    """Train in folder `name` with a real monitor, from scratch or from that folder's last.pt."""

    def run(training: Any, name: str, *, resume: bool = False, prepare: Any = lambda run: None) -> Any:
        checkpoint = load_checkpoint(tmp_path / name) if resume else None
        monitor = open_monitor(training, name, resume=checkpoint)
        run = make_run(training, task=noisy(toy), monitor=monitor, name=name)
        prepare(run)
        run.fit(resume=checkpoint)
        monitor.close()
        return run

    return run


@pytest.mark.parametrize("schedule", SCHEDULES, ids=[s["type"] for s in SCHEDULES])
@pytest.mark.parametrize("kind", ["adamw", "sgd"])
def test_two_and_two_epochs_equal_four(
    train: Any, toy: Any, tmp_path: Path, schedule: dict[str, Any], kind: str
) -> None:
    def training(n: int) -> Any:
        optimizer = {"type": kind, "learning_rate": 1e-2}
        return toy.config(epochs=n, scheduler=schedule, optimizer=optimizer, accumulation_steps=2)

    train(training(4), "whole")
    train(training(2), "parts")
    train(training(4), "parts", resume=True)
    whole, parts = (load_checkpoint(tmp_path / name) for name in ("whole", "parts"))
    assert toy.differing(toy.contents(whole), toy.contents(parts)) == []
    assert rows(tmp_path / "whole") == rows(tmp_path / "parts")
    assert epochs(tmp_path / "whole") == epochs(tmp_path / "parts")
    best = [load_checkpoint(tmp_path / name / "checkpoints" / "best.pt") for name in ("whole", "parts")]
    assert toy.differing(*map(toy.contents, best)) == []


def interrupt_after(n: int, *, by: str) -> Any:
    """Press Ctrl-C, or raise KeyboardInterrupt, while batch number n + 1 is being computed."""

    def prepare(run: Any) -> None:
        disturb, seen = run.task.before_loss, iter(range(10**6))

        def act(batch: Any) -> None:
            disturb(batch)
            if next(seen) == n:
                if by == "raise":
                    raise KeyboardInterrupt
                os.kill(os.getpid(), signal.SIGINT)

        run.task.before_loss = act

    return prepare


@pytest.mark.parametrize("n", [0, 1, 8, 11, 12, 17])
@pytest.mark.parametrize("by", ["signal", "raise"])
def test_interrupt_inside_an_epoch_leaves_no_trace(
    train: Any, toy: Any, tmp_path: Path, n: int, by: str
) -> None:
    training = toy.config(epochs=3, accumulation_steps=2, scheduler={"type": "cosine_annealing"})
    train(training, "whole")
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(TrainingInterrupted, match="--resume") as caught:
        train(training, "parts", prepare=interrupt_after(n, by=by))
    assert caught.value.exit_code == 130
    assert signal.getsignal(signal.SIGINT) is handler
    checkpoint = load_checkpoint(tmp_path / "parts")
    n_done = n - n % 2 if by == "raise" else n - n % 2 + 2
    assert checkpoint.epoch * 6 + checkpoint.batch == n_done
    assert len(rows(tmp_path / "parts")) == n_done // 2
    assert json.loads((tmp_path / "parts" / "run.json").read_text())["status"] == "interrupted"
    if by == "raise":
        # Python's and NumPy's states are those of the interruption; only PyTorch's is kept for every step.
        return
    train(training, "parts", resume=True)
    whole, parts = (load_checkpoint(tmp_path / name) for name in ("whole", "parts"))
    assert toy.differing(toy.contents(whole), toy.contents(parts)) == []
    assert rows(tmp_path / "whole") == rows(tmp_path / "parts")
    assert epochs(tmp_path / "whole") == epochs(tmp_path / "parts")


def test_keyboard_interrupt_inside_a_step_keeps_pytorchs_random_state(make_run: Any, toy: Any) -> None:
    """Where no signal could be caught, dropout masks still continue as they would have."""
    training = toy.config(epochs=2)
    whole = make_run(training, task=toy.Task(dropout=0.3), name="whole")
    whole.fit()
    parts = make_run(training, task=toy.Task(dropout=0.3), name="parts")
    interrupt_after(4, by="raise")(parts)
    with pytest.raises(TrainingInterrupted):
        parts.fit()
    again = make_run(training, task=toy.Task(dropout=0.3), name="parts")
    again.fit(resume=load_checkpoint(again.folder))
    for one, other in zip(
        whole.task.model.state_dict().values(), again.task.model.state_dict().values(), strict=True
    ):
        assert torch.equal(one, other)


def test_interrupt_during_validation_validates_again(train: Any, toy: Any, tmp_path: Path) -> None:
    training = toy.config(epochs=2)
    train(training, "whole")

    def prepare(run: Any) -> None:
        run.task.before_evaluation = lambda: os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(TrainingInterrupted):
        train(training, "parts", prepare=prepare)
    checkpoint = load_checkpoint(tmp_path / "parts")
    assert (checkpoint.epoch, checkpoint.batch) == (0, 6)
    train(training, "parts", resume=True)
    assert rows(tmp_path / "whole") == rows(tmp_path / "parts")
    assert epochs(tmp_path / "whole") == epochs(tmp_path / "parts")
    whole, parts = (load_checkpoint(tmp_path / name) for name in ("whole", "parts"))
    assert toy.differing(toy.contents(whole), toy.contents(parts)) == []


def test_second_ctrl_c_leaves_at_once() -> None:
    from neuroprism.train.interrupt import InterruptFlag

    with InterruptFlag() as flag:
        os.kill(os.getpid(), signal.SIGINT)
        assert flag.requested
        with pytest.raises(KeyboardInterrupt):
            flag.obey()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    with flag:
        assert not flag.requested


def test_training_works_outside_the_main_thread(make_run: Any) -> None:
    results = []
    run = make_run()
    thread = threading.Thread(target=lambda: results.append(run.fit()))
    thread.start()
    thread.join()
    assert results[0].n_epochs == 2


def test_early_stopping_continues_to_count(make_run: Any, toy: Any) -> None:
    def training(n: int) -> Any:
        stopping = {"monitor": "val/score", "mode": "max", "patience": 3}
        return toy.config(epochs=n, early_stopping=stopping)

    def scripted(run: Any, values: list[float]) -> Any:
        script = iter(values)
        run.task.before_evaluation = lambda: setattr(run.task, "metrics", {"score": next(script)})
        return run

    scripted(make_run(training(3)), [0.5, 0.4, 0.3]).fit()
    again = scripted(make_run(training(9)), [0.2, 0.9])
    result = again.fit(resume=load_checkpoint(again.folder))
    assert (result.n_epochs, result.stopped_early, result.best_epoch, result.best_value) == (4, True, 1, 0.5)
    once_more = make_run(training(9))
    assert once_more.fit(resume=load_checkpoint(once_more.folder)).n_epochs == 4
    assert once_more.monitor.n_steps == 0


def test_finished_training_is_not_repeated(make_run: Any) -> None:
    make_run().fit()
    again = make_run()
    result = again.fit(resume=load_checkpoint(again.folder))
    assert (result.n_epochs, again.monitor.n_steps) == (2, 0)


def test_average_can_be_switched_on_when_resuming(make_run: Any, toy: Any) -> None:
    make_run(toy.config(ema_decay=None)).fit()
    again = make_run(toy.config(epochs=3, ema_decay=0.9))
    again.fit(resume=load_checkpoint(again.folder))
    assert load_checkpoint(again.folder).average is not None


def test_checkpoint_that_does_not_fit_is_refused(make_run: Any, toy: Any) -> None:
    run = make_run()
    run.fit()
    checkpoint = load_checkpoint(run.folder)
    other = make_run()
    other.task.name = "other"
    with pytest.raises(DataError, match="is of task 'toy', not 'other'"):
        other.fit(resume=checkpoint)
    checkpoint.batch = 3
    with pytest.raises(ConfigError, match="inside an epoch of 6 batches, which now has 3"):
        make_run().fit(*toy.loaders(batch_size=16), resume=checkpoint)


def test_smaller_batches_go_on_at_the_same_sample(make_run: Any, toy: Any) -> None:
    """As after memory was not enough."""
    run = make_run()
    seen: list[list[int]] = []
    run.task.before_loss = lambda batch: seen.append(batch["id"].tolist())
    interrupt_after(2, by="signal")(run)
    with pytest.raises(TrainingInterrupted):
        run.fit()
    halved = make_run(toy.config(epochs=1, accumulation_steps=2))
    halved.task.before_loss = lambda batch: seen.append(batch["id"].tolist())
    halved.fit(*toy.loaders(batch_size=4), resume=load_checkpoint(run.folder))
    ids = [one for batch in seen for one in batch]
    whole = make_run(toy.config(epochs=1), name="whole")
    order: list[int] = []
    whole.task.before_loss = lambda batch: order.extend(batch["id"].tolist())
    whole.fit()
    assert ids == order
    assert len(halved.monitor.steps) == 3


def test_workers_change_nothing(make_run: Any, toy: Any) -> None:
    runs = []
    for n_workers in (0, 2):
        run = make_run(toy.config(epochs=2, max_steps_per_epoch=4), name=str(n_workers))
        run.fit(*toy.loaders(num_workers=n_workers))
        runs.append(run)
    for one, other in zip(*(run.task.model.state_dict().values() for run in runs), strict=True):
        assert torch.equal(one, other)
    assert not math.isnan(float(runs[0].monitor.steps[-1]["losses"]["kind"]))
