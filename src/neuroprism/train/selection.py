"""Selecting the best epoch by one declared criterion."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from neuroprism.core.errors import UnknownNameError
from neuroprism.core.records import TOTAL, Component, epoch_series, weighted_total
from neuroprism.train.task import Evaluation


@dataclass(frozen=True, slots=True)
class Criterion:
    """A validation series and the direction in which it is better.

    Attributes
    ----------
    series
        Name such as ``val/total``.
    mode
        ``min`` or ``max``.
    """

    series: str
    mode: Literal["min", "max"]

    @property
    def worst(self) -> float:
        """The value that everything beats."""
        return math.inf if self.mode == "min" else -math.inf

    def better(self, value: float, than: float, *, by: float = 0.0) -> bool:
        """Tell whether `value` beats `than` by more than `by`; NaN beats nothing."""
        return value < than - by if self.mode == "min" else value > than + by

    def value(
        self, evaluation: Evaluation, components: tuple[Component, ...], metric_names: Iterable[str] = ()
    ) -> float | None:
        """Return the criterion's value in `evaluation`, None where it was not computed this time.

        Parameters
        ----------
        evaluation
            Of the validation split.
        components
            Of the loss.
        metric_names
            Metrics that may be absent for once, e.g. a ROC area where one class was seen only.

        Raises
        ------
        UnknownNameError
            If no such series exists.
        """
        series = validation_series(evaluation, components)
        if self.series not in series:
            names = (*(c.name for c in components), *metric_names)
            self.check({*series, *(epoch_series("val", name) for name in names)})
        return series.get(self.series)

    def check(self, names: set[str]) -> None:
        """Raise UnknownNameError unless the series is among `names`."""
        if self.series not in names:
            raise UnknownNameError("series in training.early_stopping.monitor", self.series, names)


def validation_series(evaluation: Evaluation, components: tuple[Component, ...]) -> dict[str, float]:
    """Return every number of a validation under its series name, with ``val/total``."""
    values = {TOTAL: weighted_total(components, evaluation.losses), **evaluation.losses, **evaluation.metrics}
    return {epoch_series("val", name): value for name, value in values.items()}


def criterion_note(criterion: Criterion, series: Mapping[str, float]) -> str:
    """Return why an epoch with these validation `series` cannot be selected; empty where it can."""
    value = series.get(criterion.series)
    if value is not None and not math.isnan(value):
        return ""
    what = "was not computed" if value is None else "was NaN"
    return f"training.early_stopping.monitor ({criterion.series}) {what}"


def nothing_selected(criterion: Criterion) -> str:
    """Return what to tell where training ended without a best epoch."""
    return (
        f"no epoch was selected and there is no best.pt: {criterion.series} "
        f"(training.early_stopping.monitor) never was a number better than {criterion.worst:+g}"
    )


class BestEpoch:
    """Remembers the best value and its epoch; of epochs with equal values the first.

    Attributes
    ----------
    value
        Best value so far; the worst possible before there is one.
    epoch
        Its epoch from 1, None before there is one.
    """

    def __init__(self, criterion: Criterion) -> None:
        self.criterion = criterion
        self.value = criterion.worst
        self.epoch: int | None = None

    def observe(self, value: float | None, epoch: int) -> bool:
        """Take in the value of `epoch`; return whether it is the best so far."""
        if value is None or not self.criterion.better(value, self.value):
            return False
        self.value, self.epoch = value, epoch
        return True

    def state_dict(self) -> dict[str, Any]:
        """Return the best value and its epoch, with the criterion they belong to."""
        return {
            "series": self.criterion.series,
            "mode": self.criterion.mode,
            "value": self.value,
            "epoch": self.epoch,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict`; values of another criterion are not comparable and are dropped."""
        if (state["series"], state["mode"]) == (self.criterion.series, self.criterion.mode):
            self.value, self.epoch = state["value"], state["epoch"]
