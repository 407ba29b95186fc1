"""Training while record or weights cannot be written: the same weights, and an alert says what is wrong."""

from __future__ import annotations

import errno
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.cli.conftest import FineTuning, Program

from neuroprism.abr import splits
from neuroprism.cli import eeg_run
from neuroprism.core.files import LineAppender
from neuroprism.monitor import fan_out
from neuroprism.monitor.sinks.tensorboard import TensorBoard
from neuroprism.train import checkpoint, load_checkpoint

SETTINGS = {"training__log_frequency": 2}


def full_disk(patch: pytest.MonkeyPatch) -> None:
    plain = LineAppender.append

    def append(appender: LineAppender, lines: bytes) -> None:
        if appender.path.name == "steps.jsonl":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        plain(appender, lines)

    patch.setattr(LineAppender, "append", append)


def hanging(patch: pytest.MonkeyPatch) -> None:
    never = threading.Event()
    patch.setattr(fan_out, "WRITE_SECONDS", 0.02)
    patch.setattr(TensorBoard, "write", lambda sink, record: never.wait())


def broken(patch: pytest.MonkeyPatch) -> None:
    def fail(sink: TensorBoard, run: Any, folder: Any) -> None:
        raise ImportError("libtensorboard.so: cannot open shared object file")

    patch.setattr(TensorBoard, "open", fail)


