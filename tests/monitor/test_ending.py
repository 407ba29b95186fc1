"""How runs end, and what a careless end leaves behind."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import pytest

from neuroprism.core.records import Status
from neuroprism.monitor import Monitor, read_events, read_run, read_steps
from neuroprism.monitor.build import file_sinks
from neuroprism.monitor.ending import close_at_exit, how_it_ended


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (None, "finished", None),
        (KeyboardInterrupt(), "interrupted", "stopped by Ctrl-C"),
        (ValueError("two\n  lines"), "failed", "ValueError: two lines"),
        (SystemExit(3), "failed", "SystemExit: 3"),
    ],
)
def test_status_and_message_of_an_end(
    error: BaseException | None, status: Status, message: str | None
) -> None:
    assert how_it_ended(error) == (status, message)


class Target:
    """Something to close."""

    def __init__(self) -> None:
        self.ends: list[tuple[Status, str | None]] = []

    def close(self, status: Status = "finished", message: str | None = None) -> None:
        self.ends.append((status, message))


def test_waiting_for_the_exit_keeps_nothing_alive() -> None:
    target = Target()
    forget = close_at_exit(target)
    alive = weakref.ref(target)
    del target
    gc.collect()
    assert alive() is None
    forget()


def test_a_failing_device_does_not_keep_the_end_from_being_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**_: object) -> None:
        raise RuntimeError("device-side assert triggered")

    monitor = Monitor(tmp_path, {"mse": 1.0}, sinks=file_sinks())
    monitor.step({"mse": 1.0})
    monkeypatch.setattr(monitor._pending, "take", broken)
    with pytest.raises(RuntimeError, match="device-side assert"), monitor:
        raise ValueError("the loop stumbled")
    run = read_run(tmp_path)
    assert (run.status, run.message) == ("failed", "ValueError: the loop stumbled")
    assert read_events(tmp_path)[-1].message == "ValueError: the loop stumbled"  # type: ignore[union-attr]


def test_a_forgotten_monitor_does_not_end_the_run_that_replaced_it(tmp_path: Path) -> None:
    forgotten = Monitor(tmp_path, {"mse": 1.0}, sinks=file_sinks())
    forgotten.step({"mse": 1.0})
    with Monitor(tmp_path, {"mse": 1.0}, sinks=file_sinks(), overwrite=True) as second:
        second.step({"mse": 2.0})
        second.epoch()
    card = read_run(tmp_path)
    forgotten.close("interrupted")
    assert read_run(tmp_path) == card
    assert card.status == "finished"
    assert read_steps(tmp_path)["loss/mse"].tolist() == [2.0]
    assert [type(event).__name__ for event in read_events(tmp_path)] == ["Started", "EpochRecord", "Finished"]
