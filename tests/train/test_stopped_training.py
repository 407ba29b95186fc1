"""Training that is stopped by an alert or for want of memory: saved, told, resumable."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from neuroprism.core.errors import TrainingError, TrainingStopped
from neuroprism.core.records import Alert, CheckpointSaved, Finished
from neuroprism.monitor import History, read_events, read_steps
from neuroprism.train import load_checkpoint, state
from neuroprism.train.out_of_memory import is_out_of_memory, memory_alert

CUDA = "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 15.77 GiB"
CPU = (
    "[enforce fail at alloc_cpu.cpp:114] err == 0. DefaultCPUAllocator: can't allocate memory: "
    "you tried to allocate 4000 bytes. Error code 12 (Cannot allocate memory)"
)
MPS = "MPS backend out of memory (MPS allocated: 18.0 GB, max allowed: 18.1 GB)."
ERRORS = {
    "cuda": (torch.OutOfMemoryError(CUDA), "CUDA out of memory; Tried to allocate 20.00 GiB"),
    "cpu": (RuntimeError(CPU), CPU.split(". ")[1]),
    "mps": (RuntimeError(MPS), MPS.rstrip(".")),
    "numpy": (MemoryError(), "MemoryError"),
}


def high_loss(history: History) -> Iterator[Alert]:
    """Warn from step 4 on."""
    if history.window is not None and history.window.step[-1] >= 4:
        yield Alert(rule="high_loss", kind="explosion", severity="warning", message="the loss is 7.1")


def failing(error: BaseException, *, at: int) -> Any:
    """Raise `error` in batch number `at`, from 0."""
    seen = iter(range(10**6))

    def act(batch: Any) -> None:
        if next(seen) == at:
            raise error

    return act


def ended(folder: Path) -> tuple[str, str]:
    card = json.loads((folder / "run.json").read_text())
    return card["status"], card["message"]


def test_an_alert_of_a_named_severity_stops_and_the_run_goes_on(
    make_run: Any, open_monitor: Any, toy: Any
) -> None:
    training = toy.config(log_frequency=2)
    watched = {"rules": [high_loss], "stop_on": ["warning"]}
    whole = make_run(training)
    whole.fit()
    run = make_run(training, monitor=open_monitor(training, "run", **watched), name="run")
    with pytest.raises(TrainingStopped, match=r"by an alert: the loss is 7.1; continue with --resume"):
        run.fit()
    last = load_checkpoint(run.folder)
    assert last.step == len(read_steps(run.folder)["step"]) == 4
    events = read_events(run.folder)
    assert [e.reason for e in events if isinstance(e, CheckpointSaved)] == ["stopped"]
    status, message = ended(run.folder)
    assert status == "failed"
    assert "the loss is 7.1" in message
    monitor = open_monitor(training, "run", resume=last, **watched)
    again = make_run(training, monitor=monitor, name="run")
    again.fit(resume=last)
    assert toy.same_weights(again.task.model, whole.task.model)
    assert monitor.stop_requested is None
    monitor.close()
    told = [e for e in read_events(run.folder) if isinstance(e, Alert) and e.is_news]
    assert len(told) == 1


def test_steps_that_were_held_back_are_recorded_before_it_stops(
    make_run: Any, open_monitor: Any, toy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = state.NonFiniteGuard
    monkeypatch.setattr(state, "NonFiniteGuard", lambda *a, **k: plain(*a, **k, deferred=True))
    training = toy.config(log_frequency=6)
    monitor = open_monitor(training, "run", rules=[high_loss], stop_on=["warning"], flush_seconds=0)
    run = make_run(training, monitor=monitor)
    with pytest.raises(TrainingStopped):
        run.fit()
    last = load_checkpoint(run.folder)
    assert last.step == last.monitor["step"] == 6


def test_a_non_finite_step_leaves_the_last_good_checkpoint(
    make_run: Any, open_monitor: Any, toy: Any
) -> None:
    training = toy.config(on_non_finite="stop")
    run = make_run(training, monitor=open_monitor(training, "run", stop_on=["critical"]))
    run.task.before_loss = lambda batch: batch.update(x=batch["x"] * float("nan"))
    with pytest.raises(TrainingError, match="is NaN at step 1") as caught:
        run.fit()
    assert not isinstance(caught.value, TrainingStopped)
    assert not (run.folder / "checkpoints").exists()


@pytest.mark.parametrize("name", ERRORS)
def test_memory_that_is_not_enough_is_told_and_the_state_saved(
    make_run: Any, open_monitor: Any, toy: Any, name: str
) -> None:
    error, reason = ERRORS[name]
    training = toy.config(accumulation_steps=2)
    run = make_run(training, monitor=open_monitor(training, "run"))
    run.task.before_loss = failing(error, at=5)
    with pytest.raises(TrainingStopped) as caught:
        run.fit()
    head = "memory was not enough in step 3 with batches of 8 samples and"
    message = f"{head} training.accumulation_steps=2: {reason}"
    advice = (
        "set data.dataloader.batch_size=4 and training.accumulation_steps=4, or set "
        "hardware.mixed_precision=true"
    )
    assert (
        str(caught.value) == f"{message}; {advice}; continue with --resume {run.folder}/checkpoints/last.pt"
    )
    assert (caught.value.exit_code, caught.value.__cause__) == (1, None)
    (alert,) = run.monitor.alerts
    assert (alert.rule, alert.kind, alert.severity) == ("out_of_memory", "out_of_memory", "critical")
    assert (alert.message, alert.advice, alert.step, alert.epoch) == (message, advice, 3, 1)
    assert alert.evidence["batch_size"] == 8
    assert load_checkpoint(run.folder).step == 2
    assert len(read_steps(run.folder)["step"]) == 2
    assert ended(run.folder)[0] == "failed"
    last = read_events(run.folder)[-1]
    assert isinstance(last, Finished)
    assert last.status == "failed"


@pytest.mark.parametrize("batch_norm", [False, True])
def test_going_on_after_it_equals_going_through(
    make_run: Any, open_monitor: Any, toy: Any, batch_norm: bool
) -> None:
    training = toy.config(accumulation_steps=2, ema_decay=0.9)
    whole = make_run(training, task=toy.Task(batch_norm=batch_norm), name="whole")
    whole.fit()
    run = make_run(training, task=toy.Task(batch_norm=batch_norm), monitor=open_monitor(training, "run"))
    run.task.before_loss = failing(MemoryError(), at=7)
    with pytest.raises(TrainingStopped):
        run.fit()
    last = load_checkpoint(run.folder)
    monitor = open_monitor(training, "run", resume=last)
    again = make_run(training, task=toy.Task(batch_norm=batch_norm), monitor=monitor)
    again.fit(resume=last)
    monitor.close()
    assert toy.same_weights(again.task.model, whole.task.model)


def test_memory_that_is_not_enough_to_apply_a_step_saves_no_half_step(
    make_run: Any, toy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, seen = torch.optim.AdamW.step, iter(range(10**6))

    def step(self: Any, *arguments: Any, **options: Any) -> Any:
        if next(seen) == 8:
            raise torch.OutOfMemoryError(CUDA)
        return plain(self, *arguments, **options)

    monkeypatch.setattr(torch.optim.AdamW, "step", step)
    run = make_run()
    with pytest.raises(TrainingStopped, match="continue with --resume"):
        run.fit()
    assert load_checkpoint(run.folder).step == 6
    monkeypatch.setattr(torch.optim.AdamW, "step", lambda *_, **__: (_ for _ in ()).throw(MemoryError()))
    run = make_run(name="first")
    with pytest.raises(TrainingStopped, match="nothing was saved"):
        run.fit()


def test_validation_without_enough_memory_keeps_the_epoch(make_run: Any) -> None:
    run = make_run()

    def fail() -> None:
        raise RuntimeError(MPS)

    run.task.before_evaluation = fail
    with pytest.raises(TrainingStopped, match=r"not enough after step 6 with"):
        run.fit()
    last = load_checkpoint(run.folder)
    assert (last.epoch, last.batch, last.step) == (0, 6, 6)
    assert [alert.kind for alert in run.monitor.alerts] == ["out_of_memory"]


def test_other_errors_stay_what_they_are(make_run: Any) -> None:
    run = make_run()
    run.task.before_loss = failing(RuntimeError("shapes do not fit"), at=2)
    with pytest.raises(RuntimeError, match=r"^shapes do not fit$"):
        run.fit()
    assert not is_out_of_memory(ValueError("out of memory"))


@pytest.mark.parametrize(
    ("given", "advice"),
    [
        ({"batch_size": 1}, "set hardware.mixed_precision=true"),
        (
            {"batch_size": 5, "mixed_precision": True},
            "set data.dataloader.batch_size=2 and training.accumulation_steps=2",
        ),
        ({"batch_size": 1, "device": "mps"}, "train a smaller network, or on a device with more memory"),
        (
            {"batch_size": None, "mixed_precision": True},
            "halve data.dataloader.batch_size and double training.accumulation_steps",
        ),
    ],
)
def test_only_remedies_that_are_left_are_proposed(given: dict[str, Any], advice: str) -> None:
    options = {"accumulation_steps": 1, "mixed_precision": False, "device": "cuda:0"} | given
    alert = memory_alert(MemoryError(), step=1, epoch=1, in_step=True, **options)
    assert alert.advice == advice
