"""The table at the end of a sweep: one row for each combination."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from neuroprism.core.records import TOTAL
from neuroprism.core.text_table import text_table
from neuroprism.monitor import layout
from neuroprism.monitor.reading import run_status
from neuroprism.runs.comparison import compare_runs
from neuroprism.runs.estimate import estimate
from neuroprism.runs.load import load_run
from neuroprism.runs.naming import metric_label
from neuroprism.runs.sweep.plan import PlannedRun, key_ends, spelled


def sweep_table(runs: Sequence[PlannedRun], *, metric: str | None = None) -> str:
    """Return mean and 95% interval over the finished runs of every combination, at the selected epochs.

    Parameters
    ----------
    runs
        All runs of the sweep.
    metric
        As for `compare_runs`; without one each combination shows the first
        that its task has: balanced accuracy, R2 or the total loss.
    """
    groups: list[list[PlannedRun]] = []
    for run in runs:
        if groups and groups[-1][0].combination == run.combination:
            groups[-1].append(run)
        else:
            groups.append([run])
    ends = key_ends(runs[0].combination)
    header = [*ends.values(), "runs", "metric", "validation", "test"]
    rows = [_row(group, metric) for group in groups]
    return "Mean [95% interval over seeds] at the selected epochs\n" + text_table(header, rows, indent="  ")


def _row(group: Sequence[PlannedRun], metric: str | None) -> list[str]:
    cells = _cells(group[0].combination)
    done = [run.folder for run in group if _is_finished(run)]
    count = str(len(group)) if len(done) == len(group) else f"{len(done)} of {len(group)}"
    if not done:
        return [*cells, count, "-", "-", "-"]
    found = compare_runs([load_run(folder) for folder in done], metric=metric)
    values = [estimate([getattr(e, name) for e in found.entries]) for name in ("value", "test")]
    texts = ["-" if value is None else str(value) for value in values]
    name = found.metric.partition("/")[2]
    return [*cells, count, "loss" if name == TOTAL else metric_label(name), *texts]


def _cells(combination: Mapping[str, Any]) -> list[str]:
    return [spelled(value) for value in combination.values()]


def _is_finished(run: PlannedRun) -> bool:
    return (run.folder / layout.RUN).exists() and run_status(run.folder) == "finished"
