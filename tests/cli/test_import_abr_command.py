"""`neuroprism import abr`: what it writes, says and refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer

from neuroprism.abr import AbrRecordings, AbrScaler, load_recordings, split_by_patient
from neuroprism.abr.importers import importers
from neuroprism.abr.splits import SplitConfig
from neuroprism.cli.app import app, run
from neuroprism.core.errors import DataError

FLAGS = ["--format", "table", "--sample-rate-hz", "20000", "--unit", "uv", "--window-start-ms", "0"]
STIMULUS = ["--polarity", "alternating", "--level-unit", "nhl"]


@pytest.fixture
def clinic(recordings: AbrRecordings, program: Any) -> Path:
    """A table as a clinic might keep it."""
    r = recordings
    lines = [["Patient", "Ear", "dBnHL", "Type", "V latency", *(str(k + 1) for k in range(r.n_times))]]
    for n in range(len(r)):
        latency = f"{r.v_latency_ms[n]:.3f}" if r.v_present[n] else ""
        name = r.class_names[r.hearing_class[n]]
        samples = [f"{value:.5f}" for value in r.signal_uv[n]]
        lines.append([r.patient_id[n], r.ear[n], f"{r.level_db_nhl[n]:g}", name, latency, *samples])
    path = program.folder / "clinic.csv"
    path.write_text("\n".join(",".join(map(str, line)) for line in lines))
    return path


MAPS = [
    *("--map", "Patient=patient_id", "--map", "Ear=ear", "--map", "dBnHL=level_db"),
    *("--map", "Type=hearing_class", "--map", "V latency=v_latency_ms", "--unmarked-v", "absent"),
]


def test_a_table_becomes_a_set_that_can_be_split_scaled_and_drawn(
    clinic: Path, recordings: AbrRecordings, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["import", "abr", str(clinic), "clinic.npz", *FLAGS, *STIMULUS, *MAPS]
    assert run(words) == 0
    r = load_recordings(Path("clinic.npz"))
    np.testing.assert_allclose(r.signal_uv, recordings.signal_uv, atol=1e-5)
    np.testing.assert_array_equal(r.hearing_class, recordings.hearing_class)
    np.testing.assert_array_equal(r.v_present, recordings.v_present)
    out = capsys.readouterr().out
    assert f"{len(r):,} recordings of 30 patients, 60 ears: 256 samples at 20000 Hz from 0 ms, in uV" in out
    assert "Duplicated recordings: 0" in out
    assert "Labels that are derived, not measured: none" in out
    report = json.loads(Path("clinic.import.json").read_text())
    assert report["recordings"] == len(r)
    assert report["missing"]["threshold_db_nhl"] == len(r)
    split = split_by_patient(r, SplitConfig())
    assert len(split.test)
    with pytest.raises(DataError, match="the training split has no value of wave V amplitude"):
        AbrScaler.fit(r)
    assert run(["plot", "abr", "clinic.npz"]) == 0
    assert Path("clinic.png").is_file()


@pytest.mark.parametrize(
    ("left_out", "named"),
    [
        ("--sample-rate-hz", "--sample-rate-hz"),
        ("--unit", "--unit uv|mv|v|zscore"),
        ("--window-start-ms", "--window-start-ms"),
        ("--polarity", "--polarity alternating|rarefaction|condensation|unknown"),
        ("--level-unit", "--level-unit nhl|spl|pespl"),
        ("--unmarked-v", "--unmarked-v absent|unknown"),
    ],
)
def test_a_missing_fact_is_one_line_that_names_the_flag(
    left_out: str, named: str, clinic: Path, refused: Any
) -> None:
    words = ["import", "abr", "clinic.csv", "clinic.npz", *FLAGS, *STIMULUS, *MAPS]
    place = words.index(left_out)
    line = refused.command(*words[:place], *words[place + 2 :])
    assert line.startswith("clinic.csv does not say ")
    assert f"declare it with {named}" in line


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--unit", "v"], "is the unit v right?"),
        (["--unit", "uvolt"], "unknown value of --unit 'uvolt'; valid: mv, uv, v, zscore"),
        (["--format", "tabel"], "unknown format of recordings 'tabel'; did you mean 'table'?"),
        (["--sample-rate-hz", "-5"], "--sample-rate-hz must be a positive number, not -5"),
        (["--channel", "Cz"], "--channel means nothing for --format table"),
        (["--map", "Patient"], "--map Patient: it must be NAME=VALUE"),
        (["--event-level", "S1=loud"], "--event-level S1=loud: the level must be a number"),
        (["--window-ms", "900"], "--window-ms 900 does not fit"),
    ],
)
def test_wrong_flags_are_one_line(words: list[str], expected: str, clinic: Path, refused: Any) -> None:
    command = ["import", "abr", "clinic.csv", "clinic.npz", *FLAGS, *STIMULUS, *MAPS]
    assert expected in refused.command(*command, *words)


def test_sources_that_hold_nothing_are_one_line(program: Any, refused: Any) -> None:
    header = ",".join(["patient_id", "level_db", *(str(k + 1) for k in range(20))])
    for name, cell in (("flat", "0.5"), ("nan", ""), ("empty", None)):
        rows = [] if cell is None else [",".join(["1", "20", *[cell] * 20])] * 3
        (program.folder / f"{name}.csv").write_text("\n".join([header, *rows]) + "\n")
    command = [*FLAGS, *STIMULUS]
    assert "no usable recording: 3 flat" in refused.command("import", "abr", "flat.csv", "x.npz", *command)
    assert "no usable recording: 3 without any number" in refused.command(
        "import", "abr", "nan.csv", "x.npz", *command
    )
    assert "holds no recording" in refused.command("import", "abr", "empty.csv", "x.npz", *command)
    assert "no table at nowhere.csv" in refused.command("import", "abr", "nowhere.csv", "x.npz", *command)


def test_an_existing_set_is_kept_unless_told(clinic: Path, refused: Any) -> None:
    words = ["import", "abr", "clinic.csv", "clinic.npz", *FLAGS, *STIMULUS, *MAPS]
    assert run(words) == 0
    assert "clinic.npz exists; replace it with --overwrite" in refused.command(*words)
    assert run([*words, "--overwrite"]) == 0


def test_the_real_level_series_is_imported_and_drawn(
    program: Any, real_data: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    source = real_data("abr_epl") / "ABR-52-3"
    words = ["--format", "epl", "--unit", "uv", "--window-start-ms", "0", "--level-unit", "spl"]
    assert run(["import", "abr", str(source), "series", *words, "--polarity", "unknown"]) == 0
    assert "12 recordings of 1 patients, 1 ears: 1700 samples at 100000 Hz" in capsys.readouterr().out
    assert run(["plot", "abr", "series.npz"]) == 0
    assert Path("series.png").stat().st_size > 10_000


def test_every_format_and_flag_is_described(repository: Path) -> None:
    text = (repository / "docs" / "abr_recordings.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.*?) \|", text, re.MULTILINE)
    commands: Any = typer.main.get_command(app)
    offered = {
        name for option in commands.commands["import"].commands["abr"].params for name in option.opts
    } - {"source", "out"}
    assert set(re.findall(r"--[\w-]+", " ".join(rows))) == offered
    assert {row.strip("`") for row in rows if not row.startswith("`--")} >= set(importers)
