"""Trackers behind one interface: open, log the scalars of a step, close, read back.

All write to a local folder, without account or server.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Scalars = dict[str, float]


@dataclass(frozen=True)
class Tracker:
    """A tracker that was opened.

    Attributes
    ----------
    log
        Records the scalars of a step.
    close
        Ends the run; everything is on disk afterwards.
    read
        Returns the number of steps of the first scalar that are read back; None where there is no
        public way to read.
    """

    log: Callable[[Scalars, int], object]
    close: Callable[[], object]
    read: Callable[[], int] | None = None


def neuroprism(folder: Path, names: list[str]) -> Tracker:
    """Files, rules and alerts; no bar, no TensorBoard."""
    from neuroprism.core.records import Component
    from neuroprism.monitor import Monitor, read_steps
    from neuroprism.monitor.build import file_sinks

    components = [Component(name=name, label=name[-3:]) for name in names]
    monitor = Monitor(folder / "run", components, sinks=file_sinks(), log_frequency=100)
    return Tracker(
        log=lambda row, step: monitor.step(row, lr=1e-3, grad_norm=0.5),
        close=monitor.close,
        read=lambda: len(read_steps(folder / "run")[f"loss/{names[0]}"]),
    )


def tensorboard(folder: Path, names: list[str]) -> Tracker:
    """`SummaryWriter.add_scalar` for each scalar."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(str(folder))

    def log(row: Scalars, step: int) -> None:
        for name, value in row.items():
            writer.add_scalar(name, value, step)

    def read() -> int:
        events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
        events.Reload()
        return len(events.Scalars(names[0]))

    return Tracker(log, writer.close, read)


def csv_logger(folder: Path, names: list[str]) -> Tracker:
    """`CSVLogger` of lightning-fabric, saved every 100 steps."""
    import pandas as pd
    from lightning_fabric.loggers import CSVLogger

    logger = CSVLogger(str(folder), name="run", version=0, flush_logs_every_n_steps=100)
    return Tracker(
        log=logger.log_metrics,
        close=lambda: logger.finalize("success"),
        read=lambda: len(pd.read_csv(folder / "run" / "version_0" / "metrics.csv")[names[0]].dropna()),
    )


def wandb(folder: Path, names: list[str]) -> Tracker:
    """Offline mode."""
    os.environ |= {"WANDB_MODE": "offline", "WANDB_SILENT": "true"}
    import wandb as package

    run: Any = package.init(project="trackers", dir=str(folder))
    return Tracker(lambda row, step: run.log(dict(row), step=step), run.finish)


def trackio(folder: Path, names: list[str]) -> Tracker:
    """Local database, without the system metrics; read by its command, which prints JSON."""
    os.environ["TRACKIO_DIR"] = str(folder)
    import trackio as package
    from trackio.cli import main

    run: Any = package.init(project="trackers", embed=False, auto_log_cpu=False, auto_log_gpu=False)

    def read() -> int:
        place = ["--project", "trackers", "--run", run.name, "--metric", names[0]]
        sys.argv = ["trackio", "get", "metric", *place, "--json"]
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            main()
        return len(json.loads(printed.getvalue())["values"])

    return Tracker(lambda row, step: run.log(dict(row), step=step), run.finish, read)


def mlflow_files(folder: Path, names: list[str]) -> Tracker:
    """File store, one call with all scalars; mlflow keeps it for those who ask for it."""
    os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
    return _mlflow((folder / "mlruns").as_uri(), names)


def mlflow_sqlite(folder: Path, names: list[str]) -> Tracker:
    """SQLite, the store that mlflow takes by itself; one call with all scalars."""
    return _mlflow(f"sqlite:///{folder / 'mlflow.db'}", names)


def _mlflow(uri: str, names: list[str]) -> Tracker:
    import mlflow as package

    package.set_tracking_uri(uri)
    run = package.start_run()

    def read() -> int:
        client = package.MlflowClient(tracking_uri=uri)
        return len(client.get_metric_history(run.info.run_id, names[0]))

    return Tracker(lambda row, step: package.log_metrics(row, step=step), package.end_run, read)


def dvclive(folder: Path, names: list[str]) -> Tracker:
    """Without DVC; every step is written, and all steps so far are read again for Studio, even without it."""
    from dvclive import Live

    live = Live(str(folder / "live"), save_dvc_exp=False, dvcyaml=None)

    def log(row: Scalars, step: int) -> None:
        for name, value in row.items():
            live.log_metric(name, value)
        live.next_step()

    def read() -> int:
        lines = (folder / "live" / "plots" / "metrics" / f"{names[0]}.tsv").read_text().splitlines()
        return len(lines) - 1

    return Tracker(log, live.end, read)


def aim(folder: Path, names: list[str]) -> Tracker:
    """Local repository, without the system metrics; what is read includes making the index."""
    from aim import Repo, Run
    from aim.cli.cli import cli_entry_point

    run: Any = Run(repo=str(folder), system_tracking_interval=None)

    def log(row: Scalars, step: int) -> None:
        for name, value in row.items():
            run.track(value, name=name, step=step)

    def read() -> int:
        cli_entry_point(["storage", "--repo", str(folder), "reindex", "--yes"], standalone_mode=False)
        (found,) = Repo(str(folder)).iter_runs()
        return sum(len(metric.dataframe()) for metric in found.metrics() if metric.name == names[0])

    return Tracker(log, run.close, read)


def swanlab(folder: Path, names: list[str]) -> Tracker:
    """Offline mode, without the system metrics."""
    import swanlab as package

    quiet = package.Settings(probe={"monitor": False})
    package.init(project="trackers", mode="offline", log_dir=str(folder), settings=quiet)
    return Tracker(lambda row, step: package.log(dict(row), step=step), package.finish)


Open = Callable[[Path, list[str]], Tracker]

TRACKERS: dict[str, tuple[str, Open]] = {
    "neuroprism": ("neuroprism", neuroprism),
    "TensorBoard": ("tensorboard", tensorboard),
    "CSVLogger (lightning-fabric)": ("lightning_fabric", csv_logger),
    "wandb, offline": ("wandb", wandb),
    "trackio": ("trackio", trackio),
    "mlflow, SQLite": ("mlflow", mlflow_sqlite),
    "mlflow, files": ("mlflow", mlflow_files),
    "dvclive": ("dvclive", dvclive),
    "aim": ("aim", aim),
    "swanlab, offline": ("swanlab", swanlab),
}
"""Package and opener of each."""
