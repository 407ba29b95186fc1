from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuroprism.core.errors import DataError
from neuroprism.monitor import Monitor
from neuroprism.monitor.sinks.tensorboard import TensorBoard
from neuroprism.runs.traces import read_trace

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from torch.utils.tensorboard import SummaryWriter

Add = Callable[..., None]


def write(folder: Path, add: Callable[[Add], None], **options: Any) -> Path:
    """Write event files with the writer of torch."""
    writer = SummaryWriter(folder, **options)
    add(writer.add_scalar)
    writer.close()
    return folder


def test_losses_of_steps_and_evaluations(tmp_path: Path) -> None:
    def add(scalar: Add) -> None:
        for step in range(300):
            scalar("Loss/train", 2 / (step + 1), step)
            scalar("lr", 1e-3, step)
            if step % 50 == 49:
                scalar("Loss/val", 3.0, step)

    trace = read_trace(write(tmp_path / "run", add))
    assert trace.name == "run"
    assert trace.steps.step.tolist() == list(range(300))
    assert np.allclose(trace.steps.losses[:, 0], 2 / np.arange(1, 301))
    assert np.allclose(trace.steps.lr, 1e-3)
    assert [e.step for e in trace.epochs] == list(range(49, 300, 50))
    assert trace.epochs[0].val == {"loss": 3.0, "total": 3.0}


@pytest.mark.parametrize("new_style", [False, True])
def test_evaluations_counted_by_epochs(tmp_path: Path, new_style: bool) -> None:
    def add(scalar: Add) -> None:
        for step in range(300):
            scalar("train/signal_loss", 2 / (step + 1), step, walltime=float(step), new_style=new_style)
            scalar("train/peak_loss", 1.0, step, walltime=float(step), new_style=new_style)
            if step % 50 == 49:
                scalar("val/signal_loss", 0.5, step // 50, walltime=step + 0.5, new_style=new_style)

    trace = read_trace(write(tmp_path / "run", add))
    assert [c.name for c in trace.facts.components] == ["signal", "peak"]
    assert [(e.epoch, e.step, e.val) for e in trace.epochs] == [
        (k, 50 * k + 49, {"signal": 0.5}) for k in range(6)
    ]
    assert trace.steps.epoch.tolist() == [k // 50 for k in range(300)]


def test_event_files_of_this_project(tmp_path: Path) -> None:
    weights = {"signal": 1.0, "peak": 0.5}
    sinks = [TensorBoard(log_frequency=1)]
    with Monitor(tmp_path / "run", weights, sinks=sinks, flush_seconds=1e9) as monitor:
        for step in range(40):
            monitor.step({"signal": 1.0 / (step + 1), "peak": 2.0}, lr=0.1, grad_norm=3.0)
            if step % 10 == 9:
                monitor.epoch(val={"signal": 0.5, "peak": 2.0}, metrics={"r2": 0.1})
    trace = read_trace(tmp_path / "run")
    assert [c.name for c in trace.facts.components] == ["signal", "peak"]
    assert trace.steps.step.tolist() == list(range(1, 41))
    assert trace.steps.total[0] == pytest.approx(2.0)
    assert np.allclose(trace.steps.grad_norm, 3.0)
    assert [e.epoch for e in trace.epochs] == [1, 2, 3, 4]
    assert [e.step for e in trace.epochs] == [10, 20, 30, 40]
    assert trace.epochs[0].val_metrics == pytest.approx({"r2": 0.1})


def test_a_resumed_run_in_two_files(tmp_path: Path) -> None:
    def first(scalar: Add) -> None:
        for step in range(10):
            scalar("loss", 1.0, step)

    def second(scalar: Add) -> None:
        for step in range(5, 12):
            scalar("loss", 2.0, step)

    write(tmp_path / "run", first, filename_suffix=".a")
    write(tmp_path / "run", second, filename_suffix=".b")
    trace = read_trace(tmp_path / "run")
    assert trace.steps.losses[:, 0].tolist() == [1.0] * 5 + [2.0] * 7
    assert any("goes back" in note for note in trace.notes)


def test_a_damaged_file_is_read_up_to_the_damage(tmp_path: Path) -> None:
    folder = write(tmp_path / "run", lambda scalar: [scalar("loss", 1.0, k) for k in range(10)] and None)
    (path,) = folder.iterdir()
    path.write_bytes(path.read_bytes()[:-20])
    trace = read_trace(path)
    assert len(trace.steps) == 9
    assert any("damaged after" in note for note in trace.notes)
    path.write_bytes(b"x" * 100)
    with pytest.raises(DataError, match="no event file, or damaged from its beginning"):
        read_trace(path)


def test_files_without_a_loss(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no loss that is recognised"):
        read_trace(write(tmp_path / "a", lambda scalar: scalar("speed", 1.0, 1)))
    with pytest.raises(DataError, match="no scalars"):
        read_trace(write(tmp_path / "b", lambda scalar: None))
