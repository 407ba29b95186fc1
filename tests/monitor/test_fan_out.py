from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from neuroprism.core.records import Alert, Note, RunRecord
from neuroprism.monitor.fan_out import FanOut, harmless

RUN = RunRecord(id="a", name="n", task="", components=())


class Recording:
    """Keeps what it is given; raises where it is told to."""

    def __init__(self, name: str = "recording", *, fails_in: str = "") -> None:
        self.name, self.fails_in = name, fails_in
        self.records: list[Any] = []
        self.calls: list[str] = []

    def _call(self, method: str) -> None:
        self.calls.append(method)
        if method == self.fails_in:
            raise OSError(28, "No space left\non device")

    def open(self, run: RunRecord, folder: Path) -> None:
        self._call("open")

    def write(self, record: Any) -> None:
        self.records.append(record)
        self._call("write")

    def tick(self) -> None:
        self._call("tick")

    def close(self) -> None:
        self._call("close")


def build(*sinks: Recording) -> tuple[FanOut, list[Alert]]:
    alerts: list[Alert] = []

    def report(alert: Alert) -> None:
        alerts.append(alert)
        fan_out.write(alert)

    fan_out = FanOut(sinks, report)
    return fan_out, alerts


@pytest.mark.parametrize("method", ["open", "write", "tick", "close"])
def test_a_failing_sink_is_detached_with_one_alert_and_one_line(
    method: str, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad, last = Recording("good"), Recording("bad", fails_in=method), Recording("last")
    fan_out, alerts = build(good, bad, last)
    fan_out.open(RUN, Path())
    for number in range(3):
        for tick in fan_out.ticks:
            tick()
        fan_out.write(Note(message=str(number)))
    fan_out.close()
    assert bad.calls.count(method) == 1
    (alert,) = alerts
    assert (alert.rule, alert.kind, alert.severity, alert.stop) == ("sink", "sink_failed", "warning", False)
    assert alert.evidence == {"sink": "bad", "error": "OSError"}
    assert "sink 'bad' failed" in alert.message
    assert "No space left on device" in alert.message
    captured = capsys.readouterr()
    assert captured.err.splitlines() == [f"neuroprism: {alert.message}"]
    assert captured.out == ""
    for sink in (good, last):
        notes = [record.message for record in sink.records if isinstance(record, Note)]
        assert notes == ["0", "1", "2"]
        assert sink.calls.count("tick") == 3
    assert alert in good.records


def test_a_console_shows_the_alert_itself(capsys: pytest.CaptureFixture[str]) -> None:
    console = Recording("console")
    fan_out, alerts = build(Recording("bad", fails_in="write"), console)
    fan_out.open(RUN, Path())
    fan_out.write(Note(message="x"))
    assert console.records[0] == alerts[0]
    assert capsys.readouterr().err == ""


def test_all_sinks_may_fail_at_once() -> None:
    sinks = [Recording(f"bad{k}", fails_in="write") for k in range(3)]
    fan_out, alerts = build(*sinks)
    fan_out.open(RUN, Path())
    fan_out.write(Note(message="x"))
    fan_out.write(Note(message="y"))
    assert sorted(alert.evidence["sink"] for alert in alerts) == ["bad0", "bad1", "bad2"]
    assert all(sink.calls.count("write") == 1 for sink in sinks)


def test_a_detached_sink_is_closed_and_may_fail_again() -> None:
    class Stubborn(Recording):
        def close(self) -> None:
            self.calls.append("close")
            raise OSError("still broken")

    bad = Stubborn("bad", fails_in="write")
    fan_out, alerts = build(bad)
    fan_out.open(RUN, Path())
    fan_out.write(Note(message="x"))
    fan_out.close()
    assert bad.calls == ["open", "write", "close"]
    assert len(alerts) == 1


def test_ctrl_c_inside_a_sink_is_not_swallowed() -> None:
    class Interrupted(Recording):
        def write(self, record: Any) -> None:
            raise KeyboardInterrupt

    fan_out, _ = build(Interrupted())
    fan_out.open(RUN, Path())
    with pytest.raises(KeyboardInterrupt):
        fan_out.write(Note(message="x"))


def test_a_listener_that_raises_is_not_called_again(capsys: pytest.CaptureFixture[str]) -> None:
    calls = []

    def listener(alert: Alert) -> None:
        calls.append(alert)
        raise ValueError("no mail server")

    listen = harmless(listener, "on_alert")
    alert = Alert(rule="r", kind="k", severity="info", message="m")
    listen(alert)
    listen(alert)
    assert calls == [alert]
    assert capsys.readouterr().err == (
        "neuroprism: on_alert raised ValueError: no mail server; it is not called again\n"
    )
    harmless(None, "on_alert")(alert)
