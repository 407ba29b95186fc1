from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neuroprism.core import strict_json
from neuroprism.core.errors import DataError
from neuroprism.core.records import Component, EpochRecord, RunRecord, TestRecord
from neuroprism.figures.progress_sink import ProgressFigure
from neuroprism.figures.saving import save_figure
from neuroprism.figures.style import BASELINE, GREEN, TRAIN, VALIDATION
from neuroprism.figures.training_grid import plot_training_grid
from neuroprism.runs import read_training_log

Log = dict[str, Any]
LISTS = [
    "train_loss",
    "val_acc",
    "val_kappa",
    "val_f1",
    "val_pr_auc",
    "val_roc_auc",
    "val_corrcoef",
    "val_r2",
]
EVERY: Log = {key: [] for key in [*LISTS, "val_rmse", "learning_rate", "epoch_time"]}


def curve(n: int, first: float, last: float) -> list[float]:
    noise = 0.01 * np.random.default_rng(0).standard_normal(n)
    return (last + (first - last) * np.exp(-np.arange(n) / 4) + noise * abs(first - last)).tolist()


def common(n: int) -> Log:
    return {
        "train_loss": curve(n, 0.7, 0.1),
        "learning_rate": np.geomspace(1e-4, 1e-6, n).tolist(),
        "epoch_time": curve(n, 0.9, 0.6),
    }


def binary(n: int = 30) -> Log:
    test = {
        "acc": 0.7,
        "pr_auc": 0.6,
        "roc_auc": 0.8,
        "confusion_matrix": [[110, 34], [12, 36]],
        "best_epoch": n,
    }
    lists = {
        "val_acc": curve(n, 0.5, 0.7),
        "val_pr_auc": curve(n, 0.4, 0.6),
        "val_roc_auc": curve(n, 0.6, 0.8),
    }
    return {**EVERY, **common(n), **lists, "test_results": test}


def regression(n: int = 30) -> Log:
    lists = {
        "val_r2": curve(n, -2.0, 0.3),
        "val_corrcoef": curve(n, 0.1, 0.6),
        "val_rmse": curve(n, 0.4, 0.25),
    }
    return {
        **EVERY,
        **common(n),
        **lists,
        "test_results": {"corrcoef": 0.6, "r2": 0.3, "rmse": 0.26, "best_epoch": 9},
    }


def multiclass(n: int = 12, k: int = 9) -> Log:
    lists = {f"val_{name}": curve(n, 0.1, 0.5) for name in ("acc", "kappa", "f1")}
    matrix = (10 * np.eye(k, dtype=int) + 3).tolist()
    test = {"acc": 0.5, "kappa": 0.4, "f1": 0.5, "confusion_matrix": matrix, "best_epoch": n}
    return {**EVERY, **common(n), **lists, "test_results": test}


def gaps(log: Log) -> Log:
    log = json.loads(json.dumps(log))
    log["val_acc"][3] = None
    log["val_acc"][5] = math.nan
    log["train_loss"][:2] = [None, math.inf]
    log["val_f1"] = log["val_f1"][:4]
    del log["epoch_time"]
    return log


@pytest.fixture
def draw(write_log: Callable[..., Path]) -> Callable[[Log], Figure]:
    return lambda log: plot_training_grid(read_training_log(write_log(log)))


def panels(figure: Figure) -> dict[str, Axes]:
    return {axes.get_title(loc="left"): axes for axes in figure.axes if axes.get_title(loc="left")}


def line_of(axes: Axes, colour: str) -> np.ndarray:
    lines = [line for line in axes.lines if line.get_color() == colour and len(line.get_xdata()) > 1]
    return np.asarray(lines[0].get_ydata(), dtype=float)


NAMES = {
    "multiclass": [
        "Training loss",
        "Balanced accuracy",
        "Weighted F1",
        "Cohen's kappa",
        "Learning rate",
        "Epoch time",
        "Loss against balanced accuracy",
        "Test confusion matrix",
        "Test recall",
    ],
    "binary": [
        "Training loss",
        "Balanced accuracy",
        "AUC",
        "Learning rate",
        "Epoch time",
        "Loss against balanced accuracy",
        "Test confusion matrix",
        "Test recall",
        "Selected epoch",
    ],
    "regression": [
        "Training loss",
        "R²",
        "Correlation",
        "RMSE",
        "Learning rate",
        "Epoch time",
        "Loss against R²",
        "Selected epoch",
    ],
}


