"""Commands side by side: how they end, and that none outlives a sweep."""

from __future__ import annotations

import os
import signal
import sys
from concurrent.futures import CancelledError
from pathlib import Path

import pytest

from neuroprism.runs.sweep.processes import Children, Job, Terminated

WAITS = """
import os, signal, sys
received = []
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, frame: received.append(number))
print("waiting", flush=True)
open(sys.argv[1], "w").write("ready")
while not received:
    signal.pause()
print(signal.Signals(received[0]).name)
"""


def job(folder: Path, name: str, code: str, *arguments: str) -> Job:
    return Job(name=name, words=[sys.executable, "-c", code, *arguments], output=folder / name / "said.txt")


def test_how_each_ended(tmp_path: Path) -> None:
    jobs = [
        job(tmp_path, "good", "print('done')"),
        job(tmp_path, "bad", "import sys; print('first'); sys.exit('why\\n\\n')"),
        job(tmp_path, "killed", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"),
    ]
    with Children(2, os.environ) as children:
        found = {ended.job.name: (ended.code, ended.last_line) for ended in children.run(jobs)}
    assert found == {"good": (0, "done"), "bad": (1, "why"), "killed": (-9, "")}


def test_output_is_added_to_what_is_there_and_the_last_line_is_of_this_time(tmp_path: Path) -> None:
    again = job(tmp_path, "a", "import os; os.environ['SAYS'] and print(os.environ['SAYS'])")
    for said in ("one", ""):
        with Children(1, {"SAYS": said}) as children:
            (ended,) = children.run([again])
    assert ended.last_line == ""
    assert again.output.read_text() == "one\n"


def test_each_has_a_session_of_its_own(tmp_path: Path) -> None:
    """So that Ctrl-C in a terminal reaches it once, from the sweep."""
    with Children(1, os.environ) as children:
        (ended,) = children.run([job(tmp_path, "a", "import os; print(os.getsid(0) == os.getpid())")])
    assert ended.last_line == "True"


def test_nothing_starts_once_all_were_asked_to_end(tmp_path: Path) -> None:
    with Children(1, os.environ) as children:
        children._send(signal.SIGINT)
        with pytest.raises(CancelledError):
            next(children.run([job(tmp_path, "late", "print('begun')")]))
    assert (tmp_path / "late" / "said.txt").read_text() == ""


def test_no_more_than_n_at_a_time(tmp_path: Path) -> None:
    """With one at a time each finds the mark of the one before gone."""
    code = "import os, sys; os.mkdir(sys.argv[1]); os.rmdir(sys.argv[1])"
    jobs = [job(tmp_path, str(n), code, str(tmp_path / "mark")) for n in range(4)]
    with Children(1, os.environ) as children:
        assert [ended.code for ended in children.run(jobs)] == [0] * 4


@pytest.mark.parametrize(
    ("error", "sent"), [(KeyboardInterrupt(), "SIGINT"), (Terminated(), "SIGTERM"), (ValueError(), "SIGINT")]
)
def test_an_exception_ends_what_runs_and_starts_nothing_more(
    tmp_path: Path, error: BaseException, sent: str
) -> None:
    os.mkfifo(tmp_path / "ready")
    first = job(tmp_path, "first", WAITS, str(tmp_path / "ready"))
    second = job(tmp_path, "second", "print('begun')")
    with pytest.raises(type(error)), Children(1, os.environ) as children:  # noqa: PT012
        children.run([first, second])
        assert (tmp_path / "ready").read_text() == "ready"
        raise error
    assert first.output.read_text().split() == ["waiting", sent]
    assert not second.output.exists()


def test_sigterm_becomes_an_exception_and_is_given_back(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Terminated), Children(1, os.environ):
        os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before
