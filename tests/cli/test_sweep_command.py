"""`neuroprism sweep FILE`: from a file to runs and a table."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from neuroprism.cli.app import run
from neuroprism.train import load_checkpoint

Write = Callable[..., Path]


@pytest.fixture
def write(program: Any) -> Write:
    """Return a writer of sweeps of two learning rates, of which training with the second gives NaN."""

    def write(**changes: Any) -> Path:
        words = program.arguments("--epochs", "2")
        assignments = [words[n + 1].partition("=") for n, word in enumerate(words) if word == "--set"]
        settings = {key: json.loads(value) for key, _, value in assignments}
        for key in ("logging.log_dir", "training.optimizer.learning_rate"):
            del settings[key]
        content = {
            "command": "train",
            "out": "runs",
            "processes": 2,
            "settings": settings | {"training.epochs": 2, "training.on_non_finite": "skip"},
            "grid": {"training.optimizer.learning_rate": [1e-3, 1e30]},
        }
        for key, value in changes.items():
            content[key] = content[key] | value if key == "settings" else value
        Path("sweep.yaml").write_text(yaml.safe_dump(content))
        return Path("sweep.yaml")

    return write


def status(name: str) -> str:
    found: str = json.loads(Path(f"runs/learning_rate={name}/run.json").read_text())["status"]
    return found


def test_runs_are_made_failures_told_and_gone_on_with(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(settings={"monitoring.stop_on": ["warning"]})
    assert run(["sweep", str(file)]) == 1
    shown = capsys.readouterr().out
    assert shown.startswith("2 runs in runs: 2 to begin; 2 at a time, threads each: 1\n")
    assert "learning_rate=0.001 finished in " in shown
    assert "learning_rate=1e+30 failed with exit code 1: training stopped by an alert: " in shown
    assert (status("0.001"), status("1e+30")) == ("finished", "failed")
    rows = [line.split() for line in shown.splitlines()[-2:]]
    assert [(row[0], row[1:4]) for row in rows] == [
        ("0.001", ["1", "balanced", "accuracy"]),
        ("1e+30", ["0", "of", "1"]),
    ]
    stopped_at = load_checkpoint(Path("runs/learning_rate=1e+30")).step
    assert 0 < stopped_at < 6

    assert run(["sweep", str(write()), "--metric", "train/total"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("2 runs in runs: 1 finished before, 1 to go on; 2 at a time")
    assert "[2/2] learning_rate=1e+30 finished in " in shown
    events = Path("runs/learning_rate=1e+30/events.jsonl").read_text().splitlines()
    (resumed,) = [event for event in map(json.loads, events) if event["event"] == "resumed"]
    assert resumed["step"] == stopped_at
    assert run(["compare", "runs", "--metric", "train/total", "--group-by", "learning_rate"]) == 0


@pytest.mark.parametrize(
    ("sent", "code"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)]
)
def test_ctrl_c_and_sigterm_interrupt_every_run(write: Write, sent: signal.Signals, code: int) -> None:
    """As soon as one of the two tells that its loss is NaN; the third has not begun."""
    os.mkfifo("alert")
    told = {"command": ["tee", "alert"], "timeout_seconds": 1}
    told = {f"monitoring.on_alert.{key}": value for key, value in told.items()}
    # Nothing but the signal ends them, however late it comes.
    endless = {"training.epochs": 100000, "training.early_stopping.enabled": False}
    file = write(settings=told | endless, grid={"training.optimizer.learning_rate": [1e30, 1e29, 1e28]})
    words = [sys.executable, "-W", "error", "-m", "neuroprism", "sweep", str(file)]
    # A test run in the background may ignore Ctrl-C, and what it starts would inherit that.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        signal.signal(signal.SIGINT, before)
        alert = json.loads(Path("alert").read_text().splitlines()[0])
        process.send_signal(sent)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == code, errors
    assert errors == "neuroprism: interrupted after 0 of 3 runs; the same command goes on\n"
    spoke = alert["run"].removeprefix("learning_rate=")
    assert status(spoke) == "interrupted"
    assert load_checkpoint(Path(f"runs/learning_rate={spoke}")).step > 0
    assert not Path("runs/learning_rate=1e+28").exists()


def test_a_dry_run_prints_commands_that_make_the_runs(
    write: Write, program: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    before = program.snapshot()
    assert run(["sweep", str(write(seeds=[4])), "--dry-run"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert set(program.snapshot()) - set(before) == {"sweep.yaml"}
    assert len(lines) == 2
    threads, name, *words = shlex.split(lines[0])
    assert (threads, name) == ("OMP_NUM_THREADS=1", "neuroprism")
    assert run([*words, "--fast_dev_run", "--quiet"]) == 0
    card = json.loads(Path("runs/learning_rate=0.001/seed_4/run.json").read_text())
    assert (card["status"], card["seed"]) == ("finished", 4)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"gird": {}}, "sweep.yaml: unknown key 'gird'; did you mean 'grid'?"),
        ({"command": "trian"}, "sweep.yaml: command: input should be 'train' or 'finetune', not 'trian'"),
        (
            {"grid": {"training.epohcs": [1]}},
            "unknown key 'training.epohcs'; did you mean 'training.epochs'?",
        ),
        ({"grid": {"model.dropout": 0.1}}, "sweep.yaml: grid"),
        ({"grid": {"training.optimizer.learning_rate": [-1]}}, "training.optimizer.learning_rate: "),
        ({"grid": {}}, "neither grid nor seeds: there is nothing to vary"),
        ({"processes": 0}, "processes: "),
        ({"config": "absent.yaml"}, "cannot read configuration absent.yaml"),
        ({"command": "finetune"}, "unknown key 'data.dataset_path'"),
    ],
)
def test_mistakes(changes: dict[str, Any], expected: str, write: Write, refused: Any) -> None:
    assert expected in refused.command("sweep", str(write(**changes)))


def test_runs_of_other_settings_are_not_taken_for_finished(write: Write, program: Any, refused: Any) -> None:
    out = {"logging__log_dir": "runs", "training__optimizer__learning_rate": 1e-3}
    assert program.train("--epochs", "1", "--fast_dev_run", experiment="learning_rate=0.001", **out) == 0
    line = refused.command("sweep", str(write()))
    assert line.startswith("runs/learning_rate=0.001 was made with training.")
