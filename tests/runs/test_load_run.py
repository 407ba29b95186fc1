from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import neuroprism
from neuroprism import load_run
from neuroprism.core import strict_json
from neuroprism.core.errors import NeuroprismError
from neuroprism.core.records import Component, RunRecord
from neuroprism.monitor import Monitor, read_steps
from neuroprism.monitor.sinks import EventsFile, RunFile, StepsFile
from neuroprism.runs.load import runs_in

RecordRun = Callable[..., Path]


def test_a_recorded_run_as_tables(record_run: RecordRun) -> None:
    folder = record_run("run", 0.7, seed=5, parts=("signal", "peak"))
    run = load_run(folder)
    assert (run.name, run.status, run.seed, run.best_epoch) == ("run", "finished", 5, 2)
    assert [c.name for c in run.components] == ["signal", "peak"]
    assert run.config["model"]["backbone"] == "eegnet"
    assert list(run.steps) == ["step", "epoch", "lr", "loss/total", "loss/signal", "loss/peak"]
    assert run.steps["loss/total"].tolist() == [2.0, 1.0, 2 / 3]
    assert run.epochs["epoch"].tolist() == [1, 2, 3]
    assert {"step", "lr", "seconds", "best", "train/total", "val/peak", "val/balanced_accuracy"} <= set(
        run.epochs
    )
    assert run.epochs["val/balanced_accuracy"].tolist() == [0.69, 0.7, 0.69]
    assert run.alerts.empty
    assert list(run.alerts)[:3] == ["rule", "kind", "severity"]
    assert run.test["test/balanced_accuracy"].tolist() == [pytest.approx(0.6)]
    assert run.test["best_epoch"].tolist() == [2]
    assert run.confusion_matrix == [[8, 2], [3, 7]]
    assert run.test_intervals["test/balanced_accuracy"] == (pytest.approx(0.5), 0.7)
    assert "finished, 3 epochs" in repr(run)
    assert run.steps is run.steps


def test_log_alone_gives_the_same_series(record_run: RecordRun, tmp_path: Path) -> None:
    whole = load_run(record_run("run", 0.7))
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(tmp_path / "run" / "training_log.json", alone)
    for path in (alone, alone / "training_log.json"):
        run = load_run(path)
        assert (run.run, run.status, run.best_epoch, run.seed) == (None, None, 2, None)
        shared = ["epoch", "train/total", "val/bce", "val/balanced_accuracy", "lr", "seconds"]
        pd.testing.assert_frame_equal(run.epochs[shared], whole.epochs[shared])
        assert run.test["test/balanced_accuracy"].tolist() == whole.test["test/balanced_accuracy"].tolist()
        assert run.test["test/bce"].tolist() == [0.7]
        assert run.steps.empty
        assert run.alerts.empty
        assert run.confusion_matrix == [[8, 2], [3, 7]]


def test_the_log_inside_a_run_folder_means_the_run(record_run: RecordRun) -> None:
    folder = record_run("run", 0.7)
    assert load_run(folder / "training_log.json").status == "finished"


def test_a_published_log_of_earlier_code(
    published_log: dict[str, Any], write_log: Callable[..., Path]
) -> None:
    run = load_run(write_log(published_log))
    assert len(run.epochs) == 50
    assert run.epochs["val/kappa"].tolist() == published_log["val_kappa"]
    assert run.epochs["seconds"].sum() == pytest.approx(31.33 * 60)
    assert run.test["test/f1"].tolist() == [published_log["test_results"]["f1"]]


def test_alerts_are_rows(tmp_path: Path) -> None:
    sinks = [RunFile(), EventsFile(), StepsFile()]
    with Monitor(tmp_path / "run", {"a": 1.0}, sinks=sinks) as monitor:
        for value in (1.0, float("nan")):
            monitor.step({"a": value})
    run = load_run(tmp_path / "run")
    assert len(run.alerts) == len(monitor.alerts) > 0
    assert run.alerts["kind"].tolist() == [alert.kind for alert in monitor.alerts]
    assert run.history is None
    assert run.epochs.empty
    assert run.test.empty


def test_a_run_whose_process_is_gone_is_lost(record_run: RecordRun) -> None:
    folder = record_run("run", 0.7)
    card = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(card | {"status": "running", "process_started": 1.0}))
    assert load_run(folder).status == "lost"


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda folder: folder / "missing", "no run or training log at"),
        (lambda folder: folder, "holds no run"),
    ],
)
def test_no_run_is_one_clear_line(make: Callable[[Path], Path], expected: str, tmp_path: Path) -> None:
    with pytest.raises(NeuroprismError, match=expected):
        load_run(make(tmp_path))
    with pytest.raises(NeuroprismError, match=expected):
        runs_in(make(tmp_path))


@pytest.mark.parametrize("name", ["run.json", "events.jsonl", "config.yaml", "training_log.json"])
def test_a_damaged_file_is_named(name: str, record_run: RecordRun) -> None:
    folder = record_run("run", 0.7)
    (folder / name).write_bytes(b'{"a": [\n\n')
    with pytest.raises(NeuroprismError) as raised:
        load_run(folder)
    assert name in str(raised.value)
    assert "\n" not in str(raised.value)


def test_runs_inside_a_folder_are_found_in_order(record_run: RecordRun, tmp_path: Path) -> None:
    for seed in (1, 0):
        record_run(f"many/seed_{seed}", 0.7, seed=seed)
    (tmp_path / "many" / "notes").mkdir()
    (tmp_path / "many" / "readme.txt").write_text("no run")
    assert runs_in(tmp_path / "many") == [tmp_path / "many/seed_0", tmp_path / "many/seed_1"]
    assert runs_in(tmp_path / "many/seed_1") == [tmp_path / "many/seed_1"]


def test_steps_are_not_copied_and_a_long_run_is_read_quickly(tmp_path: Path) -> None:
    card = RunRecord(
        id="x", name="long", task="", components=(Component(name="a", label="A"),), status="finished"
    )
    (tmp_path / "run.json").write_bytes(strict_json.encode_pretty(card))
    n = 100_000
    rows = "".join(
        f'{{"step":{k},"epoch":1,"lr":0.1,"loss/total":0.5,"loss/a":{k}.5}}\n' for k in range(1, n + 1)
    )
    (tmp_path / "steps.jsonl").write_text(rows)

    def seconds(read: Callable[[], Any]) -> float:
        start = time.perf_counter()
        read()
        return time.perf_counter() - start

    plain = min(seconds(lambda: read_steps(tmp_path)) for _ in range(3))
    framed = min(seconds(lambda: load_run(tmp_path).steps) for _ in range(3))
    frame = load_run(tmp_path).steps
    assert frame["loss/a"].sum() == pytest.approx(sum(k + 0.5 for k in range(1, n + 1)))
    assert frame["step"].dtype == np.int64
    assert framed < 2 * plain + 0.05


def test_top_level_names() -> None:
    assert neuroprism.load_run is load_run
    assert {"load_run", "plot_training_progress"} <= set(dir(neuroprism))
    with pytest.raises(AttributeError, match="lod_run"):
        _ = neuroprism.lod_run  # type: ignore[attr-defined]
