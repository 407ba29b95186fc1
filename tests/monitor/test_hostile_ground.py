"""A full disk, a folder that goes away, sinks that hang, clocks that go backwards: the loop goes on."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from neuroprism.core import files
from neuroprism.core.errors import RunError
from neuroprism.core.records import Alert
from neuroprism.monitor import (
    Monitor,
    ResumePoint,
    fan_out,
    read_events,
    read_run,
    read_steps,
    run_card,
    run_status,
)
from neuroprism.monitor.build import file_sinks
from neuroprism.monitor.sinks.tensorboard import TensorBoard
from neuroprism.monitor.sinks.text_log import TextLog


def train(folder: Path, sinks: list[Any], between: Callable[[int], None] = lambda step: None) -> Monitor:
    """Take six steps of two epochs; `between` happens before each of them."""
    with Monitor(folder, {"mse": 1.0}, sinks=sinks, log_frequency=1) as monitor:
        for step in range(1, 7):
            between(step)
            monitor.step({"mse": 1.0 / step})
            if step % 3 == 0:
                monitor.epoch(val={"mse": 0.5})
    return monitor


def failed(monitor: Monitor) -> dict[str, str]:
    """Return what the alerts about sinks say, by sink."""
    return {alert.evidence["sink"]: alert.message for alert in monitor.alerts if alert.kind == "sink_failed"}


def steps(folder: Path) -> list[int]:
    found: list[int] = read_steps(folder)["step"].tolist()
    return found


FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_costs_the_file_that_does_not_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = files.LineAppender.append

    def append(appender: files.LineAppender, lines: bytes) -> None:
        if appender.path.name == "steps.jsonl" and b'"step":3,' in lines:
            os.write(appender._file.fileno(), lines[:5])
            raise FULL
        plain(appender, lines)

    monkeypatch.setattr(files.LineAppender, "append", append)
    monitor = train(tmp_path, [*file_sinks(), TextLog(1)])
    assert failed(monitor).keys() == {"steps_file"}
    assert "No space left on device" in failed(monitor)["steps_file"]
    assert steps(tmp_path) == [1, 2]
    assert [event for event in read_events(tmp_path) if isinstance(event, Alert)] != []
    assert run_status(tmp_path) == "finished"
    assert "Step 6 - Total" in (tmp_path / "training.log").read_text()


def test_a_limit_on_files_is_survived(tmp_path: Path) -> None:
    """As a quota: what is longer than the limit is not written, training goes on, the end is recorded."""
    code = """
import resource, signal, sys
from neuroprism.monitor import Monitor
from neuroprism.monitor.build import file_sinks
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with Monitor(sys.argv[1], {"mse": 1.0}, sinks=file_sinks(), log_frequency=10) as monitor:
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
    for step in range(200):
        monitor.step({"mse": 1.0})
    print(monitor.n_steps, *(alert.evidence["sink"] for alert in monitor.alerts))
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "run")], capture_output=True, text=True)
    assert done.stdout.split() == ["200", "steps_file"], done.stderr
    assert "File too large" in done.stderr
    recorded = steps(tmp_path / "run")
    assert recorded == list(range(1, len(recorded) + 1))
    assert 10 <= len(recorded) < 200
    assert read_run(tmp_path / "run").status == "finished"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_device_that_is_full_is_said(tmp_path: Path) -> None:
    (tmp_path / "training.log").symlink_to("/dev/full")
    monitor = train(tmp_path, [*file_sinks(), TextLog(1)])
    assert "No space left on device" in failed(monitor)["text_log"]
    assert steps(tmp_path) == [1, 2, 3, 4, 5, 6]


