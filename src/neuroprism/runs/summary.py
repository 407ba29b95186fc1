"""What a run came to, as text for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from neuroprism.runs.component_summary import component_sections
from neuroprism.runs.history import METRIC_LISTS, Floats, TrainingHistory, lower_is_better
from neuroprism.runs.naming import metric_text
from neuroprism.runs.run import Run

WIDTH = 80

Section = tuple[str, list[str]]

_TITLES = {
    "val_acc": "Validation Accuracy (balanced accuracy)",
    "val_kappa": "Validation Kappa",
    "val_f1": "Validation F1 Score",
    "val_roc_auc": "Validation ROC AUC",
    "val_pr_auc": "Validation PR AUC",
    "val_r2": "Validation R² Score",
    "val_corrcoef": "Validation Correlation",
    "val_rmse": "Validation RMSE",
}
_TEST_LINES = {
    "acc": ("Accuracy", "balanced_accuracy", " (balanced accuracy)"),
    "kappa": ("Kappa", "kappa", ""),
    "f1": ("F1 Score", "f1", ""),
    "roc_auc": ("ROC AUC", "roc_auc", ""),
    "pr_auc": ("PR AUC", "pr_auc_trapezoid", ""),
    "r2": ("R² Score", "r2", ""),
    "corrcoef": ("Correlation", "corrcoef", ""),
    "rmse": ("RMSE", "rmse", ""),
}


def training_summary(history: TrainingHistory) -> str:
    """Return the summary of a training log: duration, loss, each metric present, test results."""
    return _text([*_curves(history), *_test(history), *_notes(history)])


def run_summary(run: Run, *, further: Sequence[Section] = ()) -> str:
    """Return the summary of a run; by component where its loss has several.

    Parameters
    ----------
    run
        As loaded.
    further
        Sections to add before the notes: a title and its lines, e.g. classical baselines.
    """
    history = run.history
    sections = list(_identity(run))
    if len(run.components) > 1 or history is None:
        sections += component_sections(run)
    else:
        sections += [*_curves(history), *_test(history)]
    sections += further
    if history is not None:
        sections += _notes(history)
    return _text(sections)


def _text(sections: Sequence[Section]) -> str:
    rule = "=" * WIDTH
    lines = [rule, "TRAINING SUMMARY", rule]
    for title, content in sections:
        lines += ["", f"{title}:", *(f"   {line}" for line in content)]
    return "\n".join([*lines, rule])


def _identity(run: Run) -> Iterator[Section]:
    if run.run is None:
        return
    lines = [f"Name: {run.name}", f"Task: {run.run.task}", f"Status: {_status(run)}"]
    if run.seed is not None:
        lines.append(f"Seed: {run.seed}")
    counts = Counter(alert.kind for alert in run.alert_records)
    kinds = ", ".join(f"{kind} {n}" for kind, n in counts.most_common())
    lines.append(f"Alerts: {sum(counts.values())}" + (f" ({kinds})" if kinds else ""))
    yield "Run", lines


def _status(run: Run) -> str:
    if run.status == "lost":
        return "lost (it calls itself running, but its process is gone)"
    reason = run.run.message if run.run else None
    return f"{run.status} ({reason})" if reason else str(run.status)


def _curves(history: TrainingHistory) -> Iterator[Section]:
    yield "Training Duration", _duration(history)
    loss = _ends(history.column("train_loss"))
    if loss is not None:
        first, last, lowest = loss
        lines = [f"Initial: {_five(first)}", f"Final: {_five(last)}", f"Best (min): {_five(lowest)}"]
        if first > 0 and np.isfinite(last):
            lines.append(f"Reduction: {100 * (first - last) / first:.2f}%")
        yield "Training Loss", lines
    validation = history.validation_loss()
    if validation:
        first, last, lowest = _ends(history.column(validation)) or (np.nan,) * 3
        yield (
            "Validation Loss",
            [
                f"Initial: {_five(first)}",
                f"Final: {_five(last)}",
                f"Best (min): {_five(lowest)}",
                f"Best epoch: {history.best_of(validation)}",
            ],
        )
    for key in METRIC_LISTS:
        if history.has(key):
            yield _TITLES[key], _metric(history, key)


def _duration(history: TrainingHistory) -> list[str]:
    lines = [f"Total epochs: {history.n_epochs}"]
    if history.has("epoch_time"):
        minutes = history.column("epoch_time")
        total = float(np.nansum(minutes))
        lines.append(f"Total time: {total:.2f} minutes ({total / 60:.2f} hours)")
        lines.append(f"Avg time per epoch: {float(np.nanmean(minutes)):.2f} minutes")
    return lines


def _metric(history: TrainingHistory, key: str) -> list[str]:
    values, name = history.column(key), METRIC_LISTS[key].removeprefix("val/")
    first, last, _ = _ends(values) or (np.nan,) * 3
    best = history.best_of(key)
    assert best is not None
    word = "Best (min)" if lower_is_better(key) else "Best"
    lines = [
        f"Initial: {metric_text(name, first)}",
        f"Final: {metric_text(name, last)}",
        f"{word}: {metric_text(name, values[best - 1])}",
        f"Best epoch: {best}",
    ]
    if key == "val_acc" and np.isfinite(last):
        lines.append(f"Improvement: {100 * (last - first):+.2f} percentage points")
    return lines


def _test(history: TrainingHistory) -> Iterator[Section]:
    results = history.test_results
    intervals = results.get("intervals")
    intervals = intervals if isinstance(intervals, dict) else {}
    lines = []
    if results.get("best_epoch") is not None:
        lines.append(f"Best epoch: {results['best_epoch']}")
    for key, (word, name, remark) in _TEST_LINES.items():
        value = results.get(key)
        if not isinstance(value, int | float):
            continue
        lines.append(f"{word}: {metric_text(name, value)}{remark}{_interval(name, intervals.get(name))}")
    matrix = history.confusion_matrix
    if matrix is not None:
        width = len(str(matrix.max()))
        lines.append("Confusion matrix (rows: true, columns: predicted):")
        lines += ["   " + "  ".join(f"{n:{width}d}" for n in row) for row in matrix.tolist()]
    if lines:
        yield "TEST SET RESULTS (Best Model)", lines


def _interval(name: str, span: Any) -> str:
    if not isinstance(span, list) or len(span) != 2 or not all(isinstance(end, int | float) for end in span):
        return ""
    return f", 95% interval {' to '.join(metric_text(name, end) for end in span)}"


def _notes(history: TrainingHistory) -> list[Section]:
    return [("Notes", list(history.notes))] if history.notes else []


def _ends(values: Floats) -> tuple[float, float, float] | None:
    """Return first finite value, last value and minimum; None without a finite value."""
    finite = values[np.isfinite(values)]
    return (float(finite[0]), float(values[-1]), float(finite.min())) if len(finite) else None


def _five(value: float) -> str:
    return f"{value:.5f}"
