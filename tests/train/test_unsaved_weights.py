"""Checkpoints that cannot be written: training goes on, the old file stays, and the end is honest."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from neuroprism.core import files
from neuroprism.core.errors import DataError, RunError, TrainingError
from neuroprism.core.records import Alert
from neuroprism.monitor import read_events, read_run
from neuroprism.train import Checkpoint, TrainingInterrupted, load_checkpoint, save_checkpoint
from neuroprism.train import checkpoint as checkpoint_module


class Full:
    """A file of which the disk takes two thousand bytes."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._room = 2000

    def write(self, content: bytes) -> int:
        self._room -= len(content)
        if self._room < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written: int = self._file.write(content)
        return written

    def flush(self) -> None:
        self._file.flush()


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return what has no room for the files whose name or number of replacement `is_full` accepts."""

    class Disk:
        n = 0
        is_full: Callable[[str, int], bool] = staticmethod(lambda name, n: False)

    def replaced(path: Path, write: Callable[[Any], None]) -> None:
        Disk.n += 1
        full = Disk.is_full(path.name, Disk.n)
        files.replace_with(path, (lambda file: write(Full(file))) if full else write)

    monkeypatch.setattr(checkpoint_module, "replace_with", replaced)
    return Disk


def told(folder: Path) -> list[Alert]:
    return [e for e in read_events(folder) if isinstance(e, Alert) and e.kind == "checkpoint_failed"]


def test_a_disk_that_fills_up_leaves_the_old_file_and_is_named(tmp_path: Path, disk: Any) -> None:
    """torch says "unexpected pos 1152 vs 1046" of it."""
    path = tmp_path / "last.pt"
    save_checkpoint(path, Checkpoint(epoch=1, batch=0, step=1, task="toy", model={}))
    disk.is_full = lambda name, n: True
    larger = Checkpoint(epoch=1, batch=0, step=2, task="toy", model={str(n): 1.0 for n in range(1000)})
    with pytest.raises(RunError, match=r"cannot write checkpoint .*last.pt: No space left on device"):
        save_checkpoint(path, larger)
    assert load_checkpoint(path).step == 1
    assert [file.name for file in tmp_path.iterdir()] == ["last.pt"]


def test_other_errors_of_torch_are_not_taken_for_one_of_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*given: Any) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(checkpoint_module.torch, "save", fail)
    with pytest.raises(RuntimeError, match="out of memory"):
        save_checkpoint(tmp_path / "x.pt", Checkpoint(epoch=1, batch=0, step=1, task="toy", model={}))


def test_training_goes_on_and_saves_when_there_is_room_again(
    make_run: Any, open_monitor: Any, toy: Any, disk: Any
) -> None:
    training = toy.config(epochs=5)
    whole = make_run(training)
    whole.fit()
    disk.n = 0
    # Two files an epoch: those of the epochs 2 to 4 do not fit.
    disk.is_full = lambda name, n: 3 <= n <= 8
    run = make_run(training, monitor=open_monitor(training, "watched"), name="watched")
    kept = []
    run.task.before_evaluation = lambda: kept.append(
        load_checkpoint(run.folder).epoch if (run.folder / "checkpoints" / "last.pt").exists() else 0
    )
    result = run.fit()
    run.monitor.close()
    assert kept == [0, 1, 1, 1, 1]
    assert toy.same_weights(run.task.model, whole.task.model)
    assert load_checkpoint(result.last_path).step == 30
    assert not list(run.folder.rglob("*.tmp"))
    opened, closed = told(run.folder)
    assert (opened.severity, opened.step, opened.epoch, opened.is_news) == ("critical", 12, 2, True)
    assert opened.message.startswith("the weights after step 12 were not saved: cannot write checkpoint ")
    assert opened.message.endswith("last.pt: No space left on device")
    assert (closed.state, closed.count, closed.last_seen) == ("closed", 3, 24)
    assert closed.key() == opened.key()
    assert read_run(run.folder).status == "finished"


def test_a_second_full_disk_is_a_second_alert(make_run: Any, open_monitor: Any, toy: Any, disk: Any) -> None:
    training = toy.config(epochs=5)
    disk.is_full = lambda name, n: n in (3, 8)
    run = make_run(training, monitor=open_monitor(training, "watched"), name="watched")
    run.fit()
    run.monitor.close()
    assert [(alert.state, alert.step) for alert in told(run.folder)] == [
        ("open", 12),
        ("closed", 12),
        ("open", 24),
        ("closed", 24),
    ]


def test_last_weights_that_are_not_on_the_disk_are_an_error(
    make_run: Any, open_monitor: Any, toy: Any, disk: Any
) -> None:
    training = toy.config(epochs=3)
    whole = make_run(training)
    whole.fit()
    disk.is_full = lambda name, n: name == "last.pt" and n > 8
    run = make_run(training, monitor=open_monitor(training, "watched"), name="watched")
    with pytest.raises(TrainingError) as caught:
        run.fit()
    last = run.folder / "checkpoints" / "last.pt"
    assert str(caught.value) == (
        f"training reached its end, but the last weights were not saved: cannot write checkpoint {last}: "
        f"No space left on device; continue with --resume {last}, which is older"
    )
    assert caught.value.exit_code == 1
    assert toy.same_weights(run.task.model, whole.task.model)
    assert read_run(run.folder).status == "failed"
    disk.is_full = lambda name, n: False
    saved = load_checkpoint(run.folder)
    assert saved.epoch == 1
    again = make_run(training, monitor=open_monitor(training, "watched", resume=saved), name="watched")
    again.fit(resume=saved)
    again.monitor.close()
    assert toy.same_weights(again.task.model, whole.task.model)
    assert told(run.folder) == []


def test_selected_weights_that_are_not_on_the_disk_are_an_error(make_run: Any, toy: Any, disk: Any) -> None:
    disk.is_full = lambda name, n: name == "best.pt"
    run = make_run(toy.config(epochs=2))
    with pytest.raises(TrainingError, match=r"the best weights, of epoch 2, were not saved: .*best.pt"):
        run.fit()
    assert run.monitor.closed == ("failed", run.monitor.closed[1])
    assert load_checkpoint(run.folder).epoch == 2
    # One alert for the streak.
    assert len({id(alert) for alert in run.monitor.alerts}) == 1


def test_the_file_of_one_epoch_may_be_missing_at_the_end(make_run: Any, toy: Any, disk: Any) -> None:
    disk.is_full = lambda name, n: name == "epoch_0001.pt"
    run = make_run(toy.config(epochs=2, checkpointing={"save_frequency": 1}))
    run.fit()
    assert [alert.kind for alert in run.monitor.alerts[:1]] == ["checkpoint_failed"]


def test_an_interrupted_run_says_that_its_last_step_is_not_saved(make_run: Any, toy: Any, disk: Any) -> None:
    run = make_run(toy.config(epochs=3))
    disk.is_full = lambda name, n: n > 2

    def interrupt(batch: Any) -> None:
        if run.monitor.n_steps == 10:
            raise KeyboardInterrupt

    run.task.before_loss = interrupt
    with pytest.raises(TrainingInterrupted) as caught:
        run.fit()
    last = run.folder / "checkpoints" / "last.pt"
    assert str(caught.value).endswith(
        f"cannot write checkpoint {last}: No space left on device; "
        f"continue with --resume {last}, which is older"
    )
    assert load_checkpoint(last).step == 6


def test_weights_of_another_epoch_do_not_stand_in_for_the_selected_ones(make_run: Any, toy: Any) -> None:
    result = make_run(toy.config(epochs=2)).fit()
    assert result.selected().epoch == result.best_epoch
    with pytest.raises(DataError, match=r"best.pt holds epoch 2, not epoch 5, which was selected"):
        replace(result, best_epoch=5).selected()
    with pytest.raises(DataError, match="no epoch was selected"):
        replace(result, best_path=None).selected()
