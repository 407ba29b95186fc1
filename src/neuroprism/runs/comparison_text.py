"""A comparison of runs as tables of text."""

from __future__ import annotations

from collections.abc import Sequence

from neuroprism.core.text_table import text_table
from neuroprism.runs.comparison import Comparison
from neuroprism.runs.naming import series_label

FurtherRow = tuple[str, float | None, float | None]
"""Name, value on validation and on test data of something that is no run, such as a classical baseline."""


def comparison_text(comparison: Comparison, *, further: Sequence[FurtherRow] = ()) -> str:
    """Return the tables of a comparison.

    Parameters
    ----------
    comparison
        As made by `compare_runs`.
    further
        Rows to put below the runs, e.g. classical baselines.
    """
    split, _, _ = comparison.metric.partition("/")
    first = {"val": "validation", "train": "training"}[split]
    blocks = [f"{_capital(series_label(comparison.metric))} at the selected epoch, and on the test data"]
    blocks.append(_runs(comparison, first, further))
    if comparison.groups:
        header = [comparison.group_by or "", "runs", first, "test"]
        rows = [[g.name, str(g.n_runs), _cell(g.value), _cell(g.test)] for g in comparison.groups]
        blocks.append("Mean [95% interval over runs]\n" + text_table(header, rows, indent="  "))
    if comparison.differences:
        header = ["", "seeds", first, "test"]
        rows = [
            [f"{d.second} - {d.first}", str(d.n_seeds), _cell(d.value), _cell(d.test)]
            for d in comparison.differences
        ]
        title = "Difference over common seeds [95% interval]\n"
        blocks.append(title + text_table(header, rows, indent="  "))
    if comparison.notes:
        blocks.append("\n".join(f"Note: {note}" for note in comparison.notes))
    return "\n\n".join(blocks)


def _runs(comparison: Comparison, first: str, further: Sequence[FurtherRow]) -> str:
    entries = comparison.entries
    grouped, seeded = comparison.group_by is not None, any(e.seed is not None for e in entries)
    header = ["run", *([comparison.group_by or ""] * grouped), *(["seed"] * seeded), "epoch", first, "test"]
    rows = []
    for e in entries:
        test = _value(e.test)
        if e.test_interval is not None:
            test += f" [{e.test_interval[0]:.4f}, {e.test_interval[1]:.4f}]"
        seed = "-" if e.seed is None else str(e.seed)
        epoch = "-" if e.epoch is None else str(e.epoch)
        rows.append([e.label, *([e.group] * grouped), *([seed] * seeded), epoch, _value(e.value), test])
    for name, validation, test_value in further:
        blank = [""] * (len(header) - 3)
        rows.append([name, *blank, _value(validation), _value(test_value)])
    table = text_table(header, rows, indent="  ")
    if any(e.test_interval for e in entries):
        table += "\n  [95% interval over subjects]"
    return table


def _value(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _cell(value: object) -> str:
    return "-" if value is None else str(value)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
