"""Alerts told to a program and to a web address; nothing leaves this machine."""

from __future__ import annotations

import http.server
import json
import math
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from neuroprism.core.errors import ConfigError
from neuroprism.core.records import Alert, Component, Note, RunRecord
from neuroprism.monitor.config import OnAlertConfig
from neuroprism.monitor.sinks import on_alert
from neuroprism.monitor.sinks.messengers import Command, NotTold, Webhook
from neuroprism.monitor.sinks.on_alert import OnAlert
from neuroprism.monitor.sinks.protocol import Sink

RUN = RunRecord(id="a1", name="night", task="", components=(Component(name="signal", label="Signal"),))
COPY = "import pathlib, sys; pathlib.Path(sys.argv[1]).write_bytes(sys.stdin.buffer.read())"


def alert(**changes: Any) -> Alert:
    values: dict[str, Any] = {
        "rule": "spike",
        "kind": "spike",
        "severity": "warning",
        "message": "too high",
        "component": "signal",
        "step": 7,
        "advice": "look at the samples",
        "evidence": {"value": math.nan},
    }
    return Alert(**(values | changes))


class Web:
    """A server of this process that keeps what it is sent."""

    def __init__(self) -> None:
        self.got: list[tuple[str, dict[str, str], Any]] = []
        self.answer, self.location = 200, ""
        web = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                web.got.append((self.path, dict(self.headers), json.loads(body)))
                self.send_response(web.answer)
                if web.location:
                    self.send_header("Location", web.location)
                self.end_headers()

            def do_GET(self) -> None:
                self.do_POST()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_port}"


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def web() -> Iterator[Web]:
    found = Web()
    thread = threading.Thread(target=found.server.serve_forever)
    thread.start()
    yield found
    found.server.shutdown()
    thread.join()
    found.server.server_close()


@pytest.fixture
def dead_address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


def tell(folder: Path, sink: OnAlert, *records: Any) -> None:
    assert isinstance(sink, Sink)
    sink.open(RUN, folder)
    for record in records:
        sink.write(record)
    sink.close()


def logged(folder: Path) -> list[str]:
    return [line.partition(" - WARNING - ")[2] for line in (folder / "training.log").read_text().splitlines()]


def test_a_program_gets_strict_json_and_no_shell(tmp_path: Path) -> None:
    out = tmp_path / "$(touch made); *"
    tell(tmp_path, OnAlert([sys.executable, "-c", COPY, str(out)]), Note(message="x"), alert())
    text = out.read_text()
    assert text.endswith("}\n")
    told = json.loads(text, parse_constant=pytest.fail)
    assert (told["run"], told["id"]) == ("night", "a1")
    assert told["text"] == "Alert spike in Signal at step 7: too high\n  Advice: look at the samples"
    assert told["alert"]["evidence"] == {"value": "NaN"}
    assert {"rule", "kind", "severity", "component", "step", "epoch", "message", "advice"} <= told[
        "alert"
    ].keys()
    assert not (tmp_path / "made").exists()


def test_an_address_gets_the_same(tmp_path: Path, web: Web) -> None:
    sink = OnAlert(webhook=f"http://me:pass%20word@{web.address}/hook?key=1")
    tell(tmp_path, sink, alert())
    ((path, headers, told),) = web.got
    assert path == "/hook?key=1"
    assert headers["Content-Type"] == "application/json"
    assert headers["Authorization"] == "Basic bWU6cGFzcyB3b3Jk"
    ours, theirs = json.loads(on_alert.message_of(RUN, alert())), told
    assert ours.pop("alert").keys() == theirs.pop("alert").keys()
    assert ours == theirs


def test_news_of_the_severity_and_above_is_told(tmp_path: Path, web: Web) -> None:
    records = [
        alert(severity="info"),
        alert(message="raised"),
        alert(message="grown", severity="critical"),
        alert(message="lasts", told=True, at_end=True),
        alert(message="over", told=True, state="closed"),
    ]
    tell(tmp_path, OnAlert(webhook=f"http://{web.address}"), *records)
    assert [told["alert"]["message"] for _, _, told in web.got] == ["raised", "grown"]
    web.got.clear()
    tell(tmp_path, OnAlert(webhook=f"http://{web.address}", severity="critical"), *records)
    assert [told["alert"]["message"] for _, _, told in web.got] == ["grown"]


def test_what_is_told_is_how_the_alert_stood(tmp_path: Path, web: Web) -> None:
    changing = alert()
    sink = OnAlert(webhook=f"http://{web.address}")
    sink.open(RUN, tmp_path)
    sink.write(changing)
    changing.message = "changed"
    sink.close()
    assert web.got[0][2]["alert"]["message"] == "too high"


@pytest.mark.parametrize(
    ("command", "line"),
    [
        (
            [sys.executable, "-c", "import sys; print('noise'); sys.exit(3)"],
            "on_alert command failed: exit 3",
        ),
        (["/no/such/program"], "on_alert command failed: No such file or directory"),
        (["sleep", "600"], "on_alert command failed: it was ended because it took too long"),
    ],
)
def test_a_failing_program_is_said_once(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], command: list[str], line: str
) -> None:
    seconds = 0.2 if command[0] == "sleep" else 60
    sink = OnAlert(command, timeout_seconds=seconds)
    sink.open(RUN, tmp_path)
    for _ in range(3):
        sink.write(alert())
    waiting = sink._thread
    assert waiting is not None
    sink._waiting.put(None)
    waiting.join()
    sink.close()
    captured = capfd.readouterr()
    assert captured.err == f"neuroprism: {line}\n"
    assert captured.out == ""
    assert logged(tmp_path) == [line]


