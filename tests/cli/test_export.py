"""`neuroprism export RUN`."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from neuroprism.cli.app import run

RecordRun = Callable[..., Path]


@pytest.fixture(autouse=True)
def _recorded(record_run: RecordRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    record_run("run", 0.7)


def test_csv_and_json_and_latex_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["export", "run", "--format", "csv"]) == 0
    frame = pd.read_csv(io.StringIO(capsys.readouterr().out))
    assert frame["val/balanced_accuracy"].tolist() == [0.69, 0.7, 0.69]
    assert run(["export", "run", "--format", "json", "--table", "test"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["test/balanced_accuracy"] == pytest.approx(0.6)
    assert run(["export", "run", "--format", "latex"]) == 0
    assert capsys.readouterr().out.startswith("\\begin{tabular}")


def test_parquet_goes_to_a_file_or_a_pipe(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert run(["export", "run", "--format", "parquet", "--out", "new/epochs.parquet"]) == 0
    assert capfdbinary.readouterr().out == b"Table: new/epochs.parquet\n"
    assert run(["export", "run", "--format", "parquet"]) == 0
    piped = capfdbinary.readouterr().out
    assert piped == Path("new/epochs.parquet").read_bytes()
    assert pd.read_parquet("new/epochs.parquet")["epoch"].tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["run", "--format", "excel"], "unknown format 'excel'; valid: csv, json, latex, parquet"),
        (["run", "--format", "csv", "--table", "tests"], "unknown table 'tests'; did you mean 'test'?"),
        (["run", "--format", "csv", "--table", "alerts"], "has no alerts to export"),
        (["run", "--format", "csv", "--out", "way/a.csv"], "cannot write way/a.csv"),
        (["run", "--format", "csv", "--out", "run"], "cannot write run"),
        (["missing", "--format", "csv", "--out", "a.csv"], "no run or training log at missing"),
        (["text.json", "--format", "csv", "--out", "a.csv"], "text.json is not JSON"),
        (["run"], "--format"),
    ],
)
def test_mistakes(words: list[str], expected: str, refused: Any) -> None:
    Path("way").write_text("in the way")
    Path("text.json").write_text("no JSON")
    assert expected in refused.command("export", *words)


def test_parquet_is_not_thrown_at_a_terminal(refused: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert run(["export", "run", "--format", "parquet"]) == 2
