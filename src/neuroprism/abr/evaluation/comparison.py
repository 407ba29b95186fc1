"""Every method on every metric, each beside the network on the same samples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields

import msgspec
import numpy as np
from numpy.typing import NDArray

from neuroprism.abr.answers import Answers, Kind
from neuroprism.abr.evaluation.metrics import METRICS, Better, Metric, Task
from neuroprism.abr.evaluation.score import Score, difference, score
from neuroprism.abr.recordings import AbrRecordings

NETWORK = "network"


class MethodCard(msgspec.Struct, kw_only=True, frozen=True):
    """Name and kind of a method."""

    name: str
    kind: Kind


class MetricRow(msgspec.Struct, kw_only=True, frozen=True):
    """One metric of all methods.

    Attributes
    ----------
    name, task, label, unit, better
        See `Metric`.
    scores
        By name of the method; one that does not answer is absent.
    network_minus
        The network's value minus that of each other method, on the same resamples of patients.
    """

    name: str
    task: Task
    label: str
    unit: str
    better: Better
    scores: dict[str, Score]
    network_minus: dict[str, Score]


def compare(
    answers: Mapping[str, Answers],
    recordings: AbrRecordings,
    metrics: Iterable[Metric] = METRICS,
    *,
    differences: bool = True,
) -> list[MetricRow]:
    """Return the metrics that the labels of the recordings allow.

    Parameters
    ----------
    answers
        By name of the method, in the order of tables.
    recordings
        Labelled.
    metrics
        What to measure.
    differences
        Whether to compare each method with the network.
    """
    rows = [_row(metric, answers, recordings, differences=differences) for metric in metrics]
    return [row for row in rows if row.scores]


def _row(
    metric: Metric, answers: Mapping[str, Answers], recordings: AbrRecordings, *, differences: bool
) -> MetricRow:
    measured = {name: metric.measure(given, recordings) for name, given in answers.items()}
    known = {name: found for name, found in measured.items() if found is not None}
    scores = {name: score(found.statistic, found.patients) for name, found in known.items()}
    first = known.get(NETWORK) if differences else None
    beside = {
        name: difference(first.statistic, found.statistic, found.patients)
        for name, found in known.items()
        if first is not None and name != NETWORK
    }
    return MetricRow(
        name=metric.name,
        task=metric.task,
        label=metric.label,
        unit=metric.unit,
        better=metric.better,
        scores={name: found for name, found in scores.items() if found is not None},
        network_minus={name: found for name, found in beside.items() if found is not None},
    )


def select(answers: Answers, rows: NDArray[np.bool_] | NDArray[np.int64]) -> Answers:
    """Return the answers for some of the recordings."""
    columns = {field.name: getattr(answers, field.name) for field in fields(Answers)}
    return Answers(**{name: None if values is None else values[rows] for name, values in columns.items()})


def is_better(row: MetricRow, other: str) -> bool | None:
    """Tell whether the network is better than another method beyond the interval of the difference.

    Returns
    -------
    bool or None
        True: better. False: worse. None: the interval holds 0, is not known, or 0 is what is good.
    """
    found = row.network_minus.get(other)
    if found is None or found.low is None or found.high is None or row.better == "zero":
        return None
    if found.low <= 0.0 <= found.high:
        return None
    return (found.low > 0.0) == (row.better == "higher")
