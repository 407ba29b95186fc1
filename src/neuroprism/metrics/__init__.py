"""Metrics over pooled predictions: thin layers over torchmetrics."""

from neuroprism.metrics.classification import balanced_accuracy, binary_f1, macro_f1, roc_auc
from neuroprism.metrics.regression import mae, r2

__all__ = ["balanced_accuracy", "binary_f1", "macro_f1", "mae", "r2", "roc_auc"]
