from __future__ import annotations

import json
import sqlite3
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuroprism.core.errors import UnknownNameError, UserError
from neuroprism.core.records import Alert, Component, EpochRecord, RunRecord
from neuroprism.monitor.sinks import tracker_backends
from neuroprism.monitor.sinks.protocol import Sink
from neuroprism.monitor.sinks.tracker import Tracker

# A process of its own: trackers leave threads behind and read their environment on import.
PROGRAM = """
import sys
from pathlib import Path
import numpy as np
from neuroprism.core.records import *
from neuroprism.monitor.sinks.tracker import Tracker
from neuroprism.monitor.window import StepWindow

components = (Component(name="a", label="A"), Component(name="b", label="B", weight=0.5))
run = RunRecord(id="abc12345", name="demo", task="t", components=components, seed=7)

def window(first, n, epoch, value):
    one = np.ones(n)
    return StepWindow(
        components=components, step=np.arange(first, first + n), epoch=np.full(n, epoch),
        losses=np.full((n, 2), value), counts=np.ones((n, 2)), total=1.5 * value * one, lr=1e-4 * one,
        grad_norm=one, grad_norm_given=one > 0, n_samples=one, skipped=one < 0,
    )

def epoch(number, step, value):
    return EpochRecord(epoch=number, step=step, train={"total": 1.5 * value, "a": value, "b": value},
                       val={"total": float("nan")}, lr=1e-4)

def gradients(step, value):
    return Gradients(step=step, epoch=1, norms={"a": value, "b": value}, cosines={"a|b": 0.5}, clip_rate=0.25)

def attempt(*records):
    sink = Tracker(sys.argv[1], project="proj", tags=["x"], log_frequency=2)
    sink.open(run, Path(sys.argv[2]))
    for record in records:
        sink.write(record)
    sink.close()

attempt(
    Started(run_id=run.id, components=components), window(1, 6, 1, 1.0), epoch(1, 6, 1.0),
    window(7, 6, 2, 1.0),
    Alert(rule="r", kind="spike", severity="warning", message="too high", component="a", step=9),
    gradients(12, 1.0), epoch(2, 12, 1.0), window(13, 3, 3, 1.0),
)
attempt(
    Resumed(step=6, epoch=2, superseded_steps=9), window(7, 6, 2, 2.0), gradients(12, 2.0), epoch(2, 12, 2.0),
    window(13, 6, 3, 2.0), gradients(18, 2.0), epoch(3, 18, 2.0),
    TestRecord(losses={"a": 0.5}, metrics={"acc": 0.75}), Finished(status="finished"),
)
"""


@pytest.fixture
def isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run folder, with every place where a tracker keeps things inside the test's folder."""
    for name in ("WANDB_MODE", "WANDB_PROJECT", "WANDB_API_KEY", "TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR", "TRACKIO_DIR", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "config.yaml").write_text("training:\n  epochs: 3\n")
    return folder


def run_program(backend: str, folder: Path) -> None:
    command = [sys.executable, "-W", "error", "-c", PROGRAM, backend, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "")


def wandb_records(path: Path) -> Iterator[Any]:
    """Yield the records of an offline file: LevelDB's log format after a header of 7 bytes."""
    from wandb.proto import wandb_internal_pb2

    data, position, message = path.read_bytes(), 7, b""
    while position + 7 <= len(data):
        left = 32768 - position % 32768
        if left < 7:
            position += left
            continue
        _, length, kind = struct.unpack("<IHB", data[position : position + 7])
        message += data[position + 7 : position + 7 + length]
        position += 7 + length
        if kind in (1, 4):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(message)
            message = b""
            yield record


def history(records: list[Any]) -> list[dict[str, float]]:
    rows = [record.history for record in records if record.WhichOneof("record_type") == "history"]
    return [{"/".join(i.nested_key) or i.key: json.loads(i.value_json) for i in row.item} for row in rows]


def check_rows(rows: list[dict[str, Any]]) -> None:
    """Axes never go backwards, nothing is sent twice, nothing is missing."""
    steps = [row["global_step"] for row in rows if "step/a" in row]
    assert steps == [1, 2, 4, 6, 8, 10, 12, 14, 16, 18]
    looks = [(row["global_step"], row["gradient/a"]) for row in rows if "gradient/a" in row]
    assert looks == [(12, 1.0), (18, 2.0)]
    values = [row["step/a"] for row in rows if "step/a" in row]
    assert values == [1.0] * 8 + [2.0] * 2
    epochs = [row for row in rows if "epoch" in row]
    assert [row["epoch"] for row in epochs] == [1, 2, 3]
    last = epochs[-1]
    assert (last["train/a"], last["loss_breakdown/b"]) == (2.0, 1.0)
    assert last["loss_breakdown/b_share"] == pytest.approx(1 / 3)
    assert str(last["val/total"]).lower() == "nan"