def test_failures_of_an_address_show_no_secret(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], web: Web, dead_address: str
) -> None:
    secret = "s3cret"
    tell(tmp_path, OnAlert(webhook=f"http://{secret}:{secret}@{dead_address}/{secret}?k={secret}"), alert())
    web.answer = 500
    tell(tmp_path, OnAlert(webhook=f"http://{web.address}/{secret}"), alert())
    web.answer, web.location = 302, f"http://{web.address}/other"
    tell(tmp_path, OnAlert(webhook=f"http://{web.address}/{secret}"), alert())
    assert [path for path, _, _ in web.got] == [f"/{secret}", f"/{secret}"]
    lines = logged(tmp_path)
    assert lines == [
        "on_alert webhook failed: http://127.0.0.1: Connection refused",
        "on_alert webhook failed: http://127.0.0.1 answered 500",
        "on_alert webhook failed: http://127.0.0.1 answered 302",
    ]
    assert capsys.readouterr().err.splitlines() == [f"neuroprism: {line}" for line in lines]


@pytest.mark.parametrize("address", ["http://me:pw@127.0.0.1:9/s3cret x", "http://[::1/s3cret"])
def test_odd_addresses_show_no_secret_either(address: str) -> None:
    with pytest.raises((NotTold, ValueError)) as caught:
        Webhook(address).send(b"{}", 0.2)
    assert "s3cret" not in str(caught.value)
    assert "pw" not in str(caught.value)


def test_an_address_that_does_not_answer_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        webhook = Webhook(f"http://127.0.0.1:{silent.getsockname()[1]}/x")
        with pytest.raises(NotTold, match=r"^http://127\.0\.0\.1: no answer in time$"):
            webhook.send(b"{}", 0.1)


def test_a_program_that_runs_is_killed_from_outside(tmp_path: Path) -> None:
    started = tmp_path / "started"
    os.mkfifo(started)
    command = Command(["sh", "-c", 'echo x > "$0"; sleep 600', str(started)])
    ends: list[str] = []

    def send() -> None:
        try:
            command.send(b"{}", 600)
        except NotTold as failure:
            ends.append(str(failure))

    thread = threading.Thread(target=send)
    thread.start()
    started.read_text()
    command.stop()
    thread.join(30)
    assert ends == ["exit -9"]
    with pytest.raises(NotTold, match="the run is over"):
        command.send(b"{}", 600)


class Stalled:
    """A messenger that tells nothing until it is let go."""

    name = "stalled"

    def __init__(self) -> None:
        self.began, self.go_on = threading.Event(), threading.Event()
        self.sent: list[bytes] = []

    def send(self, message: bytes, seconds: float) -> None:
        self.began.set()
        self.go_on.wait(30)
        self.sent.append(message)

    def stop(self) -> None:
        self.go_on.set()


def stalled_sink(folder: Path, **options: Any) -> tuple[OnAlert, Stalled]:
    sink, stalled = OnAlert(["true"], **options), Stalled()
    sink._messengers = [stalled]
    sink.open(RUN, folder)
    sink.write(alert())
    assert stalled.began.wait(30)
    return sink, stalled


def test_writing_never_waits_and_what_waits_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_alert, "MOST_WAITING", 2)
    sink, stalled = stalled_sink(tmp_path)
    for _ in range(5):
        sink.write(alert())
    assert stalled.sent == []
    stalled.go_on.set()
    sink.close()
    assert len(stalled.sent) == 3
    assert logged(tmp_path) == ["on_alert left out alerts: 2 of them are waiting to be told"]


@pytest.mark.parametrize("n_waiting", [0, 2])
def test_the_end_of_the_run_waits_for_a_limited_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_waiting: int
) -> None:
    monkeypatch.setattr(on_alert, "MOST_WAITING", 2)
    sink, _ = stalled_sink(tmp_path, timeout_seconds=0.1)
    for _ in range(n_waiting):
        sink.write(alert())
    began = time.monotonic()
    sink.close()
    assert time.monotonic() - began < 10
    assert logged(tmp_path) == ["on_alert gave up at the end of the run, after 0.1 s"]


def test_a_run_without_alerts_starts_nothing(tmp_path: Path) -> None:
    before = threading.active_count()
    sink = OnAlert(["true"])
    sink.open(RUN, tmp_path)
    sink.write(Note(message="x"))
    assert threading.active_count() == before
    sink.close()
    assert logged(tmp_path) == []


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"webhook": "ftp://host/s3cret"}, "must begin with http:// or https://"),
        ({"webhook": "hooks.example.org/s3cret"}, "must begin with http:// or https://"),
        ({"webhook": "https:///s3cret"}, "must begin with http:// or https://"),
        ({"webhook": "http://host:99999/s3cret"}, "must begin with http:// or https://"),
        ({"webhook": ""}, "must begin with http:// or https://"),
        ({"command": [""]}, "the first word must name a program"),
        ({"command": [" ", "x"]}, "the first word must name a program"),
    ],
)
def test_impossible_settings_are_refused_in_one_line(given: dict[str, Any], reason: str) -> None:
    from neuroprism.abr.config import AbrConfig
    from neuroprism.core.config import load

    ((name, value),) = given.items()
    with pytest.raises(ConfigError) as caught:
        load(AbrConfig, overrides=[(f"monitoring.on_alert.{name}", value, "--set")])
    message = str(caught.value)
    assert message.startswith(f"--set: monitoring.on_alert.{name}: {reason}")
    assert "s3cret" not in message
    assert "\n" not in message
    with pytest.raises(ValidationError):
        OnAlertConfig.model_validate(given)


def test_possible_settings_are_taken() -> None:
    OnAlertConfig.model_validate({"webhook": None, "command": []})
    OnAlertConfig.model_validate({"webhook": "https://user:pw@host:8443/x?y=z", "command": ["mail", "me"]})