@pytest.mark.parametrize(
    ("task", "log"), [("multiclass", multiclass()), ("binary", binary()), ("regression", regression())]
)
def test_places_go_to_what_applies_to_the_task(task: str, log: Log, draw: Callable[[Log], Figure]) -> None:
    found = panels(draw(log))
    assert sorted(found) == sorted(NAMES[task])
    assert all(axes.has_data() for axes in found.values())


def test_published_run(published_log: Log, draw: Callable[[Log], Figure]) -> None:
    figure = draw(published_log)
    found = panels(figure)
    assert list(found) == NAMES["multiclass"]
    accuracy = found["Balanced accuracy"]
    np.testing.assert_allclose(line_of(accuracy, VALIDATION), 100 * np.array(published_log["val_acc"]))
    assert accuracy.get_title(loc="right") == "best 54.15% at 39"
    low, high = accuracy.get_ylim()
    assert 50 < low < 50.976 < 54.151 < high < 55
    assert found["Epoch time"].get_title(loc="right") == "mean 0.63, sum 31.3 min"
    assert found["Test recall"].get_title(loc="right") == "mean 58.13%, chance 25%"
    assert found["Test confusion matrix"].get_title(loc="right") == "1,758 samples"
    assert "physio_models_test" in figure.get_suptitle()
    over_epochs = [axes for axes in found.values() if axes.get_xlabel() == "epoch"]
    assert len(over_epochs) == 7
    for axes in over_epochs:
        marked = [line for line in axes.lines if line.get_color() == GREEN]
        assert {float(np.asarray(line.get_xdata())[0]) for line in marked} == {39.0}


def test_loss_and_metric_stand_on_two_axes(published_log: Log, draw: Callable[[Log], Figure]) -> None:
    figure = draw(published_log)
    left = panels(figure)["Loss against balanced accuracy"]
    (right,) = [axes for axes in figure.axes if axes is not left and axes.bbox.bounds == left.bbox.bounds]
    np.testing.assert_allclose(line_of(left, TRAIN), published_log["train_loss"])
    np.testing.assert_allclose(line_of(right, VALIDATION), 100 * np.array(published_log["val_acc"]))


def test_a_flat_curve_is_not_blown_up(draw: Callable[[Log], Figure]) -> None:
    low, high = panels(draw({"val_acc": [0.5, 0.5001, 0.5]}))["Balanced accuracy"].get_ylim()
    assert high - low >= 1.0


def test_recorded_extras_are_drawn(write_log: Callable[..., Path]) -> None:
    log = multiclass(12, 4)
    path = write_log(
        log
        | {
            "val/total": curve(12, 1.3, 1.1),
            "train/balanced_accuracy": curve(12, 0.3, 0.9),
            "train/lr_head": np.geomspace(5e-4, 5e-6, 12).tolist(),
            "val/recall/left": curve(12, 0.1, 0.4),
            "val/recall/right": curve(12, 0.1, 0.6),
            "test_results": {},
        }
    )
    part = Component(name="cross_entropy", label="CE", baseline=1.386, lower_bound=0.3488)
    card = RunRecord(id="x", name="n", task="t", components=(part,), status="finished")
    (path.parent / "run.json").write_bytes(strict_json.encode_pretty(card))
    (path.parent / "config.yaml").write_text("data: {dataset: PhysioNet-MI}\nmodel: {backbone: eegmamba}\n")
    figure = plot_training_grid(read_training_log(path))
    found = panels(figure)
    assert figure.get_suptitle() == "Training progress: eegmamba, PhysioNet-MI"
    loss = found["Loss"]
    flat = {float(np.asarray(line.get_ydata())[0]) for line in loss.lines if line.get_color() == BASELINE}
    assert flat == {1.386, 0.3488}
    assert loss.get_ylim()[0] < 0.3488
    assert loss.get_ylim()[1] > 1.386
    assert len(line_of(loss, TRAIN)) == len(line_of(loss, VALIDATION)) == 12
    assert line_of(found["Balanced accuracy"], TRAIN)[-1] > 80
    assert [text.get_text() for text in found["Learning rate"].get_legend().get_texts()] == [
        "backbone",
        "head",
    ]
    names = [text.get_text() for text in found["Validation recall by class"].get_legend().get_texts()]
    assert names == ["left", "right"]
    legend = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    assert legend == [
        "training",
        "validation",
        "constant predictor",
        "least possible loss 0.3488",
        "selected epoch 12",
    ]


