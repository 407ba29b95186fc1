from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from neuroprism.core.errors import DataError, UnknownNameError
from neuroprism.monitor import Monitor
from neuroprism.monitor.sinks import EventsFile, RunFile, StepsFile, TrainingLog
from neuroprism.runs import load_run
from neuroprism.runs.export import escape_latex, export, latex_table

RecordRun = Callable[..., Path]


@pytest.fixture
def diverged(tmp_path: Path) -> Path:
    sinks = [RunFile(), StepsFile(), EventsFile(), TrainingLog()]
    with Monitor(tmp_path / "diverged", {"a": 1.0}, sinks=sinks) as monitor:
        for value in (1.0, float("nan"), float("inf")):
            monitor.step({"a": value})
            monitor.epoch(val={"a": value})
    return tmp_path / "diverged"


def strict(content: bytes) -> Any:
    def refuse(name: str) -> None:
        raise AssertionError(f"not strict JSON: {name}")

    return json.loads(content, parse_constant=refuse)


@pytest.mark.parametrize("table", ["epochs", "test", "steps"])
def test_tables_come_back_as_they_were(table: str, record_run: RecordRun) -> None:
    run = load_run(record_run("run", 0.7))
    frame = getattr(run, table)
    pd.testing.assert_frame_equal(pd.read_csv(io.BytesIO(export(run, "csv", table=table))), frame)
    pd.testing.assert_frame_equal(pd.read_parquet(io.BytesIO(export(run, "parquet", table=table))), frame)
    assert pd.DataFrame(strict(export(run, "json", table=table))).to_dict() == frame.to_dict()


def test_epochs_are_the_default(record_run: RecordRun) -> None:
    run = load_run(record_run("run", 0.7))
    rows = list(csv.DictReader(io.StringIO(export(run, "csv").decode())))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert rows[1]["val/balanced_accuracy"] == "0.7"


def test_numbers_that_are_not_finite_are_null_in_json(diverged: Path) -> None:
    rows = strict(export(load_run(diverged), "json"))
    assert [row["val/a"] for row in rows] == [1.0, None, None]


def test_alerts_with_their_evidence_fit_into_cells(diverged: Path) -> None:
    run = load_run(diverged)
    assert len(run.alerts)
    rows = list(csv.DictReader(io.StringIO(export(run, "csv", table="alerts").decode())))
    assert [json.loads(row["evidence"]).keys() for row in rows] == [e.keys() for e in run.alerts["evidence"]]
    assert len(pd.read_parquet(io.BytesIO(export(run, "parquet", table="alerts")))) == len(run.alerts)
    assert len(strict(export(run, "json", table="alerts"))) == len(run.alerts)


def test_latex_holds_selected_epoch_and_test(record_run: RecordRun) -> None:
    lines = latex_table(load_run(record_run("run", 0.7))).splitlines()
    assert lines[0] == r"\begin{tabular}{lrr}"
    assert lines[2] == r"eegnet, MentalArithmetic & Validation (epoch 2) & Test \\"
    assert lines[4:6] == [
        r"Bce loss & 0.6000 & 0.7000 \\",
        r"Balanced accuracy & 0.7000 & 0.6000 [0.5000, 0.7000] \\",
    ]
    assert lines[-1] == r"\end{tabular}"


def test_latex_of_a_published_log(published_log: dict[str, Any], write_log: Callable[..., Path]) -> None:
    text = latex_table(load_run(write_log(published_log, "a_b & 100%")))
    assert r"a\_b \& 100\% & Validation (epoch 39) & Test \\" in text
    assert r"Cohen's kappa & 0.3887 & 0.4410 \\" in text


def test_negative_and_absent_values_in_latex(write_log: Callable[..., Path]) -> None:
    text = latex_table(load_run(write_log({"val_r2": [-0.25], "test_results": {"rmse": 0.5}})))
    assert r"R\textsuperscript{2} & $-0.2500$ & -- \\" in text
    assert r"RMSE & -- & 0.5000 \\" in text


def test_every_special_letter_is_escaped() -> None:
    assert escape_latex(r"\a_b{c}") == r"\textbackslash{}a\_b\{c\}"
    assert escape_latex("&%$#~^") == r"\&\%\$\#\textasciitilde{}\textasciicircum{}"


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX on this machine")
def test_latex_compiles(record_run: RecordRun, tmp_path: Path) -> None:
    table = latex_table(load_run(record_run("run", 0.7)))
    document = r"\documentclass{article}\usepackage{booktabs}\begin{document}" + table + r"\end{document}"
    (tmp_path / "a.tex").write_text(document)
    subprocess.run(["pdflatex", "-halt-on-error", "a.tex"], cwd=tmp_path, check=True, capture_output=True)


def test_mistakes_are_one_clear_line(record_run: RecordRun, write_log: Callable[..., Path]) -> None:
    run = load_run(record_run("run", 0.7, test=False))
    with pytest.raises(UnknownNameError, match="unknown format 'cvs'; did you mean 'csv'"):
        export(run, "cvs")
    with pytest.raises(UnknownNameError, match="unknown table 'epoch'; did you mean 'epochs'"):
        export(run, "csv", table="epoch")
    with pytest.raises(DataError, match="has no test to export"):
        export(run, "csv", table="test")
    with pytest.raises(DataError, match="has no results to export"):
        export(load_run(write_log({"train_loss": []})), "latex")
