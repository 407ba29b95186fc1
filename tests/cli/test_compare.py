"""`neuroprism compare RUN RUN ...`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from neuroprism.cli.app import run

RecordRun = Callable[..., Path]


@pytest.fixture
def repeats(record_run: RecordRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for seed in (0, 1, 2):
        record_run(f"net/seed_{seed}", 0.70 + 0.01 * seed, seed=seed)
        record_run(f"mamba/seed_{seed}", 0.68 + 0.02 * seed, seed=seed, backbone="eegmamba")


@pytest.mark.usefixtures("repeats")
def test_folders_of_seeds_are_compared_by_group(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["compare", "net", "mamba", "--metric", "val_acc", "--group-by", "backbone", "--save", "a.png"]
    assert run(words) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    lines = [line.split() for line in shown.out.splitlines()]
    assert ["net/seed_1", "eegnet", "1", "2", "0.7100", "0.6100", "[0.5100,", "0.7100]"] in lines
    assert [line[:3] for line in lines if line[:2] in (["eegnet", "3"], ["eegmamba", "3"])] == [
        ["eegnet", "3", "0.7100"],
        ["eegmamba", "3", "0.7000"],
    ]
    assert any(line[:5] == ["eegmamba", "-", "eegnet", "3", "-0.0100"] for line in lines)
    assert shown.out.endswith("Figure: a.png\n")
    assert Path("a.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.usefixtures("repeats")
def test_several_metrics_are_several_tables(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compare", "net/seed_0", "mamba/seed_0", "--metric", "val/bce", "--metric", "val_acc"]) == 0
    shown = capsys.readouterr().out
    assert "Validation bce at the selected epoch" in shown
    assert "Validation balanced accuracy at the selected epoch" in shown


def test_real_abr_run_beside_itself_by_series(finished: Any, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(finished.run_folder())
    assert run(["compare", folder, "--metric", "val/signal", "--group-by", "epochs"]) == 0
    assert "Validation signal" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["net/seed_0", "--metric", "val_ac"], "unknown metric 'val_ac'; did you mean 'val_acc'?"),
        (
            ["net/seed_0", "--group-by", "bakbone"],
            "unknown configuration key 'bakbone'; did you mean 'backbone'?",
        ),
        (["net", "--group-by", "seed"], "end of several keys"),
        (["net/seed_0", "net/seed_0"], "given twice"),
        (["net", "missing"], "no run or training log at missing"),
        (["net", "empty"], "empty holds no run"),
        (["net/seed_0", "old"], "have no metric in common"),
        (["net/seed_0", "old", "--metric", "val_acc"], "have no metric in common"),
        (["old", "--group-by", "backbone"], "has no config.yaml"),
        (["net", "--save", "a.txt"], "must end in .png, .pdf, .svg"),
        (["net", "--save", "way/a.png"], "cannot write way/a.png"),
        (
            ["old", "--metric", "val_kappa", "--metric", "val_acc", "--save", "a.png"],
            "unknown metric 'val_acc'",
        ),
        ([], "Usage"),
    ],
)
@pytest.mark.usefixtures("repeats")
def test_mistakes(words: list[str], expected: str, write_log: Callable[..., Path], refused: Any) -> None:
    write_log({"val_kappa": [0.5]}, "old")
    Path("way").write_text("in the way")
    Path("empty").mkdir()
    if words:
        assert expected in refused.command("compare", *words)
    else:
        assert run(["compare"]) == 2
