"""The headline metrics by level, hearing class and age."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import msgspec

from neuroprism.abr import groups
from neuroprism.abr.answers import Answers
from neuroprism.abr.evaluation.comparison import MetricRow, compare, select
from neuroprism.abr.evaluation.metrics import METRICS
from neuroprism.abr.recordings import AbrRecordings

By = Literal["level", "class", "age"]

_GROUPINGS: dict[By, Callable[[AbrRecordings], groups.Rows]] = {
    "level": groups.by_level,
    "class": groups.by_class,
    "age": groups.by_age,
}

GROUP_METRICS = (
    "v_roc_auc",
    "v_sensitivity",
    "v_specificity",
    "latency_mae_ms",
    "amplitude_mae_uv",
    "class_balanced_accuracy",
    "threshold_mae_db",
)
"""Of single recordings: no ear is in one group of levels. Of one class, balanced accuracy is recall."""


class GroupResult(msgspec.Struct, kw_only=True, frozen=True):
    """One group of recordings.

    Attributes
    ----------
    by, group
        Grouping and title.
    n, n_patients
        Recordings, and patients that they are of.
    metrics
        Those that the labels of the group allow.
    """

    by: By
    group: str
    n: int
    n_patients: int
    metrics: list[MetricRow]


def by_groups(answers: Mapping[str, Answers], recordings: AbrRecordings) -> list[GroupResult]:
    """Return the headline metrics of every group that is not empty."""
    chosen = [metric for metric in METRICS if metric.name in GROUP_METRICS]
    found = []
    for by, grouping in _GROUPINGS.items():
        for title, rows in grouping(recordings).items():
            part = recordings.select(rows)
            given = {name: select(each, rows) for name, each in answers.items()}
            found.append(
                GroupResult(
                    by=by,
                    group=title,
                    n=len(part),
                    n_patients=part.n_patients,
                    metrics=compare(given, part, chosen, differences=False),
                )
            )
    return found
