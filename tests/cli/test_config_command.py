"""`neuroprism config` shows what training would use and what every key means."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from neuroprism.abr import AbrConfig
from neuroprism.cli.app import run
from neuroprism.core.config import load, to_dict
from neuroprism.core.schema import paths
from neuroprism.core.section import Section
from neuroprism.eeg.config import EegConfig


def output(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert run(words) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    return shown.out


def test_defaults_load_again(program: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    text = output(["config"], capsys)
    (tmp_path / "all.yaml").write_text(text)
    assert load(AbrConfig, file=tmp_path / "all.yaml") == AbrConfig()
    assert output(["config", "--config", "all.yaml"], capsys) == text


def test_every_source_is_resolved(
    program: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my.yaml").write_text("training: {epochs: 5, gradient_clip: 2.5, log_frequency: 7}\n")
    monkeypatch.setenv("NEUROPRISM__TRAINING__EPOCHS", "4")
    monkeypatch.setenv("NEUROPRISM__TRAINING__GRADIENT_CLIP", "null")
    words = ["config", "--config", "my.yaml", "--set", "training.epochs=3"]
    training = yaml.safe_load(output(words, capsys))["training"]
    found = training["epochs"], training["gradient_clip"], training["log_frequency"], training["ema_decay"]
    assert found == (3, None, 7, to_dict(AbrConfig())["training"]["ema_decay"])


@pytest.mark.parametrize(("root", "words"), [(AbrConfig, []), (EegConfig, ["--eeg"])])
def test_describe_lists_every_key_with_a_meaning(
    root: type[Section], words: list[str], program: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = output(["config", "--describe", *words], capsys).splitlines()
    described = {head.split(" = ")[0]: meaning for head, meaning in zip(lines[::2], lines[1::2], strict=True)}
    assert list(described) == paths(root)
    assert [name for name, meaning in described.items() if not meaning.strip()] == []
    assert f"training.epochs = {root().training.epochs}" in lines  # type: ignore[attr-defined]
    assert described["training.epochs"] == "    Passes over the training split."


def test_mistake_is_refused(refused: Any) -> None:
    assert "did you mean 'training.epochs'?" in refused.command("config", "--set", "training.epohcs=3")
    assert "No such file" in refused.command("config", "--config", "missing.yaml")


@pytest.mark.parametrize("words", [[], ["simulate"], ["plot"]])
def test_command_without_arguments_shows_help(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words) == 2
    assert capsys.readouterr().err.startswith("Usage: neuroprism")


@pytest.mark.parametrize("command", ["train", "config", "check-monitoring", "simulate", "plot"])
def test_help_names_every_command_and_flag(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command in output(["--help"], capsys)
    assert "--help" in output([command, "--help"], capsys)
