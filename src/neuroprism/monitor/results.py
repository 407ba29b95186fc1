"""What a loop tells of the test set, as a record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from neuroprism.core.records import Component, TestRecord
from neuroprism.monitor.components import with_total
from neuroprism.monitor.scalars import floats


def results_on_test_set(
    components: Sequence[Component],
    *,
    losses: Mapping[str, Any] | None = None,
    metrics: Mapping[str, Any] | None = None,
    confusion_matrix: Any = None,
    best_epoch: int | None = None,
    intervals: Mapping[str, tuple[float, float]] | None = None,
    per_subject: Mapping[str, Mapping[str, float]] | None = None,
) -> TestRecord:
    """Return the record of the results on the test set.

    Parameters
    ----------
    components
        Of the loss.
    losses
        Raw value per component.
    metrics
        Metrics by name, without prefix.
    confusion_matrix
        Counts, true classes as rows.
    best_epoch
        Epoch whose weights were tested.
    intervals
        95% interval (low, high) per metric.
    per_subject
        Metrics of each subject.
    """
    matrix = getattr(confusion_matrix, "tolist", lambda: confusion_matrix)()
    return TestRecord(
        best_epoch=best_epoch,
        losses=with_total(components, losses),
        metrics=floats(metrics, "metric"),
        confusion_matrix=None if matrix is None else [[int(n) for n in row] for row in matrix],
        intervals={name: (float(low), float(high)) for name, (low, high) in (intervals or {}).items()},
        per_subject={subject: floats(values, "metric") for subject, values in (per_subject or {}).items()},
    )
