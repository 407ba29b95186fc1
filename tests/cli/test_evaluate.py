"""`neuroprism evaluate`: numbers, report and figures of one run, and one line for every fault."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from neuroprism.abr import AbrRecordings, save_recordings
from neuroprism.abr.evaluation import Evaluation
from neuroprism.abr.evaluation.metrics import HEADLINES
from neuroprism.abr.predictions import STATEMENT
from neuroprism.cli.app import run

QUICK = ["--ceiling", "0", "--generate", "0", "--denoise", "0", "--no-figures"]


def evaluate(*words: Any) -> int:
    return run(["evaluate", *map(str, words)])


@pytest.fixture(scope="session")
def checkpoint(finished: Any) -> Path:
    return finished.run_folder()


@pytest.fixture(scope="session")
def folder(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a complete evaluation of a tiny network."""
    out = tmp_path_factory.mktemp("evaluation") / "out"
    words = [checkpoint, out, "--ceiling", 3, "--generate", 12, "--steps", 2, "--denoise", 8]
    assert evaluate(*words) == 0
    return out


@pytest.fixture(scope="session")
def numbers(folder: Path) -> Evaluation:
    return msgspec.json.decode((folder / "evaluation.json").read_bytes(), type=Evaluation)


def test_every_headline_has_simple_methods_and_an_interval(numbers: Evaluation) -> None:
    rows = {row.name: row for row in numbers.metrics}
    kinds = {method.name: method.kind for method in numbers.methods}
    assert kinds.pop("network") == "network"
    for name in HEADLINES.values():
        row = rows[name]
        assert {"trivial", "classical"} <= {kinds[other] for other in row.scores if other != "network"}
        assert set(row.network_minus) == set(row.scores) - {"network"}
        for score in row.scores.values():
            assert score.low is not None
            assert score.n_patients <= score.n


def test_all_parts_are_there(numbers: Evaluation) -> None:
    assert numbers.absent == {}
    assert numbers.generation is not None
    assert numbers.generation.n_generated == 12
    assert numbers.ceiling is not None
    assert numbers.ceiling.n == 3
    assert {result.input_snr_db for result in numbers.denoising} == {-6.0, 0.0, 6.0, 12.0, None}
    assert {one.quantity for one in numbers.intervals} == {"latency_ms", "amplitude_uv", "threshold_db_nhl"}
    assert {group.by for group in numbers.groups} == {"level", "class", "age"}
    assert numbers.confusion is not None
    assert sum(map(sum, numbers.confusion.recordings)) == numbers.data.n
    assert numbers.model["run_id"]
    assert numbers.statement == STATEMENT


def test_the_numbers_are_strict_json(folder: Path) -> None:
    text = (folder / "evaluation.json").read_text()
    assert "NaN" not in text
    assert "Infinity" not in text
    assert json.loads(text)["schema_version"] == 1


def test_the_report_says_what_the_numbers_say(folder: Path, numbers: Evaluation) -> None:
    text = (folder / "report.md").read_text()
    for title in (
        "At a glance",
        "Distance to the ceiling",
        "Calibration",
        "Denoising",
        "Generated recordings",
    ):
        assert f"## {title}" in text
    latency = next(row for row in numbers.metrics if row.name == "latency_mae_ms")
    assert f"{latency.scores['network'].value:.3f} [{latency.scores['network'].low:.3f}," in text
    for method in numbers.methods:
        assert method.name in text
    assert "nan" not in text.lower().replace("conductive", "")
    # Every figure that is shown exists, and every one that exists is shown.
    shown = {line.split("](")[1].rstrip(")") for line in text.splitlines() if line.startswith("![")}
    assert shown == {f"figures/{path.name}" for path in (folder / "figures").iterdir()}
    assert len(shown) >= 5
    assert all((folder / place).stat().st_size < 300 * 1024 for place in shown)


