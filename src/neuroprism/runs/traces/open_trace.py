"""Finding out what kind of log a path is, and reading it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from neuroprism.core.errors import DataError, RunError
from neuroprism.monitor import layout
from neuroprism.runs.traces.run_folder import read_run_folder
from neuroprism.runs.traces.steps_folder import read_steps_folder
from neuroprism.runs.traces.trace import Trace


def read_trace(path: str | Path, mapping: Mapping[str, str] | None = None) -> Trace:
    """Read a log of a training run, whatever its format.

    Parameters
    ----------
    path
        A run folder, a folder with `steps.jsonl` or one other log, or a file:
        JSON lines, CSV, TensorBoard events, `trainer_state.json`, `training_log.json`.
    mapping
        Names here by names in the log, e.g. ``{"recon": "loss/signal"}``.

    Raises
    ------
    DataError, RunError, ConfigError, UnknownNameError
        If it cannot be read.
    """
    path = Path(path)
    if not os.path.lexists(path):
        raise DataError(f"no run or log at {path}")
    if path.is_dir() and (path / layout.RUN).exists():
        return read_run_folder(path)
    if path.is_dir() and (path / layout.STEPS).is_file():
        return read_steps_folder(path, mapping or {})
    raise RunError(f"{path} holds no log that is known")
