"""`neuroprism summary RUN`."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from neuroprism.cli.app import run

RecordRun = Callable[..., Path]


def output(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert run(words) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    return shown.out


def test_summary_of_a_log_and_of_a_run(
    published_log: dict[str, Any],
    write_log: Callable[..., Path],
    record_run: RecordRun,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = write_log(published_log)
    text = output(["summary", str(path)], capsys)
    assert "   Accuracy: 58.13% (balanced accuracy)\n" in text
    assert output(["summary", str(path.parent)], capsys) == text
    assert "   Status: finished\n" in output(["summary", str(record_run("run", 0.7))], capsys)


def test_summary_of_a_real_abr_run(finished: Any, capsys: pytest.CaptureFixture[str]) -> None:
    text = output(["summary", str(finished.run_folder())], capsys)
    assert "Validation Loss by Component:" in text
    labels = ["Signal", "Class", "Peak", "PeakLat", "PeakAmp", "Thresh", "Total"]
    rows = [line.split() for line in text.splitlines()]
    beaten = {row[0]: row[-1] for row in rows if row and row[0] in labels and len(row) == 7}
    assert list(beaten) == labels
    assert {*beaten.values()} <= {"yes", "no", "-"}
    assert "TEST SET RESULTS (Best Model):" in text


def test_summary_of_console_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = "Epoch 1 : Training Loss: 0.69315, acc: 0.51000, pr_auc: 0.30000, roc_auc: 0.62000, "
    (tmp_path / "out.log").write_text(line + "LR: 0.00010, Time elapsed 0.05 mins\n")
    assert "   Best: 62.00%\n" in output(["summary", str(tmp_path / "out.log")], capsys)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["missing"], "no run or training log at missing"),
        (["."], "holds no run"),
        (["a.json"], "a.json is not JSON"),
    ],
)
def test_mistakes(words: list[str], expected: str, program: Any, refused: Any) -> None:
    Path("a.json").write_text("{")
    assert expected in refused.command("summary", *words)


def test_a_folder_with_half_a_record_is_refused(record_run: RecordRun, refused: Any) -> None:
    folder = record_run("run", 0.7)
    shutil.copy(folder / "run.json", folder / "events.jsonl")
    assert "events.jsonl, line 1" in refused.command("summary", "run")