def test_a_folder_that_is_removed_is_said_at_the_next_step(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"

    def remove(step: int) -> None:
        if step == 2:
            subprocess.run(["rm", "-r", str(folder)], check=True)
        said = capsys.readouterr().err
        assert ("steps.jsonl was removed while it was written" in said) is (step == 3)

    monitor = train(folder, file_sinks(), remove)
    assert monitor.n_steps == 6
    assert failed(monitor).keys() == {"run_file", "steps_file", "events_file", "training_log"}
    assert failed(monitor)["steps_file"].endswith("steps.jsonl was removed while it was written")


def test_a_folder_that_becomes_read_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Open files go on; what is replaced is not. Root may write anywhere: the refusal is simulated."""

    def refuse(step: int) -> None:
        if step == 2:
            error = PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            monkeypatch.setattr(files, "replace_with", _raiser(error))

    monitor = train(tmp_path, file_sinks(), refuse)
    assert failed(monitor).keys() == {"training_log", "run_file"}
    assert "Permission denied" in failed(monitor)["training_log"]
    assert steps(tmp_path) == [1, 2, 3, 4, 5, 6]
    assert len([event for event in read_events(tmp_path) if type(event).__name__ == "EpochRecord"]) == 2


def _raiser(error: Exception) -> Callable[..., None]:
    def fail(*given: Any) -> None:
        raise error

    return fail


def test_a_read_only_folder_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "touch", _raiser(OSError(errno.EROFS, os.strerror(errno.EROFS))))
    with pytest.raises(RunError, match="Read-only file system"):
        Monitor(tmp_path / "run", {"mse": 1.0}, sinks=file_sinks())
    assert not list(tmp_path.rglob("*.json*"))


def test_files_that_another_process_locks_are_written(tmp_path: Path) -> None:
    """Locks of POSIX are advice, which the record neither takes nor asks for."""
    for name in ("steps.jsonl", "events.jsonl", "training_log.json"):
        (tmp_path / name).touch()
    code = """
import fcntl, sys
held = [open(path, "r+b") for path in sys.argv[1:]]
for file in held:
    fcntl.flock(file, fcntl.LOCK_EX)
    fcntl.lockf(file, fcntl.LOCK_EX)
print("locked", flush=True)
sys.stdin.readline()
"""
    paths = [str(path) for path in sorted(tmp_path.iterdir())]
    command = [sys.executable, "-c", code, *paths]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"locked\n"
        with (tmp_path / "steps.jsonl").open("rb") as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        monitor = train(tmp_path, file_sinks())
        process.kill()
    assert not monitor.alerts
    assert steps(tmp_path) == [1, 2, 3, 4, 5, 6]


def test_a_clock_that_goes_backwards_changes_no_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = iter(range(2_000_000_000, 0, -1000))
    monkeypatch.setattr(time, "time", lambda: float(next(now)))
    with Monitor(tmp_path, {"mse": 1.0}, sinks=[*file_sinks(), TensorBoard(1)], log_frequency=1) as monitor:
        for _ in range(3):
            monitor.step({"mse": 1.0})
        point = ResumePoint.from_state(monitor.state_dict())
        monitor.step({"mse": 9.0})
    for _ in range(2):
        sinks = [*file_sinks(), TensorBoard(1)]
        with Monitor(tmp_path, {"mse": 1.0}, sinks=sinks, resume=point, log_frequency=1) as monitor:
            monitor.step({"mse": 2.0})
            point = ResumePoint.from_state(monitor.state_dict())
    assert not failed(monitor)
    assert read_steps(tmp_path)["loss/mse"].tolist() == [1.0, 1.0, 1.0, 2.0, 2.0]
    assert _shown(tmp_path) == [(1, 1.0), (2, 1.0), (3, 1.0), (4, 2.0), (5, 2.0)]


def test_tensorboard_goes_on_from_the_latest_file_whatever_the_clock_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill between the new file and emptying the old one leaves both; the clock went back meanwhile."""
    now = [2_000_000_000.0]
    monkeypatch.setattr(time, "time", lambda: now[0])
    point = None
    monkeypatch.setattr(os, "truncate", lambda path, size: None)
    for value in (1.0, 2.0, 3.0):
        sinks = [*file_sinks(), TensorBoard(1)]
        with Monitor(tmp_path, {"mse": 1.0}, sinks=sinks, resume=point, log_frequency=1) as monitor:
            monitor.step({"mse": value})
            point = ResumePoint.from_state(monitor.state_dict())
        now[0] -= 1000
    last = max(tmp_path.glob("events.out.tfevents.*"))
    assert _points(last) == [(1, 1.0), (2, 2.0), (3, 3.0)]


def _shown(folder: Path) -> list[tuple[int, float]]:
    return sorted(point for path in folder.glob("events.out.tfevents.*") for point in _points(path))


def _points(path: Path) -> list[tuple[int, float]]:
    from tensorboard.compat.proto.event_pb2 import Event

    from neuroprism.monitor.sinks.tfrecord import read_records

    events = map(Event.FromString, read_records(path))
    values = ((event.step, value) for event in events for value in event.summary.value)
    return [(step, value.simple_value) for step, value in values if value.tag == "step/mse"]


class Hanging:
    """Waits for what never comes, in one of its methods."""

    name = "hanging"

    def __init__(self, method: str) -> None:
        self._method = method
        self._never = threading.Event()
        self.calls = 0

    def _come_by(self, method: str) -> None:
        if method == self._method:
            self.calls += 1
            self._never.wait()

    def open(self, run: Any, folder: Path) -> None:
        self._come_by("open")

    def write(self, record: Any) -> None:
        try:
            self._come_by("write")
        except TimeoutError:
            # As one that tries again whatever happens.
            self._come_by("write")

    def close(self) -> None:
        self._come_by("close")


@pytest.mark.parametrize("method", ["open", "write", "close"])
def test_a_sink_that_hangs_is_left_behind(
    method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fan_out, "WRITE_SECONDS", 0.02)
    monkeypatch.setattr(fan_out, "OPEN_SECONDS", 0.02)
    sink = Hanging(method)
    monitor = train(tmp_path, [*file_sinks(), sink])
    assert failed(monitor)["hanging"].endswith("TimeoutError: it did not answer within 0.02 s")
    assert steps(tmp_path) == [1, 2, 3, 4, 5, 6]
    assert run_status(tmp_path) == "finished"
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) is signal.SIG_DFL


