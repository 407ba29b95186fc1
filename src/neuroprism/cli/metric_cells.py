"""Metrics as cells of a table, named for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from neuroprism.metrics.intervals import Interval

METRIC_NAMES = {
    "balanced_accuracy": "balanced accuracy",
    "kappa": "kappa",
    "f1": "weighted F1",
    "pr_auc_trapezoid": "PR-AUC",
    "roc_auc": "ROC-AUC",
    "corrcoef": "Pearson r",
    "r2": "R2",
    "rmse": "RMSE",
}
"""Metrics as people read them."""


def metric_cells(
    names: Sequence[str], values: Mapping[str, float], spans: Mapping[str, Interval]
) -> list[str]:
    """Return one cell for each metric: its value with its interval, ``-`` where it is undefined."""
    cells = []
    for name in names:
        cell = f"{values[name]:.4f}" if name in values else "-"
        if name in spans:
            cell += f" [{spans[name].low:.3f}, {spans[name].high:.3f}]"
        cells.append(cell)
    return cells
