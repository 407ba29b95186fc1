from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from neuroprism.core.records import Alert, EpochRecord, Note, RunRecord
from neuroprism.monitor.format import Level
from neuroprism.monitor.sinks.console import Console
from neuroprism.monitor.sinks.protocol import Sink
from neuroprism.monitor.window import StepWindow

MakeWindow = Callable[..., StepWindow]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


ALERT = Alert(rule="r", kind="spike", severity="warning", message="too high", component="signal")


def printed(run: RunRecord, stream: io.StringIO, level: Level = "info", *records: object) -> str:
    console = Console(10, level=level, stream=stream)
    assert isinstance(console, Sink)
    console.open(run, Path())
    for record in records:
        console.write(record)  # type: ignore[arg-type]
    console.close()
    return stream.getvalue()


def test_prints_the_steps_that_are_multiples_of_the_frequency(
    six_run: RunRecord, make_window: MakeWindow
) -> None:
    window = make_window([[i] * 6 for i in range(1, 22)])
    lines = printed(six_run, io.StringIO(), "info", window).splitlines()
    assert [line.split(" - ")[0] for line in lines] == ["Step 10", "Step 20"]
    assert "Signal: 10.0000" in lines[0]


def test_quiet_leaves_warnings_and_alerts(six_run: RunRecord, make_window: MakeWindow) -> None:
    records = [
        make_window([[1.0] * 6], first_step=10),
        EpochRecord(epoch=1, step=10, train={"total": 1.0}),
        Note(message="fine"),
        Note(message="careful", severity="warning"),
        ALERT,
    ]
    text = printed(six_run, io.StringIO(), "warning", *records)
    assert text == "careful\nAlert spike in Signal: too high\n"


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()])
def test_colour_on_a_terminal_only(six_run: RunRecord, stream: io.StringIO) -> None:
    text = printed(six_run, stream, "info", ALERT, Note(message="plain"))
    assert ("\033[33m" in text) == stream.isatty()
    assert text.endswith("plain\n")


def test_prints_to_the_standard_output_of_the_moment(
    six_run: RunRecord, capsys: pytest.CaptureFixture[str]
) -> None:
    console = Console()
    console.open(six_run, Path())
    console.write(Note(message="hello"))
    assert capsys.readouterr().out == "hello\n"
