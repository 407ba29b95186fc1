"""Runs side by side: their curves, and what they reached."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neuroprism.figures.style import CYCLE, style, whole_epochs
from neuroprism.runs.comparison import Comparison, Entry
from neuroprism.runs.naming import PERCENT, metric_label, series_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = npt.NDArray[np.float64]

MAX_ROWS = 30
"""Runs or groups that get a row of their own and a place in the legend."""

_LINES: Any = ("-", (0, (4, 1.5)), (0, (1, 1.2)), (0, (5, 1.5, 1, 1.5)))
_N_POINTS = 30
_N_SHORT = 34
_LEAST_SPAN = 0.02


def plot_comparison(comparisons: Sequence[Comparison]) -> Figure:
    """Draw the curves of runs over each other, and their selected and test values beside.

    Runs of a group share a colour; above their thin curves stands the mean. A
    diamond marks the epoch that validation selected. On the right a circle is
    the value on validation and a square that on test data, with the 95%
    interval: over the runs of a group, over subjects for a single run.

    Parameters
    ----------
    comparisons
        Of the same runs, one for each metric: one row of panels each.

    Raises
    ------
    ValueError
        If there is none.
    """
    if not comparisons:
        raise ValueError("the figure needs at least one comparison")
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(entry.group for entry in comparisons[0].entries))
    looks = {
        name: {"color": CYCLE[k % len(CYCLE)], "linestyle": _LINES[(k // len(CYCLE)) % len(_LINES)]}
        for k, name in enumerate(names)
    }
    height = max(2.9, 0.9 + 0.21 * min(len(names), MAX_ROWS))
    with style():
        figure = Figure(figsize=(9.0, height * len(comparisons) + 0.35), layout="constrained")
        grid = figure.subplots(len(comparisons), 2, squeeze=False, width_ratios=(1.7, 1.0))
        for (left, right), comparison in zip(grid, comparisons, strict=True):
            _curves(left, comparison, looks)
            _values(right, comparison, looks, names[:MAX_ROWS])
        figure.suptitle(_title(comparisons[0]), x=0.01, ha="left", fontsize=11, fontweight="bold")
    return figure


def _title(comparison: Comparison) -> str:
    n = len(comparison.entries)
    runs = f"{n} run{'s' * (n != 1)}"
    return f"{runs} by {comparison.group_by}" if comparison.group_by else runs


def _factor(comparison: Comparison) -> float:
    return 100.0 if comparison.metric.partition("/")[2] in PERCENT else 1.0


def _label(comparison: Comparison) -> str:
    text = series_label(comparison.metric)
    return f"{text[:1].upper()}{text[1:]}{' (%)' if _factor(comparison) != 1.0 else ''}"


def _curves(axes: Axes, comparison: Comparison, looks: dict[str, Any]) -> None:
    factor = _factor(comparison)
    last = 1.0
    for name, look in looks.items():
        members = [entry for entry in comparison.entries if entry.group == name]
        several = len(members) > 1
        for entry in members:
            _curve(axes, entry.epochs, factor * entry.curve, several=several, **look)
            last = max(last, float(entry.epochs.max()))
            _mark(axes, entry, factor, look["color"])
        if several:
            axes.plot(*_mean(members, factor), linewidth=2.0, **look)
    whole_epochs(axes, 1, int(last))
    axes.set_xlabel("epoch")
    axes.set_title(_label(comparison))


def _curve(axes: Axes, x: Floats, y: Floats, *, several: bool, **look: Any) -> None:
    faint: Any = {"linewidth": 0.8, "alpha": 0.45} if several else {"linewidth": 1.4}
    size = 0.0 if len(x) > _N_POINTS or several else 3.0
    axes.plot(
        x,
        np.where(np.isfinite(y), y, np.nan),
        marker="o",
        markersize=max(size, 4.0 * (len(x) == 1)),
        **look,
        **faint,
    )


def _mark(axes: Axes, entry: Entry, factor: float, colour: str) -> None:
    if entry.epoch is not None and entry.value is not None:
        look: Any = {"markersize": 5.0, "markerfacecolor": "white", "markeredgewidth": 1.2, "zorder": 4}
        axes.plot([entry.epoch], [factor * entry.value], "D", color=colour, **look)


def _mean(members: Sequence[Entry], factor: float) -> tuple[Floats, Floats]:
    """Return the mean over the runs of a group in the epochs that all of them have."""
    common = sorted(set.intersection(*(set(entry.epochs.tolist()) for entry in members)))
    table = [[entry.curve[entry.epochs == epoch][-1] for epoch in common] for entry in members]
    return np.array(common), factor * np.mean(np.array(table).reshape(len(members), len(common)), axis=0)


def _values(axes: Axes, comparison: Comparison, looks: dict[str, Any], names: Sequence[str]) -> None:
    factor = _factor(comparison)
    for row, name in enumerate(names):
        colour = looks[name]["color"]
        members = [entry for entry in comparison.entries if entry.group == name]
        for shift, marker, pick in ((-0.16, "o", "value"), (0.16, "s", "test")):
            points = [value for entry in members if (value := getattr(entry, pick)) is not None]
            centre, span = _summary(comparison, members, name, pick)
            height = row + shift
            if span is not None:
                axes.plot(
                    [factor * end for end in span], [height] * 2, color=colour, linewidth=3.5, alpha=0.25
                )
            if len(points) > 1:
                axes.plot(
                    [factor * value for value in points],
                    [height] * len(points),
                    ".",
                    color=colour,
                    markersize=3,
                    alpha=0.6,
                )
            if centre is not None:
                face = "white" if pick == "value" else colour
                axes.plot(
                    [factor * centre], [height], marker, color=colour, markerfacecolor=face, markersize=5.5
                )
    axes.set_yticks(range(len(names)), [_short(name) for name in names])
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    hidden = len(looks) - len(names)
    unit = " (%)" if factor != 1.0 else ""
    axes.set_xlabel(
        metric_label(comparison.metric.partition("/")[2])
        + unit
        + (f"; {hidden} more not shown" if hidden else "")
    )
    low, high = axes.get_xlim()
    spare = max(0.0, _LEAST_SPAN * factor - (high - low)) / 2
    axes.set_xlim(low - spare, high + spare)
    axes.set_title("Selected epoch")
    _legend(axes, comparison)
    for text, name in zip(axes.get_yticklabels(), names, strict=True):
        text.set_color(looks[name]["color"])


def _summary(
    comparison: Comparison, members: Sequence[Entry], name: str, pick: str
) -> tuple[float | None, tuple[float, float] | None]:
    """Return mean and interval of a group, or value and interval over subjects of a run."""
    group = next((group for group in comparison.groups if group.name == name), None)
    if group is not None:
        found = getattr(group, pick)
        if found is None:
            return None, None
        return found.mean, None if found.low is None else (found.low, found.high)
    entry = members[0]
    return getattr(entry, pick), entry.test_interval if pick == "test" else None


def _legend(axes: Axes, comparison: Comparison) -> None:
    from matplotlib.lines import Line2D

    plain: Any = {"color": "#444444", "linestyle": "none", "markersize": 5.5}
    first = "training" if comparison.metric.startswith("train/") else "validation"
    entries = [Line2D([], [], marker="o", markerfacecolor="white", label=first, **plain)]
    if any(entry.test is not None for entry in comparison.entries):
        entries.append(Line2D([], [], marker="s", label="test", **plain))
    axes.legend(
        handles=entries,
        loc="lower right",
        bbox_to_anchor=(1.0, 1.0),
        ncols=2,
        handletextpad=0.1,
        columnspacing=0.8,
        borderpad=0.1,
    )


def _short(name: str) -> str:
    return name if len(name) <= _N_SHORT else f"...{name[3 - _N_SHORT :]}"
