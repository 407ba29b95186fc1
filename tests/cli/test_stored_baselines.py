"""Classical baselines beside runs in `summary` and `compare`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import yaml

from neuroprism.cli.app import run


@pytest.fixture
def trained(
    record_run: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Path]:
    """Return a writer of runs on a store that has baselines."""
    place = tmp_path / "store/MentalArithmetic"
    place.mkdir(parents=True)
    (place / "baseline.json").write_text("{}")
    val = {"balanced_accuracy": 0.825, "pr_auc_trapezoid": 0.918}
    row = SimpleNamespace(title="log band power", val=val, test={"balanced_accuracy": 0.757}, intervals={})
    module = ModuleType("neuroprism.eeg.baselines")

    def read_baselines(path: Path, *, split_rule: str) -> list[SimpleNamespace]:
        return [row] if (path, split_rule) == (place, "as declared") else []

    module.read_baselines = read_baselines  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)

    def write(name: str, *, rule: str = "as declared", **data: str) -> Path:
        folder = record_run(name, 0.7)
        config = yaml.safe_load((folder / "config.yaml").read_text())
        config["data"] |= {"store": str(tmp_path / "store")} | data
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
        (folder / "split.json").write_text(json.dumps({"rule": rule}))
        return folder

    return write


def test_baselines_stand_beside_runs(
    trained: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = str(trained("run"))
    assert run(["summary", folder]) == 0
    assert "log band power: balanced accuracy 75.70%\n" in capsys.readouterr().out
    assert run(["compare", folder, str(trained("other")), "--metric", "val_acc"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["log", "band", "power", "0.8250", "0.7570"] in lines


def test_another_split_or_store_has_no_baseline(
    trained: Callable[..., Path], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    own_split = str(trained("run", rule="by subject, drawn with seed 0"))
    elsewhere = str(trained("other", store=str(tmp_path / "gone")))
    for words in (["summary", own_split], ["summary", elsewhere], ["compare", own_split, elsewhere]):
        assert run(words) == 0
        assert "log band power" not in capsys.readouterr().out


def test_a_metric_without_baseline_has_no_row(
    trained: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["compare", str(trained("run")), "--metric", "val/bce"]) == 0
    assert "log band power" not in capsys.readouterr().out
