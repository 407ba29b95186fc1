from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neuroprism.core.breakdown import shares, weighted_parts
from neuroprism.core.records import Component, EpochRecord, Finished, Note, RunRecord, weighted_total
from neuroprism.core.strict_json import encode
from neuroprism.figures import progress_sink
from neuroprism.figures.progress_sink import ProgressFigure
from neuroprism.figures.style import BASELINE, GREEN, TRAIN, VALIDATION
from neuroprism.figures.training_progress import plot_losses


def components(n: int) -> tuple[Component, ...]:
    return tuple(
        Component(name=f"part_{k}", label=f"Part {k}", weight=1 + k / 2, baseline=1.0 if k % 2 == 0 else None)
        for k in range(n)
    )


def epochs(parts: tuple[Component, ...], n: int, *, best: int = 2, nan_at: int = 0) -> list[EpochRecord]:
    rng = np.random.default_rng(0)
    records = []
    for epoch in range(1, n + 1):
        train = {c.name: math.exp(-epoch / 9) + 0.1 * rng.random() for c in parts}
        val = {name: 1.1 * value for name, value in train.items()}
        if epoch == nan_at:
            train[parts[0].name] = math.nan
        record = EpochRecord(
            epoch=epoch,
            step=10 * epoch,
            train=train | {"total": weighted_total(parts, train)},
            val=val | {"total": weighted_total(parts, val)},
            val_metrics={"balanced_accuracy": 0.5, "latency_mae_ms": 0.2},
            lr=1e-3 / epoch,
            grad_norm=0.5,
            best=epoch == best,
        )
        records.append(record)
    return records


def panels(figure: Figure) -> dict[str, Axes]:
    return {axes.get_title(loc="left"): axes for axes in figure.axes if axes.get_title(loc="left")}


def curve(axes: Axes, colour: str) -> np.ndarray:
    lines = [line for line in axes.lines if line.get_color() == colour]
    return np.column_stack([np.asarray(values, dtype=float) for values in lines[0].get_data()])


def test_each_component_has_its_curves_baseline_and_selected_epoch() -> None:
    parts = components(3)
    records = epochs(parts, 5, best=4)
    found = panels(plot_losses(parts, records, title="run"))
    for part in parts:
        axes = found[part.label]
        np.testing.assert_array_equal(curve(axes, TRAIN), [(e.epoch, e.train[part.name]) for e in records])
        np.testing.assert_array_equal(curve(axes, VALIDATION), [(e.epoch, e.val[part.name]) for e in records])
        dashed = [line for line in axes.lines if line.get_color() == BASELINE]
        assert [line.get_ydata()[0] for line in dashed] == ([] if part.baseline is None else [1.0])  # type: ignore[index]
        marker = next(line for line in axes.lines if line.get_marker() == "D")
        assert tuple(marker.get_data()) == ([4], [records[3].val[part.name]])
        low, high = axes.get_ylim()
        assert low < 1.0 < high or part.baseline is None


def test_panels_are_those_that_have_data() -> None:
    parts = components(2)
    names = ["Part 0", "Part 1", "Total (weighted)", "Share of the training total"]
    rest = ["Learning rate, gradient norm", "Validation metrics", "Errors (first = 1)"]
    assert list(panels(plot_losses(parts, epochs(parts, 3), title="")).keys()) == names + rest
    bare = [EpochRecord(epoch=1, step=1, train={"part_0": 1.0, "part_1": 2.0, "total": 4.0})]
    assert list(panels(plot_losses(parts, bare, title=""))) == names
    one = (Component(name="mse", label="MSE"),)
    bare = [EpochRecord(epoch=1, step=1, train={"mse": 1.0, "total": 1.0})]
    assert list(panels(plot_losses(one, bare, title=""))) == ["MSE"]


def test_shares_add_up_to_one() -> None:
    parts = components(4)
    records = epochs(parts, 6)
    axes = panels(plot_losses(parts, records, title=""))["Share of the training total"]
    tops = [area.get_paths()[0].vertices[:, 1].max() for area in axes.collections]
    assert tops == sorted(tops)
    assert tops[-1] == pytest.approx(1.0)
    for record in records:
        assert sum(shares(weighted_parts(parts, record.train)).values()) == pytest.approx(1.0)


def test_shares_of_negative_missing_and_lost_parts() -> None:
    assert shares({"a": -1.0, "b": 3.0}) == {"a": 0.25, "b": 0.75}
    assert shares({"a": 0.0}) == {}
    assert shares({"a": math.nan, "b": 1.0}) == {}
    assert weighted_parts(components(2), {"part_1": 2.0}) == {"part_1": 3.0}