def test_results_by_subject_and_intervals_are_drawn(draw: Callable[[Log], Figure]) -> None:
    log = regression()
    log["test_results"] |= {
        "intervals": {"r2": [0.1, 0.4]},
        "per_subject": {"01": {"r2": 0.4}, "02": {"r2": -0.1}, "03": {"r2": None}, "04": {"r2": 0.2}},
    }
    found = panels(draw(log))
    assert [bar.get_height() for bar in found["Test by subject"].patches] == [-0.1, 0.2, 0.4]
    assert found["Test by subject"].get_ylim()[0] <= -0.1
    spans = [line for line in found["Selected epoch"].lines if list(line.get_xdata()) == [0.1, 0.4]]
    assert len(spans) == 1


def test_gaps_are_marked_and_not_joined(draw: Callable[[Log], Figure]) -> None:
    figure = draw(gaps(multiclass()))
    axes = panels(figure)["Balanced accuracy"]
    assert np.isnan(line_of(axes, VALIDATION)[[3, 5]]).all()
    crosses = [line for line in axes.lines if line.get_marker() == "x"]
    assert [list(line.get_xdata()) for line in crosses] == [[4, 6]]
    alone = [line for line in axes.lines if line.get_marker() == "o" and list(line.get_xdata()) == [5]]
    assert alone
    assert len(line_of(panels(figure)["Weighted F1"], VALIDATION)) == 4
    assert "Epoch time" not in panels(figure)
    assert "no finite value" in [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def test_a_class_without_samples_is_said(draw: Callable[[Log], Figure]) -> None:
    log = binary()
    log["test_results"]["confusion_matrix"] = [[5, 1], [0, 0]]
    texts = [text.get_text() for text in panels(draw(log))["Test recall"].texts]
    assert texts == ["83.3%", "no sample"]


CASES = {
    "multiclass": multiclass(),
    "many classes": multiclass(k=15),
    "binary": binary(),
    "regression": regression(),
    "one epoch": binary(1),
    "two epochs": multiclass(2, 4),
    "thousand epochs": multiclass(1000),
    "gaps": gaps(multiclass()),
    "only loss": {"train_loss": [3.0, 2.0]},
    "loss to zero": {"train_loss": [3.0, 0.0], "learning_rate": [0.0, 0.0]},
    "wide loss": {"train_loss": [1e6, 1.0, 1e-4]},
    "only accuracy": {"val_acc": [0.5, 0.6]},
    "unfinished binary": binary() | {"test_results": {}},
    "long names": multiclass(5, 3)
    | {f"val/recall/{name * 8}": [0.1] * 5 for name in ("anger ", "disgust ", "fear ")},
    "components": {"train_loss": [3.0, 2.0], "val_acc": [0.5, 0.6]}
    | {f"{split}/part_{k}": [1.0 + k, 0.5] for split in ("train", "val") for k in range(9)},
}


def _texts(figure: Figure) -> list[tuple[str, Any]]:
    """Return titles, remarks and panel legends with their boxes."""
    found = []
    for axes in figure.axes:
        for text in (axes.title, axes._left_title, axes._right_title, axes.xaxis.label, axes.yaxis.label):  # type: ignore[attr-defined]
            if text.get_text():
                found.append((text.get_text(), text.get_window_extent()))
        if axes.get_legend() is not None:
            found.append(("legend", axes.get_legend().get_window_extent()))
    found += [("figure legend", legend.get_window_extent()) for legend in figure.legends]
    return found


@pytest.mark.parametrize("name", CASES)
def test_nothing_overlaps_or_leaves_the_picture(name: str, draw: Callable[[Log], Figure]) -> None:
    figure = draw(CASES[name])
    figure.draw_without_rendering()
    texts, whole = _texts(figure), figure.bbox
    for (a, box), (b, other) in itertools.combinations(texts, 2):
        assert not box.padded(2).overlaps(other.padded(1)), (a, b)
    for text, box in texts:
        assert whole.x0 <= box.x0 < box.x1 <= whole.x1, text
        assert whole.y0 <= box.y0 < box.y1 <= whole.y1, text
    boxes = [axes.get_window_extent() for axes in panels(figure).values()]
    assert all(box.width > 80 and box.height > 60 for box in boxes)
    assert not any(box.overlaps(other) for box, other in itertools.combinations(boxes, 2))


def test_legends_cover_no_curve(draw: Callable[[Log], Figure]) -> None:
    figure = draw(binary())
    figure.draw_without_rendering()
    for axes in figure.axes:
        if axes.get_legend() is not None:
            assert (
                not axes.get_legend().get_window_extent().overlaps(axes.get_window_extent().shrunk(1, 0.999))
            )


@pytest.mark.parametrize("name", ["multiclass", "thousand epochs"])
def test_files_are_small_and_print_ready(name: str, draw: Callable[[Log], Figure], tmp_path: Path) -> None:
    figure = draw(CASES[name])
    save_figure(figure, tmp_path / "a.png", dpi=150)
    save_figure(figure, tmp_path / "a.pdf")
    png, pdf = (tmp_path / "a.png").read_bytes(), (tmp_path / "a.pdf").read_bytes()
    assert png.startswith(b"\x89PNG")
    assert len(png) < 300 * 1024
    width, height = int.from_bytes(png[16:20]), int.from_bytes(png[20:24])
    assert width / height == pytest.approx(20 / 12, rel=0.02)
    assert re.search(rb"/FontFile2|/CIDFontType2", pdf)
    assert b"/Type3" not in pdf


@pytest.mark.parametrize("log", [{"train_loss": []}, {"train_loss": [None, None]}])
def test_a_log_without_values_cannot_be_drawn(log: Log, draw: Callable[[Log], Figure]) -> None:
    with pytest.raises(DataError, match="holds no epoch yet"):
        draw(log)


def test_a_run_of_one_loss_is_drawn_as_grid_while_it_trains(tmp_path: Path) -> None:
    card = RunRecord(id="x", name="demo", task="t", components=(Component(name="bce", label="BCE"),))
    (tmp_path / "config.yaml").write_text("data: {dataset: MentalArithmetic}\n")
    drawn: list[Figure] = []

    class Watching(ProgressFigure):
        def _draw(self) -> Figure:
            drawn.append(super()._draw())
            return drawn[-1]

    sink = Watching()
    sink.open(card, tmp_path)
    for epoch in (1, 2, 3):
        metrics = {"balanced_accuracy": 0.5 + 0.1 * epoch, "roc_auc": 0.6, "pr_auc_trapezoid": math.nan}
        sink.write(
            EpochRecord(
                epoch=epoch,
                step=epoch,
                train={"total": 1.0, "bce": 1.0},
                val={"bce": 1.1, "total": 1.1},
                val_metrics=metrics,
                lr=1e-3,
                seconds=3.0,
                best=epoch == 2,
            )
        )
    sink.write(
        TestRecord(best_epoch=2, metrics={"balanced_accuracy": 0.6}, confusion_matrix=[[3, 1], [1, 3]])
    )
    sink.close()
    assert "Test confusion matrix" not in panels(drawn[0])
    assert {"Loss", "Balanced accuracy", "ROC AUC", "Test confusion matrix"} <= set(panels(drawn[-1]))
    assert drawn[-1].get_suptitle() == "Training progress: MentalArithmetic"
    assert (tmp_path / "figures/training_progress.pdf").read_bytes().startswith(b"%PDF")
