"""Records as text for people: bar, step line, epoch summary, alerts.

Pure functions; every text sink prints what they return, so that the bar, the
console and `training.log` show the same numbers as JSON does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Literal

from neuroprism.core.errors import printable
from neuroprism.core.records import (
    TOTAL,
    Alert,
    AnyEvent,
    CheckpointSaved,
    Component,
    EpochRecord,
    Finished,
    Note,
    Resumed,
    RunRecord,
    Started,
    TestRecord,
)
from neuroprism.monitor.window import RATE_PREFIX

Level = Literal["debug", "info", "warning", "critical"]
Line = tuple[Level, str]

LEVELS: tuple[Level, ...] = ("debug", "info", "warning", "critical")

# "acc" in the machine-readable logs is balanced accuracy.
_METRIC_NAMES = {"acc": "balanced_accuracy"}


def number(value: float, digits: int) -> str:
    """Return `value` with `digits` decimals; tiny values in scientific notation.

    Without the second rule a component of 1e-5 would read as zero.
    """
    if value != 0 and abs(value) < 0.5 * 10**-digits:
        return f"{value:.2e}"
    return f"{value:.{digits}f}"


def bar_postfix(
    components: Iterable[Component],
    values: Mapping[str, float],
    lr: float | None,
    fits: Callable[[str], bool] = lambda _: True,
) -> str:
    """Return ``Total=138.007 | LR=1.00e-04 | Signal=1.030 | ...`` as long as there is room.

    One rule: every component is shown where the line fits. Else all
    components declared as `detail` leave together; if that is not enough, the
    others leave one by one from the right. Total and learning rate stay.

    Parameters
    ----------
    components
        All components in the order of display.
    values
        Raw value per computed component, and ``total``.
    lr
        Learning rate, None where not given.
    fits
        Tells whether the line has room for a postfix; without it everything is shown.
    """
    computed = [c for c in components if c.name in values]
    main = [c for c in computed if not c.detail]
    candidates = [computed, *(main[:n] for n in range(len(main), -1, -1))]
    head = [f"Total={number(values[TOTAL], 3)}"] if TOTAL in values else []
    if lr is not None:
        head.append(f"LR={lr:.2e}")
    text = ""
    for shown in candidates:
        text = printable(" | ".join([*head, *(f"{c.label}={number(values[c.name], 3)}" for c in shown)]))
        if fits(text):
            break
    return text


def losses_text(components: Iterable[Component], values: Mapping[str, float]) -> str:
    """Return ``Total: 138.0073, Signal: 1.0295, ...`` of the values that are there."""
    named = [("Total", TOTAL), *((c.label, c.name) for c in components)]
    return ", ".join(f"{label}: {number(values[name], 4)}" for label, name in named if name in values)


def step_line(
    components: Iterable[Component], step: int, values: Mapping[str, float], *, skipped: bool = False
) -> str:
    """Return ``Step 100 - Total: 138.0073, Signal: 1.0295, ...`` of one optimizer step."""
    return f"Step {step} - {losses_text(components, values)}{' (step not applied)' if skipped else ''}"


def rates_text(lr: float | None, metrics: Mapping[str, float]) -> str:
    """Return ``1.00e-04, head: 5.00e-04``: the learning rate, and those of named groups among `metrics`."""
    named = [(name, rate) for name, rate in metrics.items() if name.startswith(RATE_PREFIX)]
    rates = [f"{name.removeprefix(RATE_PREFIX)}: {rate:.2e}" for name, rate in named]
    return ", ".join(rates if lr is None else [f"{lr:.2e}", *rates])


def metrics_text(metrics: Mapping[str, float]) -> str:
    """Return ``balanced_accuracy: 0.8123, ...`` with names written out.

    A metric whose name has a slash belongs to a series (``signal_by_noise/t050``): it is kept in
    files and charts, and left out of lines. Learning rates are in `rates_text`.
    """
    return ", ".join(
        f"{_METRIC_NAMES.get(name, name)}: {number(value, 4)}"
        for name, value in metrics.items()
        if "/" not in name and not name.startswith(RATE_PREFIX)
    )


def baseline_text(components: Sequence[Component], val: Mapping[str, float]) -> str:
    """Return ``Signal: 1.0000, Class: 1.3863; not yet below: Class``, empty without baselines.

    Named at the end are the components whose validation loss is not below
    what a constant predictor reaches; NaN is not below.
    """
    known = [(c, c.baseline) for c in components if c.baseline is not None]
    text = ", ".join(f"{c.label}: {number(baseline, 4)}" for c, baseline in known)
    behind = [c.label for c, baseline in known if c.name in val and not val[c.name] < baseline]
    return f"{text}; not yet below: {', '.join(behind)}" if behind else text


def epoch_name(epoch: int, n_epochs: int | None) -> str:
    """Return ``Epoch 3/200``, or ``Epoch 3`` where the number of epochs is unknown."""
    return f"Epoch {epoch}/{n_epochs}" if n_epochs else f"Epoch {epoch}"


def epoch_lines(components: Sequence[Component], record: EpochRecord, n_epochs: int | None) -> list[str]:
    """Return the summary of an epoch; parts that do not exist are left out."""
    parts = [
        ("  Train - ", losses_text(components, record.train)),
        ("  Val   - ", losses_text(components, record.val)),
        ("  LR: ", rates_text(record.lr, record.train_metrics)),
        ("  Baseline - ", baseline_text(components, record.val)),
        ("  Metrics - ", metrics_text(record.val_metrics)),
        ("  Train metrics - ", metrics_text(record.train_metrics)),
    ]
    return [
        f"{epoch_name(record.epoch, n_epochs)} Summary:",
        *(head + text for head, text in parts if text),
    ]


def alert_lines(components: Iterable[Component], alert: Alert) -> list[str]:
    """Return ``Alert non_finite in PeakLat at step 12, epoch 1: <message>`` and the advice below it."""
    when = ", ".join(
        f"{word} {value}"
        for word, value in (("step", alert.step), ("epoch", alert.epoch))
        if value is not None
    )
    lines = [f"Alert {_subject(components, alert)}{' at ' + when if when else ''}: {alert.message}"]
    return [*lines, f"  Advice: {alert.advice}"] if alert.advice else lines


def closed_alert_line(components: Iterable[Component], alert: Alert) -> str:
    """Return ``Alert over: spike in Signal (step 401, seen 3 times, last at step 612)``."""
    step = alert.first_seen if alert.step is None else alert.step
    parts = [f"step {step}"] if step is not None else []
    parts.append(f"seen {alert.count} time{'s' * (alert.count != 1)}")
    if alert.last_seen is not None and alert.count > 1:
        parts.append(f"last at step {alert.last_seen}")
    return f"Alert over: {_subject(components, alert)} ({', '.join(parts)})"


def _subject(components: Iterable[Component], alert: Alert) -> str:
    """Return ``spike in Signal``, or the kind alone where the whole run is meant."""
    labels = {c.name: c.label for c in components}
    return (
        f"{alert.kind} in {labels.get(alert.component, alert.component)}" if alert.component else alert.kind
    )


def results_lines(components: Sequence[Component], record: TestRecord) -> list[str]:
    """Return the results on the test set: losses and metrics."""
    epoch = "" if record.best_epoch is None else f" (weights of epoch {record.best_epoch})"
    parts = [
        ("  Losses - ", losses_text(components, record.losses)),
        ("  Metrics - ", metrics_text(record.metrics)),
    ]
    return [f"Test{epoch}:", *(head + text for head, text in parts if text)]


def finished_line(record: Finished) -> Line:
    """Return ``Run finished`` or the other status with its message."""
    levels: dict[str, Level] = {"failed": "critical", "interrupted": "warning", "lost": "warning"}
    return levels.get(record.status, "info"), f"Run {record.status}" + (
        f": {record.message}" if record.message else ""
    )


def _checkpoint_line(record: CheckpointSaved) -> Line:
    # The last checkpoint is written after every epoch: no news.
    level: Level = "debug" if record.reason == "last" else "info"
    return level, f"Checkpoint ({record.reason}, step {record.step}, epoch {record.epoch}): {record.path}"


def event_lines(run: RunRecord, event: AnyEvent) -> Iterator[Line]:
    """Yield the (level, text) lines of an event."""
    level: Level = "info"
    match event:
        case EpochRecord():
            yield from ((level, text) for text in epoch_lines(run.components, event, run.n_epochs))
        case Alert(state="closed"):
            yield level, closed_alert_line(run.components, event)
        case Alert() if event.is_news:
            yield from ((event.severity, text) for text in alert_lines(run.components, event))
        case Note():
            yield event.severity, event.message
        case TestRecord():
            yield from ((level, text) for text in results_lines(run.components, event))
        case CheckpointSaved():
            yield _checkpoint_line(event)
        case Started():
            yield level, f"Run {run.name} started (id {run.id})"
        case Resumed():
            aside = f", {event.superseded_steps} later steps set aside" if event.superseded_steps else ""
            yield level, f"Run {run.name} resumed after step {event.step}, epoch {event.epoch}{aside}"
        case Finished():
            yield finished_line(event)