@pytest.fixture(scope="module")
def undisturbed(
    data_file: Path, eeg_store: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[type[Program], Program]:
    """Return both programs after a run of two epochs, in which all went well."""
    folder = tmp_path_factory.mktemp("undisturbed")
    programs = Program(folder / "abr", data_file), FineTuning(folder / "eeg", eeg_store)
    for program in programs:
        assert program.train("--epochs", "2", **SETTINGS, logging__use_tensorboard=True) == 0
    return {type(program): program for program in programs}


def check_equal(program: Program, other: Program) -> None:
    """The weights are those of an undisturbed run; the record that could be written is whole."""
    weights = [load_checkpoint(p.run_folder()).model for p in (program, other)]
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert json.loads((program.run_folder() / "run.json").read_text())["status"] == "finished"
    logs = [json.loads((p.run_folder() / "training_log.json").read_text()) for p in (program, other)]
    for log in logs:
        log.pop("epoch_time")
    assert logs[0] == logs[1]


def check_told(program: Program, sink: str, said: str) -> None:
    """One alert says which sink is off, and why."""
    (alert,) = program.events("alert")
    assert (alert["kind"], alert["severity"], alert["evidence"]["sink"]) == ("sink_failed", "warning", sink)
    assert said in alert["message"]
    assert alert["message"].isprintable()


@pytest.mark.parametrize(
    ("ground", "sink", "said"),
    [
        (full_disk, "steps_file", "No space left on device"),
        (hanging, "tensorboard", "it did not answer within 0.02 s"),
        (broken, "tensorboard", "cannot open shared object file"),
    ],
)
def test_weights_are_those_of_an_undisturbed_run(
    ground: Any, sink: str, said: str, either: Program, undisturbed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ground(monkeypatch)
    assert either.train("--epochs", "2", **SETTINGS, logging__use_tensorboard=True) == 0
    check_equal(either, undisturbed[type(either)])
    check_told(either, sink, said)
    if sink != "steps_file":
        assert either.rows() == undisturbed[type(either)].rows()


TRACKER = """
import threading

def come_by(place):
    if place == BROKEN:
        fail()

class Settings:
    def __init__(self, **given):
        pass

class Run:
    summary = {}
    n_rows = 0

    def define_metric(self, *given, **named):
        pass

    def log(self, numbers):
        Run.n_rows += 1
        if Run.n_rows == 3:
            come_by("log")

    def finish(self, exit_code):
        come_by("finish")

def init(**given):
    come_by("init")
    return Run()

come_by("import")
"""
RAISES = "def fail(): raise RuntimeError('\x1b[2Jthe service\\nis down')"
HANGS = "def fail(): threading.Event().wait()"


@pytest.mark.parametrize("backend", ["wandb", "trackio"])
def test_a_tracker_that_is_not_installed_is_an_alert(
    backend: str, program: Program, undisturbed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, backend, None)
    tracker = {"logging__use_wandb": True, "logging__tracker": backend}
    assert program.train("--epochs", "2", **SETTINGS, **tracker) == 0
    check_equal(program, undisturbed[Program])
    check_told(program, "tracker", f'{backend} is not installed; pip install "neuroprism[{backend}]"')
    assert program.rows() == undisturbed[Program].rows()


@pytest.mark.parametrize("place", ["import", "init", "log", "finish"])
@pytest.mark.parametrize(
    ("deed", "said"),
    [(RAISES, "the service is down"), (HANGS, "it did not answer within 0.05 s")],
    ids=["raises", "hangs"],
)
def test_a_broken_tracker_is_an_alert(
    place: str, deed: str, said: str, program: Program, undisturbed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = program.folder / "packages/wandb"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(f"BROKEN = {place!r}\n{deed}\n{TRACKER}")
    monkeypatch.syspath_prepend(str(package.parent))
    # Set and removed, so that what stands there at the end is taken away whatever stood there before.
    monkeypatch.setitem(sys.modules, "wandb", None)
    del sys.modules["wandb"]
    if deed == HANGS:
        monkeypatch.setattr(fan_out, "WRITE_SECONDS", 0.05)
        monkeypatch.setattr(fan_out, "OPEN_SECONDS", 0.05)
    assert program.train("--epochs", "2", **SETTINGS, logging__use_wandb=True) == 0
    check_equal(program, undisturbed[Program])
    check_told(program, "tracker", said)
    assert program.rows() == undisturbed[Program].rows()


def test_a_disk_without_room_for_checkpoints(
    either: Program, undisturbed: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Training goes on to its end, and the end is an error: the weights are nowhere."""
    plain, full = checkpoint.replace_with, True

    def replace(path: Path, write: Any) -> None:
        if full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        plain(path, write)

    monkeypatch.setattr(checkpoint, "replace_with", replace)
    assert either.train("--epochs", "2", **SETTINGS) == 1
    shown = capsys.readouterr().err
    last = either.run_folder() / "checkpoints"
    assert "Traceback" not in shown
    assert shown.splitlines()[-1].startswith(
        "neuroprism: training reached its end, but the best weights, of "
    )
    assert shown.splitlines()[-1].endswith(
        f"cannot write checkpoint {last / 'best.pt'}: No space left on device; nothing was saved"
    )
    (alert,) = either.events("alert")
    assert (alert["kind"], alert["severity"], alert["step"]) == ("checkpoint_failed", "critical", 3)
    assert either.rows() == undisturbed[type(either)].rows()
    full = False
    assert either.train("--epochs", "2", "--overwrite", **SETTINGS) == 0
    check_equal(either, undisturbed[type(either)])


def test_a_disk_without_room_for_a_moment(
    either: Program, undisturbed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, n = checkpoint.replace_with, iter(range(100))

    def replace(path: Path, write: Any) -> None:
        if path.name == "last.pt" and next(n) == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        plain(path, write)

    monkeypatch.setattr(checkpoint, "replace_with", replace)
    assert either.train("--epochs", "2", **SETTINGS) == 0
    check_equal(either, undisturbed[type(either)])
    assert [alert.get("state") for alert in either.events("alert")] == [None, "closed"]


def test_no_room_for_the_split_is_one_line(
    either: Program, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def replace(path: Path, content: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(splits if type(either) is Program else eeg_run, "replace_bytes", replace)
    assert either.train("--epochs", "2") == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line == f"neuroprism: cannot write run folder {either.run_folder()}: No space left on device"


def test_no_room_for_predictions_is_a_warning(
    finetuning: Program, undisturbed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = eeg_run.replace_bytes

    def replace(path: Path, content: bytes) -> None:
        if path.name == "predictions.jsonl":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        plain(path, content)

    monkeypatch.setattr(eeg_run, "replace_bytes", replace)
    assert finetuning.train("--epochs", "2", **SETTINGS) == 0
    check_equal(finetuning, undisturbed[FineTuning])
    note = finetuning.events("note")[-1]
    said = "predictions.jsonl was not written: No space left on device"
    assert (note["message"], note["severity"]) == (said, "warning")
