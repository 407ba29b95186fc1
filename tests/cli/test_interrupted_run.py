"""Ctrl-C or SIGTERM during `train.py`: exit code 130 or 143, a checkpoint, and a run that goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from neuroprism.train import load_checkpoint


@pytest.mark.parametrize(
    ("sent", "code", "said", "why"),
    [
        (signal.SIGINT, 130, "interrupted", "stopped by Ctrl-C"),
        (signal.SIGTERM, 143, "ended by SIGTERM", "stopped by SIGTERM"),
    ],
)
def test_a_run_that_was_asked_to_end_can_be_resumed(
    program: Any, repository: Path, sent: signal.Signals, code: int, said: str, why: str
) -> None:
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
        os.killpg(process.pid, sent)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == code, errors
    assert "Traceback" not in errors
    last = errors.splitlines()[-1]
    assert last.startswith(f"neuroprism: {said} after step ")
    assert "--resume" in last
    card = json.loads((program.run_folder() / "run.json").read_text())
    assert (card["status"], card["message"]) == ("interrupted", why)
    checkpoint = load_checkpoint(program.run_folder())
    assert checkpoint.step >= 8
    assert len(program.rows()) == checkpoint.step

    n_epochs = checkpoint.epoch + 2
    assert program.train("--resume", "--epochs", str(n_epochs), **settings) == 0
    assert json.loads((program.run_folder() / "run.json").read_text())["status"] == "finished"
    assert program.train("--epochs", str(n_epochs), experiment="whole", **settings) == 0
    assert program.rows() == program.rows("whole")