def test_tables_are_whole(folder: Path) -> None:
    """Every row of a Markdown table has as many cells as its header."""
    rows: list[int] = []
    for line in (folder / "report.md").read_text().splitlines():
        if line.startswith("|"):
            rows.append(line.count("|"))
        else:
            assert len(set(rows)) <= 1
            rows = []


def test_equal_seeds_give_equal_numbers(folder: Path, checkpoint: Path, tmp_path: Path, capsys: Any) -> None:
    """Parts that are left out do not change the others."""
    assert evaluate(checkpoint, tmp_path / "out", *QUICK) == 0
    first, second = (json.loads((out / "evaluation.json").read_text()) for out in (folder, tmp_path / "out"))
    for part in ("metrics", "groups", "intervals", "reliability", "data"):
        assert first[part] == second[part], part
    assert second["absent"] == dict.fromkeys(("denoising", "generation", "ceiling"), "not asked for")
    shown = capsys.readouterr().out
    assert "best classical" in shown
    assert shown.splitlines()[-1] == STATEMENT
    assert not (tmp_path / "out" / "figures").exists()


def test_recordings_of_others(
    checkpoint: Path, recordings: AbrRecordings, tmp_path: Path, capsys: Any
) -> None:
    """Real recordings: no true responses, no thresholds, other names."""
    n = len(recordings)
    others = replace(
        recordings,
        patient_id=np.char.add("clinic:", recordings.patient_id),
        clean_uv=None,
        threshold_db_nhl=np.full(n, np.nan, dtype=np.float32),
        threshold_censored=np.zeros(n, dtype=np.bool_),
        threshold_provenance="none",
        provenance={"source": "clinic"},
    )
    save_recordings(tmp_path / "clinic.npz", others)
    out = tmp_path / "out"
    words = ["--data", tmp_path / "clinic.npz", "--ceiling", 5, "--generate", 0, "--denoise", 5]
    assert evaluate(checkpoint, out, *words) == 0
    content = json.loads((out / "evaluation.json").read_text())
    assert content["data"]["n"] == n
    assert set(content["absent"]) == {"denoising", "generation", "ceiling"}
    assert "threshold_mae_db" not in {row["name"] for row in content["metrics"]}
    assert "Not computed" in (out / "report.md").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--split", "tset"], "did you mean 'test'"),
        (["--data", "nothing.npz"], "nothing.npz"),
        (["--weights", "best"], "selected or last"),
        (["--training", "nothing.npz"], "nothing.npz"),
    ],
)
def test_wrong_words_are_one_line(
    words: list[str], said: str, checkpoint: Path, tmp_path: Path, capsys: Any
) -> None:
    assert evaluate(checkpoint, tmp_path / "out", *QUICK, *words) == 2
    error = capsys.readouterr().err.strip()
    assert said in error
    assert "\n" not in error
    assert not (tmp_path / "out").exists()


def test_an_earlier_evaluation_is_kept(folder: Path, checkpoint: Path, capsys: Any) -> None:
    before = (folder / "evaluation.json").read_bytes()
    assert evaluate(checkpoint, folder, *QUICK) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert (folder / "evaluation.json").read_bytes() == before
    assert evaluate(checkpoint, folder / "report.md", *QUICK) == 2
    assert "is a file" in capsys.readouterr().err


def test_a_checkpoint_without_its_recordings(checkpoint: Path, tmp_path: Path, capsys: Any) -> None:
    shutil.copy(checkpoint / "checkpoints" / "best.pt", tmp_path / "alone.pt")
    import torch

    content = torch.load(tmp_path / "alone.pt", weights_only=True)
    content["config"]["data"]["dataset_path"] = str(tmp_path / "gone.npz")
    torch.save(content, tmp_path / "alone.pt")
    assert evaluate(tmp_path / "alone.pt", tmp_path / "out", *QUICK) == 2
    assert "--training" in capsys.readouterr().err
