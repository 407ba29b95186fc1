"""What a process leaves behind when it ends without a word."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from neuroprism.core.records import EpochRecord
from neuroprism.monitor import Monitor, ResumePoint, read_events, read_run, read_steps, run_status
from neuroprism.monitor.build import file_sinks

LOOP = """
import sys
from neuroprism.monitor import Monitor
monitor = Monitor(sys.argv[1], {"mse": 1.0}, log_frequency=10, flush_seconds=1e9, config={"a": 1})
for step in range(1, 36):
    monitor.step({"mse": 1.0 / step}, lr=0.1)
    if step % 15 == 0:
        monitor.epoch(val={"mse": 0.5})
END
"""


def run(folder: Path, end: str) -> subprocess.CompletedProcess[bytes]:
    code = LOOP.replace("END", end)
    return subprocess.run(
        [sys.executable, "-c", code, str(folder)], capture_output=True, timeout=60, check=False
    )


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "killed"
    done = run(folder, "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    assert done.returncode == -signal.SIGKILL, done.stderr
    return folder


def test_what_was_flushed_survives_a_kill(killed: Path) -> None:
    columns = read_steps(killed)
    # Step 35 is five steps after the last flush.
    assert columns["step"].tolist() == list(range(1, 31))
    assert columns["loss/mse"].tolist() == [1.0 / step for step in range(1, 31)]
    epochs = [event for event in read_events(killed) if isinstance(event, EpochRecord)]
    assert [epoch.epoch for epoch in epochs] == [1, 2]
    log = json.loads((killed / "training_log.json").read_text())
    assert log["train_loss"] == [epoch.train["total"] for epoch in epochs]
    assert log["val/mse"] == [0.5, 0.5]
    text = (killed / "training.log").read_text()
    assert "Step 30 - Total: 0.0333, mse: 0.0333" in text
    assert "Epoch 2 Summary:" in text
    assert (killed / "config.yaml").read_text() == "{a: 1}\n"
    assert not list(killed.glob(".*.tmp"))


def test_a_killed_run_is_lost_and_not_running_for_ever(killed: Path) -> None:
    assert read_run(killed).status == "running"
    assert run_status(killed) == "lost"


def test_a_killed_run_can_be_resumed(killed: Path) -> None:
    with Monitor(killed, {"mse": 1.0}, sinks=file_sinks(), resume=ResumePoint(step=15, epoch=1)) as monitor:
        for step in range(16, 41):
            monitor.step({"mse": 1.0 / step})
        monitor.epoch()
    assert read_steps(killed)["step"].tolist() == list(range(1, 41))
    assert len(json.loads((killed / "training_log.json").read_text())["train_loss"]) == 2
    assert run_status(killed) == "finished"


@pytest.mark.parametrize("end", ["pass", "raise ValueError('x')", "sys.exit(3)"])
def test_a_program_that_forgets_to_close_keeps_its_last_steps(tmp_path: Path, end: str) -> None:
    folder = tmp_path / "forgotten"
    run(folder, end)
    assert read_steps(folder)["step"].tolist() == list(range(1, 36))
    card = read_run(folder)
    assert card.status == "interrupted"
    assert card.message == "the program ended without closing the monitor"


def test_a_closed_monitor_is_silent_at_the_end_of_the_program(tmp_path: Path) -> None:
    done = run(tmp_path / "closed", "monitor.close()")
    assert done.returncode == 0
    assert b"Traceback" not in done.stderr
    assert read_run(tmp_path / "closed").status == "finished"
