"""What is reached without looking at the windows."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from neuroprism.eeg.baselines.split_windows import SplitWindows
from neuroprism.eeg.spec import DatasetSpec

RANDOM_ORDER = "PR-AUC of chance is the share of positives, what a random order reaches"


def constant_output(spec: DatasetSpec, train_y: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return the one output (K,) or () that is given to every window: majority class or mean."""
    if spec.task == "regression":
        return np.asarray(train_y.mean(dtype=np.float64))
    counts = np.bincount(train_y, minlength=len(spec.class_names))
    if spec.task == "binary":
        return np.asarray(1.0 if counts[1] > counts[0] else -1.0)
    return np.asarray(np.arange(len(counts)) == counts.argmax(), dtype=np.float64)


def chance_metrics(spec: DatasetSpec, train_y: npt.NDArray[Any], windows: SplitWindows) -> dict[str, float]:
    """Return the metrics of `constant_output` on a split.

    The trapezoidal PR-AUC of a constant score is (1 + share of positives) / 2, which no
    order by chance reaches; its place is taken by the share of positives, and so is that
    of the average precision.
    """
    constant = constant_output(spec, train_y)
    outputs = np.broadcast_to(constant, (len(windows.y), *constant.shape))
    found = windows.pool(outputs).metrics()
    for name in ("pr_auc_trapezoid", "average_precision"):
        if name in found:
            found[name] = float((windows.y == 1).mean())
    return found
