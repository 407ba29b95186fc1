"""One writer in a run folder: real processes, dead ones, other computers, old views of the folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from neuroprism.core.errors import RunError
from neuroprism.core.strict_json import encode
from neuroprism.monitor import claim as claims
from neuroprism.monitor.claim import Writer, claim
from neuroprism.monitor.reading import HEARTBEAT_LOST_SECONDS
from neuroprism.monitor.run_identity import host, process_started

WRITER = """
import sys
from neuroprism.core.errors import RunError
from neuroprism.monitor import Monitor
from neuroprism.monitor.build import file_sinks
print("loaded", flush=True)
sys.stdin.readline()
try:
    monitor = Monitor(sys.argv[1], {"mse": 1.0}, sinks=file_sinks(), overwrite=True)
    monitor.step({"mse": 1.0})
    monitor.flush()
    print("writes", flush=True)
except RunError as error:
    print(error, flush=True)
sys.stdin.readline()
"""

Process = subprocess.Popen[str]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], Process]]:
    """Return a starter of processes that write into one folder when they are given a line."""
    with ExitStack() as stack:

        def begin() -> Process:
            command = [sys.executable, "-c", WRITER, str(tmp_path / "run")]
            pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
            process = stack.enter_context(subprocess.Popen(command, **pipes))
            stack.callback(process.kill)
            return process

        yield begin


def tell(process: Process) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def hear(process: Process) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_of_processes_that_start_at_once_one_writes(start: Callable[[], Process], tmp_path: Path) -> None:
    processes = [start() for _ in range(4)]
    assert [hear(process) for process in processes] == ["loaded"] * 4
    for process in processes:
        tell(process)
    answers = [hear(process) for process in processes]
    assert answers.count("writes") == 1, answers
    writer = processes[answers.index("writes")]
    for refusal in (answer for answer in answers if answer != "writes"):
        # Who comes in the very moment does not know the name yet.
        assert f"is being written by process {writer.pid}" in refusal or "just now" in refusal
    assert len((tmp_path / "run" / "steps.jsonl").read_text().splitlines()) == 1


def test_a_killed_process_holds_nothing(start: Callable[[], Process], tmp_path: Path) -> None:
    process = start()
    tell(process)
    assert [hear(process), hear(process)] == ["loaded", "writes"]
    with pytest.raises(RunError, match="is being written by process"):
        claim(tmp_path / "run")
    process.send_signal(signal.SIGKILL)
    process.wait()
    claim(tmp_path / "run").give_back()


def test_a_process_that_ended_well_holds_nothing_and_numbers_are_not_used_again(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        held = claim(tmp_path)
        held.give_back()
        assert (tmp_path / ".writers" / str(number)).read_bytes() == claims.FREE
    assert sorted(os.listdir(tmp_path / ".writers")) == ["1", "2", "3"]


def held_by(folder: Path, number: int, **given: Any) -> Path:
    path = folder / ".writers" / str(number)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(encode(Writer(**{"host": "elsewhere", "pid": 7, **given})))
    return path


def aged(path: Path, seconds: float) -> None:
    os.utime(path, (time.time() - seconds,) * 2)


def test_another_computer_is_believed_while_it_gives_signs_of_life(tmp_path: Path) -> None:
    path = held_by(tmp_path, 1)
    with pytest.raises(RunError, match="is being written by process 7 on elsewhere; stop it first"):
        claim(tmp_path)
    aged(path, HEARTBEAT_LOST_SECONDS + 1)
    (tmp_path / "run.json").touch()
    with pytest.raises(RunError, match="on elsewhere"):
        claim(tmp_path)
    aged(tmp_path / "run.json", HEARTBEAT_LOST_SECONDS + 1)
    claim(tmp_path)
    assert sorted(os.listdir(path.parent)) == ["1", "2"]


def test_a_later_process_with_the_number_of_a_dead_one_does_not_hold_its_folder(tmp_path: Path) -> None:
    parent = os.getppid()
    began = process_started(parent)
    if began is None:
        pytest.skip("processes cannot be told apart here")
    held_by(tmp_path, 1, host=host(), pid=parent, process_started=began)
    with pytest.raises(RunError, match=f"is being written by process {parent}"):
        claim(tmp_path)
    held_by(tmp_path, 1, host=host(), pid=parent, process_started=began - 1)
    claim(tmp_path)


def test_a_job_that_was_started_anew_does_not_wait_for_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held_by(tmp_path, 1, job="41", restart="")
    monkeypatch.setenv("SLURM_JOB_ID", "42")
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    with pytest.raises(RunError, match="on elsewhere"):
        claim(tmp_path)
    monkeypatch.setenv("SLURM_JOB_ID", "41")
    claim(tmp_path)


@pytest.mark.parametrize("content", [b"", b'{"host":"elsew'])
def test_who_died_before_saying_its_name_holds_the_folder_for_a_minute(
    tmp_path: Path, content: bytes
) -> None:
    path = held_by(tmp_path, 1)
    path.write_bytes(content)
    with pytest.raises(RunError, match="just now"):
        claim(tmp_path)
    aged(path, claims.NAMELESS_SECONDS + 1)
    claim(tmp_path)


def test_who_acts_on_an_old_view_of_the_folder_looks_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a network file system may show a folder as it was half a minute ago."""
    claim(tmp_path).give_back()
    held_by(tmp_path, 2)
    seen, listdir = [["1"], ["1"]], os.listdir
    monkeypatch.setattr(claims.os, "listdir", lambda path: seen.pop() if seen else listdir(path))
    with pytest.raises(RunError, match="on elsewhere"):
        claim(tmp_path)
    assert not seen


def test_a_fork_cannot_give_back_the_claim_of_its_parent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = claim(tmp_path)
    before = (tmp_path / ".writers" / "1").read_bytes()
    monkeypatch.setattr(claims.os, "getpid", lambda: 1)
    held.give_back()
    assert (tmp_path / ".writers" / "1").read_bytes() == before
