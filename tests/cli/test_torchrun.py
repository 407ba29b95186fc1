"""`torchrun train.py` and `torchrun finetune_main.py`: two processes, one run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import torch

from neuroprism.abr.loss_config import WEIGHT_KEYS
from neuroprism.cli import app
from neuroprism.cli.app import run
from neuroprism.core.errors import TrainingError
from neuroprism.monitor import run_status
from neuroprism.runs import load_run
from neuroprism.train import load_checkpoint

ROOT = Path(__file__).parents[2]
LAUNCHER = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
CLOCK = ["time", "seconds", "samples_per_second"]
NETWORK = """
import torch

class Powers(torch.nn.Module):
    def __init__(self, n_chans, n_outputs, n_times, sfreq):
        super().__init__()
        self.out = torch.nn.Linear(n_chans, n_outputs)

    def forward(self, x):
        return self.out(x.square().mean(-1).log1p())
"""


def torchrun(program: Any, *arguments: str, **settings: Any) -> subprocess.CompletedProcess[str]:
    return launch("train.py", *program.arguments(*arguments, **settings)[1:])


def launch(script: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*LAUNCHER, str(ROOT / script), *words],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path.cwd())},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_two_processes_make_one_run(program: Any, capsys: pytest.CaptureFixture[str]) -> None:
    done = torchrun(program, "--epochs", "1", data__dataloader__batch_size=8)
    assert done.returncode == 0, done.stderr
    assert [row["step"] for row in program.rows()] == [1, 2, 3]
    assert [event["epoch"] for event in program.events("epoch")] == [1]
    assert len(program.events("test")) == 1
    assert [event["status"] for event in program.events("finished")] == ["finished"]
    for once in ("Run x started", "Epoch 1/1 Summary", "Trained 1 epoch, 3 steps.", "Run finished"):
        assert done.stdout.count(once) == 1
    # A single process continues what two have begun.
    assert program.train("--epochs", "2", "--resume", data__dataloader__batch_size=16) == 0
    capsys.readouterr()
    assert [row["step"] for row in program.rows()] == [1, 2, 3, 4, 5, 6]


def test_fine_tuning_by_two_processes_equals_that_by_one(
    program: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In weights, rows, metrics and test results; the network draws nothing at random."""
    Path("networks.py").write_text(NETWORK)
    monkeypatch.syspath_prepend(str(program.folder))
    assert run(["simulate", "eeg", "MentalArithmetic", "raw", "--subjects", "4", "--seed", "0"]) == 0
    assert run(["prepare", "MentalArithmetic", "raw", "store"]) == 0
    words = ["--downstream_dataset", "MentalArithmetic", "--datasets_dir", "store", "--epochs", "2"]
    words += ["--backbone", "networks:Powers", "--lr", "1e-2", "--set", "logging.use_tensorboard=false"]
    words += ["--set", "logging.figure=false", "--set", "data.dataloader.drop_last=false"]
    # The last batch of the 60 windows is short.
    shared = launch("finetune_main.py", *words, "--model_dir", "both", "--batch_size", "8")
    assert shared.returncode == 0, shared.stderr
    assert run(["finetune", *words, "--model_dir", "alone", "--batch_size", "16", "--quiet"]) == 0
    both, alone = load_run("both"), load_run("alone")
    assert both.status == alone.status == "finished"
    assert len(alone.steps) == 8
    for table in ("steps", "epochs", "test"):
        mine, theirs = (getattr(one, table).drop(columns=CLOCK, errors="ignore") for one in (alone, both))
        pd.testing.assert_frame_equal(theirs, mine, check_exact=False, rtol=1e-5)
    mine, theirs = load_checkpoint(alone.path).model, load_checkpoint(both.path).model
    assert all(torch.allclose(theirs[name], mine[name], rtol=1e-5, atol=1e-6) for name in mine)


