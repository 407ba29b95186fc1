from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path

from neuroprism.core.records import Alert, CheckpointSaved, Note, RunRecord
from neuroprism.monitor.sinks.protocol import Sink
from neuroprism.monitor.sinks.text_log import TextLog
from neuroprism.monitor.window import StepWindow

MakeWindow = Callable[..., StepWindow]
LINE = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} - neuroprism - (INFO|WARNING|CRITICAL) - (.*)$")


def read(folder: Path) -> list[tuple[str, str]]:
    lines = (folder / "training.log").read_text(encoding="utf-8").splitlines()
    matches = [LINE.match(line) for line in lines]
    assert all(matches)
    return [(m[1], m[2]) for m in matches if m]


def test_step_lines_have_the_values_of_their_own_step(
    tmp_path: Path, six_run: RunRecord, make_window: MakeWindow
) -> None:
    log = TextLog(log_frequency=2)
    assert isinstance(log, Sink)
    log.open(six_run, tmp_path)
    log.write(make_window([[i, 0, 0, 0, 0, 0] for i in (1, 2, 3, 4)], first_step=1, skipped=[4]))
    expected = [
        "Step 2 - Total: 2.0000, Signal: 2.0000, Class: 0.0000, Peak: 0.0000, "
        "PeakLat: 0.0000, PeakAmp: 0.0000, Thresh: 0.0000",
        "Step 4 - Total: 4.0000, Signal: 4.0000, Class: 0.0000, Peak: 0.0000, "
        "PeakLat: 0.0000, PeakAmp: 0.0000, Thresh: 0.0000 (step not applied)",
    ]
    assert read(tmp_path) == [("INFO", text) for text in expected]
    log.close()


def test_severity_is_the_level_and_every_record_is_on_disk_at_once(
    tmp_path: Path, six_run: RunRecord
) -> None:
    log = TextLog()
    log.open(six_run, tmp_path)
    log.write(Note(message="2 peaks masked"))
    log.write(Note(message="first\nsecond", severity="critical"))
    log.write(Alert(rule="r", kind="k", severity="critical", message="too high"))
    log.write(CheckpointSaved(path="last.pt", step=1, epoch=1, reason="last"))
    assert read(tmp_path) == [
        ("INFO", "2 peaks masked"),
        ("CRITICAL", "first"),
        ("CRITICAL", "second"),
        ("CRITICAL", "Alert k: too high"),
    ]
    log.close()


def test_a_second_attempt_appends_after_a_torn_line(tmp_path: Path, six_run: RunRecord) -> None:
    for text in ("one", "two"):
        log = TextLog()
        log.open(six_run, tmp_path)
        log.write(Note(message=text))
        log.close()
        with (tmp_path / "training.log").open("a") as file:
            file.write("torn")
    assert (tmp_path / "training.log").read_text().count("torn") == 1
    with (tmp_path / "training.log").open("r+") as file:
        file.truncate((tmp_path / "training.log").stat().st_size - 4)
    assert read(tmp_path) == [("INFO", "one"), ("INFO", "two")]


def test_lines_look_like_those_of_python_logging(tmp_path: Path, six_run: RunRecord) -> None:
    log = TextLog()
    log.open(six_run, tmp_path)
    log.write(Note(message="x", severity="warning"))
    log.close()
    formatter = logging.Formatter("%(asctime)s - %(name)s - %(levelname)s - %(message)s")
    theirs = formatter.format(logging.LogRecord("neuroprism", logging.WARNING, "", 0, "x", None, None))
    ours = (tmp_path / "training.log").read_text().rstrip("\n")
    assert re.sub(r"\d", "0", ours) == re.sub(r"\d", "0", theirs)
    assert ours[:10] == theirs[:10] or theirs[11:13] == "00"