def test_wandb_offline(isolated: Path) -> None:
    run_program("wandb", isolated)
    files = sorted(isolated.glob("wandb/offline-run-*-abc12345*/*.wandb"))
    assert len(files) == 2
    records = [record for file in files for record in wandb_records(file)]
    check_rows(history(records))
    first = next(r.run for r in records if r.WhichOneof("record_type") == "run")
    assert (first.run_id, first.project, list(first.tags)) == ("abc12345", "proj", ["x"])
    config = {item.key: json.loads(item.value_json) for item in first.config.update}
    assert config["training"] == {"epochs": 3}
    assert config["neuroprism"]["loss_weights"] == {"a": 1.0, "b": 0.5}
    metrics = [r.metric for r in records if r.WhichOneof("record_type") == "metric"]
    axes = {m.glob_name: m.step_metric for m in metrics if m.glob_name}
    groups = ("gradient/*", "gradient_share/*", "gradient_cosine/*", "update_ratio/*", "clip_rate*")
    expected = dict.fromkeys(("step/*", *groups), "global_step") | dict.fromkeys(
        ("train/*", "val/*", "loss_breakdown/*"), "epoch"
    )
    assert axes == expected
    summary = {
        "/".join(item.nested_key) or item.key: item.value_json
        for r in records
        if r.WhichOneof("record_type") == "summary"
        for item in r.summary.update
    }
    assert summary["test/acc"] == "0.75"
    assert any("spike in a" in key for key in summary)


def test_trackio_local(isolated: Path) -> None:
    run_program("trackio", isolated)
    with sqlite3.connect(isolated.parent / "home" / "proj.db") as database:
        rows = database.execute("select run_id, step, metrics from metrics order by id").fetchall()
        alerts = database.execute("select title, level, step from alerts").fetchall()
        (config,) = (json.loads(text) for (text,) in database.execute("select config from configs"))
    database.close()
    assert len({run_id for run_id, _, _ in rows}) == 1
    steps = [step for _, step, _ in rows]
    assert steps == sorted(steps)
    check_rows([json.loads(metrics) for _, _, metrics in rows])
    assert json.loads(rows[-1][2]) == {"test/a": 0.5, "test/acc": 0.75}
    assert alerts == [("spike in a", "warn", 9)]
    assert config["training"] == {"epochs": 3}
    assert config["tags"] == ["x"]


@pytest.mark.parametrize("backend", ["wandb", "trackio"])
def test_absent_package_names_the_extra(
    backend: str, isolated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    run = RunRecord(id="x", name="x", task="", components=(Component(name="a", label="A"),))
    with pytest.raises(
        UserError, match=rf'{backend} is not installed; pip install "neuroprism\[{backend}\]"'
    ):
        Tracker(backend).open(run, isolated)


def test_unknown_backend_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UnknownNameError, match="wandb"):
        Tracker("wandbb")


def test_trackio_refuses_to_go_online() -> None:
    with pytest.raises(UserError, match="this machine only"):
        Tracker("trackio", mode="online")


def test_disabled_does_nothing(tmp_path: Path) -> None:
    component = Component(name="a", label="A")
    sink = Tracker("wandb", mode="disabled")
    assert isinstance(sink, Sink)
    sink.open(RunRecord(id="x", name="x", task="", components=(component,)), tmp_path)
    sink.write(EpochRecord(epoch=1, step=1, train={"a": 1.0}))
    sink.close()
    assert not list(tmp_path.iterdir())


class FakeRun:
    """Stands for a run of Weights & Biases that is online."""

    def __init__(self) -> None:
        self.alerts: list[dict[str, str]] = []
        self.release = threading.Event()

    def alert(self, **values: str) -> None:
        self.alerts.append(values)

    def finish(self, exit_code: int) -> None:
        self.release.wait()


def test_online_alerts_go_to_the_service() -> None:
    run = FakeRun()
    alert = Alert(rule="r", kind="spike", severity="critical", message="too high", component="a")
    tracker_backends._Wandb(run, is_online=True).alert(alert)
    assert run.alerts == [{"title": "spike in a", "text": "too high", "level": "ERROR"}]


def test_a_service_that_does_not_answer_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracker_backends, "FINISH_SECONDS", 0.01)
    run = FakeRun()
    with pytest.raises(TimeoutError, match="did not finish"):
        tracker_backends._Wandb(run, is_online=True).finish(failed=False)
    run.release.set()


def test_errors_of_finishing_reach_the_caller() -> None:
    with pytest.raises(ZeroDivisionError):
        tracker_backends._within(5.0, lambda: np.int64(1).item() // 0)
