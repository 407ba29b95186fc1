"""Alert on validation losses that rise while training losses fall."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated

import numpy as np
from annotated_types import Ge

from neuroprism.core.records import TOTAL, Alert, EpochRecord, Severity
from neuroprism.monitor.history import History, slope_interval
from neuroprism.monitor.rules.progress import noise_of
from neuroprism.monitor.rules.registry import rule
from neuroprism.monitor.rules.subjects import name_of, spell

_LARGEST_SHARE = 0.7
_N_LATE = 3
_BY_HEART = 0.3


@rule("overfitting", at="epoch", needs=("validation",), quiet=3, yields_to=("non_finite", "explosion"))
def overfitting(
    history: History,
    *,
    severity: Severity = "warning",
    evaluations: Annotated[int, Ge(3)] = 4,
    rise: Annotated[float, Ge(0)] = 0.15,
    noises: Annotated[float, Ge(0)] = 4.0,
) -> Iterator[Alert]:
    """Find a validation loss that rises since its best while the training loss goes on falling.

    Both slopes must be certain, over several evaluations: one bad epoch or a
    high score is no overfitting. Blind to validation data that resemble the
    training data too much.

    Parameters
    ----------
    severity
        Of the alert.
    evaluations
        Evaluations from the best one on that must show it.
    rise
        Rise above the best, in units of what had been gained since the start; twice as much for one
        component of several, a third where the training data are learnt by heart.
    noises
        Rise above the best, in standard deviations of the validation loss about its course.
    """
    epochs = [epoch for epoch in history.all_epochs if epoch.val]
    names = [component.name for component in history.components]
    course = history.stream.course
    starts = {} if course is None else dict(zip([*names, TOTAL], course.start.tolist(), strict=False))
    found = {}
    for name in [TOTAL, *names]:
        needed = rise if name == TOTAL or len(names) == 1 else 2 * rise
        result = _rise(epochs, name, starts.get(name, np.nan), evaluations, needed, noises)
        if result is not None:
            found[name] = result
    component = _at_fault(history, found)
    if component is None:
        return
    best, value, train, best_epoch = found[component if component in found else TOTAL]
    yield Alert(
        rule="overfitting",
        kind="overfitting",
        severity=severity,
        component=component,
        step=epochs[-1].step,
        epoch=epochs[-1].epoch,
        message=(
            f"the validation loss of {name_of(component)} rose from {spell(best)} in epoch {best_epoch} to "
            f"{spell(value)}, while its training loss fell to {spell(train)}"
        ),
        evidence={
            "val_best": best,
            "best_epoch": best_epoch,
            "val": value,
            "train": train,
            "thresholds": {"evaluations": evaluations, "rise": rise, "noises": noises},
        },
        advice=(
            f"use the weights of epoch {best_epoch} (checkpoints/best.pt); raise "
            "training.optimizer.weight_decay or dropout, lower training.early_stopping.patience, or add data"
        ),
    )


def _rise(
    epochs: Sequence[EpochRecord], name: str, start: float, evaluations: int, rise: float, noises: float
) -> tuple[float, float, float, int] | None:
    """Return best and present validation loss, training loss and best epoch, None where it does not rise."""
    seen = [
        e for e in epochs if np.isfinite(e.val.get(name, np.nan)) and np.isfinite(e.train.get(name, np.nan))
    ]
    if len(seen) < evaluations:
        return None
    val = np.array([e.val[name] for e in seen])
    train = np.array([e.train[name] for e in seen])
    best = int(np.argmin(val))
    after = len(seen) - best
    if after < evaluations:
        return None
    noise = noise_of(val)
    now = float(np.median(val[-_N_LATE:]))
    gained = float(np.nanmax([val[0], train[0], start])) - float(val[best])
    if 0 < train[-1] < _BY_HEART * now:
        rise /= 3
    least = max(rise * gained, noises * noise, 0.02 * abs(float(val[best])))
    if now - val[best] <= least:
        return None
    if slope_interval(val[best:])[1] <= 0 or slope_interval(train[best:])[2] >= 0:
        return None
    return float(val[best]), now, float(train[-1]), seen[best].epoch


def _at_fault(history: History, found: dict[str, tuple[float, float, float, int]]) -> str | None:
    """Return the component that rises, the total where several do, None where none does."""
    if not found:
        return None
    if len(history.components) == 1:
        return history.components[0].name
    weights = {component.name: component.weight for component in history.components}
    rises = {name: weights[name] * (f[1] - f[0]) for name, f in found.items() if name in weights}
    if not rises:
        return TOTAL
    name = max(rises, key=lambda name: rises[name])
    alone = rises[name] >= _LARGEST_SHARE * sum(max(value, 0.0) for value in rises.values())
    return name if alone or TOTAL not in found else TOTAL
