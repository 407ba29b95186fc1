"""Trackers behind one interface: open or resume, log, close; read back the steps and the status.

Each resumes in the way that its documentation gives for a run that was killed; CSVLogger, of which nothing is
said, goes on in the next version of its folder. All write to a local folder. The offline records of wandb and
swanlab have no reader but the upload: they are read by their format, with the messages of the package.
"""

from __future__ import annotations

import contextlib
import csv
import os
import sqlite3
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NAME = "loss"
State = dict[str, Any]
Read = tuple[list[int], str]
NONE = "none: the files hold no status"


@dataclass
class Opened:
    """A tracker that was opened.

    Attributes
    ----------
    log
        Records a number at a step.
    close
        Ends the run.
    state
        What belongs into the checkpoint of the training.
    progress
        Descriptor of the file that says how far the training came.
    """

    log: Callable[[int, float], object]
    close: Callable[[], object]
    state: Callable[[], State] = dict
    progress: int = field(default_factory=lambda: os.open("progress", os.O_WRONLY))


@dataclass(frozen=True)
class Peer:
    """A tracker: its package, how it is opened and how it is read."""

    package: str
    open: Callable[[Path, State], Opened]
    read: Callable[[Path], Read]


def _neuroprism(folder: Path, state: State) -> Opened:
    from neuroprism.monitor import Monitor, ResumePoint
    from neuroprism.monitor.build import file_sinks

    exists = (folder / "run" / "run.json").exists()
    point = ResumePoint.from_state(state["monitor"]) if "monitor" in state else None
    monitor = Monitor(
        folder / "run", {NAME: 1.0}, sinks=file_sinks(), resume=point, overwrite=exists and point is None
    )
    return Opened(
        lambda step, value: monitor.step({NAME: value}),
        monitor.close,
        lambda: {"monitor": monitor.state_dict()},
    )


def _read_neuroprism(folder: Path) -> Read:
    from neuroprism.monitor import read_steps, run_status

    return read_steps(folder / "run")["step"].tolist(), run_status(folder / "run")


def _tensorboard(folder: Path, state: State) -> Opened:
    from torch.utils.tensorboard import SummaryWriter

    purge = state["step"] + 1 if state["step"] else None
    writer = SummaryWriter(str(folder / "board"), purge_step=purge)
    return Opened(lambda step, value: writer.add_scalar(NAME, value, step), writer.close)


def _read_tensorboard(folder: Path) -> Read:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder / "board"), size_guidance={"scalars": 0})
    events.Reload()
    with contextlib.suppress(KeyError):
        return [event.step for event in events.Scalars(NAME)], NONE
    return [], NONE


def _csv_logger(folder: Path, state: State) -> Opened:
    from lightning_fabric.loggers import CSVLogger

    # A version that is named would be deleted; by itself the logger takes the next one.
    logger = CSVLogger(str(folder), name="csv")
    return Opened(
        lambda step, value: logger.log_metrics({NAME: value}, step), lambda: logger.finalize("success")
    )


def _read_csv_logger(folder: Path) -> Read:
    steps: list[int] = []
    for path in sorted((folder / "csv").glob("version_*/metrics.csv")):
        with path.open(newline="") as file:
            steps += [int(row["step"]) for row in csv.DictReader(file)]
    return steps, NONE


def _wandb(folder: Path, state: State) -> Opened:
    os.environ |= {"WANDB_MODE": "offline", "WANDB_SILENT": "true", "WANDB_ERROR_REPORTING": "false"}
    import wandb

    run: Any = wandb.init(project="kill", dir=str(folder), id="killed", resume="allow")
    return Opened(lambda step, value: run.log({NAME: value}, step=step), run.finish)


def _read_wandb(folder: Path) -> Read:
    from wandb.proto import wandb_internal_pb2

    steps: list[int] = []
    exits = 0
    for path in sorted((folder / "wandb").glob("offline-run-*/*.wandb")):
        for data in _log_records(path.read_bytes()):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(data)
            if record.WhichOneof("record_type") == "history":
                steps.append(record.history.step.num)
            exits += record.WhichOneof("record_type") == "exit"
    return steps, "ended" if exits else "none: no end is recorded"


def _log_records(content: bytes) -> Iterator[bytes]:
    """Yield the whole records of a `.wandb` or `.swanlab` file: 7 bytes, then LevelDB's log format."""
    block, head, place, parts = 32768, 7, 7, b""
    while place + head <= len(content):
        left = block - place % block
        if left < head:
            place += left
            continue
        _, length, kind = struct.unpack_from("<IHB", content, place)
        data = content[place + head : place + head + length]
        if len(data) < length or not kind:
            return
        place += head + length
        # 1: whole; 2, 3, 4: first, middle and last part.
        parts = data if kind in (1, 2) else parts + data
        if kind in (1, 4):
            yield parts


