"""What is printed when fine-tuning has ended: results beside baselines, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from neuroprism.cli.metric_cells import METRIC_NAMES, metric_cells
from neuroprism.core.text_table import text_table
from neuroprism.eeg.baselines import read_baselines
from neuroprism.metrics.intervals import t_interval

if TYPE_CHECKING:
    from neuroprism.cli.eeg_run import Finetuned


def summarise(run: Finetuned) -> str:
    """Return the end of one run: epochs, selected weights, a table of results, files."""
    fit = run.fit
    lines = [f"Trained {_count(fit.n_epochs, 'epoch')}, {_count(fit.n_steps, 'step')}."]
    if fit.stopped_early:
        lines.append("Stopped early: the criterion did not improve any more.")
    if fit.best_path is None:
        lines.append("No epoch was selected: the criterion was never a number.")
    else:
        lines.append(f"Best epoch {fit.best_epoch}: {fit.best_path}")
    lines += _tables(run)
    log, figure = run.folder / "training_log.json", run.folder / "figures" / "training_progress.png"
    lines.append(f"Log: {log}")
    if figure.exists():
        lines.append(f"Figure: {figure}")
    return "\n".join(lines)


def summarise_seeds(runs: Sequence[Finetuned]) -> str:
    """Return mean and 95% interval over seeds of every test metric."""
    names = runs[0].store.spec.metrics
    tested = [run for run in runs if run.test is not None]
    if not tested:
        return f"{_count(len(runs), 'run')} in {runs[0].folder.parent}; no test results."
    rows = []
    for run in tested:
        assert run.test is not None
        rows.append([run.folder.name, *metric_cells(names, run.test.evaluation.metrics, {})])
    means, spans = {}, {}
    for name in names:
        values = [
            r.test.evaluation.metrics[name] for r in tested if r.test and name in r.test.evaluation.metrics
        ]
        if values:
            means[name] = float(np.mean(values))
        span = t_interval(values)
        if span is not None:
            spans[name] = span
    rows.append([f"mean of {len(tested)} [95% interval over seeds]", *metric_cells(names, means, spans)])
    return "Test results\n" + text_table(["", *(METRIC_NAMES[n] for n in names)], rows, indent="  ")


def _tables(run: Finetuned) -> list[str]:
    spec, names = run.store.spec, run.store.spec.metrics
    baselines = read_baselines(run.store.path) if run.split.published or _same_split(run) else []
    header = ["", *(METRIC_NAMES[name] for name in names)]
    lines = []
    if run.test is None:
        lines.append("No test results: the test split is empty or nothing was selected.")
        rows = [[b.title, *metric_cells(names, b.val, {})] for b in baselines]
        if rows:
            lines += ["Classical baselines on validation", text_table(header, rows, indent="  ")]
        return lines
    rows = [["this run", *metric_cells(names, run.test.evaluation.metrics, run.test.intervals)]]
    rows += [[b.title, *metric_cells(names, b.test, b.intervals)] for b in baselines if b.test]
    if run.split.published:
        rows += [[f"{a.model} (published)", *metric_cells(names, a.values, {})] for a in spec.anchors]
    n_subjects = len(set(run.store.subjects[run.split.test].tolist()))
    span = "[95% interval over subjects]" if run.test.intervals else ""
    lines.append(
        f"Test results, {len(run.split.test):,} windows of {_count(n_subjects, 'subject')} {span}".rstrip()
    )
    lines.append(text_table(header, rows, indent="  "))
    return lines


def _same_split(run: Finetuned) -> bool:
    """Tell whether the baselines of the store, which follow its declared split, saw this run's split."""
    return run.split.rule == run.store.card.split_rule


def _count(n: int, what: str) -> str:
    return f"{n:,} {what}{'s' * (n != 1)}"
