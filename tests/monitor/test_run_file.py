from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from neuroprism.core.records import Component, Finished, Note, RunRecord
from neuroprism.monitor.reading import read_run
from neuroprism.monitor.sinks import RunFile, run_file


@pytest.fixture
def opened(tmp_path: Path) -> RunFile:
    sink = RunFile()
    run = RunRecord(
        id="a",
        name="n",
        task="abr",
        components=(Component(name="mse", label="MSE", baseline=1.0),),
        started="t",
    )
    sink.open(run, tmp_path)
    return sink


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(run_file.time, "monotonic", lambda: now[0])
    return now


def test_the_card_is_there_from_the_start(opened: RunFile, tmp_path: Path) -> None:
    plain = json.loads((tmp_path / "run.json").read_text())
    assert plain["status"] == "running"
    assert plain["components"] == [
        {"name": "mse", "label": "MSE", "weight": 1.0, "baseline": 1.0, "lower_bound": None, "detail": False}
    ]
    assert read_run(tmp_path).task == "abr"


def test_the_end_is_noted(opened: RunFile, tmp_path: Path) -> None:
    end = Finished(status="failed", message="ValueError: x")
    opened.write(end)
    opened.close()
    run = read_run(tmp_path)
    assert (run.status, run.ended, run.message) == ("failed", end.time, "ValueError: x")


def test_a_run_that_is_only_closed_did_not_finish(opened: RunFile, tmp_path: Path) -> None:
    opened.close()
    assert read_run(tmp_path).status == "running"


def test_the_heart_beats_with_the_records_every_ten_seconds(clock: list[float], tmp_path: Path) -> None:
    sink = RunFile()
    sink.open(RunRecord(id="a", name="n", task="", components=()), tmp_path)
    path = tmp_path / "run.json"
    content = path.read_bytes()
    os.utime(path, (5.0, 5.0))
    clock[0] += 9.9
    sink.write(Note(message="x"))
    assert path.stat().st_mtime == 5.0
    clock[0] += 0.1
    sink.write(Note(message="x"))
    assert path.stat().st_mtime > 5.0
    os.utime(path, (5.0, 5.0))
    clock[0] += 5
    sink.write(Note(message="x"))
    assert path.stat().st_mtime == 5.0
    assert path.read_bytes() == content


def test_a_card_that_somebody_removed_is_no_failure(clock: list[float], tmp_path: Path) -> None:
    sink = RunFile()
    sink.open(RunRecord(id="a", name="n", task="", components=()), tmp_path)
    (tmp_path / "run.json").unlink()
    clock[0] += 100
    sink.write(Note(message="x"))
