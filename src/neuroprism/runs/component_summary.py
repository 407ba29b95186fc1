"""The summary of a run whose loss has several components."""

from __future__ import annotations

import math
from collections.abc import Iterator

from neuroprism.core.records import TOTAL, EpochRecord, TestRecord
from neuroprism.core.text_table import text_table
from neuroprism.runs.naming import falls, metric_label
from neuroprism.runs.run import Run


def component_sections(run: Run) -> Iterator[tuple[str, list[str]]]:
    """Yield title and lines: duration, a table of the components, of the metrics, test results."""
    epochs = run.epoch_records
    yield "Training Duration", _duration(epochs)
    if not epochs:
        return
    validated = any(epoch.val for epoch in epochs)
    yield (
        f"{'Validation' if validated else 'Training'} Loss by Component",
        _components(run, validated=validated),
    )
    metrics = _metrics(run)
    if metrics:
        yield "Validation Metrics", metrics
    tests = [event for event in run.events if isinstance(event, TestRecord)]
    if tests:
        yield "TEST SET RESULTS (Best Model)", _test(run, tests[-1])


def _duration(epochs: tuple[EpochRecord, ...]) -> list[str]:
    lines = [f"Total epochs: {len(epochs)}"]
    if epochs:
        minutes = sum(epoch.seconds for epoch in epochs) / 60
        lines.append(f"Total time: {minutes:.2f} minutes ({minutes / 60:.2f} hours)")
        lines.append(f"Avg time per epoch: {minutes / len(epochs):.2f} minutes")
    return lines


def _components(run: Run, *, validated: bool) -> list[str]:
    """Return a table: first, last and best value of each component beside its baseline."""
    rows = []
    names = {c.name: (c.label, c.baseline) for c in run.components} | {TOTAL: ("Total", None)}
    for name, (label, baseline) in names.items():
        curve = _curve([e.val if validated else e.train for e in run.epoch_records], run, name)
        if not curve:
            continue
        best = _best(curve, falling=True)
        verdict = "-"
        if baseline is not None and best is not None:
            verdict = "yes" if best[1] < baseline else "no"
        cells = ["-", "-"] if best is None else [_number(best[1]), str(best[0])]
        shown = "-" if baseline is None else _number(baseline)
        rows.append([label, _number(curve[0][1]), _number(curve[-1][1]), *cells, shown, verdict])
    header = ["component", "initial", "final", "best", "epoch", "baseline", "beaten"]
    lines = text_table(header, rows).splitlines()
    selected = run.best_epoch
    lines.append("baseline: what a constant predictor reaches on the validation data")
    lines.append("no epoch was selected" if selected is None else f"selected epoch: {selected}")
    return lines


def _metrics(run: Run) -> list[str]:
    rows = []
    tables = [epoch.val_metrics for epoch in run.epoch_records]
    for name in dict.fromkeys(name for table in tables for name in table if "/" not in name):
        curve = _curve(tables, run, name)
        best = _best(curve, falling=falls(name))
        if best is not None:
            ends = [_number(curve[0][1]), _number(curve[-1][1])]
            rows.append([metric_label(name), *ends, _number(best[1]), str(best[0])])
    return text_table(["metric", "initial", "final", "best", "epoch"], rows).splitlines() if rows else []


def _test(run: Run, test: TestRecord) -> list[str]:
    labels = {c.name: c.label for c in run.components} | {TOTAL: "Total"}
    lines = [] if test.best_epoch is None else [f"Best epoch: {test.best_epoch}"]
    rows = [[f"{labels.get(name, name)} (loss)", _number(value)] for name, value in test.losses.items()]
    rows += [[metric_label(name), _number(value)] for name, value in test.metrics.items() if "/" not in name]
    return lines + text_table(["", "test"], rows).splitlines()[1:]


def _curve(tables: list[dict[str, float]], run: Run, name: str) -> list[tuple[int, float]]:
    pairs = zip(run.epoch_records, tables, strict=True)
    return [(record.epoch, table[name]) for record, table in pairs if name in table]


def _best(curve: list[tuple[int, float]], *, falling: bool) -> tuple[int, float] | None:
    """Return epoch and value of the first best finite point."""
    finite = [point for point in curve if math.isfinite(point[1])]
    if not finite:
        return None
    return min(finite, key=lambda point: point[1] if falling else -point[1])


def _number(value: float) -> str:
    return f"{value:.4f}"
