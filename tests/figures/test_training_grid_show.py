from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest
from matplotlib.figure import Figure

from neuroprism import plot_training_progress
from neuroprism.core.errors import NeuroprismError, UserError
from neuroprism.figures import training_grid_show

Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def _no_figure_is_left_open() -> Any:
    plt.switch_backend("agg")
    yield
    assert plt.get_fignums() == []


def test_history_summary_and_picture(
    published_log: dict[str, Any], write_log: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_log(published_log)
    history = plot_training_progress(path, save=tmp_path / "progress.pdf")
    assert history["val_acc"] == published_log["val_acc"]
    assert history.best_epoch == 39
    shown = capsys.readouterr().out.splitlines()
    assert shown[:2] == [f"Training log: {path}", f"Figure: {tmp_path / 'progress.pdf'}"]
    assert "   Best epoch: 39" in shown
    assert (tmp_path / "progress.pdf").read_bytes().startswith(b"%PDF")


def test_without_a_path_the_newest_log_is_drawn_and_named(
    write_log: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_log({"train_loss": [2.0, 1.0]}, "results/run")
    monkeypatch.chdir(tmp_path)
    assert plot_training_progress()["train_loss"] == [2.0, 1.0]
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == f"Newest training log below {tmp_path}: results/run/training_log.json"
    assert shown[1] == "No display: give save='figure.png' to keep the figure"
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["training_log.json"]


def test_a_name_without_ending_becomes_png(write_log: Write, tmp_path: Path) -> None:
    plot_training_progress(
        write_log({"train_loss": [2.0]}), save=str(tmp_path / "new" / "figure"), show=False
    )
    assert (tmp_path / "new/figure.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("show", [None, True, False])
def test_a_notebook_shows_the_figure_inline_unless_it_shall_not(
    show: bool | None, write_log: Write, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from IPython import display

    images: list[Any] = []
    monkeypatch.setattr(display, "display", images.append)
    shell = SimpleNamespace(kernel=object())
    monkeypatch.setattr(sys.modules["IPython"], "get_ipython", lambda: shell)
    plot_training_progress(write_log({"train_loss": [2.0]}), show=show)
    assert len(images) == (show is not False)
    assert all(image.data.startswith(b"\x89PNG") for image in images)
    assert "No display" not in capsys.readouterr().out


def test_a_terminal_with_windows_opens_one(
    write_log: Write, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened = []
    monkeypatch.setattr(training_grid_show, "_has_windows", lambda: True)
    monkeypatch.setattr(plt, "show", lambda: opened.extend(plt.get_fignums()))
    plot_training_progress(write_log({"train_loss": [2.0]}))
    assert len(opened) == 1
    assert "No display" not in capsys.readouterr().out
    plt.close("all")
    with pytest.raises(UserError, match="holds no epoch yet"):
        plot_training_progress(write_log({"train_loss": []}))
    plot_training_progress(write_log({"train_loss": [2.0]}), show=False)
    assert len(opened) == 1


def test_agg_has_no_windows() -> None:
    assert mpl.get_backend().lower() == "agg"
    assert not training_grid_show._has_windows()


def test_the_figure_is_drawn_with_the_same_look_anywhere(write_log: Write, tmp_path: Path) -> None:
    before = dict(mpl.rcParams)
    plot_training_progress(write_log({"train_loss": [2.0]}), save=tmp_path / "a.png", show=False)
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize(
    ("save", "expected"),
    [
        ("a.gif", "must end in .png, .pdf, .svg"),
        (".", "it is a folder"),
        ("way/a.png", "cannot write way/a.png"),
    ],
)
def test_a_place_that_cannot_be_written_is_refused(
    save: str, expected: str, write_log: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("way").write_text("in the way")
    path = write_log({"train_loss": [2.0]})
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(NeuroprismError, match=expected):
        plot_training_progress(path, save=save)
    assert sorted(tmp_path.rglob("*")) == before


def test_bad_logs_are_user_errors(write_log: Write, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("no JSON")
    for path in (
        tmp_path / "missing.json",
        tmp_path / "x.json",
        write_log({"train_loss": []}),
        tmp_path / "x.json",
    ):
        with pytest.raises(UserError) as raised:
            plot_training_progress(path, save=tmp_path / "a.png")
        assert "\n" not in str(raised.value)
    assert not (tmp_path / "a.png").exists()


def test_figures_are_made_without_pyplot_where_none_is_shown(write_log: Write) -> None:
    from neuroprism.runs import read_training_log

    figure = training_grid_show.plot_training_grid(read_training_log(write_log({"train_loss": [2.0]})))
    assert isinstance(figure, Figure)
    assert not hasattr(figure, "number")
