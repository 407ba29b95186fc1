"""`events.jsonl`."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from neuroprism.core.records import Alert, EpochRecord, Note, RunRecord
from neuroprism.monitor import StepWindow, read_events
from neuroprism.monitor.sinks import EventsFile


def refuse(constant: str) -> NoReturn:
    raise AssertionError(f"not strict JSON: {constant}")


def test_events_are_in_the_file_when_write_returns_and_windows_are_not(
    tmp_path: Path, six_run: RunRecord, make_window: Callable[..., StepWindow]
) -> None:
    sink = EventsFile()
    sink.open(six_run, tmp_path)
    events = [
        Note(message="first"),
        Alert(rule="r", kind="k", severity="info", message="m", evidence={"values": [math.nan, math.inf]}),
        EpochRecord(epoch=1, step=2, train={"total": -math.inf}),
    ]
    for n, event in enumerate(events, start=1):
        sink.write(event)
        sink.write(make_window([[1.0] * 6]))
        assert len((tmp_path / "events.jsonl").read_bytes().splitlines()) == n
    sink.close()
    lines = (tmp_path / "events.jsonl").read_text(encoding="utf-8").splitlines()
    kinds = [json.loads(line, parse_constant=refuse)["event"] for line in lines]
    assert kinds == ["note", "alert", "epoch"]
    alert, epoch = read_events(tmp_path)[1:]
    assert isinstance(alert, Alert)
    assert math.isnan(alert.evidence["values"][0])
    assert alert.evidence["values"][1] == math.inf
    assert epoch == events[2]


def test_a_torn_line_is_cut_before_the_first_event(tmp_path: Path, six_run: RunRecord) -> None:
    (tmp_path / "events.jsonl").write_bytes(b'{"event":"note","message":"a"}\n{"event":"no')
    sink = EventsFile()
    sink.open(six_run, tmp_path)
    sink.write(Note(message="b"))
    sink.close()
    assert [event.message for event in read_events(tmp_path) if isinstance(event, Note)] == ["a", "b"]