def test_an_alarm_of_the_program_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rung = []
    former = signal.signal(signal.SIGALRM, lambda number, frame: rung.append(number))
    try:
        signal.setitimer(signal.ITIMER_REAL, 1000.0)
        train(tmp_path, [*file_sinks(), TextLog(1)])
        assert 900 < signal.getitimer(signal.ITIMER_REAL)[0] <= 1000
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)
    assert not rung


class NearlyFull:
    """A file of which a part of the next write still fits."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._room = 10

    def write(self, data: Any) -> int:
        if not self._room:
            raise FULL
        taken: int = self._file.write(bytes(data)[: self._room])
        self._room = 0
        return taken

    def close(self) -> None:
        self._file.close()


def test_points_that_fit_in_part_are_a_failure(tmp_path: Path) -> None:
    """The system takes a part and reports no error; what came behind it could not be read."""
    sink = TensorBoard(1)

    def fill(step: int) -> None:
        if step == 3:
            sink._file = NearlyFull(sink._file)  # type: ignore[assignment]

    monitor = train(tmp_path, [*file_sinks(), sink], fill)
    assert "No space left on device" in failed(monitor)["tensorboard"]
    (path,) = tmp_path.glob("events.out.tfevents.*")
    assert [step for step, _ in _points(path)] == [1, 2]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_no_room_for_the_first_points_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / ".tensorboard.tmp").symlink_to("/dev/full")
    monitor = train(tmp_path, [*file_sinks(), TensorBoard(1)])
    assert "No space left on device" in failed(monitor)["tensorboard"]
    assert not list(tmp_path.glob(".tensorboard*"))
    assert not list(tmp_path.glob("events.out.tfevents.*"))


def test_no_room_for_the_configuration_is_one_line_and_gives_the_folder_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(run_card, "replace_bytes", _raiser(FULL))
        with pytest.raises(RunError, match=r"cannot write run folder .*: No space left on device"):
            Monitor(tmp_path, {"mse": 1.0}, sinks=file_sinks(), config={"a": 1})
    assert (tmp_path / ".writers" / "1").read_bytes() == b"given back"
    assert not train(tmp_path, file_sinks()).alerts


def test_without_tensorboard_the_rest_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard.compat.proto.event_pb2", None)
    monkeypatch.delitem(sys.modules, "neuroprism.monitor.sinks.event_protos", raising=False)
    monkeypatch.delattr("neuroprism.monitor.sinks.event_protos", raising=False)
    monitor = train(tmp_path, [*file_sinks(), TensorBoard()])
    assert "tensorboard" in failed(monitor)
    assert steps(tmp_path) == [1, 2, 3, 4, 5, 6]


def test_limits_of_this_process_are_as_before() -> None:
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
