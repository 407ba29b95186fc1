"""What is printed when fine-tuning has ended: results beside baselines, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from neuroprism.cli.metric_cells import METRIC_NAMES, metric_cells
from neuroprism.core.errors import DataError
from neuroprism.core.records import Split
from neuroprism.core.text_table import text_table
from neuroprism.eeg.baselines import read_baselines
from neuroprism.eeg.store import EegStore
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
    store = tested[0].store
    baselines = read_baselines(store.path, split_rule=store.card.split_rule)
    rows += [[b.title, *metric_cells(names, b.test, {})] for b in baselines if b.test]
    return "\n".join(_table(store, "test", "Test results", rows, spans=False))


def _tables(run: Finetuned) -> list[str]:
    """Return the results beside those of the classical baselines, and of publications where they compare."""
    store = run.store
    baselines = read_baselines(store.path, split_rule=store.card.split_rule)
    if run.test is None:
        rows = [["this run", *metric_cells(store.spec.metrics, _validation(run), {})]]
        rows += [[b.title, *metric_cells(store.spec.metrics, b.val, b.val_intervals)] for b in baselines]
        spans = any(b.val_intervals for b in baselines)
        return _table(store, "val", "No test results. Validation results", rows, spans=spans)
    results = run.test
    rows = [["this run", *metric_cells(store.spec.metrics, results.evaluation.metrics, results.intervals)]]
    rows += [[b.title, *metric_cells(store.spec.metrics, b.test, b.intervals)] for b in baselines if b.test]
    if store.card.is_published_split:
        anchors = store.spec.anchors
        rows += [[f"{a.model} (published)", *metric_cells(store.spec.metrics, a.values, {})] for a in anchors]
    return _table(store, "test", "Test results", rows, spans=bool(results.intervals))


def _table(store: EegStore, split: Split, title: str, rows: list[list[str]], *, spans: bool) -> list[str]:
    chosen = store.indices(split)
    subjects = _count(len(set(store.subjects[chosen].tolist())), "subject")
    note = " [95% interval over subjects]" if spans else ""
    header = ["", *(METRIC_NAMES[name] for name in store.spec.metrics)]
    return [
        f"{title}, {_count(len(chosen), 'window')} of {subjects}{note}",
        text_table(header, rows, indent="  "),
    ]


def _validation(run: Finetuned) -> dict[str, float]:
    """Return the validation metrics of the selected epoch."""
    try:
        series = run.fit.selected().evaluation
    except DataError:
        return {}
    return {name.removeprefix("val/"): value for name, value in series.items()}


def _count(n: int, what: str) -> str:
    return f"{n:,} {what}{'s' * (n != 1)}"
