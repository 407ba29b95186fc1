"""Two processes that train together, against one that trains alone."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from neuroprism.train import load_checkpoint

PROGRAM = Path(__file__).with_name("processes_program.py")
AGREED = ("stop", "alert", "ctrl_c", "terminated")


@pytest.fixture(scope="module")
def program() -> Any:
    """Return the program of the two processes as a module, to play its scenarios alone."""
    spec = importlib.util.spec_from_file_location("processes_program", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder that two processes left after all scenarios."""
    out = tmp_path_factory.mktemp("together")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    common = {
        "WORLD_SIZE": "2",
        "LOCAL_WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "OMP_NUM_THREADS": "1",
    }
    started = [
        subprocess.Popen(
            [sys.executable, "-W", "error", str(PROGRAM), str(out)],
            env={**os.environ, **common, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        errors = [process.communicate(timeout=120)[1] for process in started]
    finally:
        for process in started:
            process.kill()
    # In the last scenario the second process leaves without a word.
    assert [process.returncode for process in started] == [0, 9], errors
    assert not any("Traceback" in text for text in errors)
    return out


def story(folder: Path, name: str, rank: int) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((folder / f"{name}.{rank}.json").read_text())
    return told


def rows(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "steps.jsonl").read_text().splitlines()]


def events(folder: Path, kind: str) -> list[dict[str, Any]]:
    lines = (folder / "events.jsonl").read_text().splitlines()
    clock = ("time", "seconds", "samples_per_second")
    found = [event for event in map(json.loads, lines) if event["event"] == kind]
    return [{k: v for k, v in event.items() if k not in clock} for event in found]


def status(folder: Path) -> str:
    found: str = json.loads((folder / "run.json").read_text())["status"]
    return found


@pytest.mark.parametrize("accumulate", [1, 2])
def test_two_processes_equal_one_with_twice_the_batch(
    together: Path, program: Any, tmp_path: Path, accumulate: int
) -> None:
    """Also where shares have different numbers of valid elements, and in a short last batch of 3 samples."""
    name = f"equal_{accumulate}"
    task = program.toy.ToyTask(dropout=0.0)
    alone = program.play(
        tmp_path, name, program.equivalence(accumulate), task, batch_size=16, **program.UNEVEN
    )
    both = rows(together / name)
    assert len(both) == alone["n_steps"] == (8 if accumulate == 1 else 4)
    for mine, theirs in zip(rows(tmp_path / name), both, strict=True):
        assert mine.keys() == theirs.keys()
        assert theirs == pytest.approx(mine, rel=1e-5, abs=1e-6)
    mine, theirs = load_checkpoint(tmp_path / name), load_checkpoint(together / name)
    assert mine.average is not None
    assert theirs.average is not None
    for one, other in ((mine.model, theirs.model), (mine.average, theirs.average)):
        for key in one:
            torch.testing.assert_close(other[key], one[key], rtol=0, atol=1e-6)
    assert theirs.evaluation == pytest.approx(mine.evaluation, rel=1e-6)


def test_one_record_with_one_row_for_each_step(together: Path) -> None:
    for folder in ("equal_1", "whole", "halves", "cut_ctrl_c"):
        steps = [row["step"] for row in rows(together / folder)]
        assert steps == list(range(1, len(steps) + 1))
        epochs = [event["epoch"] for event in events(together / folder, "epoch")]
        assert epochs == list(range(1, len(epochs) + 1))
        assert len(events(together / folder, "started")) == 1
    assert story(together, "whole", 1)["steps_seen"] == len(rows(together / "whole")) == 24


def test_all_processes_hold_the_same_model(together: Path) -> None:
    """Weights after every end; running statistics, which follow the first process, after whole epochs."""
    names = ["equal_1", "equal_2", "whole", "second_half", "after_ctrl_c", "skip", "early"]
    for name in names:
        one, other = story(together, name, 0), story(together, name, 1)
        assert one == other
        assert one["error"] is None
    for name in AGREED:
        assert story(together, name, 0)["parameters"] == story(together, name, 1)["parameters"]


@pytest.mark.parametrize("folder", ["halves", "cut_ctrl_c", "cut_terminated"])
def test_resuming_equals_going_on(together: Path, toy: Any, folder: str) -> None:
    """With noise of its own in each process; also from the middle of an epoch."""
    assert rows(together / folder) == rows(together / "whole")
    assert events(together / folder, "epoch") == events(together / "whole", "epoch")
    whole, parts = load_checkpoint(together / "whole"), load_checkpoint(together / folder)
    assert toy.differing(toy.contents(whole), toy.contents(parts)) == []
    states = [whole.training["random"], *whole.training["random_of_others"]]
    assert len(states) == 2
    assert not torch.equal(states[0]["torch"], states[1]["torch"])


@pytest.mark.parametrize("name", ["ctrl_c", "terminated"])
def test_a_signal_to_one_process_interrupts_all_in_the_same_step(together: Path, name: str) -> None:
    one, other = story(together, name, 0), story(together, name, 1)
    expected = "TrainingInterrupted" if name == "ctrl_c" else "TrainingTerminated"
    assert one["error"] == other["error"] == expected
    assert one["message"] == other["message"]
    assert "continue with --resume" in one["message"]
    # Pressed in step 13; obeyed soon, in the middle of an epoch of 8 steps.
    assert one["steps_seen"] == other["steps_seen"]
    assert one["steps_seen"] in (13, 14, 15)
    events_of_run = events(together / f"cut_{name}", "resumed")
    assert [event["step"] for event in events_of_run] == [one["steps_seen"]]


def test_a_non_finite_step_of_one_process_ends_both_before_it_is_made(together: Path) -> None:
    one, other = story(together, "stop", 0), story(together, "stop", 1)
    assert (
        "loss component number is NaN, kind is NaN in process 1 at step 5; the step was not applied"
        in one["message"]
    )
    assert {k: one[k] for k in ("error", "message", "said_by", "steps_seen", "parameters")} == {
        k: other[k] for k in ("error", "message", "said_by", "steps_seen", "parameters")
    }
    assert (one["error"], one["said_by"], one["steps_seen"]) == ("TrainingError", 0, 5)
    assert status(together / "stop") == "failed"
    assert load_checkpoint(together / "stop").step == 3
    # The alert of the first process names the other one and its samples.
    (alert,) = [a for a in events(together / "stop", "alert") if a["component"] == "kind"]
    assert alert["step"] == 5
    (culprit,) = alert["evidence"]["samples"]
    assert (culprit["process"], len(culprit["samples"])) == (1, 8)


def test_a_non_finite_step_of_one_process_is_skipped_by_both(together: Path) -> None:
    skipped = [row["step"] for row in rows(together / "skip") if row.get("skipped")]
    assert skipped == [5]
    said = [note["message"] for note in events(together / "skip", "note")]
    assert said == ["Step 5: loss component number is NaN, kind is NaN in process 1"]
    weights = load_checkpoint(together / "skip").model.values()
    assert all(torch.isfinite(value).all() for value in weights)


def test_an_alert_that_asks_to_stop_ends_both(together: Path) -> None:
    for rank in (0, 1):
        told = story(together, "alert", rank)
        assert told["error"] == "TrainingStopped"
        assert told["message"].startswith("training stopped by an alert: diverged; continue with --resume ")
    assert status(together / "alert") == "failed"
    steps = rows(together / "alert")
    assert load_checkpoint(together / "alert").step == len(steps) == story(together, "alert", 1)["steps_seen"]
    (saved,) = events(together / "alert", "checkpoint")
    assert saved["reason"] == "stopped"


def test_a_run_that_an_alert_stopped_goes_on(together: Path) -> None:
    """With the alert still open: it is told once."""
    one, other = story(together, "after_alert", 0), story(together, "after_alert", 1)
    assert one == other
    assert (one["error"], one["n_epochs"]) == (None, 2)
    steps = [row["step"] for row in rows(together / "cut_alert")]
    assert steps == list(range(1, one["steps_seen"] + 1))
    assert status(together / "cut_alert") == "finished"


def test_early_stopping_ends_both(together: Path) -> None:
    told = story(together, "early", 1)
    assert (told["n_epochs"], told["stopped_early"], told["best"]) == (4, True, [2, -0.2])


def test_a_parameter_without_a_gradient_is_named(together: Path) -> None:
    for rank in (0, 1):
        told = story(together, "idle", rank)
        assert told["error"] == "TrainingError"
        assert told["message"].startswith("parameter 'idle.weight' got no gradient in step 1; ")


def test_a_process_that_vanishes_ends_the_other_with_one_line(together: Path) -> None:
    told = story(together, "lost", 0)
    assert told["error"] == "TrainingError"
    assert told["message"] == "process 0 lost contact with another process of the run, which ended first"
    assert status(together / "lost") == "failed"


def test_what_processes_tell_each_other(together: Path) -> None:
    one, other = story(together, "exchanged", 0), story(together, "exchanged", 1)
    assert one["gathered"] == other["gathered"] == [0, 1]
    assert one["from_first"] == other["from_first"] == "by 0"
    assert one["mean"] == other["mean"] == [1.5, float("inf")]
    assert one["drawn"] != other["drawn"]
    assert one["failure of 0"] == ["ZeroDivisionError", "no way"]
    assert other["failure of 0"] == ["TrainingError", "process 0 failed: ZeroDivisionError: no way"]
    assert one["failure of 1"] == ["TrainingError", "process 1 failed: ZeroDivisionError: no way"]
