from __future__ import annotations

import math
import os
import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neuroprism.core import strict_json
from neuroprism.core.errors import DataError, RunError
from neuroprism.core.files import replace_bytes
from neuroprism.core.records import Alert, Component, EpochRecord, Note, RunRecord
from neuroprism.monitor import Monitor, read_events, read_run, read_steps, reading, run_status
from neuroprism.monitor.build import file_sinks
from neuroprism.monitor.run_identity import host, process_started


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with alerts, skipped steps, gaps and non-finite numbers."""
    folder = tmp_path_factory.mktemp("runs") / "finished"
    with Monitor(folder, {"signal": 1.0, "peak": 0.5}, sinks=file_sinks(), log_frequency=4) as monitor:
        for step in range(1, 21):
            losses = {"signal": 1 / step}
            if step % 3:
                losses["peak"] = math.inf if step == 10 else float(step)
            monitor.step(losses, lr=1e-3, grad_norm=0.5 if step > 2 else None, skipped=step == 10)
            if step % 10 == 0:
                monitor.epoch(val={"signal": 0.5, "peak": math.nan}, metrics={"f1": 0.25})
        monitor.note("NaN")
    return folder


def test_steps_come_back_as_columns(finished: Path) -> None:
    columns = read_steps(finished)
    step = np.arange(1, 21)
    np.testing.assert_array_equal(columns["step"], step)
    np.testing.assert_array_equal(columns["epoch"], np.repeat([1, 2], 10))
    assert columns["step"].dtype == np.int64
    assert columns["skipped"].dtype == np.bool_
    np.testing.assert_array_equal(columns["skipped"], step == 10)
    peak = np.where(step % 3 == 0, np.nan, step.astype(float))
    peak[9] = np.inf
    np.testing.assert_array_equal(columns["loss/peak"], peak)
    np.testing.assert_array_equal(columns["loss/signal"], 1 / step)
    np.testing.assert_array_equal(columns["loss/total"], 1 / step + 0.5 * np.nan_to_num(peak, posinf=np.inf))
    np.testing.assert_array_equal(columns["grad_norm"], np.where(step > 2, 0.5, np.nan))
    assert set(columns) == {
        "step", "epoch", "skipped", "lr", "grad_norm", "loss/total", "loss/signal", "loss/peak",
    }  # fmt: skip


def test_events_come_back_typed(finished: Path) -> None:
    events = read_events(finished)
    kinds = [type(event).__name__ for event in events if not isinstance(event, Alert)]
    assert kinds == ["Started", "EpochRecord", "EpochRecord", "Note", "Finished"]
    alert = next(event for event in events if isinstance(event, Alert))
    assert alert.evidence["values"]["peak"] == math.inf
    epoch = next(event for event in events if isinstance(event, EpochRecord))
    assert math.isnan(epoch.val["peak"])
    assert math.isnan(epoch.val["total"])
    # Text that looks like a number stays text.
    note = next(event for event in events if isinstance(event, Note))
    assert note.message == "NaN"


def test_a_run_without_rows_has_empty_columns(tmp_path: Path) -> None:
    columns = read_steps(tmp_path)
    assert {name: (column.dtype.kind, len(column)) for name, column in columns.items()} == {
        "step": ("i", 0),
        "epoch": ("i", 0),
    }
    assert read_events(tmp_path) == []


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_files_cut_at_any_byte_yield_every_whole_record(
    finished: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    steps, events = (finished / name for name in ("steps.jsonl", "events.jsonl"))
    steps_cut = steps.read_bytes()[: data.draw(st.integers(0, steps.stat().st_size))]
    events_cut = events.read_bytes()[: data.draw(st.integers(0, events.stat().st_size))]
    (folder / "steps.jsonl").write_bytes(steps_cut)
    (folder / "events.jsonl").write_bytes(events_cut)
    rows, whole = read_steps(folder), read_steps(finished)
    n = steps_cut.count(b"\n")
    assert all(len(column) == n for column in rows.values())
    for name, column in rows.items():
        np.testing.assert_array_equal(column, whole[name][:n])
    found, n_events = read_events(folder), events_cut.count(b"\n")
    assert [strict_json.encode(e) for e in found] == [
        strict_json.encode(e) for e in read_events(finished)[:n_events]
    ]


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["lr", "loss/total", "loss/signal", "metric/m"]),
            st.floats() | st.integers(-5, 5),
            max_size=4,
        ),
        max_size=30,
    ),
    st.integers(20, 400),
)
def test_columns_do_not_depend_on_how_the_file_is_cut_into_blocks(
    rows: list[dict[str, float]], block: int
) -> None:
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as name:
        folder = Path(name)
        full = [{"step": k, "epoch": 1, **row} for k, row in enumerate(rows, start=1)]
        (folder / "steps.jsonl").write_bytes(b"".join(strict_json.encode(row) + b"\n" for row in full))
        patch.setattr(reading, "_CHUNK_BYTES", block)
        columns = read_steps(folder)
    for key in {key for row in full for key in row}:
        expected = np.array([row.get(key, math.nan) for row in full])
        np.testing.assert_array_equal(columns[key], expected)
    assert all(len(column) == len(full) for column in columns.values())


@pytest.mark.parametrize(
    ("name", "read", "damage"),
    [
        ("steps.jsonl", read_steps, b'{"step":2,\n'),
        ("steps.jsonl", read_steps, b'{"step":[2]}\n'),
        ("steps.jsonl", read_steps, b'{"step":2,"loss/total":"high"}\n'),
        ("steps.jsonl", read_steps, b"\x00\x00\x00\n"),
        ("events.jsonl", read_events, b'{"event":"party"}\n'),
        ("events.jsonl", read_events, b'{"event":"epoch","epoch":1}\n'),
    ],
)
def test_damage_is_named_by_file_and_line(tmp_path: Path, name: str, read: Any, damage: bytes) -> None:
    good = {"steps.jsonl": b'{"step":1,"epoch":1}\n', "events.jsonl": b'{"event":"note","message":"m"}\n'}
    (tmp_path / name).write_bytes(good[name] + damage + good[name])
    with pytest.raises(DataError, match=f"{name}, line 2: "):
        read(tmp_path)


def card(folder: Path, **changes: Any) -> None:
    values: dict[str, Any] = {
        "id": "a",
        "name": "n",
        "task": "",
        "components": (Component(name="mse", label="MSE"),),
        "host": host(),
        "pid": os.getpid(),
        "process_started": process_started(os.getpid()),
    }
    replace_bytes(folder / "run.json", strict_json.encode_pretty(RunRecord(**{**values, **changes})))


def test_a_run_of_this_process_is_running(tmp_path: Path) -> None:
    card(tmp_path)
    assert run_status(tmp_path) == "running"


@pytest.mark.parametrize("status", ["finished", "failed", "interrupted"])
def test_a_closed_run_keeps_its_status(tmp_path: Path, status: str) -> None:
    card(tmp_path, status=status, pid=1, process_started=-1.0)
    assert run_status(tmp_path) == status


def test_a_later_process_with_the_same_identifier_is_another_one(tmp_path: Path) -> None:
    card(tmp_path, process_started=-1.0)
    assert run_status(tmp_path) == "lost"


def test_a_process_that_is_gone_leaves_a_lost_run(tmp_path: Path) -> None:
    with subprocess.Popen(["true"]) as child:
        child.wait()
    card(tmp_path, pid=child.pid, process_started=None)
    assert run_status(tmp_path) == "lost"


def test_on_another_computer_the_heartbeat_decides(tmp_path: Path) -> None:
    card(tmp_path, host="elsewhere", pid=1, process_started=-1.0)
    assert run_status(tmp_path) == "running"
    before = time.time() - 599
    os.utime(tmp_path / "run.json", (before, before))
    assert run_status(tmp_path) == "running"
    os.utime(tmp_path / "run.json", (before - 2, before - 2))
    assert run_status(tmp_path) == "lost"


def test_a_folder_without_a_run_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"holds no run: run\.json is missing"):
        read_run(tmp_path)
    (tmp_path / "run.json").write_text('{"id": 3}')
    with pytest.raises(RunError, match=r"run\.json is damaged"):
        run_status(tmp_path)


def test_the_card_says_what_was_declared(finished: Path) -> None:
    run = read_run(finished)
    assert run.name == "finished"
    assert [(c.name, c.weight) for c in run.components] == [("signal", 1.0), ("peak", 0.5)]
    assert run.versions["numpy"] == np.__version__
    assert run.status == "finished"


@pytest.mark.parametrize("n_series", [1, 12, 13, 14, 200])
@pytest.mark.parametrize("n_rows", [1, 15, 16, 70_000])
def test_wide_and_long_runs_come_back_exactly(tmp_path: Path, n_series: int, n_rows: int) -> None:
    n_rows = min(n_rows, 70_000 // n_series)
    losses = np.random.default_rng(0).standard_normal((n_rows, n_series))
    rows = [
        {"step": k, "epoch": 1, **{f"loss/{name}": value for name, value in enumerate(row)}}
        for k, row in enumerate(losses.tolist(), start=1)
    ]
    (tmp_path / "steps.jsonl").write_bytes(b"".join(strict_json.encode(row) + b"\n" for row in rows))
    columns = read_steps(tmp_path)
    np.testing.assert_array_equal(columns["step"], np.arange(1, n_rows + 1))
    for k in range(n_series):
        np.testing.assert_array_equal(columns[f"loss/{k}"], losses[:, k])
