"""Names and messages in text: no line break, no control character, no direction mark gets through."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from neuroprism.core.records import Alert, Component
from neuroprism.monitor import Monitor, fan_out, read_steps
from neuroprism.monitor.build import file_sinks
from neuroprism.monitor.sinks.console import Console
from neuroprism.monitor.sinks.progress_bar import ProgressBar
from neuroprism.monitor.sinks.text_log import TextLog

NAMES = {
    "terminal": "a\x1b[2J\x1b]0;owned\x07b",
    "lines": "a\nneuroprism: done\r\x0b\x85\u2028b",
    "direction": "a\u202eb",
    "markup": "[red]a[red] {0} {x!r} %s",
    "quotes": "a\"b\\'c",
}
SPELLED = {
    "terminal": r"a\x1b[2J\x1b]0;owned\x07b",
    "lines": r"a\nneuroprism: done\r\x0b\x85\u2028b",
    "direction": r"a\u202eb",
    "markup": NAMES["markup"],
    "quotes": NAMES["quotes"],
}


class Terminal(io.StringIO):
    """Text as a terminal would get it."""

    def isatty(self) -> bool:
        return True


def train(folder: Path, name: str, sinks: list[Any]) -> Monitor:
    components = [Component(name=name, label=name, baseline=0.5), Component(name="b", label="B")]
    with Monitor(folder, components, sinks=sinks, name=name, log_frequency=1, n_epochs=1) as monitor:
        for step in range(1, 4):
            monitor.step({name: 1.0 / step, "b": 1.0}, metrics={name: 0.5})
        monitor.step({"b": float("nan")}, skipped=True)
        monitor.epoch(val={name: 0.5}, metrics={name: 0.25})
        message = f"{name} is too high"
        monitor.alert(
            Alert(rule="r", kind="k", severity="warning", component=name, message=message, advice=name)
        )
        monitor.note(name)
        monitor.test(metrics={name: 1.0})
    return monitor


@pytest.mark.parametrize("kind", NAMES)
def test_lines_of_console_and_log_spell_names_out(kind: str, tmp_path: Path) -> None:
    name, spelled = NAMES[kind], SPELLED[kind]
    console = io.StringIO()
    train(tmp_path, name, [*file_sinks(), TextLog(1), Console(1, stream=console)])
    log = (tmp_path / "training.log").read_text(encoding="utf-8")
    for text in (log, console.getvalue()):
        assert all(letter == "\n" or letter.isprintable() for letter in text), text
        assert f"Step 1 - Total: 2.0000, {spelled}: 1.0000, B: 1.0000\n" in text
        assert f"Run {spelled} started" in text
        assert f"Metrics - {spelled}: 0.2500\n" in text
        assert f"Train metrics - {spelled}: 0.5000\n" in text
        assert f"not yet below: {spelled}\n" in text
        assert f"Alert k in {spelled} at step 4, epoch 2: {spelled} is too high\n" in text
        assert f"  Advice: {spelled}\n" in text
    assert log.count("\n") == sum(" - neuroprism - " in line for line in log.split("\n"))
    # Files keep the name.
    columns = read_steps(tmp_path)
    assert columns[f"loss/{name}"].tolist() == pytest.approx([1.0, 0.5, 1 / 3, float("nan")], nan_ok=True)
    assert columns["loss/b"].tolist() == pytest.approx([1.0, 1.0, 1.0, float("nan")], nan_ok=True)
    assert columns["skipped"].tolist() == [False, False, False, True]
    assert json.loads((tmp_path / "run.json").read_text())["components"][0]["name"] == name


@pytest.mark.parametrize("stream_class", [Terminal, io.StringIO])
@pytest.mark.parametrize("kind", NAMES)
def test_the_bar_spells_names_out(kind: str, stream_class: type[io.StringIO], tmp_path: Path) -> None:
    stream = stream_class()
    bar = ProgressBar(4, stream=stream, min_seconds=0, plain_seconds=0)
    train(tmp_path, NAMES[kind], [*file_sinks(), bar])
    shown = stream.getvalue()
    assert f"{SPELLED[kind]}=0.333" in shown
    # The bar itself goes back to the start of its line.
    assert all(letter in "\n\r" or letter.isprintable() for letter in shown.replace(f"{NAMES[kind]}", "?"))
    assert NAMES[kind] == SPELLED[kind] or NAMES[kind] not in shown


def test_errors_of_sinks_and_listeners_are_one_printable_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def listener(alert: Alert) -> None:
        raise ValueError("\x1b[2Jno\nneuroprism: done")

    class Broken:
        name = "broken"

        def open(self, run: Any, folder: Path) -> None:
            listener(None)  # type: ignore[arg-type]

        def write(self, record: Any) -> None: ...

        def close(self) -> None: ...

    sinks = [*file_sinks(), Broken()]
    with Monitor(tmp_path, {"a": 1.0}, sinks=sinks, on_alert=listener) as monitor:
        monitor.step({"a": 1.0})
    shown = capsys.readouterr().err
    assert shown.splitlines() == [
        "neuroprism: sink 'broken' failed and is off for the rest of the run: "
        r"ValueError: \x1b[2Jno neuroprism: done",
        r"neuroprism: on_alert raised ValueError: \x1b[2Jno\nneuroprism: done; it is not called again",
    ]
    (alert,) = monitor.alerts
    assert alert.message.isprintable()


def test_a_line_for_people_never_fails() -> None:
    fan_out.say("\ud800")