def test_epochs_that_are_not_finite_are_marked() -> None:
    parts = components(2)
    figure = plot_losses(parts, epochs(parts, 5, nan_at=3), title="")
    crosses = [line for line in panels(figure)["Part 0"].lines if line.get_marker() == "x"]
    assert [list(np.asarray(line.get_xdata())) for line in crosses] == [[3.0]]
    assert not [line for line in panels(figure)["Part 1"].lines if line.get_marker() == "x"]
    assert "not finite" in [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def test_learning_rate_is_logarithmic_unless_it_is_zero() -> None:
    parts = components(2)
    records = epochs(parts, 4)
    assert panels(plot_losses(parts, records, title=""))["Learning rate, gradient norm"].get_yscale() == "log"
    records[0].lr = 0.0
    assert (
        panels(plot_losses(parts, records, title=""))["Learning rate, gradient norm"].get_yscale() == "linear"
    )


@pytest.mark.parametrize(("n_components", "n_epochs"), [(1, 1), (1, 40), (2, 1), (6, 40), (7, 3), (12, 2)])
def test_panels_do_not_overlap(n_components: int, n_epochs: int) -> None:
    parts = components(n_components)
    figure = plot_losses(parts, epochs(parts, n_epochs, best=1), title="run")
    figure.draw_without_rendering()
    titled = list(panels(figure).values())
    boxes = [axes.get_window_extent() for axes in titled]
    assert all(box.width > 80 and box.height > 60 for box in boxes)
    whole = figure.bbox
    for i, box in enumerate(boxes):
        assert whole.x0 <= box.x0 < box.x1 <= whole.x1
        assert whole.y0 <= box.y0 < box.y1 <= whole.y1
        assert not any(box.overlaps(other) for other in boxes[i + 1 :])


@pytest.mark.parametrize("value", [math.nan, math.inf, 0.0, -2.0])
def test_odd_values_are_drawn(value: float) -> None:
    parts = components(2)
    record = EpochRecord(
        epoch=1,
        step=1,
        train=dict.fromkeys(("part_0", "part_1", "total"), value),
        val={"part_0": value},
        val_metrics={"acc": value, "mae": value},
        lr=value,
        grad_norm=value,
        best=True,
    )
    plot_losses(parts, [record], title="odd").draw_without_rendering()


def test_nothing_to_draw_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one"):
        plot_losses((), [], title="")


def test_selected_epoch_is_the_last_improvement() -> None:
    parts = components(2)
    records = epochs(parts, 5, best=2)
    records[3].best = True
    axes = panels(plot_losses(parts, records, title=""))["Part 0"]
    green = [line for line in axes.lines if line.get_color() == GREEN]
    assert all(float(np.asarray(line.get_xdata())[0]) == 4 for line in green)


@pytest.fixture
def run() -> RunRecord:
    return RunRecord(id="x", name="demo", task="abr", components=components(6))


def test_sink_redraws_rarely_and_at_the_end(
    tmp_path: Path, run: RunRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(progress_sink.time, "monotonic", lambda: now[0])
    drawn: list[tuple[int, str]] = []

    sink = ProgressFigure(min_seconds=30.0)

    def save(figure: Figure, path: Path) -> None:
        drawn.append((len(figure.axes[0].lines[0].get_xdata()), path.suffix))

    monkeypatch.setattr(progress_sink, "save_figure", save)
    sink.open(run, tmp_path)
    for record in epochs(run.components, 8):
        now[0] += 10.0
        sink.write(record)
    sink.write(Finished(status="finished"))
    sink.close()
    assert drawn == [(1, ".png"), (4, ".png"), (7, ".png"), (8, ".png"), (8, ".pdf")]


def test_a_slow_drawing_makes_the_next_one_wait(
    tmp_path: Path, run: RunRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(progress_sink.time, "monotonic", lambda: now[0])
    drawn = []

    def save_slowly(figure: Figure, path: Path) -> None:
        drawn.append(len(figure.axes[0].lines[0].get_xdata()))
        now[0] += 2.0

    monkeypatch.setattr(progress_sink, "save_figure", save_slowly)
    sink = ProgressFigure(min_seconds=30.0)
    sink.open(run, tmp_path)
    for record in epochs(run.components, 8):
        now[0] += 50.0
        sink.write(record)
    assert drawn == [1, 5]


def test_sink_writes_a_small_picture_and_a_pdf_with_fonts(tmp_path: Path, run: RunRecord) -> None:
    sink = ProgressFigure()
    sink.open(run, tmp_path)
    for record in epochs(run.components, 60):
        sink.write(record)
    sink.close()
    png, pdf = tmp_path / "figures/training_progress.png", tmp_path / "figures/training_progress.pdf"
    assert png.read_bytes().startswith(b"\x89PNG")
    assert png.stat().st_size < 300 * 1024
    assert b"/Type3" not in pdf.read_bytes()
    assert sorted(path.name for path in png.parent.iterdir()) == [pdf.name, png.name]


def test_sink_without_epochs_writes_nothing(tmp_path: Path, run: RunRecord) -> None:
    sink = ProgressFigure()
    sink.open(run, tmp_path)
    sink.close()
    assert not list(tmp_path.iterdir())


def test_resumed_sink_starts_from_the_epochs_on_disk(tmp_path: Path, run: RunRecord) -> None:
    records = epochs(run.components, 3, nan_at=2)
    lines = [encode(record) for record in (Note(message="x"), *records[:2])]
    (tmp_path / "events.jsonl").write_bytes(b"\n".join(lines) + b'\n{"event":"ep')
    seen = []

    class Watching(ProgressFigure):
        def _draw(self) -> Figure:
            seen.extend(self._epochs)
            return super()._draw()

    sink = Watching()
    sink.open(run, tmp_path)
    sink.write(records[2])
    assert [record.epoch for record in seen] == [1, 2, 3]
    assert math.isnan(seen[1].train["part_0"])
