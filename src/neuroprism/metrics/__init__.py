"""Metrics over pooled predictions, equal to scikit-learn, and intervals around them."""

from neuroprism.metrics.classification import (
    average_precision,
    balanced_accuracy,
    binary_f1,
    confusion_matrix,
    kappa,
    macro_f1,
    pr_auc,
    recall_per_class,
    roc_auc,
    weighted_f1,
)
from neuroprism.metrics.intervals import Interval, cluster_bootstrap, t_interval
from neuroprism.metrics.regression import mae, pearson_r, r2, rmse

__all__ = [
    "Interval",
    "average_precision",
    "balanced_accuracy",
    "binary_f1",
    "cluster_bootstrap",
    "confusion_matrix",
    "kappa",
    "macro_f1",
    "mae",
    "pearson_r",
    "pr_auc",
    "r2",
    "recall_per_class",
    "rmse",
    "roc_auc",
    "t_interval",
    "weighted_f1",
]
