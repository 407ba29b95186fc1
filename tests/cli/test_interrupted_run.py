"""Ctrl-C or SIGTERM during training: exit code 130 or 143, a checkpoint that loads, a run that goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from neuroprism.abr.task import AbrTask
from neuroprism.train import load_checkpoint


def test_ctrl_c_can_be_resumed(program: Any, repository: Path) -> None:
    settings = {"training__log_frequency": 1, "training__max_steps_per_epoch": 5}
    words = program.arguments("--epochs", "100000", **settings)[1:]
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-u", str(repository / "train.py"), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("Step 8 "):
                break
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    last = errors.splitlines()[-1]
    assert last.startswith("neuroprism: interrupted after step ")
    assert "--resume" in last
    card = json.loads((program.run_folder() / "run.json").read_text())
    assert card["status"] == "interrupted"
    checkpoint = load_checkpoint(program.run_folder())
    assert checkpoint.step >= 8
    assert len(program.rows()) == checkpoint.step

    n_epochs = checkpoint.epoch + 2
    assert program.train("--resume", "--epochs", str(n_epochs), **settings) == 0
    assert json.loads((program.run_folder() / "run.json").read_text())["status"] == "finished"
    assert program.train("--epochs", str(n_epochs), experiment="whole", **settings) == 0
    assert program.rows() == program.rows("whole")


def test_sigterm_saves_and_leaves_with_143(
    program: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a batch system asks for it; the run then goes on as if nothing had been."""
    plain, seen = AbrTask.losses, iter(range(10**6))

    def losses(self: AbrTask, model: Any, batch: Any) -> Any:
        if next(seen) == 4:
            os.kill(os.getpid(), signal.SIGTERM)
        return plain(self, model, batch)

    monkeypatch.setattr(AbrTask, "losses", losses)
    assert program.train("--epochs", "2") == 143
    assert (
        capsys.readouterr()
        .err.splitlines()[-1]
        .startswith("neuroprism: ended by SIGTERM after step 5; continue with")
    )
    card = json.loads((program.run_folder() / "run.json").read_text())
    assert (card["status"], card["message"]) == ("interrupted", "stopped by SIGTERM")
    assert program.train("--epochs", "2", "--resume") == 0
    assert program.train("--epochs", "2", experiment="whole") == 0
    assert program.rows() == program.rows("whole")
