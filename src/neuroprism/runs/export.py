"""Tables of a run as CSV, Parquet, JSON or LaTeX."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from neuroprism.core import strict_json
from neuroprism.core.errors import DataError, UnknownNameError
from neuroprism.core.records import TOTAL
from neuroprism.runs.naming import metric_label
from neuroprism.runs.run import Run

if TYPE_CHECKING:
    import pandas as pd

TABLES = ("epochs", "test", "steps", "alerts")

_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "²": r"\textsuperscript{2}",
}


def export(run: Run, form: str, *, table: str = "epochs") -> bytes:
    """Return a table of a run in a format for other programs.

    Parameters
    ----------
    run
        As loaded.
    form
        ``csv``, ``parquet``, ``json`` (a list of rows, strict JSON with null
        for numbers that are not finite) or ``latex``.
    table
        ``epochs``, ``test``, ``steps`` or ``alerts``. LaTeX is always the
        table of results: each metric at the selected epoch and on the test data.

    Raises
    ------
    UnknownNameError
        If there is no such format or table.
    DataError
        If the table has no row.
    """
    if form not in FORMATS:
        raise UnknownNameError("format", form, FORMATS)
    if table not in TABLES:
        raise UnknownNameError("table", table, TABLES)
    if form == "latex":
        return latex_table(run).encode()
    frame: pd.DataFrame = getattr(run, table)
    if frame.empty:
        raise DataError(f"{run.path} has no {table} to export")
    return _WRITERS[form](frame)


def latex_table(run: Run) -> str:
    """Return the results of a run as a booktabs table: selected epoch and test, one metric a row.

    Raises
    ------
    DataError
        If the run has no epoch and no test results.
    """
    rows = _results(run)
    if not rows:
        raise DataError(f"{run.path} has no results to export")
    epoch = "" if run.best_epoch is None else f" (epoch {run.best_epoch})"
    lines = [
        r"\begin{tabular}{lrr}",
        r"\toprule",
        rf"{escape_latex(_title(run))} & Validation{epoch} & Test \\",
        r"\midrule",
        *(rf"{escape_latex(name)} & {val} & {test} \\" for name, val, test in rows),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def escape_latex(text: str) -> str:
    """Return text in which LaTeX reads every character as itself."""
    return "".join(_LATEX.get(letter, letter) for letter in text)


def _title(run: Run) -> str:
    return run.history.title if run.history is not None else run.name


def _results(run: Run) -> list[tuple[str, str, str]]:
    selected = run.epochs[run.epochs["epoch"] == run.best_epoch] if len(run.epochs) else run.epochs
    validation = _last_row(selected, "val/")
    test = _last_row(run.test, "test/")
    labels = {c.name: f"{c.label} loss" for c in run.components} | {TOTAL: "Loss"}
    # The total of one component says nothing beyond it.
    hidden = {TOTAL} if len(run.components) == 1 and run.components[0].weight == 1 else set()
    rows = []
    for name in dict.fromkeys([*validation, *test]):
        if "/" in name or name in hidden:
            continue
        label = labels.get(name, metric_label(name))
        span = run.test_intervals.get(f"test/{name}")
        ends = "" if span is None else f" [{span[0]:.4f}, {span[1]:.4f}]"
        rows.append(
            (label[:1].upper() + label[1:], _four(validation.get(name)), _four(test.get(name)) + ends)
        )
    return rows


def _last_row(frame: pd.DataFrame, prefix: str) -> dict[str, float]:
    names = [name for name in frame.columns if name.startswith(prefix)] if len(frame) else []
    return {name.removeprefix(prefix): float(frame[name].iloc[-1]) for name in names}


def _four(value: float | None) -> str:
    return (
        "--"
        if value is None or not math.isfinite(value)
        else f"${value:.4f}$"
        if value < 0
        else f"{value:.4f}"
    )


def _csv(frame: pd.DataFrame) -> bytes:
    # Tables inside a cell, such as what an alert saw, as JSON.
    return _flat(frame).to_csv(index=False, lineterminator="\n").encode()


def _parquet(frame: pd.DataFrame) -> bytes:
    target = io.BytesIO()
    _flat(frame).to_parquet(target, index=False, engine="pyarrow")
    return target.getvalue()


def _json(frame: pd.DataFrame) -> bytes:
    rows: list[Any] = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return strict_json.encode_pretty(rows, non_finite_as_null=True)


def _flat(frame: pd.DataFrame) -> pd.DataFrame:
    nested = [name for name in frame.columns if any(isinstance(value, dict | list) for value in frame[name])]
    texts = {name: [strict_json.encode(value).decode() for value in frame[name]] for name in nested}
    return frame.assign(**texts) if texts else frame


_WRITERS: dict[str, Callable[[pd.DataFrame], bytes]] = {"csv": _csv, "parquet": _parquet, "json": _json}
FORMATS = (*_WRITERS, "latex")
