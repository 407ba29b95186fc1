"""Training while the record cannot be written: the same weights, and an alert that says what is wrong."""

from __future__ import annotations

import errno
import json
import os
import threading
from typing import Any

import pytest
import torch

from neuroprism.core.files import LineAppender
from neuroprism.monitor import fan_out
from neuroprism.monitor.sinks.tensorboard import TensorBoard
from neuroprism.train import load_checkpoint


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


@pytest.mark.parametrize(
    ("ground", "sink", "said"),
    [
        (full_disk, "steps_file", "No space left on device"),
        (hanging, "tensorboard", "it did not answer within 0.02 s"),
        (broken, "tensorboard", "cannot open shared object file"),
    ],
)
def test_weights_are_those_of_an_undisturbed_run(
    ground: Any, sink: str, said: str, program: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"training__log_frequency": 2, "logging__use_tensorboard": True}
    assert program.train("--epochs", "2", experiment="whole", **settings) == 0
    with monkeypatch.context() as patch:
        ground(patch)
        assert program.train("--epochs", "2", **settings) == 0
    one, other = (load_checkpoint(program.run_folder(name)).model for name in ("x", "whole"))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    (alert,) = program.events("alert")
    assert (alert["kind"], alert["severity"], alert["evidence"]["sink"]) == ("sink_failed", "warning", sink)
    assert said in alert["message"]
    assert json.loads((program.run_folder() / "run.json").read_text())["status"] == "finished"
    folders = [program.run_folder(name) for name in ("x", "whole")]
    one, other = (json.loads((folder / "training_log.json").read_text()) for folder in folders)
    assert one["train_loss"] == other["train_loss"]
    if sink != "steps_file":
        assert program.rows() == program.rows("whole")
