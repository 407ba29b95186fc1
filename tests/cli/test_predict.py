"""`neuroprism predict`: a table on the screen, a file with units, one line for every fault."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuroprism.abr import AbrRecordings
from neuroprism.abr.predictions import STATEMENT
from neuroprism.cli.app import run


@pytest.fixture(scope="session")
def checkpoint(finished: Any) -> str:
    return str(finished.run_folder())


@pytest.fixture
def table(recordings: AbrRecordings, tmp_path: Path) -> Callable[..., Path]:
    """Return a writer of tables of the first recordings."""

    def write(change: Callable[[np.ndarray], np.ndarray] = lambda signal: signal, **columns: float) -> Path:
        path = tmp_path / "traces.csv"
        signal = change(recordings.signal_uv[:3].astype(float))
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow([*columns, *range(1, signal.shape[1] + 1)])
            writer.writerows([[*columns.values(), *row] for row in signal])
        return path

    return write


def predict(*words: Any) -> int:
    return run(["predict", *map(str, words)])


def test_a_set_of_recordings(
    checkpoint: str, data_file: Path, recordings: AbrRecordings, tmp_path: Path, capsys: Any
) -> None:
    assert predict(checkpoint, data_file, "--rows", 3, "--out", tmp_path / "p.csv") == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    lines = shown.out.splitlines()
    assert lines[0].split()[:3] == ["recording", "dB", "nHL"]
    assert f"... and {len(recordings) - 3:,} more recordings" in lines
    assert "Threshold from the levels of one ear, dB nHL" in lines
    assert lines[-1] == STATEMENT
    with (tmp_path / "p.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(recordings)
    assert rows[0]["patient_id"] == recordings.patient_id[0]
    assert [name for name in rows[0] if name.startswith("probability_")] == [
        f"probability_{name}" for name in recordings.class_names
    ]
    present = {row["wave_v_present"] == "1" for row in rows if row["wave_v_latency_ms"]}
    assert present <= {True}


def test_a_table_and_denoised_traces(checkpoint: str, table: Any, tmp_path: Path, capsys: Any) -> None:
    path = table(level_db_nhl=80, rate_hz=33.1)
    words = (
        "--sample-rate-hz",
        20_000,
        "--age",
        0.5,
        "--noise-uv",
        0.04,
        "--denoise",
        "--out",
        tmp_path / "p.json",
    )
    assert predict(checkpoint, path, *words) == 0
    content = json.loads((tmp_path / "p.json").read_text())
    assert [row["age_years"] for row in content["recordings"]] == [0.5] * 3
    assert [len(row["denoised_uv"]) for row in content["recordings"]] == [len(content["time_ms"])] * 3
    assert content["provenance"]["run_id"]
    assert predict(checkpoint, path, *words) == 2
    assert "exists; replace it with --overwrite" in capsys.readouterr().err
    assert predict(checkpoint, path, *words, "--overwrite") == 0


def test_changes_and_warnings_are_told(checkpoint: str, table: Any, capsys: Any) -> None:
    path = table(lambda signal: np.repeat(signal, 2, axis=1), rate_hz=33.1)
    assert predict(checkpoint, path, "--sample-rate-hz", 40_000, "--intensity", 125) == 0
    out = capsys.readouterr().out
    assert "Note: resampled from 40000 to 20000 Hz" in out
    assert "Note: level_db_nhl 125 is outside the training range 0 to 100 (3 of 3 recordings)" in out
    assert "Note: age_years is not known for 3 of 3 recordings" in out
    assert "* unlike the training data" in out


BAD_TRACES: dict[str, tuple[Callable[[np.ndarray], np.ndarray], str]] = {
    "all NaN": (
        lambda signal: np.where([[False], [True], [False]], np.nan, signal),
        "recording 2 holds no number",
    ),
    "flat": (lambda signal: 0 * signal + 0.5, "recording 1 is flat: every sample is 0.5 uV"),
    "in volts": (lambda signal: signal * 1e-6, "look like volts or millivolts"),
    "a million times too large": (lambda signal: signal * 1e6, "look like nanovolts or raw counts"),
    "empty": (lambda signal: signal[:0], "holds no recording"),
    "too short": (lambda signal: signal[:, :200], "cover 0 to 9.95 ms after the stimulus"),
}


@pytest.mark.parametrize(("change", "said"), BAD_TRACES.values(), ids=BAD_TRACES)
def test_bad_traces(checkpoint: str, table: Any, refused: Any, change: Any, said: str) -> None:
    path = table(change, level_db_nhl=80, rate_hz=33.1)
    assert said in refused.command("predict", checkpoint, str(path), "--sample-rate-hz", "20000")


def test_what_is_missing_is_asked_for(checkpoint: str, table: Any, refused: Any) -> None:
    path = str(table(rate_hz=33.1))
    assert "give sample_rate_hz (--sample-rate-hz)" in refused.command("predict", checkpoint, path)
    words = ("predict", checkpoint, path, "--sample-rate-hz", "20000")
    assert "give level_db_nhl (--intensity)" in refused.command(*words)
    assert "--denoise needs --out" in refused.command(*words, "--denoise")
    assert "residual_noise_uv" in refused.command(*words, "--denoise", "--intensity", "80", "--out", "p.json")


def test_wrong_words(checkpoint: str, data_file: Path, refused: Any, tmp_path: Path) -> None:
    words = ("predict", checkpoint, str(data_file))
    assert "must end in .csv or .json" in refused.command(*words, "--out", "p.xlsx")
    assert "selected or last, not 'best'" in refused.command(*words, "--weights", "best")
    assert "--unit is for tables" in refused.command(*words, "--unit", "V")
    assert "--window-start-ms is for tables" in refused.command(*words, "--window-start-ms", "0")
    assert "'tpu'" in refused.command(*words, "--device", "tpu")
    assert "age_years is -1" in refused.command(*words, "--age", "-1")
    assert "no recordings at" in refused.command("predict", checkpoint, str(tmp_path / "none.npz"))


def test_wrong_checkpoints(data_file: Path, refused: Any, finished: Any, tmp_path: Path) -> None:
    assert "does not exist" in refused.command("predict", str(tmp_path / "none"), str(data_file))
    assert "holds no checkpoint" in refused.command("predict", str(tmp_path), str(data_file))
    assert "was not written by neuroprism" in refused.command("predict", str(data_file), str(data_file))
    near = str(finished.run_folder() / "checkpoints" / "bst.pt")
    assert "did you mean 'best.pt'?" in refused.command("predict", near, str(data_file))


def test_the_predictor_is_offered_by_the_package() -> None:
    import neuroprism
    from neuroprism.abr.predictor import AbrPredictor

    assert neuroprism.AbrPredictor is AbrPredictor
