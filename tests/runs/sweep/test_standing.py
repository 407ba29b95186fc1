"""What is there of a planned run."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from neuroprism.core.errors import RunError
from neuroprism.monitor.run_identity import process_started
from neuroprism.runs.load import load_run
from neuroprism.runs.sweep import check_same_settings, standing

RecordRun = Callable[..., Path]


def change(folder: Path, **content: Any) -> None:
    card = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(card | content))


def test_each_standing(record_run: RecordRun, tmp_path: Path) -> None:
    folder = record_run("run", 0.5)
    assert standing(tmp_path / "elsewhere") == "new"
    assert standing(folder) == "finished"
    for status in ("interrupted", "failed"):
        change(folder, status=status)
        assert standing(folder) == "unusable"
    # A process that was killed leaves a run that calls itself running.
    change(folder, status="running", pid=2**22, process_started=1.0)
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "last.pt").touch()
    assert standing(folder) == "resumable"


def test_a_run_that_is_being_written(record_run: RecordRun) -> None:
    folder = record_run("run", 0.5)
    change(folder, status="running", pid=os.getpid(), process_started=process_started(os.getpid()))
    with pytest.raises(RunError, match=f"run is being written by process {os.getpid()}; stop it first"):
        standing(folder)


def test_other_settings_are_refused(record_run: RecordRun) -> None:
    folder = record_run("run", 0.5, backbone="eegnet")
    config = load_run(folder).config
    check_same_settings(folder, config | {"hardware": {"n_threads": 7}})
    with pytest.raises(RunError, match=r"run was made with model.backbone=eegnet, now it is eegmamba; give"):
        check_same_settings(folder, config | {"model": {"backbone": "eegmamba"}})
    with pytest.raises(RunError, match=r"model.backbone=eegnet, now it is None"):
        check_same_settings(folder, {name: config[name] for name in ("data", "reproducibility")})
