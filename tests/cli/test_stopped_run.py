"""Runs that an alert or want of memory stops, and alerts that are told outside: by the program."""

from __future__ import annotations

import json
import socket
import sys
from typing import Any

import pytest

from neuroprism.abr.task import AbrTask
from neuroprism.train import load_checkpoint

COPY = "import pathlib, sys; pathlib.Path(sys.argv[1]).write_bytes(sys.stdin.buffer.read())"
DIVERGING = {"training__on_non_finite": "skip"}


def last_line(capsys: pytest.CaptureFixture[str]) -> str:
    shown = capsys.readouterr()
    assert "Traceback" not in shown.err
    return shown.err.splitlines()[-1]


def card(program: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((program.run_folder() / "run.json").read_text())
    return found


def test_stop_on_saves_and_the_run_goes_on(program: Any, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("--epochs", "2", "--learning_rate", "1e30")
    assert program.train(*arguments, **DIVERGING, monitoring__stop_on=["warning"]) == 1
    line = last_line(capsys)
    assert line.startswith("neuroprism: training stopped by an alert: loss component '")
    assert line.endswith(f"; continue with --resume {program.run_folder()}/checkpoints/last.pt")
    n_done = load_checkpoint(program.run_folder()).step
    assert 0 < n_done < 6
    assert [row["step"] for row in program.rows()] == list(range(1, n_done + 1))
    assert program.events("checkpoint")[-1]["reason"] == "stopped"
    assert card(program)["status"] == "failed"
    assert "stopped by an alert" in card(program)["message"]
    assert program.train("--epochs", "2", "--resume", **DIVERGING) == 0
    assert [row["step"] for row in program.rows()] == list(range(1, 7))
    assert card(program)["status"] == "finished"


def test_want_of_memory_is_one_line_and_smaller_batches_go_on(
    program: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, seen = AbrTask.losses, iter(range(10**6))

    def losses(self: AbrTask, model: Any, batch: Any) -> Any:
        if next(seen) == 4:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp:1] DefaultCPUAllocator: can't allocate memory")
        return plain(self, model, batch)

    monkeypatch.setattr(AbrTask, "losses", losses)
    assert program.train("--epochs", "2") == 1
    line = last_line(capsys)
    assert line.startswith("neuroprism: memory was not enough in step 5 with batches of 16 samples")
    assert "set data.dataloader.batch_size=8 and training.accumulation_steps=2, or set" in line
    assert line.endswith("last.pt")
    (alert,) = program.events("alert")
    assert (alert["kind"], alert["severity"], alert["step"]) == ("out_of_memory", "critical", 5)
    assert load_checkpoint(program.run_folder()).step == len(program.rows()) == 4
    assert card(program)["status"] == "failed"
    smaller = {"training__accumulation_steps": 2}
    assert program.train("--epochs", "2", "--resume", "--batch_size", "8", **smaller) == 0
    assert [row["step"] for row in program.rows()] == list(range(1, 7))
    assert program.events("alert") == []


def test_alerts_are_told_outside_and_addresses_kept_secret(
    program: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}/s3cret"
    out = program.folder / "told.json"
    code = program.train(
        "--epochs",
        "1",
        "--learning_rate",
        "1e30",
        **DIVERGING,
        monitoring__on_alert__command=[sys.executable, "-c", COPY, str(out)],
        monitoring__on_alert__webhook=address,
    )
    assert code == 0
    told = json.loads(out.read_text())
    assert (told["run"], told["alert"]["kind"]) == ("x", "non_finite")
    lines = [line for line in capsys.readouterr().err.splitlines() if "on_alert" in line]
    assert lines == ["neuroprism: on_alert webhook failed: http://127.0.0.1: Connection refused"]
    for path in filter(lambda path: path.is_file(), program.run_folder().rglob("*")):
        assert b"s3cret" not in path.read_bytes(), path
    assert program.config()["monitoring"]["on_alert"]["command"][0] == sys.executable


def test_an_impossible_address_writes_nothing(refused: Any) -> None:
    line = refused(monitoring__on_alert__webhook="ftp://host/s3cret")
    assert line.startswith("--set: monitoring.on_alert.webhook: must begin with http:// or https://")
    assert "s3cret" not in line
