"""`neuroprism plot RUN`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from neuroprism.cli.app import run

RecordRun = Callable[..., Path]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def drawn_by(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that names every drawing that is made."""
    from neuroprism import figures

    made: list[str] = []
    for name in ("plot_losses", "plot_training_grid"):
        plain = getattr(figures, name)

        def draw(*given: Any, name: str = name, plain: Any = plain, **named: Any) -> Any:
            made.append(name)
            return plain(*given, **named)

        monkeypatch.setattr(figures, name, draw)
    return made


def test_a_run_of_one_loss_is_drawn_as_grid_into_its_folder(
    record_run: RecordRun, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = drawn_by(monkeypatch)
    record_run("run", 0.7)
    assert run(["plot", "run"]) == 0
    assert capsys.readouterr().out == "Figure: run/figures/training_progress.png\n"
    assert Path("run/figures/training_progress.png").read_bytes().startswith(b"\x89PNG")
    assert made == ["plot_training_grid"]


@pytest.mark.parametrize(("name", "magic"), [("a.pdf", b"%PDF"), ("new/a.svg", b"<?xml")])
@pytest.mark.parametrize("flag", ["--save", "--out"])
def test_a_run_of_several_losses_is_drawn_by_component(
    name: str, magic: bytes, flag: str, record_run: RecordRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = drawn_by(monkeypatch)
    record_run("run", 0.7, parts=("signal", "peak"))
    assert run(["plot", "run", flag, name]) == 0
    assert Path(name).read_bytes().startswith(magic)
    assert not Path("run/figures").exists()
    assert made == ["plot_losses"]


def test_a_log_alone_is_drawn_beside_it(
    published_log: dict[str, Any], write_log: Callable[..., Path]
) -> None:
    write_log(published_log, "old")
    assert run(["plot", "old/training_log.json"]) == 0
    assert Path("old/training_log.png").exists()
    assert run(["plot", "old"]) == 0
    assert Path("old/figures/training_progress.png").exists()


def test_a_run_called_abr_is_a_run(record_run: RecordRun) -> None:
    shutil.move(record_run("run", 0.7), "abr")
    assert run(["plot", "abr"]) == 0
    assert Path("abr/figures/training_progress.png").exists()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["missing"], "no run or training log at missing"),
        (["."], "holds no run"),
        (["text.json"], "text.json is not JSON"),
        (["empty/training_log.json"], "holds no epoch yet"),
        (["begun"], "holds no epoch yet"),
        (["begun_parts"], "holds no epoch yet"),
        (["run", "--save", "a.gif"], "must end in .png, .pdf, .svg"),
        (["run", "--save", "text.json/a.png"], "cannot write text.json/a.png"),
        (["run", "other"], "plot takes one RUN"),
        (["abr"], "DATA"),
        (["abr", "a.npz", "b.npz"], "plot takes one RUN"),
    ],
)
def test_mistakes(
    words: list[str], expected: str, record_run: RecordRun, write_log: Any, refused: Any
) -> None:
    record_run("run", 0.7)
    record_run("begun", 0.7, n_epochs=0, test=False)
    record_run("begun_parts", 0.7, n_epochs=0, test=False, parts=("a", "b"))
    write_log({"train_loss": []}, "empty")
    Path("text.json").write_text("no JSON")
    assert expected in refused.command("plot", *words)


def test_a_damaged_card_is_refused(record_run: RecordRun, refused: Any) -> None:
    (record_run("run", 0.7) / "run.json").write_text(json.dumps({"id": 3}))
    assert "run.json is damaged" in refused.command("plot", "run")
