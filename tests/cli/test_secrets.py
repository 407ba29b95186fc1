"""Keys of trackers and addresses of webhooks stay where the user put them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

KEY = "0123456789abcdef0123456789abcdef5ec2e7ca"
KEYS = (
    "WANDB_API_KEY",
    "HF_TOKEN",
    "TRACKIO_TOKEN",
    "MLFLOW_TRACKING_TOKEN",
    "COMET_API_KEY",
    "AWS_SECRET_ACCESS_KEY",
)
PLACE = "5ec2e7place"


class _Refusing(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.send_error(500, f"no {PLACE}")

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def address() -> Any:
    """Address of a server that refuses, with a secret in each of its parts."""
    server = HTTPServer(("127.0.0.1", 0), _Refusing)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://{PLACE}:{PLACE}@127.0.0.1:{server.server_port}/{PLACE}?key={PLACE}"
    server.shutdown()
    server.server_close()


def test_no_secret_reaches_a_file_of_the_run_or_the_terminal(
    program: Any, address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in KEYS:
        monkeypatch.setenv(name, KEY)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("NEUROPRISM__MONITORING__ON_ALERT__WEBHOOK", address)
    monkeypatch.setenv("NEUROPRISM__MONITORING__ON_ALERT__SEVERITY", "info")
    # At this rate something is told.
    settings = {
        "training.optimizer.learning_rate": 0.3,
        "logging.use_tensorboard": True,
        "training.log_frequency": 1,
    }
    program.train("--epochs", "3", **settings)
    shown = capsys.readouterr()
    assert "on_alert webhook failed: http://127.0.0.1 answered 500" in shown.err
    files = [path for path in program.run_folder().rglob("*") if path.is_file()]
    assert {"run.json", "config.yaml", "events.jsonl", "training.log", "last.pt"} <= {f.name for f in files}
    for secret in (KEY, PLACE):
        assert secret not in shown.out + shown.err
        for path in files:
            assert secret.encode() not in path.read_bytes(), path.name
            assert secret not in str(path)


def test_a_refused_address_is_not_shown(refused: Callable[..., str]) -> None:
    line = refused(monitoring__on_alert__webhook=f"ftp://{PLACE}:{PLACE}@host/{PLACE}")
    assert "monitoring.on_alert.webhook" in line
    assert PLACE not in line


def test_a_command_is_words_and_no_shell_line(refused: Callable[..., str], tmp_path: Path) -> None:
    assert "monitoring.on_alert.command" in refused(monitoring__on_alert__command="touch made; touch more")
    assert not (tmp_path / "made").exists()
