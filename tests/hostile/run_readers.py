"""Readers of configurations, checkpoints, runs and the logs of others."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

from hostile.reader import Reader

INFINITE = frozenset({"JSON of a huge exponent"})
"""A number beyond all numbers is infinite, as in the log of a run that exploded."""

BESIDE = frozenset({"config.yaml", "split.json", "training_log.json", "steps.jsonl", "events.jsonl"})
"""Files of a run that may be missing; what was recorded without them is still read."""

ROWS = [{"step": k, "epoch": 1 + k // 4, "loss": 1.0 / (k + 1), "lr": 1e-3} for k in range(12)]


def _write_config(folder: Path) -> Path:
    path = folder / "config.yaml"
    path.write_text("training:\n  epochs: 3\n  optimizer: {learning_rate: 2e-4}\nproject:\n  name: x\n")
    return path


def _read_config(path: Path) -> object:
    from neuroprism.abr.config import AbrConfig
    from neuroprism.core.config import load

    return load(AbrConfig, file=path)


def _train_words(path: Path) -> list[str]:
    return ["train", "--config", str(path), "--experiment", "never"]


def _write_checkpoint(folder: Path) -> Path:
    import torch

    from neuroprism.train.checkpoint import Checkpoint, save_checkpoint

    path = folder / "last.pt"
    save_checkpoint(
        path,
        Checkpoint(
            epoch=1, batch=0, step=3, task="abr", model={"weight": torch.ones(3, 4)}, config={"a": [1, "b"]}
        ),
    )
    return path


def _read_checkpoint(path: Path) -> object:
    from neuroprism.train.checkpoint import load_checkpoint

    return load_checkpoint(path).weights()


def _predict_words(path: Path) -> list[str]:
    return ["generate", str(path), "--out", str(path.parent / "never.npz"), "-n", "1"]


def write_run(folder: Path) -> Path:
    """Write a finished run of two components with everything that a run records."""
    from neuroprism.core.records import Alert, Component
    from neuroprism.monitor import Monitor
    from neuroprism.monitor.sinks import EventsFile, RunFile, StepsFile, TrainingLog

    run = folder / "run"
    components = [Component(name="a", label="A"), Component(name="b", label="B")]
    config: dict[str, Any] = {"data": {"dataset": "x", "store": str(folder)}, "model": {"backbone": "eegnet"}}
    sinks = [RunFile(), StepsFile(), EventsFile(), TrainingLog()]
    with Monitor(run, components, task="x", seed=0, config=config, sinks=sinks) as monitor:
        for epoch in (1, 2):
            monitor.step({"a": 1.0 / epoch, "b": 2.0}, lr=1e-3)
            monitor.epoch(val={"a": 0.5, "b": 0.4}, metrics={"kappa": 0.1 * epoch}, best=True)
        monitor.test(losses={"a": 0.7, "b": 0.1}, metrics={"kappa": 0.2}, best_epoch=2)
        alert = Alert(rule="spike", kind="spike", severity="warning", message="one", component="a", step=1)
        monitor.alert(alert) if hasattr(monitor, "alert") else None
    for mark in run.rglob(".*"):
        # What the process that wrote it left for others, not for readers.
        shutil.rmtree(mark) if mark.is_dir() else mark.unlink()
    (run / "config.yaml").write_text(json.dumps(config))
    (run / "split.json").write_text(json.dumps({"rule": "as declared"}))
    return run


def _read_run(path: Path) -> object:
    from neuroprism import load_run

    run = load_run(path)
    return run.steps, run.epochs, run.alerts, run.test, run.confusion_matrix, run.test_intervals


def _read_record(path: Path) -> object:
    from neuroprism.monitor.reading import read_events, read_run, read_steps
    from neuroprism.monitor.resume import last_step

    return read_run(path), read_steps(path), read_events(path), last_step(path)


def _diagnose(path: Path) -> object:
    from neuroprism import diagnose

    return diagnose(path)


def _write_lines(folder: Path) -> Path:
    (folder / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return folder / "log.jsonl"


def _write_csv(folder: Path, name: str) -> Path:
    lines = [",".join(ROWS[0]), *(",".join(map(str, row.values())) for row in ROWS)]
    (folder / name).write_text("\n".join(lines) + "\n")
    return folder / name


def _write_trainer_state(folder: Path) -> Path:
    content = {"num_train_epochs": 3, "train_batch_size": 8, "log_history": ROWS}
    (folder / "trainer_state.json").write_text(json.dumps(content, indent=1))
    return folder / "trainer_state.json"


def _write_steps_folder(folder: Path) -> Path:
    (folder / "steps.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    (folder / "epochs.jsonl").write_text('{"epoch": 1, "step": 3, "val_loss": 0.5}\n')
    meta = {"name": "x", "components": [{"name": "loss", "weight": 2}], "schedule": {"type": "cosine"}}
    (folder / "meta.json").write_text(json.dumps(meta))
    return folder


def _write_events(folder: Path) -> Path:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary

    from neuroprism.monitor.sinks.tfrecord import masked_crc32c

    path = folder / "events.out.tfevents.1.host"
    content = b""
    for row in ROWS:
        value = Summary.Value(tag="loss/total", simple_value=row["loss"])
        data = Event(step=int(row["step"]), wall_time=1.0, summary=Summary(value=[value])).SerializeToString()
        head = len(data).to_bytes(8, "little")
        content += head + masked_crc32c(head).to_bytes(4, "little")
        content += data + masked_crc32c(data).to_bytes(4, "little")
    path.write_bytes(content)
    return path


def _write_training_log(folder: Path) -> Path:
    content = {
        "train_loss": [1.0, 0.5],
        "val_acc": [0.5, 0.6],
        "val_kappa": [0.1, 0.2],
        "learning_rate": [1e-3, 1e-4],
        "epoch_time": [1.0, 2.0],
        "test_results": {"best_epoch": 2, "kappa": 0.2, "confusion_matrix": [[3, 1], [2, 4]]},
    }
    (folder / "training_log.json").write_text(json.dumps(content, indent=2))
    return folder / "training_log.json"


def _read_history(path: Path) -> object:
    from neuroprism.runs.find import read_history

    history = read_history(path)
    return [history.column(key) for key in history], history.best_epoch, history.confusion_matrix


def _write_console(folder: Path) -> Path:
    lines = [
        f"Epoch {k} : Training Loss: {1 / k:.5f}, acc: 0.50000, kappa: 0.10000, f1: 0.40000, "
        "LR: 0.00100, Time elapsed 0.10 mins"
        for k in (1, 2)
    ]
    (folder / "out.txt").write_text("\n".join(lines) + "\n")
    return folder / "out.txt"


def _log(
    name: str, modules: tuple[str, ...], write: Any, *, optional: frozenset[str] = frozenset()
) -> Reader:
    return Reader(
        name=name,
        modules=modules,
        write=write,
        read=_diagnose,
        command=lambda path: ["diagnose", str(path)],
        takes=INFINITE,
        optional=optional,
    )


READERS = (
    Reader(
        name="configuration",
        modules=("core.config", "core.yaml_text"),
        write=_write_config,
        read=_read_config,
        # No key at all means the defaults.
        takes=frozenset({"empty", "blank", "JSON of null"}),
        command=_train_words,
    ),
    Reader(
        name="checkpoint",
        modules=("train.checkpoint",),
        write=_write_checkpoint,
        read=_read_checkpoint,
        command=_predict_words,
    ),
    Reader(
        name="run",
        modules=("runs.load", "runs.context", "cli.stored_baselines"),
        write=write_run,
        read=_read_run,
        command=lambda path: ["summary", str(path)],
        optional=BESIDE,
    ),
    Reader(
        name="record",
        modules=("monitor.reading", "monitor.resume"),
        write=write_run,
        read=_read_record,
        optional=BESIDE,
    ),
    _log("diagnosed run", ("runs.traces.run_folder",), write_run, optional=BESIDE),
    _log("lines of JSON", ("runs.traces.json_lines", "runs.traces.open_trace"), _write_lines),
    _log("table of a log", ("runs.traces.csv_rows",), partial(_write_csv, name="log.csv")),
    _log("metrics of lightning", ("runs.traces.csv_rows",), partial(_write_csv, name="metrics.csv")),
    _log("state of a trainer", ("runs.traces.json_document",), _write_trainer_state),
    _log(
        "folder of steps",
        ("runs.traces.steps_folder", "runs.traces.declared"),
        _write_steps_folder,
        optional=frozenset({"epochs.jsonl"}),
    ),
    _log("event file", ("runs.traces.event_files",), _write_events),
    Reader(
        name="training log",
        modules=("runs.training_log",),
        write=_write_training_log,
        read=_read_history,
        command=lambda path: ["summary", str(path)],
    ),
    Reader(name="console output", modules=("runs.console_lines",), write=_write_console, read=_read_history),
)
