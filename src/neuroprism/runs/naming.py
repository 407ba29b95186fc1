"""Series as people read them."""

from __future__ import annotations

import re

from neuroprism.core.errors import printable
from neuroprism.core.records import TOTAL

METRIC_LABELS = {
    "balanced_accuracy": "balanced accuracy",
    "kappa": "Cohen's kappa",
    "f1": "weighted F1",
    "pr_auc_trapezoid": "PR AUC",
    "roc_auc": "ROC AUC",
    "corrcoef": "correlation",
    "r2": "R²",
    "rmse": "RMSE",
}
"""Metrics of the documented layout."""

_LONGEST = 40

PERCENT = frozenset({"balanced_accuracy", "f1", "pr_auc_trapezoid", "roc_auc"})
"""Metrics that are shown in per cent."""

_SPLITS = {"train": "training", "val": "validation", "test": "test"}
_ERROR = re.compile(r"(^|_)(mae|mse|rmse|error|loss|ms|uv|db|bce|cross_entropy)(_|$)")


def as_words(name: str) -> str:
    """Return a name of a log as words in one line, of bounded length."""
    return printable(name.replace("_", " "))[:_LONGEST]


def metric_label(name: str) -> str:
    """Return a metric without its split as people read it."""
    return METRIC_LABELS.get(name, as_words(name))


def series_label(series: str) -> str:
    """Return a series as people read it, e.g. ``validation balanced accuracy``."""
    split, _, name = series.partition("/")
    if split not in _SPLITS or not name:
        return as_words(series)
    return f"{_SPLITS[split]} {'loss' if name == TOTAL else metric_label(name)}"


def metric_text(name: str, value: float) -> str:
    """Return the value of a metric: per cent with two decimals, or four decimals."""
    return f"{100 * value:.2f}%" if name in PERCENT else f"{value:.4f}"


def falls(name: str, components: frozenset[str] = frozenset()) -> bool:
    """Tell whether a metric or component is better when lower, as its name says."""
    return name == TOTAL or name in components or bool(_ERROR.search(name))