@pytest.mark.parametrize("balancing", ["fixed", "uncertainty", "upgrad"])
def test_two_processes_look_at_gradients_and_agree_on_weights(program: Any, balancing: str) -> None:
    settings = {"data__dataloader__batch_size": 8, "loss__balancing": balancing}
    looked = torchrun(program, "--epochs", "1", monitoring__gradients__every_n_steps=1, **settings)
    assert looked.returncode == 0, looked.stderr
    events = program.events("gradients")
    assert [event["step"] for event in events] == [1, 2, 3]
    # The heads begin at zero, so that nothing arrives at the trunk in the first step.
    assert all(norm > 0 for norm in events[-1]["norms"].values())
    for row in program.rows():
        parts = [row.get(f"weight/{c}", 1.0) * row[f"loss/{c}"] for c in WEIGHT_KEYS if f"loss/{c}" in row]
        assert row["loss/total"] == pytest.approx(sum(parts), rel=1e-6)
    if balancing == "fixed":
        other = torchrun(
            program, "--epochs", "1", experiment="y", monitoring__gradients__every_n_steps=0, **settings
        )
        assert other.returncode == 0, other.stderr
        one, same = (load_checkpoint(program.run_folder(name)).model for name in ("x", "y"))
        assert all(torch.equal(one[name], same[name]) for name in one)


@pytest.mark.slow
def test_what_all_processes_find_is_said_once(program: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.train("--epochs", "1") == 0
    capsys.readouterr()
    refused = torchrun(program, "--epochs", "2", data__dataloader__batch_size=8)
    assert refused.returncode == 1
    lines = [line for line in refused.stderr.splitlines() if line.startswith("neuroprism:")]
    assert len(lines) == 1, refused.stderr
    assert "already holds a run; continue it with --resume" in lines[0]


@pytest.mark.slow
def test_where_one_process_is_killed_the_other_ends_and_both_go_on(program: Any) -> None:
    endless = {"data__dataloader__batch_size": 8, "training__log_frequency": 1}
    words = program.arguments("--epochs", "100000", **endless)[1:]
    with subprocess.Popen(
        [*LAUNCHER, str(ROOT / "train.py"), *words],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as launcher:
        assert launcher.stdout is not None
        # In the second epoch, so that there is a checkpoint.
        assert any(line.startswith("Step 5 ") for line in launcher.stdout)
        children = Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children").read_text().split()
        os.kill(int(children[1]), signal.SIGKILL)
        _, errors = launcher.communicate(timeout=60)
    assert launcher.returncode == 1
    said = [line for line in errors.splitlines() if line.startswith("neuroprism:")]
    assert len(said) == 1, errors
    assert not any(Path(f"/proc/{child}").exists() for child in children)
    assert run_status(program.run_folder()) in ("failed", "interrupted")
    n_epochs = load_checkpoint(program.run_folder()).epoch + 1
    more = torchrun(program, "--epochs", str(n_epochs), "--resume", **endless)
    assert more.returncode == 0, more.stderr
    assert [row["step"] for row in program.rows()] == list(range(1, 3 * n_epochs + 1))


def test_half_a_launch_is_one_line(
    program: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("RANK", raising=False)
    assert program.train("--epochs", "1") == 2
    shown = capsys.readouterr().err
    assert shown.startswith("neuroprism: WORLD_SIZE=2 announces several processes, but RANK is not set")
    assert shown.count("\n") == 1
    assert not program.run_folder().exists()


def test_other_processes_leave_the_word_to_the_first_one(
    program: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It comes to this one only where the first one has nothing to say, which would have ended both."""
    values = {"WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2, "RANK": 1, "LOCAL_RANK": 1, "MASTER_PORT": 1}
    for name, value in values.items():
        monkeypatch.setenv(name, str(value))
    before: list[tuple[float, str]] = []
    monkeypatch.setattr(app.time, "sleep", lambda seconds: before.append((seconds, capsys.readouterr().err)))
    assert program.train("--device", "tpu") == 2
    assert before == [(app.PATIENCE_SECONDS, "")]
    assert capsys.readouterr().err.startswith("neuroprism: ")


def test_what_another_process_says_is_not_said_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        error = TrainingError("process 1 failed")
        error.said_by = 1
        raise error

    monkeypatch.setattr(app.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(app.typer.main, "get_command", lambda _: SimpleNamespace(main=fail))
    assert app.run([]) == 1
    assert capsys.readouterr().err == ""
