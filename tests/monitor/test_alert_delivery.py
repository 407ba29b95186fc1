"""Who hears of an alert when: raised, more severe, over, still there at the end, after a resume."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from neuroprism.core.records import Alert, Severity
from neuroprism.monitor import History, Monitor, ResumePoint, read_events, rule, rules
from neuroprism.monitor.build import file_sinks
from neuroprism.monitor.rules import Rule
from neuroprism.monitor.sinks.console import Console
from neuroprism.monitor.sinks.on_alert import OnAlert
from neuroprism.monitor.sinks.progress_bar import ProgressBar
from neuroprism.monitor.sinks.tensorboard import TensorBoard
from neuroprism.monitor.sinks.text_log import TextLog
from neuroprism.monitor.sinks.tracker import Tracker

LOSSES = {"signal": 1.0}
SCRIPT: dict[int, Severity] = {2: "info", 3: "warning", 4: "warning"}
"""What the rule says in which epoch; it is over after two epochs without a word."""


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Rule:
    monkeypatch.setattr(rules, "_entries", dict(rules))

    @rule("scripted", at="epoch", quiet=2)
    def scripted(history: History) -> Iterator[Alert]:
        epoch = history.epoch
        if epoch is not None and epoch.epoch in SCRIPT:
            severity = SCRIPT[epoch.epoch]
            yield Alert(
                rule="scripted", kind="spike", severity=severity, message=severity, component="signal",
                step=epoch.step, advice="wait",
            )  # fmt: skip

    return scripted


class Told:
    """Where a tracker would be told."""

    def __init__(self) -> None:
        self.alerts: list[str] = []

    def alert(self, alert: Alert) -> None:
        self.alerts.append(alert.message)

    def finish(self, *, failed: bool) -> None: ...


def train(folder: Path, scripted: Rule, n_epochs: int, **options: Any) -> SimpleNamespace:
    """Make epochs of one step with everything that can tell of alerts."""
    heard: list[str] = []
    stream = io.StringIO()
    tracker, on_alert = Tracker(mode="disabled"), OnAlert(["true"], severity="info")
    written: list[Any] = []
    on_alert._waiting.put_nowait = written.append  # type: ignore[method-assign]
    on_alert._thread = SimpleNamespace(join=lambda _: None, is_alive=lambda: False)  # type: ignore[assignment]
    told = Told()
    tracker._backend = told  # type: ignore[assignment]
    tracker._save_state = lambda: None  # type: ignore[method-assign]
    sinks = [*file_sinks(), TextLog(), Console(stream=stream), TensorBoard(), on_alert]
    with Monitor(
        folder,
        LOSSES,
        sinks=sinks,
        rules=[scripted],
        on_alert=lambda alert: heard.append(alert.message),
        **options,
    ) as monitor:
        for _ in range(n_epochs):
            monitor.step(LOSSES)
            monitor.epoch()
        state = monitor.state_dict()
        stop = monitor.stop_requested
    for event in read_events(folder):
        if isinstance(event, Alert):
            tracker.write(event)
    printed = [line for line in stream.getvalue().splitlines() if "lert" in line or "dvice" in line]
    records = [event for event in read_events(folder) if isinstance(event, Alert)]
    return SimpleNamespace(
        heard=heard,
        printed=printed,
        tracked=told.alerts,
        n_messages=len(written),
        records=records,
        state=state,
        stop=stop,
        alerts=monitor.alerts,
    )


def charted(folder: Path) -> list[int]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    accumulator = EventAccumulator(str(folder))
    accumulator.Reload()
    return [event.step for event in accumulator.Tensors("alerts/spike")]


def test_each_place_is_told_what_is_news_to_it(tmp_path: Path, scripted: Rule) -> None:
    told = train(tmp_path, scripted, 7)
    assert told.heard == told.tracked == ["info", "warning"]
    assert told.printed == [
        "Alert spike in signal at step 2: info",
        "  Advice: wait",
        "Alert spike in signal at step 3: warning",
        "  Advice: wait",
        "Alert over: spike in signal (step 3, seen 3 times, last at step 4)",
    ]
    assert told.n_messages == 2
    assert charted(tmp_path) == [2, 3]
    assert [(r.severity, r.state, r.told, r.count) for r in told.records] == [
        ("info", "open", False, 1),
        ("warning", "open", False, 2),
        ("warning", "closed", True, 3),
    ]
    assert len({r.key() for r in told.records}) == len(told.alerts) == 1
    levels = [line.split(" - ")[2] for line in (tmp_path / "training.log").read_text().splitlines()]
    assert levels.count("WARNING") == 2
    assert "INFO - Alert over" in (tmp_path / "training.log").read_text()


def test_what_lasts_at_the_end_is_recorded_and_not_said_again(tmp_path: Path, scripted: Rule) -> None:
    told = train(tmp_path, scripted, 4)
    assert told.heard == told.tracked == ["info", "warning"]
    assert len(told.printed) == 4
    assert told.n_messages == 2
    assert charted(tmp_path) == [2, 3]
    last = told.records[-1]
    assert (last.at_end, last.state, last.is_news, last.count) == (True, "open", False, 3)


def test_an_alert_raised_at_the_end_is_news(tmp_path: Path) -> None:
    def at_end(history: History) -> Iterator[Alert]:
        if history.ended:
            yield Alert(rule="late", kind="stall", severity="warning", message="late")

    heard: list[Alert] = []
    late = Rule(name="late", judge=at_end, moments=frozenset({"epoch"}))
    with Monitor(tmp_path, LOSSES, sinks=file_sinks(), rules=[late], on_alert=heard.append) as monitor:
        monitor.step(LOSSES)
    (alert,) = heard
    assert (alert.at_end, alert.is_news) == (True, True)


def test_a_resumed_run_does_not_say_again_what_lasts(tmp_path: Path, scripted: Rule) -> None:
    first = train(tmp_path, scripted, 3, stop_on=["warning"])
    assert first.stop is first.alerts[0]
    point = ResumePoint.from_state(first.state)
    again = train(tmp_path, scripted, 4, resume=point, stop_on=["warning"])
    assert again.heard == []
    assert again.stop is None
    assert again.printed == ["Alert over: spike in signal (step 3, seen 3 times, last at step 4)"]
    assert [(r.severity, r.state) for r in again.records] == [
        ("info", "open"),
        ("warning", "open"),
        ("warning", "closed"),
    ]


@pytest.mark.parametrize(("stop_on", "stops"), [((), False), (("info",), False), (("critical",), True)])
def test_an_alert_from_outside_is_told_like_any_other(
    tmp_path: Path, stop_on: tuple[Severity, ...], stops: bool
) -> None:
    heard: list[Alert] = []
    with Monitor(
        tmp_path, LOSSES, sinks=file_sinks(), rules=[], stop_on=stop_on, on_alert=heard.append
    ) as monitor:
        monitor.step(LOSSES)
        alert = Alert(
            rule="disk",
            kind="disk",
            severity="critical",
            message="full",
            evidence={"free": 0, "at": tmp_path},
        )
        monitor.alert(alert)
        assert heard == monitor.alerts == [alert]
        assert (monitor.stop_requested is alert) == stops
        assert (alert.step, alert.epoch, alert.first_seen, alert.last_seen) == (1, 1, 1, 1)
        monitor.alert(alert)
        assert len(heard) == len(monitor.alerts) == 1
    (recorded, repeated) = [event for event in read_events(tmp_path) if isinstance(event, Alert)]
    assert recorded.evidence == {"free": 0, "at": str(tmp_path)}
    assert (recorded.told, repeated.told) == (False, True)
    with pytest.raises(RuntimeError, match="closed"):
        monitor.alert(alert)


def test_a_failing_sink_never_stops_training(tmp_path: Path) -> None:
    class Failing(Console):
        def write(self, record: Any) -> None:
            raise OSError("gone")

    with Monitor(tmp_path, LOSSES, sinks=[Failing()], rules=[], stop_on=["warning"]) as monitor:
        monitor.note("x")
        assert [alert.kind for alert in monitor.alerts] == ["sink_failed"]
        assert monitor.stop_requested is None


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_alerts_leave_the_bar_intact(tmp_path: Path) -> None:
    stream = Terminal()
    bar = ProgressBar(4, stream=stream, min_seconds=0.0)
    with Monitor(tmp_path, LOSSES, sinks=[bar, Console(stream=stream)], rules=[], n_epochs=1) as monitor:
        monitor.step(LOSSES)
        monitor.alert(Alert(rule="r", kind="spike", severity="critical", message="high", advice="wait"))
        closed = Alert(rule="r", kind="spike", severity="critical", message="high", state="closed")
        monitor.alert(closed)
    shown = stream.getvalue()
    first, over = (
        shown.index("\033[31mAlert spike at step 1, epoch 1: high"),
        shown.index("Alert over: spike"),
    )
    for place in (first, over):
        assert shown[place - 1] == "\r"
    assert "\033[31m  Advice: wait\033[0m\n\rEpoch 1/1" in shown
    assert "(step 1, seen 1 time)\n\rEpoch 1/1" in shown
