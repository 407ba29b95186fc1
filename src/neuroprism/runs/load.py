"""Loading a recorded run."""

from __future__ import annotations

import os
from pathlib import Path

from neuroprism.core.errors import DataError, RunError
from neuroprism.monitor import layout
from neuroprism.monitor.reading import read_events, read_run, run_status
from neuroprism.runs.context import read_config
from neuroprism.runs.find import read_history
from neuroprism.runs.run import Run
from neuroprism.runs.training_log import read_training_log


def load_run(path: str | Path) -> Run:
    """Load a run: its folder, or the `training_log.json` of a run of which nothing else is left.

    Parameters
    ----------
    path
        A run folder, a folder with a `training_log.json`, such a file, or a
        file of console output of earlier code.

    Returns
    -------
    Run
        With the tables `steps`, `epochs`, `alerts` and `test`.

    Raises
    ------
    DataError, RunError, ConfigError
        If there is no run, or a file of it is damaged.

    Examples
    --------
    >>> run = load_run("logs/demo")  # doctest: +SKIP
    >>> run.epochs.plot(x="epoch", y=["train/total", "val/total"])  # doctest: +SKIP
    """
    path = Path(path)
    if not os.path.lexists(path):
        raise DataError(f"no run or training log at {path}")
    folder = path if path.is_dir() else path.parent if path.name == layout.TRAINING_LOG else None
    if folder is not None and (folder / layout.RUN).exists():
        return _recorded(folder)
    if path.is_dir() and not (path / layout.TRAINING_LOG).is_file():
        raise RunError(f"{path} holds no run: neither {layout.RUN} nor {layout.TRAINING_LOG}")
    history = read_history(path)
    return Run(path=path, name=history.title, config=history.context.config, history=history)


def _recorded(folder: Path) -> Run:
    card = read_run(folder)
    log = folder / layout.TRAINING_LOG
    return Run(
        path=folder,
        name=card.name,
        run=card,
        status=run_status(folder),
        config=read_config(folder),
        history=read_training_log(log) if log.is_file() else None,
        events=tuple(read_events(folder)),
    )


def runs_in(path: str | Path) -> list[Path]:
    """Return `path` where it is a run or log, else the runs directly inside, such as one per seed.

    Raises
    ------
    DataError
        If there is nothing at `path`.
    RunError
        If it is a folder without any run.
    """
    path = Path(path)
    if not os.path.lexists(path):
        raise DataError(f"no run or training log at {path}")
    if not path.is_dir() or _is_run(path):
        return [path]
    inside = sorted(inner for inner in path.iterdir() if inner.is_dir() and _is_run(inner))
    if not inside:
        raise RunError(f"{path} holds no run: neither {layout.RUN} nor {layout.TRAINING_LOG}")
    return inside


def _is_run(folder: Path) -> bool:
    return (folder / layout.RUN).exists() or (folder / layout.TRAINING_LOG).is_file()
