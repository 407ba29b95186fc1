"""`check-monitoring`: passes on the program as it is, and says so when a part is broken."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from neuroprism.cli import monitoring_checks
from neuroprism.cli.app import run
from neuroprism.core.registry import Registry


def test_the_door_checks_every_part_of_the_path(repository: Path, tmp_path: Path) -> None:
    door = repository / "test_enhanced_monitoring.py"
    result = subprocess.run(
        [sys.executable, str(door), "--keep", str(tmp_path / "kept")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    n_checks = len(monitoring_checks.CHECKS)
    assert result.stdout.splitlines()[-1] == f"{n_checks} passed, 0 failed"
    assert sum(line.startswith("ok ") for line in result.stdout.splitlines()) == n_checks
    assert (tmp_path / "kept" / "whole" / "steps.jsonl").exists()


def test_a_broken_part_fails_the_check(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    checks: Registry[monitoring_checks.Check] = Registry("check")

    @checks.register("sound part")
    def _sound(runs: monitoring_checks.Runs) -> str:
        return "3 rows"

    @checks.register("broken part")
    def _broken(runs: monitoring_checks.Runs) -> str:
        raise AssertionError("no rows")

    @checks.register("crashing part")
    def _crashing(runs: monitoring_checks.Runs) -> str:
        raise KeyError("row")

    @checks.register("absent part")
    def _absent(runs: monitoring_checks.Runs) -> str:
        raise monitoring_checks.NotChecked("not installed")

    monkeypatch.setattr(monitoring_checks, "CHECKS", checks)
    monkeypatch.setattr(monitoring_checks, "make_runs", lambda folder: None)
    assert run(["check-monitoring", "--keep", str(tmp_path)]) == 1
    printed = capsys.readouterr().out.splitlines()
    assert printed[-5:] == [
        "ok    sound part     3 rows",
        "FAIL  broken part    no rows",
        "FAIL  crashing part  KeyError: 'row'",
        "skip  absent part    not installed",
        "1 passed, 2 failed, 1 skipped",
    ]


def test_a_file_in_place_of_the_folder_is_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    assert run(["check-monitoring", "--keep", str(tmp_path / "file")]) == 2
    assert capsys.readouterr().err == f"neuroprism: --keep {tmp_path / 'file'}: File exists\n"
