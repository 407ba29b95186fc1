"""The monitor of a process that keeps no record."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from neuroprism.core.errors import UnknownNameError
from neuroprism.monitor import Monitor, ResumePoint, SilentMonitor

# What needs nothing of a record and is inherited as it is.
SHARED = {"combine"}


@pytest.fixture
def silent(tmp_path: Path) -> SilentMonitor:
    return SilentMonitor(tmp_path / "run", {"a": 2.0, "b": 0.5})


def test_every_public_method_is_its_own_and_takes_what_the_monitor_takes() -> None:
    names = {name for name, _ in inspect.getmembers(Monitor, inspect.isfunction) if not name.startswith("_")}
    assert names - SHARED <= vars(SilentMonitor).keys()
    for name in names - SHARED:
        theirs = inspect.signature(getattr(Monitor, name)).parameters
        mine = inspect.signature(getattr(SilentMonitor, name)).parameters
        takes_all = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in mine.values())
        assert takes_all or mine.keys() == theirs.keys(), name


def test_attributes_are_those_of_the_monitor(silent: SilentMonitor, tmp_path: Path) -> None:
    monitor = Monitor(tmp_path / "real", {"a": 2.0}, sinks=[])
    public = {name for name in vars(monitor) if not name.startswith("_")}
    assert public == vars(silent).keys()
    monitor.close()


def test_losses_are_combined_and_checked(silent: SilentMonitor) -> None:
    assert silent.combine({"a": 1.0, "b": 4.0}) == 4.0
    with pytest.raises(UnknownNameError):
        silent.combine({"a": 1.0, "c": 4.0})


def test_steps_and_epochs_are_counted_and_nothing_is_written(silent: SilentMonitor) -> None:
    with silent as monitor:
        for _ in range(3):
            monitor.step({"a": 1.0, "b": 2.0}, lr=0.1, n_samples=4)
        monitor.flush()
        record = monitor.epoch(val={"a": 1.0, "b": 2.0}, metrics={"f1": 0.5}, best=True)
        monitor.note("x", severity="warning")
        monitor.histograms(weights={}, gradients={})
        monitor.gradients(norms={"a": 1.0}, clip_rate=0.5)
        monitor.checkpoint(silent.folder / "checkpoints" / "last.pt", reason="last")
        test = monitor.test(losses={"a": 1.0, "b": 2.0}, metrics={"f1": 0.5})
    assert (record.epoch, record.step, record.val["total"], record.val_metrics) == (1, 3, 3.0, {"f1": 0.5})
    assert test.metrics == {"f1": 0.5}
    assert silent.state_dict() == {"step": 3, "epoch": 1}
    assert silent.epoch_number == 2
    assert not silent.folder.exists()


def test_counting_goes_on_after_a_resume(tmp_path: Path) -> None:
    silent = SilentMonitor(tmp_path / "run", {"a": 1.0}, resume=ResumePoint(step=12, epoch=3))
    silent.step({"a": 1.0})
    assert (silent.n_steps, silent.epoch_number) == (13, 4)
