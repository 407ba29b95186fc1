from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from neuroprism.cli.app import run

KEYS = {"rule", "kind", "severity", "component", "step", "epoch", "message", "advice", "evidence"}


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log whose second loss becomes NaN."""
    path = tmp_path / "faulty" / "steps.jsonl"
    path.parent.mkdir()
    rows = [
        {"step": k, "loss/signal": 1 + 1 / k, "loss/peak": "NaN" if k > 150 else 1 + 2 / k, "lr": 1e-3}
        for k in range(1, 201)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path.parent


@pytest.fixture
def healthy(tmp_path: Path) -> Path:
    path = tmp_path / "fine.csv"
    path.write_text("step,loss\n" + "".join(f"{k},{0.1 + math.exp(-k / 40)}\n" for k in range(1, 201)))
    return path


def strict(text: str) -> Any:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not strict JSON")

    return json.loads(text, parse_constant=refuse)


def test_json(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["diagnose", str(log), "--format", "json"]) == 1
    found = strict(capsys.readouterr().out)
    assert list(found) == ["run", "healthy", "alerts", "not_checked"]
    assert (found["run"], found["healthy"]) == ("faulty", False)
    alert = found["alerts"][0]
    assert set(alert) >= KEYS
    assert (alert["kind"], alert["component"], alert["step"], alert["severity"]) == (
        "non_finite",
        "peak",
        151,
        "critical",
    )
    assert (alert["first_seen"], alert["last_seen"], alert["count"], alert["state"]) == (151, 200, 50, "open")
    assert alert["evidence"]["values"]["peak"] == "NaN"
    assert {entry["rule"] for entry in found["not_checked"]} >= {"overfitting"}
    assert all(set(entry) == {"rule", "why"} and entry["why"] for entry in found["not_checked"])


def test_text(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["diagnose", str(log)]) == 1
    shown = capsys.readouterr().out
    assert shown.startswith("faulty (finished): 200 steps, 0 epochs, ")
    assert "CRITICAL non_finite in peak: step 151, epoch 1, seen 50 times from step 151 to 200" in shown
    assert "  Loss component 'peak' is NaN at step 151\n  To do: " in shown
    lines = shown.splitlines()
    course = next(k for k, line in enumerate(lines) if line.startswith("  peak "))
    assert "!!!!" in lines[course]
    assert lines[course].endswith("-> not finite")
    assert lines[course + 1].strip() == "^"
    assert "Not checked\n" in shown
    assert all(len(line) <= 100 for line in lines)


def test_a_healthy_log(healthy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["diagnose", str(healthy), "--fail-on", "info"]) == 0
    assert capsys.readouterr().out.startswith("fine (finished): 200 steps, 0 epochs, no alert\n")
    assert run(["diagnose", str(healthy), "--format", "json"]) == 0
    assert strict(capsys.readouterr().out)["healthy"] is True


def test_the_severity_that_fails(log: Path, tmp_path: Path) -> None:
    assert run(["diagnose", str(log), "--fail-on", "critical"]) == 1
    rows = [{"loss": 1.0 + math.exp(-k / 40), "grad_norm": 1.0} for k in range(400)]
    rows[200]["grad_norm"] = 1e6
    path = tmp_path / "log.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    codes = [run(["diagnose", str(path), "--fail-on", level]) for level in ("info", "warning", "critical")]
    assert codes == sorted(codes, reverse=True)
    assert codes[-1] == 0


def test_names_are_mapped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "log.csv"
    path.write_text("it,recon=l1,cls\n" + "".join(f"{k},{1 / k},{2 / k}\n" for k in range(1, 50)))
    maps = ["--map", "recon=l1=loss/signal", "--map", "cls=loss/class", "--map", "it=step"]
    assert run(["diagnose", str(path), *maps]) == 0
    assert "  signal " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "no run or log at nowhere"),
        (["log.csv"], "no loss that is recognised; name one with --map THEIRS=loss/NAME (it has: it, recon)"),
        (["log.csv", "--map", "rekon=loss/a"], "unknown series 'rekon'; did you mean 'recon'?"),
        (["log.csv", "--map", "recon"], "--map recon: expected THEIRS=OURS"),
        (["log.csv", "--map", "recon=signal"], "--map recon=signal: the name after = must be loss/NAME"),
        (["log.csv", "--format", "xml"], "'xml' is not one of"),
        (["log.csv", "--fail-on", "never"], "'never' is not one of"),
        (["empty.csv"], "empty.csv is empty"),
        (["."], "several logs"),
    ],
)
def test_unusable_input(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("log.csv").write_text("it,recon\n1,2\n")
    Path("empty.csv").write_text("")
    assert run(["diagnose", *arguments]) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert said.out == ""
    assert said.err.count("\n") == 1
