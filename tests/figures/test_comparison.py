from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from neuroprism.figures.comparison import MAX_ROWS, plot_comparison
from neuroprism.figures.saving import save_figure
from neuroprism.runs.comparison import Comparison, Entry, Group
from neuroprism.runs.estimate import Estimate, estimate


def entry(label: str, group: str, value: float, *, n: int = 20, test: float | None = 0.5) -> Entry:
    epochs = np.arange(1, n + 1, dtype=float)
    return Entry(
        label=label,
        group=group,
        seed=0,
        status="finished",
        epoch=min(n, 17),
        value=value,
        test=test,
        test_interval=None if test is None else (test - 0.05, test + 0.05),
        epochs=epochs,
        curve=value - 0.3 * np.exp(-epochs / 5),
    )


def comparison(entries: list[Entry], *, grouped: bool, metric: str = "val/balanced_accuracy") -> Comparison:
    groups = []
    for name in dict.fromkeys(e.group for e in entries):
        members = [e for e in entries if e.group == name]
        values, tests = [e.value for e in members], [e.test for e in members]
        groups.append(Group(name=name, n_runs=len(members), value=estimate(values), test=estimate(tests)))
    return Comparison(
        metric=metric,
        group_by="backbone" if grouped else None,
        entries=tuple(entries),
        groups=tuple(groups) if grouped else (),
        differences=(),
        notes=(),
    )


def labels(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[1].get_yticklabels()]


def test_curves_of_a_group_share_a_colour_and_have_their_mean() -> None:
    entries = [entry(f"{name}/{k}", name, 0.6 + 0.01 * k) for name in ("a", "b") for k in range(3)]
    entries[0] = entry("a/0", "a", 0.6, n=12)
    figure = plot_comparison([comparison(entries, grouped=True)])
    left = figure.axes[0]
    assert left.get_title(loc="left") == "Validation balanced accuracy (%)"
    thick = [line for line in left.lines if line.get_linewidth() == 2.0]
    assert [len(line.get_xdata()) for line in thick] == [12, 20]
    expected = 100 * np.mean([e.curve for e in entries[3:]], axis=0)
    np.testing.assert_allclose(np.asarray(thick[1].get_ydata(), dtype=float), expected)
    assert len({line.get_color() for line in left.lines}) == 2
    assert labels(figure) == ["a", "b"]


def test_interval_of_a_group_is_over_runs_and_of_a_run_over_subjects() -> None:
    group = plot_comparison([comparison([entry("0", "a", 0.6), entry("1", "a", 0.7)], grouped=True)])
    found = estimate([0.6, 0.7])
    assert isinstance(found, Estimate)
    spans = [list(line.get_xdata()) for line in group.axes[1].lines if line.get_linewidth() == 3.5]
    np.testing.assert_allclose(spans[0], [100 * (found.low or 0), 100 * (found.high or 0)])
    single = plot_comparison([comparison([entry("0", "0", 0.6)], grouped=False)])
    spans = [list(line.get_xdata()) for line in single.axes[1].lines if line.get_linewidth() == 3.5]
    np.testing.assert_allclose(spans, [[45.0, 55.0]])


def test_each_metric_is_a_row_with_its_unit() -> None:
    entries = [entry("0", "0", 0.6, test=None)]
    figure = plot_comparison(
        [comparison(entries, grouped=False, metric=m) for m in ("val/kappa", "val/total")]
    )
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["Validation Cohen's kappa", "Selected epoch", "Validation loss", "Selected epoch"]
    assert [text.get_text() for text in figure.axes[1].get_legend().get_texts()] == ["validation"]


@pytest.mark.parametrize(("n_runs", "n_epochs"), [(1, 1), (2, 40), (12, 5), (100, 30)])
def test_pictures_of_any_number_of_runs(n_runs: int, n_epochs: int, tmp_path: Path) -> None:
    names = [f"results/some_long_folder_name_of_a_run/{k}" for k in range(n_runs)]
    entries = [entry(name, name, 0.5 + 0.001 * k, n=n_epochs) for k, name in enumerate(names)]
    figure = plot_comparison([comparison(entries, grouped=False)])
    figure.draw_without_rendering()
    assert len(labels(figure)) == min(n_runs, MAX_ROWS)
    assert ("more not shown" in figure.axes[1].get_xlabel()) == (n_runs > MAX_ROWS)
    boxes = [text.get_window_extent() for text in figure.axes[1].get_yticklabels()]
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))
    left, right = (axes.get_window_extent() for axes in figure.axes)
    assert left.x1 < min(box.x0 for box in boxes)
    assert min(left.width, right.width) > 200
    save_figure(figure, tmp_path / "a.png", dpi=150)
    assert (tmp_path / "a.png").stat().st_size < (300 if n_runs <= MAX_ROWS else 600) * 1024


def test_nothing_recorded_in_the_selected_epoch_is_drawn_without_marks() -> None:
    odd = entry("0", "0", 0.6, test=None)
    odd = Entry(
        **{name: getattr(odd, name) for name in odd.__dataclass_fields__} | {"value": None, "epoch": None}
    )
    plot_comparison([comparison([odd], grouped=False)]).draw_without_rendering()
    with pytest.raises(ValueError, match="at least one"):
        plot_comparison([])