def _trackio(folder: Path, state: State) -> Opened:
    os.environ["TRACKIO_DIR"] = str(folder / "trackio")
    import trackio

    run: Any = trackio.init(
        project="kill", name="killed", resume="allow", embed=False, auto_log_cpu=False, auto_log_gpu=False
    )
    return Opened(lambda step, value: run.log({NAME: value}, step=step), run.finish)


def _read_trackio(folder: Path) -> Read:
    steps = []
    for path in (folder / "trackio").glob("*.db"):
        with contextlib.closing(sqlite3.connect(path)) as base:
            steps += [row[0] for row in base.execute("SELECT step FROM metrics ORDER BY id")]
    return steps, NONE


def _mlflow(uri: str, state: State) -> Opened:
    import mlflow

    mlflow.set_tracking_uri(uri)
    run = mlflow.start_run(run_id=state.get("run_id"))
    return Opened(
        lambda step, value: mlflow.log_metric(NAME, value, step=step),
        mlflow.end_run,
        lambda: {"run_id": run.info.run_id},
    )


def _read_mlflow(uri: str) -> Read:
    import mlflow

    client = mlflow.MlflowClient(tracking_uri=uri)
    (run,) = client.search_runs(["0"])
    return [point.step for point in client.get_metric_history(run.info.run_id, NAME)], run.info.status


def _sqlite(folder: Path) -> str:
    """The store that mlflow takes by itself."""
    return f"sqlite:///{folder / 'mlflow.db'}"


def _files(folder: Path) -> str:
    """The store of files, which mlflow keeps for those who ask for it."""
    os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
    return (folder / "mlruns").as_uri()


def _dvclive(folder: Path, state: State) -> Opened:
    from dvclive import Live

    live = Live(str(folder / "live"), resume=bool(state["step"]), save_dvc_exp=False, dvcyaml=None)

    def log(step: int, value: float) -> None:
        live.step = step
        live.log_metric(NAME, value)

    return Opened(log, live.end)


def _read_dvclive(folder: Path) -> Read:
    lines = (folder / "live" / "plots" / "metrics" / f"{NAME}.tsv").read_text().splitlines()
    return [int(line.split("\t")[0]) for line in lines[1:]], NONE


def _aim(folder: Path, state: State) -> Opened:
    from aim import Run

    run: Any = Run(run_hash=state.get("hash"), repo=str(folder), system_tracking_interval=None)
    return Opened(
        lambda step, value: run.track(value, name=NAME, step=step), run.close, lambda: {"hash": run.hash}
    )


def _read_aim(folder: Path) -> Read:
    from aim import Repo
    from aim.cli.cli import cli_entry_point

    # A repository is read by an index, which the server of the pages or this command makes.
    cli_entry_point(["storage", "--repo", str(folder), "reindex", "--yes"], standalone_mode=False)
    (run,) = Repo(str(folder)).iter_runs()
    steps = [list(metric.dataframe()["step"]) for metric in run.metrics() if metric.name == NAME]
    return [int(step) for column in steps for step in column], "active" if run.active else "ended"


def _swanlab(folder: Path, state: State) -> Opened:
    import swanlab

    quiet = swanlab.Settings(probe={"monitor": False})
    # Offline a second record of the same id comes to lie beside the first; `swanlab sync` joins them.
    run: Any = swanlab.init(
        project="kill", mode="offline", log_dir=str(folder), id="killed", resume="allow", settings=quiet
    )
    return Opened(lambda step, value: run.log({NAME: value}, step=step), run.finish)


def _read_swanlab(folder: Path) -> Read:
    from swanlab.proto.swanlab.record.v1.record_pb2 import Record

    steps: list[int] = []
    ended = False
    for path in sorted(folder.glob("run-*/*.swanlab")):
        for data in _log_records(path.read_bytes()):
            record = Record.FromString(data)
            if record.HasField("scalar") and record.scalar.key == NAME:
                steps.append(record.scalar.step)
            ended = ended or record.HasField("finish")
    return steps, "ended" if ended else "none: no end is recorded"


PEERS = {
    "neuroprism": Peer("neuroprism", _neuroprism, _read_neuroprism),
    "TensorBoard": Peer("tensorboard", _tensorboard, _read_tensorboard),
    "CSVLogger (lightning-fabric)": Peer("lightning_fabric", _csv_logger, _read_csv_logger),
    "wandb, offline": Peer("wandb", _wandb, _read_wandb),
    "trackio": Peer("trackio", _trackio, _read_trackio),
    "mlflow, SQLite": Peer(
        "mlflow",
        lambda folder, state: _mlflow(_sqlite(folder), state),
        lambda folder: _read_mlflow(_sqlite(folder)),
    ),
    "mlflow, files": Peer(
        "mlflow",
        lambda folder, state: _mlflow(_files(folder), state),
        lambda folder: _read_mlflow(_files(folder)),
    ),
    "dvclive": Peer("dvclive", _dvclive, _read_dvclive),
    "aim": Peer("aim", _aim, _read_aim),
    "swanlab, offline": Peer("swanlab", _swanlab, _read_swanlab),
}
