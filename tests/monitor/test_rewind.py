from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from neuroprism.core import files
from neuroprism.core.errors import DataError
from neuroprism.core.records import (
    Alert,
    CheckpointSaved,
    EpochRecord,
    Event,
    Finished,
    Gradients,
    Note,
    Started,
    TestRecord,
)
from neuroprism.core.strict_json import encode
from neuroprism.monitor import resume
from neuroprism.monitor.resume import ResumePoint, last_step, rewind

EVENTS: list[Event] = [
    Started(run_id="a", components=()),
    EpochRecord(epoch=1, step=5, train={}),
    CheckpointSaved(path="last.pt", step=5, epoch=1, reason="last"),
    Note(message="kept"),
    Alert(rule="r", kind="k", severity="info", message="m", step=6, epoch=2),
    Alert(rule="r", kind="k", severity="info", message="m", epoch=2),
    EpochRecord(epoch=2, step=10, train={}),
    CheckpointSaved(path="last.pt", step=10, epoch=2, reason="last"),
    TestRecord(metrics={"f1": 0.5}),
    Finished(status="finished"),
]


def alert(**places: Any) -> Alert:
    return Alert(rule="r", kind="k", severity="info", message="m", **places)


def write(folder: Path, *, first: int = 1, last: int = 10, value: float = 1.0) -> None:
    with (folder / "steps.jsonl").open("ab") as file:
        for step in range(first, last + 1):
            file.write(encode({"step": step, "epoch": 1 + (step > 5), "loss/total": value}) + b"\n")


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path)
    (tmp_path / "events.jsonl").write_bytes(b"".join(encode(event) + b"\n" for event in EVENTS))
    return tmp_path


def test_what_came_after_the_checkpoint_is_set_aside(folder: Path) -> None:
    assert rewind(folder, ResumePoint(step=5, epoch=1), attempt=2) == 5
    assert [row["step"] for row in rows(folder / "steps.jsonl")] == [1, 2, 3, 4, 5]
    side = rows(folder / "steps.superseded.jsonl")
    assert [(row["superseded_by"], row["step"]) for row in side] == [(2, step) for step in range(6, 11)]
    kept = [row["event"] for row in rows(folder / "events.jsonl")]
    assert kept == ["started", "epoch", "checkpoint", "note", "finished"]
    moved = [row["event"] for row in rows(folder / "events.superseded.jsonl")]
    assert moved == ["alert", "alert", "epoch", "checkpoint", "test"]
    assert last_step(folder) == 5


def test_alerts_about_a_closed_epoch_stay_with_it(tmp_path: Path) -> None:
    alert = Alert(rule="r", kind="k", severity="info", message="m", epoch=1)
    (tmp_path / "events.jsonl").write_bytes(encode(alert) + b"\n")
    rewind(tmp_path, ResumePoint(step=5, epoch=1), attempt=2)
    assert len(rows(tmp_path / "events.jsonl")) == 1


def test_nothing_is_touched_where_nothing_came_after(folder: Path) -> None:
    events = [event for event in EVENTS if not isinstance(event, TestRecord)]
    (folder / "events.jsonl").write_bytes(b"".join(encode(event) + b"\n" for event in events))
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}
    assert rewind(folder, ResumePoint(step=10, epoch=2), attempt=2) == 0
    assert {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in folder.iterdir()} == before


def test_a_torn_last_line_is_dropped(folder: Path) -> None:
    with (folder / "steps.jsonl").open("ab") as file:
        file.write(b'{"step":11,"ep')
    assert rewind(folder, ResumePoint(step=8, epoch=1), attempt=2) == 2
    assert (folder / "steps.jsonl").read_bytes().endswith(b"}\n")


def test_identical_rows_of_two_attempts_are_both_kept(folder: Path) -> None:
    point = ResumePoint(step=5, epoch=1)
    rewind(folder, point, attempt=2)
    write(folder, first=6, last=10)
    rewind(folder, point, attempt=3)
    side = [(row["superseded_by"], row["step"]) for row in rows(folder / "steps.superseded.jsonl")]
    assert side == [(attempt, step) for attempt in (2, 3) for step in range(6, 11)]


class Killed(BaseException):
    """Stands for SIGKILL."""


@pytest.mark.parametrize("after", range(8))
def test_a_kill_at_any_point_is_healed_by_the_next_resume(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    whole = tmp_path_factory.mktemp("whole")
    for path in folder.iterdir():
        (whole / path.name).write_bytes(path.read_bytes())
    point = ResumePoint(step=5, epoch=1)
    rewind(whole, point, attempt=2)

    # Kill before or after each of the four replacements.
    counter = itertools.count()
    replace = resume.replace_with

    def killed(*args: Any) -> None:
        for position in ("before", "after"):
            if next(counter) == after:
                raise Killed
            if position == "before":
                replace(*args)

    monkeypatch.setattr(resume, "replace_with", killed)
    with pytest.raises(Killed):
        rewind(folder, point, attempt=2)
    monkeypatch.setattr(resume, "replace_with", replace)
    rewind(folder, point, attempt=2)
    for path in whole.iterdir():
        assert (folder / path.name).read_bytes() == path.read_bytes(), path.name


def test_a_failed_replacement_loses_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    before = (folder / "steps.jsonl").read_bytes()
    monkeypatch.setattr(files.os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        rewind(folder, ResumePoint(step=5, epoch=1), attempt=2)
    assert (folder / "steps.jsonl").read_bytes() == before
    assert sorted(path.name for path in folder.iterdir()) == ["events.jsonl", "steps.jsonl"]


def test_damage_is_an_error_and_moves_nothing(folder: Path) -> None:
    with (folder / "steps.jsonl").open("ab") as file:
        file.write(b"\x00\x00\n")
    before = (folder / "steps.jsonl").read_bytes()
    with pytest.raises(DataError, match=r"steps\.jsonl holds a damaged line"):
        rewind(folder, ResumePoint(step=5, epoch=1), attempt=2)
    assert (folder / "steps.jsonl").read_bytes() == before


def test_an_empty_folder_has_nothing_to_move(tmp_path: Path) -> None:
    assert rewind(tmp_path, ResumePoint(step=5, epoch=1), attempt=2) == 0
    assert last_step(tmp_path) == 0


def test_a_point_is_made_from_the_state_of_a_monitor() -> None:
    state = {"step": 7, "epoch": 1, "means": {}}
    assert ResumePoint.from_state(state) == ResumePoint(step=7, epoch=1, state=state)


@pytest.mark.parametrize(
    ("event", "is_after"),
    [
        (Gradients(step=5, epoch=1), False),
        (Gradients(step=6, epoch=1), True),
        (alert(step=3, last_seen=5), False),
        # The evidence lies before the checkpoint, what was said of it after.
        (alert(step=3, last_seen=6), True),
        (alert(step=5), False),
        (alert(step=6), True),
        (alert(last_seen=4, epoch=9), False),
        (alert(step=2, last_seen=2, at_end=True), True),
        (alert(epoch=1, at_end=True), True),
    ],
    ids=lambda value: "" if isinstance(value, bool) else type(value).__name__,
)
def test_what_is_after_a_checkpoint(tmp_path: Path, event: Event, is_after: bool) -> None:
    (tmp_path / "events.jsonl").write_bytes(encode(event) + b"\n")
    rewind(tmp_path, ResumePoint(step=5, epoch=1), attempt=2)
    assert (rows(tmp_path / "events.jsonl") == []) == is_after
